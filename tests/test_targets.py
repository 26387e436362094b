"""Smoothed targets and their closed forms, against numpy, sympy and an optimiser."""

import math

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import entropy

from lsr_utils.targets import (
    convert_eps,
    minimum_loss,
    optimal_gap,
    smooth_distribution,
    smooth_targets,
    target_values,
)

BOTH = ("all", "others")
EPS = st.floats(0, 1)
CLASSES = st.integers(2, 200)
SPREAD = st.sampled_from(BOTH)


def row_by_hand(eps, num_classes, spread, true_class=0):
    """The smoothed one-hot row, class by class."""
    row = np.full(num_classes, eps / (num_classes - (spread == "others")))
    row[true_class] = 1 - eps + (eps / num_classes if spread == "all" else 0)
    return row


# --- the six-class example ----------------------------------------------------------


@pytest.mark.parametrize(
    ("spread", "true", "other", "least", "odds"),
    [
        ("all", 0.916667, 0.016667, 0.420956, 55),
        ("others", 0.9, 0.02, 0.486027, 45),
    ],
)
def test_the_numbers_of_the_example_come_out(spread, true, other, least, odds):
    values = target_values(0.1, 6, spread)
    assert [round(p, 6) for p in values] == [true, other]
    assert round(minimum_loss(0.1, 6, spread), 6) == least
    assert optimal_gap(0.1, 6, spread) == pytest.approx(math.log(odds), abs=1e-14)
    targets = smooth_targets(torch.tensor([3]), 6, 0.1, spread, torch.float64)
    assert targets[0].tolist() == pytest.approx(
        3 * [other] + [true] + 2 * [other], 1e-4
    )


def test_the_numbers_of_two_and_of_a_thousand_classes_come_out():
    assert round(minimum_loss(0.1, 2), 4) == 0.1985
    assert round(minimum_loss(0.1, 2, "others"), 4) == 0.3251
    assert target_values(0.1, 2) == pytest.approx((0.95, 0.05))
    apart = minimum_loss(0.1, 1000) - minimum_loss(0.1, 1000, "others")
    assert abs(apart / minimum_loss(0.1, 1000)) < 1e-3


def test_the_example_is_label_smoothing_of_twelve_hundredths():
    assert convert_eps(0.1, 6, to="all") == pytest.approx(0.12, abs=1e-15)
    assert convert_eps(0.1, 6, to="others") == pytest.approx(1 / 12, abs=1e-15)


@pytest.mark.parametrize("spread", BOTH)
def test_sympy_derives_the_same_closed_forms(spread):
    eps, classes, gap = sympy.symbols("epsilon K gap", positive=True)
    if spread == "all":
        true, other = 1 - eps + eps / classes, eps / classes
    else:
        true, other = 1 - eps, eps / (classes - 1)
    # One class at the logit "gap", the others at 0.
    log_z = sympy.log(sympy.exp(gap) + classes - 1)
    loss = -true * (gap - log_z) - (classes - 1) * other * (-log_z)
    for e, k in ((sympy.Rational(1, 10), 6), (sympy.Rational(2, 5), 3)):
        here = loss.subs({eps: e, classes: k})
        best = sympy.solve(sympy.diff(here, gap), gap)
        assert len(best) == 1
        assert float(best[0]) == pytest.approx(optimal_gap(float(e), k, spread), 1e-12)
        least = float(here.subs(gap, best[0]))
        assert least == pytest.approx(minimum_loss(float(e), k, spread), 1e-12)


