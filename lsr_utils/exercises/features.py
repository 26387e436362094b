"""Exercises to notebook 05, features and their clusters."""

import math

import torch
import torch.nn.functional as F

from ..targets import optimal_gap
from .engine import draw, sign


def _ratio(h, y, power=2, pooled=(False, False), overall=False, ddof=0):
    """Within / between by hand, and with its usual mistakes."""
    n = torch.bincount(y).double()
    means = torch.stack([h[y == k].mean(0) for k in range(len(n))])
    weights = [n / n.sum() if by_image else n / n / len(n) for by_image in pooled]
    apart = (means - (h if overall else means).mean(0)).norm(dim=1).pow(power)
    spread = (h - means[y]).norm(dim=1).pow(power) / (n - ddof)[y]
    return (weights[0][y] * spread).sum() / (weights[1] @ apart)


def _spread(own, power=2, ddof=0, mean=torch.sum):
    squares = mean((own - own.mean(0)).square(), dim=1)
    return squares.pow(power / 2).sum() / (len(own) - ddof)


class E05_spread:
    """the mean over the images, of squares that are summed over the units.

    by_unit: you averaged over the units, too. A squared distance is a *sum* over them
        (05 section 4).
    not_squared: this is the mean distance. Take the mean of its square (05 section 4).
    sample_variance: you divided by n − 1. This is a plain mean (05 section 4).
    """

    right = lambda own: _spread(own)
    by_unit = lambda own: _spread(own, mean=torch.mean)
    not_squared = lambda own: _spread(own, power=1)
    sample_variance = lambda own: _spread(own, ddof=1)
    cases = lambda: [(draw(1, 7, 4) + 1,), (2 * draw(2, 3, 5),)]


class E05_1_panels:
    """tight is within over between, whatever the scale of the panel.

    reads_size: Q's clouds are smaller, but its means are nearer still. Divide by the
        distance of the means (05 section 4).
    reads_ink: the panels look alike, because each has a scale of its own. Compute both
        ratios (05 section 4).
    """

    right, reads_size, reads_ink = "P", "Q", "same"


class E05_1_pencil:
    """every class counts alike, however many images it has.

    by_image: the large class counts twice in your mean *within*. Take the mean of each
        class first, and then the mean of the classes (05 section 4).
    overall_mean: you measured *between* from the mean of all six numbers, which lies
        nearer to the large class. μ is the mean of the class means (05 section 4).
    sample_variance: you divided by n − 1. Both parts are plain means (05 section 4).
    not_squared: these are mean distances. Both parts are means of *squared* distances
        (05 section 4).
    upside_down: this is between / within. Tight clusters have a small ratio, so within
        is above (05 section 4).
    """

    right, by_image, overall_mean = 3 / 16, 22 / 6 / 16, 3 / (160 / 9)
    sample_variance, not_squared, upside_down = (2 + 20 / 3) / 2 / 16, 1.5 / 4, 16 / 3


class E05_1:
    """mean over the images of a class, then mean over the classes.

    pooled: your *within* is a mean over all images: large classes weigh more. Average
        within each class first (05 section 4).
    overall_mean: *between* is measured from the mean of all features. Take the mean of
        the class means: classes weigh alike (05 section 4).
    all_by_image: both parts weigh a class by its images, as an analysis of variance
        does. Here classes weigh alike (05 section 4).
    not_squared: these are distances; both parts take their squares (05 section 4).
    sample_variance: you divided by n − 1, which `var` does unless told otherwise. The
        definition takes plain means (05 section 4).
    upside_down: this is between / within. Tight clusters have a small ratio, so within
        is above (05 section 4).
    of_all: this is within / (within + between), which is one minus a share of variance.
        The ratio divides by between alone (05 section 4).
    """

    right = lambda h, y: _ratio(h, y)
    pooled = lambda h, y: _ratio(h, y, pooled=(True, False))
    overall_mean = lambda h, y: _ratio(h, y, overall=True)
    all_by_image = lambda h, y: _ratio(h, y, overall=True, pooled=(True, True))
    not_squared = lambda h, y: _ratio(h, y, power=1)
    sample_variance = lambda h, y: _ratio(h, y, ddof=1)
    upside_down = lambda h, y: 1 / _ratio(h, y)
    of_all = lambda h, y: _ratio(h, y) / (1 + _ratio(h, y))

    def cases():
        y, h = torch.tensor([0] * 9 + [1] * 2 + [2] * 4), draw(5, 15, 4)
        return [(h + 2 * F.one_hot(y, 4), y), (h.flip(0) + 3 * y[:, None], y)]


def _unit(*vectors):
    return F.normalize(torch.stack(vectors, 1), dim=0)


def _plane(h, weight, triple, axes=lambda one, two, up: _unit(one, up), origin=1):
    a, b, c = weight[list(triple)]
    one, two = b - a, c - a
    up = two - (two @ one) / (one @ one) * one
    return (h - origin * (a + b + c) / 3) @ axes(one, two, up)


def _plane_by(axes):
    return lambda *case: _plane(*case, axes=axes)


