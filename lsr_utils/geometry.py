"""The geometry of penultimate features: the template plane, tightness, neural collapse.

A class's *template* is its row of the last layer's weight. Results are float64; every
class counts alike, however many samples it has.

features     : (..., N, D); leading axes are networks, each with a result of its own
targets      : (N,) or (..., N) class indices
weight, bias : (..., K, D) and (..., K) of the last layer
vectors      : (..., K, D), class means or templates
raises       : ValueError, TypeError or IndexError for labels that are none, a class of
               too few samples, and where a result would be rounding alone

Taught in notebook 05.
"""

from collections import namedtuple
from dataclasses import dataclass

import torch
from torch.nn.functional import one_hot

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
    """How far features lie from their class mean, and class means from their centre.

    returns : Scatter: the traces of the within-class and between-class covariance, and
              their ratio; every class has two samples or more

    Papyan, Han & Donoho 2020, section 2.
    """
    features, members = _classes(features, targets, num_classes)
    unit = _unit(features)
    within, between = _scatters(features / unit, members)
    _refuse(between <= TINY**2, "class means")
    unit = unit[..., 0, 0]
    return Scatter(within * unit * unit, between * unit * unit, within / between)


def class_separation(features, targets, num_classes=6):
    """R^2 of the classes by cosine distance: 1 when each class has one direction.

    1 - mean distance within classes / mean distance of all pairs: Kornblith et al. 2021
    (2010.16402). On features of length 1 the mean cosine distance of two is their mean
    squared distance from the centre, so R^2 = between / (within + between).
    """
    features, members = _classes(features, targets, num_classes)
    features = features / _unit(features, -1)
    lengths = features.norm(dim=-1, keepdim=True)
    _refuse(lengths == 0, "features", "be longer than 0")
    within, between = _scatters(features / lengths, members)
    _refuse(within + between <= TINY**2, "directions of features")
    return between / (within + between)


def nc1(features, targets, num_classes=6):
    """First sign of neural collapse: scatter within, in units of that between classes.

    trace(W B^+) / K with the within-class and between-class covariance W and B; 0 when
    every class is one point; scale-free, and of the K - 1 directions between class
    means alone. Papyan, Han & Donoho 2020, figure 6.
    """
    features, members = _classes(features, targets, num_classes)
    features = features / _unit(features)
    means = _means(features, members)
    _refuse(_scatters(features, members)[1] <= TINY**2, "class means")
    # B = S' S / K with centred means S: B's own inverse would square the condition.
    inverse = torch.linalg.pinv(_centred(means), atol=TINY, rtol=0.0)  # (..., D, K)
    off = (features - members @ means) @ inverse
    return _mean_of(off.square().sum(-1), members)


def equal_norms(vectors):
    """Second sign of neural collapse: are class means (or templates) equally long?

    returns : Spread, standard deviation of the lengths of the vectors less their mean,
              and its ratio to the mean length; 0 when all are equal

    Papyan, Han & Donoho 2020, figure 2. They leave templates their mean, which no
    softmax can see; here it is taken out.
    """
    vectors = check.numbers(vectors, "vectors").double()
    unit = _unit(vectors)
    lengths = _centred(vectors / unit).norm(dim=-1)
    _refuse(lengths.amax(-1) <= TINY, "vectors")
    raw = lengths.std(-1, correction=0)
    return Spread(raw * unit[..., 0, 0], raw / lengths.mean(-1))


def cosines(vectors):
    """Cosines of the angles between vectors less their mean: (..., K, K).

    In a simplex all are -1 / (K - 1), beside the ones on the diagonal. Papyan, Han &
    Donoho 2020, figure 3, with the change of ``equal_norms``.
    """
    vectors = check.numbers(vectors, "vectors").double()
    centred = _centred(vectors / _unit(vectors))
    lengths = centred.norm(dim=-1, keepdim=True)
    _refuse(lengths <= TINY, "vectors", "differ from their mean")
    return (centred / lengths) @ (centred / lengths).mT


