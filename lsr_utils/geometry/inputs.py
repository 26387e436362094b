"""What the measures share: checked inputs in float64, and the classes of a sample."""

import torch

from ..targets import check_count

TINY = 1e-12  # of the largest feature: what is smaller is rounding


class Classes:
    """The classes of features (..., N, D): who belongs to which, and their means.

    least  : samples that every class must have
    raises : ValueError for features or targets, naming a class with too few samples
    """

    def __init__(self, features, targets, num_classes, least=2):
        features = _as_matrix(features, "features")
        num_classes = check_count(num_classes, "num_classes", least=2)
        targets = _class_indices(targets, features, num_classes)
        _check_finite(features, "features", "", targets)
        self.one_hot = torch.nn.functional.one_hot(targets, num_classes).double()
        self._counts = self.one_hot.sum(-2)  # (..., K)
        few = self._counts < least
        if few.any():
            *network, k = few.nonzero()[0].tolist()
            count = int(self._counts[tuple(network)][k])
            raise ValueError(
                f"class {k} must have at least {least} sample{'s' * (least > 1)}, got "
                f"{count}{_named(network)}."
            )
        self.scale = features.norm(dim=-1).amax(-1)
        self.means = (self.one_hot.mT @ features) / self._counts.unsqueeze(-1)
        self.deviations = features - self.one_hot @ self.means

    def mean_of(self, values):
        """Of a number for each sample (..., N): mean in each class, then over them."""
        sums = (self.one_hot.mT @ values.unsqueeze(-1)).squeeze(-1)
        return (sums / self._counts).mean(-1)

    def within(self):
        """Mean squared distance of a feature from its class mean."""
        return self.mean_of(self.deviations.square().sum(-1))

    def between(self):
        """Mean squared distance of a class mean from their common mean."""
        return centred_on_mean(self.means).square().sum(-1).mean(-1)


def matrix(values, name, note=""):
    """As a float64 tensor (..., rows, D), finite, with at least one row and D >= 2.

    note : ends the message of the ValueError, to say for what it was wanted
    """
    values = _as_matrix(values, name, note)
    _check_finite(values, name, note)
    return values


def tensor(values, name, note=""):
    """As a tensor, or ``ValueError``."""
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be a tensor, got {values!r}{note}.") from None


def _as_matrix(values, name, note=""):
    values = tensor(values, name, note)
    if values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} must be real numbers, got dtype {values.dtype}.")
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
    return values.detach().double()


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
        raise ValueError(f"{sentence}{where(wrong)}.")


def where(wrong):
    """ " in network 3" for the first that is wrong, nothing for a single network."""
    return _named(wrong.nonzero()[0].tolist())


def _named(network):
    if not network:
        return ""
    return f" in network {network[0] if len(network) == 1 else tuple(network)}"


def _class_indices(targets, features, num_classes):
    targets = tensor(targets, "targets").to(features.device)
    if targets.dtype in (torch.bool, torch.cfloat) or targets.is_floating_point():
        raise ValueError(f"targets must be class indices, got dtype {targets.dtype}.")
    rows, leading = features.shape[-2], features.shape[:-2]
    if tuple(targets.shape) not in ((rows,), (*leading, rows)):
        raise ValueError(
            f"targets must have shape {(rows,)} or {(*leading, rows)}, got "
            f"{tuple(targets.shape)}."
        )
    targets = targets.long()
    if targets.min() < 0 or targets.max() >= num_classes:
        bad = targets.min() if targets.min() < 0 else targets.max()
        raise ValueError(
            f"targets must lie in 0 ... {num_classes - 1}, got {bad.item()}."
        )
    return targets.expand(*leading, rows)
