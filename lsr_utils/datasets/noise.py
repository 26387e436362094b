"""Label noise by matrices T[a, b] = p(label is b | class a). Taught in notebook 07."""

from dataclasses import replace

import torch

from .. import check


def symmetric_noise(rate, num_classes=6):
    """Transition matrix (K, K) of symmetric noise: others have rate / (K - 1) each."""
    rate = check.real(rate, "rate", "[0, 1]")
    num_classes = check.whole(num_classes, "num_classes", 2)
    shape, other = (num_classes, num_classes), rate / (num_classes - 1)
    return torch.full(shape, other, dtype=torch.float64).fill_diagonal_(1 - rate)


def pair_noise(rate, pairs, num_classes=6):
    """Transition matrix (K, K) of class-dependent noise: a becomes b at ``rate``.

    pairs : the confusions, as ((a, b), ...); other classes keep their labels
    """
    rate = check.real(rate, "rate", "[0, 1]")
    transition = torch.eye(num_classes, dtype=torch.float64)
    for a, b in pairs:
        must = f"pairs must hold two different classes of 0 ... {num_classes - 1} each"
        check.that(a != b and 0 <= min(a, b) <= max(a, b) < num_classes, must, (a, b))
        transition[a, a] -= rate
        transition[a, b] += rate
    if transition.min() < -1e-12:
        raise ValueError(f"pairs must leave each class a row of rates, got {pairs}.")
    return transition.clamp_min(0)  # rounding may leave -1e-17


def corrupt(data, transition, seed=0):
    """The same task with labels drawn once through a transition matrix.

    transition : (K, K), rows sum to 1
    seed       : of the draw. Where the diagonal is smaller, the same seed corrupts more
                 labels, never others, so that rates are compared on paired labels
    returns    : SixClass; its posterior, where known, is that of the noisy label
    """
    transition = check.probabilities(transition, "transition").double().cpu()
    num_classes, shape = len(data.class_names), tuple(transition.shape)
    if shape != (wanted := (num_classes, num_classes)):
        raise ValueError(f"transition must have shape {wanted}, got {shape}.")
    y = check.classes(data.y, num_classes, "labels").cpu()
    generator = torch.Generator("cpu").manual_seed(check.seed(seed))
    draws = torch.rand(y.shape, generator=generator, dtype=torch.float64, device="cpu")
    # The true class takes the low draws at every rate, the others what is above.
    order = (y.unsqueeze(1) + torch.arange(num_classes, device="cpu")) % num_classes
    reached = transition[y].gather(1, order).cumsum(1)
    place = (draws.unsqueeze(1) >= reached).sum(1).clamp_max(num_classes - 1)
    noisy = order.gather(1, place.unsqueeze(1)).squeeze(1).to(data.y.device)
    known = data.posterior
    known = None if known is None else known @ transition.to(known.device)
    return replace(data, y=noisy, posterior=known)


def redraw(targets, rate, draws, num_classes=6):
    """Labels of one step under symmetric noise that is drawn anew in every step.

    targets : (...) class indices, as what is returned
    rate    : share that becomes another class: a number, or a tensor that broadcasts
    draws   : (...) uniform numbers in [0, 1), one a label
    """
    # A draw below the rate is, divided by it, uniform again: it picks the class.
    away = draws < rate
    other = (draws / rate * (num_classes - 1)).where(away, 0).long()
    shift = other.clamp_max(num_classes - 2) + 1
    return torch.where(away, (targets + shift) % num_classes, targets)
