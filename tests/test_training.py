"""The training loop against one written out here, and what it measures."""

import itertools
import math

import numpy as np
import pytest
import torch
from fleet_oracle import double, trained, weights

from lsr_utils import datasets, fleet, models, training


@pytest.fixture(scope="module")
def data():
    return datasets.gaussians(120, seed=0)


def network(seed=0):
    return models.build("mlp", (2,), widths=(8,), seed=seed)


def fit(model, data, **options):
    return training.fit(model, data, **{"progress": False} | options)


def test_a_pass_shows_every_row_at_most_once_and_leaves_out_the_rest():
    order = list(training.batches(10, 3, 7, seed=2))
    assert [len(rows) for rows in order] == 7 * [3]
    for start in (0, 3):
        assert len(torch.cat(order[start : start + 3]).unique()) == 9
    one_pass = torch.cat(list(training.batches(10, 5, 2)))
    assert one_pass.sort().values.tolist() == list(range(10))
    one, two = itertools.islice(training.passes(10, 3, 2), 2)
    assert torch.equal(torch.cat([one, two]), torch.stack(order[:6]))


def test_the_order_depends_on_the_seed_alone():
    def drawn(*seed):
        return torch.stack(list(training.batches(50, 8, 20, *seed)))

    one, state = drawn(3), torch.manual_seed(2).get_state()
    assert torch.equal(one, drawn(3)) and torch.equal(state, torch.get_rng_state())
    assert not torch.equal(one, drawn(4)) and torch.equal(drawn(), drawn(0))
    assert not torch.equal(one[:6], one[6:12])  # shuffled anew in each pass


def test_the_measures_are_those_of_numpy(data):
    model = network()
    z = model(data.x).detach().double().numpy()
    y = data.y.numpy()
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    target = 0.7 * np.eye(6)[y] + 0.05
    gap = z[np.arange(120), y] - (z.sum(1) - z[np.arange(120), y]) / 5
    wanted = {
        "loss": -(target * np.log(p)).sum(1).mean(),
        "nll": -np.log(p[np.arange(120), y]).mean(),
        "accuracy": (z.argmax(1) == y).mean(),
        "gap": gap.mean(),
    }
    assert training.evaluate(model, data, eps=0.3) == pytest.approx(wanted, rel=1e-5)
    assert training.evaluate(model, data)["loss"] == pytest.approx(wanted["nll"])
    found = training.logit_gap(torch.tensor(z[:6]), data.y[:6])  # as many as classes
    np.testing.assert_allclose(found, gap[:6], rtol=1e-9)


@pytest.mark.parametrize("was_training", [True, False])
def test_measuring_switches_dropout_off_and_the_mode_back(data, was_training):
    model = torch.nn.Sequential(torch.nn.Dropout(0.9), network())
    model.train(was_training)
    one, two = (training.evaluate(model, data) for _ in range(2))
    assert one == two and model.training == was_training
    assert all(p.grad is None for p in model.parameters())
    fit(model, data, steps=2)
    assert model.training is was_training


def mixed(seed, stream):
    (mixed,) = np.random.SeedSequence([seed, stream]).generate_state(1)
    return torch.Generator().manual_seed(int(mixed))


def by_hand(data, steps, *, l1=0, redrawn=0, weight_decay=0, eps=0, dropout=0):
    """The loop with PyTorch's loss and optimiser; labels are redrawn one at a time."""
    model = models.build("mlp", (2,), widths=(8, 5)).double()
    first, second = (m for m in model.body if isinstance(m, torch.nn.Linear))
    settings = {"lr": 0.01, "weight_decay": weight_decay}
    optimiser = torch.optim.AdamW(model.parameters(), **settings)
    shuffle = torch.Generator().manual_seed(3)
    masks, draws_of = mixed(3, 1), mixed(3, 2)
    for step in range(steps):
        if step % 3 == 0:
            order = torch.randperm(120, generator=shuffle)
        rows = order[step % 3 * 32 :][:32]
        targets = data.y[rows].tolist()
        if redrawn:
            for k, draw in enumerate(torch.rand(32, generator=draws_of).tolist()):
                if draw < redrawn:
                    away = math.floor(draw / redrawn * 5) + 1
                    targets[k] = (targets[k] + away) % 6
        h = data.x[rows]
        for layer in (first, second):
            h = layer(h).relu()
            if dropout:
                kept = torch.rand(h.shape, generator=masks) >= dropout
                h = torch.where(kept, h / (1 - dropout), 0.0)
        loss = torch.nn.functional.cross_entropy(
            model.head(h), torch.tensor(targets), label_smoothing=eps
        )
        for p in model.parameters():
            loss = loss + l1 * p.abs().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weights(model)


