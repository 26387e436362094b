"""Make one offline deck of slides for each notebook, with a handout as PDF.

usage: course.py slides [--to FOLDER] [NN ...]

The decks lie in build/slides, and open from there. Handouts need Chromium.
"""

import argparse
import shutil
import sys
from pathlib import Path

import chromium
import deck_blocks
import deck_html
import deck_pack
import nbformat
import npm
from environment import ROOT
from handout import NoHandout, Printer

NOTEBOOKS = ROOT / "notebooks"
TARGET = Path("build", "slides")  # seen from the course, where commands start
STYLES = Path(__file__).parent / "deck"
REVEAL = (
    "dist/reset.css",
    "dist/reveal.css",
    "dist/reveal.js",
    "plugin/notes/notes.js",
)


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


def write_deck(path, target, decks):
    """Write the deck of this notebook; returns its title, question and slides."""
    sections = deck_blocks.sections(nbformat.read(path, as_version=4))
    slides = deck_pack.deck(sections)
    title = sections[0].title
    question = next((b.text for b in sections[0].blocks if b.kind == "prose"), "")
    text = deck_html.page(title, slides, decks)
    target.write_text(text, encoding="utf-8")
    return deck_html.plain(title), deck_html.plain(question), len(slides)


def main():
    parser = argparse.ArgumentParser(prog="course.py slides", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01; none means all")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=TARGET)
    options = parser.parse_args()
    paths, folder = chosen(options.names), options.to.resolve()
    decks = {path.stem for path in chosen([])}
    copy_assets(folder / "assets")
    listed = []
    for path in paths:
        deck = folder / f"{path.stem}.html"
        deck.with_suffix(".pdf").unlink(missing_ok=True)  # not of an older deck
        title, question, number = write_deck(path, deck, decks)
        listed.append((title, question, path.stem, number))
        print(f"{path.stem}: {number} slides", flush=True)
    try:
        handouts = print_handouts([folder / f"{path.stem}.html" for path in paths])
    except NoHandout as failure:
        handouts = False
        print(f"slides: The decks are made, without handouts. {failure}")
    text = deck_html.index(listed, handouts)
    (folder / "index.html").write_text(text, encoding="utf-8")
    print(f"Open {options.to / 'index.html'}.")


def print_handouts(decks):
    browser = chromium.find()
    if not browser:
        raise NoHandout(chromium.MISSING)
    with Printer(browser) as printer:
        for deck in decks:
            printer.print(deck)
    print(f"{len(decks)} handouts (PDF)", flush=True)
    return True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, npm.Unreachable) as failure:
        sys.exit(f"slides: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
