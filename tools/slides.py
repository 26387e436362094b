"""Make one offline deck of slides for each notebook, with a handout as PDF.

usage: course.py slides [NN ...]

The decks lie in build/slides, and open from there. Handouts need Chromium.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chromium
import deck_blocks
import deck_html
import deck_pack
import nbformat
import npm
from environment import ROOT

NOTEBOOKS = ROOT / "notebooks"
TARGET = ROOT / "build" / "slides"
STYLES = Path(__file__).parent / "deck"
REVEAL = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js")


class Failure(Exception):
    """One sentence: what could not be made, and why."""


def chosen(names):
    """The notebooks that begin with these names, such as 01; none means all."""
    every = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            raise Failure(
                f"No notebook begins with {name!r}: there are "
                f"{', '.join(path.stem for path in every) or 'none'}."
            )
    return [p for p in every if not names or p.name.startswith(tuple(names))]


def copy_assets(target):
    npm.copy("reveal.js", REVEAL, target)
    npm.copy("mathjax", ("es5/tex-svg-full.js",), target)
    for path in STYLES.iterdir():
        shutil.copy(path, target)
    with (target / "deck.css").open("a", encoding="utf-8") as styles:
        styles.write(f"\n/* Colours of code. */\n{deck_html.code_styles()}\n")


def write_deck(path, decks):
    """Write the deck of this notebook; returns its title, question and slides."""
    sections = deck_blocks.sections(nbformat.read(path, as_version=4))
    slides = deck_pack.deck(sections)
    title = sections[0].title
    question = next((b.text for b in sections[0].blocks if b.kind == "prose"), "")
    text = deck_html.page(title, slides, decks)
    (TARGET / f"{path.stem}.html").write_text(text, encoding="utf-8")
    return deck_html.plain(title), deck_html.plain(question), len(slides)


def print_handout(browser, deck):
    """Print a deck as PDF, beside it."""
    target = deck.with_suffix(".pdf")
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *(browser, "--headless", *chromium.OPTIONS, f"--user-data-dir={profile}"),
            *("--no-pdf-header-footer", "--virtual-time-budget=60000"),
            *(f"--print-to-pdf={target}", f"{deck.as_uri()}?print-pdf"),
        ]
        try:
            made = subprocess.run(command, capture_output=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"{browser} did not print {deck.name}: {error}.") from error
    if made.returncode or not target.is_file():
        lines = made.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "it did not say why"
        raise Failure(f"{browser} did not print {deck.name}: {said}.")


def main():
    parser = argparse.ArgumentParser(prog="course.py slides", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01; none means all")
    paths = chosen(parser.parse_args().names)
    decks = {path.stem for path in chosen([])}
    copy_assets(TARGET / "assets")
    browser = chromium.find()
    listed, handouts = [], True
    for path in paths:
        started = time.monotonic()
        title, question, number = write_deck(path, decks)
        if browser and handouts:
            try:
                print_handout(browser, TARGET / f"{path.stem}.html")
            except Failure as failure:
                handouts = False
                print(f"slides: {failure} The decks are made without.", file=sys.stderr)
        handout = (TARGET / f"{path.stem}.pdf").is_file()
        listed.append((title, question, path.stem, number, handout))
        seconds = time.monotonic() - started
        print(f"{path.stem}: {number} slides ({seconds:.1f} s)", flush=True)
    (TARGET / "index.html").write_text(deck_html.index(listed), encoding="utf-8")
    if not browser:
        print(f"slides: No PDF handouts: {chromium.MISSING}", file=sys.stderr)
    print(f"Open {(TARGET / 'index.html').relative_to(ROOT)}.")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, npm.Unreachable) as failure:
        sys.exit(f"slides: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
