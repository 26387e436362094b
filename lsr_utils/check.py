"""The few argument checks, each written once.

A mistake that would pass unnoticed is refused here in one sentence: the argument, its
value, what is allowed. Elsewhere PyTorch's own message will do.
"""

import contextlib
import math
import reprlib

import numpy as np
import torch

NO_FLOAT64 = ("mps",)  # kinds of device
SUM_OF_A_ROW = 1e-3  # how far from 1 a row of probabilities may sum


def that(holds, must, got, kind=ValueError):
    """Nothing where it holds; else an error that says what must be, and what is."""
    if not holds:
        raise kind(f"{must}, got {got}.")


def every(right, values, must, form="", kind=ValueError):
    """An error that names the first value that is not right, where one may look."""
    with contextlib.suppress(RuntimeError):  # vmap and "meta" let nobody look
        if not (torch.compiler.is_compiling() or torch.jit.is_tracing() or right.all()):
            raise kind(f"{must}, got {values[~right][0].item():{form}}.")


def real(value, name, interval):
    """A number inside an interval, as a float.

    interval : as it is written, e.g. "[0, 1)": a bracket includes its end
    raises   : TypeError for anything but a real number, ValueError outside (nan too)
    """
    number = value if type(value) in (float, int) else _as_float(value)
    if number is None:
        raise TypeError(f"{name} must be a number in {interval}, got {value!r}.")
    low, high = map(float, interval[1:-1].split(","))
    above = low <= number if interval[0] == "[" else low < number
    below = number <= high if interval[-1] == "]" else number < high
    if not (above and below):
        raise ValueError(f"{name} must lie in {interval}, got {number}.")
    return float(number)


def _as_float(value):
    """The float that a numpy or torch scalar stands for, or None."""
    is_bool = "bool" in str(getattr(value, "dtype", type(value)))
    if is_bool or isinstance(value, (str, bytes)) or getattr(value, "requires_grad", 0):
        return None  # True and "0.1" hide a mistake, and no gradient would arrive
    with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        return float(value)
    return None


def whole(value, name, least=0, most=math.inf):
    """A whole number from ``least`` to ``most``, as an int; 5.0 is one."""
    number = value if type(value) is int else _as_float(value)
    if number is None or number % 1 != 0 or not least <= number <= most:
        allowed = f"at least {least}" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{name} must be a whole number, {allowed}, got {value!r}.")
    return int(value)


def seed(value):
    """A seed, as an int; torch's generator would take a larger one modulo 2**32."""
    return whole(value, "seed", 0, 2**32 - 1)


def one_of(value, name, allowed):
    """The value, which must be one of a few strings."""
    if not isinstance(value, str) or value not in allowed:
        known = ", ".join(map(repr, allowed)) or "one of those there are (none)"
        known = " or ".join(known.rsplit(", ", 1))
        raise ValueError(f"{name} must be {known}, got {reprlib.repr(value)}.")
    return value


def numbers(values, name):
    """Values as a detached tensor of real numbers; TypeError for others."""
    if not isinstance(values, torch.Tensor):
        values = _copied(values, name)
    if values.is_complex():
        raise TypeError(f"{name} must be real numbers, got dtype {values.dtype}.")
    return values.detach().resolve_neg()


def _copied(values, name):
    """A tensor of what numpy takes, on the CPU, whatever the default device."""
    if isinstance(values, (list, tuple)):  # of tensors, such as losses
        values = [array(v) if torch.is_tensor(v) else v for v in values]
    that(not np.ma.is_masked(values), f"{name} must be whole", "masked values")
    values = np.array(values)  # a copy, as it may be read-only
    if values.dtype == object:  # numbers, perhaps, as in a column of a table
        values = np.array(values.tolist())
    must, kind = f"{name} must be real numbers", values.dtype.newbyteorder("=")
    that(kind.kind in "biufc", must, f"dtype {values.dtype}", TypeError)
    kind = "d" if kind == np.longdouble else kind
    return torch.as_tensor(values.astype(kind), device="cpu")


def exact(values):
    """A tensor as float64, on the CPU where its device has none."""
    return (values.cpu() if values.device.type in NO_FLOAT64 else values).double()


def array(values):
    """A numpy array of a tensor on any device, or of what numpy takes."""
    if torch.is_tensor(values):
        values = values.detach().cpu().resolve_neg()
        values = values.float() if values.dtype == torch.bfloat16 else values
    return np.asarray(values)


def finite(values, name, width=None):
    """Values as a detached float64 tensor; ValueError for nan and infinity.

    width : of the last axis, where 1 would be taken for any other, without a word
    """
    values = exact(numbers(values, name))
    every(values.isfinite(), values, f"{name} must be finite")
    there = values.shape[-1] if values.dim() else 1
    that(width in (None, there), f"{name} must have width {width}", there)
    return values


def probabilities(values, name="probabilities"):
    """Rows of probabilities (..., K), floating point and detached; logits are none."""
    values = numbers(values, name)
    shape, must = tuple(values.shape), f"{name} must have shape (..., K), nowhere 0"
    that(shape and 0 not in shape, must, shape)
    eps = torch.finfo(values.dtype).eps if values.is_floating_point() else 0.0
    if not eps or values.device.type in NO_FLOAT64:  # one-hot rows are exact
        values = exact(values)
    right = (values >= 0) & (values <= 1 + max(1e-6, eps))  # nan is not right
    every(right, values, f"{name} must lie in [0, 1] (a softmax of logits does)", ".4g")
    sums = values.sum(-1, dtype=torch.float64)
    right = (sums - 1).abs() <= max(SUM_OF_A_ROW, 4 * eps)
    every(right, sums, f"{name} must sum to 1 in each row", ".4f")
    return values


def classes(targets, num_classes, name="targets"):
    """Class indices 0 ... num_classes - 1 of any shape and integer dtype, as int64."""
    targets = numbers(targets, name)
    if targets.dtype.is_floating_point or targets.dtype == torch.bool:
        raise TypeError(f"{name} must be class indices, got dtype {targets.dtype}.")
    targets = targets.long()  # wide unsigned types know no minimum
    right, last = (targets >= 0) & (targets < num_classes), num_classes - 1
    every(right, targets, f"{name} must lie in 0 ... {last}", kind=IndexError)
    return targets


def labels(targets, rows, name="targets"):
    """Class indices (N,) or (..., N) of rows (..., N, K), as int64 (..., N)."""
    *leading, num_classes = rows.shape
    targets = classes(targets, num_classes, name)
    fits = leading and list(targets.shape) in (leading, leading[-1:])
    must = f"{name} must have shape (N,) or (..., N) for rows (..., N, K), here "
    that(fits, f"{must}{tuple(rows.shape)}", tuple(targets.shape))
    return targets.to(rows.device).expand(leading)
