"""Exercises to notebook 06, calibration."""

import torch

from .engine import draw, sign


def _ece(c, correct, bins, weigh=None, low_edge=False):
    """The ECE by hand; weigh(n, gap) for its usual mistakes, n and gap a sum a bin."""
    place = (torch.floor(c * bins) if low_edge else torch.ceil(c * bins) - 1).long()
    n = torch.bincount(place, minlength=bins).double()
    gap = torch.zeros_like(n).index_add(0, place, correct.double() - c)
    return weigh(n, gap) if weigh else gap.abs().sum() / n.sum()


def _with(weigh):
    return lambda *case: _ece(*case, weigh=weigh)


class E06_1:
    """a bin weighs as many answers as it has, its upper edge included (06.2).
    low_edge: an answer on an edge went to the bin above. Bins are (l, u].
    unweighted: bins weigh alike. Weigh each by its share of the answers.
    over_bins: you divided by the number of bins. The weights are n_b / N.
    signed: too sure and not sure enough cancel. Take the distance in each bin first.
    one_by_one: average within a bin first: one answer is never 0.8 right.
    largest: this is the largest gap of any bin, the MCE (06.4).
    empty_bins: nan: an empty bin has no accuracy, 0 / 0. Leave it out.
    """

    right = _ece
    low_edge = lambda *case: _ece(*case, low_edge=True)
    unweighted = _with(lambda n, gap: (gap / n)[n > 0].abs().mean())
    over_bins = _with(lambda n, gap: (gap / n)[n > 0].abs().sum() / len(n))
    signed = _with(lambda n, gap: gap.sum().abs() / n.sum())
    one_by_one = lambda c, correct, bins: (correct.double() - c).abs().mean()
    largest = _with(lambda n, gap: (gap / n)[n > 0].abs().max())
    empty_bins = sign(lambda result, *case: result.isnan())

    def cases():
        c = torch.tensor([0.5, 0.45, 0.5, 0.3, 0.875, 0.75, 0.9, 0.6]).double()
        correct = torch.tensor([1, 0, 1, 0, 1, 0, 1, 1])
        return [(c, correct, 4), (c, 1 - correct, 8), (c[:4], correct[:4], 4)]


class E06_2_law:
    """the cost law tells the price before training (06.5).
    no_floor: you forgot the 1/K. The answer gets its part of ε back.
    clear: this takes every input as clear. The accuracy says it is not (06.6).
    """

    right, others = -0.2 * (0.85 - 0.1), -0.2 * (0.85 - 0.15 / 9)
    no_floor, clear, six_classes = -0.2 * 0.85, -0.2 * 0.9, -0.2 * (0.85 - 1 / 6)


class E06_2_eps:
    """what mixes in a constant takes ε(conf − 1/K) off the confidence (06.5).
    of_accuracy: you divided by acc − 1/K. What is mixed has the mean conf.
    no_floor: the answer gets ε/K back, so ε takes off ε(conf − 1/K).
    difference: this is conf − acc itself. An ε takes off less than ε.
    clamped: for others than over-confident networks it is *negative* (06.8).
    """

    right = lambda conf, acc, k: (conf - acc) / (conf - 1 / k)
    cases = lambda: [(0.82, 0.74, 6), (0.95, 0.8, 10), (0.7, 0.75, 6)]
    of_accuracy = lambda conf, acc, k: (conf - acc) / (acc - 1 / k)
    no_floor = lambda conf, acc, k: (conf - acc) / conf
    difference = lambda conf, acc, k: conf - acc
    clamped = lambda conf, acc, k: max(0.0, (conf - acc) / (conf - 1 / k))


def _slope(z, y, T, at=None):
    p = (z / (at or T)).softmax(1)
    return ((p * z).sum(1) - z[range(len(y)), y]).mean()


def _too_sure(z, y, T):
    p = (z / T).softmax(1)
    return (p.amax(1) - (p.argmax(1) == y).double()).mean()


def _root(slope, z, y, low=0.01, high=100.0):
    for _ in range(60):
        T = (low * high) ** 0.5
        low, high = (T, high) if slope(z, y, T) > 0 else (low, T)
    return T


def _answers(seed, *, sharp):
    z = 2 * draw(seed, 400, 6)
    y = (z + draw(seed + 10, 400, 6).exp()).argmax(1)
    return (z + (z > 3)) * sharp, y


class E06_3_slope:
    """a warm network has a slope below zero, a too sharp one above (06.7).
    untempered: p is the softmax of z, whatever T is. Divide by T first.
    in_T: this is the slope in T, with −1/T². It is asked for in β = 1/T.
    divided: the logits outside the softmax are divided by T too. d(βz)/dβ is z.
    """

    right = lambda z, y, T: _slope(z, y, T)
    cases = lambda: [(*_answers(1, sharp=1.0), 2.0), (*_answers(2, sharp=3.0), 0.5)]
    untempered = lambda z, y, T: _slope(z, y, T, at=1)
    in_T = lambda z, y, T: -_slope(z, y, T) / T**2
    divided = lambda z, y, T: _slope(z, y, T) / T


class E06_3:
    """the temperature with the least NLL, and with no other virtue (06.7).
    inverse: this is β = 1/T. The logits are *divided* by T.
    gap_closed: this closes conf − acc. The temperature has the least NLL (06.10).
    wrong_half: ran to an end of its interval. Above zero, the *upper* half stays.
    coarse: near, but not there: search until the interval is short.
    """

    tol = 1e-3
    right = lambda z, y: _root(_slope, z, y)
    cases = lambda: [_answers(3, sharp=3.0), _answers(4, sharp=0.5)]
    inverse = lambda z, y: 1 / _root(_slope, z, y)
    gap_closed = lambda z, y: _root(_too_sure, z, y)
    wrong_half = sign(lambda T, z, y: not 0.02 < T < 50)
    coarse = sign(lambda T, z, y: abs(T / _root(_slope, z, y) - 1) < 0.1)
