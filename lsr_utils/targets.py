"""Smoothed target distributions and what follows from them in closed form.

Two conventions are in use, and they differ in where the mass eps goes:

``spread="all"``     eps / K to each of the K classes, the true one included
                     (Szegedy et al. 2016, eq. 7 to 9; PyTorch, timm)
``spread="others"``  eps / (K - 1) to each class but the true one
                     (fairseq, Megatron-LM, and the numbers 0.9 and 0.02)
"""

import math

import torch

SPREADS = ("all", "others")


def check_eps(eps):
    """Return ``eps`` as a float, or raise ``ValueError`` outside [0, 1] or for nan."""
    try:
        if isinstance(eps, (str, bytes, bool)):
            raise TypeError  # float("0.1") and float(True) would hide a mistake
        if str(getattr(eps, "dtype", "")) in ("bool", "torch.bool"):
            raise TypeError
        if getattr(eps, "requires_grad", False):
            raise TypeError  # no gradient would reach it
        value = float(eps)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f"eps must be a number in [0, 1], got {eps!r}.") from None
    if not 0.0 <= value <= 1.0:  # also refuses nan
        raise ValueError(f"eps must lie in [0, 1], got {value}.")
    return value


def check_spread(spread, eps=0.0, num_classes=2):
    """Raise ``ValueError`` for an unknown convention, or "others" without others."""
    if not isinstance(spread, str) or spread not in SPREADS:
        raise ValueError(f"spread must be 'all' or 'others', got {spread!r}.")
    if spread == "others" and eps > 0 and num_classes < 2:
        raise ValueError(
            f"spread='others' needs at least 2 classes, got num_classes={num_classes}."
        )


def check_count(value, name, least=1):
    """Return ``value`` as an int, or raise ``ValueError`` naming the argument."""
    try:
        whole = not isinstance(value, bool) and int(value) == value and value >= least
    except (TypeError, ValueError, RuntimeError, OverflowError):
        whole = False
    if not whole:
        raise ValueError(
            f"{name} must be a whole number, at least {least}, got {value!r}."
        )
    return int(value)


def check_rate(rate, name="rate"):
    """Return ``rate`` as a float, or raise ``ValueError`` outside [0, 1] or for nan."""
    try:
        value = float(rate)
    except (TypeError, ValueError, RuntimeError):
        value = float("nan")
    if isinstance(rate, (str, bool)) or not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {rate!r}.")
    return value


def check_seed(value):
    """Return ``value`` as an int, or raise ``ValueError`` when it is no seed."""
    seed = check_count(value, "seed", least=0)
    if seed >= 2**32:  # torch's generator would take it modulo 2**32
        raise ValueError(f"seed must be below 2**32, got {seed}.")
    return seed


def smooth_distribution(probabilities, eps, spread="all"):
    """Move the share ``eps`` of each distribution to all classes, or to the others.

    probabilities : (..., K) tensor, each row a distribution over the K classes
    eps           : share that moves, in [0, 1]
    spread        : "all" gives (1 - eps) q + eps / K,
                    "others" gives (1 - eps) q + eps (1 - q) / (K - 1)
    returns       : (..., K) tensor; rows that sum to 1 still do, to rounding
    raises        : ValueError for eps or spread

    Szegedy et al. 2016, section 7. Taught in 01 section 2 and 3.
    """
    eps = check_eps(eps)
    num_classes = probabilities.shape[-1]
    check_spread(spread, eps, num_classes)
    if spread == "all" or eps == 0:
        return (1 - eps) * probabilities + eps / num_classes
    return (1 - eps) * probabilities + eps * (1 - probabilities) / (num_classes - 1)


def smooth_targets(targets, num_classes, eps, spread="all", dtype=None):
    """Smoothed one-hot targets for class indices.

    targets : (...) integer tensor of class indices 0 ... num_classes - 1
    dtype   : of the result, floating point; torch's default when None
    returns : (..., num_classes) tensor of probabilities
    raises  : ValueError (eps, spread, num_classes), TypeError (targets, dtype),
              IndexError (a class out of range)

    Szegedy et al. 2016, section 7. Taught in 01 section 2.
    """
    num_classes = check_count(num_classes, "num_classes")
    targets = torch.as_tensor(targets)
    if _is_not_integer(targets.dtype):
        raise TypeError(f"targets must be class indices, got dtype {targets.dtype}.")
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"dtype must be floating point, got {dtype}.")
    targets = targets.long()  # the wider unsigned types know no minimum
    if targets.numel() and (targets.min() < 0 or targets.max() >= num_classes):
        bad = targets.min() if targets.min() < 0 else targets.max()
        raise IndexError(
            f"targets must lie in 0 ... {num_classes - 1}, got {bad.item()}."
        )
    one_hot = torch.nn.functional.one_hot(targets, num_classes)
    one_hot = one_hot.to(dtype or torch.get_default_dtype())
    return smooth_distribution(one_hot, eps, spread)


def target_values(eps, num_classes, spread="all"):
    """Probability of the true class and of each other class, as two floats.

    raises : ValueError for eps, spread or num_classes. Taught in 01 section 2 and 3.
    """
    eps = check_eps(eps)
    num_classes = check_count(num_classes, "num_classes")
    check_spread(spread, eps, num_classes)
    if spread == "all":
        return 1 - eps + eps / num_classes, eps / num_classes
    return 1 - eps, eps / (num_classes - 1) if num_classes > 1 else 0.0


def minimum_loss(eps, num_classes, spread="all"):
    """Least loss any model can reach, in nats: the entropy of the target.

    raises : ValueError for eps, spread or num_classes. Taught in 01 section 5.
    """
    true, other = target_values(eps, num_classes, spread)
    return _plogp(true) + (num_classes - 1) * _plogp(other)


def optimal_gap(eps, num_classes, spread="all"):
    """Logit of the true class minus any other, in nats, where the loss is least.

    Infinite at eps = 0: one-hot targets ask for ever larger logits.
    raises : ValueError for eps, spread or num_classes. Taught in 01 section 6.
    """
    true, other = target_values(eps, num_classes, spread)
    if num_classes == 1:
        raise ValueError("num_classes must be at least 2 for a gap, got 1.")
    if other == 0:
        return math.inf
    return math.log(true / other) if true > 0 else -math.inf


def convert_eps(eps, num_classes, to):
    """The eps that gives the same targets in the other convention.

    to     : the convention wanted, "all" or "others"; eps is in the other one
    raises : ValueError when no eps in [0, 1] of the wanted convention does it

    eps_all = eps_others K / (K - 1). Taught in 01 section 4.
    """
    eps = check_eps(eps)
    num_classes = check_count(num_classes, "num_classes")
    if to not in SPREADS:
        raise ValueError(f"to must be 'all' or 'others', got {to!r}.")
    if num_classes < 2:
        raise ValueError("num_classes must be at least 2 to convert eps, got 1.")
    ratio = num_classes / (num_classes - 1)
    converted = eps * ratio if to == "all" else eps / ratio
    if converted > 1 + 1e-12:  # (K - 1) / K times its inverse may round to above 1
        raise ValueError(
            f"eps = {eps} with spread='others' has no counterpart with spread='all': "
            f"it would be {converted:.4f}, and eps must lie in [0, 1]."
        )
    return min(converted, 1.0)


def _is_not_integer(dtype):
    return dtype.is_floating_point or dtype.is_complex or dtype == torch.bool


def _plogp(p):
    return -p * math.log(p) if p > 0 else 0.0