@pytest.mark.parametrize("spread", BOTH)
@pytest.mark.parametrize(("eps", "num_classes"), [(0.1, 6), (0.4, 3), (0.05, 20)])
def test_an_optimiser_finds_the_same_minimum(eps, num_classes, spread):
    target = row_by_hand(eps, num_classes, spread)

    def loss_and_slope(z):
        log_p = z - z.max() - np.log(np.exp(z - z.max()).sum())
        return -(target * log_p).sum(), np.exp(log_p) - target

    found = minimize(loss_and_slope, np.zeros(num_classes), jac=True, tol=1e-12)
    assert found.fun == pytest.approx(minimum_loss(eps, num_classes, spread), abs=1e-9)
    gap = found.x[0] - found.x[1:]
    assert gap == pytest.approx(optimal_gap(eps, num_classes, spread), abs=1e-4)


# --- properties ---------------------------------------------------------------------


@given(EPS, CLASSES, SPREAD, st.data())
def test_targets_are_the_rows_written_by_hand(eps, num_classes, spread, data):
    labels = data.draw(st.lists(st.integers(0, num_classes - 1), max_size=5))
    labels = torch.tensor(labels, dtype=torch.int64)
    rows = smooth_targets(labels, num_classes, eps, spread, torch.float64)
    assert rows.shape == (len(labels), num_classes) and (rows >= 0).all()
    for row, label in zip(rows, labels.tolist(), strict=True):
        by_hand = row_by_hand(eps, num_classes, spread, label)
        np.testing.assert_allclose(row, by_hand, rtol=1e-12, atol=1e-15)
        assert row.sum().item() == pytest.approx(1, abs=1e-12)


@given(EPS, CLASSES, SPREAD)
def test_the_two_values_are_those_of_the_row(eps, num_classes, spread):
    true, other = target_values(eps, num_classes, spread)
    by_hand = row_by_hand(eps, num_classes, spread)
    assert (true, other) == pytest.approx((by_hand[0], by_hand[1]), 1e-12)


@given(EPS, CLASSES, SPREAD)
def test_the_minimum_loss_is_the_entropy_of_the_row(eps, num_classes, spread):
    least = entropy(row_by_hand(eps, num_classes, spread))
    assert minimum_loss(eps, num_classes, spread) == pytest.approx(least, abs=1e-12)


@given(st.floats(1e-9, 1), CLASSES, SPREAD)
def test_the_softmax_of_the_optimal_gap_is_the_target(eps, num_classes, spread):
    gap = optimal_gap(eps, num_classes, spread)
    # 1 / (1 + (K - 1) e^-gap), written so that gap = -inf is no overflow.
    odds = math.exp(gap) if gap < 0 else 1 / math.exp(-gap)
    p = odds / (odds + num_classes - 1)
    assert p == pytest.approx(row_by_hand(eps, num_classes, spread)[0], abs=1e-12)


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=8), EPS, EPS,
    SPREAD,
)  # fmt: skip
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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), SPREAD)
def test_no_smoothing_is_the_identity(row, spread):
    q = torch.tensor(row, dtype=torch.float64)
    assert torch.equal(smooth_distribution(q, 0.0, spread), q)


@given(EPS, CLASSES)
def test_converting_keeps_the_row_and_can_be_undone(eps, num_classes):
    others = convert_eps(eps, num_classes, to="others")
    row = row_by_hand(others, num_classes, "others")
    np.testing.assert_allclose(row, row_by_hand(eps, num_classes, "all"), atol=1e-12)
    assert convert_eps(others, num_classes, to="all") == pytest.approx(eps, abs=1e-12)


@pytest.mark.parametrize("num_classes", [2, 6, 7, 27, 29, 1000])
def test_the_largest_eps_converts_to_one_in_spite_of_rounding(num_classes):
    largest = (num_classes - 1) / num_classes
    assert convert_eps(largest, num_classes, to="all") == pytest.approx(1, abs=1e-15)
    assert convert_eps(largest, num_classes, to="all") <= 1


# --- corners and bad input ----------------------------------------------------------


