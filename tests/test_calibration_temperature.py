"""Temperature against scipy's minimiser and what must hold; smoothing undone."""

import math

import numpy as np
import pytest
import torch
from calibration_oracle import draw_labels
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from lsr_utils import datasets
from lsr_utils.calibration import fit_temperature, nll, unsmoothed, with_temperature
from lsr_utils.targets import smooth_distribution


def simulated_logits(shape, num_classes, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(*shape, num_classes, generator=generator, dtype=torch.float64)
    labels = (z + 1.5 * torch.randn(z.shape, generator=generator)).argmax(-1)
    return scale * z, labels


def best_temperature(z, q):
    """Minimiser over log T of the mean cross-entropy with targets q (N, K)."""
    z, q = np.asarray(z), np.asarray(q)

    def loss(log_t):
        scaled = z / np.exp(log_t)
        return (logsumexp(scaled, axis=1) - (q * scaled).sum(1)).mean()

    ends = (math.log(0.01), math.log(100))
    found = minimize_scalar(
        loss, bounds=ends, method="bounded", options={"xatol": 1e-11}
    )
    return math.exp(found.x)


# --- the fit ------------------------------------------------------------------------


@pytest.mark.parametrize("num_classes", [2, 3, 6, 10])
@pytest.mark.parametrize("scale", [0.3, 3.0, 20.0])
def test_it_is_the_minimiser_that_scipy_finds(num_classes, scale):
    z, y = simulated_logits((2, 3, 80), num_classes, num_classes, scale)
    found = fit_temperature(z, y)
    assert found.shape == (2, 3) and found.dtype == torch.float64
    for i, j in np.ndindex(2, 3):
        wanted = best_temperature(z[i, j], np.eye(num_classes)[y[i, j]])
        assert found[i, j].item() == pytest.approx(wanted, rel=1e-6)
        assert fit_temperature(z[i, j], y[i, j]) == found[i, j]


def test_it_finds_the_temperature_that_was_put_in():
    # Of all labels at once: every row repeated as often as its posterior has it.
    hundredths = torch.tensor([[70, 20, 10], [5, 90, 5], [30, 30, 40], [1, 1, 98]])
    z = (hundredths / 100).double().log().repeat_interleave(100, 0)
    y = torch.cat([torch.arange(3).repeat_interleave(row) for row in hundredths])
    for temperature in (0.25, 1, 2, 7):
        found = fit_temperature(z * temperature, y).item()
        assert found == pytest.approx(temperature, rel=1e-7)
    posterior = datasets.gaussians(20_000, seed=3).posterior
    y = draw_labels(posterior, 1)[0]
    assert fit_temperature(2 * posterior.log(), y).item() == pytest.approx(2, rel=0.03)


@given(st.integers(0, 10**6), st.floats(0.2, 5))
def test_it_scales_with_the_logits_and_ignores_constants(seed, scale):
    z, y = simulated_logits((30,), 4, seed)
    found = fit_temperature(z, y)
    assert fit_temperature(z * scale, y).item() == pytest.approx(
        min(max(found.item() * scale, 0.01), 100), rel=1e-6
    )
    shift = torch.linspace(-1e6, 1e6, 30, dtype=torch.float64).unsqueeze(-1)
    assert fit_temperature(z + shift, y).item() == pytest.approx(found.item(), rel=1e-7)
    assert fit_temperature(z.flip(0), y.flip(0)).item() == pytest.approx(found.item())


def test_no_temperature_near_it_has_a_smaller_nll():
    z, y = simulated_logits((200,), 6)
    best = fit_temperature(z, y)
    least = nll(with_temperature(z, best), y)
    for factor in (0.5, 0.99, 1.01, 2):
        assert nll(with_temperature(z, best * factor), y) > least


# --- separable and other special sets -----------------------------------------------


def platt(z, y):
    """Targets with (N + 1) / (N + 2) at the label, the rest shared by the others."""
    rows, num_classes = z.shape
    q = np.full(z.shape, 1 / (rows + 2) / (num_classes - 1))
    q[np.arange(rows), y] = (rows + 1) / (rows + 2)
    return q


@pytest.mark.parametrize("num_classes", [2, 6])
@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_on_a_separable_set_it_is_finite_and_that_of_platts_targets(
    num_classes, rows, scale
):
    z, _ = simulated_logits((rows,), num_classes, seed=rows, scale=scale)
    y = z.argmax(-1)
    wanted = best_temperature(z, platt(z, y))
    found = fit_temperature(z, y).item()
    assert 0.01 < found < 100
    assert found == pytest.approx(wanted, rel=1e-6)
    assert nll(with_temperature(z, found), y).isfinite()


def test_ties_at_the_top_are_separable_too():
    # NLL falls to ln 2 and no further as T does.
    z = torch.tensor([[2.0, 2, 0], [3, 1, 0]], dtype=torch.float64)
    y = torch.tensor([1, 0])
    found = fit_temperature(z, y).item()
    assert found == pytest.approx(best_temperature(z, platt(z, y)), rel=1e-6)
    one_wrong = fit_temperature(z, torch.tensor([1, 1])).item()
    wanted = best_temperature(z, np.eye(3)[[1, 1]])
    assert one_wrong == pytest.approx(wanted, rel=1e-6)


def test_in_a_fleet_only_the_separable_network_has_platts_targets():
    z, y = simulated_logits((2, 40), 3)
    z[1] = 5 * torch.eye(3, dtype=torch.float64)[y[0]]
    z[1, :, 0] += 0.5
    found = fit_temperature(z, y[0])
    plain = best_temperature(z[0], np.eye(3)[y[0]])
    assert found[0].item() == pytest.approx(plain, rel=1e-6)
    assert found[1].item() == pytest.approx(best_temperature(z[1], platt(z[1], y[0])))


def test_logits_worse_than_none_are_flattened():
    z = torch.tensor([[3.0, 0, 0], [0, 2, 0]])  # the others lie 5 / 3 below the top
    found = fit_temperature(z, torch.tensor([1, 2])).item()
    assert found == pytest.approx(1000 * 5 / 3)
    assert fit_temperature(z[:1], torch.tensor([2])).item() == pytest.approx(2000)
    # Exactly as good as none: every label once in each row.
    z = z.repeat_interleave(3, 0)
    found = fit_temperature(z, torch.arange(3).repeat(2)).item()
    assert found == pytest.approx(1000 * 5 / 3)


@pytest.mark.parametrize("last", [-1.0, -1e3, -1e9, -1e100])
def test_a_logit_far_below_does_not_hide_the_temperature(last):
    # Of the first two, a gap of 1 is to mean odds of 2, so T = 1 / ln 2.
    z = torch.tensor([[1, 0, last]] * 3, dtype=torch.float64)
    found = fit_temperature(z, [0, 0, 1]).item()
    if last == -1:
        wanted = best_temperature(z, np.eye(3)[[0, 0, 1]])
        assert found == pytest.approx(wanted, rel=1e-6)
    else:
        assert found == pytest.approx(1 / math.log(2), rel=1e-6)


@pytest.mark.parametrize("right", [501, 5001, 500_001])
def test_logits_that_say_little_are_flattened_as_far_as_it_takes(right):
    # Odds of n + 1 to n in two classes: the gap of 1 is to become ln((n + 1) / n).
    z = torch.tensor([[2.0, 1.0]], dtype=torch.float64).expand(2 * right - 1, 2)
    y = (torch.arange(2 * right - 1) >= right).long()
    wanted = 1 / math.log(right / (right - 1))
    assert fit_temperature(z, y).item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-9, 1e-4, 1e4, 1e9])
