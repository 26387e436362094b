"""Exercises to notebook 03, where training ends, and the line to fill in there."""

import math

import numpy as np

from ..targets import minimum_loss, optimal_gap
from .engine import draw, sign


def _gap(z, true):
    return true - (z.sum(1) - true) / (z.shape[1] - 1)


class E03_gap:
    """the true logit minus the mean of the others, for each image.

    mean_of_all: you took away the mean of *all* logits, the true one among them. That
        is (K−1)/K of the gap (03 section 4).
    largest: you took away the largest other logit. The gap of an image is to the *mean*
        of the others (03 section 4).
    sum_of_others: the others are summed up. Divide by their number, K−1
        (03 section 4).
    divided_by_k: there are K−1 others, not K (03 section 4).
    reversed: this is others minus true: it falls while the network learns
        (03 section 4).
    one_number: one number for all images. The mean over images comes later: keep a
        gap for each row (03 section 4).
    """

    right = _gap
    mean_of_all = lambda z, true: true - z.mean(1)
    largest = lambda z, true: true - z.where(z != true[:, None], -math.inf).amax(1)
    sum_of_others = lambda z, true: true - (z.sum(1) - true)
    divided_by_k = lambda z, true: true - (z.sum(1) - true) / z.shape[1]
    reversed = lambda z, true: -_gap(z, true)
    one_number = lambda z, true: _gap(z, true).mean()
    cases = lambda: [(z := draw(n, n, k), z[:, 1]) for n, k in ((4, 6), (7, 3))]


class E03_1_gap:
    """ln 25. Twice the ε takes 0.8 off the gap.

    halved: twice the ε does not halve the gap: it stands in a logarithm,
        ln(1 + K(1−ε)/ε) (01 section 5).
    unchanged: that is the gap of ε = 0.1. Each ε has its own (03 section 4).
    others: this is for ε over the K−1 others. PyTorch spreads it over all K
        (01 section 3).
    literal: the true class also gets its own ε/K: 0.8333, not 0.8 (01 section 2).
    ratio: that is how many times more *likely* the true class is. The gap is in
        logits: take its logarithm (01 section 5).
    log10: this is the logarithm to base 10. Softmax uses e (01 section 5).
    probability: this is the probability of the true class. How far apart are the
        logits that give it? (01 section 5)
    """

    right = optimal_gap(0.2, 6)
    halved = optimal_gap(0.1, 6) / 2
    unchanged = optimal_gap(0.1, 6)
    others = optimal_gap(0.2, 6, "others")
    literal = math.log(24)
    ratio = 25
    log10 = math.log10(25)
    probability = 5 / 6


class E03_1_half:
    """nearly half of the label has to move before the gap is halved.

    doubled: at ε = 0.2 the gap is 3.2, far above 2.0: it does not halve when ε doubles
        (03 section 4).
    others: this is for ε over the K−1 others (01 section 3).
    """

    right = 6 / (5 + math.sqrt(55))
    doubled = 0.2
    others = 5 / (5 + math.sqrt(55))


class E03_2_causes:
    """none of the three needs a mistake in the code.

    bug: the code need not be wrong. First ask whether training has ended, whether these
        labels can be fitted, and which ε/… was meant (03 section 8).
    stopped: P still climbs, and Q does not. More steps help only the one that climbs
        (03 section 8).
    labels: P is right on nearly all its labels, so they can be fitted. R is right on
        all of them (03 section 8).
    convention: 3.81 is ln 45, what ε/(K−1) asks for. No row of targets at ε = 0.1 asks
        for 2.5 (01 section 3).
    """

    right = "dbc"
    bug = sign(lambda said: "a" in said)
    stopped = sign(lambda said: "d" in said[1:])
    labels = sign(lambda said: "b" in said[0] + said[2])
    convention = sign(lambda said: "c" in said[:2])


NOISY = 0.9 * 0.8 + 0.1 / 6, 0.9 * 0.04 + 0.1 / 6  # two labels in ten are wrong


class E03_2_gap:
    """wrong labels lower the gap, on top of what ε does.

    clean: ln 55 is for labels that are all right. Average the smoothed rows over the
        labels that one image may get (03 section 8).
    no_smoothing: you took 0.8 and 0.04, which are the shares of the labels. Smooth the
        row as well (01 section 2).
    all_to_one: the two wrong labels in ten spread over *five* classes: 0.04 for each
        (03 section 8).
    ratio: that is how many times more likely the true class is: take its logarithm
        (01 section 5).
    """

    right = math.log(NOISY[0] / NOISY[1])
    clean = optimal_gap(0.1, 6)
    no_smoothing = math.log(0.8 / 0.04)
    all_to_one = math.log(NOISY[0] / (0.9 * 0.2 + 0.1 / 6))
    ratio = NOISY[0] / NOISY[1]


def _above(floor=lambda eps: minimum_loss(eps, 6), look=lambda curve: curve[-1]):
    """How high a curve ends above its floor, and its usual mistakes."""
    return lambda curves, eps: [
        look(curve) - floor(e) for curve, e in zip(curves, eps, strict=True)
    ]


class E03_3:
    """on a common zero line curves can be compared.

    as_they_are: these are the heights as trained. Each ε has a floor of its own that
        no network can go below: take it away first (03 section 3).
    minus_eps: you took ε away. The floor is the entropy of the smoothed row, about four
        times as much (01 section 4).
    others: these floors are those of ε over the K−1 others. PyTorch spreads over all K
        (01 section 3).
    one_floor: you took the floor of ε = 0.1 from all curves. Every ε has its own
        (03 section 3).
    lowest_point: a curve may touch a low point and leave it. Asked is where it *ends*
        (03 section 3).
    start: these are the first measurements: the untrained networks (03 section 3).
    ratio: this divides by the floor, which is 0 at ε = 0. Take it away
        (03 section 3).
    """

    right = _above()
    as_they_are = _above(lambda eps: 0)
    minus_eps = _above(lambda eps: eps)
    others = _above(lambda eps: minimum_loss(eps, 6, "others"))
    one_floor = _above(lambda eps: minimum_loss(0.1, 6))
    lowest_point = _above(look=min)
    start = _above(look=lambda curve: curve[0])
    ratio = lambda c, eps: c[:, -1] / np.array([minimum_loss(e, 6) for e in eps])

    def cases():
        given = []
        for seed, eps in enumerate(([0.0, 0.1, 0.2, 0.4], [0.4, 0.05, 0.1])):
            fall = np.random.default_rng(seed).random((len(eps), 12)) / 10
            above = 0.002 + np.sort(fall)[:, ::-1]
            above[:, 8] = 0.001
            floors = np.array([minimum_loss(e, 6) for e in eps])
            given.append((above + floors[:, None], eps))
        return given


class E03_3_order:
    """from the floor upwards. The highest curve is not the worst.

    raw_heights: these are the heights as trained, and the order is that of the floors.
        Compare the distances from the floors (03 section 3).
    reversed: the other way round: the curve nearest to its floor comes first
        (03 section 3).
    best_only: the nearest is right. Now look at the distances of the other three
        (03 section 3).
    """

    right = [0.1, 0.4, 0.2, 0.0]
    raw_heights = [0.0, 0.1, 0.2, 0.4]
    reversed = right[::-1]
    best_only = sign(lambda said: float(said[0]) == 0.1)
