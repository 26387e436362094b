"""All numbers of a reliability diagram, with their intervals."""

import functools
import math

import numpy as np
import torch

from ..stats import paired_difference
from ..targets import check_count
from . import chance, errors, scores
from .bins import reliability_bins
from .rows import (
    checked_numbers,
    checked_probabilities,
    checked_targets,
    confidence_and_correct,
)

MIN_COUNT = 10  # rows of a bin that MCE looks at


def summary(probabilities, targets, bins=15, *, level=0.95, resamples=1000, seed=0):
    """Accuracy, proper scores and calibration errors with intervals, and the floor.

    probabilities : (N, K): intervals are of this network on new rows, by ``bootstrap``,
                    of its accuracy by ``clopper_pearson``. (S, N, K): means over S
                    networks, with Student's t over networks
    targets       : (N,) or (S, N) tensor of class indices
    bins          : of equal width, as published
    returns       : DataFrame with columns value, low, high, indexed by measure:
                    accuracy, NLL, Brier, confidence - accuracy, ECE, debiased ECE (root
                    of the mean of ``debiased_squared_error`` and of its ends), MCE, and
                    the ECE floor, with the range of ``level`` of calibrated networks
                    (of their mean over S; with labels in common where targets are
                    (N,)). MCE looks at bins of 10 rows, or N // bins where that is
                    less. An infinite NLL has infinite bounds
    raises        : as the measures; ValueError for more than one leading axis, and
                    for as many bins as rows
    """
    import pandas as pd

    probabilities = checked_probabilities(probabilities)
    own_labels = checked_numbers(targets, "targets").dim() == 2
    targets = checked_targets(targets, probabilities)
    *networks, size, _ = probabilities.shape
    if len(networks) > 1:
        raise ValueError(
            "probabilities must have shape (N, K) or (S, N, K), got "
            f"{tuple(probabilities.shape)}."
        )
    tails = chance.tails(level)
    bins, draws = check_count(bins, "bins"), check_count(resamples, "resamples")
    if bins >= size:
        raise ValueError(f"bins must be fewer than the {size} rows, got {bins}.")
    if networks == [1]:  # no spread over networks
        probabilities, targets, own_labels = probabilities[0], targets[0], False
    measures = _measures(bins, size)
    values = {name: m(probabilities, targets) for name, (m, _) in measures.items()}
    rows = dict.fromkeys(values, (math.inf,) * 3)
    finite = {k: measures[k] for k, v in values.items() if v.isfinite().all()}
    if probabilities.dim() == 3:
        for name, (_, limits) in finite.items():
            value = values[name].cpu()
            over = paired_difference(value, 0 * value, level=level)
            rows[name] = over.mean, *np.clip((over.low, over.high), *limits)
    else:
        options = {"level": level, "resamples": draws, "seed": seed}
        low, high = _bootstrap(finite, probabilities, targets, **options)
        for name, *ends in zip(finite, low.tolist(), high.tolist(), strict=True):
            rows[name] = values[name].item(), *ends
        # Resamples scatter about the square with its chance, which is in the data they
        # are drawn from: the value without chance would be corrected for it twice.
        found = reliability_bins(probabilities, targets, bins)
        with_chance = (found.count.double() / size * found.gap**2).nansum().item()
        square, *ends = rows["debiased ECE"]
        rows["debiased ECE"] = square, *(end + with_chance - square for end in ends)
        right = confidence_and_correct(probabilities, targets)[1]
        ends = chance.clopper_pearson(right.sum(), size, level)  # 0 and 1 have one too
        rows["accuracy"] = rows["accuracy"][0], *(end.item() for end in ends)
    squares = rows["debiased ECE"]
    rows["debiased ECE"] = tuple(math.sqrt(max(0.0, square)) for square in squares)
    if own_labels:  # drawn for each network by itself
        drawn = [
            chance.calibrated_errors(p, bins, draws=draws, seed=seed + k)
            for k, p in enumerate(probabilities)
        ]
        drawn = torch.stack(drawn).mean(0)
    else:
        drawn = chance.calibrated_errors(probabilities, bins, draws=draws, seed=seed)
        drawn = drawn.reshape(draws, -1).mean(1)
    ends = drawn.quantile(tails.to(drawn.device)).tolist()
    rows["ECE floor"] = drawn.mean().item(), *ends
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["value", "low", "high"]
    )


def _bootstrap(measures, probabilities, targets, **options):
    """Ends (M,) of the intervals of M measures, all on the same resamples."""
    limits = torch.tensor([limits for _, limits in measures.values()]).double().T

    def together(p, y):
        return torch.stack([measure(p, y) for measure, _ in measures.values()], -1)

    limits = limits.to(probabilities.device)
    return chance.bootstrap(together, probabilities, targets, limits=limits, **options)


def _measures(bins, rows):
    """Name to measure, and the values between which it lies."""
    min_count = min(MIN_COUNT, rows // bins)  # some bin always has as many
    largest = functools.partial(errors.maximum_calibration_error, min_count=min_count)
    binned = {
        "ECE": (errors.expected_calibration_error, 0),
        "debiased ECE": (errors.debiased_squared_error, -1),  # its root comes last
        "MCE": (largest, 0),
    }
    binned = {
        name: (functools.partial(measure, bins=bins), (least, 1))
        for name, (measure, least) in binned.items()
    }
    return {
        "accuracy": (scores.accuracy, (0, 1)),
        "NLL": (scores.nll, (0, math.inf)),
        "Brier": (scores.brier_score, (0, 2)),
        "confidence - accuracy": (errors.confidence_gap, (-1, 1)),
        **binned,
    }
