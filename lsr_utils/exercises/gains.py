"""Exercises to notebook 04, how to compare, and the two lines to fill in there."""

import math

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from .engine import sign


def _half(d, *, ddof=1, root=True, quantile=0.975, normal=False, share=0.0):
    """Half the interval of a mean by hand, and with its usual mistakes."""
    count = len(d) if root else 1
    spread = norm.ppf(quantile) if normal else student.ppf(quantile, len(d) - 1)
    return spread * d.std(ddof=ddof) * math.sqrt(1 / count + share)


class E04_half:
    """it is that of paired_difference (04.1)."""

    tol = 1e-4  # 1.96 is 1.959964
    right = lambda d: _half(d)
    numpys_spread = lambda d: _half(d, ddof=0)
    of_one_pair = lambda d: _half(d, root=False)
    normal = sign(lambda half, d: abs(half / _half(d, normal=True) - 1) < 0.03)  # or 2
    one_sided = lambda d: _half(d, quantile=0.95)
    cases = lambda: [(np.random.default_rng(n).normal(1, 2, n),) for n in (8, 20, 5)]


class E04_best:
    """each network is kept at the step of its own least validation NLL (04.5).
    largest: this is the step of the *largest* NLL. Lower is better.
    over_networks: this compares networks. Compare the steps of each: axis 1.
    the_least: this is the NLL itself. Wanted is *where* it is least: argmin.
    one_for_all: one step for all networks. Each stops at its own least NLL.
    """

    right = lambda nll: nll.argmin(1)
    largest = lambda nll: nll.argmax(1)
    over_networks = lambda nll: nll.argmin(0)
    the_least = lambda nll: nll.min(1)
    one_for_all = lambda nll: np.full(len(nll), nll.mean(0).argmin())
    cases = lambda: [(np.random.default_rng(n).random((n, 7)),) for n in (4, 6)]


# Accuracies in per cent, five seeds: smoothed and one-hot. A seed moves both.
SMOOTHED = np.array([96.4, 98.2, 97.1, 99.0, 97.8])
ONE_HOT = np.array([95.8, 97.4, 96.5, 98.3, 97.0])


class E04_1_follows:
    """the spread of each arm holds what both share; only the differences tell (04.1).
    no_difference: two intervals may overlap while every single pair gains.
    a_gain: a higher mean is not enough: how much do the *differences* spread?
    """

    right, no_difference, a_gain = "cab"


def _interval(a, b, **mistake):
    d = a - b
    half = _half(d, **mistake)
    return d.mean() - half, d.mean() + half


def _unpaired(a, b):
    freedom = 2 * len(a) - 2
    half = student.ppf(0.975, freedom) * math.sqrt((a.var() + b.var()) / (len(a) - 1))
    return a.mean() - b.mean() - half, a.mean() - b.mean() + half


class E04_1_interval:
    """every pair gains, and the interval is far from 0 (04.1).
    independent: for two *independent* groups. Take differences of pairs first.
    reversed: this is one-hot minus smoothed: a gain shows as a loss.
    """

    right = _interval(SMOOTHED, ONE_HOT)
    independent = _unpaired(SMOOTHED, ONE_HOT)
    normal = _interval(SMOOTHED, ONE_HOT, normal=True)
    numpys_spread = _interval(SMOOTHED, ONE_HOT, ddof=0)
    of_one_pair = _interval(SMOOTHED, ONE_HOT, root=False)
    reversed = _interval(ONE_HOT, SMOOTHED)
    one_sided = _interval(SMOOTHED, ONE_HOT, quantile=0.95)


class E04_2_speaks:
    """an interval speaks of what was drawn anew, and of nothing else (04.2).
    population: the images were the same for all twenty seeds.
    one_more_pair: a range for one more pair is √S times wider than for the mean.
    """

    right, population, one_more_pair = "abc"


class E04_2:
    """a split counts once, and overlapping splits count for less (04.2).
    as_independent: splits share images: put 1/S + n_test/n_train in place of 1/S.
    all_pairs: seeds of one split share its images. Average over the seeds first.
    upside_down: the share is upside down: n_test / n_train.
    """

    right = lambda d, train, test: _half(d.mean(1), share=test / train)
    as_independent = lambda d, train, test: _half(d.mean(1))
    all_pairs = lambda d, train, test: _half(d.ravel(), share=test / train)
    upside_down = lambda d, train, test: _half(d.mean(1), share=train / test)
    numpys_spread = lambda d, n, m: _half(d.mean(1), ddof=0, share=m / n)

    def cases():
        sizes = [(100, 783), (500, 383), (800, 100)]
        rng = np.random.default_rng(5)
        return [(rng.normal(0.01, 0.02, (6, 4)), *size) for size in sizes]


def _report(choose, look, zero=True):
    best = int(choose[:, not zero :].mean(0).argmax()) + (not zero)
    return best, look[:, best].mean() - look[:, 0].mean()


class E04_3:
    """chosen on validation data, reported on test data, with ε = 0 (04.5).
    test_set: this column was chosen by its *test* accuracy: use validation data.
    validation_gain: the choice is right; the gain is that of the validation data.
    accuracy: the second number is an accuracy. A gain is a difference (04.1).
    without_zero: ε = 0 was not among the candidates. Keep it in the list.
    """

    right = lambda validation, test: _report(validation, test)
    test_set = lambda validation, test: _report(test, test)
    validation_gain = lambda validation, test: _report(validation, validation)
    accuracy = lambda v, t: (_report(v, t)[0], t[:, _report(v, t)[0]].mean())
    without_zero = lambda validation, test: _report(validation, test, zero=False)

    def cases():
        validation, test = np.random.default_rng(4).normal(0.9, 0.02, (2, 3, 6, 5))
        validation[1, :, 0] += 0.05  # there eps = 0 wins
        return list(zip(validation, test, strict=True))


class E04_3_fair:
    """five tries against one: the best of five is partly luck (04.5).
    fair: not the same number of tries: the best of five is partly luck.
    for_the_rival: a fixed value is one try, and smoothing had five.
    """

    right, fair, for_the_rival = "bac"
