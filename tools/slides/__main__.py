"""Make one offline deck of slides for each notebook, with a handout as PDF.

The decks lie in build/slides, and open from there; so does the cheat sheet. Handouts
need Chromium.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import chromium  # noqa: E402
import command  # noqa: E402
import npm  # noqa: E402
from environment import ROOT  # noqa: E402
from slides import blocks, layout, page  # noqa: E402
from tidy import read  # noqa: E402

SHEET = ROOT / "notebooks" / "teaching" / "cheat_sheet.ipynb"
REVEAL = "dist/reset.css dist/reveal.css dist/reveal.js plugin/notes/notes.js".split()


def made(path, lectures):
    """The page of this notebook, its title, its question, and its number of pages."""
    notebook = read(path)
    if path == SHEET:
        about = "Cheat sheet", "Formulas, numbers and advice, to hand out.", 1
        return page.sheet(notebook), *about
    first, *others = blocks.sections(notebook)
    slides = layout.deck([first, *others])
    deck = page.deck(first.title, slides, {lecture.stem for lecture in lectures})
    question = next((b.text for b in first.blocks if b.kind == "prose"), "")
    return deck, first.title, question, len(slides)


def main():
    parser = argparse.ArgumentParser(prog="course.py slides", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01; none means all")
    # Seen from the course, where commands start.
    parser.add_argument("--to", metavar="FOLDER", type=Path, default="build/slides")
    options = parser.parse_args()
    lectures = command.lectures(ROOT)
    paths = command.beginning(options.names, [*lectures, SHEET])
    folder = options.to.resolve()
    assets = folder / "assets"
    npm.copy("reveal.js", REVEAL, assets)
    npm.copy("mathjax", ["es5/tex-svg-full.js"], assets)
    (assets / "deck.css").write_text(page.styles(), encoding="utf-8")
    shutil.copyfile(page.TEMPLATES / "deck.js", assets / "deck.js")
    decks, handouts = {}, True
    for path in paths:
        deck, pdf = folder / f"{path.stem}.html", folder / f"{path.stem}.pdf"
        pdf.unlink(missing_ok=True)  # not of an older deck
        text, *decks[path.stem] = made(path, lectures)
        deck.write_text(text, encoding="utf-8")
        pages = decks[path.stem][-1]
        print(f"{path.stem}: pages: {pages}", flush=True)
        try:
            if handouts:
                chromium.print_pdf(f"{deck.as_uri()}?print-pdf", pdf, pages)
        except (OSError, command.Problem, subprocess.TimeoutExpired) as failure:
            handouts = False
            print(f"slides: The decks are made, without handouts. {failure}")
    (folder / "index.html").write_text(page.index(decks, handouts), encoding="utf-8")
    print(f"Open {options.to / 'index.html'}.")


if __name__ == "__main__":
    command.run("slides", main)
