"""Which cells are folded: one rule for the notebooks, their decks and the site.

Folded is the code of cells tagged `checks`, `experiment`, `hide-input` or `answer`, and
of cells that only draw. Covered is the output of `checks`, of an `answer`, and of cells
that compare a guess with the truth. `show-input` keeps a cell open.
`course.py refresh` writes it all into the notebooks' metadata, which JupyterLab reads.
"""

import ast
import dis

CHECKS = "checks"
COVERED = {CHECKS, "answer"}
FOLDED = {*COVERED, "experiment", "hide-input"}
OPEN = "show-input"
DRAWS = {"show", "BarSliders", "FilmSliders", "GapSliders", "PointSliders"}
SAYS = {"print", "display", "claim", "guess"}


def is_folded(cell):
    """Whether the code of a cell is folded, in a notebook that `fold` has seen."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def has_covered_output(cell):
    """Whether the output of a cell is covered, in a notebook that `fold` has seen."""
    return bool(cell.metadata.get("jupyter", {}).get("outputs_hidden"))


def in_words(output):
    """Whether it puts a figure in words, which decks and pages have as alternative."""
    page = output.get("data", {}).get("text/html", "")
    return "<summary>This figure in words" in page


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
            compares = calls(cell.source, "guess") and not calls(cell.source, "show")
            if tags & COVERED or compares:
                hidden["outputs_hidden"] = True
        cell.metadata.pop("jupyter", None)
        if hidden:
            cell.metadata["jupyter"] = hidden


def draws(source):
    """Whether code ends by showing a figure or sliders, without a printed word."""
    last = ast.parse(source).body[-1:]
    drawn = [called(getattr(node, "value", None)) in DRAWS for node in last]
    return any(drawn) and not any(calls(source, name) for name in SAYS)


def calls(source, function):
    """Whether code calls a function, by its name."""
    return function in {called(node) for node in ast.walk(ast.parse(source))}


def called(node):
    """The name of the function that a call calls; None for what is no call."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", None) or getattr(function, "attr", None)


def names(source):
    """The names that code binds, or an item of them, and those read before, in turn."""
    bound, read = {}, {}
    follow(compile(source, "a cell", "exec"), bound, read)
    for node in ast.walk(ast.parse(source)):
        item = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        if item and isinstance(node.value, ast.Name):
            bound[node.value.id] = True
    return bound.keys(), read.keys()


def follow(code, bound, read):
    """Note the names in compiled code; a function counts where it is defined."""
    for step in dis.get_instructions(code):
        name, operation = step.argval, step.opname
        if hasattr(name, "co_code"):
            follow(name, dict(bound), read)
        elif operation in ("LOAD_NAME", "LOAD_GLOBAL") and name not in bound:
            read[name] = True
        elif operation in ("STORE_NAME", "STORE_GLOBAL"):
            bound[name] = True
