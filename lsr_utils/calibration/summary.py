"""All numbers of a reliability diagram, with their intervals."""

import functools
import math

import numpy as np

from ..stats import paired_difference
from ..targets import check_count
from . import chance, errors, scores
from .rows import checked_probabilities, checked_targets, confidence_and_correct

MIN_COUNT = 10  # rows of a bin that MCE looks at


def summary(probabilities, targets, bins=15, *, level=0.95, resamples=1000, seed=0):
    """Accuracy, proper scores and calibration errors with intervals, and the floor.

    probabilities : (N, K): intervals are of this network on new rows, by ``bootstrap``,
                    of its accuracy by ``clopper_pearson``. (S, N, K): means over S
                    networks, with Student's t over networks
    targets       : (N,) or (S, N) tensor of class indices
    bins          : of equal width, as published
    returns       : DataFrame with columns value, low, high, indexed by measure:
                    accuracy, NLL, Brier, confidence - accuracy, ECE, debiased ECE,
                    MCE, and "ECE if calibrated": the ECE floor, with the range of
                    ``level`` of calibrated networks (of their mean over S). An
                    infinite NLL has infinite bounds
    raises        : as the measures; ValueError for more than one leading axis, and
                    for as many bins as rows
    """
    import pandas as pd

    probabilities = checked_probabilities(probabilities)
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
        probabilities, targets = probabilities[0], targets[0]
    rows = {}
    for name, (measure, *limits) in _measures(bins, size).items():
        value = measure(probabilities, targets)
        if not value.isfinite().all():
            rows[name] = (math.inf,) * 3
        elif value.dim():
            over = paired_difference(value.cpu(), 0 * value.cpu(), level=level)
            rows[name] = over.mean, *np.clip((over.low, over.high), *limits)
        else:
            ends = _of_one(measure, probabilities, targets, level, draws, seed, limits)
            rows[name] = value.item(), *(end.item() for end in ends)
    drawn = chance.calibrated_errors(probabilities, bins, draws=draws, seed=seed)
    drawn = drawn.reshape(draws, -1).mean(1)
    ends = drawn.quantile(tails.to(drawn.device)).tolist()
    rows["ECE if calibrated"] = drawn.mean().item(), *ends
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["value", "low", "high"]
    )


def _of_one(measure, probabilities, targets, level, resamples, seed, limits):
    if measure is scores.accuracy:  # that of 1 too has an interval
        right = confidence_and_correct(probabilities, targets)[1]
        return chance.clopper_pearson(right.sum(), len(right), level)
    return chance.bootstrap(
        measure, probabilities, targets, level=level, resamples=resamples, seed=seed,
        limits=limits,
    )  # fmt: skip


def _measures(bins, rows):
    """Name to measure, and the values between which it lies."""
    min_count = min(MIN_COUNT, rows // bins)  # some bin always has as many
    largest = functools.partial(errors.maximum_calibration_error, min_count=min_count)
    binned = {
        "ECE": errors.expected_calibration_error,
        "debiased ECE": errors.debiased_ece,
        f"MCE (bins of {min_count} or more)": largest,
    }
    return {
        "accuracy": (scores.accuracy, 0, 1),
        "NLL": (scores.nll, 0, math.inf),
        "Brier": (scores.brier_score, 0, 2),
        "confidence - accuracy": (errors.confidence_gap, -1, 1),
        **{k: (functools.partial(m, bins=bins), 0, 1) for k, m in binned.items()},
    }
