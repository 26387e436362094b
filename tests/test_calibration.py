"""Calibration error against torchmetrics, a plain loop, and simulated labels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from torchmetrics.classification import MulticlassCalibrationError

from lsr_utils import datasets
from lsr_utils.calibration import (
    confidence_gap,
    ece_floor,
    expected_calibration_error,
)

FLEET = (2, 3)


def simulated(shape, num_classes=6, seed=0, dtype=torch.float32, scale=2.0):
    """Random probabilities (*shape, K) and labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*shape, num_classes, generator=generator, dtype=dtype)
    labels = torch.randint(num_classes, shape[-1:], generator=generator)
    return (scale * logits).softmax(-1), labels


def ece_by_hand(probabilities, targets, bins):
    """Guo et al. 2017, eq. 3, bin by bin."""
    p, y = np.asarray(probabilities), np.asarray(targets)
    confidence, correct, total = p.max(1), p.argmax(1) == y, 0.0
    for b in range(bins):
        low, high = (np.asarray(edge / bins, dtype=p.dtype) for edge in (b, b + 1))
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            conf = confidence[inside].mean(dtype=np.float64)
            total += inside.sum() / len(y) * abs(correct[inside].mean() - conf)
    return total


# --- the error ----------------------------------------------------------------------


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("num_classes", [2, 6, 100])
def test_the_error_is_that_of_torchmetrics(num_classes, bins):
    p, y = simulated((500,), num_classes, seed=bins)
    theirs = MulticlassCalibrationError(num_classes, n_bins=bins, norm="l1")(p, y)
    ours = expected_calibration_error(p, y, bins)
    assert ours.dtype == torch.float64 and ours.shape == ()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)


@given(st.data(), st.integers(1, 20), st.sampled_from(["float32", "float64"]))
def test_the_error_is_that_of_a_plain_loop(data, bins, dtype):
    # Confidences on the edges of bins, where most mistakes are, and between them.
    num_classes = 25
    on_edge = st.integers(1, bins).map(lambda edge: edge / bins)
    level = st.floats(0.04, 1) | on_edge.filter(lambda c: c >= 0.04)
    confidence = np.array(data.draw(st.lists(level, min_size=1, max_size=12)))
    p = np.repeat((1 - confidence)[:, None] / (num_classes - 1), num_classes, axis=1)
    p[:, 3] = confidence
    p = p.astype(dtype)
    labels = st.lists(
        st.sampled_from([3, 4]), min_size=len(p), max_size=len(p)
    )  # 3 is predicted
    y = np.array(data.draw(labels))
    found = expected_calibration_error(torch.tensor(p), torch.tensor(y), bins)
    assert found.item() == pytest.approx(ece_by_hand(p, y, bins), abs=1e-12)


