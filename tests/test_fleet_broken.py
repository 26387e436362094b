"""What a fleet does when a network breaks, or when the keyboard interrupts it."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from fleet_oracle import (
    ALL_ARMS,
    assert_same_history,
    assert_same_networks,
    build,
    double,
    of_networks,
    points,
    trained,
)

from lsr_utils import datasets, fleet, models

WARNED = "The loss of some networks is no longer a number, {network: step}: "


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_network_that_diverges_is_named_and_no_other_notices(name):
    digits = double(datasets.digits()[:90])
    sound, others = ALL_ARMS[:4], [0, 1, 3, 4]
    absurd = pd.DataFrame([{"seed": 5, "eps": 0.3, "lr": 1e200}])
    grid = pd.concat([sound[:2], absurd, sound[2:]])
    options = {"measure_every": 1, "steps": 8, "evaluate": {"test": digits[50:]}}

    def make(seed):
        return models.build(name, (1, 8, 8), seed=seed).double()

    with pytest.warns(RuntimeWarning) as caught:
        found = trained(make, digits[:50], grid, **options)
    assert [str(w.message) for w in caught] == [f"{WARNED}{{2: 1}}."]
    assert caught[0].filename.endswith("fleet_oracle.py")  # whoever called it
    assert found.diverged == {2: 1}
    wanted = trained(make, digits[:50], sound, **options)
    for measured in found.history.values():
        for values in measured.values():
            assert np.isfinite(values[2, 0]) and np.isnan(values[2, 1:]).all()
    assert_same_history(of_networks(found.history, others), wanted.history)
    assert_same_networks(wanted, [found.network(place) for place in others], 1e-12)


@pytest.mark.parametrize("seeds", [[0, 1, 2], [1, 0, 2]])
def test_a_training_set_with_nan_breaks_its_own_networks_alone(seeds):
    def train(seed):
        data = points(40, seed)
        if seed == 1:
            data.x[:] = torch.nan
        return data

    place = seeds.index(1)
    with pytest.warns(RuntimeWarning, match=rf": \{{{place}: 0\}}\.$"):
        found = trained(build, train, fleet.grid(seed=seeds, eps=0.1))
    assert found.diverged == {place: 0}
    assert np.isnan(found.table("train")["accuracy"][place])
    wanted = trained(build, train, fleet.grid(seed=[0, 2], eps=0.1))
    others = [k for k in range(3) if k != place]
    assert_same_history(of_networks(found.history, others), wanted.history)


def test_an_infinite_loss_is_a_break_although_the_weights_stay_finite():
    def loss(logits, targets, eps, broken=0.0):
        values = fleet.smoothed_cross_entropy(logits, targets, eps)
        return values + torch.where(broken > 0, torch.inf, 0.0)

    with pytest.warns(RuntimeWarning, match=r"\{1: 0\}"):
        found = trained(build, points(), [{"broken": 0}, {"broken": 1}], loss=loss)
    assert found.diverged == {1: 0}
    assert np.isnan(found.history["train"]["accuracy"][1]).all()
    assert np.isfinite(found.history["train"]["accuracy"][0]).all()


def test_of_many_that_diverge_some_are_named_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(fleet, "CACHED_BYTES", 1.0)  # each trained by itself
    with pytest.warns(RuntimeWarning) as caught:
        found = trained(build, points(), fleet.grid(lr=[0.01, 1e200], seed=range(5)))
    assert str(caught[-1].message) == f"{WARNED}{{5: 2, 6: 2, 7: 2, 8: 2, ...}}."
    assert sorted(found.diverged) == [5, 6, 7, 8, 9]


def test_nan_in_a_test_set_is_no_divergence():
    bad = points(20, 3)
    bad.x[4] = torch.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = trained(build, points(), [{}], evaluate={"bad": bad})
    assert found.diverged == {} and np.isnan(found.table("bad")["accuracy"][0])
    assert np.isfinite(found.table("train")["accuracy"][0])


def stop_in_step(monkeypatch, number, where):
    """The keyboard interrupts the update that is the ``number``-th of all slices."""
    update, calls = fleet._Training.update, []

    def interrupted(self):
        calls.append(1)
        if len(calls) == number and where == "before":
            raise KeyboardInterrupt
        if len(calls) == number:
            monkeypatch.setattr(self.optimiser, "step", interrupt)
        update(self)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(fleet._Training, "update", interrupted)


@pytest.mark.parametrize("where", ["before", "within"])
def test_an_interrupted_fleet_is_that_of_fewer_steps(monkeypatch, capsys, where):
    options = {"measure_every": 5, "evaluate": {"test": points(30, 4)}}
    wanted = trained(build, points(), ALL_ARMS, steps=12, **options)
    stop_in_step(monkeypatch, 13, where)
    found = trained(build, points(), ALL_ARMS, steps=20, **options)
    sentence = "fit_fleet: interrupted at step 12 of 20 or later.\n"
    assert capsys.readouterr().out == sentence
    assert found.steps.tolist() == [0, 5, 10, 12]
    assert_same_networks(found, [wanted.network(k) for k in range(10)], 0)
    pd.testing.assert_frame_equal(found.table("test"), wanted.table("test"))
    pd.testing.assert_frame_equal(found.tidy(), wanted.tidy())


def test_interrupted_between_slices_all_stop_near_the_same_step(monkeypatch, capsys):
    grid = fleet.grid(seed=[3, 1, 2], eps=0.1)
    whole = trained(build, points(), grid, measure_every=5)
    monkeypatch.setattr(fleet, "CACHED_BYTES", 1.0)  # a slice each
    stop_in_step(monkeypatch, 3 * 5 + 5 + 3, "before")  # the second in its step 8
    found = trained(build, points(), grid, measure_every=5)
    sentence = "fit_fleet: interrupted at step 5 of 20 or later.\n"
    assert capsys.readouterr().out == sentence
    assert found.steps.tolist() == [0, 5, 7, 10]
    for name, values in found.history["train"].items():
        assert np.isnan(values).tolist() == [
            [False, False, True, False], [False, False, False, True],
            [False, False, True, True],
        ]  # fmt: skip
        wanted = whole.history["train"][name]
        np.testing.assert_allclose(values[0, [0, 1, 3]], wanted[0, :3], atol=1e-12)
    at_5 = whole.table("train", step=5)
    pd.testing.assert_frame_equal(found.table("train"), at_5, rtol=1e-12)
    assert found.tidy()["step"].is_monotonic_increasing and len(found.tidy()) == 8


def test_interrupted_within_a_measurement_nothing_is_lost(monkeypatch):
    measures, calls = fleet._measures, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:  # of the second measurement the second part
            raise KeyboardInterrupt
        return measures(*arguments)

    monkeypatch.setattr(fleet, "_measures", interrupted)
    evaluate = {"test": points(30, 4)}
    found = trained(build, points(), ALL_ARMS, measure_every=5, evaluate=evaluate)
    assert found.steps.tolist() == [0, 5]
    assert np.isfinite(found.history["test"]["nll"]).all()
    assert len(found.tidy()) == 2 * 2 * 10
