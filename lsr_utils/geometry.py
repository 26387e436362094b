"""The geometry of penultimate features: the template plane, tightness, neural collapse.

A class's *template* is its row of the last layer's weight. Results are float64; every
class counts alike, however many samples it has.

features     : (..., N, D); leading axes are networks, each with a result of its own
targets      : (N,) or (..., N) class indices
weight, bias : (..., K, D) and (..., K) of the last layer
vectors      : (..., K, D), class means or templates
raises       : ValueError, TypeError or IndexError for wrong labels, a class of
               too few samples, and where a result would be rounding alone

Neural collapse is that of Papyan, Han & Donoho 2020. Taught in notebook 05.
"""

from collections import namedtuple
from typing import NamedTuple

import torch
from torch.nn.functional import normalize, one_hot

from . import check

TINY = 1e-12  # of the largest number: what is smaller is rounding
FLAT = 1e-6  # of the longest template: a triangle less high is a line, rounded

# Each (...), in units of the features or their square; ratio, relative, share are free.
Scatter = namedtuple("Scatter", "within between ratio")
Spread = namedtuple("Spread", "raw relative")
Others = namedtuple("Others", "raw share")


def class_means(features, targets, num_classes=6):
    """Mean feature of each class: (..., K, D)."""
    return _means(*_classes(features, targets, num_classes, least=1))


def scatter(features, targets, num_classes=6):
    """Traces of the covariance within and between classes, and their ratio: Scatter.

    That is mean squared distances; every class has two samples or more.
    """
    features, members = _classes(features, targets, num_classes)
    means = _means(features, members)
    within = _mean_of((features - members @ means).square().sum(-1), members)
    between = _centred(means).square().sum(-1).mean(-1)
    _refuse(between.sqrt() <= _rounding(features), "class means")
    return Scatter(within, between, within / between)


def class_separation(features, targets, num_classes=6):
    """R^2 of the classes by cosine distance: 1 when each class has one direction.

    At length 1 it is between / (within + between) (Kornblith et al. 2021).
    """
    features = _matrix(features, "features")
    lengths = features.norm(dim=-1, keepdim=True)
    _refuse(lengths == 0, "features", "be longer than 0")
    within, between, _ = scatter(features / lengths, targets, num_classes)
    return between / (within + between)


def nc1(features, targets, num_classes=6):
    """First sign of neural collapse: trace(W B^+) / K, 0 when every class is one point.

    W and B are the covariance within and between classes (figure 6).
    """
    features, members = _classes(features, targets, num_classes)
    means, rounding = _means(features, members), _rounding(features)
    _refuse(_centred(means).norm(dim=-1).amax(-1) <= rounding, "class means")
    # B = S' S / K with centred means S: B's own inverse would square the condition.
    inverse = torch.linalg.pinv(_centred(means), atol=rounding)  # (..., D, K)
    off = (features - members @ means) @ inverse
    return _mean_of(off.square().sum(-1), members)


def cosines(vectors):
    """Cosines (..., K, K) of vectors less their mean, -1 / (K - 1) in a simplex."""
    vectors = _matrix(vectors, "vectors")
    centred = _centred(vectors)
    shortest = centred.norm(dim=-1).amin(-1)
    _refuse(shortest <= _rounding(vectors), "vectors", "differ from their mean")
    unit = centred / centred.norm(dim=-1, keepdim=True)
    return unit @ unit.mT


def equal_angles(vectors):
    """Second sign (figure 4): mean over pairs of |cosine + 1 / (K - 1)|."""
    found = cosines(vectors)
    num_classes = found.shape[-1]
    above, left = torch.triu_indices(*found.shape[-2:], 1, device=found.device)
    return (found[..., above, left] + 1 / (num_classes - 1)).abs().mean(-1)


def self_duality(weight, features, targets, centred=False):
    """Third sign (figure 5): do the templates point where the class means do?

    centred : subtract the templates' mean; False is as published
    returns : Spread, squared distance of the templates from the class means less their
              mean; relative: each scaled to norm 1 first, so that 0 is the same shape,
              2 at right angles, 4 the opposite
    """
    weight = _matrix(weight, "weight")
    features, members = _classes(features, targets, weight.shape[-2], least=1)
    weight = check.finite(weight, "weight", features.shape[-1]).to(features.device)
    both = _centred(weight) if centred else weight, _centred(_means(features, members))
    unit = []
    for vectors, whole in zip(both, (weight, features), strict=True):
        length = vectors.norm(dim=(-2, -1))
        _refuse(length <= _rounding(whole), "templates and class means")
        unit.append(vectors / length[..., None, None])
    return Spread(*((a - b).square().sum((-2, -1)) for a, b in (both, unit)))


def other_templates(weight, features, targets):
    """Is a feature equally far from other templates? (Müller et al. 2019, section 2)

    returns : Others; raw is the standard deviation of the K - 1 squared distances, mean
              over samples; share is their part of the variance of all K, 0 when all are
              equal, (K - 2) / (K - 1) on average when the own template is like others
    """
    weight = _matrix(weight, "weight")
    features, members = _classes(features, targets, weight.shape[-2], least=1)
    weight = check.finite(weight, "weight", features.shape[-1])
    exact = "donot_use_mm_for_euclid_dist"
    squared = torch.cdist(features, weight, compute_mode=exact).square()
    others = squared[~members.expand_as(squared).bool()].view(*squared.shape[:-1], -1)
    among = _mean_of(others.var(-1, correction=0) * others.shape[-1], members)
    whole = _mean_of(squared.var(-1, correction=0) * squared.shape[-1], members)
    _refuse(whole.sqrt() <= _rounding(squared), "templates")
    return Others(_mean_of(others.std(-1, correction=0), members), among / whole)


