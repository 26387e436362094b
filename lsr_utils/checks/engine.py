"""How an answer is held against an exercise: an oracle and its misconceptions."""

import inspect
import itertools
import warnings

import numpy as np
import torch

NOT_DONE = "not done yet."
RESERVED = ("right", "cases", "call")


def sign(looks_wrong):
    """Mark a misconception that is known by a look at a result, not by its value."""
    looks_wrong.is_sign = True
    return looks_wrong


def misconceptions(exercise):
    """The functions of an exercise that stand for misconceptions, in their order."""
    members = vars(exercise).items()
    return [
        member
        for name, member in members
        if inspect.isfunction(member) and name not in RESERVED
    ]


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
    wants_function = hasattr(exercise, "cases")
    if wants_function and not callable(answer):
        return (
            "not yet: hand over the function itself, by its name, without calling it."
        )
    if callable(answer) and not wants_function:
        return "not yet: hand over a value, not a function."
    cases = _fresh_cases(exercise) if wants_function else [()]
    call = getattr(exercise, "call", lambda function, *case: function(*case))
    tol = getattr(exercise, "tol", 1e-6)

    def outcomes_of(function):
        return [_outcome(call, function, case) for case in _fresh_cases(exercise)]

    if wants_function:
        results = [_outcome(call, answer, case) for case in cases]
        wanted = outcomes_of(exercise.right)
    else:
        results, wanted = [answer], [exercise.right()]
    if any(isinstance(result, NotImplementedError) for result in results):
        return NOT_DONE
    if _all_same(results, wanted, tol):
        if wants_function and not _unchanged(cases, _fresh_cases(exercise)):
            return (
                "not yet: the values are right, but it changes its arguments in place."
            )
        return f"right: {_first_paragraph(exercise)}"
    for wrong in misconceptions(exercise):
        if hasattr(wrong, "is_sign"):
            looked_at = zip(results, wanted, cases, strict=True)
            fits = any(_looks(wrong, *result) for result in looked_at)
        else:
            values = outcomes_of(wrong) if wants_function else [wrong()]
            fits = _all_same(results, values, tol)
        if fits:
            return f"not yet: {_first_paragraph(wrong)}"
    for case, got, want in zip(cases, results, wanted, strict=True):
        if not _same(got, want, tol):
            return f"not yet: {_difference(case, got, want)}"


def _is_open(answer):
    if isinstance(answer, (list, tuple)) and len(answer) < 1000:
        return any(part is None or part is ... for part in answer)
    return answer is None or answer is ...


def _outcome(call, function, case):
    """What a function returns, or the error it raises, as an object."""
    try:
        return call(function, *case)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return error


def _looks(wrong, result, want, case):
    """Whether a result shows a sign; it is handed over as a tensor where it is one."""
    try:
        small = isinstance(result, torch.Tensor) and result.numel() < 100_000
        if not (small or isinstance(result, str)):  # a list, a number, an array
            result = torch.as_tensor(_numbers(result, _wanted(want).shape))
        return bool(wrong(result, *case))
    except Exception:  # the result is of another kind than the sign speaks of
        return False


def _all_same(results, wanted, tol):
    pairs = zip(results, wanted, strict=True)
    return all(_same(result, want, tol) for result, want in pairs)


def _same(got, want, tol):
    if isinstance(want, str):
        return isinstance(got, str) and got.strip().lower() == want.lower()
    if isinstance(want, tuple):
        if not isinstance(got, (tuple, list)) or len(got) != len(want):
            return False
        return _all_same(got, want, tol)
    if isinstance(want, BaseException):
        return False
    want = _wanted(want)
    got = _numbers(got, want.shape)
    if got is None:
        return False
    return bool(np.allclose(got, want, rtol=tol, atol=tol, equal_nan=True))


def _wanted(want):
    return _numbers(np.asarray(want) if isinstance(want, list) else want)


def _numbers(value, shape=None):
    """A float array of this shape (of any shape: None), or None when it is none.

    Looks at the shape first, so that nothing large or endless is ever walked through.
    """
    if hasattr(value, "to_numpy"):  # of pandas
        value = value.to_numpy()
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


def _fresh_cases(exercise):
    """The cases with arrays of their own, in case an answer writes into one."""
    return [
        tuple(a.clone() if isinstance(a, torch.Tensor) else a for a in case)
        for case in exercise.cases()
    ]


def _unchanged(cases, fresh):
    """Whether every tensor among the arguments still equals a fresh one."""
    pairs = zip(itertools.chain(*cases), itertools.chain(*fresh), strict=True)
    return all(
        np.array_equal(a.detach().numpy(), b.numpy(), equal_nan=b.is_floating_point())
        for a, b in pairs
        if isinstance(b, torch.Tensor)
    )


def _difference(case, got, want):
    """In words: what is wrong with a result that shows no known misconception."""
    if not case:
        return "this is not it, and no mistake that the checker knows; see the hint."
    at = f"at {', '.join(map(_text, case))} "
    if isinstance(got, BaseException):
        return f"{at}it ends in {type(got).__name__}: {_text(got, 70)}"
    if got is None:
        return "it returns None; is a `return` missing?"
    wanted = None if isinstance(want, (str, tuple)) else _wanted(want)
    numbers = None if wanted is None else _numbers(got, wanted.shape)
    if numbers is None:
        return f"{at}it returns {_text(got)}, where {_text(want)} is wanted."
    if numbers.ndim:
        off = np.abs(numbers - wanted).max()
        return f"{at}the largest difference from the right result is {off:.3g}."
    return f"{at}it returns {numbers:.6g}, where {wanted:.6g} is right."


def _text(value, most=40):
    """A few words for any object: a number as it is, an array by its shape."""
    if isinstance(value, (torch.Tensor, np.ndarray)) and value.ndim:
        return f"an array {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (int, float, np.generic, torch.Tensor)):
        return f"{float(value):g}"
    text = str(value) if isinstance(value, (str, BaseException)) else ""
    lines = text.strip().splitlines() or [f"an object of type {type(value).__name__}"]
    return lines[0][:most]


def _first_paragraph(described):
    return " ".join(inspect.getdoc(described).split("\n\n")[0].split())
