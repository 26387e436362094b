"""Calibration errors: one number for the distance of confidence and accuracy."""

import torch

from ..targets import check_count
from .bins import assign, bin_sums
from .rows import (
    checked_probabilities,
    checked_targets,
    confidence_and_correct,
    confidence_and_truth,
)


def expected_calibration_error(probabilities, targets, bins=15, binning="width"):
    """ECE: mean over rows of the distance of accuracy and confidence in their bin.

    probabilities, targets, bins, binning : as in ``reliability_bins``
    returns : (...) float64 tensor, sum over bins of n_b / N |acc_b - conf_b|
    raises  : as ``reliability_bins``

    Guo et al. 2017, eq. 3. Even a calibrated network has an error above 0: compare
    with ``ece_floor``. Taught in 06 section 2.
    """
    confidence, correct = confidence_and_correct(probabilities, targets)
    return binned_error(confidence, correct, bins, binning)


def true_calibration_error(probabilities, posterior, bins=15, binning="width"):
    """ECE with the known chance of being right in place of drawn labels.

    posterior : (N, K) or (..., N, K) known p(class | input)
    returns   : (...) float64 tensor; exactly 0 for the posterior itself. What is left
                of chance is the draw of the inputs, and it falls with N
    raises    : ValueError, TypeError (no numbers)

    Taught in 06 section 3.
    """
    confidence, truth = confidence_and_truth(probabilities, posterior)
    return binned_error(confidence, truth, bins, binning)


def confidence_gap(probabilities, targets):
    """Mean confidence minus accuracy, positive for an over-confident network.

    probabilities, targets : as in ``reliability_bins``
    returns                : (...) float64 tensor, in [-1, 1]
    raises                 : as ``reliability_bins``
    """
    confidence, correct = confidence_and_correct(probabilities, targets)
    return confidence.double().mean(-1) - correct.mean(-1)


def maximum_calibration_error(
    probabilities, targets, bins=15, binning="width", min_count=10
):
    """MCE: the largest distance of accuracy and confidence in any bin.

    min_count : rows that a bin must have to be looked at; with 1, as published, one
                row in a bin of its own decides the result
    returns   : (...) float64 tensor
    raises    : as ``reliability_bins``; ValueError when no bin has min_count rows

    Guo et al. 2017, eq. 5.
    """
    min_count = check_count(min_count, "min_count")
    count, error, _ = _per_bin(probabilities, targets, bins, binning)
    if (count.amax(-1) < min_count).any():
        raise ValueError(
            f"min_count must be at most the rows of the fullest bin, got {min_count} "
            f"where it has {int(count.amax(-1).min())}."
        )
    return (error / count).abs().where(count >= min_count, 0.0).amax(-1)


def debiased_squared_error(probabilities, targets, bins=15, binning="width"):
    """Mean squared distance in the bins, minus what chance adds to it.

    returns : (...) float64 tensor, sum over bins of n_b / N times
              (acc_b - conf_b)^2 - acc_b (1 - acc_b) / (n_b - 1). Its mean over draws of
              labels is the squared error without chance, 0 for a calibrated network,
              which can show a negative number: exactly so where the chance of being
              right is the same all over a bin, else less by its variance / (n_b - 1).
              A bin of one row says nothing about chance and is left out, of N as well
    raises  : as ``reliability_bins``; ValueError when no bin has two rows

    Kumar, Liang, Ma 2019, section 5. The bins must not depend on the labels.
    """
    count, error, right = _per_bin(probabilities, targets, bins, binning)
    accuracy = right / count
    chance = accuracy * (1 - accuracy) / (count - 1)
    kept = count > 1
    if not kept.any(-1).all():
        raise ValueError(
            f"bins must leave two rows in some bin, got {bins} bins for "
            f"{int(count.sum(-1).max())} rows."
        )
    square = ((error / count) ** 2 - chance).where(kept, 0.0)
    weight = count.where(kept, 0.0)
    return (weight * square).sum(-1) / weight.sum(-1)


def debiased_ece(probabilities, targets, bins=15, binning="width"):
    """Root of ``debiased_squared_error``, or 0 where that is negative.

    A root mean square: without chance it is at least as large as the ECE, which is a
    mean of absolute distances. The root and the cut at 0 bring back a little bias.

    returns : (...) float64 tensor
    raises  : as ``debiased_squared_error``
    """
    squared = debiased_squared_error(probabilities, targets, bins, binning)
    return squared.clamp(min=0).sqrt()


def class_wise_ece(probabilities, targets, bins=15, binning="width"):
    """Mean over classes of the ECE of p_k against "the label is k".

    All K probabilities of a row count, not the largest alone; a probability of 0 lies
    in the first bin.

    returns : (...) float64 tensor
    raises  : as ``reliability_bins``

    Kull et al. 2019, eq. 3 (divided by K).
    """
    probabilities = checked_probabilities(probabilities)
    targets = checked_targets(targets, probabilities)
    classes = torch.arange(probabilities.shape[-1], device=targets.device)
    is_class = (targets.unsqueeze(-2) == classes.unsqueeze(-1)).double()  # (..., K, N)
    each = binned_error(probabilities.transpose(-2, -1), is_class, bins, binning)
    return each.mean(-1)


def binned_error(confidence, correct, bins, binning):
    """Sum over bins of |sum of (correct - confidence)| / N: (..., N) to (...)."""
    _, index, bins = assign(confidence, bins, binning)
    (error,) = bin_sums(index, bins, correct - confidence.double())
    return error.abs().sum(-1) / confidence.shape[-1]


def _per_bin(probabilities, targets, bins, binning):
    """Rows, sum of (correct - confidence), and number of right rows: (..., B) each."""
    confidence, correct = confidence_and_correct(probabilities, targets)
    _, index, bins = assign(confidence, bins, binning)
    error = correct - confidence.double()
    return bin_sums(index, bins, torch.ones_like(error), error, correct)
