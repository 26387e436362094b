"""Exercises to notebook 05, features and their clusters, and to deep dive 05a."""

import torch
import torch.nn.functional as F

from .engine import draw


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


class E05_2_side:
    """what the plane keeps of these two logits is exact (05.3).
    only_a_shadow: thirty directions are lost, but none that this difference of logits
        depends on: it is linear in the plane.
    by_label: the label says what the image is, the line what the network says.
    """

    right, only_a_shadow, by_label = "0", "cannottell", "1"


class E05_3_maps:
    """neighbours may be read off, sizes and distances not (05.4).
    tightness_is_real: the map gives dense and loose groups room alike: its tightness
        changes with the perplexity, on the same features.
    distance_is_real: distances between groups depend on the start and the perplexity.
    all_is_real: a map of 32 numbers in two keeps one thing, neighbours.
    """

    right, tightness_is_real, distance_is_real, all_is_real = "a", "ab", "ac", "abc"


def _angles(means, centred=1, size=torch.abs, ideal=lambda k: -1 / (k - 1), own=0):
    unit, k = F.normalize(means - centred * means.mean(0), dim=1), len(means)
    keep = torch.ones(k, k) if own else 1 - torch.eye(k)
    return size(unit @ unit.mT - ideal(k))[keep.bool()].mean()


class E05a_angles:
    """zero for the corners of a simplex, and for nothing else (05a.3).
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
