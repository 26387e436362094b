"""Checked input: rows of probabilities or logits, and their labels."""

import torch


def checked_probabilities(probabilities):
    """Probabilities (..., N, K) as a detached floating-point tensor, or an error."""
    probabilities = _with_rows(probabilities, "probabilities")
    if not probabilities.is_floating_point():
        probabilities = probabilities.double()  # one-hot rows of whole numbers
    rounding = torch.finfo(probabilities.dtype).eps
    # nan is wrong too.
    wrong = ~((probabilities >= 0) & (probabilities <= 1 + max(1e-6, rounding)))
    if wrong.any():
        raise ValueError(
            "probabilities must lie in [0, 1] (a softmax of logits does), got "
            f"{probabilities[wrong][0].item():.4g}."
        )
    sums = probabilities.sum(-1, dtype=torch.float64)
    wrong = (sums - 1).abs() > max(1e-3, 4 * rounding)
    if wrong.any():
        raise ValueError(
            f"probabilities must sum to 1 in each row, got {sums[wrong][0].item():.4f}."
        )
    return probabilities


def checked_logits(logits):
    """Logits (..., N, K) as a detached float64 tensor, or an error."""
    logits = _with_rows(logits, "logits").double()
    if not logits.isfinite().all():
        bad = logits[~logits.isfinite()][0].item()
        raise ValueError(f"logits must be finite numbers, got {bad}.")
    sums = logits.sum(-1)
    if logits.shape[-1] > 1 and (logits >= 0).all() and ((sums - 1).abs() < 1e-3).all():
        raise ValueError(
            "logits must come from before the softmax, got rows that are probabilities."
        )
    return logits


def checked_targets(targets, rows, name="targets"):
    """Class indices, expanded to the (..., N) of rows (..., N, K), or an error."""
    targets = torch.as_tensor(targets)
    if targets.dtype.is_floating_point or targets.dtype == torch.bool:
        raise TypeError(f"{name} must be class indices, got dtype {targets.dtype}.")
    *leading, num_classes = rows.shape
    if list(targets.shape) not in (leading, leading[-1:]):
        raise ValueError(
            f"{name} must have shape {tuple(leading[-1:])} or {tuple(leading)}, got "
            f"{tuple(targets.shape)}."
        )
    targets = targets.to(rows.device).long()
    if targets.min() < 0 or targets.max() >= num_classes:
        bad = targets.min() if targets.min() < 0 else targets.max()
        raise IndexError(
            f"{name} must lie in 0 ... {num_classes - 1}, got {bad.item()}."
        )
    return targets.expand(leading)


def confidence_and_correct(probabilities, targets):
    """Confidence (..., N) of the predicted class, and whether it is the target.

    Both float64. Of classes with the same probability the first is predicted.
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
    try:
        posterior = checked_probabilities(posterior)
        posterior = posterior.to(probabilities.device).expand(probabilities.shape)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            "posterior must be probabilities that fit the shape "
            f"{tuple(probabilities.shape)}; {error}"
        ) from None
    confidence, predicted = probabilities.max(-1)
    truth = posterior.gather(-1, predicted.unsqueeze(-1)).squeeze(-1)
    return confidence, truth.double()


def _with_rows(values, name):
    values = torch.as_tensor(values).detach()
    shape = tuple(values.shape)
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"{name} must have shape (..., N, K) with no axis of length 0, got {shape}."
        )
    return values
