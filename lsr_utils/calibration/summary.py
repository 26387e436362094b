"""All numbers of a reliability diagram, with their intervals."""

import functools
import math

from ..stats import paired_difference
from ..targets import check_count
from . import chance, errors, scores
from .rows import checked_probabilities, checked_targets

MIN_COUNT = 10  # rows of a bin that MCE looks at


def summary(probabilities, targets, bins=15, *, level=0.95, resamples=1000, seed=0):
    """Accuracy, proper scores and calibration errors with intervals, and the floor.

    probabilities : (N, K): intervals are of this network on new rows, by ``bootstrap``.
                    (S, N, K): means over S networks, with Student's t over networks
    targets       : (N,) or (S, N) tensor of class indices
    bins          : of equal width, as published
    returns       : DataFrame with columns value, low, high, indexed by measure:
                    accuracy, NLL, Brier, confidence - accuracy, ECE, debiased ECE,
                    MCE, and "ECE if calibrated": the ECE floor, with the range of
                    ``level`` of calibrated networks (of their mean over S)
    raises        : as the measures; ValueError for more than one leading axis, and
                    for as many bins as rows. An infinite NLL has no interval
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
    if check_count(bins, "bins") >= size:
        raise ValueError(f"bins must be fewer than the {size} rows, got {bins}.")
    if networks == [1]:  # no spread over networks
        probabilities, targets = probabilities[0], targets[0]
    rows = {}
    for name, (measure, least) in _measures(bins, size).items():
        value = measure(probabilities, targets)
        if not value.isfinite().all():
            rows[name] = (math.inf,) * 3
        elif value.dim():
            over = paired_difference(value.cpu(), 0 * value.cpu(), level=level)
            rows[name] = over.mean, over.low, over.high
        else:
            low, high = chance.bootstrap(
                measure, probabilities, targets, level=level, resamples=resamples,
                seed=seed, least=least,
            )  # fmt: skip
            rows[name] = value.item(), low.item(), high.item()
    drawn = chance.calibrated_errors(probabilities, bins, draws=resamples, seed=seed)
    drawn = drawn.reshape(resamples, -1).mean(1)
    tails = chance.tails(level).to(drawn.device)
    rows["ECE if calibrated"] = drawn.mean().item(), *drawn.quantile(tails).tolist()
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["value", "low", "high"]
    )


def _measures(bins, rows):
    """Name to measure, and the value it cannot fall below."""
    min_count = min(MIN_COUNT, rows // bins)  # some bin always has as many
    largest = functools.partial(errors.maximum_calibration_error, min_count=min_count)
    binned = {
        "ECE": errors.expected_calibration_error,
        "debiased ECE": errors.debiased_ece,
        f"MCE (bins of {min_count} or more)": largest,
    }
    return {
        "accuracy": (scores.accuracy, 0.0),
        "NLL": (scores.nll, 0.0),
        "Brier": (scores.brier_score, 0.0),
        "confidence - accuracy": (errors.confidence_gap, -1.0),
        **{k: (functools.partial(m, bins=bins), 0.0) for k, m in binned.items()},
    }
