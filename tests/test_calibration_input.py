"""What are no probabilities, logits, labels or posteriors is named in a sentence."""

import pytest
import torch
from calibration_functions import (
    WITH_LABELS,
    WITH_POSTERIOR,
    WITHOUT_LABELS,
    message,
)
from calibration_oracle import simulated

from lsr_utils import calibration as c

ROWS = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
LABELS = torch.tensor([0, 1])

# --- probabilities ------------------------------------------------------------------

NO_AXES = "must have shape (..., K) with no axis of length 0, got"
OUTSIDE = "must lie in [0, 1] (a softmax of logits does), got"
NOT_REAL = "must be real numbers, got dtype"
NO_TENSOR = "must be a tensor of numbers, got"
NOT_FINITE = "must be finite numbers, got"


@pytest.mark.parametrize(
    ("p", "error", "wanted"),
    [
        (torch.tensor(0.5), ValueError, f"{NO_AXES} ()."),
        (ROWS[:0], ValueError, f"{NO_AXES} (0, 2)."),
        (ROWS[:, :0], ValueError, f"{NO_AXES} (2, 0)."),
        (ROWS.expand(0, 2, 2), ValueError, f"{NO_AXES} (0, 2, 2)."),
        ([], ValueError, f"{NO_AXES} (0,)."),
        (ROWS - 0.5, ValueError, f"{OUTSIDE} -0.25."),
        (2 * ROWS, ValueError, f"{OUTSIDE} 1.5."),
        (torch.tensor([[2.5, -1], [0, 3]]), ValueError, f"{OUTSIDE} 2.5."),
        (ROWS.log(), ValueError, f"{OUTSIDE} -0.6931."),
        (ROWS / torch.zeros(1), ValueError, f"{OUTSIDE} inf."),
        (ROWS.log().sqrt(), ValueError, f"{OUTSIDE} nan."),
        (torch.tensor([[1.0, 0], [1, torch.nan]]), ValueError, f"{OUTSIDE} nan."),
        (ROWS / 2, ValueError, "must sum to 1 in each row, got 0.5000."),
        (1.002 * ROWS, ValueError, "must sum to 1 in each row, got 1.0020."),
        (torch.eye(2) * 0, ValueError, "must sum to 1 in each row, got 0.0000."),
        (ROWS.T, ValueError, "must sum to 1 in each row, got 0.7500."),
        (ROWS.cfloat(), TypeError, f"{NOT_REAL} torch.complex64."),
        ("softmax", TypeError, f"{NO_TENSOR} 'softmax'."),
        (None, TypeError, f"{NO_TENSOR} None."),
        ([[0.5, 0.5], [1.0]], TypeError, f"{NO_TENSOR} [[0.5, 0.5], [1.0]]."),
    ],
)  # fmt: skip
def test_what_are_no_probabilities_is_named(p, error, wanted):
    for function in WITH_LABELS:
        assert message(error, function, p, LABELS) == f"probabilities {wanted}"
    for function in WITHOUT_LABELS:
        assert message(error, function, p) == f"probabilities {wanted}"
    for function in WITH_POSTERIOR:
        assert message(error, function, p, ROWS) == f"probabilities {wanted}"
        assert message(error, function, ROWS, p) == f"posterior {wanted}"


@pytest.mark.parametrize("p", [ROWS, torch.eye(3).half(), ROWS.expand(4, 2, 2)])
def test_probabilities_are_no_logits(p):
    y = torch.zeros(p.shape[-2], dtype=int)
    wanted = "logits must come from before the softmax, got probabilities."
    assert message(ValueError, c.fit_temperature, p, y) == wanted
    assert message(ValueError, c.with_temperature, p, 2) == wanted


def test_not_even_those_that_sum_to_1_in_half_precision_alone():
    p, y = simulated((50,), num_classes=200, dtype=torch.bfloat16)
    assert (p.double().sum(-1) - 1).abs().max() > 1e-3
    message(ValueError, c.fit_temperature, p, y)
    assert c.expected_calibration_error(p, y) > 0