class TemplatePlane(NamedTuple):
    """The plane through the templates of classes a, b, c, and what is exact in it."""

    triple: tuple  # a, b, c
    origin: torch.Tensor  # (..., D) centre of the three templates: point (0, 0)
    axes: torch.Tensor  # (..., D, 2) orthonormal: b to the right of a, c above them
    templates: torch.Tensor  # (..., 3, 2) the templates in the plane
    offsets: torch.Tensor  # (..., 3) logit differences a - b, a - c, b - c at (0, 0)
    centre: torch.Tensor  # (..., 2) the point at which all three logits are equal
    # Where a and b, a and c, b and c share the largest logit: rays from the centre.
    directions: torch.Tensor  # (..., 3, 2) their unit vectors

    def project(self, features):
        """Features (..., N, D) to points (..., N, 2) of the plane."""
        features = check.finite(features, "features", self.axes.shape[-2])
        features = features.to(self.axes.device)
        return (features - self.origin.unsqueeze(-2)) @ self.axes

    def logit_differences(self, points):
        """Logits a - b, a - c, b - c (..., N, 3) at points (..., N, 2), exact."""
        points = check.finite(points, "points", 2).to(self.offsets.device)
        return points @ _pairs(self.templates, -2).mT + self.offsets.unsqueeze(-2)


def template_plane(weight, triple, bias=None):
    """The TemplatePlane of three different classes (Müller et al. 2019, section 2).

    Their templates may not lie on one line: the smallest height of the triangle is more
    than 1e-6 times the longest, ten times the rounding of float32.
    """
    kind, weight = check.numbers(weight, "weight").dtype, _matrix(weight, "weight")
    rounding = torch.finfo(kind).eps if kind.is_floating_point else 0.0
    num_classes = weight.shape[-2]
    triple = tuple(check.whole(k, "triple", 0, num_classes - 1) for k in triple)
    corners = weight[..., list(triple), :]  # (..., 3, D)
    origin = corners.mean(-2)
    axes, r = torch.linalg.qr((corners[..., 1:, :] - corners[..., :1, :]).mT)
    heights = r.diagonal(dim1=-2, dim2=-1)
    area = heights.abs().prod(-1)  # of two triangles
    longest = _pairs(corners, -2).norm(dim=-1).amax(-1)
    least = max(FLAT, 4 * rounding) * corners.norm(dim=-1).amax(-1)
    flat = (area <= least * longest) | (weight.shape[-1] < 2)  # or in one dimension
    _refuse(flat, f"templates of {triple}", "span a plane, no line")
    axes = axes * heights.sign().unsqueeze(-2)  # QR leaves them open: right, and up
    templates = (corners - origin.unsqueeze(-2)) @ axes
    logits = (corners @ origin.unsqueeze(-1)).squeeze(-1)
    if bias is not None:
        bias = check.finite(bias, "bias", num_classes).to(logits.device)
        logits = logits + bias[..., list(triple)]
    slopes, offsets = _pairs(templates, -2), _pairs(logits)
    centre = torch.linalg.solve(slopes[..., :2, :], -offsets[..., :2])
    rays = torch.stack([slopes[..., 1], -slopes[..., 0]], -1)  # at right angles
    # Away from the third template: there the pair's logits are the largest.
    away = (templates[..., [0, 0, 1], :] - templates[..., [2, 1, 0], :]) * rays
    rays = normalize(rays * away.sum(-1, keepdim=True).sign(), dim=-1, eps=0.0)
    return TemplatePlane(triple, origin, axes, templates, offsets, centre, rays)


def _matrix(values, name):
    """Values (..., N, D) in float64."""
    values = check.finite(values, name)
    fits, shape = values.dim() > 1 and values.numel(), tuple(values.shape)
    check.that(fits, f"{name} must have two axes or more, nowhere 0", f"shape {shape}")
    return values


def _classes(features, targets, num_classes, least=2):
    """Features (..., N, D) and which class each is of (..., N, K), in float64."""
    num_classes = check.whole(num_classes, "num_classes", 1)
    features = _matrix(features, "features")
    rows = features[..., :1].expand(*features.shape[:-1], num_classes)
    members = one_hot(check.labels(targets, rows), num_classes).double()
    fewest, k = members.sum(-2).long().reshape(-1, num_classes).amin(0).min(0)
    need = f"at least {least} samples of each of {num_classes} classes"
    check.that(fewest >= least, f"targets must have {need}", f"{fewest} of class {k}")
    return features, members


def _means(values, members):
    """Mean of values (..., N, D) in each class: (..., K, D)."""
    return members.mT @ values / members.sum(-2).unsqueeze(-1)


def _mean_of(values, members):
    """Of a number for each sample (..., N): mean in each class, then over classes."""
    return _means(values.unsqueeze(-1), members).mean((-2, -1))


def _centred(vectors):
    return vectors - vectors.mean(-2, keepdim=True)


def _rounding(values):
    """How large rounding makes a difference of such values (..., N, D): (...)."""
    return TINY * values.abs().amax((-2, -1))


def _pairs(values, dim=-1):
    """a - b, a - c, b - c of the three along an axis."""
    a, b, c = values.unbind(dim)
    return torch.stack([a - b, a - c, b - c], dim)


def _refuse(wrong, name, must="differ, got equal ones"):
    """Refuse values that differ only by rounding: their ratio would be chance."""
    if wrong.any():
        raise ValueError(f"{name} must {must}.")