class E05_2:
    """an exact picture: origin in the plane, two axes of length one at right angles.

    through_zero: the origin is missing. The plane crosses the templates and not the
        zero of the feature space: subtract their mean first (05 section 2).
    leaning: your axes are the two sides, cut to length 1 but not at right angles: the
        picture is sheared. Take from the second side its part along the first
        (05 section 2).
    own_lengths: your axes are at right angles, but not of length 1: the two coordinates
        have different units (05 section 2).
    skew: these are the numbers of sides to walk, coordinates in a slanted basis. A
        projection onto orthonormal axes gives distances (05 section 2).
    mirrored: right but for a sign. QR may point an axis either way: turn them so that b
        lies to the right of a, and c above (05 section 2).
    """

    right = lambda *case: _plane(*case)
    through_zero = lambda *case: _plane(*case, origin=0)
    leaning = _plane_by(lambda one, two, up: _unit(one, two))
    own_lengths = _plane_by(lambda one, two, up: torch.stack([one, up], 1))
    skew = _plane_by(lambda one, two, up: torch.stack([one, two]).pinverse())
    mirrored = sign(
        lambda at, *case: (at.abs() - _plane(*case).abs()).abs().max() < 1e-4
    )

    def cases():
        h, w = draw(7, 2, 6, 5)
        return [(3 * h, w + 1, (0, 1, 2)), (h, 2 * w + 0.5, (4, 1, 3))]


class E05_2_side:
    """what the plane keeps of these two logits is exact.

    only_a_shadow: thirty directions are lost, but none that this difference of logits
        depends on: it is linear in the plane (05 section 3).
    by_label: the label says what the image is, the line what the network says
        (05 section 3).
    """

    right, only_a_shadow, by_label = "0", "cannot tell", "1"


class E05_2_bound:
    """the gap fixes the least product of the two lengths.

    gap: this is the gap, ln 41. The product of lengths may be smaller by (K−1)/K
        (05 section 8).
    upside_down: K/(K−1) stands on the side of the lengths: gap ≤ K/(K−1)·‖w‖‖μ‖. Solve
        for the product (05 section 8).
    six_classes: this is the bound for six classes. Here there are ten (05 section 8).
    others: this is for ε over the K−1 others. PyTorch spreads it over all K
        (01 section 3).
    one_length: this is one length, if both were alike. The product was asked for
        (05 section 8).
    """

    right = 0.9 * optimal_gap(0.2, 10)
    gap, upside_down = right / 0.9, right / 0.81
    six_classes = 5 / 6 * optimal_gap(0.2, 6)
    others, one_length = 0.9 * optimal_gap(0.2, 10, "others"), right**0.5


def _angles(means, centred=1, size=torch.abs, ideal=lambda k: -1 / (k - 1), own=0):
    unit, k = F.normalize(means - centred * means.mean(0), dim=1), len(means)
    keep = torch.ones(k, k) if own else 1 - torch.eye(k)
    return size(unit @ unit.mT - ideal(k))[keep.bool()].mean()


class E05_3_maps:
    """neighbours may be read off, sizes and distances not.

    tightness_is_real: the map gives dense and loose groups room alike: its tightness
        changes with the perplexity, on the same features (05 section 4).
    distance_is_real: distances between groups depend on the start and the perplexity.
        Only neighbours are kept (05 section 4).
    all_is_real: a map of 32 numbers in two keeps one thing, neighbours (05 section 4).
    """

    right, tightness_is_real, distance_is_real, all_is_real = "a", "ab", "ac", "abc"


class E05_3:
    """zero for the corners of a simplex, and for nothing else.

    not_centred: the means are seen from the zero of the feature space. Subtract their
        mean first: the simplex has its centre there (05 section 7).
    orthogonal: you compared with right angles, cosine 0. K equal angles can be wider
        than that: −1/(K−1) (05 section 7).
    one_over_k: you compared with −1/K. K unit vectors that sum to zero have cosines of
        −1/(K−1) (05 section 7).
    with_itself: your mean holds the K cosines of a vector with itself. Take pairs of
        different classes (05 section 7).
    signed: angles too wide and too narrow cancel in your mean. Take the distance of
        each cosine before averaging (05 section 7).
    """

    right = lambda means: _angles(means)
    not_centred = lambda means: _angles(means, centred=0)
    orthogonal = lambda means: _angles(means, ideal=lambda k: 0)
    one_over_k = lambda means: _angles(means, ideal=lambda k: -1 / k)
    with_itself = lambda means: _angles(means, own=1)
    signed = lambda means: _angles(means, size=lambda off: off)

    def cases():
        draws, corners = draw(9, 6, 8), 3 * torch.eye(5, dtype=torch.float64) + 1
        return [(draws + 0.5,), (draws[:4] + 0.3,), (corners,)]


def _arc(eps, k, *shares, one=1):
    odds = k * (1 - eps) / eps * torch.tensor(shares, dtype=torch.float64)
    return (one + odds).log()


class E05_3_arc:
    """the logarithm of the smoothed target bends the way.

    straight: this is the segment: the shares λ and 1 − λ of the whole gap. The network
        fits probabilities, and half a share is more than half the way (05 section 10).
    without_floor: the third class has probability ε/K, and so has each of the two on
        top of its share: the 1 in the logarithm is missing (05 section 10).
    log_target: these are ln q′ of the two classes. Subtract ln q′ of the third: both
        coordinates are *above c* (05 section 10).
    exchanged: a and b are exchanged: λ is the share of a (05 section 10).
    """

    right = lambda lam, eps, k: _arc(eps, k, lam, 1 - lam)
    cases = lambda: [(0.5, 0.1, 6), (0.8, 0.2, 10), (0.25, 0.05, 4)]
    straight = lambda lam, eps, k: _arc(eps, k, 1) * torch.tensor([lam, 1 - lam])
    without_floor = lambda lam, eps, k: _arc(eps, k, lam, 1 - lam, one=0)
    log_target = lambda lam, eps, k: _arc(eps, k, lam, 1 - lam) + math.log(eps / k)
    exchanged = lambda lam, eps, k: _arc(eps, k, 1 - lam, lam)
