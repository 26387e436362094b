"""Exercises to notebook 09, your turn."""

import math

import torch

from .engine import draw


class E09_factor:
    """above 1 is tighter, and 1 is no change (09.3).
    upside_down: this is below 1 where clusters got tighter. Divide hard by smoothed.
    difference: a difference depends on the size of the ratios. Divide them.
    share: this is the share that is gone. Wanted is *how many times* smaller.
    """

    right = lambda hard, smoothed: hard / smoothed
    upside_down = lambda hard, smoothed: smoothed / hard
    difference = lambda hard, smoothed: hard - smoothed
    share = lambda hard, smoothed: 1 - smoothed / hard
    cases = lambda: [(0.4, 0.1), (0.5, 0.6), (1.9, 2.3)]


class E09_1_follows:
    """sixty rows cannot tell it from a calibrated network, nor from a bad one (09.6).
    calibrated: not seen is not absent: sixty rows hide an error of this size.
    too_sure: a *calibrated* network shows as much on sixty rows. Look at chance.
    smooth: ε is for networks that are too sure, and that is not known here.
    """

    right, calibrated, too_sure, smooth = "cabd"


def _rows(c, points, *, z=1.96, spread=None):
    return (z / points) ** 2 * (c * (1 - c) if spread is None else spread)


class E09_1_rows:
    """four times the rows halve what chance does (09.6).
    one_sd: this is for one standard deviation. 95 % of the cases lie within 1.96.
    whole_width: two points to *either* side; this is for one.
    no_square: without the square: chance falls with √N.
    coin: the spread of a fair coin. Answers of 0.8 are right or wrong by 0.8 · 0.2.
    in_points: 2 points are 0.02.
    """

    tol = 0.02
    right = _rows(0.8, 0.02)
    one_sd = _rows(0.8, 0.02, z=1)
    whole_width = _rows(0.8, 0.01)
    no_square = _rows(0.8, 0.02) ** 0.5
    coin = _rows(0.5, 0.02)
    in_points = _rows(0.8, 2)


class E09_2:
    """the same gap is another ε at every K (09.6).
    same_eps: an ε does not transfer: ε = 0.1 asks for 4.0 at six classes, 2.9 at two.
    six_classes: this is for six classes, whatever K is.
    without_one: e to the gap is the ratio, 1 + K(1−ε)/ε: the 1 comes off first.
    of_the_label: this is the value of the other classes, ε/K.
    """

    right = lambda gap, k: k / (k + math.expm1(gap))
    same_eps = lambda gap, k: 0.1
    others = lambda gap, k: (k - 1) / (k + math.expm1(gap))
    six_classes = lambda gap, k: 6 / (6 + math.expm1(gap))
    without_one = lambda gap, k: k / (k + math.exp(gap))
    of_the_label = lambda gap, k: 1 / (k + math.expm1(gap))
    cases = lambda: [(math.log(55), 2), (4.0, 10), (4.0, 100), (2.0, 6)]


def _loss(p, eps, *, back=False, alone=False, total=torch.mean):
    q = (1 - eps) * p + eps / p.shape[1]
    weight, over = (q, p) if back else (p, q)
    own = 0 if alone else (weight * weight.log()).sum(1)
    return total(own - (weight * over.log()).sum(1))


class E09_3:
    """it is never below 0, so a calibrated network only loses (09.7).
    reversed: labels come from π, so the mean is over π: Σ π ln(π/q).
    not_less: this is the NLL itself. What it *grew* by is less the entropy of π.
    summed: this is the sum over the rows. Take their mean.
    """

    right = lambda p, eps: _loss(p, eps)
    reversed = lambda p, eps: _loss(p, eps, back=True)
    not_less = lambda p, eps: _loss(p, eps, alone=True)
    summed = lambda p, eps: _loss(p, eps, total=torch.sum)
    cases = lambda: [(draw(k, 5, k).softmax(1), e) for k, e in ((2, 0.1), (7, 0.4))]
