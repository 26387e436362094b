"""A fleet against its networks trained one by one, in whatever company a row is.

And what it does when a network breaks, or when the keyboard interrupts it.
"""

import dataclasses
import functools
import inspect
from unittest.mock import Mock

import fleet_oracle as oracle
import numpy as np
import pandas as pd
import pytest
import torch
from fleet_oracle import ALL_ARMS, assert_same_networks, build, points, trained, weights

from lsr_utils import datasets, fleet, models, training

SMALL = {"mlp": {"widths": (9, 7)}, "cnn": {}}
TEST = {"test": points(30, 5)}


def build_digits(name, seed, dtype=torch.float64):
    return models.build(name, (1, 8, 8), seed=seed, **SMALL[name]).to(dtype)


def test_a_row_may_set_what_fit_takes_and_each_of_it_is_compared():
    of_all = {"validation", "steps", "batch_size", "measure_every", "progress"}
    _, _, *given = inspect.signature(training.fit).parameters
    assert {*given} - of_all == {*fleet.SETTINGS} == {*oracle.SETTINGS} == {*ALL_ARMS}


@pytest.fixture(scope="module")
def reference():
    return trained(build, oracle.paired_data, ALL_ARMS, evaluate=TEST)


@pytest.mark.parametrize(
    ("name", "dtype"), [("mlp", "float64"), ("cnn", "float64"), ("mlp", "float32")]
)
def test_a_fleet_is_its_networks_trained_one_by_one(name, dtype):
    digits, dtype = datasets.digits()[:90], getattr(torch, dtype)
    digits = dataclasses.replace(digits, x=digits.x.to(dtype))
    tolerance = 1e-8 if dtype == torch.float64 else 1e-4
    train, test = digits[:50], digits[50:]
    make = functools.partial(build_digits, name, dtype=dtype)
    options = {"steps": 35, "measure_every": 10}
    together = trained(make, train, ALL_ARMS, evaluate={"test": test}, **options)
    apart, histories = oracle.one_by_one(make, train, together.grid, test, **options)
    assert together.steps.tolist() == [0, 10, 20, 30, 35]
    assert_same_networks(together, apart, tolerance)
    for index, history in enumerate(histories):
        for fits_name, part in {"train": "train", "validation": "test"}.items():
            rows = history[history["part"] == fits_name]
            for measure in ("loss", "nll", "accuracy", "gap"):
                found = together.history[part][measure][index]
                np.testing.assert_allclose(found, rows[measure], 0, 10 * tolerance)
    assert not torch.allclose(weights(apart[0]), weights(make(seed=7)))
    plain = make(0)  # what a grid does not set is as in fit
    training.fit(plain, train, steps=35, batch_size=16, progress=False)
    assert_same_networks(trained(make, train, [{}], steps=35), [plain], tolerance)


def test_a_loss_of_ones_own_takes_columns_of_the_grid():
    def loss(logits, targets, smooth, alpha=0.5):
        assert alpha == 0.5 and smooth.shape == (4, 1)
        return fleet.smoothed_cross_entropy(logits, targets, smooth)

    grid = fleet.grid(eps=[0.1, 0.4], seed=[1, 0])
    wanted = trained(build, points(), grid)
    found = trained(build, points(), grid.rename(columns={"eps": "smooth"}), loss=loss)
    assert_same_networks(found, [wanted.network(k) for k in range(4)], 0)


@pytest.mark.parametrize("values", [1, 250, fleet.VALUES_AT_ONCE])
def test_what_it_gives_is_that_of_the_networks(reference, monkeypatch, values):
    monkeypatch.setattr(fleet, "VALUES_AT_ONCE", values)
    x, shared = points(9, 8).x, points(30, 5)
    close = functools.partial(torch.testing.assert_close, rtol=0, atol=1e-12)
    for k, seed in enumerate(reference.grid["seed"]):
        network, own = reference.network(k), oracle.paired_data(seed)
        assert not network.training
        for inputs, values in {"train": own.x, "test": shared.x, x: x}.items():
            close(reference.logits(inputs)[k], network(values))
            close(reference.features(inputs)[k], network.features(values))
        assert torch.equal(reference.targets("train")[k], own.y)
        assert torch.equal(reference.posterior("train")[k], own.posterior)
        assert torch.equal(reference.targets("test")[k], shared.y)
    assert not reference.logits(x).requires_grad
    assert not reference.features("test").requires_grad
    assert reference.logits(x[:0]).shape == (10, 0, 6)
    for allowed, wanted in {1: 10 * [1], 18: [3, 3, 3, 1]}.items():
        monkeypatch.setattr(fleet, "VALUES_AT_ONCE", allowed)
        pieces = reference._features(points(10).x, slice(4, 7))  # of three networks
        assert [piece.shape[1] for piece in pieces] == wanted