def test_the_temperature_is_proportional_to_the_logits_of_any_size(factor):
    z, y = simulated_logits((200,), 3)
    found = fit_temperature(factor * z, y) / fit_temperature(z, y)
    assert found.item() == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize("constant", [0.0, -3.0, 7.25])
def test_logits_that_say_nothing_have_temperature_1(constant):
    z = torch.full((2, 5, 4), constant)
    z[1, 2] = torch.tensor([3.0, 0, 0, 0])
    y = torch.zeros(5, dtype=int)
    found = fit_temperature(z, y)
    assert found[0] == 1
    assert found[1].item() == pytest.approx(3 / math.log(6 / 7 * 7 * 3))
    assert fit_temperature(torch.tensor([[2.0], [-1.0]]), y[:2]) == 1  # of one class


def test_one_class_present_or_one_row_is_a_set_like_any_other():
    z, y = simulated_logits((60,), 3, seed=8)
    only = z[y == 1]
    wanted = best_temperature(only, np.eye(3)[np.ones(len(only), dtype=int)])
    found = fit_temperature(only, torch.ones(len(only), dtype=int)).item()
    assert 0.1 < found < 10 and found == pytest.approx(wanted, rel=1e-6)
    # One right row: probability 2 / 3, so its gap of 4 is to become ln 2.
    found = fit_temperature(torch.tensor([[4.0, 0.0]]), torch.tensor([0])).item()
    assert found == pytest.approx(4 / math.log(2), rel=1e-9)


