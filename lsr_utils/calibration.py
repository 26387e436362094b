"""How far confidence is from accuracy, and how far chance alone would put it."""

import torch

from .targets import check_count


def expected_calibration_error(probabilities, targets, bins=15):
    """ECE: mean over rows of the distance of accuracy and confidence in their bin.

    probabilities : (..., N, K) tensor, each row a distribution over the K classes;
                    leading axes are networks, each with an error of its own
    targets       : (N,) or (..., N) tensor of class indices
    bins          : of equal width, (0, 1 / bins], ..., (1 - 1 / bins, 1], with edges
                    rounded to the dtype of the probabilities
    returns       : (...) float64 tensor, sum over bins of n_b / N |acc_b - conf_b|
    raises        : ValueError (probabilities, shapes, bins), TypeError (targets),
                    IndexError (a class out of range)

    Guo et al. 2017, eq. 3. Even a calibrated network has an error above 0: compare
    with ``ece_floor``.
    """
    bins = check_count(bins, "bins")
    confidence, correct = _confidence_and_correct(probabilities, targets)
    index = _flat_bins(confidence, bins)
    return _mean_of_bins(correct.double() - confidence.double(), index, bins)


def ece_floor(probabilities, bins=15, draws=100, seed=0):
    """Mean ECE that a calibrated network with these probabilities would show.

    Labels are drawn from the probabilities themselves; the ECE only asks whether a
    label is the predicted class, which it is with probability "confidence".

    probabilities : (..., N, K) tensor, as in ``expected_calibration_error``
    draws         : of N labels, the same random numbers for every network
    seed          : of the draws, the same on every device
    returns       : (...) float64 tensor
    raises        : ValueError (probabilities, bins, draws, seed)
    """
    bins = check_count(bins, "bins")
    draws = check_count(draws, "draws")
    generator = torch.Generator().manual_seed(check_count(seed, "seed", least=0))
    confidence = _checked(probabilities).amax(-1)
    index = _flat_bins(confidence, bins)
    confidence = confidence.double()
    total = torch.zeros_like(confidence[..., 0])
    for _ in range(draws):  # one at a time: memory stays that of the confidences
        uniform = torch.rand(
            confidence.shape[-1], generator=generator, dtype=torch.float64
        )
        correct = uniform.to(confidence.device) < confidence
        total += _mean_of_bins(correct.double() - confidence, index, bins)
    return total / draws


def confidence_gap(probabilities, targets):
    """Mean confidence minus accuracy, positive for an over-confident network.

    probabilities, targets : as in ``expected_calibration_error``
    returns                : (...) float64 tensor, in [-1, 1]
    raises                 : as ``expected_calibration_error``
    """
    confidence, correct = _confidence_and_correct(probabilities, targets)
    return confidence.double().mean(-1) - correct.double().mean(-1)


def _flat_bins(confidence, bins):
    """(..., N) confidences to bin indices (M, N), those of network m from m * bins."""
    edges = torch.arange(1, bins, dtype=torch.float64, device=confidence.device) / bins
    rows = confidence.reshape(-1, confidence.shape[-1])
    # An edge belongs to the bin below it: (l, u].
    index = torch.bucketize(rows, edges.to(rows.dtype))
    return index + bins * torch.arange(len(rows), device=rows.device).unsqueeze(1)


def _mean_of_bins(error, index, bins):
    """Sum over bins of |sum of errors in the bin| / N: (..., N) to (...)."""
    sums = error.new_zeros(len(index) * bins)
    sums.index_add_(0, index.flatten(), error.flatten())
    total = sums.view(len(index), bins).abs().sum(-1)
    return (total / error.shape[-1]).reshape(error.shape[:-1])


def _checked(probabilities):
    probabilities = torch.as_tensor(probabilities).detach()
    shape = tuple(probabilities.shape)
    if len(shape) < 2 or 0 in shape[-2:]:
        raise ValueError(
            f"probabilities must have shape (..., N, K) with N and K at least 1, got "
            f"{shape}."
        )
    wrong = ~((probabilities >= 0) & (probabilities <= 1 + 1e-6))  # nan is wrong too
    if wrong.any():
        raise ValueError(
            f"probabilities must lie in [0, 1], got {probabilities[wrong][0].item()}."
        )
    sums = probabilities.sum(-1, dtype=torch.float64)
    wrong = (sums - 1).abs() > 1e-3
    if wrong.any():
        raise ValueError(
            f"probabilities must sum to 1 in each row, got {sums[wrong][0].item():.4f}."
        )
    return probabilities


def _confidence_and_correct(probabilities, targets):
    """Confidence (..., N) of the predicted class, and whether it is the target."""
    probabilities = _checked(probabilities)
    targets = torch.as_tensor(targets)
    if targets.dtype.is_floating_point or targets.dtype == torch.bool:
        raise TypeError(f"targets must be class indices, got dtype {targets.dtype}.")
    *leading, num_classes = probabilities.shape
    if list(targets.shape) not in (leading, leading[-1:]):
        raise ValueError(
            f"targets must have shape {tuple(leading[-1:])} or {tuple(leading)}, got "
            f"{tuple(targets.shape)}."
        )
    if targets.numel() and (targets.min() < 0 or targets.max() >= num_classes):
        bad = targets.min() if targets.min() < 0 else targets.max()
        raise IndexError(
            f"targets must lie in 0 ... {num_classes - 1}, got {bad.item()}."
        )
    confidence, predicted = probabilities.max(-1)
    return confidence, predicted == targets.to(predicted.device)
