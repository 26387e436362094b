"""Smoothed target distributions and what follows from them in closed form.

Taught in notebook 01, conversion in deep dive 01a. Two conventions differ in where the
mass eps goes:

``spread="all"``     eps / K to each of the K classes, the true one included
                     (Szegedy et al. 2016, eq. 7 to 9; PyTorch, timm)
``spread="others"``  eps / (K - 1) to each class but the true one
                     (fairseq, Megatron-LM, and the numbers 0.9 and 0.02)
"""

import math

import torch

from . import check

SPREADS = ("all", "others")


def check_spread(spread, eps, num_classes):
    """ValueError for an unknown convention, or "others" where there are no others."""
    check.one_of(spread, "spread", SPREADS)
    fits = spread == "all" or eps == 0 or num_classes > 1
    check.that(fits, "spread='others' needs at least 2 classes", num_classes)


def smooth_distribution(probabilities, eps, spread="all"):
    """Move the share ``eps`` of each distribution to all classes, or to the others.

    probabilities : (..., K) tensor, each row a distribution over the K classes
    eps           : share that moves, in [0, 1]
    spread        : "all" gives (1 - eps) q + eps / K,
                    "others" gives (1 - eps) q + eps (1 - q) / (K - 1)
    returns       : (..., K) tensor; rows that sum to 1 still do, to rounding
    """
    if not torch.is_tensor(probabilities) or not probabilities.is_floating_point():
        probabilities = check.numbers(probabilities, "probabilities") + 0.0
    if probabilities.shape[:-1].numel():
        check.probabilities(probabilities)
    eps = check.real(eps, "eps", "[0, 1]")
    check_spread(spread, eps, probabilities.shape[-1])
    return mixed(probabilities, eps, spread)


def mixed(probabilities, eps, spread):
    """``smooth_distribution`` of values that were checked: nothing waits for a GPU."""
    num_classes = probabilities.shape[-1]
    if spread == "all" or eps == 0:
        return (1 - eps) * probabilities + eps / num_classes
    return (1 - eps) * probabilities + eps * (1 - probabilities) / (num_classes - 1)


def smooth_targets(targets, num_classes, eps, spread="all", dtype=None):
    """Smoothed one-hot targets for class indices (Szegedy et al. 2016, section 7).

    targets : (...) integer tensor of class indices 0 ... num_classes - 1
    dtype   : of the result, floating point, or its name; PyTorch's default when None
    returns : (..., num_classes) tensor of probabilities
    """
    num_classes = check.whole(num_classes, "num_classes", 1)
    dtype = torch.get_default_dtype() if dtype is None else dtype
    dtype = getattr(torch, str(dtype).removeprefix("torch."), dtype)  # or its name
    floating = getattr(dtype, "is_floating_point", False)
    check.that(floating, "dtype must be floating point", dtype, TypeError)
    targets = check.classes(targets, num_classes)
    one_hot = torch.nn.functional.one_hot(targets, num_classes)
    return smooth_distribution(one_hot.to(dtype), eps, spread)


def target_values(eps, num_classes, spread="all"):
    """Probability of the true class and of each other class, as two floats."""
    eps = check.real(eps, "eps", "[0, 1]")
    num_classes = check.whole(num_classes, "num_classes", 1)
    check_spread(spread, eps, num_classes)
    if spread == "all":
        return 1 - eps + eps / num_classes, eps / num_classes
    return 1 - eps, eps / (num_classes - 1) if num_classes > 1 else 0.0


def minimum_loss(eps, num_classes, spread="all"):
    """Least loss of any model, in nats: the target's entropy."""
    true, other = target_values(eps, num_classes, spread)
    masses = (1, true), (int(num_classes) - 1, other)
    return sum(-n * (p * math.log(p)) for n, p in masses if p > 0)


def optimal_gap(eps, num_classes, spread="all"):
    """Logit of the true class minus any other, in nats, where the loss is least.

    Infinite at eps = 0: one-hot targets ask for ever larger logits.
    """
    true, other = target_values(eps, check.whole(num_classes, "num_classes", 2), spread)
    if other == 0:
        return math.inf
    return math.log(true / other) if true > 0 else -math.inf


def convert_eps(eps, num_classes, to):
    """The eps of the same targets in the other convention.

    to     : the convention wanted, "all" or "others"; eps is in the other one, and
             eps_all = eps_others K / (K - 1)
    raises : ValueError where no eps in [0, 1] of the wanted convention does it
    """
    eps = check.real(eps, "eps", "[0, 1]")
    num_classes = check.whole(num_classes, "num_classes", 2)
    check.one_of(to, "to", SPREADS)
    ratio = num_classes / (num_classes - 1)
    converted = eps * ratio if to == "all" else eps / ratio
    if converted > 1 + 1e-12:  # (K - 1) / K times its inverse may round to above 1
        raise ValueError(f"eps={eps} has no counterpart: {converted:.4f} is over 1.")
    return min(converted, 1.0)