def test_networks_and_measures_are_those_of_fit_evaluate_and_numpy(reference):
    apart, _ = oracle.one_by_one(build, oracle.paired_data, reference.grid)
    assert_same_networks(reference, apart)
    test, table = points(30, 5), reference.table("test")
    for k, eps in enumerate(reference.grid["eps"]):
        network = reference.network(k)
        for name, value in training.evaluate(network, test, eps).items():
            assert table[name][k] == pytest.approx(value, abs=1e-12)
        z = network(test.x).detach().numpy()
        p = np.exp(z - z.max(1, keepdims=True))
        confidence = (p.max(1) / p.sum(1)).mean()
        assert table["confidence"][k] == pytest.approx(confidence, abs=1e-12)


def test_tables_are_tidy(reference):
    early = reference.table("train", 0)
    assert set(early["step"]) == {0} and set(early["part"]) == {"train"}
    assert set(reference.table("train")["step"]) == {20}
    pd.testing.assert_frame_equal(early[reference.grid.columns], reference.grid)
    tidy = reference.tidy()
    assert len(tidy) == 10 * 2 * 11 and tidy["step"].is_monotonic_increasing
    with pytest.raises((KeyError, ValueError), match="11"):
        reference.table("train", 11)
    for part, measured in reference.history.items():
        for name, values in measured.items():
            assert values.shape == (10, 11)
            chosen = tidy[tidy["part"] == part].groupby("step")[name]
            for t, step in enumerate(reference.steps):
                for same in (reference.table(part, step)[name], chosen.get_group(step)):
                    np.testing.assert_array_equal(same, values[:, t])


def test_slices_for_the_cache_are_few_and_change_nothing(reference, monkeypatch):
    numbers = 24 + 45 + 36, 2 + 2 + 3 * 8 + 3 * 5 + 6  # weights, values of a row
    one = 8 * (5 * numbers[0] + 4 * 16 * numbers[1])
    fit = {1: 10 * [1], 7: [5, 5], 10: [10], 3: [2, 3, 2, 3]}
    for fits, sizes in fit.items():
        monkeypatch.setattr(fleet, "CACHED_BYTES", float(fits * one))
        slices = fleet._slices(reference, 16)
        assert [s.stop - s.start for s in slices] == sizes
        assert [k for s in slices for k in range(10)[s]] == [*range(10)]
    found = trained(build, oracle.paired_data, ALL_ARMS, evaluate=TEST)
    assert same_rows(found, reference) == 10 and found.diverged == {}
    pd.testing.assert_frame_equal(found.tidy(), reference.tidy(), rtol=1e-9)


def same_rows(found, reference):
    """Every row of ``found`` that is in ``reference`` has the same results there."""
    rows, known = (map(tuple, f.grid[[*ALL_ARMS]].values) for f in (found, reference))
    places = {row: place for place, row in enumerate(known)}
    shared = {k: places[row] for k, row in enumerate(rows) if row in places}
    for k, place in shared.items():
        one, two = found.network(k), reference.network(place)
        np.testing.assert_allclose(weights(one), weights(two), rtol=0, atol=1e-10)
    wanted = oracle.of_networks(reference.history, [*shared.values()])
    seen = oracle.of_networks(found.history, [*shared])
    oracle.assert_same_history(seen, wanted, 1e-10)
    return len(shared)


def test_a_row_has_its_results_whatever_else_is_in_the_grid(reference):
    more = fleet.grid(seed=[0, 1, 2, 2**31], lr=[0.1, 0.2], dropout=0.1)
    longer = pd.concat([ALL_ARMS, more, ALL_ARMS]).sample(frac=1, random_state=1)
    copy, data, state = longer.copy(), points(), torch.get_rng_state()
    for grid in (ALL_ARMS[3:4], longer):
        found = trained(build, oracle.paired_data, grid, evaluate=TEST)
        assert found.grid.index.tolist() == list(range(len(grid)))
        assert same_rows(found, reference) == min(len(grid), 20)
    # Neither random state nor grid nor data are changed.
    trained(build, data, longer, steps=3)
    assert torch.equal(state, torch.get_rng_state())
    pd.testing.assert_frame_equal(longer, copy)
    assert torch.equal(data.x, points().x) and torch.equal(data.y, points().y)


