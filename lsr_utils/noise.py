"""Label noise: transition matrices, labels corrupted once, labels re-drawn each step.

A transition matrix T has T[a, b] = p(label becomes b | class is a): rows sum to 1.
Taught in 04 section 1, 3 and 5.
"""

from dataclasses import replace

import torch

from .targets import check_count, check_rate, check_seed


def symmetric_noise(rate, num_classes=6):
    """Transition matrix of symmetric noise: another class, each alike, at ``rate``.

    returns : (K, K) float64 tensor; 1 - rate on the diagonal, rate / (K - 1) elsewhere
    raises  : ValueError for rate or num_classes
    """
    rate = check_rate(rate)
    num_classes = check_count(num_classes, "num_classes", least=2)
    shape, other = (num_classes, num_classes), rate / (num_classes - 1)
    return torch.full(shape, other, dtype=torch.float64).fill_diagonal_(1 - rate)


def pair_noise(rate, pairs, num_classes=6):
    """Transition matrix of class-dependent noise: ``a`` is taken for ``b`` at ``rate``.

    pairs   : the confusions, as ((a, b), ...); classes that are no ``a`` keep their
              labels
    returns : (K, K) float64 tensor
    raises  : ValueError for rate, num_classes, or a pair that is none
    """
    rate = check_rate(rate)
    num_classes = check_count(num_classes, "num_classes", least=2)
    transition = torch.eye(num_classes, dtype=torch.float64)
    for pair in pairs:
        try:
            a, b = (check_count(label, "pairs", least=0) for label in pair)
        except (TypeError, ValueError):
            a = b = None
        if a == b or max(a, b) >= num_classes:
            raise ValueError(
                f"pairs must hold two different classes of 0 ... {num_classes - 1} "
                f"each, got {pair!r}."
            )
        transition[a, a] -= rate
        transition[a, b] += rate
    if transition.min() < -1e-12:
        raise ValueError(f"pairs must leave each class a row of rates, got {pairs!r}.")
    return transition.clamp_min(0)


def corrupt(data, transition, seed=0):
    """The same task with labels drawn once through a transition matrix.

    data       : SixClass
    transition : (K, K), rows sum to 1
    seed       : of the draw. The same seed corrupts more labels, never others, where
                 the diagonal is smaller, so that rates are compared on paired labels
    returns    : SixClass; its posterior, where known, is that of the noisy label
    raises     : ValueError for a matrix that is no transition matrix of these classes
    """
    num_classes = len(data.class_names)
    try:
        transition = torch.as_tensor(transition, dtype=torch.float64).cpu()
        got = f"shape {tuple(transition.shape)}"
    except (TypeError, ValueError):
        transition, got = torch.empty(0), repr(transition)
    if transition.shape != (num_classes, num_classes):
        raise ValueError(
            f"transition must be {num_classes} rows of {num_classes} probabilities, "
            f"got {got}."
        )
    if not (transition >= 0).all():  # also refuses nan
        raise ValueError(
            "transition must have probabilities, at least 0, got "
            f"{transition.min().item():g}."
        )
    if not torch.allclose(transition.sum(1), torch.ones_like(transition[0])):
        raise ValueError(
            "transition must have rows that sum to 1, "
            f"got sums {[round(s, 4) for s in transition.sum(1).tolist()]}."
        )
    seed = check_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(len(data), generator=generator, dtype=torch.float64)
    y = data.y.cpu()
    # The true class takes the low draws at every rate, the others what is above.
    order = (y.unsqueeze(1) + torch.arange(num_classes)) % num_classes
    reached = transition[y].gather(1, order).cumsum(1)
    place = (draws.unsqueeze(1) >= reached).sum(1).clamp_max(num_classes - 1)
    noisy = order.gather(1, place.unsqueeze(1)).squeeze(1).to(data.y.device)
    posterior = data.posterior
    if posterior is not None:
        posterior = posterior @ transition.to(posterior.device)
    return replace(data, y=noisy, posterior=posterior)


def redraw(targets, rate, draws, num_classes=6):
    """Labels of one step under symmetric noise that is drawn anew in every step.

    targets : (...) class indices
    rate    : share that becomes another class: a number, or a tensor that broadcasts
    draws   : (...) uniform numbers in [0, 1), one a label
    returns : (...) class indices
    """
    # A draw below the rate is, divided by it, uniform again: it picks the class.
    away = draws < rate
    other = (draws / rate * (num_classes - 1)).where(away, 0).long()
    shift = other.clamp_max(num_classes - 2) + 1
    return torch.where(away, (targets + shift) % num_classes, targets)