def equal_angles(vectors):
    """Second sign of neural collapse: are all angles those of a simplex?

    Mean over pairs of |cosine + 1 / (K - 1)|. Papyan, Han & Donoho 2020, figure 4.
    """
    found = cosines(vectors)
    num_classes = found.shape[-1]
    above, left = torch.triu_indices(*found.shape[-2:], 1, device=found.device)
    return (found[..., above, left] + 1 / (num_classes - 1)).abs().mean(-1)


def self_duality(weight, features, targets, centred=False):
    """Third sign of neural collapse: do the templates point where the class means do?

    centred : subtract the templates' mean; False is as published
    returns : Spread, squared Frobenius distances of the templates from the class means
              less their mean; relative: each scaled to norm 1 first, so that 0 is the
              same shape, 2 is at right angles, 4 is the opposite

    Papyan, Han & Donoho 2020, figure 5.
    """
    weight = check.numbers(weight, "weight").double()
    features, members = _classes(features, targets, weight.shape[-2], least=1)
    _check_width(weight, features.shape[-1], "weight")
    units = _unit(weight), _unit(features)
    templates, means = weight / units[0], _means(features / units[1], members)
    templates, means = _centred(templates) if centred else templates, _centred(means)
    raw = (templates * units[0] - means * units[1]).square().sum((-2, -1))
    lengths = [t.norm(dim=(-2, -1), keepdim=True) for t in (templates, means)]
    _refuse(torch.minimum(*lengths) <= TINY, "templates and class means")
    templates, means = templates / lengths[0], means / lengths[1]
    return Spread(raw, (templates - means).square().sum((-2, -1)))


def other_templates(weight, features, targets):
    """Is a feature equally far from the templates of all *other* classes?

    returns : Others; raw is the standard deviation of the K - 1 squared distances, mean
              over samples; share is the part of the variance of all K that lies among
              the others, of sums over samples: 0 when every sample is equally far from
              them, (K - 2) / (K - 1) on average when the own template is like others

    Müller, Kornblith & Hinton 2019, section 2.
    """
    weight = check.numbers(weight, "weight").double()
    features, members = _classes(features, targets, weight.shape[-2], least=1)
    unit = torch.maximum(_unit(weight), _unit(features))
    exact = "donot_use_mm_for_euclid_dist"
    squared = torch.cdist(features / unit, weight / unit, compute_mode=exact).square()
    own = members.expand_as(squared).bool()
    others = squared[~own].view(*squared.shape[:-1], -1)
    among = _mean_of(others.var(-1, correction=0) * others.shape[-1], members)
    whole = _mean_of(squared.var(-1, correction=0) * squared.shape[-1], members)
    _refuse(whole.sqrt() <= TINY * squared.amax((-2, -1)), "templates")
    raw = _mean_of(others.std(-1, correction=0), members)
    return Others(raw * unit[..., 0, 0] ** 2, among / whole)


@dataclass(frozen=True)
class TemplatePlane:
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
        features = check.numbers(features, "features").double()
        _check_width(features, self.axes.shape[-2], "features")
        return (features - self.origin.unsqueeze(-2)) @ self.axes

    def logit_differences(self, points):
        """Logits a - b, a - c, b - c at points (..., N, 2) of the plane: (..., N, 3).

        Of a projected feature they are the network's own: linear in the two numbers.
        """
        points = check.numbers(points, "points").double()
        return points @ _pairs(self.templates, -2).mT + self.offsets.unsqueeze(-2)


