"""Intervals and verdicts of networks paired by seed. Taught in notebook 04."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from . import check


class PairedDifference(NamedTuple):
    """Mean of treated minus control, its interval, two-sided p-value, and pairs."""

    mean: float
    low: float
    high: float
    p_value: float
    pairs: int


def paired_difference(treated, control, *, level=0.95, test_share=None):
    """Student's t for the mean of treated minus control.

    treated, control : (S,) numbers, one a seed, paired by position
    level            : of the interval, in (0, 1); kept where differences are normal. Of
                       exponential ones 5 pairs hold 95 % in 85 % of sets, 20 in 90 %
    test_share       : n_test / n_train, when each seed re-draws its split from one
                       data set: the splits overlap, and the variance of the mean is
                       s^2 (1 / S + n_test / n_train) (Nadeau & Bengio 2003, section 3)
    returns          : PairedDifference; without spread (to rounding) the interval is
                       a point, and the p-value 1 at a difference of 0, else 0
    """
    treated, control = _numbers(treated, "treated"), _numbers(control, "control")
    level = check.real(level, "level", "(0, 1)")
    pairs = len(treated)
    must = "treated and control must have the same length, at least 2"
    check.that(len(control) == pairs > 1, must, f"{pairs} and {len(control)}")
    difference = treated - control
    mean = float(difference.mean())
    # 0.3 - 0.2 and 0.2 - 0.1 differ in the last bit: that is no spread.
    rounding = 4 * np.finfo(float).eps * max(abs(treated).max(), abs(control).max())
    if difference.std(ddof=1) <= rounding:
        mean = 0.0 if abs(mean) <= rounding else mean
        return PairedDifference(mean, mean, mean, float(mean == 0), pairs)
    if test_share is not None:
        test_share = check.real(test_share, "test_share", "(0, inf)")
        # Of differences that spread by so much more, Student's t is the corrected one.
        difference = mean + math.sqrt(1 + pairs * test_share) * (difference - mean)
    found = ttest_1samp(difference, 0)
    low, high = map(float, found.confidence_interval(level))
    return PairedDifference(mean, low, high, float(found.pvalue), pairs)


def student_interval(values):
    """Student's 95 % interval low, high of a mean of values (S,), for ``errorbar=``."""
    values = _numbers(values, "values")
    over = paired_difference(values, np.zeros(len(values)))
    return over.low, over.high


def holm(p_values):
    """p-values adjusted for their number, by Holm's step-down (Holm 1979).

    Those below alpha hold no true hypothesis with probability 1 - alpha or more,
    however the tests depend on each other.

    p_values : (M,) numbers; ValueError for one outside [0, 1]
    returns  : (M,) array in the same order: the smallest times M, the next times
               M - 1, ..., none below the one before it, none above 1
    """
    p_values = _numbers(p_values, "p_values")
    right = (p_values >= 0) & (p_values <= 1)
    check.every(right, p_values, "p_values must lie in [0, 1]")
    order = p_values.argsort()
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(scaled)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def verdict(difference, p_value):
    """The verdict "higher", "lower" or "no difference", the last at p >= 0.05."""
    if p_value < 0.05 and abs(difference) > 0:  # nan is no difference
        return "higher" if difference > 0 else "lower"
    return "no difference"


def compare_arms(table, arm, baseline, values):
    """Each arm's paired difference from the baseline, over seeds.

    table    : tidy DataFrame, one row a network, with a column "seed": every arm has
               each seed once
    arm      : column that tells the arms apart, e.g. "eps"
    baseline : value of that column with which the others are compared
    values   : column to compare, or a list of them, e.g. ["accuracy", "nll"]
    returns  : tidy DataFrame, one row a value and arm, arms in order of appearance:
               the arm, value, baseline and mean (of the two arms), difference, low,
               high, p_value, p_holm (over all rows), verdict (by p_holm; low and high
               are of the row alone, and may exclude 0 at "no difference")
    """
    values = [values] if isinstance(values, str) else list(values)
    times = pd.crosstab(table[arm], table["seed"]).stack()  # without rows of nan
    wrong, nowhere = times[times != 1], len(table) - times.sum()
    got = f"({arm}, seed): times {wrong.head(3).to_dict()} and {nowhere} rows that lack"
    fits = not len(wrong) and not nowhere
    check.that(fits, "every arm must have each seed once", f"{got} one of them")
    pairs = table.pivot(index="seed", columns=arm, values=values)
    names = [name for name in table[arm].unique().tolist() if name != baseline]
    rows = []
    for value, name in itertools.product(values, names):
        treated, control = pairs[value, name], pairs[value, baseline]
        found = paired_difference(treated, control)
        rows.append((value, control.mean(), treated.mean(), *found[:4]))
    columns = "value baseline mean difference low high p_value".split()
    result = pd.DataFrame(rows, columns=columns)
    result.insert(0, arm, names * len(values))
    result["p_holm"] = holm(result["p_value"])
    result["verdict"] = list(map(verdict, result["difference"], result["p_holm"]))
    return result


def _numbers(values, name):
    values = check.finite(values, name).cpu().numpy()
    check.that(values.ndim == 1, f"{name} must have one axis", f"shape {values.shape}")
    return values