def test_measuring_more_often_changes_nothing():
    often = trained(build, points(), ALL_ARMS, measure_every=1)
    once = trained(build, points(), ALL_ARMS, measure_every=99)
    assert once.steps.tolist() == [0, 20] and len(often.steps) == 21
    assert_same_networks(often, [once.network(k) for k in range(10)], 0)
    usual = trained(build, points(), ALL_ARMS[:1], steps=35)
    assert usual.steps.tolist() == [*range(0, 34, 3), 35]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_gpu_trains_the_same_networks(name):
    make = functools.partial(build_digits, name)
    digits = oracle.double(datasets.digits()[:90])
    cpu, gpu = (
        trained(make, data[:50], ALL_ARMS, evaluate={"test": data[50:]}, steps=50)
        for data in (digits, digits.to("cuda"))
    )
    assert gpu.logits("test").device.type == "cuda"
    assert_same_networks(cpu, [gpu.network(k).cpu() for k in range(10)], 1e-6)
    oracle.assert_same_history(gpu.history, cpu.history, 1e-6)


WARNED = "The loss of some networks is no longer a number, {network: step}: "


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_network_that_diverges_is_named_and_no_other_notices(name):
    digits = oracle.double(datasets.digits()[:90])
    sound, others = ALL_ARMS[:4], [0, 1, 3, 4]
    make = functools.partial(build_digits, name)
    absurd = pd.DataFrame([{"seed": 5, "eps": 0.3, "lr": 1e200}])
    grid = pd.concat([sound[:2], absurd, sound[2:]])
    options = {"measure_every": 1, "steps": 8, "evaluate": {"test": digits[50:]}}

    with pytest.warns(RuntimeWarning) as caught:
        found = trained(make, digits[:50], grid, **options)
    assert [str(w.message) for w in caught] == [f"{WARNED}{{2: 1}}."]
    assert caught[0].filename.endswith("fleet_oracle.py")  # whoever called it
    assert found.diverged == {2: 1}
    wanted = trained(make, digits[:50], sound, **options)
    for measured in found.history.values():
        for values in measured.values():
            assert np.isfinite(values[2, 0]) and np.isnan(values[2, 1:]).all()
    seen = oracle.of_networks(found.history, others)
    oracle.assert_same_history(seen, wanted.history)
    assert_same_networks(wanted, [found.network(place) for place in others], 1e-12)


def test_an_infinite_loss_is_a_break_although_the_weights_stay_finite():
    def loss(logits, targets, eps, broken=0.0):
        values = fleet.smoothed_cross_entropy(logits, targets, eps)
        return values + torch.where(broken > 0, torch.inf, 0.0)

    bad = points(20, 3)
    bad.x[4] = torch.nan  # in a test set it is no break
    options = {"loss": loss, "evaluate": {"bad": bad}}
    with pytest.warns(RuntimeWarning) as caught:
        found = trained(build, points(), fleet.grid(broken=[0, *5 * [1]]), **options)
    assert str(caught[-1].message) == f"{WARNED}{{1: 0, 2: 0, 3: 0, 4: 0, ...}}."
    assert found.diverged == dict.fromkeys(range(1, 6), 0)
    assert np.isnan(found.history["train"]["accuracy"][1]).all()
    assert np.isfinite(found.history["train"]["accuracy"][0]).all()


@pytest.mark.parametrize("where", ["before", "within"])
def test_an_interrupted_fleet_is_that_of_fewer_steps(monkeypatch, capsys, where):
    options = {"measure_every": 5, "evaluate": {"test": points(30, 4)}}
    wanted = trained(build, points(), ALL_ARMS, steps=12, **options)
    update, calls = fleet._Training.update, []

    def interrupted(self):
        calls.append(1)
        if len(calls) == 13 and where == "before":
            raise KeyboardInterrupt
        if len(calls) == 13:
            stop = Mock(side_effect=KeyboardInterrupt)
            monkeypatch.setattr(self.optimiser, "step", stop)
        update(self)

    monkeypatch.setattr(fleet._Training, "update", interrupted)
    found = trained(build, points(), ALL_ARMS, steps=20, **options)
    sentence = "fit_fleet: interrupted at step 12 of 20 or later.\n"
    assert capsys.readouterr().out == sentence
    assert found.steps.tolist() == [0, 5, 10, 12]
    assert_same_networks(found, [wanted.network(k) for k in range(10)], 0)
    pd.testing.assert_frame_equal(found.table("test"), wanted.table("test"))
    pd.testing.assert_frame_equal(found.tidy(), wanted.tidy())
