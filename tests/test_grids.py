"""The grid of a fleet: what its columns mean, in whatever form they come."""

import inspect
import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from fleet_oracle import build, paired_data, points, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr_utils import fleet


def loss_of(eps, weight=1.0):
    """A loss without its first two arguments, as it is read."""


def read(given, *users):
    return fleet._read(given, [*users, loss_of])


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=3))
def test_a_grid_is_every_combination_the_last_varies_fastest(values):
    columns = {f"column {k}": column for k, column in enumerate(values)}
    found = fleet.grid(**columns)
    assert list(found) == list(columns)
    assert [tuple(row) for row in found.values] == list(itertools.product(*values))


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor, pd.Series, iter])
def test_columns_can_be_any_sequence_or_one_value(kind):
    found = fleet.grid(seed=kind([3, 5]), eps=kind([0.5, 0.25]), method="smooth")
    assert found["seed"].tolist() == [3, 3, 5, 5]
    assert found["eps"].tolist() == [0.5, 0.25] * 2
    assert found["method"].tolist() == 4 * ["smooth"]
    assert found["seed"].dtype == np.int64 and found["eps"].dtype == np.float64


@pytest.mark.parametrize("dtype", [object, "Float64", "category"])
@pytest.mark.parametrize("gap", [None, pd.NA])
def test_numbers_in_any_form_are_read_and_gaps_are_filled(dtype, gap):
    columns = {"eps": [0.5, gap], "seed": [gap, 7.0]}
    given = pd.DataFrame({k: pd.Series(v, dtype=dtype) for k, v in columns.items()})
    given.index = [9, 9]
    before = given.copy(deep=True)
    table = read(given)
    assert table["eps"].tolist() == [0.5, 0.0] and table["seed"].tolist() == [0, 7]
    assert table["seed"].dtype == np.int64 and table["eps"].dtype == np.float64
    assert table.index.tolist() == [0, 1]
    table.loc[0, "eps"] = 0.7
    pd.testing.assert_frame_equal(given, before)


def test_a_column_that_a_function_takes_is_known_and_its_neighbour_is_not():
    def train(n, kind):
        return points(n)

    grid = pd.DataFrame({"n": [20, 20], "kind": ["a", "b"], "m": [1, 2]})
    tuples = pd.Series([(64, 32), (8,)], dtype=object)
    for values in ([1, 2], [True, False], pd.Categorical([0.1, 0.2]), tuples):
        with pytest.raises(ValueError, match="^grid may set .* and has the column 'm'"):
            trained(build, train, grid.assign(m=values))
    assert len(trained(build, train, grid.drop(columns="m"))) == 2
    evaluate = {"test": lambda m: points(20, m)}
    found = trained(build, points(), grid[["m", "kind"]], evaluate=evaluate)
    for k, m in enumerate((1, 2)):
        assert torch.equal(found.targets("test")[k], points(20, m).y)
    assert found.targets("train").shape == (2, 40)
    assert found.tidy()["kind"][:2].tolist() == ["a", "b"]  # text is a label


def test_a_grid_that_would_be_overwritten_is_refused():
    with pytest.raises(TypeError, match="multiple values for keyword argument 'train'"):
        trained(build, points(), [{}], evaluate={"train": points(30, 9)})
    for name in ("step", "part", *fleet.MEASURES):  # columns that the tables add
        with pytest.raises(ValueError, match=re.escape(f"Index(['{name}']")):
            trained(build, points(), [{name: "text"}])


def test_a_function_is_given_plain_values_and_its_defaults():
    seen = []

    def train(n, seed, kind="near", rows=[3, 4]):  # noqa: B006 a list as in the wild
        seen.append((n, seed, kind, rows))
        assert type(n) is int and type(seed) is int and type(kind) is str
        return points(n, seed)

    grid = pd.DataFrame({"n": np.array([30, 30, 30]), "seed": [0, 1, 0]})
    found = trained(build, train, grid.assign(kind=["far", None, "far"]))
    assert seen == [(30, 0, "far", [3, 4]), (30, 1, "near", [3, 4])]
    for k, seed in enumerate((0, 1, 0)):
        assert torch.equal(found.targets("train")[k], points(30, seed).y)


def test_a_gap_in_any_form_is_the_default_or_asked_for_by_row():
    def train(n=30, name="all"):
        raise AssertionError("is not called")

    grid = pd.DataFrame({"n": pd.Series([24, None], dtype="Int64")})
    grid["name"] = pd.Series([None, "some"], dtype="string")
    wanted = [{"n": 24, "name": "all"}, {"n": 30, "name": "some"}]
    assert fleet._arguments(train, grid).to_dict("records") == wanted
    for needs, row in [(lambda n: n, 1), (lambda m: m, 0)]:
        (name,) = inspect.signature(needs).parameters
        with pytest.raises(ValueError, match=f"^grid needs '{name}' in row {row}"):
            fleet._arguments(needs, grid)


def test_each_different_set_is_made_and_stored_once():
    calls, table = [], pd.DataFrame({"seed": [5, 3, 5], "eps": [0.1, 0.2, 0.3]})

    def train(seed):
        calls.append(seed)
        return paired_data(seed, 12)

    sets = fleet._DataSets(train, table, "train")
    assert sets.x.shape == (2, 12, 2) and sets.which.tolist() == [0, 1, 0]
    assert calls == [5, 3]
    one = fleet._DataSets(lambda: train(3), table, "train")
    of_each = fleet._of_each(one.x, one.which)
    assert of_each.shape == (3, 12, 2) and len(calls) == 2 + 1
    assert of_each.stride(0) == 0  # a view: no memory for each network


def test_one_set_of_unknown_posterior_leaves_all_unknown_and_labels_may_be_small():
    def train(seed):
        data = points(12, seed)
        return replace(data, y=data.y.to(torch.int16), posterior=None) if seed else data

    for seeds, known in [([0], True), ([0, 1], False)]:
        found = trained(build, train, fleet.grid(seed=seeds), steps=1, batch_size=4)
        assert (found.posterior("train") is not None) == known
        assert found.targets("train").dtype == torch.int64
