"""Plain loops, in float64 numpy, that the calibration tests compare with."""

import numpy as np
import torch


def simulated(shape, num_classes=6, seed=0, dtype=torch.float32, scale=2.0):
    """Random probabilities (*shape, K) and labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*shape, num_classes, generator=generator, dtype=dtype)
    labels = torch.randint(num_classes, shape[-1:], generator=generator)
    return (scale * logits).softmax(-1), labels


def draw_labels(p, draws, seed=0):
    """Labels (D, N) drawn from distributions (N, K)."""
    bounds = np.asarray(p, dtype=float).cumsum(1)[:, :-1]
    uniform = np.random.default_rng(seed).random((draws, len(bounds), 1))
    return torch.tensor((uniform > bounds).sum(-1))


def in_bins(values, bins, strategy="uniform"):
    """Which values lie in bin 1, 2, ... B, as the docstring of the bins has it."""
    edge_dtype, values = values.dtype, values.double().numpy()
    ranked, below, masks = np.sort(values), -np.inf, []
    for b in range(1, bins + 1):
        if strategy == "uniform":
            edge = torch.tensor(b / bins, dtype=edge_dtype).item()
        else:
            edge = ranked[-(-b * len(values) // bins) - 1]  # rank ceil(b N / B)
        masks.append((values > below) & (values <= (edge if b < bins else np.inf)))
        below = max(below, edge)
    return masks


def bin_table(p, y, bins, strategy="uniform", truth=None):
    """Rows, mean confidence and accuracy (or truth) of each bin that holds any."""
    confidence = p.double().numpy().max(1)
    correct = p.double().numpy().argmax(1) == np.asarray(y) if truth is None else truth
    masks = in_bins(p.amax(1), bins, strategy)
    found = [
        (m.sum(), confidence[m].mean(), correct[m].mean()) for m in masks if any(m)
    ]
    return np.array(found).T


def ece_by_hand(p, y, bins, strategy="uniform", truth=None):
    """Guo et al. 2017, eq. 3."""
    count, confidence, accuracy = bin_table(p, y, bins, strategy, truth)
    return (count / count.sum() * abs(accuracy - confidence)).sum()


def class_wise_by_hand(p, y, bins, strategy="uniform"):
    total = 0.0
    for k in range(p.shape[1]):
        values, is_k = p[:, k].double().numpy(), np.asarray(y) == k
        for m in in_bins(p[:, k], bins, strategy):
            total += abs((is_k[m] - values[m]).sum()) / len(values) / p.shape[1]
    return total


def debiased_by_hand(p, y, bins, strategy="uniform"):
    """Kumar, Liang, Ma 2019, section 5, without the bins of one row."""
    total = rows = 0.0
    for n, confidence, accuracy in bin_table(p, y, bins, strategy).T:
        if n > 1:
            chance = accuracy * (1 - accuracy) / (n - 1)
            total, rows = total + n * ((accuracy - confidence) ** 2 - chance), rows + n
    return total / rows


def decomposition_by_hand(p, y, bins, strategy, distance, entropy):
    """Uncertainty, resolution, reliability over (class, bin) groups, row by row."""
    values, one_hot = p.double().numpy(), np.eye(p.shape[1])[np.asarray(y)]
    overall, predicted = one_hot.mean(0), values.argmax(1)
    resolution = reliability = 0.0
    for mask in in_bins(p.amax(1), bins, strategy):
        for k in range(p.shape[1]):
            group = mask & (predicted == k)
            if group.any():
                outcome, forecast = one_hot[group].mean(0), values[group].mean(0)
                share = group.mean()
                resolution += share * distance(outcome, overall)
                reliability += share * distance(outcome, forecast)
    return entropy(overall), resolution, reliability
