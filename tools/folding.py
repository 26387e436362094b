"""Which cells are folded: one rule for the notebooks, their decks and the site.

Folded is the code of cells tagged `checks`, `experiment`, `hide-input` or `answer`, and
of cells that only draw. Covered is the output of `checks`, of an `answer`, and of cells
that compare a guess with the truth. `show-input` keeps a cell open.
`course.py refresh` writes it all into the notebooks' metadata, which JupyterLab reads.
"""

import ast
import symtable

CHECKS = "checks"
COVERED = {CHECKS, "answer"}
FOLDED = {*COVERED, "experiment", "hide-input"}
OPEN = "show-input"
DRAWS = {"show", "BarSliders", "FilmSliders", "GapSliders", "PointSliders"}
SAYS = {"print", "display", "claim", "guess"}


def is_folded(cell):
    """Whether the code of a cell is folded, in a notebook that `fold` has seen."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def is_answer(cell):
    """Whether a cell compares a guess with the truth, and shows no figure."""
    return calls(cell.source, "guess") and not calls(cell.source, "show")


def has_covered_output(cell):
    """Whether the output of a cell is covered, in a notebook that `fold` has seen."""
    return bool(cell.metadata.get("jupyter", {}).get("outputs_hidden"))


def fold(notebook):
    """Write into the metadata of every cell, in place, whether it is folded."""
    needed = set()  # names that cells further down read, those that only draw aside
    for cell in reversed(notebook.cells):
        hidden = {}
        if cell.cell_type == "code":
            bound, read = names(cell.source)
            drawing = draws(cell.source) and not bound & needed
            if not drawing:
                needed = needed - bound | read
            tags = set(cell.metadata.get("tags", []))
            if OPEN not in tags and (drawing or tags & FOLDED):
                hidden["source_hidden"] = True
            if tags & COVERED or is_answer(cell):
                hidden["outputs_hidden"] = True
        cell.metadata.pop("jupyter", None)
        if hidden:
            cell.metadata["jupyter"] = hidden


def draws(source):
    """Whether code ends by showing a figure or sliders, without a printed word."""
    tree = ast.parse(source)
    last = getattr(tree.body[-1], "value", None) if tree.body else None
    said = {called(node) for node in ast.walk(tree)}
    return called(last) in DRAWS and not said & SAYS


def calls(source, function):
    """Whether code calls a function, by its name."""
    return function in {called(node) for node in ast.walk(ast.parse(source))}


def called(node):
    """The name of the function that a call calls; None for what is no call."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", None) or getattr(function, "attr", None)


def names(source):
    """The names that code binds, or an item of them, and those read before that."""
    bound, read = set(), set()
    for statement in ast.parse(source).body:
        table = symtable.symtable(ast.unparse(statement), "", "exec")
        symbols = table.get_symbols()
        binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
        reads = {s.get_name() for s in symbols if s.is_referenced()} | _globals(table)
        if not isinstance(statement, ast.Assign):
            reads -= binds  # a loop binds its variable before its body reads it
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            for node in ast.walk(statement):
                changed = node.target if isinstance(node, ast.AugAssign) else node
                stored = isinstance(getattr(changed, "ctx", None), ast.Store)
                if stored and (changed is not node or isinstance(node, ast.Subscript)):
                    name = {getattr(getattr(changed, "value", changed), "id", None)}
                    reads, binds = reads | name, binds | name
        read |= reads - bound
        bound |= binds
    return bound - {None}, read - {None}


def _globals(table):
    """What the functions and comprehensions of a table read from outside of them."""
    found = set()
    for child in table.get_children():
        found |= {s.get_name() for s in child.get_symbols() if s.is_global()}
        found |= _globals(child)
    return found
