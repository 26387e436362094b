"""Options that are none are named; odd but sound input has its stated result."""

import functools

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


@pytest.mark.parametrize("count", [0, -1, 2.5, 1.5, True, "3", None, float("nan")])
def test_counts_are_whole_numbers(count):
    wanted = f"must be a whole number, at least 1, got {count!r}."
    for function in (*BINNED, c.debiased_ece, c.debiased_squared_error, c.summary):
        assert (
            message(ValueError, function, ROWS, LABELS, bins=count) == f"bins {wanted}"
        )
    for function in WITH_POSTERIOR:
        assert message(ValueError, function, ROWS, ROWS, bins=count) == f"bins {wanted}"
    for name in ("bins", "draws", "size")[: 2 if count is None else 3]:
        for function in (c.ece_floor, c.calibrated_errors):
            found = message(ValueError, function, ROWS, **{name: count})
            assert found == f"{name} {wanted}"
    found = message(
        ValueError, c.maximum_calibration_error, ROWS, LABELS, min_count=count
    )
    assert found == f"min_count {wanted}"
    for function in (
        functools.partial(c.consistency_band, ROWS),
        functools.partial(c.bootstrap, c.nll, ROWS, LABELS),
        functools.partial(c.summary, ROWS, LABELS, 1),
        functools.partial(c.summary, ROWS.expand(2, 2, 2), LABELS, 1),
    ):
        found = message(ValueError, function, resamples=count)
        assert found == f"resamples {wanted}"


@pytest.mark.parametrize("strategy", ["widht", "uniform", "", None, 1, ["uniform"]])
def test_a_binning_is_one_of_two(strategy):
    wanted = f"strategy must be 'width' or 'mass', got {strategy!r}."
    functions = [functools.partial(f, ROWS, LABELS) for f in BINNED]
    functions += [functools.partial(c.debiased_ece, ROWS, LABELS)]
    functions += [functools.partial(f, ROWS, ROWS) for f in WITH_POSTERIOR]
    functions += [functools.partial(c.ece_floor, ROWS)]
    functions += [functools.partial(c.consistency_band, ROWS)]
    for function in functions:
        assert message(ValueError, function, strategy=strategy) == wanted


@pytest.mark.parametrize(
    "level", [0, 1, -0.5, 95, float("nan"), "0.95", True, None, [0.9]]
)
def test_a_level_is_a_share(level):
    wanted = f"level must lie in (0, 1), got {level!r}."
    for function in (
        functools.partial(c.consistency_band, ROWS, resamples=5),
        functools.partial(c.clopper_pearson, 1, 2),
        functools.partial(c.bootstrap, c.nll, ROWS, LABELS, resamples=5),
        functools.partial(c.summary, ROWS, LABELS, 1, resamples=5),
        functools.partial(c.summary, ROWS.expand(2, 2, 2), LABELS, 1, resamples=5),
    ):
        assert message(ValueError, function, level=level) == wanted


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, 2**32])
def test_a_seed_is_a_whole_number(seed):
    wanted = f"seed must be a whole number, at least 0, got {seed!r}."
    if seed == 2**32:
        wanted = "seed must be below 2**32, got 4294967296."
    for function in (
        functools.partial(c.ece_floor, ROWS),
        functools.partial(c.consistency_band, ROWS),
        functools.partial(c.bootstrap, c.nll, ROWS, LABELS),
        functools.partial(c.summary, ROWS, LABELS, 1),
    ):
        assert message(ValueError, function, seed=seed) == wanted


@pytest.mark.parametrize(
    ("successes", "trials", "pair"),
    [
        (3, 2, "3 of 2"),
        (-1, 2, "-1 of 2"),
        (0.5, 2, "0.5 of 2"),
        (1, 2.5, "1 of 2.5"),
        (float("nan"), 2, "nan of 2"),
        (1, float("inf"), "1 of inf"),
        (torch.tensor([1, 5, 2]), torch.tensor([2, 4, 2]), "5 of 4"),
    ],
)
def test_successes_are_some_of_the_trials(successes, trials, pair):
    found = message(ValueError, c.clopper_pearson, successes, trials)
    assert found == f"successes must be whole numbers from 0 to trials, got {pair}."


def test_successes_and_trials_are_numbers_that_fit():
    found = message(ValueError, c.clopper_pearson, [1, 2, 3], [4, 5])
    assert found == (
        "successes and trials must have shapes that fit, got (3,) and (2,)."
    )
    found = message(TypeError, c.clopper_pearson, 1, None)
    assert found == "trials must be a tensor of numbers, got None."


def test_a_bin_must_have_rows_enough():
    found = message(ValueError, c.maximum_calibration_error, ROWS, LABELS)
    assert found == (
        "min_count must be at most the rows of the fullest bin, got 10 where it has 1."
    )
    for function in (c.debiased_ece, c.debiased_squared_error):
        found = message(ValueError, function, ROWS, LABELS, 15)
        wanted = "bins must leave two rows in some bin, got 15 bins for 2 rows."
        assert found == wanted


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
    found = message(ValueError, c.summary, single, torch.tensor([0]), 1)
    assert found == "bins must be fewer than the 1 rows, got 1."


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
