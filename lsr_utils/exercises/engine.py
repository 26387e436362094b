"""How an answer is held against an exercise: an oracle and its misconceptions."""

import copy
import inspect
import itertools
import re
import warnings

import numpy as np
import torch

NOT_DONE = "not done yet."
RESERVED = ("right", "cases", "tol")


class sign:
    """Mark a misconception that is known by a look at a result, not by its value."""

    def __init__(self, shows):
        self.shows = shows


def draw(seed, *shape):
    """Normal numbers for a case, in double precision, the same on every call."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def sentences(exercise):
    """What is said of an exercise, {"right": ..., name of a misconception: ...}."""
    parts = re.split(r"(?m)^(\w+): ", inspect.getdoc(exercise))
    named = zip(["right", *parts[1::2]], parts[::2], strict=True)
    return {name: " ".join(text.split()) for name, text in named}


def misconceptions(exercise):
    """The misconceptions of an exercise, {name: value, function or sign}."""
    members = vars(exercise).items()
    return {n: m for n, m in members if n not in RESERVED and not n.startswith("_")}


def judge(exercise, answer):
    """The verdict on an answer to an exercise, as a text; never an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _judge(exercise, answer)
    except KeyboardInterrupt:  # the reader stops a function that does not end
        raise
    except BaseException as error:  # a hostile object; sys.exit() in a function
        return f"not yet: looking at the answer ended in {type(error).__name__}."


def _judge(exercise, answer):
    if _is_open(answer):
        return NOT_DONE
    function = hasattr(exercise, "cases")
    if function and not callable(answer):
        return (
            "not yet: hand over the function itself, by its name, without calling it."
        )
    if callable(answer) and not function:
        return "not yet: hand over a value, not a function."
    tol = getattr(exercise, "tol", 1e-5 if function else 2e-3)
    cases = _fresh(exercise) if function else [()]

    def outcomes(member, cases=None):
        if not function:
            return [member]
        return [_outcome(member, case) for case in cases or _fresh(exercise)]

    results, wanted = outcomes(answer, cases), outcomes(exercise.right)
    if any(isinstance(result, NotImplementedError) for result in results):
        return NOT_DONE
    if _all_same(results, wanted, tol):
        if function and not _unchanged(cases, _fresh(exercise)):
            return (
                "not yet: the values are right, but it changes its arguments in place."
            )
        return f"right: {sentences(exercise)['right']}"
    for name, wrong in misconceptions(exercise).items():
        if isinstance(wrong, sign):
            looks = zip(results, wanted, cases, strict=True)
            fits = any(_shows(wrong, *look) for look in looks)
        else:
            fits = _all_same(results, outcomes(wrong), tol)
        if fits:
            return f"not yet: {sentences(exercise)[name]}"
    unlike = zip(cases, results, wanted, strict=True)
    first = next(look for look in unlike if not _same(*look[1:], tol))
    return f"not yet: {_difference(*first)}"


def _is_open(answer):
    if isinstance(answer, (list, tuple)) and len(answer) < 1000:
        return any(part is None or part is ... for part in answer)
    return answer is None or answer is ...


def _fresh(exercise):
    """The cases with arrays of their own, in case an answer writes into one."""
    return [copy.deepcopy(case) for case in exercise.cases()]


def _unchanged(cases, fresh):
    """Whether every array among the arguments still equals a fresh one."""
    pairs = zip(itertools.chain(*cases), itertools.chain(*fresh), strict=True)
    return all(
        np.array_equal(_numbers(a), _numbers(b), equal_nan=True)
        for a, b in pairs
        if isinstance(b, (torch.Tensor, np.ndarray))
    )


def _outcome(function, case):
    """What a function returns, or the error it raises, as an object."""
    try:
        return function(*case)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return error


def _shows(wrong, result, want, case):
    """Whether a result shows a sign; it is handed over as a tensor where it is one."""
    try:
        small = isinstance(result, torch.Tensor) and result.numel() < 100_000
        if not (small or isinstance(result, str)):  # a list, a number, an array
            result = torch.as_tensor(_numbers(result, _numbers(want).shape))
        return bool(wrong.shows(result, *case))
    except Exception:  # the result is of another kind than the sign speaks of
        return False


def _all_same(results, wanted, tol):
    return all(_same(*pair, tol) for pair in zip(results, wanted, strict=True))


def _same(got, want, tol):
    if isinstance(want, str):
        return isinstance(got, str) and got.strip().lower() == want.lower()
    if isinstance(want, tuple):
        alike = isinstance(got, (tuple, list)) and len(got) == len(want)
        return alike and _all_same(got, want, tol)
    want = _numbers(want)
    got = None if want is None else _numbers(got, want.shape)
    return got is not None and np.allclose(got, want, tol, tol, equal_nan=True)


def _numbers(value, shape=None):
    """A float array of this shape (of any shape: None), or None when it is none.

    Looks at the shape first, so that nothing large or endless is ever walked through.
    """
    if hasattr(value, "to_numpy"):  # of pandas
        value = value.to_numpy()
    if isinstance(value, list) and shape is None:  # of an exercise
        value = np.asarray(value)
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        if shape == () and value.ndim and np.prod(value.shape) == 1:
            value = value.reshape(())
        if shape is not None and tuple(value.shape) != tuple(shape):
            return None
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            value = value if value.is_complex() else value.double()
        value = np.asarray(value)
        return value.astype(float) if value.dtype.kind in "biuf" else None
    if isinstance(value, (list, tuple)):
        if not shape or len(value) != shape[0]:
            return None
        rows = [_numbers(row, shape[1:]) for row in value]
        return None if any(row is None for row in rows) else np.stack(rows)
    if shape not in (None, ()) or isinstance(value, (str, bytes, bool)):
        return None
    try:
        return np.asarray(float(value))
    except Exception:  # not a number, or one that does not want to be converted
        return None


def _difference(case, got, want):
    """In words: what is wrong with a result that shows no known misconception."""
    at = f"at {', '.join(map(_text, case))} it" if case else "this"
    if isinstance(got, BaseException):
        return f"{at} ends in {type(got).__name__}: {_text(got)}"
    if got is None:
        return "it returns None; is a `return` missing?"
    wanted = None if isinstance(want, (str, tuple)) else _numbers(want)
    numbers = None if wanted is None else _numbers(got, wanted.shape)
    if not case and (wanted is None or numbers is not None):
        return "this is not it, and no mistake that the checker knows; see the hint."
    verb = "returns" if case else "is"
    if numbers is None:
        kind = _text(want) if wanted is None or wanted.ndim else "a number"
        return f"{at} {verb} {_text(got)}, where {kind} is wanted."
    if numbers.ndim:
        off = np.abs(numbers - wanted).max()
        return f"{at} returns an array that is off by up to {off:.3g}."
    return f"{at} returns {numbers:.6g}, where {wanted:.6g} is right."


def _text(value):
    """A few words for any object: a number as it is, an array by its shape."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim:
        return f"an array {tuple(value.shape)}"
    if isinstance(value, (int, float, np.generic, torch.Tensor)):
        return f"{float(value):g}"
    if isinstance(value, tuple) and all(isinstance(v, (int, float)) for v in value[:5]):
        return f"({', '.join(map(_text, value[:5]))})"
    text = str(value) if isinstance(value, (str, BaseException)) else ""
    lines = text.strip().splitlines() or [f"an object of type {type(value).__name__}"]
    return lines[0][:70]
