"""A fleet against its networks trained one by one, and what it does when one breaks."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from fleet_oracle import (
    ALL_ARMS,
    assert_same_history,
    assert_same_networks,
    build,
    build_digits,
    double,
    one_by_one,
    paired_data,
    points,
    trained,
    weights,
)
from scipy.stats import ks_2samp
from torch import nn

from lsr_utils import datasets, fleet, training
from lsr_utils.stats import paired_difference


@pytest.fixture(scope="module")
def digits():
    return double(datasets.digits()[:90])


# --- the same networks as one by one ------------------------------------------------


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_fleet_is_its_networks_trained_one_by_one(digits, name):
    train, test = digits[:50], digits[50:]
    make = functools.partial(build_digits, name)
    options = {"steps": 100, "batch_size": 16, "measure_every": 30}
    together = trained(make, train, ALL_ARMS, evaluate={"test": test}, **options)
    apart, histories = one_by_one(make, train, together.grid, test, **options)
    assert together.steps.tolist() == [0, 30, 60, 90, 100]
    assert_same_networks(together, apart)
    parts = {"train": "train", "validation": "test"}
    assert_same_history(together, histories, parts)
    assert not torch.allclose(weights(apart[0]), weights(build_digits(name, 7)))


def test_networks_with_data_of_their_own_are_trained_on_these():
    together = trained(build, paired_data, ALL_ARMS)
    apart, histories = one_by_one(build, paired_data, together.grid, measure_every=2)
    assert_same_networks(together, apart)
    assert_same_history(together, histories, {"train": "train"})


def test_a_fleet_is_the_loop_of_pytorch_written_out():
    """Dropout masks drawn by hand, the loss and the optimiser PyTorch's own."""
    data, seed, rate, eps, batch = points(40), 3, 0.3, 0.2, 12
    options = {"lr": 0.01, "weight_decay": 0.1}
    row = {"seed": seed, "eps": eps, "dropout": rate, **options}
    found = trained(build, data, [{}, row], steps=30, batch_size=batch)
    network = build(seed)
    first, second = (m for m in network.body if isinstance(m, nn.Linear))
    optimiser = torch.optim.AdamW(network.parameters(), **options)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=eps)
    shuffle = torch.Generator().manual_seed(seed)
    (mixed,) = np.random.SeedSequence([seed, 1]).generate_state(1)
    masks = torch.Generator().manual_seed(int(mixed))
    for step in range(30):
        if step % 3 == 0:
            order = torch.randperm(40, generator=shuffle)
        rows = order[step % 3 * batch :][:batch]
        h = data.x[rows]
        for layer in (first, second):
            h = layer(h).relu()
            kept = torch.rand(h.shape, generator=masks) >= rate
            h = torch.where(kept, h / (1 - rate), 0.0)
        optimiser.zero_grad()
        loss_fn(network.head(h), data.y[rows]).backward()
        optimiser.step()
    assert_same_networks(found, [build_after_thirty_plain_steps(data), network])


def build_after_thirty_plain_steps(data):
    network = build(0)
    options = {"steps": 30, "batch_size": 12, "progress": False}
    training.fit(network, data, **options)
    return network


def test_in_float32_accuracy_is_distributed_as_one_by_one():
    """Rounding grows into other networks, which must be neither better nor worse.

    A run as long as notebook 03's on 100 digits. Two tests: the two-sample
    Kolmogorov-Smirnov test over 20 seeds does not reject at 1 %, and the 95 % interval
    of the mean paired difference lies within a point.
    """
    digits = datasets.digits()
    train, test = digits[:100], digits[300:]
    make = functools.partial(build_digits, "mlp", dtype=torch.float32)
    grid = fleet.grid(eps=0.1, dropout=0.1, seed=range(20))
    options = {"steps": 600, "batch_size": 32, "measure_every": 600}
    together = trained(make, train, grid, evaluate={"test": test}, **options)
    networks, _ = one_by_one(make, train, together.grid, **options)
    found = together.table("test")["accuracy"]
    wanted = [training.evaluate(network, test)["accuracy"] for network in networks]
    assert ks_2samp(found, wanted).pvalue > 0.01
    difference = paired_difference(found, wanted)
    assert -0.01 < difference.low <= difference.high < 0.01
    assert 0.7 < np.mean(wanted) < 0.99 and np.std(wanted) > 0.005


# --- what a fleet gives -------------------------------------------------------------


@pytest.fixture(scope="module")
def own_sets():
    return trained(
        build, paired_data, ALL_ARMS, evaluate={"test": points(30, 5)}, steps=6
    )


