"""What a fleet refuses, by its message."""

import functools
import math
import warnings

import pandas as pd
import pytest
import torch
from fleet_oracle import build, points, trained
from torch import nn

from lsr_utils import datasets, fleet, models, training


def refused(error=ValueError, build=build, train=None, grid=({},), **options):
    """The message of the error, and that nothing is trained or printed before."""
    with warnings.catch_warnings(), pytest.raises(error) as caught:
        warnings.simplefilter("error")
        train = points() if train is None else train
        grid = list(grid) if isinstance(grid, tuple) else grid
        trained(build, train, grid, **options)
    assert caught.type is error
    return str(caught.value)


# --- values of the grid -------------------------------------------------------------

SEED = "must be a whole number, 0 to 4294967295, got "
PENALTY = "must lie in [0, inf), got "


@pytest.mark.parametrize(
    ("column", "value", "error", "wanted"),
    [
        ("eps", 1.5, ValueError, "must lie in [0, 1], got 1.5."),
        ("eps", math.inf, ValueError, "must lie in [0, 1], got inf."),
        ("eps", "0.1", TypeError, "must be a number in [0, 1], got '0.1'."),
        ("eps", True, TypeError, "must be a number in [0, 1], got True."),
        ("lr", -1.0, ValueError, f"{PENALTY}-1.0."),
        ("lr", math.inf, ValueError, f"{PENALTY}inf."),
        ("lr", "1e-3", TypeError, "must be a number in [0, inf), got '1e-3'."),
        ("weight_decay", -0.1, ValueError, f"{PENALTY}-0.1."),
        ("l1", -0.1, ValueError, f"{PENALTY}-0.1."),
        ("l1", (1, 2), TypeError, "must be a number in [0, inf), got (1, 2)."),
        ("dropout", -0.1, ValueError, "must lie in [0, 1), got -0.1."),
        ("dropout", 1.0, ValueError, "must lie in [0, 1), got 1.0."),
        ("redrawn", 1.1, ValueError, "must lie in [0, 1], got 1.1."),
        ("redrawn", False, TypeError, "must be a number in [0, 1], got False."),
        ("seed", 1.5, ValueError, f"{SEED}1.5."),
        ("seed", -1.0, ValueError, f"{SEED}-1.0."),
        ("seed", "1", ValueError, f"{SEED}'1'."),
        ("seed", math.inf, ValueError, f"{SEED}inf."),
    ],
)
def test_a_value_out_of_its_range_is_named_with_its_row(column, value, error, wanted):
    message = refused(error, grid=[{}, {column: value}])
    assert message == f"grid, row 1: {column} {wanted}"
    column_of_its_own = pd.DataFrame({column: [value]})  # of its own dtype, too
    message = refused(error, grid=column_of_its_own)
    assert message.startswith(f"grid, row 0: {column} must ")


def test_an_empty_place_is_the_default():
    grid = [{"seed": math.nan, "eps": None}, {"lr": math.nan, "dropout": pd.NA}]
    table = trained(build, points(), grid, steps=1).grid
    assert table["seed"].tolist() == [0, 0] and table["lr"].tolist() == [2e-3] * 2
    assert not table[["eps", "dropout"]].any(axis=None)


UNKNOWN = (
    "grid has the column {!r}, which nothing takes: it may set seed, eps, lr, "
    "weight_decay, l1, dropout, redrawn, arguments of train, evaluate or loss, or text."
)
COLUMNS = {
    "numbers": [0.1, 0.2],
    "objects": pd.Series([0.1, 0.2], dtype=object),
    "some text": pd.Series(["0.1", 0.2], dtype=object),
    "booleans": [True, False],
    "categories of numbers": pd.Categorical([0.1, 0.2]),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "tuples": pd.Series([(64, 32), (8,)], dtype=object),
    "nothing": [math.nan, math.nan],
}


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS.keys())
def test_a_column_that_nothing_takes_is_no_label_unless_text(values):
    for name in ("epss", "widths"):
        assert refused(grid=pd.DataFrame({name: values})) == UNKNOWN.format(name)


