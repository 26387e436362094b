"""What a fleet refuses, by its message."""

import functools
import math
import re
import warnings

import numpy as np
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

COUNT = "a whole number, at least 0, got "
PENALTY = "must be finite and at least 0, got "


@pytest.mark.parametrize(
    ("column", "value", "error", "wanted"),
    [
        ("eps", 1.5, ValueError, "eps must lie in [0, 1], got 1.5."),
        ("eps", math.inf, ValueError, "eps must lie in [0, 1], got inf."),
        ("eps", "0.1", TypeError, "eps must be a number in [0, 1], got '0.1'."),
        ("eps", True, TypeError, "eps must be a number in [0, 1], got True."),
        ("lr", -1.0, ValueError, f"lr {PENALTY}-1.0."),
        ("lr", math.inf, ValueError, f"lr {PENALTY}inf."),
        ("lr", "1e-3", ValueError, f"lr {PENALTY}'1e-3'."),
        ("lr", True, ValueError, f"lr {PENALTY}True."),
        ("lr", np.True_, ValueError, f"lr {PENALTY}True."),
        ("weight_decay", -0.1, ValueError, f"weight_decay {PENALTY}-0.1."),
        ("l1", -0.1, ValueError, f"l1 {PENALTY}-0.1."),
        ("l1", (1, 2), ValueError, f"l1 {PENALTY}(1, 2)."),
        ("dropout", -0.1, ValueError, "dropout must lie in [0, 1], got -0.1."),
        ("dropout", "0.5", ValueError, "dropout must lie in [0, 1], got '0.5'."),
        (
            "dropout",
            1.0,
            ValueError,
            "dropout must be below 1, or nothing is left, got 1.0.",
        ),
        ("redrawn", 1.1, ValueError, "redrawn must lie in [0, 1], got 1.1."),
        ("redrawn", False, ValueError, "redrawn must lie in [0, 1], got False."),
        ("seed", 1.5, ValueError, f"seed must be {COUNT}1.5."),
        ("seed", -1.0, ValueError, f"seed must be {COUNT}-1.0."),
        ("seed", "1", ValueError, f"seed must be {COUNT}'1'."),
        ("seed", np.True_, ValueError, f"seed must be {COUNT}True."),
        ("seed", math.inf, ValueError, f"seed must be {COUNT}inf."),
    ],
)
def test_a_value_out_of_its_range_is_named_with_its_row(column, value, error, wanted):
    assert refused(error, grid=[{}, {column: value}]) == f"grid, row 1: {wanted}"
    column_of_its_own = pd.DataFrame({column: [value]})  # of its own dtype, too
    message = refused(error, grid=column_of_its_own)
    assert message.startswith(f"grid, row 0: {column} must ")


def test_an_empty_place_is_the_default():
    grid = [{"seed": math.nan, "eps": None}, {"lr": math.nan, "dropout": pd.NA}]
    table = trained(build, points(), grid, steps=1).grid
    assert table["seed"].tolist() == [0, 0] and table["lr"].tolist() == [2e-3] * 2
    assert not table[["eps", "dropout"]].any(axis=None)


