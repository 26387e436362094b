"""Build the course as a static site, searchable, that needs no network.

The site lies in build/site, and opens from there.
"""

import argparse
import base64
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

sys.path[0] = str(Path(__file__).resolve().parents[1])
import command  # noqa: E402
import folding  # noqa: E402
import nbformat  # noqa: E402
import npm  # noqa: E402
from environment import ROOT  # noqa: E402
from slides import deck  # noqa: E402
from tidy import read  # noqa: E402

HERE = Path(__file__).resolve().parent
# The pages that do not lie in notebooks/, by their names on the site.
PAGES = {
    ROOT / "README.md": "README",
    ROOT / "CLAIMS.md": "claims",
    ROOT / "CONTRIBUTING.md": "contributing",
    ROOT / "data" / "README.md": "data",
}
ADDRESS = r'((?!https?:|#)[^)\s#]+)(#[^)\s]*)?(\s+"[^"]*")?'
LINK = re.compile(rf"(?<!!)\[([^\]]*)\]\({ADDRESS}\)")


def prepare(source, address, decks):
    """Lay out the pages, as copies, for Sphinx; what lies in `decks` is linked."""
    shutil.copytree(ROOT / "notebooks/figures", source / "notebooks/figures")
    pages, talks = dict(PAGES), (HERE / "talks.html").read_text("utf-8")
    for path in command.files(ROOT, "*.ipynb", "*.md"):
        pages[path] = path.relative_to(ROOT).with_suffix("").as_posix()
    for path, page in pages.items():
        target = (source / page).with_suffix(path.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            text = notebook_page(path, pages, decks)
        else:
            text = relinked(path.read_text("utf-8"), path, pages)
            text = re.sub(r"(?m)^(!\[.+\))$", r'\1{width="100%"}', text)  # it enlarges
            if path.parent.name == "teaching":
                text = text.replace("\n", f"\n\n{talks}", 1)
        target.write_text(text, encoding="utf-8")
    (source / "api.rst").write_text(api(), encoding="utf-8")
    index = landing(source, address, pages)
    (source / "index.md").write_text(index, encoding="utf-8")


def landing(source, address, pages):
    """The first page: the film, three doors, a picture of each lecture, findings."""
    cards = []
    for path in (p for p in command.lectures(ROOT) if p.parent.name == "notebooks"):
        notebook = read(path)
        head = notebook.cells[0].source
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        results = [result for cell in code for result in deck.results_shown(cell)]
        png, alt = next(what for kind, *what in results if kind == "figure")
        (source / f"{path.stem}.png").write_bytes(base64.b64decode(png))
        if path.stem == "05_three_clouds":
            film = next(html for kind, html, _ in results if kind == "slider")
        options = f":link: notebooks/{path.stem}\n:link-type: doc\n"
        options += f":img-top: {path.stem}.png\n:img-alt: {alt}"
        title, question = re.search(r"# (.+)\n\n\*\*(.+)\*\*", head).groups()
        minutes = re.search(r"read (\d+)", head)[1]
        text = f"{question}\n\n{minutes} minutes to read"
        cards.append(f":::{{grid-item-card}} {title}\n{options}\n{text}\n:::")
    readme = (ROOT / "README.md").read_text("utf-8")
    findings = re.search(r"(?s)## Five findings.*?(?=\n## )", readme)[0]
    texts = {
        "address": address,
        "film": re.sub(r"\n\s*\n", "\n", film),
        "cards": "\n".join(cards),
        "findings": relinked(findings, ROOT / "README.md", pages),
    }
    page = (HERE / "landing.md").read_text("utf-8")
    return re.sub(r"\{(address|film|cards|findings)\}", lambda m: texts[m[1]], page)


def relinked(text, path, pages):
    """Markdown whose relative links lead to pages of the site, or are only text."""

    def moved(found):
        words, target, anchor, title = found.groups(default="")
        page = pages.get((path.parent / target).resolve())
        if page is None:
            return words
        suffix = Path(target).suffix
        there = os.path.relpath(f"{page}{suffix}", Path(pages[path]).parent)
        if suffix == ".ipynb":  # Jupyter's anchors keep all signs of a heading
            anchor = re.sub(r"[^#\w-]", "", unquote(anchor).lower())
        return f"[{words}]({Path(there).as_posix()}{anchor}{title})"

    return LINK.sub(moved, text)


def beside(path, decks):
    """Links of a notebook to what belongs to it: deck, handout, exercises, file."""
    name, links = path.stem, {"Download": f"files/{path.name}"}
    for kind in ("exercises", "solutions"):  # those of deep/02_... begin with 02b
        for found in ROOT.glob(f"notebooks/{kind}/{name[:2]}*{name[2:]}_{kind}.ipynb"):
            links[kind.capitalize()] = f"notebooks/{kind}/{found.stem}.html"
    made = {"Slides": f"{name}.html", "Handout (PDF)": f"{name}.pdf"}
    if name.startswith("08"):
        made["Decision page (PDF)"] = "decision_page.pdf"
    links |= {w: f"slides/{to}" for w, to in made.items() if (decks / to).exists()}
    if path.parent.name in ("notebooks", "deep"):
        links["Cheat sheet"] = "notebooks/teaching/cheat_sheet.html"
    up = "../" * len(path.relative_to(ROOT).parent.parts)
    there = " · ".join(f'<a href="{up}{to}">{w}</a>' for w, to in links.items())
    return nbformat.v4.new_markdown_cell(f'<p class="beside">{there}</p>')


def notebook_page(path, pages, decks):
    """The notebook with folds, alternative texts and links as the site wants them."""
    notebook = read(path)
    folding.fold(notebook)
    notebook.cells.insert(1, beside(path, decks))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, path, pages)
            continue
        tags = cell.metadata.setdefault("tags", [])
        tags += ["hide-input"] * folding.is_folded(cell)
        tags += ["hide-output"] * folding.has_covered_output(cell)
        cell.outputs = [o for o in cell.outputs if not folding.in_words(o)]
        for output in cell.outputs:
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return nbformat.writes(notebook)


