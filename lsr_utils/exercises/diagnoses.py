"""Mistakes that can be made in any exercise, known by what came and what was wanted."""

import math

import numpy as np
import torch

PLAIN = "this is not it, and no mistake that the checker knows; see the hint."
# What comes in place of w where the mistake was made. The first that fits is named.
MISTAKES = {
    "the size is right, the sign is not": np.negative,
    "this is in per cent: divide by 100": lambda w: 100 * w,
    "this is a fraction, and per cent are wanted": lambda w: w / 100,
    "this is a logarithm to base 10. The course takes ln": lambda w: w / math.log(10),
    "this is in bits, from log2. The course takes ln": lambda w: w / math.log(2),
    "this is a thousand times what is wanted: check the units": lambda w: 1000 * w,
    "this is exactly twice what is wanted": lambda w: 2 * w,
    "this is exactly half of what is wanted": lambda w: w / 2,
    "a logarithm is missing: take the ln of this": np.exp,
    "one logarithm too many: this is the ln of what is wanted": np.log,
    "this is upside down, 1 divided by what is wanted": lambda w: 1 / w,
    "this is what is left of 1: take it away from 1": lambda w: 1 - w,
    "this is the square of what is wanted": np.square,
    "this is the square root of what is wanted": np.sqrt,
    "this is one too many: count from 0": lambda w: w + 1,
    "this is one too few": lambda w: w - 1,
    "rows and columns are exchanged: transposed, or the wrong axis": np.transpose,
    "the right numbers, but in reverse order": np.flip,
    "the right numbers, but without their signs": np.abs,
}
LESS = {"mean": np.mean, "sum": np.sum, "largest": np.max}


def is_array(value):
    """Whether a value is a tensor or an array of NumPy."""
    return isinstance(value, (torch.Tensor, np.ndarray))


def numbers(value, shape=None):
    """A float array of this shape (of any, and small: None), or None when it is none.

    Looks at the shape first, so that nothing large or endless is ever walked through.
    """
    if hasattr(value, "to_numpy"):  # of pandas
        value = value.to_numpy()
    try:
        if isinstance(value, (list, tuple)):
            if len(value) > 1000 if shape is None else (*shape, -1)[0] != len(value):
                return None
            rows = [numbers(row, shape and shape[1:]) for row in value]
            return None if any(row is None for row in rows) else np.stack(rows)
        if is_array(value) or isinstance(value, np.generic):
            size = math.prod(value.shape)
            if shape == () and size == 1:
                value = value.reshape(())
            if size > 100_000 if shape is None else tuple(value.shape) != tuple(shape):
                return None
            if isinstance(value, torch.Tensor):
                value = value.detach().cpu()
                value = value if value.is_complex() else value.double()
            value = np.asarray(value)
            return value.astype(float) if value.dtype.kind in "biuf" else None
        if shape not in (None, ()) or isinstance(value, (str, bytes, bool)):
            return None
        return np.asarray(float(value))
    except Exception:  # not a number, or one that does not want to be converted
        return None


def diagnosis(results, wanted, cases, same, tol):
    """In words: what is wrong with results, none right, that show no misconception."""
    if results[0] is None:
        return "it returns None; is a `return` missing?"
    if isinstance(wanted[0], str):
        return _of_text(results[0], len(wanted[0]))
    known = list(zip(map(numbers, results), map(numbers, wanted), cases, strict=True))
    if not _alike(*known[0]):
        return _of_kind(results[0], *known[0][:2], lambda a, b: same([a], [b], tol))
    ones, twos, cases = zip(*(k for k in known if _alike(*k)), strict=True)
    one, two = (np.hstack([part.ravel() for part in parts]) for parts in (ones, twos))

    def near(one, made):
        return np.allclose(one, made, tol, tol * np.abs(made).max())

    with np.errstate(all="ignore"):
        for sentence, made in _suspects(cases, twos):
            if all(map(near, ones, made)):  # one number may be like another by chance
                return f"{'perhaps ' * (one.size == 1)}{sentence}."
        return _of_size(one, two, bool(cases[0]))


def _alike(one, two, _):
    return one is not None and two is not None and one.shape == two.shape


