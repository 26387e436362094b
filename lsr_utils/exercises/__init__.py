"""Checkers of the exercises: ``check("01-1", answer)`` says what an answer is worth.

It says ○ nothing written yet, ✓ right, or ✗ not yet: then it names the misconception
where it can, and the section that answers it, and shows what a function was given, what
came and what was wanted. It never raises.

An exercise is a class without instances, in the module of its notebook. Its name is
that of the check: ``E01_2_gap`` is asked for as "01-2 gap", and ``E01_row``, of a line
to fill in, as "01 row". For a function it is

    class E01_1:
        \"""what a right answer has shown; it ends the line "right: ..." (01.3).

        unchanged: the sentence that names this misconception. Where to read stands in
            the first line, lecture 01, section 3, or here (01.5).
        \"""

        right = lambda eps, k: eps * k / (k - 1)  # the oracle
        cases = lambda: [(0.1, 6), (0.3, 2)]  # arguments to try
        unchanged = lambda eps, k: eps  # what somebody who has it would return

Without ``cases`` the answer is a value, and so are ``right`` and the misconceptions.
Where no wrong value tells, ``sign(lambda result, *case: ...)`` looks at a result.
``tol`` is the tolerance, relative and absolute: 1e-5 for functions, 2e-3 for values
(three digits, by pencil). A result may be a number, an array, a text or a tuple.
What can go wrong anywhere (a sign, per cent, another logarithm, a transposed axis, a
sum for a mean) is known to ``diagnoses`` and needs no entry.
"""

import importlib
import re
import sys

import torch

from .engine import judge

_NAMES = "formulas loss training gains features reliability noise advice relatives"
_NAMES += " text kernel"
with torch.device("cpu"):  # whatever PyTorch's default device is
    _MODULES = [importlib.import_module(f".{n}", __name__) for n in _NAMES.split()]

__all__ = ["EXERCISES", "check", "verdict"]


EXERCISES = {
    re.sub(r"_(?=\d)", "-", name[1:], count=1).replace("_", " "): exercise
    for module in _MODULES
    for name, exercise in vars(module).items()
    if re.match(r"E\d\d", name)
}


def check(name, answer):
    """Show the verdict on an answer to the exercise ``name``; whatever it is."""
    said = verdict(name, answer)
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell and said.startswith("✗"):  # its links want to be links
        from IPython.display import display

        display({"text/markdown": said, "text/plain": said}, raw=True)
    else:
        print(said)


def verdict(name, answer):
    """What ``check`` shows, as Markdown. Only Ctrl-C gets through."""
    if not isinstance(name, str) or name not in EXERCISES:
        return f"There is no such exercise. They are {', '.join(EXERCISES)}."
    with torch.device("cpu"):
        mark, text = judge(EXERCISES[name], answer)
    return f"{mark} Exercise {name}: {text}"
