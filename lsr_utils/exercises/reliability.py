"""Exercises to notebook 06, calibration."""

import torch

from .engine import draw, sign


def _ece(c, correct, bins, weigh=None, low_edge=False):
    """The ECE by hand; weigh(n, gap) for its usual mistakes, n and gap a sum a bin."""
    place = torch.bucketize(c, torch.arange(1, bins).to(c) / bins, right=low_edge)
    n = torch.bincount(place, minlength=bins).double()
    gap = torch.zeros_like(n).index_add(0, place, correct.double() - c)
    return weigh(n, gap) if weigh else gap.abs().sum() / n.sum()


def _with(weigh):
    return lambda *case: _ece(*case, weigh=weigh)


class E06_ece:
    """each bin weighs as many answers as it has (06.2).
    signed: bins that are too sure and too modest cancel. Take distances before adding.
    unweighted: weigh each bin by its share of the answers.
    squared: the ECE is a mean of absolute distances, without squares.
    """

    right = lambda share, conf, acc: (share * abs(acc - conf)).sum()
    signed = lambda share, conf, acc: abs((share * (acc - conf)).sum())
    unweighted = lambda share, conf, acc: abs(acc - conf).mean()
    squared = lambda share, conf, acc: (share * (acc - conf) ** 2).sum()
    cases = lambda: [tuple(draw(seed, 3, 4).softmax(1)) for seed in (7, 8)]


class E06_softened:
    """a temperature above 1 makes the network less sure, one below 1 surer (06.5).
    multiplied: a T above 1 makes it surer here. The logits are *divided* by T.
    divided_late: divided after the softmax, the rows no longer sum to 1.
    untempered: T is not used.
    """

    right = lambda z, T: (z / T).softmax(-1)
    multiplied = lambda z, T: (z * T).softmax(-1)
    divided_late = lambda z, T: z.softmax(-1) / T
    untempered = lambda z, T: z.softmax(-1)
    cases = lambda: [(draw(5, 4, 6), 2.0), (draw(6, 3, 6), 0.5)]


class E06_1:
    """a bin weighs as many answers as it has, its upper edge included (06.2).
    low_edge: an answer on an edge went to the bin above. Bins are (l, u].
    unweighted: bins weigh alike. Weigh each by its share of the answers.
    over_bins: you divided by the number of bins. The weights are n_b / N.
    signed: too sure and not sure enough cancel. Take the distance in each bin first.
    one_by_one: average within a bin first: one answer is never 0.8 right.
    largest: this is the largest gap of any bin, the MCE (06a.2).
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


class E06_2_follows:
    """an ECE says something beside what chance alone would show (06.3).
    badly: a perfect network shows as much on 1,000 answers.
    too_sure: the ECE has no sign. Which side it is conf − acc says (06.4).
    small: small beside what? A large sample shows a small error surely.
    """

    right, badly, too_sure, small = "cabd"


def _slope(z, y, T):
    p = (z / T).softmax(1)
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


class E06_3:
    """the temperature with the least NLL, and with no other virtue (08a.3).
    inverse: this is β = 1/T. The logits are *divided* by T.
    gap_closed: this closes conf − acc. The temperature has the least NLL (08a.4).
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


class E06_3_changes:
    """a temperature divides a row's logits alike, so that their order stays (06.5).
    accuracy: the largest logit stays the largest, so each answer stays what it was.
    second: the order of all logits stays, that of the second and third too.
    """

    right, accuracy, second = "cab"
