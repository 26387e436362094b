"""Read what readers are asked to write: the answers, by the name of the check."""

import ast
import contextlib
import io
import warnings

import folding
import matplotlib.pyplot as plt
import torch
from contract import calls
from notebook_files import LESSONS, code_cells, notebook_paths, read, run_cells, tags


def exercise_paths(kind):
    """The notebooks of a folder, "solutions" or "exercises", in reading order."""
    return [path for path in notebook_paths() if path.parent.name == kind]


def answers(path):
    """What a notebook hands to ``check``, as {name: answer}, by running its cells."""
    found, dtype = {}, torch.get_default_dtype()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.ExitStack() as after:
        after.callback(torch.set_default_dtype, dtype)
        names = {"__name__": "__main__"}
        for cell in read(path).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"<{path.name} {cell.id}>", "exec"), names)
            if "check" in names:  # from the set-up cell on, listen instead
                names["check"] = found.__setitem__
    return found


def _needed(cells, asking):
    """Of all cells, those that ask and those whose names they read."""
    needed, names = [], set()
    for cell in reversed(cells):
        bound, read = folding.names(cell.source)
        if cell in asking or bound & names:
            needed, names = [cell, *needed], names - bound | read
    return needed


def fill_ins():
    """Of the lines to fill in: right is what the cell after assigns first."""
    found = {"solutions": {}, "exercises": {}}
    for path in LESSONS:
        cells = code_cells(read(path))
        asking = [c for c in cells if "answer" in tags(c) and calls(c, "check")]
        if asking:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of axes, whose bare calls do not run
                names = run_cells(_needed(cells, asking))
        for cell in asking:
            (call,), first = calls(cell, "check"), ast.parse(cell.source).body[0]
            name, line = call.args[0].value, call.args[1].id
            right = getattr(first, "name", None) or first.targets[0].id
            found["solutions"][name] = names[right]
            found["exercises"][name] = names[line]
    plt.close("all")
    return found
