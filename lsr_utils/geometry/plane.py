"""The plane through three templates, and distances from templates."""

import operator
import reprlib
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..calibration.rows import checked_numbers
from .inputs import (
    TINY,
    Classes,
    check_leading,
    check_width,
    matrix,
    power_of_two,
    refuse,
)

FLAT = 1e-6  # of the longest template: a triangle less high is a line, rounded


@dataclass(frozen=True)
class TemplatePlane:
    """The plane through three templates, and what is exact in it.

    triple     : three class indices a, b, c
    origin     : (..., D) centre of the three templates, which is point (0, 0)
    axes       : (..., D, 2) orthonormal; b lies to the right of a, c above them
    templates  : (..., 3, 2) the templates in the plane
    offsets    : (..., 3) of the logit differences a - b, a - c, b - c at (0, 0)
    centre     : (..., 2) the point at which all three logits are equal
    directions : (..., 3, 2) unit vectors: from the centre, ray k is where classes
                 a and b, a and c, b and c share the largest of the three logits
    """

    triple: tuple
    origin: torch.Tensor
    axes: torch.Tensor
    templates: torch.Tensor
    offsets: torch.Tensor
    centre: torch.Tensor
    directions: torch.Tensor

    def project(self, features):
        """Features (..., N, D) to points (..., N, 2) of the plane.

        raises : ValueError for features that are not finite or not of width D
        """
        features = matrix(features, "features")
        check_width(features, self.axes.shape[-2])
        check_leading(features, self.axes, "features")
        return (features - self.origin.unsqueeze(-2)) @ self.axes

    def logit_differences(self, points):
        """Logits a - b, a - c, b - c at points (..., N, 2) of the plane: (..., N, 3).

        Of a projected feature they are the network's own: linear in the two numbers.
        raises : ValueError for points that are not finite pairs
        """
        points = matrix(points, "points")
        check_width(points, 2, "points")
        check_leading(points, self.templates, "points")
        slopes = _pair_differences(self.templates, -2)  # (..., 3, 2)
        return points @ slopes.mT + self.offsets.unsqueeze(-2)


def template_plane(weight, triple, bias=None):
    """The plane through the templates of three classes.

    weight  : (..., K, D) of the last layer, D at least 2
    triple  : three different class indices
    bias    : (..., K) of the last layer, or None where it has none
    returns : TemplatePlane
    raises  : ValueError, naming the triple, when there are not three different classes
              or their templates lie on one line; for weight and bias

    On one line are templates whose triangle has a smallest height of at most 1e-6 times
    the longest of them, whatever the dtype: ten times the rounding of float32, which
    templates keep in a list or in float64. In half precision it is 4 times the dtype's
    eps.

    Müller, Kornblith & Hinton 2019, section 2: the basis of the plane that crosses
    the three templates. Taught in 05 section 2.
    """
    weight = checked_numbers(weight, "weight")
    is_float = weight.is_floating_point()
    rounding = torch.finfo(weight.dtype).eps if is_float else 0.0
    weight = matrix(weight, "weight", f" for the triple {_short(triple)}")
    triple = _check_triple(triple, weight.shape[-2])
    corners = weight[..., list(triple), :]  # (..., 3, D)
    unit = power_of_two(corners)
    corners = corners / unit
    origin = corners.mean(-2)
    sides = (corners[..., 1:, :] - corners[..., :1, :]).mT  # (..., D, 2)
    axes, r = torch.linalg.qr(sides)
    # QR leaves the signs open: to the right, and up.
    signs = torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(axes)
    axes = axes * signs.unsqueeze(-2)
    area = r.diagonal(dim1=-2, dim2=-1).abs().prod(-1)  # of two triangles
    longest = _pair_differences(corners, -2).norm(dim=-1).amax(-1)
    most = max(FLAT, 4 * rounding) * corners.norm(dim=-1).amax(-1)
    refuse(
        area <= most * longest,
        f"weight must have templates that span a plane, got classes {triple} on one "
        "line",
    )
    templates = (corners - origin.unsqueeze(-2)) @ axes
    slopes = _pair_differences(templates, -2)
    logits = (corners @ origin.unsqueeze(-1)).squeeze(-1) * unit.squeeze(-1)
    if bias is not None:
        logits = logits + _bias(bias, weight)[..., list(triple)] / unit.squeeze(-1)
    offsets = _pair_differences(logits)  # in units, as the slopes are
    centre = torch.linalg.solve(
        slopes[..., :2, :], -offsets[..., :2].unsqueeze(-1)
    ).squeeze(-1)
    rays = torch.stack([slopes[..., 1], -slopes[..., 0]], -1)  # at right angles
    third = templates[..., [2, 1, 0], :]  # not of the pair: the ray leads away from it
    first = templates[..., [0, 0, 1], :]
    away = ((first - third) * rays).sum(-1, keepdim=True)
    rays = rays * torch.where(away < 0, -1.0, 1.0).to(rays)
    directions = rays / rays.norm(dim=-1, keepdim=True)
    origin, templates = origin * unit.squeeze(-1), templates * unit
    offsets = offsets * unit.squeeze(-1)
    return TemplatePlane(triple, origin, axes, templates, offsets, centre, directions)