def api():
    """The page of the package: what is public, from its docstrings."""
    parts = ["The package\n===========", "What the notebooks import as ``lsr``."]
    for found in pkgutil.walk_packages([str(ROOT / "lsr_utils")], "lsr_utils."):
        name = found.name
        # The checks of the exercises know the answers; the kernels need a compiler.
        if "exercises" not in name and "fused." not in name:
            parts.append(f"{name}\n{'-' * len(name)}\n\n.. automodule:: {name}")
            parts[-1] += "\n   :members:\n"
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(prog="course.py site", description=__doc__)
    parser.add_argument("--to", metavar="FOLDER", type=Path, default="build/site")
    parser.add_argument("--url", default="", help="where it will lie, for previews")
    options = parser.parse_args()
    target = options.to.resolve()
    command.spare(target, "slides/assets/deck.css")
    target.mkdir(parents=True, exist_ok=True)  # or it is said at once
    with tempfile.TemporaryDirectory() as folder:
        site, source, cache = (Path(folder, n) for n in ("site", "source", "cache"))
        npm.copy("mathjax", ["es5/tex-svg-full.js"], site / "_static")
        made = [sys.executable, HERE.with_name("slides"), "--to", "slides"]
        if subprocess.run(made, cwd=site).returncode:
            sys.exit(1)  # `slides` has said why
        prepare(source, options.url and f"{options.url.rstrip('/')}/", site / "slides")
        print("The sources are ready; Sphinx takes about a minute.", flush=True)
        call = [sys.executable, *"-m sphinx -q -W --keep-going -E -b html -c".split()]
        if subprocess.run([*call, HERE, "-d", cache, source, site]).returncode:
            raise command.Problem("Sphinx warns of what stands above: no site is built")
        (site / "files").mkdir()
        for path in command.files(ROOT, "*.ipynb"):
            shutil.copyfile(path, site / "files" / path.name)
        for path in (site / "_static").glob("*-macros.html"):
            path.unlink()  # templates of the theme, which it leaves among the files
        shutil.rmtree(target, ignore_errors=True)  # only now: the older site
        shutil.copytree(site, target, dirs_exist_ok=True)
    print(f"{len([*target.rglob('*.html')])} pages. Open {target / 'index.html'}.")


if __name__ == "__main__":
    command.run("site", main)
