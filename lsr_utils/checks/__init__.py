"""Checkers of the exercises: ``check("01-1", answer)`` prints one line.

The line says "not done yet", "right: ..." or "not yet: ...", and where it can, it names
the misconception and the section that answers it. It never raises.

An exercise is a class without instances, in the module of its part:

    class ToTorchEps:
        \"""What a right answer has shown; it ends the line "right: ...".\"""

        def right(eps, k):  # the oracle
            return eps * k / (k - 1)

        def cases():  # arguments; without this the answer is a value, not a function
            return [(0.1, 6), (0.3, 2)]

        def same_eps(eps, k):  # any other function is a misconception:
            \"""the sentence that names it, and where to read (01 section 4).\"""
            return eps  # what somebody who has it would return

A misconception marked ``@sign`` is no wrong oracle. It looks at a result:
``f(result, *case)`` is true of one that shows it. ``tol`` is the tolerance, relative
and absolute (1e-6); ``call(answer, *case)`` says how to call the answer, where a plain
call will not do. Beside numbers, a result may be a text, or a tuple of results. A name
is that of the exercise and, where it asks for several things, a word: "01-2 floor".
"""

from . import formulas, training
from .engine import judge

__all__ = ["EXERCISES", "check", "verdict"]

EXERCISES = {**formulas.EXERCISES, **training.EXERCISES}


def check(name, answer):
    """Print the verdict on an answer to the exercise ``name``; whatever it is."""
    print(verdict(name, answer))


def verdict(name, answer):
    """The line that ``check`` prints. Only Ctrl-C gets through."""
    if not isinstance(name, str) or name not in EXERCISES:
        return f"There is no such exercise. They are {', '.join(EXERCISES)}."
    return f"Exercise {name}: {judge(EXERCISES[name], answer)}"