def test_an_edge_belongs_to_the_bin_below_it():
    # Right at .6 and wrong at .62 cancel in one bin, not in two.
    p = torch.tensor([[0.6, 0.4], [0.62, 0.38]], dtype=torch.float64)
    found = expected_calibration_error(p, torch.tensor([0, 1]), bins=5)
    assert found.item() == pytest.approx((0.4 + 0.62) / 2, abs=1e-15)
    p = torch.tensor([[0.6, 0.4], [0.58, 0.42]], dtype=torch.float64)
    found = expected_calibration_error(p, torch.tensor([0, 1]), bins=5)
    assert found.item() == pytest.approx((0.58 - 0.4) / 2, abs=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_edge_is_lost_to_rounding(dtype):
    # 14 / 25 times 25 is more than 14 in float64, 7 / 13 times 13 in float32.
    for bins in range(2, 46):
        for edge in range(bins // 2 + 1, bins):
            on, below = edge / bins, (edge - 0.01) / bins
            p = torch.tensor([[on, 1 - on], [below, 1 - below]], dtype=dtype)
            found = expected_calibration_error(p, torch.tensor([0, 1]), bins)
            together = abs(1 - on - below) / 2
            assert found.item() == pytest.approx(together, abs=1e-6), (edge, bins)


@pytest.mark.parametrize("own_targets", [False, True])
def test_each_network_of_a_fleet_has_its_own_error(own_targets):
    p, y = simulated((*FLEET, 40))
    p = p.transpose(0, 1)  # and its memory need not be in order
    if own_targets:
        y = torch.randint(6, (3, 2, 40), generator=torch.Generator().manual_seed(1))
    found = expected_calibration_error(p, y)
    gap = confidence_gap(p, y)
    floor = ece_floor(p, draws=7, seed=3)
    assert found.shape == gap.shape == floor.shape == (3, 2)
    for i, j in np.ndindex(3, 2):
        alone = p[i, j], y[i, j] if own_targets else y
        assert found[i, j].item() == pytest.approx(ece_by_hand(*alone, 15), abs=1e-12)
        assert gap[i, j] == confidence_gap(*alone)
        assert floor[i, j] == ece_floor(p[i, j], draws=7, seed=3)


def test_whole_and_gradient_carrying_probabilities_are_taken():
    y = torch.tensor([0, 1, 1, 0])
    one_hot = torch.nn.functional.one_hot(torch.tensor([0, 1, 0, 0]), 2)
    assert expected_calibration_error(one_hot, y).item() == 0.25
    p = one_hot.double().requires_grad_()
    assert expected_calibration_error(p, y.to(torch.uint8)).item() == 0.25
    assert confidence_gap(p.detach().numpy(), y.numpy()).item() == 0.25
    numbers = [expected_calibration_error(p, y), confidence_gap(p, y), ece_floor(p)]
    assert not any(number.requires_grad for number in numbers)


# --- the gap ------------------------------------------------------------------------


def test_the_gap_is_confidence_minus_accuracy_with_its_sign():
    p = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    over = confidence_gap(p, torch.tensor([0, 1, 0, 1]))
    assert over.item() == pytest.approx((0.9 + 0.7 + 0.8 + 0.5 - 1) / 4, abs=1e-7)
    under = confidence_gap(p, torch.tensor([0, 0, 1, 0]))
    assert under.item() == pytest.approx((0.9 + 0.7 + 0.8 + 0.5 - 4) / 4, abs=1e-7)


# --- the floor ----------------------------------------------------------------------


@pytest.mark.parametrize(("c", "n"), [(0.8, 50), (0.5, 12), (0.97, 300)])
def test_with_one_confidence_the_floor_is_that_of_the_binomial(c, n):
    p = torch.tensor([[c, 1 - c]], dtype=torch.float64).repeat(n, 1)
    wanted = binom(n, c).expect(lambda hits: abs(hits / n - c))
    spread = np.sqrt(c * (1 - c) / n - wanted**2)
    found = ece_floor(p, draws=2000).item()
    assert found == pytest.approx(wanted, abs=4 * spread / np.sqrt(2000))


def test_the_floor_is_the_mean_error_of_an_exact_posterior():
    p = datasets.gaussians(400, seed=5).posterior
    generator = torch.Generator().manual_seed(8)
    # Whole labels, of any class, from the posterior that made the data.
    labels = torch.multinomial(p, 400, replacement=True, generator=generator).T
    simulated = [ece_by_hand(p, y, 15) for y in labels]
    floor = ece_floor(p, draws=400)
    error = np.std(simulated) * np.sqrt(2 / 400)
    assert floor.item() == pytest.approx(np.mean(simulated), abs=4 * error)
    assert 0.01 < floor.item() < 0.1  # of a network that is calibrated exactly


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


# --- bad input ----------------------------------------------------------------------

ROWS = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("p", "wanted"),
    [
        (
            ROWS[0],
            "probabilities must have shape (..., N, K) with N and K at least 1, got "
            "(2,).",
        ),
        (
            ROWS[:0],
            "probabilities must have shape (..., N, K) with N and K at least 1, got "
            "(0, 2).",
        ),
        (ROWS - 0.5, "probabilities must lie in [0, 1], got -0.25."),
        (2 * ROWS, "probabilities must lie in [0, 1], got 1.5."),
        (ROWS / torch.zeros(1), "probabilities must lie in [0, 1], got inf."),
        (ROWS.log().sqrt(), "probabilities must lie in [0, 1], got nan."),
        (ROWS / 2, "probabilities must sum to 1 in each row, got 0.5000."),
        (1.002 * ROWS, "probabilities must sum to 1 in each row, got 1.0020."),
    ],
)
def test_what_is_no_table_of_probabilities_is_named(p, wanted):
    for function in (expected_calibration_error, confidence_gap):
        with pytest.raises(ValueError) as caught:
            function(p, LABELS)
        assert str(caught.value) == wanted
    with pytest.raises(ValueError) as caught:
        ece_floor(p)
    assert str(caught.value) == wanted


def test_probabilities_may_be_off_by_rounding():
    assert ece_floor(1.0005 * ROWS) > 0
    assert expected_calibration_error(torch.tensor([[1 + 1e-7, 0]]), LABELS[:1]) < 1e-6


@pytest.mark.parametrize(
    ("targets", "error", "wanted"),
    [
        (
            torch.tensor([0, 1, 1]),
            ValueError,
            "targets must have shape (2,) or (3, 2), got (3,).",
        ),
        (
            torch.zeros(2, 2, dtype=torch.int64),
            ValueError,
            "targets must have shape (2,) or (3, 2), got (2, 2).",
        ),
        (
            torch.tensor(0),
            ValueError,
            "targets must have shape (2,) or (3, 2), got ().",
        ),
        (
            torch.tensor([0.0, 1.0]),
            TypeError,
            "targets must be class indices, got dtype torch.float32.",
        ),
        (torch.tensor([0, 2]), IndexError, "targets must lie in 0 ... 1, got 2."),
        (torch.tensor([-100, 1]), IndexError, "targets must lie in 0 ... 1, got -100."),
    ],
)
def test_what_are_no_targets_is_named(targets, error, wanted):
    for function in (expected_calibration_error, confidence_gap):
        with pytest.raises(error) as caught:
            function(ROWS.repeat(3, 1, 1), targets)
        assert str(caught.value) == wanted


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_counts_are_whole_numbers(count):
    wanted = f"must be a whole number, at least 1, got {count!r}."
    with pytest.raises(ValueError) as caught:
        expected_calibration_error(ROWS, LABELS, bins=count)
    assert str(caught.value) == f"bins {wanted}"
    for name in ("bins", "draws"):
        with pytest.raises(ValueError) as caught:
            ece_floor(ROWS, **{name: count})
        assert str(caught.value) == f"{name} {wanted}"
    with pytest.raises(ValueError) as caught:
        ece_floor(ROWS, seed=-1)
    assert str(caught.value) == "seed must be a whole number, at least 0, got -1."


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_numbers():
    p, y = simulated((*FLEET, 200))
    for function, rest in [
        (expected_calibration_error, (y,)),
        (confidence_gap, (y,)),
        (ece_floor, ()),
    ]:
        here, there = function(p, *rest), function(p.cuda(), *rest)
        assert there.device.type == "cuda"
        torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-12)
