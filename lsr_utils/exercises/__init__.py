"""Checkers of the exercises: ``check("01-1", answer)`` prints one line.

The line says "not done yet", "right: ..." or "not yet: ...", and where it can, it names
the misconception and the section that answers it. It never raises.

An exercise is a class without instances, in the module of its notebook. Its name is
that of the check: ``E01_2_gap`` is asked for as "01-2 gap", and ``E01_row``, of a line
to fill in, as "01 row". For a function it is

    class E01_1:
        \"""what a right answer has shown; it ends the line "right: ...".

        unchanged: the sentence that names this misconception, and where to read
            (01 section 3).
        \"""

        right = lambda eps, k: eps * k / (k - 1)  # the oracle
        cases = lambda: [(0.1, 6), (0.3, 2)]  # arguments to try
        unchanged = lambda eps, k: eps  # what somebody who has it would return

Without ``cases`` the answer is a value, and so are ``right`` and the misconceptions.
Where no wrong value tells, ``sign(lambda result, *case: ...)`` looks at a result.
``tol`` is the tolerance, relative and absolute: 1e-5 for functions, 2e-3 for values
(three digits, by pencil). A result may be a number, an array, a text or a tuple.
"""

import re

from . import (
    features,
    formulas,
    gains,
    kernel,
    loss,
    noise,
    reliability,
    text,
    training,
)
from .engine import judge

_MODULES = (
    *(formulas, loss, training, gains, features, reliability, noise, text),
    kernel,
)

__all__ = ["EXERCISES", "check", "verdict"]


def _joined(found):
    return found[1] + ("-" if found[2] else " ")


EXERCISES = {
    re.sub(r"^E(\w\w+?)_(?=(\d?))", _joined, name).replace("_", " "): exercise
    for module in _MODULES
    for name, exercise in vars(module).items()
    if name.startswith("E0")
}


def check(name, answer):
    """Print the verdict on an answer to the exercise ``name``; whatever it is."""
    print(verdict(name, answer))


def verdict(name, answer):
    """The line that ``check`` prints. Only Ctrl-C gets through."""
    if not isinstance(name, str) or name not in EXERCISES:
        return f"There is no such exercise. They are {', '.join(EXERCISES)}."
    return f"Exercise {name}: {judge(EXERCISES[name], answer)}"
