"""Build the course as a static site, searchable, that needs no network.

The site lies in build/site, and opens from there.
"""

import argparse
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
from tidy import read  # noqa: E402

HERE = Path(__file__).parent
# The pages that do not lie in notebooks/, by their names on the site.
PAGES = {
    ROOT / "README.md": "index",
    ROOT / "CLAIMS.md": "claims",
    ROOT / "CONTRIBUTING.md": "contributing",
    ROOT / "data" / "README.md": "data",
}
ADDRESS = r'((?!https?:|#)[^)\s#]+)(#[^)\s]*)?(\s+"[^"]*")?'
LINK = re.compile(rf"(?<!!)\[([^\]]*)\]\({ADDRESS}\)")


def prepare(source):
    """Lay out the pages, as copies, for Sphinx."""
    shutil.copytree(ROOT / "notebooks/figures", source / "notebooks/figures")
    pages = dict(PAGES)
    for path in command.files(ROOT, "*.ipynb", "*.md"):
        pages[path] = path.relative_to(ROOT).with_suffix("").as_posix()
    for path, page in pages.items():
        target = (source / page).with_suffix(path.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            text = notebook_page(path, pages)
        else:
            text = relinked(path.read_text("utf-8"), path, pages)
        target.write_text(text, encoding="utf-8")

    (source / "api.rst").write_text(api(), encoding="utf-8")
    folders = {}
    for page in [page for page in pages.values() if page.startswith("notebooks/")]:
        folders.setdefault(page.split("/")[-2].capitalize(), []).append(page)
    folders["Reference"] = ["claims", "contributing", "api", "data"]
    table = "\n```{toctree}\n:hidden:\n:caption: %s\n\n%s\n```\n"
    with (source / "index.md").open("a", encoding="utf-8") as index:
        for name, there in folders.items():
            index.write(table % (name, "\n".join(there)))


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


def notebook_page(path, pages):
    """The notebook with folds, alternative texts and links as the site wants them."""
    notebook = read(path)
    folding.fold(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, path, pages)
            continue
        tags = {*cell.metadata.get("tags", [])}
        tags |= {"hide-input"} if folding.is_folded(cell) else set()
        tags |= {"hide-output"} if folding.has_covered_output(cell) else set()
        cell.metadata["tags"] = sorted(tags)
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
    # Seen from the course, where commands start.
    parser.add_argument("--to", metavar="FOLDER", type=Path, default="build/site")
    target = parser.parse_args().to.resolve()
    with tempfile.TemporaryDirectory() as folder:
        source, cache = Path(folder, "source"), Path(folder, "cache")
        shutil.rmtree(target, ignore_errors=True)
        npm.copy("mathjax", ["es5/tex-svg-full.js"], target / "_static")
        prepare(source)
        print("The sources are ready; Sphinx takes about a minute.", flush=True)
        call = [sys.executable, *"-m sphinx -q -W --keep-going -E -b html -c".split()]
        if subprocess.run([*call, HERE, "-d", cache, source, target]).returncode:
            raise command.Problem("Sphinx warns of what stands above: no site is built")
    for path in (target / "_static").glob("*-macros.html"):
        path.unlink()  # templates of the theme, which it leaves among the files
    print(f"{len([*target.rglob('*.html')])} pages. Open {target / 'index.html'}.")


if __name__ == "__main__":
    command.run("site", main)
