"""What the measures share: checked inputs in float64, and the classes of a sample."""

import torch

from ..calibration.rows import checked_numbers, checked_targets
from ..targets import check_count

TINY = 1e-12  # of the largest feature: what is smaller is rounding


class Classes:
    """The classes of features (..., N, D): who belongs to which, and their scatters.

    features : kept in units of ``unit`` (..., 1, 1), so that no square is lost
    least    : samples that every class must have
    source   : where num_classes comes from, for the message
    raises   : ValueError for features or targets, naming a class with too few samples;
               IndexError for a label out of range; TypeError for what is no number
    """

    def __init__(self, features, targets, num_classes, least=2, source="num_classes"):
        features = _as_matrix(features, "features")
        num_classes = check_count(num_classes, "num_classes", least=2)
        rows = features[..., :1].expand(*features.shape[:-1], num_classes)
        targets = checked_targets(targets, rows)
        _check_finite(features, "features", "", targets)
        self.one_hot = torch.nn.functional.one_hot(targets, num_classes).double()
        self._counts = self.one_hot.sum(-2)  # (..., K)
        few = self._counts < least
        if few.any():
            *network, k = few.nonzero()[0].tolist()
            count = int(self._counts[tuple(network)][k])
            raise ValueError(
                f"targets must have at least {least} sample{'s' * (least > 1)} of each "
                f"of {num_classes} classes ({source}), got {count} of class "
                f"{k}{_named(network)}."
            )
        self.unit = power_of_two(features)
        self.features = features / self.unit
        self.scale = self.features.norm(dim=-1).amax(-1)

    def means(self, vectors):
        """Mean of a vector for each sample (..., N, D) in each class: (..., K, D)."""
        return (self.one_hot.mT @ vectors) / self._counts.unsqueeze(-1)

    def mean_of(self, values):
        """Of a number for each sample (..., N): mean in each class, then over them."""
        return self.means(values.unsqueeze(-1)).squeeze(-1).mean(-1)

    def deviations(self, vectors):
        """Vectors (..., N, D) less the mean of their class."""
        return vectors - self.one_hot @ self.means(vectors)

    def scatters(self, vectors):
        """Mean squared distances: from class mean, and of those from their mean."""
        within = self.mean_of(self.deviations(vectors).square().sum(-1))
        means = centred_on_mean(self.means(vectors))
        return within, means.square().sum(-1).mean(-1)


def power_of_two(values, dim=(-2, -1)):
    """What to divide by, to bring the largest value below 1 without any rounding."""
    largest = values.abs().amax(dim, keepdim=True)
    return torch.where(largest > 0, largest / torch.frexp(largest).mantissa, 1.0)


def matrix(values, name, note=""):
    """As a float64 tensor (..., rows, D), finite, with at least one row and D >= 2.

    note : ends the message of the ValueError, to say for what it was wanted
    """
    values = _as_matrix(values, name, note)
    _check_finite(values, name, note)
    return values


def _as_matrix(values, name, note=""):
    values = checked_numbers(values, name)
    if values.dtype == torch.bool:
        raise TypeError(f"{name} must be real numbers, got dtype {values.dtype}.")
    if values.dim() < 2 or 0 in values.shape:
        raise ValueError(
            f"{name} must have shape (..., rows, width) without an empty axis, got "
            f"{tuple(values.shape)}{note}."
        )
    if values.shape[-1] < 2:
        raise ValueError(
            f"{name} must have a width of at least 2, got {values.shape[-1]}{note}: on "
            "a line there are no angles and no plane."
        )
    return values.double()


def _check_finite(values, name, note="", targets=None):
    wrong = ~values.isfinite()
    if wrong.any():
        *network, row, _ = wrong.nonzero()[0].tolist()
        if targets is not None:
            note = f", a sample of class {targets[(*network, row)].item()}"
        raise ValueError(
            f"{name} must be finite numbers, got {values[wrong][0].item()} in row "
            f"{row}{_named(network)}{note}."
        )
    largest = values.abs().max().item()
    if largest > 1e150:
        raise ValueError(
            f"{name} must be small enough to be squared, got {largest:g}{note}."
        )


def centred_on_mean(vectors):
    """Vectors (..., K, D) less their mean."""
    return vectors - vectors.mean(-2, keepdim=True)


def check_width(values, width, name="features"):
    """Raise ``ValueError`` when values (..., rows, D) have another width."""
    if values.shape[-1] != width:
        raise ValueError(
            f"{name} must have the width {width} here, got {values.shape[-1]}."
        )


def check_leading(first, second, name="weight"):
    """Raise ``ValueError`` when the leading axes of two do not go together."""
    one, two = first.shape[:-2], second.shape[:-2]
    if one and two and one != two:
        raise ValueError(
            f"{name} must have the leading axes of the others, got {tuple(one)} and "
            f"{tuple(two)}."
        )


def refuse(wrong, sentence):
    """Raise ``ValueError`` when a network is ``wrong`` (...), naming the first."""
    if wrong.any():
        network = wrong.nonzero()[0].tolist()
        raise ValueError(f"{sentence}{_named(network)}.")


def _named(network):
    """ " in network 3", and nothing for a single network."""
    if not network:
        return ""
    return f" in network {network[0] if len(network) == 1 else tuple(network)}"