def test_a_column_that_a_function_takes_is_known_and_its_neighbour_is_not():
    def train(n, kind):
        return points(n)

    grid = pd.DataFrame({"n": [20, 20], "kind": ["a", "b"], "m": [1, 2]})
    assert refused(train=train, grid=grid) == UNKNOWN.format("m")
    assert len(trained(build, train, grid.drop(columns="m"))) == 2
    found = trained(
        build, points(), grid[["m"]], evaluate={"test": lambda m: points(20, m)}
    )
    assert found.targets("test").shape == (2, 20)
    assert found.targets("train").shape == (2, 40)


@pytest.mark.filterwarnings("error")
def test_sizes_are_the_same_in_every_arm():
    message = refused(
        grid=pd.DataFrame({"m": [9, 8]}), evaluate={"test": lambda m: points(m)}
    )
    assert message == ("test needs rows, as many in every arm, got [8, 9].")


@pytest.mark.parametrize("name", ["steps", "batch_size", "measure_every"])
def test_what_holds_for_the_whole_fleet_is_no_column(name):
    assert refused(grid=[{name: 10}]) == UNKNOWN.format(name)


@pytest.mark.parametrize(
    "name", ["step", "part", "loss", "nll", "accuracy", "gap", "confidence"]
)
def test_a_column_that_the_tables_add_is_refused(name):
    assert f"columns overlap but no suffix specified: Index(['{name}']" in refused(
        grid=[{name: "text"}]
    )


def test_a_grid_that_is_none_is_refused():
    for wrong in ([], fleet.grid(eps=[]), {"eps": 0.1}, 3, "eps"):
        with pytest.raises((IndexError, TypeError, ValueError)):
            trained(build, points(), wrong)
    both = pd.concat([pd.DataFrame({"eps": [0.1]})] * 2, axis=1)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        trained(build, points(), both)


# --- loss ---------------------------------------------------------------------------


def test_a_loss_that_takes_no_eps_is_told():
    def loss(logits, targets):
        return fleet.smoothed_cross_entropy(logits, targets, 0.0)

    assert refused(grid=fleet.grid(eps=[0, 0.1]), loss=loss) == (
        "grid must not set eps for a loss that does not take eps."
    )
    assert len(trained(build, points(), [{"eps": 0.0}], loss=loss)) == 1


def test_a_loss_gets_numbers():
    def loss(logits, targets, kind):
        raise AssertionError("is not called")

    with pytest.raises((TypeError, ValueError), match="str"):
        trained(build, points(), [{"kind": "focal"}], loss=loss)
    assert refused(loss=loss) == "grid needs 'kind' in row 0."


@pytest.mark.parametrize("reduce", [torch.mean, lambda x: x.mean(1), lambda x: x.mT])
def test_a_loss_returns_one_number_a_row(reduce):
    def loss(logits, targets, eps):
        return reduce(fleet.smoothed_cross_entropy(logits, targets, eps))

    grid = fleet.grid(seed=range(2))
    with pytest.raises(RuntimeError, match=r"^stack expects .* \[2, 40\] at entry 1"):
        trained(build, points(), grid, loss=loss)


# --- data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(40, 2),
        torch.zeros(40, 2, dtype=torch.int64),
        torch.zeros(40, 3, 4).double(),
    ],
)
def test_inputs_that_the_network_cannot_take_are_refused(x):
    data = datasets.SixClass(x, torch.arange(40) % 6, None, ())
    refused(RuntimeError, train=data)
    refused(RuntimeError, evaluate={"test": data})


@pytest.mark.parametrize("wrong", [None, (1, 2), torch.zeros(3), "digits"])
def test_a_data_function_makes_a_six_class(wrong):
    for options in (
        {"train": lambda seed: wrong},
        {"evaluate": {"test": lambda: wrong}},
    ):
        with pytest.raises((TypeError, AttributeError)):
            trained(build, **{"train": points(), "grid": [{}]} | options)


def test_what_a_data_function_needs_is_in_the_grid():
    wanted = "grid needs 'n' in row {}."
    assert refused(train=lambda n: points(n)) == wanted.format(0)
    grid = [{"n": 20}, {"seed": 1}]
    assert refused(train=lambda n: points(n), grid=grid) == wanted.format(1)
    found = trained(build, lambda n=40: points(n), [{}])
    assert found.targets("train").shape == (1, 40)


def test_evaluate_does_not_replace_what_is_trained_on():
    message = refused(TypeError, evaluate={"train": points(30, 9)})
    assert message.endswith("got multiple values for keyword argument 'train'")


