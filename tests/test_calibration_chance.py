"""The floor, the band and the binomial interval against closed forms and simulation."""

import math

import numpy as np
import pytest
import torch
from calibration_oracle import draw_labels, in_bins, simulated
from scipy.stats import binom, binomtest

from lsr_utils import calibration, datasets
from lsr_utils.calibration import (
    calibrated_errors,
    clopper_pearson,
    consistency_band,
    ece_floor,
    reliability_bins,
)


def of_confidence(*groups):
    """Two-class probabilities: n rows of confidence c for each (c, n)."""
    c = torch.cat([torch.full((n,), c, dtype=torch.float64) for c, n in groups])
    return torch.stack([c, 1 - c], -1)


# --- the floor ----------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize(
    "groups",
    [
        [(0.8, 50)],
        [(0.5, 12)],
        [(0.97, 300)],
        [(0.6, 1)],
        [(0.55, 10), (0.75, 40), (0.95, 200)],
        [(0.52, 7), (0.61, 7), (0.73, 7), (0.85, 7), (0.93, 7)],
    ],
)
def test_the_floor_of_constant_confidences_is_that_of_binomials(groups, strategy):
    draws, rows = 4000, sum(n for _, n in groups)
    bins = len(groups) if strategy == "quantile" else 15
    if strategy == "quantile" and len({n for _, n in groups}) > 1:
        bins = 60  # groups of unequal size: as many bins as keep them apart
    wanted = variance = 0.0
    for c, n in groups:
        mean = binom(n, c).expect(lambda hits, n=n, c=c: abs(hits / n - c))
        wanted += n / rows * mean
        variance += (n / rows) ** 2 * (c * (1 - c) / n - mean**2)
    found = ece_floor(of_confidence(*groups), bins, strategy, draws=draws).item()
    assert found == pytest.approx(wanted, abs=4 * math.sqrt(variance / draws) + 1e-12)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("rows", [500, 2_000, 20_000])
def test_the_floor_is_the_mean_error_over_a_thousand_draws_of_labels(rows, strategy):
    p = datasets.gaussians(rows, seed=5).posterior
    confidence, predicted = p.max(-1)
    error = 0.0
    masks = np.array([m for m in in_bins(confidence, 15, strategy) if m.any()])
    for seed in range(5):  # whole labels, of any class, in pieces for memory
        right = (draw_labels(p, 200, seed) == predicted).double().numpy()
        off = np.array([(right[:, m] - confidence.numpy()[m]).sum(1) for m in masks])
        error += abs(off).sum(0).mean() / rows / 5
    floor = ece_floor(p, 15, strategy, draws=500).item()
    assert floor == pytest.approx(error, abs=0.001)
    # facts.md, section 4: 4.4 / 5.1, 2.3 / 2.4 and .7 / .8 %
    about = {500: (0.044, 0.051), 2_000: (0.023, 0.024), 20_000: (0.007, 0.008)}
    expected = about[rows][strategy == "quantile"]
    assert floor == pytest.approx(expected, abs=0.1 * expected)


def test_the_errors_of_calibrated_networks_have_the_spread_of_labels():
    # Their quantiles, too, are those of the binomial: |X / 40 - .7| in one bin.
    found = calibrated_errors(of_confidence((0.7, 40)), draws=4000)
    assert found.shape == (4000,) and found.dtype == torch.float64
    for bound in (0.03, 0.08, 0.12):
        share = sum(
            binom(40, 0.7).pmf(x) for x in range(41) if abs(x / 40 - 0.7) < bound
        )
        error = math.sqrt(share * (1 - share) / 4000)
        assert (found < bound).double().mean().item() == pytest.approx(
            share, abs=4 * error
        )


def test_the_floor_of_certainty_is_zero_and_falls_with_the_number_of_rows():
    one_hot = torch.eye(6)[torch.arange(30) % 6]
    assert ece_floor(one_hot).item() == 0
    p, _ = simulated((4000,), scale=1.0)
    few, many = ece_floor(p[:250]).item(), ece_floor(p).item()
    assert many == pytest.approx(few / 4, rel=0.25)


def test_the_floor_depends_on_its_seed_alone():
    p, _ = simulated((50,))
    torch.manual_seed(1)
    one = ece_floor(p, seed=2)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert one == ece_floor(p, seed=2)
    assert torch.equal(state, torch.get_rng_state())
    assert one != ece_floor(p, seed=4)


def test_another_default_device_changes_nothing():
    p, y = simulated((3, 40))
    functions = (
        lambda: (ece_floor(p, draws=20),),
        lambda: consistency_band(p, resamples=20),
        lambda: calibration.bootstrap(calibration.nll, p, y, resamples=20),
        lambda: clopper_pearson(y.cumsum(0), 6 * torch.ones_like(y).cumsum(0)),
    )
    for function in functions:
        here = function()
        with torch.device("meta"):  # where a tensor has no numbers
            there = function()
        for one, other in zip(here, there, strict=True):
            assert one.device == other.device
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("at_once", [1, 100, 4_000_000])
def test_every_network_meets_the_same_chance(monkeypatch, at_once):
    # Whatever the shape of the fleet, and however many draws fit in memory.
    p, _ = simulated((3, 2, 40), seed=1)
    floor = ece_floor(p, draws=23, seed=3)
    low, high = consistency_band(p, 9, "quantile", resamples=23, seed=3)
    assert floor.shape == (3, 2) and low.shape == (3, 2, 9)
    monkeypatch.setattr(calibration, "NUMBERS_AT_ONCE", at_once)
    for i, j in np.ndindex(3, 2):
        for few in (p[i, j], p[i, j][None, None], p[i].transpose(0, 1)[:, j]):
            alone = ece_floor(few, draws=23, seed=3)
            assert (alone == floor[i, j]).all()
        ends = consistency_band(p[i, j], 9, "quantile", resamples=23, seed=3)
        for end, of_fleet in zip(ends, (low, high), strict=True):
            torch.testing.assert_close(
                end, of_fleet[i, j], rtol=0, atol=0, equal_nan=True
            )


