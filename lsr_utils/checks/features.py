"""Exercises to notebook 05, features and their clusters."""

import torch
import torch.nn.functional as F

from ..targets import optimal_gap
from .engine import sign


def _ratio(h, y, *, power=2, by_image=(False, False), overall=False, ddof=0):
    """Within / between by hand, and with its usual mistakes."""
    groups = [h[y == k] for k in y.unique()]
    means = torch.stack([g.mean(0) for g in groups])
    counts = torch.tensor([len(g) for g in groups], dtype=h.dtype)
    for_within, for_between = (
        F.normalize(counts if images else counts * 0 + 1, 1, 0) for images in by_image
    )
    sums = torch.stack([(g - g.mean(0)).norm(dim=1).pow(power).sum() for g in groups])
    apart = (means - (h if overall else means).mean(0)).norm(dim=1).pow(power)
    return for_within @ (sums / (counts - ddof)) / (for_between @ apart)


class E05_1_pencil:
    """every class counts alike, however many images it has.

    by_image: the large class counts twice in your mean *within*. Take the mean of each
        class first, and then the mean of the classes (05 section 4).
    overall_mean: you measured *between* from the mean of all six numbers, which lies
        nearer to the large class. μ is the mean of the class means (05 section 4).
    sample_variance: you divided by n − 1, as for a sample's variance. The definition
        takes plain means (05 section 4).
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
    of_all: this is within / (within + between), which is one minus a share of variance.
        The ratio divides by between alone (05 section 4).
    """

    right = lambda h, y: _ratio(h, y)
    pooled = lambda h, y: _ratio(h, y, by_image=(True, False))
    overall_mean = lambda h, y: _ratio(h, y, overall=True)
    all_by_image = lambda h, y: _ratio(h, y, overall=True, by_image=(True, True))
    not_squared = lambda h, y: _ratio(h, y, power=1)
    sample_variance = lambda h, y: _ratio(h, y, ddof=1)
    of_all = lambda h, y: _ratio(h, y) / (1 + _ratio(h, y))

    def cases():
        generator = torch.Generator().manual_seed(5)
        y = torch.tensor([0] * 9 + [1] * 2 + [2] * 4)
        h = torch.randn(15, 4, generator=generator, dtype=torch.float64)
        return [(h + 2 * F.one_hot(y, 4), y), (h.flip(0) + 3 * y[:, None], y)]


def _plane(h, weight, triple, *, origin=True, square=True, unit=True):
    a, b, c = weight[list(triple)]
    first = F.normalize(b - a, dim=0)
    second = c - a - ((c - a) @ first) * first if square else c - a
    axes = torch.stack([first, F.normalize(second, dim=0)], 1)
    if not unit:
        axes = torch.stack([b - a, second], 1)
    return (h - (a + b + c) / 3 if origin else h) @ axes


def _skew(h, weight, triple):
    a, b, c = weight[list(triple)]
    sides = torch.stack([b - a, c - a], 1)
    return (h - (a + b + c) / 3) @ torch.linalg.pinv(sides).mT


def _only_signs(result, *case):
    return torch.allclose(result.double().abs(), _plane(*case).abs(), atol=1e-5)


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

    right = lambda h, weight, triple: _plane(h, weight, triple)
    through_zero = lambda h, weight, triple: _plane(h, weight, triple, origin=False)
    leaning = lambda h, weight, triple: _plane(h, weight, triple, square=False)
    own_lengths = lambda h, weight, triple: _plane(h, weight, triple, unit=False)
    skew = _skew
    mirrored = sign(_only_signs)

    def cases():
        generator = torch.Generator().manual_seed(7)
        h, w = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
        return [(3 * h, w + 1, (0, 1, 2)), (h, 2 * w + 0.5, (4, 1, 3))]


class E05_2_bound:
    """the gap fixes the least product of the two lengths.

    gap: this is the gap, ln 41. The product of lengths may be smaller by (K−1)/K
        (05 section 8).
    upside_down: K/(K−1) stands on the side of the lengths: gap ≤ K/(K−1)·‖w‖‖μ‖. Solve
        for the product (05 section 8).
    six_classes: this is the bound for six classes. Here there are ten (05 section 8).
    others: this is for ε over the K−1 others. PyTorch spreads it over all K
        (01 section 6).
    one_length: this is one length, if both were alike. The product was asked for
        (05 section 8).
    """

    right = 0.9 * optimal_gap(0.2, 10)
    gap, upside_down = right / 0.9, right / 0.81
    six_classes = 5 / 6 * optimal_gap(0.2, 6)
    others, one_length = 0.9 * optimal_gap(0.2, 10, "others"), right**0.5


def _angles(means, *, centred=True, ideal=None, size=torch.abs, own=False):
    k = len(means)
    unit = F.normalize(means - means.mean(0) if centred else means, dim=1)
    off = unit @ unit.mT - (-1 / (k - 1) if ideal is None else ideal(k))
    keep = torch.ones(k, k) if own else 1 - torch.eye(k)
    return size(off)[keep.bool()].mean()


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
    not_centred = lambda means: _angles(means, centred=False)
    orthogonal = lambda means: _angles(means, ideal=lambda k: 0)
    one_over_k = lambda means: _angles(means, ideal=lambda k: -1 / k)
    with_itself = lambda means: _angles(means, own=True)
    signed = lambda means: _angles(means, size=lambda off: off)

    def cases():
        generator = torch.Generator().manual_seed(9)
        draw = torch.randn(6, 8, generator=generator, dtype=torch.float64)
        simplex = 3 * torch.eye(5, dtype=torch.float64) + 1
        return [(draw + 0.5,), (draw[:4] + 0.3,), (simplex,)]


def _arc(share, eps, k):
    return torch.log1p(torch.tensor(k * (1 - eps) / eps * share).double())


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

    right = lambda lam, eps, k: (_arc(lam, eps, k), _arc(1 - lam, eps, k))
    cases = lambda: [(0.5, 0.1, 6), (0.8, 0.2, 10), (0.25, 0.05, 4)]
    straight = lambda lam, eps, k: tuple(s * _arc(1, eps, k) for s in (lam, 1 - lam))
    without_floor = lambda lam, eps, k: tuple(
        (_arc(s, eps, k).exp() - 1).log() for s in (lam, 1 - lam)
    )
    log_target = lambda lam, eps, k: tuple(
        _arc(s, eps, k) + torch.tensor(eps / k).log() for s in (lam, 1 - lam)
    )
    exchanged = lambda lam, eps, k: (_arc(1 - lam, eps, k), _arc(lam, eps, k))