UNKNOWN = (
    "grid has the column {!r}, which nothing takes: the settings are seed, eps, lr, "
    "weight_decay, l1, dropout, redrawn; others must be arguments of train, evaluate "
    "or loss, or be text."
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
    assert message == (
        "test must have the same number of rows, at least 1, in every arm, or their "
        "batches would differ: got [8, 9]. Call fit_fleet once for each size."
    )


@pytest.mark.parametrize("name", ["steps", "batch_size", "measure_every"])
def test_what_holds_for_the_whole_fleet_is_no_column(name):
    assert refused(grid=[{name: 10}]) == (
        f"grid must not have the column {name!r}: all networks of a fleet take the "
        "same batches together. Call fit_fleet once for each value."
    )


@pytest.mark.parametrize(
    "name", ["step", "part", "loss", "nll", "accuracy", "gap", "confidence"]
)
def test_a_column_that_the_tables_add_is_refused(name):
    wanted = (
        f"grid must not have the column {name!r}, which the tables of a fleet add. "
        "Call it otherwise."
    )
    assert refused(grid=[{name: "text"}]) == wanted


def test_a_grid_that_is_none_is_named():
    for empty in ([], pd.DataFrame(), fleet.grid(eps=[]), None):
        assert refused(grid=empty) == "grid must have at least 1 row, got 0."
    for wrong in ({"eps": 0.1}, 3, "eps"):
        message = refused(TypeError, grid=wrong)
        wanted = f"grid must be a DataFrame or a list of dicts, got {wrong!r}."
        assert message == wanted
    both = pd.concat([pd.DataFrame({"eps": [0.1]})] * 2, axis=1)
    wanted = "grid must have each column once, got ['eps', 'eps']."
    assert refused(grid=both) == wanted


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

    assert refused(grid=[{"kind": "focal"}], loss=loss) == (
        "grid must have numbers in the column 'kind', which loss takes, got 'focal'."
    )
    assert refused(loss=loss) == (
        "grid must have a value of 'kind' in row 0, which a function takes, got none."
    )


@pytest.mark.parametrize("reduce", [torch.mean, lambda x: x.mean(1), lambda x: x.mT])
def test_a_loss_returns_one_number_a_row(reduce):
    def loss(logits, targets, eps):
        return reduce(fleet.smoothed_cross_entropy(logits, targets, eps))

    assert refused(grid=fleet.grid(seed=range(2)), loss=loss).startswith(
        "loss must return a number for each of (M, B) rows, (2, 40) here, got shape ("
    )


# --- data ---------------------------------------------------------------------------


def test_inputs_have_the_dtype_of_the_weights():
    single = datasets.gaussians(40)
    wanted = "train must have inputs of torch.float64, got torch.float32."
    assert refused(train=single) == wanted
    assert refused(evaluate={"test": single}) == wanted.replace("train", "test")


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (torch.zeros(40, 2, dtype=torch.int64), "torch.int64 and shape (2, 2), got "),
        (torch.zeros(40, 3, 4).double(), "torch.float64 and shape (2, 3, 4), got "),
    ],
)
def test_inputs_that_the_network_cannot_take_are_described(x, got):
    data = datasets.SixClass(x, torch.arange(40) % 6, None, ())
    wanted = f"build must make a network for inputs of {got}"
    assert refused(train=data).startswith(wanted)


@pytest.mark.parametrize("wrong", [None, (1, 2), torch.zeros(3), "digits"])
def test_a_data_function_makes_a_six_class(wrong):
    wanted = (
        "train must be a SixClass or a function that makes one, got "
        f"{type(wrong).__name__}."
    )
    assert refused(TypeError, train=lambda seed: wrong) == wanted
    message = refused(TypeError, evaluate={"test": lambda: wrong})
    assert message == wanted.replace("train", "test")


def test_what_a_data_function_needs_is_in_the_grid():
    wanted = (
        "grid must have a value of 'n' in row {}, which a function takes, got none."
    )
    assert refused(train=lambda n: points(n)) == wanted.format(0)
    grid = [{"n": 20}, {"seed": 1}]
    assert refused(train=lambda n: points(n), grid=grid) == wanted.format(1)
    found = trained(build, lambda n=40: points(n), [{}])
    assert found.targets("train").shape == (1, 40)


@pytest.mark.parametrize("wrong", [points(), [points()], {0: points()}, "test"])
def test_evaluate_is_a_dict_of_names(wrong):
    message = refused(TypeError, evaluate=wrong)
    assert message.startswith(
        'evaluate must be a dict of names, as {"test": data}, got'
    )


def test_evaluate_does_not_replace_what_is_trained_on():
    message = refused(evaluate={"train": points(30, 9)})
    assert message == "evaluate must not have the part 'train', which is there."


# --- networks -----------------------------------------------------------------------


def test_dropout_needs_a_layer_for_it():
    def plain(seed):
        network = build(seed)
        network.body = nn.Sequential(*list(network.body)[:2], nn.Linear(8, 5)).double()
        return network

    grid = [{}, {"dropout": 0.1}]
    assert refused(build=plain, grid=grid) == (
        "grid must not set dropout for a network without models.Dropout."
    )
    assert len(trained(plain, points(), [{"dropout": 0.0}])) == 1


def test_a_layer_that_vmap_cannot_take_is_refused():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = nn.GRU(2, 5, batch_first=True)

        def forward(self, x):
            return self.recurrent(x)[0][:, -1]

    def make(seed):
        network = models.build("mlp", (2,), widths=(5,), seed=seed)
        network.body = nn.Sequential(nn.Unflatten(1, (1, 2)), Last())
        return network.double()

    assert refused(build=make).startswith(
        "build must make a network of layers that run under torch.func.vmap, without "
        "random numbers of their own, got Batching rule not implemented for aten::gru"
    )


