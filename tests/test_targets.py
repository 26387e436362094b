"""Smoothed targets and their closed forms, against numpy and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from lsr_utils import targets
from lsr_utils.targets import minimum_loss, smooth_distribution, smooth_targets

EPS = st.floats(0, 1)
CLASSES = st.integers(2, 200)
SPREAD = st.sampled_from(["all", "others"])


def row_by_hand(eps, num_classes, spread, true_class=0):
    """The smoothed one-hot row, class by class."""
    row = np.full(num_classes, eps / (num_classes - (spread == "others")))
    row[true_class] = 1 - eps + (eps / num_classes if spread == "all" else 0)
    return row


@given(EPS, CLASSES, SPREAD, st.data())
def test_targets_and_least_loss_are_those_by_hand(eps, num_classes, spread, data):
    labels = data.draw(st.lists(st.integers(0, num_classes - 1), max_size=5))
    labels = torch.tensor(labels, dtype=torch.int64)
    rows = smooth_targets(labels, num_classes, eps, spread, torch.float64)
    assert rows.shape == (len(labels), num_classes) and (rows >= 0).all()
    for row, label in zip(rows, labels.tolist(), strict=True):
        by_hand = row_by_hand(eps, num_classes, spread, label)
        np.testing.assert_allclose(row, by_hand, rtol=1e-12, atol=1e-15)
    true, other = targets.target_values(eps, num_classes, spread)
    by_hand = row_by_hand(eps, num_classes, spread)
    assert [true, other] == pytest.approx(by_hand[:2], 1e-12)
    least = minimum_loss(eps, num_classes, spread)
    assert least == pytest.approx(entropy(by_hand), abs=1e-12)


@given(st.floats(1e-9, 1), CLASSES, SPREAD)
def test_the_softmax_of_the_optimal_gap_is_the_target(eps, num_classes, spread):
    gap = targets.optimal_gap(eps, num_classes, spread)
    # 1 / (1 + (K - 1) e^-gap), written so that gap = -inf is no overflow.
    odds = math.exp(gap) if gap < 0 else 1 / math.exp(-gap)
    p = odds / (odds + num_classes - 1)
    assert p == pytest.approx(row_by_hand(eps, num_classes, spread)[0], abs=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8), EPS, EPS, SPREAD)
def test_smoothing_a_distribution_keeps_its_sum_and_its_order(row, eps, more, spread):
    q = torch.tensor(row, dtype=torch.float64)
    q = q / q.sum()
    smoothed = smooth_distribution(q, eps, spread)
    assert smoothed.sum().item() == pytest.approx(1, abs=1e-12)
    # Distances shrink by one common factor, which is negative only where "others"
    # takes more from a class than it leaves there.
    shrink = 1 - eps if spread == "all" else 1 - eps * len(q) / (len(q) - 1)
    apart, apart_before = smoothed - smoothed[0], q - q[0]
    np.testing.assert_allclose(apart, shrink * apart_before, atol=1e-12)
    if spread == "all":  # smoothing twice is smoothing once with the composed eps
        twice = smooth_distribution(smoothed, more)
        once = smooth_distribution(q, 1 - (1 - eps) * (1 - more))
        np.testing.assert_allclose(twice, once, atol=1e-12)


@given(EPS, CLASSES)
def test_converting_keeps_the_row_and_can_be_undone(eps, num_classes):
    others = targets.convert_eps(eps, num_classes, to="others")
    row = row_by_hand(others, num_classes, "others")
    np.testing.assert_allclose(row, row_by_hand(eps, num_classes, "all"), atol=1e-12)
    undone = targets.convert_eps(others, num_classes, to="all")
    assert undone == pytest.approx(eps, abs=1e-12)
    # The largest converts to one in spite of rounding.
    most = targets.convert_eps((num_classes - 1) / num_classes, num_classes, to="all")
    assert most <= 1 and most == pytest.approx(1, abs=1e-14)


def test_the_ends_of_the_scale_have_their_limits():
    for spread in ("all", "others"):
        assert minimum_loss(0, 6, spread) == 0
        assert targets.optimal_gap(0, 6, spread) == math.inf
    assert targets.optimal_gap(1, 6, "all") == pytest.approx(0, abs=1e-15)
    assert targets.optimal_gap(1, 6, "others") == -math.inf
    assert minimum_loss(1, 6, "all") == pytest.approx(math.log(6))
    assert minimum_loss(1, 6, "others") == pytest.approx(math.log(5))
    assert minimum_loss(0.3, 1) == pytest.approx(0, abs=1e-15)
    assert targets.target_values(0, 1, "others") == (1, 0)
    one, row = torch.ones(1, 1), torch.tensor([[0.0, 1, 0]])
    assert torch.equal(smooth_distribution(one, 0, "others"), one)
    assert smooth_distribution(row, 1, "others").tolist() == [[0.5, 0, 0.5]]


def test_targets_of_any_shape_and_integer_dtype_are_taken():
    labels = np.array([[0, 1, 2], [2, 1, 0]])
    wanted = np.stack([[row_by_hand(0.1, 3, "all", k) for k in row] for row in labels])
    for dtype in (torch.uint8, torch.int16, torch.uint16, torch.uint32, torch.uint64):
        rows = smooth_targets(torch.tensor(labels).to(dtype), 3, 0.1)
        assert rows.dtype == torch.float32
        np.testing.assert_allclose(rows, wanted, rtol=1e-6)
    backwards = labels[::-1].copy()  # so that [::-1] has strides that torch has not
    for same in (labels.tolist(), backwards[::-1], list(torch.tensor(labels))):
        np.testing.assert_allclose(smooth_targets(same, 3, 0.1), wanted, 1e-6)
    np.testing.assert_allclose(smooth_targets(1, 3, 0.1), wanted[0, 1], 1e-6)
    for dtype in (torch.float16, torch.float64):
        assert smooth_targets(1, 3, 0.1, dtype=dtype).dtype == dtype
    assert smooth_targets(1, 3, 0.1, dtype="float32").dtype == torch.float32
    by_rows = torch.func.vmap(lambda row: smooth_targets(row, 3, 0.1))
    np.testing.assert_allclose(by_rows(torch.tensor(labels)), wanted, 1e-6)


@pytest.mark.parametrize("spread", ["all", "others"])
def test_rows_and_numbers_of_classes_of_any_ordinary_kind_are_taken(spread):
    wanted = row_by_hand(0.1, 3, spread)
    one_hot = [1, 0, 0]
    for rows in (one_hot, np.array(one_hot, bool), torch.tensor(one_hot)):
        found = smooth_distribution(rows, torch.tensor(0.1).double(), spread)
        np.testing.assert_allclose(found, wanted, 1e-6)
    assert smooth_distribution(torch.zeros(0, 3), 0.1, spread).shape == (0, 3)
    true, other = targets.target_values(0.1, 6, spread)
    least = entropy([true, *5 * [other]])
    for six in (6.0, np.uint8(6), np.array(6), torch.tensor(6)):
        assert targets.target_values(np.float64(0.1), six, spread) == (true, other)
        assert minimum_loss(0.1, six, spread) == pytest.approx(least)  # uint8: no -17
        assert type(minimum_loss(0.1, six, spread)) is float
        gap = targets.optimal_gap(0.1, six, spread)
        assert math.exp(gap) == pytest.approx(true / other)
