"""Read the notebooks with exercises: their answers, by the name of the check."""

import contextlib
import io

import torch
from notebook_files import notebook_paths, read


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
