"""The bootstrap and the summary: coverage, plain loops, and the functions they use."""

import functools
import math

import numpy as np
import pytest
import torch
from calibration_oracle import draw_labels, ece_by_hand, simulated
from scipy.stats import binomtest
from scipy.stats import t as student

from lsr_utils import calibration, datasets
from lsr_utils.calibration import (
    accuracy,
    bootstrap,
    brier_score,
    calibrated_errors,
    confidence_gap,
    debiased_squared_error,
    ece_floor,
    expected_calibration_error,
    maximum_calibration_error,
    nll,
    reliability_bins,
    summary,
    true_calibration_error,
    true_reliability_bins,
    with_temperature,
)
from lsr_utils.targets import smooth_distribution

POOL = datasets.gaussians(50_000, seed=9).posterior


def test_it_is_a_plain_loop_over_drawn_rows():
    p, y = simulated((50,), seed=2, dtype=torch.float64)
    low, high = bootstrap(expected_calibration_error, p, y, resamples=80, seed=7)
    uniform = torch.rand(
        80, 50, generator=torch.Generator().manual_seed(7), dtype=float
    )
    errors = []
    for numbers in uniform:
        rows = (numbers * 50).long()
        errors.append(ece_by_hand(p[rows], y[rows], 15))
    of_all = ece_by_hand(p, y, 15)
    wanted = 2 * of_all - np.quantile(errors, [0.975, 0.025])
    assert [low.item(), high.item()] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("own_targets", [False, True])
@pytest.mark.parametrize("at_once", [1, 4_000_000])
def test_all_networks_are_given_the_same_rows(monkeypatch, own_targets, at_once):
    p, y = simulated((3, 2, 40))
    if own_targets:
        y = torch.stack(
            [torch.stack([y.roll(3 * i + j) for j in range(2)]) for i in range(3)]
        )
    low, high = bootstrap(nll, p, y, resamples=30)
    assert low.shape == high.shape == (3, 2) and (low < high).all()
    monkeypatch.setattr(calibration, "NUMBERS_AT_ONCE", at_once)
    for i, j in np.ndindex(3, 2):
        alone = bootstrap(nll, p[i, j], y[i, j] if own_targets else y, resamples=30)
        assert alone[0].item() == pytest.approx(low[i, j].item(), abs=1e-13)
        assert alone[1].item() == pytest.approx(high[i, j].item(), abs=1e-13)


def coverage(model, repetitions=120, rows=1000, resamples=200):
    """How often the basic and the plain percentile interval of ECE hold the truth."""
    p, truth = model(POOL), []
    truth = true_calibration_error(p, POOL).item()
    rng = np.random.default_rng(4)
    picks = torch.tensor(rng.integers(0, len(p), (repetitions, rows)))
    labels = torch.stack([draw_labels(POOL[i], 1, int(i[0]))[0] for i in picks])
    drawn = p[picks].float()
    value = expected_calibration_error(drawn, labels)
    low, high = bootstrap(
        expected_calibration_error, drawn, labels, resamples=resamples
    )
    basic = (low <= truth) & (truth <= high)
    percentile = (2 * value - high <= truth) & (truth <= 2 * value - low)
    return basic.double().mean().item(), percentile.double().mean().item()


def test_the_interval_holds_the_true_error_where_it_is_large():
    basic, _ = coverage(lambda p: smooth_distribution(p, 0.2))
    assert basic >= 0.85


def test_where_the_error_is_small_plain_percentiles_lie_above_it():
    basic, percentile = coverage(lambda p: (p.log() / 0.9).softmax(-1))
    assert basic > percentile + 0.3 and percentile < 0.5


def test_where_no_resample_differs_the_interval_is_a_point():
    p, y = simulated((30,))
    low, high = bootstrap(accuracy, p, p.argmax(-1), resamples=20)
    assert low == high == 1


# --- the summary --------------------------------------------------------------------

MEASURES = {
    "accuracy": accuracy,
    "NLL": nll,
    "Brier": brier_score,
    "confidence - accuracy": confidence_gap,
    "ECE": functools.partial(expected_calibration_error, n_bins=10),
    "debiased ECE": functools.partial(debiased_squared_error, n_bins=10),
    "MCE": functools.partial(maximum_calibration_error, n_bins=10),
}
RANGES = {
    "NLL": (0, math.inf), "Brier": (0, 2), "confidence - accuracy": (-1, 1),
    "debiased ECE": (-1, 1),
}  # fmt: skip


def rooted(squares):
    return np.sqrt(np.maximum(squares, 0))


