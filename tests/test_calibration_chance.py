"""Chance against closed forms, plain loops and coverage; temperature against scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import binom, binomtest
from test_calibration import ece_by_hand, simulated

from lsr_utils import calibration as c
from lsr_utils import datasets
from lsr_utils.calibration import fit_temperature, nll, unsmoothed, with_temperature
from lsr_utils.targets import smooth_distribution

POOL = datasets.gaussians(20_000, seed=9).posterior


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize(
    "groups", [[(0.8, 50)], [(0.6, 1)], [(0.55, 10), (0.75, 40), (0.95, 200)]]
)
def test_the_floor_of_constant_confidences_is_that_of_binomials(groups, strategy):
    draws, rows = 2000, sum(n for _, n in groups)
    wanted = variance = 0.0
    for confidence, n in groups:
        chance, hits = binom(n, confidence), np.arange(n + 1)
        mean = (chance.pmf(hits) * abs(hits / n - confidence)).sum()
        wanted += n / rows * mean
        variance += (n / rows) ** 2 * (confidence * (1 - confidence) / n - mean**2)
    confidence = np.concatenate([np.full(n, c) for c, n in groups])
    p = np.stack([confidence, 1 - confidence], -1)
    bins = 15 if strategy == "uniform" else 60  # as many as keep the groups apart
    found = c.ece_floor(p, bins, strategy, draws=draws).item()
    assert found == pytest.approx(wanted, abs=4 * math.sqrt(variance / draws) + 1e-12)


@pytest.mark.parametrize("at_once", [1, 100])
@pytest.mark.parametrize("own_targets", [False, True])
def test_every_network_meets_the_same_chance(monkeypatch, at_once, own_targets):
    # Whatever the shape of the fleet, and however many draws fit in memory.
    p, y = simulated((3, 2, 40), seed=1)
    state = torch.get_rng_state()
    if own_targets:
        y = torch.stack([y.roll(k) for k in range(6)]).view(3, 2, 40)

    def chance(p, y):
        return [
            c.ece_floor(p, draws=23, seed=3),
            *c.consistency_band(p, 9, "quantile", resamples=23, seed=3),
            *c.bootstrap(c.nll, p, y, resamples=23, seed=3),
        ]

    fleet = chance(p, y)
    assert [found.shape[:2] for found in fleet] == 5 * [(3, 2)]
    monkeypatch.setattr(c, "NUMBERS_AT_ONCE", at_once)
    close = {"rtol": 0, "atol": 1e-13, "equal_nan": True}
    for i, j in np.ndindex(3, 2):
        alone = chance(p[i, j], y[i, j] if own_targets else y)
        for one, of_fleet in zip(alone, fleet, strict=True):
            torch.testing.assert_close(one, of_fleet[i, j], **close)
    assert torch.equal(state, torch.get_rng_state())
    assert not c.ece_floor(p, draws=23, seed=4).equal(fleet[0])


def test_the_band_covers_95_percent_of_the_bins_of_calibrated_models():
    rng = np.random.default_rng(0)
    p = POOL[torch.tensor(rng.integers(0, len(POOL), (500, 500)))]  # networks, rows
    uniform = torch.tensor(rng.random((500, 500, 1)))
    y = (uniform > p.cumsum(-1)[..., :-1]).sum(-1)
    low, high = c.consistency_band(p, 10, "quantile", resamples=100)
    table = c.reliability_bins(p, y, 10, "quantile")
    kept = table.count > 0
    assert low[kept].isfinite().all() and low[~kept].isnan().all()
    out = ((table.accuracy < low) | (table.accuracy > high)) & kept
    assert 0.93 < 1 - out.double().mean() < 0.98
    # Pointwise: in many diagrams of calibrated models some bin lies outside.
    assert 0.28 < out.any(-1).double().mean() < 0.5


def test_the_bootstrap_is_a_plain_loop_over_drawn_rows():
    p, y = simulated((50,), seed=2, dtype=torch.float64)
    found = c.bootstrap(c.expected_calibration_error, p, y, resamples=80, seed=7)
    generator = torch.Generator().manual_seed(7)
    uniform = torch.rand(80, 50, generator=generator, dtype=torch.float64)
    errors = [ece_by_hand(p[rows], y[rows], 15) for rows in (uniform * 50).long()]
    wanted = 2 * ece_by_hand(p, y, 15) - np.quantile(errors, [0.975, 0.025])
    assert [end.item() for end in found] == pytest.approx(wanted, abs=1e-12)
    ours = c.bootstrap(lambda p, y: float(c.nll(p, y)), p, y, resamples=20)
    assert ours == c.bootstrap(c.nll, p, y, resamples=20)
    # No resample differs: that is no interval of no width.
    low, _ = c.bootstrap(c.accuracy, p, p.argmax(-1), resamples=20)
    assert low.isnan()


def test_the_summary_is_made_of_the_functions():
    p, y = simulated((300,), seed=4)
    options = {"resamples": 60, "seed": 5}
    found = c.summary(p, y, 10, **options)
    assert list(found.columns) == ["value", "low", "high"]
    right = int((p.argmax(-1) == y).sum())
    exact = binomtest(right, 300).proportion_ci(0.95, method="exact")
    wanted = {"accuracy": [right / 300, *exact]}
    scores = c.nll, c.brier_score, c.confidence_gap
    for name, score in zip(found.index[1:4], scores, strict=True):
        wanted[name] = [score(p, y), *c.bootstrap(score, p, y, **options)]
    bins = c.reliability_bins(p, y, 10)
    n, square = bins.count, c.debiased_squared_error(p, y, 10).clamp(min=0)
    for name, value, error in (
        ("ECE", ece_by_hand(p, y, 10), lambda off: (off * n).sum(-1) / n.sum()),
        ("debiased ECE", square**0.5, lambda off: (off**2 @ n.double() / 300) ** 0.5),
        ("MCE", bins.gap[n >= 10].abs().max(), lambda off: off[..., n >= 10].amax(-1)),
    ):
        wanted[name] = [value, *c.error_interval(bins, error, draws=60, seed=5)[1:]]
    errors = c.calibrated_errors(p, 10, draws=60, seed=5)
    written = {"resamples": 1000, "seed": 0}
    assert c.summary(p, y).equals(c.summary(p, y, 15, **written))
    assert c.bootstrap(c.nll, p, y) == c.bootstrap(c.nll, p, y, **written)
    plain = c.calibrated_errors(p, 15, draws=1000, seed=0)
    assert plain.equal(c.calibrated_errors(p)) and plain.mean() == c.ece_floor(p)
    wanted["chance alone"] = [errors.mean(), *np.quantile(errors, [0.025, 0.975])]
    assert list(found.index) == list(wanted)
    for name, row in wanted.items():
        assert found.loc[name].tolist() == pytest.approx([*map(float, row)]), name


def test_no_interval_leaves_what_is_possible_and_none_is_of_no_width():
    p = torch.tensor([[0.9, 0.1]]).repeat(100, 1)
    for wrong in (1, 10):
        y = (torch.arange(100) < wrong).numpy().astype(np.uint16)
        found = c.summary(p, y, resamples=100)
        shares = found.drop(["NLL", "Brier", "confidence - accuracy"])
        assert (shares >= 0).all(axis=None) and (shares <= 1).all(axis=None)
        assert (found["low"] <= found["value"]).all()
        assert (found["high"] - found["low"] > 0.01).all()
    unsure = torch.tensor([[0.98, 0.01, 0.01]] * 4 + [[0.5, 0.3, 0.2]])
    found = c.summary(unsure, torch.ones(5).long(), 2, resamples=100)
    assert found.loc["confidence - accuracy", "high"] == 1
    found = c.summary(*simulated((16,)), resamples=20)
    assert not found.isna().any(axis=None)  # few rows have an MCE all the same


# Temperature, and smoothing undone ---------------------------------------------------


def simulated_logits(shape, num_classes, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(*shape, num_classes, generator=generator, dtype=torch.float64)
    labels = (z + 1.5 * torch.randn(z.shape, generator=generator)).argmax(-1)
    return scale * z, labels


def best_temperature(z, y):
    z, q = np.asarray(z, dtype=float), np.asarray(y)
    q = np.eye(z.shape[1])[q] if q.ndim == 1 else q

    def loss(log_t):
        scaled = z / np.exp(log_t)
        return (logsumexp(scaled, axis=1) - (q * scaled).sum(1)).mean()

    ends = (math.log(0.01), math.log(10_000))
    found = minimize_scalar(loss, bounds=ends, options={"xatol": 1e-11})
    return math.exp(found.x)


@pytest.mark.parametrize("num_classes", [2, 6])
@pytest.mark.parametrize("scale", [0.3, 20.0])
def test_it_is_the_minimiser_that_scipy_finds(num_classes, scale):
    z, y = simulated_logits((2, 3, 80), num_classes, num_classes, scale)
    found = fit_temperature(z, y)
    assert found.shape == (2, 3) and found.dtype == torch.float64
    for i, j in np.ndindex(2, 3):
        assert found[i, j].item() == pytest.approx(best_temperature(z[i, j], y[i, j]))
        assert fit_temperature(z[i, j], y[i, j]) == found[i, j]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.2, 5))
def test_it_scales_with_the_logits_and_ignores_constants(seed, scale):
    z, y = simulated_logits((30,), 4, seed)
    found = fit_temperature(z, y).item()
    assert fit_temperature(z * scale, y).item() == pytest.approx(found * scale)
    shift = torch.linspace(-1e6, 1e6, 30, dtype=torch.float64).unsqueeze(-1)
    assert fit_temperature(z + shift, y).item() == pytest.approx(found, rel=1e-7)
    for factor in (1e-9, 1e9):
        assert fit_temperature(factor * z, y).item() == pytest.approx(factor * found)


def platt(z, y):
    """Targets with (N + 1) / (N + 2) at the label, the rest shared by the others."""
    rows, num_classes = z.shape
    q = np.full(z.shape, 1 / (rows + 2) / (num_classes - 1))
    q[np.arange(rows), y] = (rows + 1) / (rows + 2)
    return q


@pytest.mark.parametrize(("num_classes", "rows"), [(2, 50), (6, 1)])
def test_of_a_fleet_the_separable_network_has_platts_targets(num_classes, rows):
    z, _ = simulated_logits((2, rows), num_classes, seed=rows)
    y = z.argmax(-1)[1]
    z[0, 0] = -z[0, 0]  # some are wrong
    found = fit_temperature(z, y)
    assert found[0].item() == fit_temperature(z[0], y).item()
    assert 0.01 < found[1] < 100
    assert found[1].item() == pytest.approx(best_temperature(z[1], platt(z[1], y)))
    assert nll(with_temperature(z[1], found[1]), y).isfinite()


@pytest.mark.parametrize("last", [-1e3, -1.7e308, -math.inf])
def test_a_masked_class_does_not_hide_the_temperature(last):
    # A gap of 1 is to mean odds of 2, so T = 1 / ln 2.
    z = torch.tensor([[1, 0, last]] * 3, dtype=torch.float64)
    for labels in ([0, 0, 1], np.array([0, 0, 1], dtype=np.int8)):
        assert fit_temperature(z, labels).item() == pytest.approx(1 / math.log(2))
    if last < -1e3:  # nor where no label is wrong: one of five is taken to be
        assert fit_temperature(z, [0, 0, 0]).item() == pytest.approx(1 / math.log(4))
    if last == -math.inf:
        assert fit_temperature(z, [0, 1, 1]) == math.inf
        with pytest.raises(ValueError, match="^no target may be masked, got -inf"):
            fit_temperature(z, [0, 0, 2])


@pytest.mark.parametrize("far", [1e2, 1e300])
def test_one_row_far_off_does_not_hide_the_temperature(far):
    z, y = simulated_logits((3000,), 6)
    for wrong in (0, 1):
        z[0], z[0, (y[0] + wrong) % 6] = 0, far
        if wrong and far > 1e4:  # it outweighs the rest: any trust costs too much
            assert fit_temperature(z, y) == math.inf
        else:
            wanted = best_temperature(z, y)
            assert fit_temperature(z, y).item() == pytest.approx(wanted, rel=1e-6)


def test_logits_that_say_nothing_have_temperature_1_and_wrong_ones_infinity():
    y = torch.zeros(5, dtype=int)
    assert fit_temperature(torch.full((5, 4), -3.0), y) == 1
    assert fit_temperature(torch.tensor([[2.0], [-1.0]]), y[:2]) == 1  # of one class
    z = torch.tensor([[3.0, 0, 0], [0, 2, 0]])
    assert fit_temperature(z, torch.tensor([1, 2])) == math.inf
    z[0, 2] = -math.inf  # masked, and no better at any temperature
    assert with_temperature(z, math.inf)[0].tolist() == [0.5, 0.5, 0]


def test_probabilities_at_a_temperature_and_none_gives_nan():
    z, _ = simulated_logits((2, 5), 4)
    found = with_temperature(z, torch.tensor([0.5, 3]))
    for one, t, ours in zip(z, (0.5, 3), found, strict=True):
        torch.testing.assert_close(ours, (one / t).softmax(-1), rtol=0, atol=1e-14)
    rows = [[700.0, -700, 0], [1e300, -1e300, 1e300]]
    small = with_temperature(torch.tensor(rows, dtype=torch.float64), 1e-320)
    assert small.tolist() == [[1, 0, 0], [0.5, 0, 0.5]]


def test_smoothing_is_undone_and_what_it_cannot_give_is_cut():
    logits, _ = simulated_logits((2, 50), 6)
    p = torch.cat([logits.softmax(-1), torch.eye(6).expand(2, -1, -1)], 1)
    for eps in (0, 0.1, 0.8):
        found = unsmoothed(smooth_distribution(p, eps), eps)
        assert found.numpy() == pytest.approx(p.numpy(), abs=1e-12)
    p = torch.tensor([[0.9, 0.08, 0.02]], dtype=torch.float64)
    found = unsmoothed(p, 0.3)  # (p - .1) / .7 is 8 / 7, below 0, below 0
    assert found.tolist() == [[1, 0, 0]]
    wanted = np.array([8 / 7, 0.05, 0.05]) / (8 / 7 + 0.1)
    assert unsmoothed(p, 0.3, least=0.05)[0].tolist() == pytest.approx(wanted)
    uniform = torch.full((1, 6), 0.9995 / 6)  # not quite 1, as rounding may leave it
    for eps in (0.5, 1 - 2e-6):
        assert unsmoothed(uniform, eps).numpy() == pytest.approx(1 / 6, abs=1e-9)
