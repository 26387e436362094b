"""Intervals and verdicts against scipy, formulas by hand, and closed testing."""

import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_rel

from lsr_utils.stats import compare_arms, holm, paired_difference, verdict

A_DOZEN = [0.91, 0.88, 0.93, 0.9, 0.87, 0.92, 0.95, 0.89, 0.9, 0.91, 0.86, 0.94]
CONTROL = [0.9, 0.88, 0.91, 0.87, 0.88, 0.9, 0.92, 0.88, 0.91, 0.89, 0.85, 0.92]


@settings(max_examples=20)
@given(st.integers(2, 40), st.integers(0, 99), st.floats(-3, 3), st.floats(0.5, 0.999))
def test_the_paired_difference_is_that_of_scipy(pairs, seed, shift, level):
    rng = np.random.default_rng(seed)
    control = rng.normal(size=pairs)
    treated = control + rng.normal(shift, size=pairs)
    pairing = pd.Series(treated), pd.Series(control, index=range(pairs)[::-1])
    found = paired_difference(*pairing, level=level)  # by position
    assert found == paired_difference(tuple(treated), list(control), level=level)
    wanted = ttest_rel(treated, control)
    low, high = wanted.confidence_interval(level)
    wanted = ((treated - control).mean(), low, high, wanted.pvalue, pairs)
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("test_share", "widening"), [(None, 0), (0.25, 3), (2.0, 24)])
def test_redrawn_splits_widen_as_nadeau_and_bengio_say(test_share, widening):
    found = paired_difference(A_DOZEN, CONTROL, level=0.9, test_share=test_share)
    d = np.subtract(A_DOZEN, CONTROL)
    # s^2 (1 / 12 + share) = s^2 / 12 (1 + 12 share)
    error = math.sqrt(((d - d.mean()) ** 2).sum() / 11 / 12 * (1 + widening))
    half = 1.7958848187 * error  # the .95 quantile of t with 11 degrees of freedom
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert found.p_value == pytest.approx(2 * t.cdf(-d.mean() / error, 11), rel=1e-9)
    assert (found.mean, found.pairs) == (pytest.approx(d.mean()), 12)


@pytest.mark.parametrize("share", [None, 0.3])
def test_differences_without_spread_give_a_point(share):
    # Neither 0.3 - 0.2 and 0.2 - 0.1 nor 0.1 + 0.2 - 0.3 is more than rounding.
    apart = paired_difference([0.3, 0.2, 0.4], [0.2, 0.1, 0.3], test_share=share)
    assert apart.mean == apart.low == apart.high == pytest.approx(0.1, abs=1e-15)
    assert (apart.p_value, apart.pairs) == (0, 3)
    none = paired_difference([0.1 + 0.2, 99.0], [0.3, 99.0], test_share=share)
    assert none == (0, 0, 0, 1, 2)
    small = paired_difference([1 + 1e-12, 1 + 3e-12], [1, 1], test_share=share)
    assert small.low < 0 < small.mean < small.high and 0.1 < small.p_value < 1


def by_closed_testing(p_values):
    """A hypothesis falls when every intersection it is in falls, by Bonferroni."""
    numbers = range(len(p_values))
    sizes = range(1, len(p_values) + 1)
    subsets = [s for size in sizes for s in itertools.combinations(numbers, size)]
    local = {s: min(1, len(s) * min(p_values[i] for i in s)) for s in subsets}
    return [max(local[s] for s in subsets if i in s) for i in numbers]


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.02, 0.05]), max_size=6))
def test_holm_is_closed_testing(p_values):
    adjusted = holm(p_values)
    assert adjusted.shape == (len(p_values),)
    np.testing.assert_allclose(adjusted, by_closed_testing(p_values), rtol=1e-12)


@pytest.fixture
def table():
    """Arms 0.1, 0.0, 0.4: accuracy is higher at 0.1 alone, nll lower at 0.4 alone."""
    rng = np.random.default_rng(6)
    arms = []
    for eps, accuracy, nll in [(0.1, 0.03, 0), (0.0, 0, 0), (0.4, 0, -0.4)]:
        arm = pd.DataFrame({"eps": eps, "seed": rng.permutation(10)})
        arm["accuracy"] = 0.8 + arm["seed"] / 50 + accuracy + rng.normal(0, 0.01, 10)
        arm["nll"] = 0.7 - arm["seed"] / 20 + nll + rng.normal(0, 0.1, 10)
        arms.append(arm)
    return pd.concat(arms, ignore_index=True)


def test_each_row_is_the_paired_difference_of_one_arm(table):
    found = compare_arms(table, "eps", 0, ["nll", "accuracy"])
    assert found["value"].tolist() == ["nll", "nll", "accuracy", "accuracy"]
    assert found["eps"].tolist() == [0.1, 0.4, 0.1, 0.4]
    verdicts = ["no difference", "lower", "higher", "no difference"]
    assert found["verdict"].tolist() == verdicts
    for row in found.itertuples():
        wide = table.pivot(index="seed", columns="eps", values=row.value)
        wanted = paired_difference(wide[row.eps], wide[0.0])
        numbers = (row.difference, row.low, row.high, row.p_value)
        assert numbers == pytest.approx(wanted[:4], rel=1e-12)
        means = wide[0.0].mean(), wide[row.eps].mean()
        assert (row.baseline, row.mean) == pytest.approx(means, rel=1e-12)
    np.testing.assert_allclose(found["p_holm"], by_closed_testing(found["p_value"]))


def test_the_verdict_follows_the_adjusted_p_value():
    # Alone the difference counts, as one of three it does not.
    noise = [1, -1, 1, -1]
    rows = pd.DataFrame({"arm": 4 * ["x"] + 4 * ["y"], "seed": 2 * [0, 1, 2, 3]})
    rows["a"] = 4 * [0] + [2.5 + d for d in noise]
    rows["b"] = rows["c"] = 4 * [0] + noise
    alone = compare_arms(rows, "arm", "x", "a")
    together = compare_arms(rows, "arm", "x", ["a", "b", "c"])
    assert 0.05 / 3 < alone["p_value"][0] == together["p_value"][0] < 0.05
    assert alone["verdict"].tolist() == ["higher"]
    assert together["verdict"].tolist() == 3 * ["no difference"]
    assert [verdict(d, 0.0499) for d in (1, -1)] == ["higher", "lower"]
    assert verdict(-1, 0.05) == verdict(1, math.nan) == "no difference"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t[(t["eps"] != 0.4) | (t["seed"] != 3)], r"(0.4, 3): 0} and 0 rows"),
        (lambda t: t.assign(eps=t["eps"].mask(t["seed"] == 4)), "{} and 3 rows that"),
        (lambda t: t.assign(nll=t["nll"].mask(t["seed"] == 4)), "got nan"),
    ],
)
def test_a_table_that_cannot_be_paired_is_refused(table, change, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        compare_arms(change(table), "eps", 0.0, ["nll"])
    with pytest.raises(KeyError, match="0.3"):
        compare_arms(table, "eps", 0.3, "nll")
