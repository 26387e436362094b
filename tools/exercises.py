"""Derive notebooks/exercises from notebooks/solutions; `course.py refresh` does it too.

usage: python tools/exercises.py [--check]

A solutions notebook is the source. What its exercises notebook leaves out:

* the lines from `# solution` to `# end` of a code cell. In a function they become
  `raise NotImplementedError`; at the top level `name = ...`, for each name that they
  assign and the rest of the cell reads. A remark (`# solution: a number, in nats`)
  stays behind as a comment;
* cells tagged `solution`;
* the word "Solutions" in the title, which becomes "Exercises".

Outputs stay as they are stored where the code is unchanged; the others are left open,
for `course.py refresh` to run.
"""

import ast
import copy
import re
import sys
import textwrap

import nbformat
from environment import ROOT

BEGIN, END = re.compile(r"( *)# solution(?:: (.+))?"), re.compile(r" *# end")


class Malformed(Exception):
    """One sentence: which solutions notebook, which cell, what is wrong."""


def derive_all(notebooks, write=True):
    """The exercises notebooks that are not as their solutions ask; written, if so told.

    notebooks : the folder that holds `solutions` and `exercises`
    """
    stale = []
    for source in sorted((notebooks / "solutions").glob("*_solutions.ipynb")):
        target = exercises_path(source)
        text = derived(source, target)
        if not target.exists() or target.read_bytes() != text.encode():
            stale.append(target)
            if write:
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(text.encode())
    return stale


def exercises_path(source):
    name = source.name.replace("_solutions.ipynb", "_exercises.ipynb")
    return source.parent.parent / "exercises" / name


def derived(source, target):
    """The text of the exercises notebook of a solutions notebook."""
    notebook = nbformat.read(source, as_version=4)
    stored = nbformat.read(target, as_version=4).cells if target.exists() else []
    before = {cell.id: cell for cell in stored if cell.cell_type == "code"}
    cells = []
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            continue
        cell = copy.deepcopy(cell)
        if not cells:
            cell.source = cell.source.replace("Solutions", "Exercises", 1)
        if cell.cell_type == "code":
            try:
                cell.source = stub(cell.source)
            except ValueError as error:
                raise Malformed(f"{source.name}, cell {cell.id}: {error}.") from error
            old = before.get(cell.id)
            same = old is not None and old.source == cell.source
            cell.outputs = old.outputs if same else []
            cell.execution_count = old.execution_count if same else None
        cells.append(cell)
    notebook.cells = cells
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def stub(code):
    """The code of a cell without its solutions."""
    lines, kept, blocks = code.splitlines(), [], []
    begin = None
    for number, line in enumerate(lines):
        if found := BEGIN.fullmatch(line):
            if begin is not None:
                raise ValueError("a solution begins inside another")
            begin = number
            blocks.append((len(kept), found.group(1), found.group(2), number))
        elif END.fullmatch(line):
            if begin is None:
                raise ValueError("a solution ends that did not begin")
            blocks[-1] += (number,)
            begin = None
        elif begin is None:
            kept.append(line)
    if begin is not None:
        raise ValueError("a solution has no end")
    read = _names("\n".join(_closed(kept, blocks)), ast.Load)
    for place, indent, remark, first, last in reversed(blocks):
        body = textwrap.dedent("\n".join(lines[first + 1 : last]))
        comment = f"  # {remark}" if remark else ""
        if indent:
            open_lines = [f"{indent}raise NotImplementedError{comment}"]
        else:
            names = [name for name in _names(body, ast.Store) if name in read]
            if not names:
                raise ValueError("a solution assigns nothing that the cell then reads")
            open_lines = [f"{name} = ...{comment}" for name in names]
        kept[place:place] = open_lines
    return "\n".join(kept)


def _closed(kept, blocks):
    """What is kept, with `pass` for each solution, so that it can be parsed."""
    lines = list(kept)
    for place, indent, *_ in reversed(blocks):
        lines.insert(place, f"{indent}pass")
    return lines


def _names(code, context):
    """Names that code assigns at its top level, or reads anywhere, in order."""
    tree = ast.parse(code)
    if context is ast.Store:
        tree.body = [node for node in tree.body if isinstance(node, ast.Assign)]
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return list(dict.fromkeys(n.id for n in found if isinstance(n.ctx, context)))


def main():
    stale = derive_all(ROOT / "notebooks", write="--check" not in sys.argv[1:])
    for path in stale:
        print(f"{path.relative_to(ROOT).as_posix()} is not as its solutions ask.")
    print("Run `course.py refresh`." if stale else "All exercises are up to date.")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
