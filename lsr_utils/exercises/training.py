"""Exercises to notebook 03, training and how to compare."""

import math

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from ..targets import minimum_loss

LOSSES = {0.0: 0.0310, 0.1: 0.4283, 0.2: 0.7402}  # eps to training loss, in 03-1


class E03_1_excess:
    """on a common zero line the losses can be compared.

    as_they_are: these are the losses as trained. Each has a floor of its own that no
        network can go below: take it away first (03 section 4).
    minus_eps: you took ε away. The floor is the entropy of the smoothed row, about four
        times as much (01 section 5).
    others: these floors are those of ε over the K−1 others. No loss can be below its
        floor: PyTorch spreads ε over all K (01 section 5).
    one_floor: you took the floor of ε = 0.1 from all three. Every ε has its own
        (03 section 4).
    """

    tol = 2e-4
    right = [loss - minimum_loss(eps, 6) for eps, loss in LOSSES.items()]
    as_they_are = list(LOSSES.values())
    minus_eps = [loss - eps for eps, loss in LOSSES.items()]
    others = [loss - minimum_loss(eps, 6, "others") for eps, loss in LOSSES.items()]
    one_floor = [loss - minimum_loss(0.1, 6) for loss in LOSSES.values()]


class E03_1_best:
    """it has the least distance from its own floor.

    lowest_loss: ε = 0 has the lowest *number*, and the lowest floor: 0. Compare the
        distances from the floor (03 section 4).
    most_smoothed: ε = 0.2 has the highest floor, and the network is still further above
        its own than the one of ε = 0.1 (03 section 4).
    """

    right = 0.1
    lowest_loss = 0.0
    most_smoothed = 0.2


def _interval(a, b, *, ddof=1, root=True, quantile=0.975, normal=False):
    """The paired interval of a − b by hand, and with its usual mistakes."""
    d = a - b
    error = d.std(ddof=ddof) / (math.sqrt(len(d)) if root else 1)
    spread = norm.ppf(quantile) if normal else student.ppf(quantile, len(d) - 1)
    return d.mean() - spread * error, d.mean() + spread * error


def _unpaired(a, b):
    freedom = 2 * len(a) - 2
    half = student.ppf(0.975, freedom) * math.sqrt((a.var() + b.var()) / (len(a) - 1))
    return a.mean() - b.mean() - half, a.mean() - b.mean() + half


class E03_2:
    """the spread is that of the differences within pairs.

    independent: this interval is for two *independent* groups. Here both networks of a
        seed share their start and batches: take differences first (03 section 9).
    normal: 1.96 is the normal distribution's. With few pairs the spread is uncertain as
        well: Student's t with S − 1 degrees of freedom (03 section 9).
    numpys_spread: the standard deviation divides by S, numpy's default. A sample's
        divides by S − 1: ddof=1 (03 section 9).
    of_one_pair: the spread of single differences lacks its √S. The interval is for
        their mean (03 section 9).
    reversed: this is control minus treated: a gain shows as a loss (03 section 9).
    one_sided: this leaves 5 % on *each* side, which is a 90 % interval. Use the
        quantile at 0.975 (03 section 9).
    """

    right = lambda a, b: _interval(a, b)
    independent = _unpaired
    normal = lambda a, b: _interval(a, b, normal=True)
    numpys_spread = lambda a, b: _interval(a, b, ddof=0)
    of_one_pair = lambda a, b: _interval(a, b, root=False)
    reversed = lambda a, b: _interval(b, a)
    one_sided = lambda a, b: _interval(a, b, quantile=0.95)

    def cases():
        draws = [np.random.default_rng(n).normal(size=(2, n)) for n in (8, 20, 5)]
        # A seed moves both arms by some points, and their difference by half a point.
        return [(0.94 + 0.03 * s + 0.006 * d, 0.93 + 0.03 * s) for s, d in draws]


class E03_2_speaks:
    """an interval speaks of what was drawn anew, and of nothing else.

    new_images: the images were the same for all twenty seeds, so the spread cannot know
        what other images would do (03 section 9).
    one_more_pair: that range is √S times wider: it is about one more pair, and not
        about the mean of pairs (03 section 9).
    """

    right, new_images, one_more_pair = "abc"


def _report(choose, look, zero=True):
    best = int(choose[:, not zero :].mean(0).argmax()) + (not zero)
    return best, look[:, best].mean() - look[:, 0].mean()


class E03_3:
    """chosen on validation data, reported on test data, with ε = 0 in the running.

    test_set: this column was chosen by its *test* accuracy: luck took part in the
        choice and then in the report. Choose on validation data (03 section 11).
    validation_gain: the choice is right; the gain is that of the validation data it was
        chosen by, and a winner looks better there than it is (03 section 11).
    accuracy: the choice is right; the second number is an accuracy. A gain is a
        difference from ε = 0, column 0, on the same seeds (03 section 9).
    without_zero: ε = 0 was not among the candidates. Keep it in the list, or you will
        smooth where nothing gains (03 section 14).
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
