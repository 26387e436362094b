"""Read the course's notebooks: their cells, tags, prose and the code they show."""

import ast
import functools
import pathlib
import re
import sys

import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import command  # noqa: E402
import folding  # noqa: E402

LESSONS = command.lectures(ROOT)  # and deep dives, in reading order


def notebook_paths():
    """Every notebook of the course, in reading order; not a reader's own."""
    return command.files(ROOT, "*.ipynb")


def exercise_paths(kind):
    """The notebooks of a folder, "solutions" or "exercises", in reading order."""
    return [path for path in notebook_paths() if path.parent.name == kind]


def read(path):
    return nbformat.read(path, as_version=4)


@functools.cache
def number(path):
    """The two digits of a file name; of a deep dive with its title's letter, or "?"."""
    digits = path.name[:2]
    if path.parent.name != "deep":
        return digits
    letter = re.match(rf"# {digits}([a-z]) · ", read(path).cells[0].source)
    return digits + (letter[1] if letter else "?")


def by_number(wanted):
    """The lesson with this number: "02" of a lecture, "02b" of a deep dive."""
    (path,) = (path for path in LESSONS if number(path) == wanted)
    return read(path)


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def prose(notebook):
    return "\n".join(cell.source for cell in prose_cells(notebook))


def output_text(output):
    """All text of an output, whatever its kind."""
    data = output.get("data", {})
    parts = [v for k, v in data.items() if k.startswith("text/")]
    return "\n".join([output.get("text", ""), *parts])


def figures(cell):
    """The outputs of a cell that are pictures."""
    return [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]


def calls(cell, name):
    """The calls of a function by name in a code cell, as syntax trees."""
    nodes = ast.walk(ast.parse(cell.source))
    return [node for node in nodes if folding.called(node) == name]


def claims(cell):
    """What a cell claims: (id, condition); an id that is not written out is None."""
    for call in calls(cell, "claim") if cell.cell_type == "code" else []:
        first, _, condition = call.args
        yield getattr(first, "value", None), condition


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
    """Names defined by cells; bare calls, which print or claim, are left out."""
    names = {}
    for cell in cells:
        tree = ast.parse(cell.source)
        tree.body = [node for node in tree.body if not isinstance(node, ast.Expr)]
        exec(compile(tree, f"<cell {cell.id}>", "exec"), names)
    return names
