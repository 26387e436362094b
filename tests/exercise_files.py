"""Read the notebooks with exercises: their answers, by the name of the check."""

import contextlib
import io

import pytest
import torch
from notebook_files import ROOT, read

from lsr_utils.exercises import EXERCISES, verdict

FOLDERS = {kind: ROOT / "notebooks" / kind for kind in ("solutions", "exercises")}


def exercise_paths(kind):
    """The notebooks of a folder, "solutions" or "exercises", in reading order."""
    return sorted(FOLDERS[kind].glob(f"*_{kind}.ipynb"))


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


def planted_cases(planted):
    """Parameters (name of the check, wrong answer, words of the verdict) for pytest.

    planted : {name: [(wrong answer, words that its verdict holds), ...]}
    """
    return [
        pytest.param(name, answer, words, id=f"{name}: {words}")
        for name, wrong in planted.items()
        for answer, words in wrong
    ]


def check_planted(planted, numbers):
    """At least three verdicts by name for each exercise of these notebooks, all told
    apart."""
    told = {}
    for name, wrong in planted.items():
        told.setdefault(name.split()[0], []).extend(words for _, words in wrong)
    assert set(planted) == {name for name in EXERCISES if name[:2] in numbers}
    for name, wrong in planted.items():
        verdicts = [verdict(name, answer) for answer, _ in wrong]
        assert len(set(verdicts)) == len(verdicts)
    assert all(len(words) >= 3 for words in told.values())