def _suspects(cases, wanted):
    """Pairs (sentence, what comes of the mistake that it names, for each case)."""
    for sentence, mistake in MISTAKES.items():
        made = [mistake(want) for want in wanted]
        if [part.shape for part in made] == [want.shape for want in wanted]:
            yield sentence, made
    axes = [
        [size for part in [*case, want] for size in _lengths(part)]
        for case, want in zip(cases, wanted, strict=True)
    ]
    for n in zip(*axes, strict=False):  # of one axis of one argument, in all cases
        sizes = list(zip(wanted, n, strict=True))
        if min(n) > 1:
            sentence = f"a sum where a mean is wanted: divide by the {n[0]} of them"
            yield sentence, [want * size for want, size in sizes]
            yield f"divided once too often, by {n[0]}", [w / size for w, size in sizes]


def _lengths(value):
    return [len(value)] if isinstance(value, list) else getattr(value, "shape", ())


def _of_text(got, count):
    wanted = "one letter is" if count == 1 else f"{count} letters are"
    if not isinstance(got, str):
        return f"{wanted} wanted in quotation marks, such as {'abcdef'[:count]!r}."
    letters = sum(map(str.isalpha, got))
    return PLAIN if letters == count else f"{wanted} wanted; there are {letters} here."


def kind(value):
    """What a value is, for somebody who thought it was something else."""
    if isinstance(value, str):
        return f"a text, {value[:20]!r}"
    array = numbers(value)
    if array is not None or is_array(value):
        shape = tuple(value.shape) if array is None else array.shape
        row = len(shape) == 1
        several = f"a row of {shape[0]} numbers" if row else f"an array {shape}"
        return several if shape else "a single number"
    if isinstance(value, (list, tuple)):
        for i, part in enumerate(value[:1000]):
            if numbers(part) is None and not isinstance(part, (list, tuple)):
                return f"a list in which number {i + 1} is {kind(part)}"
        return f"a list of {len(value)} that is no array of numbers"
    return f"an object of type {type(value).__name__}"


def _of_kind(got, one, two, same):
    """What is wrong with a result of another type or shape."""
    if two is None:
        return f"this is {kind(got)}."
    this = f"this is {kind(got)}; wanted: {kind(two)}"
    if one is None:
        right = isinstance(got, str) and same(_float(got), two)
        return "take the quotation marks away, then it is right." * right or f"{this}."
    if one.shape == (2,) and not two.shape and (one == one.round()).all():
        return f"{this}. A decimal takes a point, not a comma."
    if one.T.shape == two.shape and same(one.T, two):
        return "rows and columns are exchanged: transposed, or the wrong axis."
    if one.size == two.size and same(one.reshape(two.shape), two):
        return f"the right numbers in another shape: {this}."
    for big, small, words in ((two, one, "it is already the"), (one, two, "take its")):
        axes = None, *range(big.ndim)
        fits = [n for n, f in LESS.items() if any(same(small, f(big, k)) for k in axes)]
        if fits:
            return f"{this}: {words} {' or '.join(fits)}."
    if two.ndim == 1 and one.shape == 2 * two.shape:
        return "(N,) and (N, 1) give (N, N): one part kept its axis, the other did not."
    return f"{this}."


def _float(text):
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def _of_size(one, two, function):
    """What is wrong with numbers of the right shape, all cases in one row."""
    bad = ~np.isfinite(one) & np.isfinite(two)
    if bad.any():
        nan = np.isnan(one[bad]).any()
        return f"a number is {'nan: 0/0, ∞ − ∞ or 0·∞?' if nan else 'infinite: ln 0?'}"
    if np.allclose(one, two, 0.03, 0):
        return "within 3 %, not nearer: rounded on the way, or an approximation?"
    if one.size == 1:
        return PLAIN
    ratio, off = one[two != 0] / two[two != 0], one - two
    alike = ratio.size > 1 and ratio[0] and not one[two == 0].any()
    if function and alike and np.allclose(ratio, ratio[0], 1e-4, 0):
        return f"always {ratio[0]:.4g} times what is wanted: a factor too many?"
    if function and np.allclose(off, off[0], 1e-4, 1e-7):
        return f"always {off[0]:+.4g} off: a term too many, or one missing?"
    if np.allclose(np.sort(one), np.sort(two), 1e-3, 1e-3):
        return "the right numbers, but in another order."
    if np.allclose(np.abs(one), np.abs(two), 1e-3, 1e-3):
        return "the right numbers, but some have the wrong sign."
    good = np.isclose(one, two, 2e-3, 1e-6)
    if good.any() and not function:
        return f"{good.sum()} of {good.size} numbers are right, the others are not."
    return PLAIN
