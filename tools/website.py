"""Build the course as a static site, searchable, that needs no network.

usage: course.py site [--to FOLDER]

The site lies in build/site, and opens from there.
"""

import argparse
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import folding
import nbformat
import npm
from environment import ROOT

TARGET = Path("build", "site")  # seen from the course, where commands start
TOOLS = Path(__file__).parent / "sphinx"
MODULES = (
    *("targets", "losses", "fused", "datasets", "noise", "models", "training"),
    *("fleet", "stats", "calibration", "geometry", "plots", "sliders"),
    *("measure", "notebook", "style"),
)
LINK = re.compile(
    r"(?<!!)\[([^\]]*)\]"
    r"\(((?!https?:|mailto:|#)[^)\s#]+)(#[^)\s]*)?(\s+\"[^\"]*\")?\)"
)
IMAGE = re.compile(r"!\[[^\]]*\]\(((?!https?:)[^)\s]+)\)")


class Failure(Exception):
    """One sentence: what could not be built, and why."""


# -- sources -------------------------------------------------------------------------


def prepare(source):
    """Lay out the pages, as copies, for Sphinx."""
    static = source / "_static"
    npm.copy("mathjax", ("es5/tex-svg-full.js",), static)
    for path in TOOLS.iterdir():
        if path.suffix == ".py":
            shutil.copy(path, source)
        elif path.is_file():
            shutil.copy(path, static)
    pages = {
        ROOT / "README.md": "index",
        ROOT / "CLAIMS.md": "claims",
        ROOT / "CONTRIBUTING.md": "contributing",
        ROOT / "data" / "README.md": "data",
    }
    inside = sorted(
        path
        for kind in ("*.ipynb", "*.md")
        for path in (ROOT / "notebooks").rglob(kind)
        if ".ipynb_checkpoints" not in path.parts
    )
    for path in inside:
        pages[path] = path.relative_to(ROOT).with_suffix("").as_posix()
    for path, page in pages.items():
        if path.suffix == ".ipynb":
            write(source / f"{page}.ipynb", notebook_page(path, pages))
        elif path.exists():
            text = path.read_text("utf-8")
            write(source / f"{page}.md", relinked(text, path, pages))
            for image in IMAGE.findall(text):
                there = (source / page).parent / image
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path.parent / image, there)
    write(source / "api.rst", api())
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.write(contents([page for path, page in pages.items() if page != "index"]))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def contents(pages):
    """The tables of contents, which make the side bar."""
    folders = {}
    for page in pages:
        if page.startswith("notebooks/"):
            folders.setdefault(page.rpartition("/")[0], []).append(page)
    parts = []
    for folder, inside in folders.items():
        name = folder.rpartition("/")[2].capitalize()
        parts.append((name, inside))
    parts.append(("Reference", ["claims", "contributing", "api", "data"]))
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(inside)
        + "\n```\n"
        for caption, inside in parts
    )  # fmt: skip


def relinked(text, path, pages):
    """Markdown whose relative links lead to pages of the site, or are only text."""

    def moved(found):
        words, target, anchor, title = found.groups(default="")
        page = pages.get((path.parent / target).resolve())
        if page is None:
            return words
        suffix = Path(target).suffix
        there = os.path.relpath(f"{page}{suffix}", Path(pages[path]).parent)
        if suffix == ".ipynb":
            anchor = sphinx_anchor(anchor)
        return f"[{words}]({Path(there).as_posix()}{anchor}{title})"

    return LINK.sub(moved, text)


def sphinx_anchor(anchor):
    """Jupyter's anchor of a heading, which keeps all its signs, as Sphinx makes it."""
    return re.sub(r"[^#\w-]", "", unquote(anchor).lower())


def notebook_page(path, pages):
    """The notebook with folds, alternative texts and links as the site wants them."""
    notebook = nbformat.read(path, as_version=4)
    folding.fold(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, path, pages)
            continue
        tags = cell.metadata.setdefault("tags", [])
        if folding.is_folded(cell) and "hide-input" not in tags:
            tags.append("hide-input")
        if folding.has_covered_output(cell):
            tags.append("hide-output")
        for output in cell.outputs:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            data = output.get("data", {})
            if "text/markdown" in data:  # Sphinx follows links of cells, not of outputs
                there = re.sub(r"\.ipynb\)", ".html)", data["text/markdown"])
                data["text/markdown"] = there
            if alt:
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return nbformat.writes(notebook)


def api():
    """The API page: every public function and class, from its docstring."""
    lines = ["The package", "===========", ""]
    lines += ["What the notebooks import as ``lsr``, module by module.", ""]
    for name in MODULES:
        module = importlib.import_module(f"lsr_utils.{name}")
        heading = f"lsr_utils.{name}"
        lines += [heading, "-" * len(heading), "", f".. automodule:: {heading}", ""]
        for member, value in vars(module).items():
            ours = getattr(value, "__module__", "").startswith(heading)
            inside = member.startswith(("_", "check_"))
            if inside or not ours or not (value.__doc__ or "").strip():
                continue
            if inspect.isclass(value):
                lines += [f".. autoclass:: {heading}.{member}", "   :members:", ""]
            elif inspect.isfunction(value):
                lines += [f".. autofunction:: {heading}.{member}", ""]
    return "\n".join(lines) + "\n"


# -- building ------------------------------------------------------------------------


def build(source, target):
    shutil.rmtree(target, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E"),
        *("-d", str(source.with_name("cache")), "-b", "html"),
        *(str(source), str(target)),
    ]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    for path in (target / "_static").glob("*-macros.html"):
        path.unlink()  # templates of the theme, which it leaves among the files
    if made.returncode:
        print(made.stderr, file=sys.stderr)
        raise Failure("The site was not built: Sphinx warns of what stands above.")


def main():
    parser = argparse.ArgumentParser(prog="course.py site", description=__doc__)
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=TARGET)
    target = parser.parse_args().to
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        prepare(source)
        build(source, target.resolve())
    pages = len(list(target.rglob("*.html")))
    print(f"{pages} pages. Open {target / 'index.html'}.")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, npm.Unreachable) as failure:
        sys.exit(f"site: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