def test_logits_and_features_are_those_of_the_networks(own_sets):
    x = points(9, 8).x
    for k in range(10):
        network, seed = own_sets.network(k), own_sets.grid["seed"][k]
        assert not network.training
        inputs = {"train": paired_data(seed).x, "test": points(30, 5).x}
        for part, own in inputs.items():
            wanted = network(own), network.features(own)
            found = own_sets.logits(part)[k], own_sets.features(part)[k]
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
        torch.testing.assert_close(
            own_sets.logits(x)[k], network(x), rtol=0, atol=1e-12
        )
        wanted = network.features(x)
        torch.testing.assert_close(own_sets.features(x)[k], wanted, rtol=0, atol=1e-12)
    assert not own_sets.logits(x).requires_grad
    assert not own_sets.features("test").requires_grad
    assert own_sets.logits(x[:0]).shape == (10, 0, 6)


def test_targets_and_posterior_are_those_of_each_network(own_sets):
    for k, seed in enumerate(own_sets.grid["seed"]):
        assert torch.equal(own_sets.targets("train")[k], paired_data(seed).y)
        assert torch.equal(own_sets.posterior("train")[k], paired_data(seed).posterior)
        assert torch.equal(own_sets.targets("test")[k], points(30, 5).y)
    hidden = points()
    hidden = datasets.SixClass(hidden.x, hidden.y, None, hidden.class_names)
    assert trained(build, hidden, [{}]).posterior("train") is None


def test_the_measures_are_those_of_evaluate_and_numpy(own_sets):
    test = points(30, 5)
    table = own_sets.table("test")
    for k, eps in enumerate(own_sets.grid["eps"]):
        network = own_sets.network(k)
        for name, value in training.evaluate(network, test, eps).items():
            assert table[name][k] == pytest.approx(value, abs=1e-12)
        z = network(test.x).detach().numpy()
        p = np.exp(z - z.max(1, keepdims=True))
        confidence = (p.max(1) / p.sum(1)).mean()
        assert table["confidence"][k] == pytest.approx(confidence, abs=1e-12)


def test_tables_are_tidy(own_sets):
    early = own_sets.table("train", 0)
    assert set(early["step"]) == {0} and set(early["part"]) == {"train"}
    assert set(own_sets.table("train")["step"]) == {6}
    pd.testing.assert_frame_equal(early[own_sets.grid.columns], own_sets.grid)
    tidy = own_sets.tidy()
    assert len(tidy) == 10 * 2 * len(own_sets.steps)
    for part, measured in own_sets.history.items():
        for name, values in measured.items():
            rows = tidy[tidy["part"] == part].pivot(columns="step", values=name)
            assert values.shape == (10, len(own_sets.steps)) and len(rows)
            for t, step in enumerate(own_sets.steps):
                same = own_sets.table(part, step)[name]
                np.testing.assert_array_equal(same, values[:, t])
                chosen = tidy[(tidy["part"] == part) & (tidy["step"] == step)]
                np.testing.assert_array_equal(chosen[name], values[:, t])


def test_labels_stay_in_the_tables_and_the_index_does_not_matter():
    grid = fleet.grid(method=["hard", "smooth"], seed=[0, 1]).assign(
        eps=[0.0, 0.0, 0.2, 0.2]
    )
    grid.index = [7, 7, 3, -1]
    found = trained(build, points(), grid)
    assert found.table("train")["method"].tolist() == 2 * ["hard"] + 2 * ["smooth"]
    np.testing.assert_array_equal(found.grid["eps"], grid["eps"])
    assert found.grid.index.tolist() == [0, 1, 2, 3]


def test_a_network_is_a_copy(own_sets):
    before = own_sets.logits("test")
    with torch.no_grad():
        own_sets.network(2).head.weight.zero_()
    assert torch.equal(before, own_sets.logits("test"))
    last, same = own_sets.network(-1), own_sets.network(9)
    assert torch.equal(weights(last), weights(same))


@pytest.mark.parametrize("values", [1, 250])
def test_blocks_of_rows_give_the_same(own_sets, monkeypatch, values):
    monkeypatch.setattr(fleet, "VALUES_AT_ONCE", values)
    again = trained(
        build, paired_data, ALL_ARMS, evaluate={"test": points(30, 5)}, steps=6
    )
    for part in ("train", "test"):
        one, two = again.logits(part), own_sets.logits(part)
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)
        one, two = again.features(part), own_sets.features(part)
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)
        for name, measured in again.history[part].items():
            wanted = own_sets.history[part][name]
            np.testing.assert_allclose(measured, wanted, rtol=0, atol=1e-12)