# --- the other arguments ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1, got 0."),
        ({"steps": True}, "steps must be a whole number, at least 1, got True."),
        ({"batch_size": 41}, "batch_size must lie in 1 ... 40 rows, got 41."),
        ({"batch_size": 0}, "batch_size must lie in 1 ... 40 rows, got 0."),
        ({"batch_size": 16.0}, "batch_size must lie in 1 ... 40 rows, got 16.0."),
        (
            {"measure_every": 0},
            "measure_every must be a whole number, at least 1, got 0.",
        ),
        ({"memory": 0}, "memory must be a number of bytes above 0, got 0."),
        ({"memory": -1.0}, "memory must be a number of bytes above 0, got -1.0."),
        ({"memory": math.nan}, "memory must be a number of bytes above 0, got nan."),
        ({"memory": "2 GB"}, "memory must be a number of bytes above 0, got '2 GB'."),
        ({"memory": True}, "memory must be a number of bytes above 0, got True."),
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
def test_an_unknown_part_is_named_with_those_there_are(small, method):
    with pytest.raises(ValueError) as caught:
        getattr(small, method)("validation")
    assert str(caught.value) == (
        "part must be one of 'train', 'test', got 'validation'."
    )


def test_a_step_that_was_not_measured_is_named():
    found = trained(build, points(), [{}], steps=4, measure_every=2)
    with pytest.raises(ValueError) as caught:
        found.table("train", 3)
    assert str(caught.value) == "step must be one of [0, 2, 4], got 3."


@pytest.mark.parametrize("index", [2, -3, 100])
def test_a_network_that_is_not_there_is_named(small, index):
    with pytest.raises(IndexError) as caught:
        small.network(index)
    assert str(caught.value) == f"index must lie in 0 ... 1, got {index}."


@pytest.mark.parametrize("inputs", [points(), np.zeros((3, 2)), [[0.0, 1.0]], None])
def test_inputs_are_a_part_or_a_tensor(small, inputs):
    for method in (small.logits, small.features):
        with pytest.raises(TypeError) as caught:
            method(inputs)
        kind = type(inputs).__name__
        wanted = f"inputs must be the name of a part or a tensor, got {kind}."
        assert re.fullmatch(re.escape(wanted), str(caught.value))


def test_the_builder_can_be_a_partial_function():
    make = functools.partial(models.build, "mlp", (2,), widths=(4,))
    assert len(trained(make, datasets.gaussians(20), [{"seed": 3}])) == 1


def test_a_function_of_any_columns_is_refused():
    load = functools.partial(datasets.load, "gaussians", n=60)
    with pytest.raises(ValueError, match="^train must name the columns that it takes"):
        trained(build, load, fleet.grid(seed=[0, 1]))


def test_labels_and_inputs_that_do_not_fit_are_named():
    good = points()

    def with_labels(y):
        return datasets.SixClass(good.x, y, None, good.class_names)

    six = with_labels(torch.full_like(good.y, 6))
    with pytest.raises(ValueError) as caught:
        trained(build, good, [{}], evaluate={"test": six})
    assert str(caught.value) == (
        "test must have labels in 0 ... 5, got 6 ... 6 of torch.int64."
    )
    ignored = with_labels(torch.full_like(good.y, -100))
    with pytest.raises(
        ValueError, match=r"^train must have labels in 0 \.\.\. 5, got -1"
    ):
        trained(build, ignored, [{}])
    wide = datasets.SixClass(
        torch.cat([good.x, good.x], 1), good.y, None, good.class_names
    )
    with pytest.raises(ValueError, match="^test must have inputs that the network"):
        trained(build, good, [{}], evaluate={"test": wide})
    small = trained(build, with_labels(good.y.to(torch.uint8)), [{}])
    assert small.targets("train").dtype == torch.int64


@pytest.mark.parametrize("seed", [2**32, 2**40])
def test_a_seed_that_would_repeat_another_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed must be below 2[*][*]32, got {seed}"):
        trained(build, points(), fleet.grid(seed=[0, seed]))
    with pytest.raises(ValueError, match="seed must be below"):
        models.build("mlp", (2,), seed=seed)
    with pytest.raises(ValueError, match="seed must be below"):
        training.batches(10, 2, 1, seed=seed)