def test_the_ends_of_the_scale_have_their_limits():
    for spread in BOTH:
        assert minimum_loss(0, 6, spread) == 0
        assert optimal_gap(0, 6, spread) == math.inf
    assert optimal_gap(1, 6, "all") == pytest.approx(0, abs=1e-15)
    assert optimal_gap(1, 6, "others") == -math.inf
    assert minimum_loss(1, 6, "all") == pytest.approx(math.log(6))
    assert minimum_loss(1, 6, "others") == pytest.approx(math.log(5))
    assert minimum_loss(0.3, 1) == pytest.approx(0, abs=1e-15)
    assert target_values(0, 1, "others") == (1, 0)
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
    np.testing.assert_allclose(smooth_targets(labels.tolist(), 3, 0.1), wanted, 1e-6)
    assert smooth_targets(1, 3, 0.1).shape == (3,)
    assert smooth_targets(1, 3, 0.1, dtype=torch.float16).dtype == torch.float16


BAD = [
    (ValueError, "eps must lie in [0, 1], got nan.", target_values, (math.nan, 6)),
    (ValueError, "eps must lie in [0, 1], got -0.5.", minimum_loss, (-0.5, 6)),
    (ValueError, "eps must lie in [0, 1], got 1.01.", optimal_gap, (1.01, 6)),
    (
        TypeError,
        "eps must be a number in [0, 1], got '0.1'.",
        target_values,
        ("0.1", 6),
    ),
    (TypeError, "eps must be a number in [0, 1], got None.", target_values, (None, 6)),
    (ValueError, "eps must lie in [0, 1], got 1000", target_values, (10**400, 6)),
    (
        ValueError,
        "spread must be 'all' or 'others', got 'rest'.",
        minimum_loss,
        (0.1, 6, "rest"),
    ),
    (
        ValueError,
        "spread='others' needs at least 2 classes, got num_classes=1.",
        target_values,
        (0.1, 1, "others"),
    ),
    (
        ValueError,
        "num_classes must be a whole number, at least 2, got 1.",
        optimal_gap,
        (0.1, 1),
    ),
    (ValueError, "to must be 'all' or 'others', got 'b'.", convert_eps, (0.1, 6, "b")),
    (
        ValueError,
        "num_classes must be a whole number, at least 2, got 1.",
        convert_eps,
        (0.1, 1, "others"),
    ),
    (
        ValueError,
        "eps=0.9 of the others is 1.0800 of all, over 1.",
        convert_eps,
        (0.9, 6, "all"),
    ),
    (
        IndexError,
        "targets must lie in 0 ... 5, got 6.",
        smooth_targets,
        ([6, 0], 6, 0.1),
    ),
    (
        IndexError,
        "targets must lie in 0 ... 5, got -1.",
        smooth_targets,
        ([2, -1], 6, 0.1),
    ),
    (
        TypeError,
        "targets must be class indices, got dtype torch.float32.",
        smooth_targets,
        ([0.5], 6, 0.1),
    ),
    (ValueError, "'others', got 'b'.", smooth_distribution, (torch.ones(2), 0.1, "b")),
    (TypeError, "got dtype torch.bool.", smooth_targets, ([True], 6, 0.1)),
    (TypeError, "got dtype torch.complex64.", smooth_targets, ([1j], 6, 0.1)),
]


@pytest.mark.parametrize(("error", "message", "call", "arguments"), BAD)
def test_bad_input_is_named(error, message, call, arguments):
    with pytest.raises(error) as caught:
        call(*arguments)
    assert message in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, None, "6", math.nan, math.inf, [6]])
def test_a_number_of_classes_that_is_none_is_named(bad):
    calls = [
        (1, lambda: target_values(0.1, bad)),
        (1, lambda: minimum_loss(0.1, bad)),
        (1, lambda: smooth_targets([0], bad, 0.1)),
        (2, lambda: optimal_gap(0.1, bad)),
        (2, lambda: convert_eps(0.1, bad, "all")),
    ]
    for least, call in calls:
        with pytest.raises(ValueError) as caught:
            call()
        wanted = f"num_classes must be a whole number, at least {least}, got {bad!r}."
        assert str(caught.value) == wanted