def test_blocks_are_as_large_as_allowed(monkeypatch):
    found = trained(build, points(), fleet.grid(seed=range(3)))
    x = points(10).x
    for allowed, sizes in [
        (1, 10 * [1]),
        (17, 5 * [2]),
        (18, [3, 3, 3, 1]),
        (999, [10]),
    ]:
        monkeypatch.setattr(fleet, "VALUES_AT_ONCE", allowed)
        assert [piece.shape[1] for piece in found._features(x)] == sizes
        some = found._features(x, slice(1, 2))
        assert max(piece.shape[1] for piece in some) == min(10, max(1, allowed // 2))


def test_own_sets_are_gathered_piece_by_piece(monkeypatch):
    seen, of_each = [], fleet._of_each

    def noted(values, which):
        found = of_each(values, which)
        seen.append(found.shape)
        return found

    monkeypatch.setattr(fleet, "_of_each", noted)
    monkeypatch.setattr(fleet, "VALUES_AT_ONCE", 2 * 10 * 5)
    found = trained(build, paired_data, ALL_ARMS)
    found.logits("train")
    inputs = [shape for shape in seen if len(shape) == 3]
    assert len(inputs) > 20 and max(shape[1] for shape in inputs) == 5


def test_the_bar_reaches_its_end(monkeypatch):
    class Bar:
        def __init__(self, items, **options):
            self.items, self.state = iter(items), "broken off"

        def __iter__(self):
            yield from self.items
            self.state = "done"

    bars = []
    monkeypatch.setattr(
        "tqdm.auto.tqdm", lambda *a, **k: bars.append(Bar(*a, **k)) or bars[-1]
    )
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    trained(build, points(), ALL_ARMS, steps=5, progress=True)
    assert [bar.state for bar in bars] == ["done"]


def test_the_smoothed_loss_is_that_of_pytorch():
    logits = torch.randn(3, 5, 6, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(6, (3, 5))
    eps = torch.tensor([[0.0], [0.3], [1.0]], dtype=torch.float64)
    found = fleet.smoothed_cross_entropy(logits, targets, eps)
    for k in range(3):
        loss_fn = nn.CrossEntropyLoss(label_smoothing=eps[k].item(), reduction="none")
        wanted = loss_fn(logits[k], targets[k])
        torch.testing.assert_close(found[k], wanted, rtol=0, atol=1e-12)
        (one,) = torch.autograd.grad(found[k].sum(), logits, retain_graph=True)
        (two,) = torch.autograd.grad(wanted.sum(), logits)
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


def test_a_loss_of_ones_own_takes_columns_of_the_grid():
    """Focal loss: gamma from the grid, alpha left to its default."""

    def focal(logits, targets, gamma, alpha=0.5):
        nll = fleet.smoothed_cross_entropy(logits, targets, 0.0)
        assert alpha == 0.5
        return alpha * (1 - torch.exp(-nll)) ** gamma * nll

    found = trained(
        build, points(), fleet.grid(gamma=[0.0, 2.0], seed=[0, 1]), loss=focal
    )
    for k, row in enumerate(found.grid.itertuples()):
        network = build(row.seed)
        optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0)
        for rows in training.batches(40, 16, 20, row.seed):
            optimiser.zero_grad()
            logits, targets = network(points().x[rows]), points().y[rows]
            focal(
                logits[None], targets[None], torch.tensor(row.gamma)
            ).mean().backward()
            optimiser.step()
        one, two = weights(found.network(k)), weights(network)
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=0, atol=1e-9)


def test_progress_is_one_bar_over_all_slices(monkeypatch, capfd):
    bars = []

    def bar(ticks, *, disable, **options):
        if not disable:
            bars.append((len(ticks), options))
        return ticks

    monkeypatch.setattr("tqdm.auto.tqdm", bar)
    monkeypatch.setattr(fleet, "CACHED_BYTES", 1.0)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    trained(build, points(), fleet.grid(seed=range(3)), progress=True)
    trained(build, points(), fleet.grid(seed=range(3)))
    options = {"total": 60, "desc": "3 networks", "leave": False}
    assert bars == [(60, options)]
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_gpu_trains_the_same_networks(digits, name):
    make = functools.partial(build_digits, name)
    there = digits.to("cuda")
    options, evaluate = {"steps": 50}, {"test": digits[50:]}
    cpu = trained(make, digits[:50], ALL_ARMS, evaluate=evaluate, **options)
    evaluate = {"test": there[50:]}
    gpu = trained(make, there[:50], ALL_ARMS, evaluate=evaluate, **options)
    assert gpu.logits("test").device.type == "cuda"
    for k in range(10):
        one, two = weights(gpu.network(k)).cpu(), weights(cpu.network(k))
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)
    for measure, values in gpu.history["test"].items():
        wanted = cpu.history["test"][measure]
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-6)
