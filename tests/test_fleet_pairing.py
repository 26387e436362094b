"""Arms are compared pair by pair: what a seed decides, whatever else is in the grid."""

import numpy as np
import pandas as pd
import pytest
import torch
from fleet_oracle import ALL_ARMS, build, paired_data, points, trained, weights

from lsr_utils import fleet, stacked

# --- pairing ------------------------------------------------------------------------


GRIDS = {
    "rows reversed": lambda grid: grid[::-1],
    "rows shuffled": lambda grid: grid.sample(frac=1, random_state=1),
    "without most arms": lambda grid: grid[grid["eps"].fillna(0) == 0.4],
    "one row": lambda grid: grid[3:4],
    "with other seeds and arms": lambda grid: pd.concat(
        [grid, fleet.grid(seed=[0, 1, 2, 9], lr=[0.1, 0.2], dropout=0.1), grid]
    ),
}


@pytest.fixture(scope="module")
def reference():
    return trained(build, paired_data, ALL_ARMS, evaluate={"test": points(30, 5)})


def same_rows(found, reference):
    """Every row of ``found`` that is in ``reference`` has the same results there."""
    keys = list(ALL_ARMS.columns)
    places = {tuple(row): k for k, row in enumerate(reference.grid[keys].values)}
    shared = 0
    for k, row in enumerate(found.grid[keys].values):
        place = places.get(tuple(row))
        if place is None:
            continue
        shared += 1
        one, two = found.network(k), reference.network(place)
        np.testing.assert_allclose(weights(one), weights(two), rtol=0, atol=1e-10)
        for part, measured in reference.history.items():
            for name, values in measured.items():
                mine = found.history[part][name][k]
                np.testing.assert_allclose(mine, values[place], rtol=0, atol=1e-10)
    return shared


@pytest.mark.parametrize("change", GRIDS.values(), ids=GRIDS.keys())
def test_a_row_has_its_results_whatever_else_is_in_the_grid(reference, change):
    grid = change(ALL_ARMS)
    found = trained(build, paired_data, grid, evaluate={"test": points(30, 5)})
    assert found.grid.index.tolist() == list(range(len(grid)))
    assert same_rows(found, reference) == min(len(grid), 20)


class Recorder:
    """Notes what the networks of a fleet are given in every step."""

    def __init__(self, monkeypatch):
        self.inputs, self.masks, self.targets = [], [], []
        self.features = stacked.Stacked.features
        self.factors = fleet._Training._dropout_factors
        monkeypatch.setattr(stacked.Stacked, "features", self.note_inputs())
        monkeypatch.setattr(fleet._Training, "_dropout_factors", self.note_masks())

    def note_inputs(self):
        def features(stack, x, dropout=None):
            if dropout is not None:
                self.inputs.append(x.clone())
            return self.features(stack, x, dropout)

        return features

    def note_masks(self):
        def factors(training, shape):
            self.masks.append(self.factors(training, shape))
            return self.masks[-1]

        return factors

    def loss(self, logits, targets, eps):
        if logits.requires_grad:
            self.targets.append(targets)
        return fleet.smoothed_cross_entropy(logits, targets, eps)


def test_arms_of_a_seed_share_all_that_is_drawn(monkeypatch):
    seen = Recorder(monkeypatch)
    grid = fleet.grid(seed=[4, 6], eps=[0.0, 0.3], dropout=0.25, redrawn=[0.5, 0.8])
    found = trained(build, paired_data, grid, loss=seen.loss, steps=7)
    assert [len(s) for s in (seen.inputs, seen.masks, seen.targets)] == [7, 14, 7]
    for drawn in (*seen.inputs, *seen.masks):
        for seed in (0, 4):
            for k in range(1, 4):
                assert torch.equal(drawn[seed], drawn[seed + k])
        assert not torch.equal(drawn[0], drawn[4])
    for labels in seen.targets:  # rows: seed, eps, redrawn
        assert torch.equal(labels[0], labels[2]) and torch.equal(labels[5], labels[7])
        assert not torch.equal(labels[0], labels[4])
    for labels in seen.targets:  # drawn anew: another share at another rate
        assert not torch.equal(labels[0], labels[1])
    assert torch.equal(found.targets("train")[4], paired_data(6).y)


def test_different_seeds_differ_and_the_same_seed_starts_alike():
    grid = fleet.grid(seed=[0, 1], eps=[0.0, 0.2], lr=0.0)
    still = trained(build, points(), grid)
    for k, seed in enumerate((0, 0, 1, 1)):
        assert torch.equal(weights(still.network(k)), weights(build(seed)))
    moved = trained(build, points(), fleet.grid(seed=[0, 1]))
    assert not torch.allclose(*(weights(moved.network(k)) for k in range(2)))


def test_a_fleet_leaves_random_state_grid_and_data_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    grid = ALL_ARMS.sample(frac=1, random_state=0)
    copy, data = grid.copy(), points()
    x, y = data.x.clone(), data.y.clone()
    trained(build, data, grid)
    assert torch.equal(state, torch.get_rng_state())
    pd.testing.assert_frame_equal(grid, copy)
    assert torch.equal(x, data.x) and torch.equal(y, data.y)


def test_measuring_more_often_changes_nothing():
    often = trained(build, points(), ALL_ARMS, measure_every=1)
    once = trained(build, points(), ALL_ARMS, measure_every=99)
    assert once.steps.tolist() == [0, 20] and len(often.steps) == 21
    for k in range(10):
        assert torch.equal(weights(often.network(k)), weights(once.network(k)))
    usual = trained(build, points(), ALL_ARMS[:1], steps=35)
    assert usual.steps.tolist() == [*range(0, 34, 3), 35]


@pytest.mark.parametrize("bytes_at_hand", [1.0, 100_000.0])
def test_slices_for_the_cache_change_nothing(
    reference, monkeypatch, capsys, bytes_at_hand
):
    monkeypatch.setattr(fleet, "CACHED_BYTES", bytes_at_hand)
    numbers = 24 + 45 + 36, 2 + 2 + 3 * 8 + 3 * 5 + 6  # weights, values of a row
    size = max(1, int(bytes_at_hand / 8 / (5 * numbers[0] + 4 * 16 * numbers[1])))
    assert size == {1.0: 1, 100_000.0: 3}[bytes_at_hand]
    slices = fleet._slices(reference, 16)
    assert len(slices) == -(-10 // size)
    assert [k for s in slices for k in range(10)[s]] == [*range(10)]
    found = trained(build, paired_data, ALL_ARMS, evaluate={"test": points(30, 5)})
    assert same_rows(found, reference) == 10
    pd.testing.assert_frame_equal(found.tidy(), reference.tidy(), rtol=1e-9, atol=1e-9)
    assert capsys.readouterr().out == "" and found.diverged == {}


@pytest.mark.parametrize("count", [1, 7, 10])
def test_all_networks_are_one_slice_where_they_fit(reference, monkeypatch, count):
    one = 8 * (5 * 105 + 4 * 16 * 49)
    monkeypatch.setattr(fleet, "CACHED_BYTES", float(count * one))
    found = [s.stop - s.start for s in fleet._slices(reference, 16)]
    assert found == {1: 10 * [1], 7: [5, 5], 10: [10]}[count]
