"""Bins and calibration errors against torchmetrics, scikit-learn and plain loops."""

import numpy as np
import pytest
import torch
from calibration_oracle import (
    bin_table,
    class_wise_by_hand,
    debiased_by_hand,
    ece_by_hand,
    in_bins,
    simulated,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from torchmetrics.classification import MulticlassCalibrationError

from lsr_utils.calibration import (
    class_wise_ece,
    confidence_gap,
    debiased_ece,
    debiased_squared_error,
    ece_floor,
    expected_calibration_error,
    maximum_calibration_error,
    reliability_bins,
)

FLEET = (2, 3)
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@st.composite
def rows_on_edges(draw):
    """Probabilities (N, 25), labels, bins: confidences on and off edges, and tied."""
    bins = draw(st.integers(1, 20))
    on_edge = st.integers(1, bins).map(lambda edge: edge / bins)
    level = st.floats(0.04, 1) | on_edge.filter(lambda c: c >= 0.04)
    confidence = np.array(draw(st.lists(level, min_size=1, max_size=24)))
    p = np.repeat((1 - confidence)[:, None] / 24, 25, axis=1)
    p[:, 3] = confidence  # 3 is predicted
    labels = st.lists(st.sampled_from([3, 4]), min_size=len(p), max_size=len(p))
    p = torch.tensor(p, dtype=draw(st.sampled_from(DTYPES)))
    return p, torch.tensor(draw(labels)), bins


# --- against other tools, off the edges ---------------------------------------------


@pytest.mark.parametrize("bins", range(2, 21))
@pytest.mark.parametrize("num_classes", [2, 6, 100])
def test_ece_and_mce_are_those_of_torchmetrics(num_classes, bins):
    p, y = simulated((500,), num_classes, seed=bins)
    ece = MulticlassCalibrationError(num_classes, n_bins=bins, norm="l1")(p, y)
    mce = MulticlassCalibrationError(num_classes, n_bins=bins, norm="max")(p, y)
    ours = expected_calibration_error(p, y, bins)
    assert ours.dtype == torch.float64 and ours.shape == ()
    assert ours.item() == pytest.approx(ece.item(), abs=1e-6)
    ours = maximum_calibration_error(p, y, bins, min_count=1)
    assert ours.item() == pytest.approx(mce.item(), abs=1e-5)


@pytest.mark.parametrize("bins", [2, 5, 20])
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_curve_is_that_of_scikit_learn(bins, strategy):
    # Its quantiles lie between two rows, at ours, where bins divides N and none tie.
    p, y = simulated((400,), seed=bins, dtype=torch.float64)
    confidence, predicted = p.max(-1)
    accuracy, mean = calibration_curve(
        predicted == y, confidence, n_bins=bins, strategy=strategy
    )
    ours = reliability_bins(p, y, bins, strategy)
    kept = ours.count > 0
    assert ours.accuracy[kept].numpy() == pytest.approx(accuracy, abs=1e-12)
    assert ours.confidence[kept].numpy() == pytest.approx(mean, abs=1e-12)


# --- against plain loops, on the edges ----------------------------------------------


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@given(rows_on_edges())
def test_bins_and_errors_are_those_of_a_plain_loop(strategy, case):
    p, y, bins = case
    found = reliability_bins(p, y, bins, strategy)
    assert found.count.tolist() == [m.sum() for m in in_bins(p.amax(1), bins, strategy)]
    kept = found.count > 0
    count, confidence, accuracy = bin_table(p, y, bins, strategy)
    assert found.confidence[kept].numpy() == pytest.approx(confidence, abs=1e-12)
    assert found.accuracy[kept].numpy() == pytest.approx(accuracy, abs=1e-12)
    assert found.confidence.isnan().equal(~kept) and found.gap.isnan().equal(~kept)
    wanted = ece_by_hand(p, y, bins, strategy)
    ece = expected_calibration_error(p, y, bins, strategy).item()
    assert ece == pytest.approx(wanted, abs=1e-12)
    fullest = int(count.max())
    for least in {1, fullest}:
        mce = maximum_calibration_error(p, y, bins, strategy, min_count=least).item()
        wanted = abs(accuracy - confidence)[count >= least].max()
        assert mce == pytest.approx(wanted, abs=1e-12)
    if fullest > 1:
        wanted = debiased_by_hand(p, y, bins, strategy)
        squared = debiased_squared_error(p, y, bins, strategy).item()
        assert squared == pytest.approx(wanted, abs=1e-12)
        root = debiased_ece(p, y, bins, strategy).item()
        assert root == pytest.approx(max(squared, 0) ** 0.5, abs=1e-12)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@given(rows_on_edges(), st.booleans())
def test_the_class_wise_error_is_that_of_a_plain_loop(strategy, case, certain):
    p, y, bins = case
    if certain:  # probabilities of 0 and 1
        p = torch.eye(25, dtype=p.dtype)[p.argmin(-1)]
    found = class_wise_ece(p, y, bins, strategy).item()
    assert found == pytest.approx(class_wise_by_hand(p, y, bins, strategy), abs=1e-12)


def test_an_edge_belongs_to_the_bin_below_it():
    # Right at .6 and wrong at .62 cancel in one bin, not in two.
    p = torch.tensor([[0.6, 0.4], [0.62, 0.38]], dtype=torch.float64)
    found = expected_calibration_error(p, torch.tensor([0, 1]), n_bins=5)
    assert found.item() == pytest.approx((0.4 + 0.62) / 2, abs=1e-15)
    p = torch.tensor([[0.6, 0.4], [0.58, 0.42]], dtype=torch.float64)
    found = expected_calibration_error(p, torch.tensor([0, 1]), n_bins=5)
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


# --- bins of equal mass -------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 80))
def test_bins_of_equal_mass_differ_by_one_row_at_most(rows, bins):
    confidence = torch.linspace(0.5, 1, rows, dtype=torch.float64)
    p = torch.stack([confidence, 1 - confidence], -1)
    found = reliability_bins(p, torch.zeros(rows, dtype=int), bins, "quantile")
    assert found.count.sum() == rows and found.edges.shape == (bins + 1,)
    assert set(found.count.tolist()) <= {rows // bins, -(-rows // bins)}
    assert found.edges[0] == 0 and found.edges[-1] == 1
    assert (found.edges.diff() >= 0).all()


@pytest.mark.parametrize("confidence", [0.7, 1.0])
def test_equal_confidences_stay_in_one_bin(confidence):
    p = torch.tensor([[confidence, 1 - confidence]], dtype=torch.float64).repeat(9, 1)
    y = torch.tensor([0] * 6 + [1] * 3)
    for strategy in ("uniform", "quantile"):
        found = reliability_bins(p, y, 4, strategy)
        assert sorted(found.count.tolist()) == [0, 0, 0, 9]
        error = expected_calibration_error(p, y, 4, strategy).item()
        assert error == pytest.approx(confidence - 6 / 9, abs=1e-12)


# --- what else holds ----------------------------------------------------------------


def test_a_row_alone_decides_the_largest_error_unless_it_is_told_not_to():
    p = torch.tensor([[0.99, 0.01]] + [[0.6, 0.4]] * 10, dtype=torch.float64)
    y = torch.tensor([1] + [0] * 5 + [1] * 5)
    found = maximum_calibration_error(p, y, min_count=1)
    assert found.item() == pytest.approx(0.99)
    assert maximum_calibration_error(p, y).item() == pytest.approx(0.1)


@pytest.mark.parametrize("own_targets", [False, True])
def test_each_network_of_a_fleet_has_its_own_numbers(own_targets):
    p, y = simulated((*FLEET, 40))
    p = p.transpose(0, 1)  # and its memory need not be in order
    if own_targets:
        y = torch.randint(6, (3, 2, 40), generator=torch.Generator().manual_seed(1))
    gap, tables = confidence_gap(p, y), reliability_bins(p, y, 9, "quantile")
    assert tables.edges.shape == (3, 2, 10) and tables.count.dtype == torch.int64
    for i, j in np.ndindex(3, 2):
        alone = p[i, j], y[i, j] if own_targets else y
        assert gap[i, j] == confidence_gap(*alone)
        table = reliability_bins(*alone, 9, "quantile")
        for name in ("edges", "count", "confidence", "accuracy", "gap"):
            assert getattr(tables, name)[i, j].equal(getattr(table, name)), name
        for function, by_hand in [
            (expected_calibration_error, ece_by_hand),
            (class_wise_ece, class_wise_by_hand),
            (debiased_squared_error, debiased_by_hand),
        ]:
            found = function(p, y, 9, "quantile")[i, j].item()
            assert found == pytest.approx(by_hand(*alone, 9, "quantile"), abs=1e-12)


def test_the_gap_is_confidence_minus_accuracy_with_its_sign():
    p = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    over = confidence_gap(p, torch.tensor([0, 1, 0, 1]))
    assert over.item() == pytest.approx((0.9 + 0.7 + 0.8 + 0.5 - 1) / 4, abs=1e-7)
    under = confidence_gap(p, torch.tensor([0, 0, 1, 0]))
    assert under.item() == pytest.approx((0.9 + 0.7 + 0.8 + 0.5 - 4) / 4, abs=1e-7)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_numbers():
    p, y = simulated((*FLEET, 200))
    for function, rest in [
        (expected_calibration_error, (y,)),
        (class_wise_ece, (y, 15, "quantile")),
        (confidence_gap, (y,)),
        (ece_floor, ()),
    ]:
        here, there = function(p, *rest), function(p.cuda(), *rest)
        assert there.device.type == "cuda"
        torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-12)