def test_whole_half_precision_and_gradient_carrying_logits_are_taken():
    z = torch.tensor([[4, 0, 1], [3, 2, 0], [0, 2, 1]])
    y = torch.tensor([0, 1, 1], dtype=torch.uint8)
    wanted = best_temperature(z, np.eye(3)[y])
    carrying = z.double().requires_grad_()
    for same in (z, z.half(), z.tolist(), z.numpy(), carrying):
        found = fit_temperature(same, y)
        assert found.item() == pytest.approx(wanted, rel=1e-6)
        assert not found.requires_grad
        assert not with_temperature(same, found).requires_grad


# --- the temperature applied --------------------------------------------------------


def test_probabilities_at_a_temperature():
    z, _ = simulated_logits((2, 3, 5), 4)
    temperature = torch.tensor([[0.5, 1, 2], [3, 4, 5]])
    found = with_temperature(z, temperature)
    for i, j in np.ndindex(2, 3):
        scaled = z[i, j].numpy() / temperature[i, j].item()
        wanted = np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True))
        assert found[i, j].numpy() == pytest.approx(wanted, abs=1e-14)
        assert with_temperature(z[i, j], temperature[i, j]).equal(found[i, j])
    assert with_temperature(z, 1).numpy() == pytest.approx(z.softmax(-1).numpy())


@pytest.mark.parametrize("temperature", [1e-320, 1e-9, 1e9, 1e308])
def test_no_temperature_gives_nan(temperature):
    rows = [[700.0, -700, 0], [1e300, -1e300, 1e300], [0, 0, 0]]
    found = with_temperature(torch.tensor(rows, dtype=torch.float64), temperature)
    assert found.isfinite().all()
    assert found.sum(-1).numpy() == pytest.approx(1, abs=1e-12)
    if temperature < 1:
        assert found[0].tolist() == [1, 0, 0] and found[1].tolist() == [0.5, 0, 0.5]


# --- smoothing undone ---------------------------------------------------------------


@pytest.mark.parametrize("eps", [0, 0.05, 0.1, 0.4, 0.8])
@pytest.mark.parametrize("num_classes", [6, 10])
def test_it_undoes_the_smoothing(eps, num_classes):
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(2, 50, num_classes, generator=generator, dtype=float)
    p = torch.cat([logits.softmax(-1), torch.eye(num_classes).expand(2, -1, -1)], 1)
    found = unsmoothed(smooth_distribution(p, eps), eps)
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(p.numpy(), abs=1e-12)


def test_what_smoothing_cannot_give_is_cut_at_0():
    p = torch.tensor([[0.9, 0.08, 0.02]], dtype=torch.float64)
    found = unsmoothed(p, 0.3)  # (p - .1) / .7 is 8 / 7, below 0, below 0
    assert found.tolist() == [[1, 0, 0]]
    p = torch.tensor([[0.6, 0.35, 0.05]], dtype=torch.float64)
    assert unsmoothed(p, 0.3)[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    uniform = torch.full((1, 6), 0.9995 / 6)  # not quite 1, as rounding may leave it
    for eps in (0.5, 0.9999, 1 - 2e-6):
        assert unsmoothed(uniform, eps).numpy() == pytest.approx(1 / 6, abs=1e-9)


def test_what_is_cut_may_keep_a_little():
    p = torch.tensor([[0.9, 0.08, 0.02]], dtype=torch.float64)
    wanted = np.array([8 / 7, 0.05, 0.05]) / (8 / 7 + 0.1)
    assert unsmoothed(p, 0.3, least=0.05)[0].tolist() == pytest.approx(wanted)
    assert nll(unsmoothed(p, 0.3, least=0.05), [2]).isfinite()
    for least in (-0.1, 0.5, float("nan")):
        with pytest.raises(ValueError) as caught:
            unsmoothed(p, 0.3, least=least)
        assert str(caught.value) == (
            f"least must lie in [0, 0.3333333333333333], got {least}."
        )


@pytest.mark.parametrize("num_classes", [1, 2, 3, 7])
def test_where_nothing_of_the_target_is_left_it_refuses(num_classes):
    p = torch.full((2, num_classes), 1 / num_classes, dtype=torch.float64)
    for eps in (1, 1 - 1e-9, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"^eps must lie in \[0, 0.999999\], got"):
            unsmoothed(p, eps)
