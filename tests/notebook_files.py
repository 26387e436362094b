"""Read the course's notebooks: their cells, tags, prose and the code they show."""

import ast
import pathlib
import sys

import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import command  # noqa: E402


def notebook_paths():
    """Every notebook of the course, in reading order."""
    return command.files(ROOT, "*.ipynb")


def read(path):
    return nbformat.read(path, as_version=4)


def number(notebook):
    """What its title begins with: "02", or "02b" of a deep dive."""
    return notebook.cells[0].source.removeprefix("# ").partition(" · ")[0]


def by_number(wanted):
    """The lecture or deep dive whose title begins with this: "02", or "02b"."""
    found = map(read, command.lectures(ROOT))
    (notebook,) = (lesson for lesson in found if number(lesson) == wanted)
    return notebook


def tags(cell):
    return cell.metadata.get("tags", [])


def cells_tagged(notebook, prefix):
    """Pairs (what follows the prefix, cell) for every tag that starts with it."""
    return [
        (tag.removeprefix(prefix), cell)
        for cell in notebook.cells
        for tag in tags(cell)
        if tag.startswith(prefix)
    ]


def definitions(source):
    """The functions and classes a cell defines, as (name, syntax tree)."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [(n.name, n) for n in ast.parse(source).body if isinstance(n, kinds)]


def without_docstring(tree):
    body = tree.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        tree.body = body[1:]
    return tree


def run_cells(cells):
    """Names defined by cells, run one after another without their bare calls.

    Bare calls print, claim or display; what is wanted here is what a cell defines.
    """
    names = {}
    for cell in cells:
        tree = ast.parse(cell.source)
        tree.body = [node for node in tree.body if not isinstance(node, ast.Expr)]
        exec(compile(tree, f"<cell {cell.id}>", "exec"), names)
    return names


# The lectures and deep dives that are made for a room; the others still have a card.
LECTURES = {
    number(notebook): path
    for path in notebook_paths()
    for notebook in [read(path)]
    if path.parent.name in ("notebooks", "deep")
    and "After this you can" not in notebook.cells[0].source
}
