"""The smoothed cross-entropy from its definition: numpy, float64, one row at a time.

Slow and plain on purpose. It shares no line with ``lsr_utils``.
"""

import numpy as np


def _with_rows(array, class_axis):
    array = np.moveaxis(np.asarray(array, dtype=np.float64), class_axis, -1)
    return array.reshape(-1, array.shape[-1]), array.shape


def smoothed_row(q, eps, spread):
    """The target row that the row ``q`` becomes, in either convention."""
    receives = np.ones_like(q) if spread == "all" else 1 - q
    return (1 - eps) * q + eps * receives / receives.sum()


def loss_and_gradient(
    logits, targets, eps, reduction="mean", weight=None, ignore_index=-100, spread="all"
):
    """Loss and its gradient for upstream 1 (for "none": of the sum of the rows)."""
    class_axis = min(1, np.ndim(logits) - 1)
    z, shape = _with_rows(logits, class_axis)
    probabilities = np.issubdtype(np.asarray(targets).dtype, np.floating)
    if probabilities:
        rows, _ = _with_rows(targets, class_axis)
    else:
        rows = np.asarray(targets).reshape(-1)
    num_classes = z.shape[1]
    w = np.ones(num_classes) if weight is None else np.asarray(weight, np.float64)

    losses, gradients, shares = [], [], []
    for z_row, target in zip(z, rows, strict=True):
        if not probabilities and target == ignore_index:
            losses.append(0.0)
            gradients.append(np.zeros(num_classes))
            shares.append(0.0)
            continue
        q = target if probabilities else np.eye(num_classes)[target]
        mass = w * smoothed_row(q, eps, spread)
        log_p = z_row - z_row.max()
        log_p = log_p - np.log(np.exp(log_p).sum())
        losses.append(-(mass * log_p).sum())
        gradients.append(mass.sum() * np.exp(log_p) - mass)
        shares.append(1.0 if probabilities else w[target])

    losses, gradients = np.array(losses), np.reshape(gradients, shape)
    gradients = np.moveaxis(gradients, -1, class_axis)
    if reduction == "none":
        return losses.reshape(shape[:-1]), gradients
    if reduction == "sum":
        return losses.sum(), gradients
    with np.errstate(invalid="ignore", divide="ignore"):
        return losses.sum() / np.sum(shares), gradients / np.sum(shares)
