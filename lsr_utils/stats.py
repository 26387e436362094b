"""Intervals and verdicts: paired differences over seeds, bootstrap over test points."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from .targets import check_count

BATCH_NUMBERS = 2_000_000  # that the bootstrap draws at once: some 32 MB

# Columns of ``compare_arms`` beside the arm's own.
RESULTS = (
    "value", "baseline", "mean", "difference", "low", "high", "p_value", "p_holm",
    "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class PairedDifference:
    """Mean of treated minus control, its interval, two-sided p-value, and pairs."""

    mean: float
    low: float
    high: float
    p_value: float
    pairs: int


@dataclass(frozen=True)
class Interval:
    """A mean and its interval."""

    mean: float
    low: float
    high: float


def paired_difference(treated, control, *, level=0.95, test_share=None):
    """Student's t for the mean of treated minus control.

    treated, control : (S,) numbers, one a seed, paired by position
    level            : of the interval, in (0, 1)
    test_share       : n_test / n_train, when each seed re-draws its split from one
                       data set: the splits overlap, and the variance of the mean is
                       s^2 (1 / S + n_test / n_train) instead of s^2 / S
    returns          : PairedDifference; without spread (to rounding) the interval is
                       a point, and the p-value 1 at a difference of 0, else 0
    raises           : ValueError for each argument

    The correction is Nadeau & Bengio, Machine Learning 52, 2003, section 3.
    Taught in 03 section 9.
    """
    from scipy.stats import t as student

    treated = _numbers(treated, "treated")
    control = _numbers(control, "control")
    _check_between(level, "level", 1)
    pairs = len(treated)
    if len(control) != pairs:
        raise ValueError(
            f"control must have the length of treated, {pairs}, got {len(control)}."
        )
    factor = 1 / pairs
    if test_share is not None:
        _check_between(test_share, "test_share", math.inf)
        factor += test_share
    difference = treated - control
    mean, spread = difference.mean(), difference.std(ddof=1)
    # 0.3 - 0.2 and 0.2 - 0.1 differ in the last bit: that is no spread.
    rounding = 4 * np.finfo(float).eps * max(abs(treated).max(), abs(control).max())
    if spread <= rounding:
        mean = 0.0 if abs(mean) <= rounding else float(mean)
        return PairedDifference(mean, mean, mean, float(mean == 0), pairs)
    error = spread * math.sqrt(factor)
    low, high = student.interval(level, pairs - 1, loc=mean, scale=error)
    p_value = 2 * student.sf(abs(mean) / error, pairs - 1)
    return PairedDifference(float(mean), float(low), float(high), float(p_value), pairs)


def bootstrap_interval(values, *, level=0.95, resamples=2000, seed=0):
    """Percentile bootstrap of the mean over test points.

    values    : (N,) numbers, one a test point; to compare two networks on the same
                points, their differences
    level     : of the interval, in (0, 1)
    resamples : how often N points are drawn from the N with replacement
    returns   : Interval; of these networks on new points, not of new networks
    raises    : ValueError for each argument

    Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.
    """
    from scipy.stats import bootstrap

    values = _numbers(values, "values")
    _check_between(level, "level", 1)
    drawn = bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=check_count(resamples, "resamples"),
        batch=max(1, BATCH_NUMBERS // len(values)),
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(check_count(seed, "seed", least=0)),
    )
    low, high = drawn.confidence_interval
    return Interval(float(values.mean()), float(low), float(high))


def holm(p_values):
    """p-values adjusted for their number, by Holm's step-down.

    Rejecting those below alpha rejects no true hypothesis among them with probability
    1 - alpha or more, however the tests depend on each other.

    p_values : (M,) numbers in [0, 1]
    returns  : (M,) array in the same order: the smallest times M, the next times
               M - 1, ..., none below the one before it, none above 1
    raises   : ValueError for p_values

    Holm, Scandinavian Journal of Statistics 6, 1979. Taught in 03 section 10.
    """
    p_values = _numbers(p_values, "p_values", least=0)
    outside = p_values[(p_values < 0) | (p_values > 1)]
    if len(outside):
        raise ValueError(f"p_values must lie in [0, 1], got {outside[0]}.")
    order = p_values.argsort()
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(scaled)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def verdict(difference, p_value, level=0.95):
    """The verdict "higher", "lower" or "no difference", the last at p >= 1 - level."""
    _check_between(level, "level", 1)
    if not p_value + level < 1:  # 1 - 0.95 is a little above 0.05
        return "no difference"
    return "higher" if difference > 0 else "lower"


def compare_arms(
    table, arm, baseline, values, *, seed="seed", level=0.95, test_share=None
):
    """Each arm's paired difference from the baseline, over seeds.

    table    : tidy DataFrame, one row a network
    arm      : column that tells the arms apart, e.g. "eps"
    baseline : value of that column with which the others are compared
    values   : columns to compare, e.g. ["accuracy", "nll"]
    seed     : column by which networks are paired: every arm has each of the
               baseline's seeds once
    level, test_share : as in ``paired_difference``
    returns  : tidy DataFrame, one row a value and arm, arms in order of appearance:
               the arm, value, baseline and mean (of the two arms), difference, low,
               high, p_value, p_holm (over all rows of this table), verdict (by
               p_holm; low and high are of the row alone, and may exclude 0 where the
               verdict is "no difference")
    raises   : ValueError when a column is missing, a value nan, or a pair incomplete
    """
    import pandas as pd

    values = [values] if isinstance(values, str) else list(values)
    missing = [name for name in (arm, seed, *values) if name not in table.columns]
    if missing or not values:
        raise ValueError(
            f"arm, seed and values must name columns of the table, got "
            f"{missing or values} and columns {list(table.columns)}."
        )
    if arm in RESULTS:
        raise ValueError(f"arm must not be one of {', '.join(RESULTS)}, got {arm!r}.")
    arms = _paired_arms(table, arm, baseline, values, seed)
    control = arms.pop(baseline)
    rows = []
    for value in values:
        for name, treated in arms.items():
            found = paired_difference(
                treated[value], control[value], level=level, test_share=test_share
            )
            rows.append({
                arm: name, "value": value,
                "baseline": control[value].mean(), "mean": treated[value].mean(),
                "difference": found.mean, "low": found.low, "high": found.high,
                "p_value": found.p_value,
            })  # fmt: skip
    result = pd.DataFrame(rows)
    result["p_holm"] = holm(result["p_value"])
    pairs = zip(result["difference"], result["p_holm"], strict=True)
    result["verdict"] = [verdict(*pair, level) for pair in pairs]
    return result


def _paired_arms(table, arm, baseline, values, seed):
    """The values of each arm, {arm: DataFrame}, all with the same seeds in order."""
    if table[[arm, seed]].isna().any(axis=None):
        raise ValueError(f"table must have {arm} and {seed} in every row, got nan.")
    names = table[arm].unique().tolist()
    if baseline not in names or len(names) < 2:
        raise ValueError(
            f"baseline must be one of at least 2 arms, got {baseline!r} and {names}."
        )
    wanted = Counter(table.loc[table[arm] == baseline, seed].unique().tolist())
    arms = {}
    for name in names:
        rows = table[table[arm] == name].set_index(seed)[values].astype(float)
        seeds = Counter(rows.index.tolist())
        if seeds != wanted:
            raise ValueError(
                f"every arm must have each {seed} of the baseline once; {arm} = "
                f"{name!r} lacks {list(wanted - seeds)} and has "
                f"{list(seeds - wanted)} too often."
            )
        wrong = rows[~np.isfinite(rows).all(axis=1)]
        if len(wrong):
            raise ValueError(
                f"values must be finite numbers, got {wrong.iloc[0].to_dict()} at "
                f"{arm} = {name!r}, {seed} = {wrong.index.tolist()[0]!r}."
            )
        arms[name] = rows.loc[list(wanted)]
    return arms


def _numbers(values, name, least=2):
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < least:
        raise ValueError(
            f"{name} must have one axis and at least {least} numbers, got shape "
            f"{values.shape}."
        )
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{name} must be finite numbers, got {values[at]} at position {at}."
        )
    return values


def _check_between(value, name, most):
    if isinstance(value, (str, bool)) or not 0 < value < most:
        raise ValueError(f"{name} must lie in (0, {most}), got {value!r}.")
