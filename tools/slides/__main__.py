"""Make one offline deck of slides for each lecture and talk, with a handout as PDF.

The decks lie in build/slides, and open from there; so do the cheat sheet and the
decision page. Handouts need Chromium.
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
from slides import deck, page, talks  # noqa: E402
from tidy import read  # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
SHEET = NOTEBOOKS / "teaching" / "cheat_sheet.ipynb"
DECISION = "## 7. The decision page"  # of a lecture, and a sheet by itself
REVEAL = "dist/reset.css dist/reveal.css dist/reveal.js plugin/notes/notes.js".split()


def made(name, title, question, slides, decks):
    """A deck: its page, what the index says of it, and the pages of its handout."""
    about = f"{len(slides)} slides, {deck.minutes(slides):g} minutes"
    print(f"{name}: {about} ({deck.walked(slides):.0f} by its words)", flush=True)
    text = page.deck(title, slides, decks)
    return text, (title, question, about), len(deck.pages(slides))


def wanted(options):
    """What to make: {name: (page, what the index says, pages on paper)}."""
    lectures = [p for p in command.lectures(ROOT) if p.parent == NOTEBOOKS]
    alone = options.names and not options.plan  # no talk
    listed = {} if alone else talks.plans(SHEET.parent)
    names = {path.stem for path in lectures}
    if options.plan not in [None, *listed]:
        raise command.Problem(f"No plan {options.plan!r}: only {', '.join(listed)}")
    if options.names or not options.plan:
        for path in command.beginning(options.names, [*lectures, SHEET]):
            notebook = read(path)
            if path == SHEET:
                about = "Cheat sheet", "Formulas and numbers.", "1 page"
                yield path.stem, (page.sheet(about[0], notebook.cells), about, 1)
                continue
            slides = deck.slides(notebook)
            first = slides[0]
            yield path.stem, made(path.stem, first.title, first.text, slides, names)
            for cell in (c for c in notebook.cells if c.source.startswith(DECISION)):
                about = "Decision page", "When, with which ε, and what else?", "1 page"
                yield "decision_page", (page.sheet(about[0], [cell]), about, 1)
    for name in [options.plan] if options.plan else listed:
        slides = talks.composed(name, listed[name], NOTEBOOKS)
        heads = f"Label smoothing in {name[4:]} minutes", "Composed of the lectures."
        yield name, made(name, *heads, slides, names)


def main():
    parser = argparse.ArgumentParser(prog="course.py slides", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01; none means all")
    parser.add_argument("--plan", metavar="TALK", help="talk45 or talk90 alone")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default="build/slides")
    options = parser.parse_args()
    folder = options.to.resolve()
    assets = folder / "assets"
    command.spare(folder, "assets/deck.css")
    assets.mkdir(parents=True, exist_ok=True)  # or it is said at once
    all_made = list(wanted(options))  # before anything is written
    (assets / "deck.css").write_text(page.styles(), encoding="utf-8")
    npm.copy("reveal.js", REVEAL, assets)
    npm.copy("mathjax", ["es5/tex-svg-full.js"], assets)
    shutil.copyfile(page.TEMPLATES / "deck.js", assets / "deck.js")
    decks, handouts = {}, True
    for name, (text, decks[name], pages) in all_made:
        web, pdf = folder / f"{name}.html", folder / f"{name}.pdf"
        pdf.unlink(missing_ok=True)  # not of an older deck
        web.write_text(text, encoding="utf-8")
        try:
            if handouts:
                chromium.print_pdf(f"{web.as_uri()}?handout", pdf, pages)
        except (OSError, command.Problem, subprocess.TimeoutExpired) as failure:
            handouts = False
            print(f"slides: The decks are made, without handouts. {failure}")
    (folder / "index.html").write_text(page.index(decks, folder), encoding="utf-8")
    print(f"Open {options.to / 'index.html'}.")


if __name__ == "__main__":
    command.run("slides", main)
