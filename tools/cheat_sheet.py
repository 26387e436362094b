"""Write the cheat sheet as one page for printing, without its code.

usage: python tools/cheat_sheet.py [--pdf]

Reads notebooks/teaching/cheat_sheet.ipynb as it is stored; nothing is executed. Open
build/cheat_sheet.html in a browser and print it, or let --pdf do so where Chromium is.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert.filters.markdown_mistune import markdown2html_mistune

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "teaching" / "cheat_sheet.ipynb"
PAGE = ROOT / "build" / "cheat_sheet.html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
UNREPEATABLE = "nbval-ignore-output"  # of a machine, not of the course

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Label smoothing on one page</title>
<style>
@page { size: A4 portrait; margin: 10mm 12mm; }
body { font: 8pt/1.2 "DejaVu Sans", Verdana, sans-serif; color: #000;
  max-width: 186mm; margin: 0 auto; }
h1 { font-size: 15pt; margin: 0 0 1mm; }
h2 { font-size: 10.5pt; margin: 2mm 0 .6mm; border-bottom: .3mm solid #b12a90; }
p, pre, table { margin: 0 0 1mm; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2mm 2mm .2mm 0; vertical-align: top;
  border-bottom: .1mm solid #ccc; }
td:nth-child(3) { white-space: nowrap; }
sub { line-height: 0; }
thead:not(:has(th:not(:empty))) { display: none; }
pre, code { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: 7.5pt; }
pre { background: #f3f3f3; padding: 1mm 2mm; white-space: pre-wrap; }
.anchor-link { display: none; }
</style>
</head>
<body>
"""


def page(notebook):
    """The sheet as HTML: prose and outputs, no code, nothing from the network.

    notebook : as nbformat reads it
    returns  : str
    """
    parts = [HEAD]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(markdown2html_mistune(cell.source))
        elif UNREPEATABLE not in cell.metadata.get("tags", []):
            parts += map(_shown, cell.outputs)
    return "\n".join([*parts, "</body>", "</html>", ""])


def _shown(output):
    data = output.get("data", {})
    return markdown2html_mistune(data.get("text/markdown") or output.get("text", ""))


def browser():
    """The path of a browser that can print without a screen, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_pdf(html, pdf):
    """Let the browser print a page; raises OSError where there is none, or it fails."""
    if browser() is None:
        raise OSError(f"No browser was found: open {html.name} and print it yourself.")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser(), "--headless", "--disable-gpu"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium has none for root
        command += [f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        command += [f"--print-to-pdf={pdf}", html.resolve().as_uri()]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode or not Path(pdf).is_file():
        raise OSError(f"{Path(browser()).name} could not print {html.name}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pdf", action="store_true", help="print to a PDF as well")
    options = parser.parse_args()
    PAGE.parent.mkdir(exist_ok=True)
    html = page(nbformat.read(NOTEBOOK, as_version=4))
    PAGE.write_text(html, encoding="utf-8")
    print(PAGE.relative_to(ROOT).as_posix())
    if options.pdf:
        pdf = PAGE.with_suffix(".pdf")
        try:
            print_pdf(PAGE, pdf)
        except OSError as problem:
            print(f"cheat_sheet: {problem}", file=sys.stderr)
            return 1
        print(pdf.relative_to(ROOT).as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main())
