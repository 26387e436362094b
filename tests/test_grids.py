"""The grid of a fleet: what its columns mean, in whatever form they come."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
import torch
from fleet_oracle import SETTINGS, build, points, trained, weights
from hypothesis import given
from hypothesis import strategies as st

from lsr_utils import datasets, fleet


def loss_of(eps, weight=1.0):
    """A loss without its first two arguments, as it is read."""


def read(given, *users):
    return fleet._read(given, [*users, loss_of])


# --- grid ---------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=3))
def test_a_grid_is_every_combination_the_last_varies_fastest(values):
    columns = {f"column {k}": column for k, column in enumerate(values)}
    found = fleet.grid(**columns)
    assert list(found) == list(columns)
    assert [tuple(row) for row in found.values] == list(itertools.product(*values))


def test_a_single_value_is_as_good_as_a_list():
    found = fleet.grid(method="smooth", eps=0.1, seed=range(3))
    assert found["method"].tolist() == 3 * ["smooth"]
    assert found["eps"].tolist() == [0.1] * 3 and found["seed"].tolist() == [0, 1, 2]
    assert fleet.grid().shape == (1, 0)
    assert len(fleet.grid(eps=[], seed=[0, 1])) == 0


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor, pd.Series, iter])
def test_columns_can_be_any_sequence(kind):
    found = fleet.grid(seed=kind([3, 5]), eps=kind([0.5, 0.25]))
    assert found["seed"].tolist() == [3, 3, 5, 5]
    assert found["eps"].tolist() == [0.5, 0.25] * 2
    assert found["seed"].dtype == np.int64 and found["eps"].dtype == np.float64
    assert fleet.grid(eps=np.float64(0.5), seed=torch.tensor(2)).values.tolist() == [
        [0.5, 2]
    ]


# --- reading it ----------------------------------------------------------------------


def test_what_is_not_set_is_as_in_fit():
    import inspect

    from lsr_utils.training import fit

    table = read([{"eps": 0.2}, {"seed": 4}])
    assert set(table) == set(SETTINGS)
    defaults = {k: inspect.signature(fit).parameters[k].default for k in SETTINGS}
    assert table.iloc[0].to_dict() == defaults | {"eps": 0.2}
    assert table.iloc[1].to_dict() == defaults | {"seed": 4}
    assert table["seed"].dtype == np.int64
    assert all(table[name].dtype == np.float64 for name in SETTINGS[1:])


FORMS = {
    "objects": lambda values: pd.Series(values, dtype=object),
    "nullable": lambda values: pd.Series(values, dtype="Float64"),
    "categories": lambda values: pd.Series(values).astype("category"),
    "float32": lambda values: pd.Series(values, dtype="float32"),
    "numpy scalars": lambda values: pd.Series(
        [v if v is None else np.float64(v) for v in values], dtype=object
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_numbers_in_any_form_are_read_and_gaps_are_filled(form):
    given = pd.DataFrame({"eps": form([0.5, None]), "seed": form([None, 7])})
    given.index = [9, 9]
    before = given.copy(deep=True)
    table = read(given)
    assert table["eps"].tolist() == [0.5, 0.0] and table["seed"].tolist() == [0, 7]
    assert table["seed"].dtype == np.int64 and table["eps"].dtype == np.float64
    assert table.index.tolist() == [0, 1]
    pd.testing.assert_frame_equal(given, before)


def test_a_table_is_no_view_of_what_was_given():
    given = pd.DataFrame({"eps": [0.1, 0.2], "seed": [0, 1]})
    before = given.copy(deep=True)
    table = read(given)
    table.loc[0, "eps"] = 0.7
    table["lr"] = 5.0
    pd.testing.assert_frame_equal(given, before)


def test_text_labels_and_columns_of_functions_are_kept():
    given = pd.DataFrame({"method": ["a", None], "n": [30, 20], "weight": [1.0, 2.0]})
    table = read(given, lambda seed, n: None)
    assert table["method"][0] == "a" and table["n"].tolist() == [30, 20]
    category = given.assign(method=given["method"].astype("category"))
    assert read(category, lambda n: None)["method"][0] == "a"


# --- arguments ----------------------------------------------------------------------


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


def test_a_gap_in_any_form_is_the_default():
    def train(n=30, name="all"):
        assert n in (30, 24) and name in ("all", "some")
        return points(24)

    grid = pd.DataFrame({"n": pd.Series([24, None], dtype="Int64")})
    grid["name"] = pd.Series([None, "some"], dtype="string")
    assert fleet._arguments(train, grid).to_dict("records") == [
        {"n": 24, "name": "all"},
        {"n": 30, "name": "some"},
    ]
    trained(build, train, grid)


def test_a_value_that_a_function_needs_is_asked_for_by_row():
    table = pd.DataFrame({"n": [3.0, np.nan]})
    for name, row, column in [("n", 1, "n"), ("m", 0, "m")]:
        function = {"n": lambda n: None, "m": lambda m: None}[column]
        with pytest.raises(ValueError) as caught:
            fleet._arguments(function, table)
        assert str(caught.value) == f"grid needs {name!r} in row {row}."


def test_columns_are_the_named_arguments():
    def function(a, b=2, *rest, c, d=4):
        pass

    found = fleet._defaults(function)
    assert list(found) == ["a", "b", "c", "d"] and found["b"] == 2
    assert fleet._defaults(points()) == fleet._defaults(None) == {}


# --- data sets ----------------------------------------------------------------------


def test_each_different_set_is_stored_once():
    table = pd.DataFrame({"seed": [5, 3, 5], "eps": [0.1, 0.2, 0.3]})
    sets = fleet._DataSets(lambda seed: points(12, seed), table, "train")
    assert sets.x.shape == (2, 12, 2) and sets.which.tolist() == [0, 1, 0]
    for k, seed in enumerate((5, 3, 5)):
        assert torch.equal(fleet._of_each(sets.x, sets.which)[k], points(12, seed).x)
        assert torch.equal(fleet._of_each(sets.y, sets.which)[k], points(12, seed).y)
    assert torch.equal(fleet._of_each(sets.y, sets.which[1:2])[0], points(12, 3).y)
    one = fleet._DataSets(points(12), table, "train")
    of_each = fleet._of_each(one.x, one.which)
    assert of_each.shape == (3, 12, 2)
    assert of_each.stride(0) == 0  # a view: no memory for each network


def test_a_set_that_is_the_same_for_all_is_made_once():
    calls = []

    def train():
        calls.append(1)
        return points()

    trained(build, train, fleet.grid(seed=range(4)))
    assert calls == [1]


def test_one_set_of_unknown_posterior_leaves_all_unknown():
    def train(seed):
        data = points(12, seed)
        if seed:
            return datasets.SixClass(data.x, data.y, None, data.class_names)
        return data

    for seeds, known in [([0], True), ([0, 1], False)]:
        sets = fleet._DataSets(train, pd.DataFrame({"seed": seeds}), "train")
        assert (sets.posterior is not None) == known


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            lambda seed: points(12 + seed),
            "train needs rows, as many in every arm, got [12, 13].",
        ),
        (lambda: points(12)[:0], "as many in every arm, got [0]."),
        (lambda seed: [points, datasets.shapes][seed](12), "equal size"),
    ],
)
def test_sets_that_do_not_fit_together_are_refused(given, wanted):
    with pytest.raises((ValueError, RuntimeError), match=re.escape(wanted)):
        fleet._DataSets(given, pd.DataFrame({"seed": [0, 1]}), "train")


def test_weights_do_not_depend_on_the_form_of_the_grid():
    given = pd.DataFrame({"eps": [0.25, 0.0], "seed": [1, 2]})
    forms = [given, given.to_dict("records"), given.astype(object), given[::-1]]
    found = [trained(build, points(), form) for form in forms]
    for fleet_of_form, order in zip(found, [(0, 1)] * 3 + [(1, 0)], strict=True):
        for mine, place in enumerate(order):
            one, two = fleet_of_form.network(mine), found[0].network(place)
            np.testing.assert_allclose(weights(one), weights(two), rtol=0, atol=1e-12)