def template_plane(weight, triple, bias=None):
    """The TemplatePlane through the templates of three different classes.

    They may not lie on one line: the smallest height of their triangle is more than
    1e-6 times the longest of them, ten times the rounding of float32 (in half
    precision: 4 times the dtype's eps). Müller, Kornblith & Hinton 2019, section 2.
    """
    weight = check.numbers(weight, "weight")
    rounding = torch.finfo(weight.dtype).eps if weight.is_floating_point() else 0.0
    num_classes = weight.shape[-2]
    triple = tuple(check.whole(k, "triple", 0, num_classes - 1) for k in triple)
    corners = weight[..., list(triple), :].double()  # (..., 3, D)
    unit = _unit(corners)  # of lengths, and here of logits
    corners, unit = corners / unit, unit.squeeze(-1)
    origin = corners.mean(-2)
    axes, r = torch.linalg.qr((corners[..., 1:, :] - corners[..., :1, :]).mT)
    heights = r.diagonal(dim1=-2, dim2=-1)
    area = heights.abs().prod(-1)  # of two triangles
    longest = _pairs(corners, -2).norm(dim=-1).amax(-1)
    least = max(FLAT, 4 * rounding) * corners.norm(dim=-1).amax(-1)
    _refuse(area <= least * longest, f"templates of {triple}", "span a plane, no line")
    axes = axes * heights.sign().unsqueeze(-2)  # QR leaves them open: right, and up
    templates = (corners - origin.unsqueeze(-2)) @ axes
    logits = (corners @ origin.unsqueeze(-1)).squeeze(-1) * unit
    if bias is not None:
        bias = check.numbers(bias, "bias").double()
        _check_width(bias, num_classes, "bias")
        logits = logits + bias[..., list(triple)] / unit
    slopes, offsets = _pairs(templates, -2), _pairs(logits)
    centre = torch.linalg.solve(slopes[..., :2, :], -offsets[..., :2].unsqueeze(-1))
    rays = torch.stack([slopes[..., 1], -slopes[..., 0]], -1)  # at right angles
    # Away from the third template: there the pair's logits are the largest.
    away = (templates[..., [0, 0, 1], :] - templates[..., [2, 1, 0], :]) * rays
    rays = rays * away.sum(-1, keepdim=True).sign()
    rays = rays / rays.norm(dim=-1, keepdim=True)
    return TemplatePlane(
        triple, origin * unit, axes, templates * unit.unsqueeze(-1), offsets * unit,
        centre.squeeze(-1), rays,
    )  # fmt: skip


def _classes(features, targets, num_classes, least=2):
    """Features (..., N, D) and which class each is of (..., N, K), in float64."""
    features = check.numbers(features, "features").double()
    rows = features[..., :1].expand(*features.shape[:-1], num_classes)
    members = one_hot(check.labels(targets, rows), num_classes).double()
    fewest, k = members.sum(-2).reshape(-1, num_classes).amin(0).min(0)
    if fewest < least:
        raise ValueError(
            f"targets must have at least {least} samples of each of {num_classes} "
            f"classes, got {int(fewest)} of class {int(k)}."
        )
    return features, members


def _means(values, members):
    """Mean of values (..., N, D) in each class: (..., K, D)."""
    return members.mT @ values / members.sum(-2).unsqueeze(-1)


def _mean_of(values, members):
    """Of a number for each sample (..., N): mean in each class, then over classes."""
    return _means(values.unsqueeze(-1), members).mean((-2, -1))


def _scatters(values, members):
    """Mean squared distances: from the class mean, and of those from their mean."""
    means = _means(values, members)
    within = _mean_of((values - members @ means).square().sum(-1), members)
    return within, _centred(means).square().sum(-1).mean(-1)


def _centred(vectors):
    return vectors - vectors.mean(-2, keepdim=True)


def _unit(values, dim=(-2, -1)):
    """The largest size of a number, or 1: in units of it no square is lost."""
    largest = values.abs().amax(dim, keepdim=True)
    return largest.where(largest > 0, 1.0)


def _pairs(values, dim=-1):
    """a - b, a - c, b - c of the three along an axis."""
    a, b, c = values.unbind(dim)
    return torch.stack([a - b, a - c, b - c], dim)


def _check_width(values, width, name):
    """A width of 1 would be taken for any other, without a word."""
    if values.shape[-1] != width:
        raise ValueError(f"{name} must have width {width}, got {values.shape[-1]}.")


def _refuse(wrong, name, must="differ, got equal ones"):
    """Where what must differ is equal but for rounding, any ratio of it is chance."""
    if wrong.any():
        raise ValueError(f"{name} must {must}.")