def template_distances(weight, features):
    """Distance of every feature from every template: (..., N, K).

    weight, features : (..., K, D) of the last layer, (..., N, D)
    raises           : ValueError for weight or features

    Müller, Kornblith & Hinton 2019, section 2.
    """
    distances, unit = _distances(weight, features)
    return distances * unit


class Others(NamedTuple):
    """Standard deviation of squared distances (...), and a scale-free share of it."""

    raw: torch.Tensor
    share: torch.Tensor


def other_templates(weight, features, targets):
    """Is a feature equally far from the templates of all *other* classes?

    weight, features, targets : (..., K, D) with K at least 3, (..., N, D), class
               indices (N,) or (..., N)
    returns  : Others; raw is the standard deviation of the K - 1 squared distances,
               mean over samples; share is the part of the variance of all K squared
               distances that lies among the others, of sums over samples: 0 when every
               sample is equally far from them, (K - 2) / (K - 1) on average when the
               own template is like any other. Classes count alike
    raises   : as ``scatter`` for features and targets, ValueError for weight and for
               equal templates

    Müller, Kornblith & Hinton 2019, section 2. Taught in 05 section 4.
    """
    distances, unit = _distances(weight, features)
    squared = distances.square()
    num_classes = squared.shape[-1]
    if num_classes < 3:
        raise ValueError(
            f"weight must hold at least 3 classes to have two others, got "
            f"{num_classes}."
        )
    classes = Classes(features, targets, num_classes, 1, "the rows of weight")
    own = classes.one_hot.expand_as(squared).bool()
    others = squared[~own].view(*squared.shape[:-1], num_classes - 1)
    among = classes.mean_of(others.var(-1, correction=0) * (num_classes - 1))
    whole = classes.mean_of(squared.var(-1, correction=0) * num_classes)
    tiny = TINY * squared.amax((-2, -1))
    refuse(whole.sqrt() <= tiny, "weight must hold different templates, got equal ones")
    unit = unit[..., 0, 0]
    raw = classes.mean_of(others.std(-1, correction=0)) * unit * unit
    return Others(raw, among / whole)


def _distances(weight, features):
    """Distances (..., N, K) in units of the second, (..., 1, 1): no square is lost."""
    weight, features = matrix(weight, "weight"), matrix(features, "features")
    check_width(features, weight.shape[-1])
    check_leading(weight, features)
    unit = torch.maximum(power_of_two(weight), power_of_two(features))
    return torch.cdist(
        features / unit, weight / unit, compute_mode="donot_use_mm_for_euclid_dist"
    ), unit


def _check_triple(triple, num_classes):
    """Three different class indices as a tuple of ints."""
    try:
        found = tuple(operator.index(k) for k in triple)
    except TypeError:
        found = ()
    inside = all(0 <= k < num_classes for k in found)
    if len(found) != 3 or len(set(found)) != 3 or not inside:
        raise ValueError(
            f"triple must be three different classes of 0 ... {num_classes - 1}, got "
            f"{_short(triple)}."
        )
    return found


def _short(value):
    """For a message: on one line, and never a whole array."""
    return " ".join(reprlib.repr(value).split())


def _bias(bias, weight):
    """The checked bias (..., K) of a weight (..., K, D)."""
    bias, num_classes = checked_numbers(bias, "bias"), weight.shape[-2]
    if bias.shape[-1:] != (num_classes,):
        raise ValueError(
            f"bias must have a number for each of {num_classes} classes, got shape "
            f"{tuple(bias.shape)}."
        )
    bias = matrix(bias.unsqueeze(-2), "bias")
    check_leading(weight, bias, "bias")
    return bias.squeeze(-2)


def _pair_differences(values, dim=-1):
    """a - b, a - c, b - c of the three along an axis."""
    a, b, c = values.unbind(dim)
    return torch.stack([a - b, a - c, b - c], dim)
