"""Options that are none are named; odd but sound input has its stated result."""

import functools

import numpy as np
import pytest
import torch
from calibration_functions import BINNED, WITH_LABELS, WITH_POSTERIOR, message
from calibration_oracle import simulated

from lsr_utils import calibration as c

ROWS = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
LABELS = torch.tensor([0, 1])


# --- options ------------------------------------------------------------------------


@pytest.mark.parametrize("function", BINNED)
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_a_whole_number_of_bins_may_be_a_float(function, strategy):
    p, y = simulated((40,))
    found, wanted = (function(p, y, bins, strategy) for bins in (4.0, 4))
    assert repr(found) == repr(wanted)


@pytest.mark.parametrize("count", [0, -1, 2.5, True, "3", None, float("nan")])
def test_counts_are_whole_numbers(count):
    wanted = f"must be a whole number, at least 1, got {count!r}."
    for function in (*BINNED, c.debiased_ece, c.debiased_squared_error):
        found = message(ValueError, function, ROWS, LABELS, n_bins=count)
        assert found == f"n_bins {wanted}"
    for function in WITH_POSTERIOR:
        found = message(ValueError, function, ROWS, ROWS, n_bins=count)
        assert found == f"n_bins {wanted}"
    for function in (c.ece_floor, c.calibrated_errors):
        for name in ("n_bins", "draws"):
            found = message(ValueError, function, ROWS, **{name: count})
            assert found == f"{name} {wanted}"
    found = message(ValueError, c.summary, ROWS, LABELS, n_bins=count)
    assert found == f"n_bins must be a whole number, 1 to 1, got {count!r}."


@pytest.mark.parametrize("strategy", ["width", "", None, 1, ["uniform"]])
def test_a_strategy_is_one_of_two(strategy):
    wanted = f"strategy must be 'uniform' or 'quantile', got {strategy!r}."
    functions = [functools.partial(f, ROWS, LABELS) for f in BINNED]
    functions += [functools.partial(c.debiased_ece, ROWS, LABELS)]
    functions += [functools.partial(f, ROWS, ROWS) for f in WITH_POSTERIOR]
    functions += [functools.partial(c.ece_floor, ROWS)]
    functions += [functools.partial(c.consistency_band, ROWS)]
    for function in functions:
        assert message(ValueError, function, strategy=strategy) == wanted


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, 2**32])
def test_a_seed_is_a_whole_number(seed):
    wanted = f"seed must be a whole number, 0 to 4294967295, got {seed!r}."
    for function in (
        functools.partial(c.ece_floor, ROWS),
        functools.partial(c.consistency_band, ROWS),
        functools.partial(c.bootstrap, c.nll, ROWS, LABELS),
        functools.partial(c.summary, ROWS, LABELS, 1),
    ):
        assert message(ValueError, function, seed=seed) == wanted


@pytest.mark.parametrize(
    ("successes", "trials"), [(0.5, 2.0), (1.0, 2.5), (1.0, np.nan)]
)
def test_successes_are_whole_numbers(successes, trials):
    found = message(ValueError, c.clopper_pearson, successes, trials)
    assert found == f"successes must be whole, got {successes} of {trials}."


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2)])
def test_impossible_successes_have_no_interval(successes, trials):
    assert np.isnan(c.clopper_pearson(successes, trials)).any()


@pytest.mark.parametrize("min_count", [0, 2, 10, 1.5])
def test_an_mce_looks_at_some_bin(min_count):
    # Of no bin the largest distance would be 0.
    found = message(
        ValueError, c.maximum_calibration_error, ROWS, LABELS, min_count=min_count
    )
    assert found == f"min_count must be a whole number, 1 to 1, got {min_count!r}."


def test_where_no_bin_has_two_rows_nothing_is_known_without_chance():
    for function in (c.debiased_ece, c.debiased_squared_error):
        assert function(ROWS, LABELS, 15).isnan()
        assert function(ROWS, LABELS, 1).isfinite()


# --- odd, and fine ------------------------------------------------------------------


def everything(p, y):
    """One number of each function, all finite."""
    found = [f(p, y) for f in WITH_LABELS[6:12]]
    found += [f(p, y, 2).score for f in (c.brier_decomposition, c.nll_decomposition)]
    found += [c.expected_calibration_error(p, y), c.class_wise_ece(p, y, 3, "quantile")]
    found += [c.ece_floor(p, draws=5), c.true_calibration_error(p, p)]
    found += [*c.bootstrap(c.accuracy, p, y, resamples=5)]
    assert not any(number.requires_grad for number in found)
    return torch.stack(found)


def test_arrays_lists_gradients_and_memory_out_of_order_make_no_difference():
    p, y = simulated((30,), dtype=torch.float64)
    wanted = everything(p, y)
    read_only = p.numpy().copy()
    read_only.flags.writeable = False
    for same in (
        read_only, p.tolist(), p.clone().requires_grad_(), p.T.contiguous().T,
        p.flip(-1).numpy()[:, ::-1], p.repeat_interleave(2, 0)[::2],
    ):  # fmt: skip
        assert everything(same, y).equal(wanted)
    for same in (y.to(torch.uint8), y.numpy(), y.tolist(), y.int(), y.repeat(2)[:30]):
        assert everything(p, same).equal(wanted)
    fleet = everything([p.numpy(), p.numpy()], y)  # as one network after the other
    torch.testing.assert_close(fleet, wanted.unsqueeze(-1).expand(-1, 2))


def test_one_class_one_row_and_one_class_present():
    one = everything(torch.ones(4, 1), torch.zeros(4, dtype=int))
    assert one.isfinite().all()
    p, y = simulated((25,))
    assert everything(p, torch.full_like(y, 2)).isfinite().all()
    single = torch.tensor([[0.7, 0.3]], dtype=torch.float64)
    for strategy in ("uniform", "quantile"):
        for y, wanted in ((0, 0.3), (1, 0.7)):
            found = c.expected_calibration_error(
                single, torch.tensor([y]), 15, strategy
            )
            assert found.item() == pytest.approx(wanted)
        floor = c.ece_floor(single, 15, strategy, draws=4000).item()
        assert floor == pytest.approx(2 * 0.7 * 0.3, abs=0.02)


def test_sums_may_be_off_by_rounding():
    assert c.ece_floor(1.0005 * ROWS) > 0
    over = torch.tensor([[1 + 1e-7, 0]])
    assert c.expected_calibration_error(over, LABELS[:1]) < 1e-6
    assert c.ece_floor(over) < 1e-6 and c.reliability_bins(over, [0]).count[-1] == 1
    many, y = simulated((5,), num_classes=50_000)
    assert c.expected_calibration_error(many, y) > 0


def test_more_bins_than_rows_leaves_bins_empty():
    for strategy in ("uniform", "quantile"):
        found = c.reliability_bins(ROWS, LABELS, 1000, strategy)
        assert found.count.sum() == 2 and found.accuracy.isnan().sum() == 998
        low, high = c.consistency_band(ROWS, 1000, strategy, resamples=50)
        assert low.isnan().equal(found.accuracy.isnan()) and (low <= high).sum() == 2
        assert c.ece_floor(ROWS, 1000, strategy).isfinite()
