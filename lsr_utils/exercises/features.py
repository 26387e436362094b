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
    """the mean over the images, of squares that are summed over the units (05.4).
    by_unit: you averaged over the units, too. A squared distance is a *sum* over them.
    not_squared: this is the mean distance. Take the mean of its square.
    sample_variance: you divided by n − 1. This is a plain mean.
    """

    right = lambda own: _spread(own)
    by_unit = lambda own: _spread(own, mean=torch.mean)
    not_squared = lambda own: _spread(own, power=1)
    sample_variance = lambda own: _spread(own, ddof=1)
    cases = lambda: [(draw(1, 7, 4) + 1,), (2 * draw(2, 3, 5),)]


class E05_1_panels:
    """tight is within over between, whatever the scale of the panel (05.4).
    reads_size: Q's clouds are smaller, but its means are nearer still. Divide by
        the distance of the means.
    reads_ink: each panel has a scale of its own, so they look alike. Compute both.
    """

    right, reads_size, reads_ink = "p", "q", "same"


class E05_1_pencil:
    """every class counts alike, however many images it has (05.4).
    by_image: the large class counts twice in *within*. Average class means.
    overall_mean: *between* is measured from all six numbers, not from class means.
    sample_variance: you divided by n − 1. Both parts are plain means.
    not_squared: these are mean distances. Both parts are means of *squared* distances.
    """

    right, by_image, overall_mean = 3 / 16, 22 / 6 / 16, 3 / (160 / 9)
    sample_variance, not_squared = (2 + 20 / 3) / 2 / 16, 1.5 / 4


class E05_1:
    """mean over the images of a class, then mean over the classes (05.4).
    pooled: *within* is a mean over all images here. Average within each class first.
    overall_mean: *between* is measured from all features. Take the class means' mean.
    all_by_image: both parts weigh a class by its images. Here classes weigh alike.
    not_squared: these are distances; both parts take their squares.
    sample_variance: you divided by n − 1, as `var` does. These are plain means.
    of_all: this is within / (within + between). Divide by between alone.
    """

    right = lambda h, y: _ratio(h, y)
    pooled = lambda h, y: _ratio(h, y, pooled=(True, False))
    overall_mean = lambda h, y: _ratio(h, y, overall=True)
    all_by_image = lambda h, y: _ratio(h, y, overall=True, pooled=(True, True))
    not_squared = lambda h, y: _ratio(h, y, power=1)
    sample_variance = lambda h, y: _ratio(h, y, ddof=1)
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
    """an exact picture: origin in the plane, two orthonormal axes (05.2).
    through_zero: the plane crosses the templates, not zero: subtract their mean first.
    leaning: your axes are not at right angles: the picture is sheared.
    own_lengths: your axes are at right angles, but their length is not 1.
    skew: these are coordinates in a slanted basis. Take orthonormal axes.
    mirrored: right but for a sign: turn b to the right of a, and c above.
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
    """what the plane keeps of these two logits is exact (05.3).
    only_a_shadow: thirty directions are lost, but none that this difference of logits
        depends on: it is linear in the plane.
    by_label: the label says what the image is, the line what the network says.
    """

    right, only_a_shadow, by_label = "0", "cannottell", "1"


class E05_2_bound:
    """the gap fixes the least product of the two lengths (05.8).
    gap: this is the gap, ln 41. The product may be smaller by (K−1)/K.
    upside_down: gap ≤ K/(K−1)·‖w‖‖μ‖: solve for the product.
    """

    right = 0.9 * optimal_gap(0.2, 10)
    gap, upside_down = right / 0.9, right / 0.81
    six_classes = 5 / 6 * optimal_gap(0.2, 6)
    others = 0.9 * optimal_gap(0.2, 10, "others")


def _angles(means, centred=1, size=torch.abs, ideal=lambda k: -1 / (k - 1), own=0):
    unit, k = F.normalize(means - centred * means.mean(0), dim=1), len(means)
    keep = torch.ones(k, k) if own else 1 - torch.eye(k)
    return size(unit @ unit.mT - ideal(k))[keep.bool()].mean()


class E05_3_maps:
    """neighbours may be read off, sizes and distances not (05.4).
    tightness_is_real: the map gives dense and loose groups room alike: its tightness
        changes with the perplexity, on the same features.
    distance_is_real: distances between groups depend on the start and the perplexity.
    all_is_real: a map of 32 numbers in two keeps one thing, neighbours.
    """

    right, tightness_is_real, distance_is_real, all_is_real = "a", "ab", "ac", "abc"


class E05_3:
    """zero for the corners of a simplex, and for nothing else (05.7).
    not_centred: the means are seen from zero. Subtract their mean first.
    orthogonal: you compared with the cosine 0. K equal angles are wider: −1/(K−1).
    one_over_k: you compared with −1/K. K unit vectors of sum 0 have −1/(K−1).
    with_itself: K cosines of a vector with itself are in your mean. Leave them out.
    signed: too wide and too narrow cancel. Take distances before averaging.
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
    """the logarithm of the smoothed target bends the way (05.10).
    straight: this is straight: half a share is more than half the way.
    without_floor: each of the two has ε/K on top of its share: the 1 is missing.
    log_target: these are ln q′ of two classes. Subtract ln q′ of the third.
    """

    right = lambda lam, eps, k: _arc(eps, k, lam, 1 - lam)
    cases = lambda: [(0.5, 0.1, 6), (0.8, 0.2, 10), (0.25, 0.05, 4)]
    straight = lambda lam, eps, k: _arc(eps, k, 1) * torch.tensor([lam, 1 - lam])
    without_floor = lambda lam, eps, k: _arc(eps, k, lam, 1 - lam, one=0)
    log_target = lambda lam, eps, k: _arc(eps, k, lam, 1 - lam) + math.log(eps / k)
