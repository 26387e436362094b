"""Temperature against scipy's minimiser and what must hold; smoothing undone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from lsr_utils.calibration import fit_temperature, nll, unsmoothed, with_temperature
from lsr_utils.targets import smooth_distribution


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

    ends = (math.log(0.01), math.log(100))
    found = minimize_scalar(loss, bounds=ends, options={"xatol": 1e-11})
    return math.exp(found.x)


def near(number, rel=1e-6):
    return pytest.approx(number, rel=rel)


@pytest.mark.parametrize("num_classes", [2, 6])
@pytest.mark.parametrize("scale", [0.3, 20.0])
def test_it_is_the_minimiser_that_scipy_finds(num_classes, scale):
    z, y = simulated_logits((2, 3, 80), num_classes, num_classes, scale)
    found = fit_temperature(z, y)
    assert found.shape == (2, 3) and found.dtype == torch.float64
    for i, j in np.ndindex(2, 3):
        assert found[i, j].item() == near(best_temperature(z[i, j], y[i, j]))
        assert fit_temperature(z[i, j], y[i, j]) == found[i, j]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.2, 5))
def test_it_scales_with_the_logits_and_ignores_constants(seed, scale):
    z, y = simulated_logits((30,), 4, seed)
    found = fit_temperature(z, y).item()
    assert fit_temperature(z * scale, y).item() == near(found * scale)
    shift = torch.linspace(-1e6, 1e6, 30, dtype=torch.float64).unsqueeze(-1)
    assert fit_temperature(z + shift, y).item() == near(found, 1e-7)
    for factor in (1e-9, 1e9):
        assert fit_temperature(factor * z, y).item() == near(factor * found)


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
    assert found[1].item() == near(best_temperature(z[1], platt(z[1], y)))
    assert nll(with_temperature(z[1], found[1]), y).isfinite()


def test_logits_worse_than_none_are_flattened():
    z = torch.tensor([[3.0, 0, 0], [0, 2, 0]])  # the others lie 5 / 3 below the top
    found = fit_temperature(z, torch.tensor([1, 2])).item()
    assert found == pytest.approx(1000 * 5 / 3)
    assert fit_temperature(z[:1], torch.tensor([2])).item() == pytest.approx(2000)


def test_logits_that_say_little_or_lie_far_below_do_not_hide_the_temperature():
    for last in (-1e3, -1e100):  # a gap of 1 is to mean odds of 2, so T = 1 / ln 2
        z = torch.tensor([[1, 0, last]] * 3, dtype=torch.float64)
        assert fit_temperature(z, [0, 0, 1]).item() == near(1 / math.log(2))
    # Odds of n + 1 to n in two classes: the gap of 1 is to become ln((n + 1) / n).
    right = 20_001
    z = torch.tensor([[2.0, 1.0]], dtype=torch.float64).expand(2 * right - 1, 2)
    y = (torch.arange(2 * right - 1) >= right).long()
    wanted = 1 / math.log(right / (right - 1))
    assert fit_temperature(z, y).item() == near(wanted)


def test_logits_that_say_nothing_have_temperature_1():
    z = torch.full((2, 5, 4), -3.0)
    z[1, 2] = torch.tensor([3.0, 0, 0, 0])
    y = torch.zeros(5, dtype=int)
    found = fit_temperature(z, y)
    assert found[0] == 1
    assert found[1].item() == pytest.approx(3 / math.log(6 / 7 * 7 * 3))
    assert fit_temperature(torch.tensor([[2.0], [-1.0]]), y[:2]) == 1  # of one class
    # One right row: probability 2 / 3, so its gap of 4 is to become ln 2.
    found = fit_temperature(torch.tensor([[4.0, 0.0]]), torch.tensor([0])).item()
    assert found == near(4 / math.log(2), 1e-9)


def test_probabilities_at_a_temperature_and_none_gives_nan():
    z, _ = simulated_logits((2, 5), 4)
    found = with_temperature(z, torch.tensor([0.5, 3]))
    for one, t, ours in zip(z, (0.5, 3), found, strict=True):
        torch.testing.assert_close(ours, (one / t).softmax(-1), rtol=0, atol=1e-14)
    rows = [[700.0, -700, 0], [1e300, -1e300, 1e300], [0, 0, 0]]
    z = torch.tensor(rows, dtype=torch.float64)
    for temperature in (1e-320, 1e-9, 1e9, 1e308):
        found = with_temperature(z, temperature)
        assert found.sum(-1).numpy() == pytest.approx(1, abs=1e-12)
    small = with_temperature(z[:2], 1e-320).tolist()
    assert small == [[1, 0, 0], [0.5, 0, 0.5]]


@pytest.mark.parametrize("eps", [0, 0.1, 0.8])
def test_it_undoes_the_smoothing(eps):
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(2, 50, 6, generator=generator, dtype=float)
    p = torch.cat([logits.softmax(-1), torch.eye(6).expand(2, -1, -1)], 1)
    found = unsmoothed(smooth_distribution(p, eps), eps)
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(p.numpy(), abs=1e-12)


def test_what_smoothing_cannot_give_is_cut():
    p = torch.tensor([[0.9, 0.08, 0.02]], dtype=torch.float64)
    found = unsmoothed(p, 0.3)  # (p - .1) / .7 is 8 / 7, below 0, below 0
    assert found.tolist() == [[1, 0, 0]]
    wanted = np.array([8 / 7, 0.05, 0.05]) / (8 / 7 + 0.1)
    assert unsmoothed(p, 0.3, least=0.05)[0].tolist() == pytest.approx(wanted)
    p = torch.tensor([[0.6, 0.35, 0.05]], dtype=torch.float64)
    assert unsmoothed(p, 0.3)[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    uniform = torch.full((1, 6), 0.9995 / 6)  # not quite 1, as rounding may leave it
    for eps in (0.5, 1 - 2e-6):
        assert unsmoothed(uniform, eps).numpy() == pytest.approx(1 / 6, abs=1e-9)