OPTIONS = {"l1": 0.02}, {"redrawn": 0.4}, {"redrawn": 1}, {"dropout": 0.3}


@pytest.mark.parametrize("options", [{"eps": 0.1, "weight_decay": 0.1}, *OPTIONS])
def test_fit_is_the_plain_loop(data, options):
    model, data = models.build("mlp", (2,), widths=(8, 5)).double(), double(data)
    small = datasets.SixClass(data.x, data.y.to(torch.uint8), None, ())
    more = {"validation": small, "lr": 0.01, "seed": 3.0, **options}
    fit(model, small, steps=20, batch_size=32, **more)
    wanted = by_hand(data, 20, **options)
    assert torch.allclose(weights(model), wanted, rtol=0, atol=1e-9)
    assert not torch.allclose(weights(model), by_hand(data, 20), rtol=0, atol=1e-3)


def test_the_history_is_tidy_and_starts_untrained(data):
    model = network()
    history = fit(
        model, data[:80], validation=data[80:], eps=0.1, steps=50, batch_size=20,
        measure_every=20,
    )  # fmt: skip
    columns = ["step", "part", "loss", "nll", "accuracy", "gap"]
    assert list(history.columns) == columns
    assert history["step"].tolist() == [0, 0, 20, 20, 40, 40, 50, 50]
    assert history["part"].tolist() == 4 * ["train", "validation"]
    before = training.evaluate(network(), data[:80], 0.1)
    after = training.evaluate(model, data[80:], 0.1)
    for name in columns[2:]:
        assert history[name].iloc[0] == pytest.approx(before[name], abs=1e-6)
        assert history[name].iloc[-1] == pytest.approx(after[name], abs=1e-6)


def test_progress_is_one_bar_or_nothing(data, monkeypatch, capfd):
    bars = []

    def bar(order, desc, total, *, disable, **options):
        bars.extend([] if disable else [(total, desc)])
        yield from order
        bars.extend([] if disable else ["its end"])

    monkeypatch.setattr("tqdm.tqdm", bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(network(), data, eps=0.1, steps=3)
    assert not bars
    fit(network(), data, eps=0.1, steps=3, progress=True)
    monkeypatch.setattr(fleet, "CACHED_BYTES", 1.0)  # one bar over all slices
    trained(network, data, fleet.grid(seed=range(3)), steps=5, progress=True)
    wanted = [(3, "eps = 0.1"), "its end", (15, "3 networks"), "its end"]
    monkeypatch.setenv("TQDM_DISABLE", "1")
    fit(network(), data, eps=0.1, steps=3, progress=True)
    assert bars == wanted and capfd.readouterr() == ("", "")


def dropouts(model):
    return [m for m in model.modules() if isinstance(m, models.Dropout)]


def test_the_mode_and_the_dropout_rate_are_set_for_the_training_alone(data):
    model, seen = network().eval(), []
    (layer,) = dropouts(model)
    layer.register_forward_hook(lambda *_: seen.append((layer.training, layer.rate)))
    fit(model, data, steps=2, dropout=0.3)
    measured, trained = (False, 0.0), (True, 0.3)
    assert [s for s in seen if s[0]] == 2 * [trained] and seen[0] == measured
    assert not model.training and (layer.rate, layer.generator) == (0.0, None)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training(data, broken):
    x = data.x.clone()
    x[5] = broken
    bad, model = datasets.SixClass(x, data.y, None, ()), network()
    with pytest.raises(FloatingPointError, match="is nan at step 2; lower lr=0.5"):
        fit(model, bad, steps=40, lr=0.5, dropout=0.3, validation=data)
    assert {(m.rate, m.generator) for m in dropouts(model)} == {(0.0, None)}
    linear = torch.nn.Linear(2, 6)
    linear.bias.data = torch.tensor([3e38, -3e38, 0, 0, 0, 0])  # the step is finite
    with pytest.raises(FloatingPointError, match="is inf at step 1; lower lr=0.002"):
        fit(linear, data, steps=1)
