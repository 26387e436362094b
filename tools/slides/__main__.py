"""Make one offline deck of slides for each notebook, with a handout as PDF.

usage: course.py slides [--to FOLDER] [NN ...]

The decks lie in build/slides, and open from there; so does the cheat sheet. Handouts
need Chromium.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import chromium  # noqa: E402
import command  # noqa: E402
import nbformat  # noqa: E402
import npm  # noqa: E402
from environment import ROOT  # noqa: E402
from slides import blocks, layout, page  # noqa: E402
from tidy import tidy  # noqa: E402

TARGET = Path("build", "slides")  # seen from the course, where commands start
SHEET = ROOT / "notebooks" / "teaching" / "cheat_sheet.ipynb"
REVEAL = ("reset.css", "reveal.css", "reveal.js")


def write_assets(folder):
    files = (*(f"dist/{name}" for name in REVEAL), "plugin/notes/notes.js")
    npm.copy("reveal.js", files, folder)
    npm.copy("mathjax", ("es5/tex-svg-full.js",), folder)
    (folder / "deck.css").write_text(page.styles(), encoding="utf-8")
    (folder / "deck.js").write_bytes((page.TEMPLATES / "deck.js").read_bytes())


def write(path, target, lectures):
    """Write the pages of this notebook; returns title, question, number of pages."""
    notebook = nbformat.read(path, as_version=4)
    tidy(notebook)
    if path == SHEET:
        target.write_text(page.sheet(notebook), encoding="utf-8")
        return "Cheat sheet", "Formulas, numbers and advice, to hand out.", 1
    sections = blocks.sections(notebook)
    slides = layout.deck(sections)
    title, decks = sections[0].title, {lecture.stem for lecture in lectures}
    target.write_text(page.deck(title, slides, decks), encoding="utf-8")
    question = next((b.text for b in sections[0].blocks if b.kind == "prose"), "")
    return title, question, len(slides)


def main():
    parser = argparse.ArgumentParser(prog="course.py slides", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01; none means all")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=TARGET)
    options = parser.parse_args()
    lectures = command.lectures(ROOT)
    paths = command.beginning(options.names, [*lectures, SHEET])
    folder = options.to.resolve()
    write_assets(folder / "assets")
    made, handouts = {}, True
    for path in paths:
        deck, pdf = folder / f"{path.stem}.html", folder / f"{path.stem}.pdf"
        pdf.unlink(missing_ok=True)  # not of an older deck
        made[path.stem] = *_, pages = write(path, deck, lectures)
        print(f"{path.stem}: pages: {pages}", flush=True)
        try:
            if handouts:
                chromium.print_pdf(f"{deck.as_uri()}?print-pdf", pdf, pages)
        except command.Problem as failure:
            handouts = False
            print(f"slides: The decks are made, without handouts. {failure}")
    (folder / "index.html").write_text(page.index(made, handouts), encoding="utf-8")
    print(f"Open {options.to / 'index.html'}.")


if __name__ == "__main__":
    command.run("slides", main)
