"""How an answer is held against an exercise: an oracle and its misconceptions."""

import copy
import inspect
import itertools
import re
import warnings

import numpy as np
import torch

from .diagnoses import diagnosis, is_array, numbers
from .words import arguments, beside, line_of, linked, short

RIGHT, WRONG, OPEN = "✓✗○"
RESERVED = ("right", "cases", "tol")
PLACE = re.compile(r" *\((\d\d[a-z]?\.\d+)\)")  # (01.5): lecture 01, section 5
SHARED = {  # sentences of misconceptions that several exercises have
    "others": "this is for ε over the K−1 others. PyTorch spreads it over all K (01.3)",
    "six_classes": "this is for six classes. Here there are ten",
    "six_built_in": "right at K = 6 only: 1.2 is K/(K−1) there",
    "numpys_spread": "numpy's default divides by S, a sample by S − 1: ddof=1 (04.1)",
    "of_one_pair": "the spread of single differences lacks its √S",
    "normal": "1.96 is the normal distribution's. Of few pairs it is Student's t",
    "one_sided": "this leaves 5 % on *each* side: use the quantile at 0.975",
    "binary": "these are GiB, of 2³⁰ bytes. Speeds are in GB, of 10⁹ (02b.1)",
    "unsmoothed": "ε is not used: this is the loss of one-hot labels",
}


class sign:
    """Mark a misconception that is known by a look at a result, not by its value."""

    def __init__(self, shows):
        self.shows = shows


def draw(seed, *shape):
    """Normal numbers for a case, in double precision, the same on every call."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def sentences(exercise):
    """What is said of an exercise, {"right": ..., name of a misconception: ...}.

    A sentence ends in its place, that of the first line where it has none.
    """
    parts = re.split(r"(?m)^(\w+): ", inspect.getdoc(exercise))
    named = zip(["right", *parts[1::2]], parts[::2], strict=True)
    own = {name: " ".join(text.split()) for name, text in named}
    said = {"right": PLACE.sub("", own["right"])}
    for name in misconceptions(exercise):
        text = own[name] if name in own else f"{SHARED[name]}."
        (other,) = PLACE.findall(text) or [_place(exercise)]
        said[name] = f"{PLACE.sub('', text)} ({other})"
    return said


def _place(exercise):
    return PLACE.search(inspect.getdoc(exercise))[1]


def misconceptions(exercise):
    """The misconceptions of an exercise, {name: value, function or sign}."""
    members = vars(exercise).items()
    return {n: m for n, m in members if n not in RESERVED and not n.startswith("_")}


def judge(exercise, answer):
    """The verdict on an answer to an exercise: its mark, and a text; never an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _judge(exercise, answer)
    except KeyboardInterrupt:  # the reader stops a function that does not end
        raise
    except BaseException as error:  # a hostile object; sys.exit() in a function
        return _wrong(f"looking at the answer ended in {type(error).__name__}.")


def _wrong(text, *details):
    lines = [f"- {name}: {value}" for name, value in details]
    return WRONG, "\n".join([f"not yet: {text}", *[""][: len(lines)], *lines])


def _judge(exercise, answer):
    if _is_open(answer):
        return OPEN, "nothing written yet."
    function = hasattr(exercise, "cases")
    if function and not callable(answer):
        return _wrong("hand over the function itself, by its name, without calling it.")
    if callable(answer) and not function:
        return _wrong("hand over a value, not a function.")
    tol = getattr(exercise, "tol", 1e-5 if function else 2e-3)
    cases = _fresh(exercise) if function else [()]

    def outcomes(member, cases=None):
        if not function:
            return [member]
        return [_outcome(member, case) for case in cases or _fresh(exercise)]

    results, wanted = outcomes(answer, cases), outcomes(exercise.right)
    if any(isinstance(result, NotImplementedError) for result in results):
        return OPEN, "nothing written yet."
    good = [_same(*pair, tol) for pair in zip(results, wanted, strict=True)]
    said = sentences(exercise)
    if all(good):
        if function and not _unchanged(cases, _fresh(exercise)):
            return _wrong("the values are right, but it changes its arguments.")
        return RIGHT, f"right: {said['right']}"

    def fits(wrong):
        if isinstance(wrong, sign):
            looks = zip(results, wanted, cases, strict=True)
            return any(_shows(wrong, *look) for look in looks)
        return _all_same(results, outcomes(wrong), tol)

    first = good.index(False)
    got, want, place = results[first], wanted[first], _place(exercise)
    known = (name for name, wrong in misconceptions(exercise).items() if fits(wrong))
    if (name := next(known, None)) is not None:
        text = said[name]
    elif isinstance(got, BaseException):
        text = f"it ends in `{type(got).__name__}: {short(got)}` ({place})"
    else:
        wrong = [i for i, right in enumerate(good) if not right]
        parts = ([part[i] for i in wrong] for part in (results, wanted, cases))
        text = f"{diagnosis(*parts, _all_same, tol)} ({place})"
    case = _fresh(exercise)[first] if function else ()
    return _wrong(PLACE.sub(linked, text), *_details(answer, case, got, want, good))


def _details(answer, case, got, want, good):
    """What a function was given, what came and what was wanted."""
    if not case:
        return
    others = f" ({sum(good)} of {len(good) - 1} other cases are right)" * any(good)
    yield "given", f"{arguments(answer, case)}{others}"
    if not isinstance(got, BaseException):
        yield from zip(("came", "wanted"), beside(got, want), strict=True)
    elif line := line_of(got, answer):
        yield "line", line


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
    arrays = (map(numbers, pair) for pair in pairs if is_array(pair[1]))
    return all(np.array_equal(a, b, equal_nan=True) for a, b in arrays)


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
            result = torch.as_tensor(numbers(result, numbers(want).shape))
        return bool(wrong.shows(result, *case))
    except Exception:  # the result is of another kind than the sign speaks of
        return False


def _all_same(results, wanted, tol):
    return all(_same(*pair, tol) for pair in zip(results, wanted, strict=True))


def _same(got, want, tol):
    if isinstance(want, str):
        return isinstance(got, str) and re.sub(r"\W", "", got).lower() == want
    if isinstance(want, tuple):
        if is_array(got) and tuple(got.shape) == (len(want),):
            got = list(got)
        alike = isinstance(got, (tuple, list)) and len(got) == len(want)
        return alike and _all_same(got, want, tol)
    want = numbers(want)
    got = None if want is None else numbers(got, want.shape)
    return got is not None and np.allclose(got, want, tol, tol, equal_nan=True)
