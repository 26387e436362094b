"""Derive notebooks/exercises from notebooks/solutions, for `course.py refresh`.

An exercises notebook leaves out of its source: the cells tagged `solution`, and of
code cells the lines from `# solution` to `# end`. In a function they become `raise
NotImplementedError`; at the top level `name = ...`, for each name that they bind and
the rest of the cell reads. A remark (`# solution: in nats`) stays as a comment.
Its metadata hold a digest of its cells, so that `is_stub` can tell where a reader has
written an answer: that is never written over.
"""

import hashlib
import json
import re
import textwrap

from command import Problem, renewed
from folding import names
from tidy import as_bytes, read

BEGIN = r"(?m)^( *)# solution(?:: (.+))?$"
BLOCK = re.compile(rf"{BEGIN}\n((?:(?! *# solution).*\n)*?) *# end$")
LEFT = re.compile(rf"{BEGIN}|^ *# end$")


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
        if is_stub(path) and renewed(path, as_bytes(derived(solution, path)), False)
    ]


def is_stub(path):
    """Whether nobody has changed a cell of this notebook since it was generated."""
    try:
        notebook = read(path)
    except Problem:
        return not path.exists()
    return notebook.metadata.get("stub") == digest(notebook)


def digest(notebook):
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def derived(source, target):
    """The exercises notebook of a solutions notebook; both are paths.

    Of its outputs, those stay that `target` stores and whose code is the same.
    """
    notebook = read(source)
    stored = read(target).cells if target.exists() else []
    before = {(c.id, c.source): c for c in stored if c.cell_type == "code"}
    kept = [c for c in notebook.cells if "solution" not in c.metadata.get("tags", [])]
    notebook.cells = kept
    for title in kept[:1]:
        title.source = title.source.replace("Solutions", "Exercises", 1)
    for cell in kept:
        if cell.cell_type == "code":
            try:
                cell.source = stub(cell.source)
            except Problem as problem:
                raise Problem(f"{source.name}, cell {cell.id}: {problem}.") from problem
            old = before.get((cell.id, cell.source), {})
            cell.outputs = old.get("outputs", [])
            cell.execution_count = old.get("execution_count")
            if mine := old.get("metadata", {}).get("recorded_with"):
                cell.metadata["recorded_with"] = mine  # by the stub's own code
    notebook.metadata["stub"] = digest(notebook)
    return notebook


def stub(code):
    """The code of a cell without its solutions; Problem where they are malformed."""
    if LEFT.search(BLOCK.sub("", code)):
        raise Problem("`# solution` and `# end` do not come in pairs")
    _, wanted = names(BLOCK.sub(r"\1pass", code))

    def opened(found):
        indent, remark, body = found.groups()
        comment = f"  # {remark}" if remark else ""
        if indent:
            return f"{indent}raise NotImplementedError{comment}"
        bound, _ = names(textwrap.dedent(body))
        if not (open_names := [name for name in bound if name in wanted]):
            raise Problem("a solution assigns nothing that the cell then reads")
        return "\n".join(f"{name} = ...{comment}" for name in open_names)

    return BLOCK.sub(opened, code)
