"""Checked input: rows of probabilities or logits, and their labels."""

import reprlib

import numpy as np
import torch


def checked_probabilities(probabilities, name="probabilities"):
    """Probabilities (..., N, K) as a detached floating-point tensor, or an error."""
    probabilities = _with_rows(probabilities, name)
    if not probabilities.is_floating_point():
        probabilities = probabilities.double()  # one-hot rows of whole numbers
    most = 1 + max(1e-6, torch.finfo(probabilities.dtype).eps)
    wrong = ~((probabilities >= 0) & (probabilities <= most))  # nan is wrong too
    if wrong.any():
        raise ValueError(
            f"{name} must lie in [0, 1] (a softmax of logits does), got "
            f"{probabilities[wrong][0].item():.4g}."
        )
    sums = probabilities.sum(-1, dtype=torch.float64)
    wrong = (sums - 1).abs() > _rounding(probabilities)
    if wrong.any():
        raise ValueError(
            f"{name} must sum to 1 in each row, got {sums[wrong][0].item():.4f}."
        )
    return probabilities


def checked_logits(logits):
    """Logits (..., N, K) as a detached float64 tensor, or an error."""
    logits = _with_rows(logits, "logits")
    rounding, logits = _rounding(logits), logits.double()
    if not logits.isfinite().all():
        bad = logits[~logits.isfinite()][0].item()
        raise ValueError(f"logits must be finite numbers, got {bad}.")
    sums_to_1 = ((logits.sum(-1) - 1).abs() <= rounding).all()
    if logits.shape[-1] > 1 and (logits >= 0).all() and sums_to_1:
        raise ValueError(
            "logits must come from before the softmax, got rows that are probabilities."
        )
    return logits


def checked_targets(targets, rows):
    """Class indices, expanded to the (..., N) of rows (..., N, K), or an error."""
    targets = checked_numbers(targets, "targets")
    if targets.dtype.is_floating_point or targets.dtype == torch.bool:
        raise TypeError(f"targets must be class indices, got dtype {targets.dtype}.")
    *leading, num_classes = rows.shape
    if list(targets.shape) not in (leading, leading[-1:]):
        wanted = dict.fromkeys((f"({leading[-1]},)", str(tuple(leading))))
        raise ValueError(
            f"targets must have shape {' or '.join(wanted)}, got "
            f"{tuple(targets.shape)}."
        )
    targets = targets.to(rows.device).long()
    if targets.min() < 0 or targets.max() >= num_classes:
        bad = targets.min() if targets.min() < 0 else targets.max()
        raise IndexError(
            f"targets must lie in 0 ... {num_classes - 1}, got {bad.item()}."
        )
    return targets.expand(leading)


def confidence_and_correct(probabilities, targets):
    """Confidence (..., N) of the predicted class, and whether it is the target.

    In the dtype of the probabilities, which decides the bin, and in float64. Of classes
    with the same probability the first is predicted.
    """
    probabilities = checked_probabilities(probabilities)
    targets = checked_targets(targets, probabilities)
    confidence, predicted = probabilities.max(-1)
    return confidence, (predicted == targets).double()


def confidence_and_truth(probabilities, posterior):
    """Confidence (..., N) and the true probability that the predicted class is right.

    posterior : (N, K) or (..., N, K) known p(class | input)
    """
    probabilities = checked_probabilities(probabilities)
    posterior = checked_probabilities(posterior, "posterior").to(probabilities.device)
    if posterior.shape not in (probabilities.shape, probabilities.shape[-2:]):
        wanted = dict.fromkeys((probabilities.shape[-2:], probabilities.shape))
        raise ValueError(
            f"posterior must have shape {' or '.join(str(tuple(w)) for w in wanted)}, "
            f"got {tuple(posterior.shape)}."
        )
    confidence, predicted = probabilities.max(-1)
    truth = posterior.expand(probabilities.shape).gather(-1, predicted.unsqueeze(-1))
    return confidence, truth.squeeze(-1).double()


def checked_numbers(values, name):
    """Values as a detached tensor of real numbers, or a TypeError."""
    try:
        if not isinstance(values, torch.Tensor):
            values = torch.as_tensor(np.array(values))  # a copy: it may be read-only
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"{name} must be a tensor of numbers, got {reprlib.repr(values)}."
        ) from None
    if values.is_complex():
        raise TypeError(f"{name} must be real numbers, got dtype {values.dtype}.")
    return values.detach()


def _with_rows(values, name):
    values = checked_numbers(values, name)
    shape = tuple(values.shape)
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"{name} must have shape (..., N, K) with no axis of length 0, got {shape}."
        )
    return values


def _rounding(values):
    """How far from 1 a row of probabilities of this dtype may sum."""
    eps = torch.finfo(values.dtype).eps if values.is_floating_point() else 0
    return max(1e-3, 4 * eps)