def test_the_summary_of_one_network_is_made_of_the_functions():
    p, y = simulated((300,), seed=4)
    found = summary(p, y, 10, resamples=60, seed=5)
    assert list(found.index) == [*MEASURES, "ECE floor"]
    assert list(found.columns) == ["value", "low", "high"]
    options = {"resamples": 60, "seed": 5}
    for name, measure in MEASURES.items():
        row, value = found.loc[name], measure(p, y).item()
        if name == "debiased ECE":
            resampled = bootstrap(measure, p, y, **options)
            bins = reliability_bins(p, y, 10)
            square = sum(
                n * (a - c) ** 2 / 300
                for n, a, c in zip(
                    bins.count, bins.accuracy, bins.confidence, strict=True
                )
                if n
            )  # with the chance that is in the data
            ends = [(end + square - value).item() for end in resampled]
            wanted = rooted([value, *ends])
            assert row.tolist() == pytest.approx(wanted, abs=1e-12)
            continue
        assert row["value"] == value
        if name == "accuracy":
            right = int((p.argmax(-1) == y).sum())
            ends = binomtest(right, 300).proportion_ci(0.95, method="exact")
        else:
            ends = [end.item() for end in bootstrap(measure, p, y, **options)]
            ends = np.clip(ends, *RANGES.get(name, (0, 1)))
        assert row[["low", "high"]].tolist() == pytest.approx(ends, abs=1e-12)
    floor = found.loc["ECE floor"]
    assert floor["value"] == pytest.approx(
        ece_floor(p, 10, draws=60, seed=5).item(), abs=1e-15
    )
    errors = calibrated_errors(p, 10, draws=60, seed=5)
    wanted = np.quantile(errors, [0.025, 0.975])
    assert floor[["low", "high"]].tolist() == pytest.approx(wanted, abs=1e-15)
    assert (found["low"] <= found["high"]).all()


def test_the_summary_of_a_fleet_is_over_networks():
    p, y = simulated((4, 200), seed=4)
    found = summary(p, y, 10, resamples=50, seed=5)
    for name, measure in MEASURES.items():
        each = np.array([measure(one, y).item() for one in p])
        half = student.ppf(0.975, 3) * each.std(ddof=1) / 2
        row = found.loc[name].tolist()
        wanted = np.clip(
            [each.mean(), each.mean() - half, each.mean() + half], -1, None
        )
        wanted = np.clip(wanted, *RANGES.get(name, (0, 1)))
        wanted = rooted(wanted) if name == "debiased ECE" else wanted
        assert row == pytest.approx(wanted, abs=1e-12)
    floor = found.loc["ECE floor"]
    of_mean = np.mean([calibrated_errors(one, 10, draws=50, seed=5) for one in p], 0)
    wanted = [of_mean.mean(), *np.quantile(of_mean, [0.025, 0.975])]
    assert floor.tolist() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 0.9])
def test_the_debiased_interval_reaches_the_error_without_chance(temperature):
    def network(n, seed):
        data = datasets.gaussians(n, seed=seed)
        return with_temperature(data.posterior.log(), temperature), data

    p, data = network(200_000, 7)
    bins = true_reliability_bins(p, data.posterior)
    aim = (bins.count / len(data) * bins.gap**2).nansum().sqrt().item()
    reached = []
    for seed in range(40):
        p, data = network(500, 3000 + seed)
        row = summary(p, data.y, resamples=100).loc["debiased ECE"]
        reached.append(row["low"] <= aim <= row["high"])
    assert np.mean(reached) > 0.9


def test_networks_with_labels_of_their_own_have_a_floor_of_their_own():
    p, y = simulated((4, 200), seed=4)
    found = summary(p, y.expand(4, -1), 10, resamples=50, seed=5).loc["ECE floor"]
    drawn = [calibrated_errors(p[k], 10, draws=50, seed=5 + k) for k in range(4)]
    of_mean = np.mean(drawn, 0)
    wanted = [of_mean.mean(), *np.quantile(of_mean, [0.025, 0.975])]
    assert found.tolist() == pytest.approx(wanted, abs=1e-12)
    same = p[:1].expand(20, -1, -1)
    own, common = (
        summary(same, labels, resamples=100).loc["ECE floor"]
        for labels in (y.expand(20, -1), y)
    )
    assert own["high"] - own["low"] < 0.5 * (common["high"] - common["low"])


def test_no_interval_leaves_the_values_possible():
    p = torch.tensor([[0.99, 0.01]]).repeat(40, 1)
    y = torch.tensor([0] * 39 + [1])
    fleet = torch.stack([p, p.flip(-1), torch.full_like(p, 0.5)])
    for found in (summary(p, y, resamples=50), summary(fleet, y, resamples=50)):
        shares = found.drop(["NLL", "Brier", "confidence - accuracy"])
        assert (shares >= 0).all(axis=None) and (shares <= 1).all(axis=None)
        assert (found["low"] <= found["value"]).all() and not found.isna().any(
            axis=None
        )
    right = summary(p, torch.zeros(40, dtype=int), resamples=50).loc["accuracy"]
    assert right["high"] == 1 and right["low"] == pytest.approx(0.025 ** (1 / 40))


@pytest.mark.parametrize("networks", [(), (3,)])
def test_an_infinite_nll_is_inf_and_the_rest_is_finite(networks):
    p = torch.eye(2)[torch.arange(20) % 2].expand(*networks, 20, 2)
    y = torch.zeros(20, dtype=int)
    found = summary(p, y, 4, resamples=20)
    assert (found.loc["NLL"] == math.inf).all()
    assert np.isfinite(found.drop("NLL")).all(axis=None)


def test_few_rows_need_few_bins():
    p, y = simulated((16,))
    found = summary(p, y, resamples=20)
    assert not found.isna().any(axis=None)
    largest = maximum_calibration_error(p, y, min_count=1).item()
    assert found.loc["MCE", "value"] == largest
    with pytest.raises(ValueError) as caught:
        summary(p[:15], y[:15])
    assert str(caught.value) == "n_bins must be a whole number, 1 to 14, got 15."
