"""Exercises to notebook 03, where training ends, and the line to fill in there."""

import math

import numpy as np

from ..targets import minimum_loss, optimal_gap
from .engine import draw, sign


def _gap(z, true):
    return true - (z.sum(1) - true) / (z.shape[1] - 1)


class E03_gap:
    """the true logit minus the mean of the others, for each image (03.4).
    mean_of_all: the mean of *all* logits holds the true one: (K−1)/K of the gap.
    largest: you took away the largest other logit. Take the *mean* of the others.
    sum_of_others: the others are summed up. Divide by their number, K−1.
    divided_by_k: there are K−1 others, not K.
    """

    right = _gap
    mean_of_all = lambda z, true: true - z.mean(1)
    largest = lambda z, true: true - z.where(z != true[:, None], -math.inf).amax(1)
    sum_of_others = lambda z, true: true - (z.sum(1) - true)
    divided_by_k = lambda z, true: true - (z.sum(1) - true) / z.shape[1]
    cases = lambda: [(z := draw(n, n, k), z[:, 1]) for n, k in ((4, 6), (7, 3))]


class E03_1_gap:
    """ln 25. Twice the ε takes 0.8 off the gap (01.5).
    halved: the gap does not halve: ε stands in a logarithm, ln(1 + K(1−ε)/ε).
    unchanged: that is the gap of ε = 0.1. Each ε has its own (03.4).
    literal: the true class also gets its own ε/K: 0.8333, not 0.8 (01.2).
    probability: this is a probability. How far apart are the logits?
    """

    right, others = optimal_gap(0.2, 6), optimal_gap(0.2, 6, "others")
    halved, unchanged = optimal_gap(0.1, 6) / 2, optimal_gap(0.1, 6)
    literal, probability = math.log(24), 5 / 6


class E03_1_half:
    """nearly half of the label has to move before the gap is halved (03.4).
    doubled: at ε = 0.2 the gap is 3.2: it does not halve when ε doubles.
    """

    right, others, doubled = 6 / (5 + 55**0.5), 5 / (5 + 55**0.5), 0.2


class E03_2_causes:
    """none of the three needs a mistake in the code (03.8).
    bug: the code need not be wrong. Has training ended? Can labels be fitted?
    stopped: P still climbs, and Q does not. More steps help only the one that climbs.
    labels: P is right on nearly all its labels, R on all of them.
    convention: 3.81 is ln 45, for ε/(K−1). No row at ε = 0.1 gives 2.5 (01.3).
    """

    right = "dbc"
    bug = sign(lambda said: "a" in said)
    stopped = sign(lambda said: "d" in said[1:])
    labels = sign(lambda said: "b" in said[0] + said[2])
    convention = sign(lambda said: "c" in said[:2])


NOISY = 0.9 * 0.8 + 0.1 / 6, 0.9 * 0.04 + 0.1 / 6  # two labels in ten are wrong


class E03_2_gap:
    """wrong labels lower the gap, on top of what ε does (03.8).
    clean: ln 55 is for labels that are all right. Average their smoothed rows.
    no_smoothing: 0.8 and 0.04 are the shares of the labels. Smooth the row (01.2).
    all_to_one: the two wrong labels in ten spread over *five* classes.
    over_six: no wrong label falls on its own class: divide 0.2 by five, not by six.
    """

    right = math.log(NOISY[0] / NOISY[1])
    clean, no_smoothing = optimal_gap(0.1, 6), math.log(0.8 / 0.04)
    all_to_one = math.log(NOISY[0] / (0.9 * 0.2 + 0.1 / 6))
    over_six = math.log((0.9 * (0.8 + 0.2 / 6) + 0.1 / 6) / (0.9 * 0.2 / 6 + 0.1 / 6))


def _above(floor=lambda eps: minimum_loss(eps, 6), look=lambda curve: curve[-1]):
    """How high a curve ends above its floor, and its usual mistakes."""
    return lambda c, eps: [look(a) - floor(e) for a, e in zip(c, eps, strict=True)]


class E03_3:
    """on a common zero line curves can be compared (03.3).
    as_they_are: these are the heights as trained. Take each ε's own floor away.
    minus_eps: you took ε away. The floor is the entropy of the smoothed row (01.4).
    one_floor: you took one floor from all curves. Every ε has its own.
    lowest_point: asked is where a curve *ends*, not its lowest point.
    start: these are the first measurements: the untrained networks.
    ratio: this divides by the floor, which is 0 at ε = 0. Take it away.
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
    """from the floor upwards. The highest curve is not the worst (03.3).
    raw_heights: these are the heights as trained. Compare distances from floors.
    best_only: the nearest is right. Look at the other three.
    """

    right = [0.1, 0.4, 0.2, 0.0]
    raw_heights = [0.0, 0.1, 0.2, 0.4]
    best_only = sign(lambda said: float(said[0]) == 0.1)
