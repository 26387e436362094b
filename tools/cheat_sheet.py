"""Write the cheat sheet as one page for printing, without its code.

usage: python tools/cheat_sheet.py [--pdf]

Reads notebooks/teaching/cheat_sheet.ipynb as it is stored; nothing is executed. Open
build/cheat_sheet.html in a browser and print it, or let --pdf do so where Chromium is.
"""

import sys
from pathlib import Path

import chromium
import command
import nbformat
from nbconvert.filters.markdown_mistune import markdown2html_mistune

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "teaching" / "cheat_sheet.ipynb"
PAGE = ROOT / "build" / "cheat_sheet.html"
UNREPEATABLE = "nbval-ignore-output"  # of a machine, not of the course


def page(notebook):
    """The sheet as HTML: prose and outputs, no code, nothing from the network."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif UNREPEATABLE not in cell.metadata.get("tags", []):
            for output in cell.outputs:
                data = output.get("data", {})
                parts.append(data.get("text/markdown") or output.get("text", ""))
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return template.replace("{sheet}", "\n".join(map(markdown2html_mistune, parts)))


def main():
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(nbformat.read(NOTEBOOK, as_version=4)), encoding="utf-8")
    print(PAGE.relative_to(ROOT).as_posix())
    if "--pdf" in sys.argv:
        pdf = PAGE.with_suffix(".pdf")
        chromium.print_pdf(PAGE.as_uri(), pdf, pages=1)
        print(pdf.relative_to(ROOT).as_posix())


if __name__ == "__main__":
    command.run("cheat_sheet", main)