# --- the band -----------------------------------------------------------------------


def simulated_models(models, rows, seed=0):
    """Calibrated networks (M, N, 6) on inputs of their own, with labels (M, N)."""
    rng = np.random.default_rng(seed)
    pool = datasets.gaussians(20_000, seed=seed).posterior
    p = pool[torch.tensor(rng.integers(0, len(pool), (models, rows)))]
    uniform = torch.tensor(rng.random((models, rows, 1)))
    return p, (uniform > p.cumsum(-1)[..., :-1]).sum(-1)


def outside(models, rows, bins, strategy, resamples):
    p, y = simulated_models(models, rows)
    low, high = consistency_band(p, bins, strategy, resamples=resamples)
    table = reliability_bins(p, y, bins, strategy)
    kept = table.count > 0
    assert low[kept].isfinite().all() and low[~kept].isnan().all()
    return ((table.accuracy < low) | (table.accuracy > high)) & kept, kept


def test_the_band_covers_95_percent_of_the_bins_of_calibrated_models():
    out, _ = outside(1000, 500, 10, "quantile", resamples=200)
    assert 0.93 < 1 - out.double().mean() < 0.98
    # Pointwise: in many diagrams of calibrated models some bin lies outside.
    assert 0.28 < out.any(-1).double().mean() < 0.5


def test_bins_of_few_rows_lie_inside_more_often():
    out, _ = outside(1000, 60, 15, "quantile", resamples=200)  # four rows a bin
    assert 0.96 < 1 - out.double().mean() < 1


def test_the_band_of_one_confidence_is_that_of_the_binomial():
    # With all rows in one bin the accuracy of a resample is binomial / n.
    low, high = consistency_band(of_confidence((0.8, 200)), 5, resamples=4000)
    wanted = binom(200, 0.8).ppf([0.025, 0.975]) / 200
    assert low[:3].isnan().all() and low[4].isnan()  # .8 is an edge, in the bin below
    found = [low[3].item(), high[3].item()]
    assert found == pytest.approx(wanted, abs=0.006)


def test_the_bounds_of_the_band_leave_no_draw_out_that_they_should_hold():
    # Of 30 draws the outer fortieths hold less than one: the bounds are the extremes.
    p = torch.tensor([[0.7, 0.3]], dtype=torch.float64).expand(1000, 2)
    draws = torch.rand(
        30, 2, 1000, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    accuracy = (draws[:, 0] < 0.7).double().mean(1)
    (least, next_least), (next_most, most) = (
        accuracy.sort().values[rows].tolist() for rows in (slice(2), slice(-2, None))
    )
    assert least < next_least and next_most < most
    low, high = consistency_band(p, 1, resamples=30, seed=3)
    assert (low.item(), high.item()) == (least, most)


def test_the_band_of_certainty_is_a_point():
    low, high = consistency_band(torch.eye(3).repeat(5, 1), 4)
    assert low[3] == high[3] == 1 and low[:3].isnan().all()


# --- the interval of a share --------------------------------------------------------


def test_the_binomial_interval_is_that_of_scipy():
    pairs = [(k, n) for n in (1, 2, 7, 30) for k in range(n + 1)] + [(9, 10**6)]
    hits, trials = torch.tensor(pairs).T
    low, high = clopper_pearson(hits, trials)
    assert low.dtype == high.dtype == torch.float64
    for i, (k, n) in enumerate(pairs):
        wanted = binomtest(k, n).proportion_ci(0.95, method="exact")
        assert (low[i].item(), high[i].item()) == pytest.approx(wanted, abs=1e-9)
    assert low[hits == 0].eq(0).all() and high[hits == trials].eq(1).all()


def test_no_trial_says_nothing():
    low, high = clopper_pearson(torch.tensor([0, 3]), torch.tensor([0, 3]))
    assert (low[0], high[0]) == (0, 1) and low[1] > 0.29
    assert [end.shape for end in clopper_pearson(2, 4)] == [(), ()]
    low, high = clopper_pearson([[1], [2]], np.array([4, 5, 6]))
    assert low.shape == (2, 3) and (low < high).all()


@pytest.mark.parametrize("n", [5, 12, 40])
def test_the_interval_covers_at_least_as_often_as_it_says(n):
    low, high = clopper_pearson(torch.arange(n + 1), n)
    for share in np.linspace(0.001, 0.999, 333):
        inside = ((low <= share) & (share <= high)).numpy()
        assert binom(n, share).pmf(np.arange(n + 1))[inside].sum() >= 0.95 - 1e-9