@pytest.mark.parametrize(
    ("logits", "error", "wanted"),
    [
        (torch.tensor([[1.0, torch.inf]]), ValueError, f"{NOT_FINITE} inf."),
        (torch.tensor([[1.0, torch.nan]]), ValueError, f"{NOT_FINITE} nan."),
        ("z", TypeError, f"{NO_TENSOR} 'z'."),
        (torch.ones(1, 2).cfloat(), TypeError, f"{NOT_REAL} torch.complex64."),
    ],
)
def test_what_are_no_logits_is_named(logits, error, wanted):
    found = message(error, c.fit_temperature, logits, LABELS[:1])
    assert found == f"logits {wanted}"
    assert message(error, c.with_temperature, logits, 1.0) == f"logits {wanted}"


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), [1.0, 0.0, 2.0]])
def test_what_is_no_temperature_is_named(temperature):
    z = 9 * ROWS.expand(3, 2, 2)
    found = message(ValueError, c.with_temperature, z, temperature)
    assert found == f"temperature must be above 0, got {temperature}."


def test_a_temperature_has_the_shape_of_the_fleet():
    z = 9 * ROWS.expand(3, 2, 2)
    for rows, temperature in ((z, [1.0, 2.0]), (z[0], [1.0]), (z[0], [1.0, 2.0, 3.0])):
        with pytest.raises(RuntimeError):  # PyTorch's own
            c.with_temperature(rows, temperature)
    found = message(TypeError, c.with_temperature, z, "warm")
    assert found == "temperature must be a tensor of numbers, got 'warm'."


# --- labels and posteriors ----------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "error", "wanted"),
    [
        ([0, 1, 1], ValueError, "must have shape (2,) or (3, 2), got (3,)."),
        ([0], ValueError, "must have shape (2,) or (3, 2), got (1,)."),
        ([[0, 1]], ValueError, "must have shape (2,) or (3, 2), got (1, 2)."),
        ([[0, 0], [0, 0]], ValueError, "must have shape (2,) or (3, 2), got (2, 2)."),
        (0, ValueError, "must have shape (2,) or (3, 2), got ()."),
        ([0.0, 1.0], TypeError, "must be class indices, got dtype torch.float64."),
        ([False, True], TypeError, "must be class indices, got dtype torch.bool."),
        ([0, 2], IndexError, "must lie in 0 ... 1, got 2."),
        ([-100, 1], IndexError, "must lie in 0 ... 1, got -100."),
        ("01", TypeError, "must be a tensor of numbers, got '01'."),
        (["cat", "dog"], TypeError, "must be a tensor of numbers, got ['cat', 'dog']."),
        ([0j, 1], TypeError, "must be real numbers, got dtype torch.complex128."),
    ],
)
def test_what_are_no_targets_is_named(targets, error, wanted):
    for function in WITH_LABELS:
        found = message(error, function, ROWS.expand(3, 2, 2), targets)
        assert found == f"targets {wanted}"
    z = 9 * ROWS.expand(3, 2, 2)
    assert message(error, c.fit_temperature, z, targets) == f"targets {wanted}"


def test_one_row_alone_has_no_labels():
    for function in WITH_LABELS:
        found = message(ValueError, function, ROWS[0], torch.tensor(0))
        assert found == "targets must label rows (..., N, K), got one row (2,)."


def test_one_network_wants_one_shape_of_targets():
    found = message(ValueError, c.nll, ROWS, torch.eye(2, dtype=int))
    assert found == "targets must have shape (2,), got (2, 2)."


@pytest.mark.parametrize("shape", [(1, 2), (3, 2), (2, 1), (1, 2, 2), (2, 2, 2)])
def test_a_posterior_has_a_row_for_each_row(shape):
    posterior = torch.full(shape, 1 / shape[-1])
    for function in WITH_POSTERIOR:
        found = message(ValueError, function, ROWS, posterior)
        assert found == f"posterior must have shape (N, K) or (2, 2), got {shape}."
        found = message(ValueError, function, ROWS.expand(3, 2, 2), posterior)
        assert found == f"posterior must have shape (N, K) or (3, 2, 2), got {shape}."