# --- networks -----------------------------------------------------------------------


def test_dropout_needs_a_layer_for_it():
    def plain(seed):
        network = build(seed)
        network.body = nn.Sequential(*list(network.body)[:2], nn.Linear(8, 5)).double()
        return network

    grid = [{}, {"dropout": 0.1}]
    assert refused(build=plain, grid=grid) == (
        "grid sets dropout for a network without models.Dropout."
    )
    assert len(trained(plain, points(), [{"dropout": 0.0}])) == 1


# --- the other arguments ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1, got 0."),
        ({"steps": True}, "steps must be a whole number, at least 1, got True."),
        ({"batch_size": 41}, "batch_size must be a whole number, 1 to 40, got 41."),
        ({"batch_size": 0}, "batch_size must be a whole number, 1 to 40, got 0."),
        ({"batch_size": 1.5}, "batch_size must be a whole number, 1 to 40, got 1.5."),
        (
            {"measure_every": 0},
            "measure_every must be a whole number, at least 1, got 0.",
        ),
    ],
)
def test_bad_options_are_named(options, wanted):
    assert refused(**options) == wanted


# --- methods ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    evaluate = {"test": points(20, 1)}
    return trained(build, points(), [{}, {"eps": 0.1}], evaluate=evaluate, steps=10)


@pytest.mark.parametrize(
    "method", ["table", "logits", "features", "targets", "posterior"]
)
def test_an_unknown_part_is_an_error(small, method):
    with pytest.raises((KeyError, ValueError), match="validation"):
        getattr(small, method)("validation")


def test_a_step_that_was_not_measured_is_an_error(small):
    with pytest.raises((KeyError, ValueError), match="11"):
        small.table("train", 11)


@pytest.mark.parametrize("index", [2, -3, 100])
def test_a_network_that_is_not_there_is_an_error(small, index):
    with pytest.raises(IndexError):
        small.network(index)


def test_the_builder_can_be_a_partial_function():
    make = functools.partial(models.build, "mlp", (2,), widths=(4,))
    assert len(trained(make, datasets.gaussians(20), [{"seed": 3}])) == 1


def test_a_function_of_any_columns_is_refused():
    load = functools.partial(datasets.load, "gaussians", n=60)
    wanted = "^train, evaluate and loss must name their columns"
    for options in ({"train": load}, {"evaluate": {"test": load}}):
        with pytest.raises(ValueError, match=wanted):
            trained(
                build, **{"train": points(), "grid": fleet.grid(seed=[0, 1])} | options
            )


def test_labels_and_inputs_that_do_not_fit_are_named():
    good = points()

    def with_labels(y):
        return datasets.SixClass(good.x, y, None, good.class_names)

    six = with_labels(torch.full_like(good.y, 6))
    with pytest.raises(IndexError) as caught:
        trained(build, good, [{}], evaluate={"test": six})
    assert str(caught.value) == "labels of test must lie in 0 ... 5, got 6."
    ignored = with_labels(torch.full_like(good.y, -100))
    with pytest.raises(
        IndexError, match=r"^labels of train must lie in 0 \.\.\. 5, got -1"
    ):
        trained(build, ignored, [{}])
    for kind in (torch.float64, torch.bool):
        with pytest.raises(TypeError, match="^labels of train must be class indices"):
            trained(build, with_labels(good.y.to(kind)), [{}])
    for kind in (torch.uint8, torch.int16):
        small = trained(build, with_labels(good.y.to(kind)), [{"redrawn": 0.2}])
        assert small.targets("train").dtype == torch.int64
        wanted = trained(build, good, [{"redrawn": 0.2}])
        assert torch.equal(small.logits("train"), wanted.logits("train"))


@pytest.mark.parametrize("seed", [2**32, 2**40])
def test_a_seed_that_would_repeat_another_is_refused(seed):
    with pytest.raises(ValueError, match=f"4294967295, got {seed}"):
        trained(build, points(), fleet.grid(seed=[0, seed]))
    with pytest.raises(ValueError, match="^seed must be "):
        models.build("mlp", (2,), seed=seed)
    with pytest.raises(ValueError, match=f"4294967295, got {seed}"):
        training.batches(10, 2, 1, seed=seed)
