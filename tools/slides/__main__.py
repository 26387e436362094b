"""Make one offline deck of slides for each notebook, with a handout as PDF.

The decks lie in build/slides, and open from there; so does the cheat sheet. Handouts
need Chromium.
"""

import argparse
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
REVEAL = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js")


def write_assets(folder):
    npm.copy("reveal.js", (*REVEAL, "plugin/notes/notes.js"), folder)
    npm.copy("mathjax", ("es5/tex-svg-full.js",), folder)
    (folder / "deck.css").write_text(page.styles(), encoding="utf-8")
    (folder / "deck.js").write_bytes((page.TEMPLATES / "deck.js").read_bytes())


def made(path, lectures):
    """The page of this notebook, its title, its question, and its number of pages."""
    notebook = read(path)
    if path == SHEET:
        about = "Cheat sheet", "Formulas, numbers and advice, to hand out.", 1
        return page.sheet(notebook), *about
    first, *others = sections = blocks.sections(notebook)
    slides = layout.deck(sections)
    deck = page.deck(first.title, slides, {lecture.stem for lecture in lectures})
    question = next((b.text for b in first.blocks if b.kind == "prose"), "")
    return deck, first.title, question, len(slides)


def main():
    parser = argparse.ArgumentParser(prog="course.py slides", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01; none means all")
    # Seen from the course, where commands start.
    parser.add_argument("--to", metavar="FOLDER", default="build/slides")
    options = parser.parse_args()
    lectures = command.lectures(ROOT)
    paths = command.beginning(options.names, [*lectures, SHEET])
    folder = Path(options.to).resolve()
    write_assets(folder / "assets")
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
        except command.Problem as failure:
            handouts = False
            print(f"slides: The decks are made, without handouts. {failure}")
    (folder / "index.html").write_text(page.index(decks, handouts), encoding="utf-8")
    print(f"Open {Path(options.to, 'index.html')}.")


if __name__ == "__main__":
    command.run("slides", main)
