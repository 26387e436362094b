"""Derive notebooks/exercises from notebooks/solutions, for `course.py refresh`.

An exercises notebook leaves out of its source: the cells tagged `solution`, and of
code cells the lines from `# solution` to `# end`. In a function they become `raise
NotImplementedError`; at the top level `name = ...`, for each name that they assign and
the rest of the cell reads. A remark (`# solution: in nats`) stays as a comment.

Its metadata hold a digest of its cells. A reader who writes an answer changes the cells
and not the digest, so `is_stub` can tell, and the answer is never written over.
"""

import ast
import hashlib
import json
import re
import textwrap

import nbformat
from command import Problem

BLOCK = re.compile(
    r"^( *)# solution(?:: (.+))?\n((?:(?! *# solution).*\n)*?) *# end$", re.MULTILINE
)
LEFT = re.compile(r"^ *# (solution(: .+)?|end)$", re.MULTILINE)


class Malformed(Problem):
    """One sentence: which solutions notebook, which cell, what is wrong."""


def sources(notebooks):
    """{exercises notebook: its solutions notebook}, in reading order, as paths."""
    return {
        notebooks / "exercises" / path.name.replace("_solutions", "_exercises"): path
        for path in sorted((notebooks / "solutions").glob("*_solutions.ipynb"))
    }


def stale(notebooks):
    """The exercises notebooks that are not as they should be, answered ones aside."""
    return [
        path
        for path, solution in sources(notebooks).items()
        if is_stub(path) and not holds(path, as_bytes(derived(solution, path)))
    ]


def holds(path, content):
    return path.exists() and path.read_bytes() == content


def is_stub(path):
    """Whether nobody has changed a cell of this notebook since it was generated."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        return True
    except (OSError, ValueError, nbformat.ValidationError):
        return False
    return notebook.metadata.get("stub") == digest(notebook)


def digest(notebook):
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def as_bytes(notebook):
    return f"{nbformat.writes(notebook).rstrip()}\n".encode()


def derived(source, target):
    """The exercises notebook of a solutions notebook.

    source, target : paths. What the file `target` stores as the outputs of a cell stays
                     where the cell's code is the same; the other outputs are empty.
    """
    notebook = nbformat.read(source, as_version=4)
    stored = nbformat.read(target, as_version=4).cells if target.exists() else []
    before = {(c.id, c.source): c for c in stored if c.cell_type == "code"}
    cells = []
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            continue
        if not cells:
            cell.source = cell.source.replace("Solutions", "Exercises", 1)
        if cell.cell_type == "code":
            try:
                cell.source = stub(cell.source)
            except ValueError as error:
                raise Malformed(f"{source.name}, cell {cell.id}: {error}.") from error
            old = before.get((cell.id, cell.source), nbformat.v4.new_code_cell())
            cell.outputs, cell.execution_count = old.outputs, old.execution_count
        cells.append(cell)
    notebook.cells = cells
    notebook.metadata["stub"] = digest(notebook)
    return notebook


def stub(code):
    """The code of a cell without its solutions; ValueError where they are malformed."""
    if LEFT.search(BLOCK.sub("", code)):
        raise ValueError("`# solution` and `# end` do not come in pairs")
    read = _names(BLOCK.sub(r"\1pass", code), ast.Load)

    def opened(found):
        indent, remark, body = found.groups()
        comment = f"  # {remark}" if remark else ""
        if indent:
            return f"{indent}raise NotImplementedError{comment}"
        names = [n for n in _names(textwrap.dedent(body), ast.Store) if n in read]
        if not names:
            raise ValueError("a solution assigns nothing that the cell then reads")
        return "\n".join(f"{name} = ...{comment}" for name in names)

    return BLOCK.sub(opened, code)


def _names(code, context):
    """Names that code assigns at its top level, or reads anywhere, in order."""
    tree = ast.parse(code)
    if context is ast.Store:
        tree.body = [node for node in tree.body if isinstance(node, ast.Assign)]
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return list(dict.fromkeys(n.id for n in found if isinstance(n.ctx, context)))
