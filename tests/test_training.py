"""The training loop against one written out here, and what it measures."""

import inspect
import math

import numpy as np
import pytest
import torch

from lsr_utils import datasets, models, training


@pytest.fixture(scope="module")
def data():
    return datasets.gaussians(120, seed=0)


def network(seed=0):
    return models.build("mlp", (2,), widths=(8,), seed=seed)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


# --- batches ------------------------------------------------------------------------


def test_a_pass_shows_every_row_at_most_once_and_leaves_out_the_rest():
    order = list(training.batches(10, 3, 7, seed=2))
    assert [len(rows) for rows in order] == 7 * [3]
    for start in (0, 3):
        assert len(torch.cat(order[start : start + 3]).unique()) == 9
    assert torch.cat(order).min() >= 0 and torch.cat(order).max() <= 9
    for size in (1, 5, 10):
        one_pass = torch.cat(list(training.batches(10, size, 10 // size)))
        assert one_pass.sort().values.tolist() == list(range(10))


def test_the_order_depends_on_the_seed_alone():
    torch.manual_seed(1)
    one = torch.stack(list(training.batches(50, 8, 20, seed=3)))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(one, torch.stack(list(training.batches(50, 8, 20, seed=3))))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(one, torch.stack(list(training.batches(50, 8, 20, seed=4))))
    assert not torch.equal(one[:6], one[6:12])  # shuffled anew in each pass


@pytest.mark.parametrize("size", [0, 11, -1])
def test_a_batch_size_that_does_not_fit_is_named(size):
    with pytest.raises(ValueError) as caught:
        list(training.batches(10, size, 1))
    assert (
        str(caught.value) == f"batch_size must be a whole number, 1 to 10, got {size}."
    )


# --- measures -----------------------------------------------------------------------


def test_the_logit_gap_is_the_true_logit_minus_the_mean_of_the_others():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    gap = training.logit_gap(logits, torch.tensor([0, 2]))
    assert gap.tolist() == pytest.approx([1.5, -3.5], abs=1e-6)


def test_the_measures_are_those_of_numpy(data):
    model = network()
    measured = training.evaluate(model, data, eps=0.3)
    z = model(data.x).detach().double().numpy()
    y = data.y.numpy()
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    target = 0.7 * np.eye(6)[y] + 0.05
    others = (z.sum(1) - z[np.arange(120), y]) / 5
    wanted = {
        "loss": -(target * np.log(p)).sum(1).mean(),
        "nll": -np.log(p[np.arange(120), y]).mean(),
        "accuracy": (z.argmax(1) == y).mean(),
        "gap": (z[np.arange(120), y] - others).mean(),
    }
    assert measured == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("was_training", [True, False])
def test_measuring_switches_dropout_off_and_the_mode_back(data, was_training):
    model = torch.nn.Sequential(torch.nn.Dropout(0.9), network())
    model.train(was_training)
    one, two = (training.evaluate(model, data) for _ in range(2))
    assert one == two and model.training == was_training
    assert all(p.grad is None for p in model.parameters())


# --- fit ----------------------------------------------------------------------------


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_fit_is_the_plain_loop(data, weight_decay):
    fitted, by_hand = network(), network()
    options = {"lr": 0.01, "weight_decay": weight_decay}
    training.fit(
        fitted,
        data,
        eps=0.1,
        steps=25,
        batch_size=16,
        seed=7,
        progress=False,
        **options,
    )
    optimiser = torch.optim.AdamW(by_hand.parameters(), **options)
    loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    shuffle = torch.Generator().manual_seed(7)
    step = 0
    while step < 25:
        order = torch.randperm(120, generator=shuffle)
        for rows in order[: 7 * 16].split(16):
            if step < 25:
                optimiser.zero_grad()
                loss_fn(by_hand(data.x[rows]), data.y[rows]).backward()
                optimiser.step()
                step += 1
    assert not torch.equal(weights(fitted), weights(network()))
    assert torch.allclose(weights(fitted), weights(by_hand), rtol=1e-4, atol=1e-6)


def test_fit_is_bit_for_bit_the_loop_with_this_loss(data):
    from lsr_utils.losses import LabelSmoothingCrossEntropy

    fitted, by_hand = network(), network()
    training.fit(fitted, data, eps=0.2, steps=9, batch_size=60, seed=1, progress=False)
    optimiser = torch.optim.AdamW(by_hand.parameters(), lr=2e-3, weight_decay=0.0)
    for rows in training.batches(120, 60, 9, seed=1):
        optimiser.zero_grad()
        LabelSmoothingCrossEntropy(0.2)(by_hand(data.x[rows]), data.y[rows]).backward()
        optimiser.step()
    assert torch.equal(weights(fitted), weights(by_hand))


class Spy(torch.nn.Module):
    """A network that notes the batches it is trained on."""

    def __init__(self):
        super().__init__()
        self.net, self.seen = network(), []

    def forward(self, x):
        if self.training:
            self.seen.append(x)
        return self.net(x)


def test_runs_that_differ_in_eps_see_the_same_batches(data):
    spies = [Spy() for _ in range(3)]
    for spy, eps, seed in zip(spies, (0.0, 0.4, 0.4), (3, 3, 4), strict=True):
        training.fit(
            spy, data, eps=eps, steps=12, batch_size=32, seed=seed, progress=False
        )
    hard, smooth, other = (torch.stack(spy.seen) for spy in spies)
    assert torch.equal(hard, smooth) and not torch.equal(smooth, other)
    assert hard.shape == (12, 32, 2)


def test_the_history_is_tidy_and_starts_untrained(data):
    model = network()
    untrained = training.evaluate(model, data, 0.1)
    history = training.fit(
        model, data[:80], validation=data[80:], eps=0.1, steps=50, batch_size=20,
        measure_every=20, progress=False,
    )  # fmt: skip
    columns = ["step", "part", "loss", "nll", "accuracy", "gap"]
    assert list(history.columns) == columns
    steps = [0, 0, 20, 20, 40, 40, 50, 50]
    assert history["step"].tolist() == steps
    assert history["part"].tolist() == 4 * ["train", "validation"]
    first, last = history.iloc[0], history.iloc[-1]
    before = training.evaluate(network(), data[:80], 0.1)
    after = training.evaluate(model, data[80:], 0.1)
    for name in columns[2:]:
        assert first[name] == pytest.approx(before[name], abs=1e-6)
        assert last[name] == pytest.approx(after[name], abs=1e-6)
    assert untrained["loss"] > history["loss"].iloc[-2]


def test_without_validation_there_are_twenty_measurements_and_the_first(data):
    history = training.fit(network(), data, steps=40, progress=False)
    assert history["step"].tolist() == list(range(0, 41, 2))
    assert set(history["part"]) == {"train"}
    few = training.fit(network(), data, steps=3, progress=False)
    assert few["step"].tolist() == [0, 1, 2, 3]


def test_training_learns_and_smoothing_keeps_the_gap_finite(data):
    corners = datasets.gaussians(300).y
    easy = datasets.SixClass(6 * torch.eye(6)[corners], corners, None, ())
    history = training.fit(
        models.build("mlp", (6,), widths=(16,)), easy, eps=0.1, steps=300, lr=0.02,
        progress=False,
    )  # fmt: skip
    last = history.iloc[-1]
    assert last["accuracy"] == 1 and last["loss"] < history["loss"].iloc[0]
    assert last["gap"] == pytest.approx(math.log(55), abs=0.05)


def test_progress_is_one_bar_or_nothing(data, monkeypatch, capfd):
    bars = []

    def bar(order, *, disable, **options):
        if not disable:
            bars.append(options)
        return order

    monkeypatch.setattr("tqdm.auto.tqdm", bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    training.fit(network(), data, eps=0.1, steps=3, progress=False)
    assert not bars
    training.fit(network(), data, eps=0.1, steps=3)
    assert len(bars) == 1
    assert bars[0]["total"] == 3 and bars[0]["desc"] == "eps = 0.1"
    monkeypatch.setenv("TQDM_DISABLE", "1")
    training.fit(network(), data, eps=0.1, steps=3)
    assert len(bars) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training(data, broken):
    x = data.x.clone()
    x[5] = broken
    bad = datasets.SixClass(x, data.y, None, ())
    with pytest.raises(FloatingPointError) as caught:
        training.fit(network(), bad, steps=40, lr=0.5, validation=data, progress=False)
    assert str(caught.value) == ("the training loss is nan at step 2; lower lr=0.5.")


def test_the_documented_defaults_are_those_of_hard_targets_and_one_order(data):
    named = {
        "eps": 0.0, "validation": None, "steps": 2000, "batch_size": 64, "lr": 2e-3,
        "weight_decay": 0.0, "seed": 0, "measure_every": None, "progress": True,
    }  # fmt: skip
    given = inspect.signature(training.fit).parameters
    assert {name: given[name].default for name in named} == named
    measured = training.evaluate(network(), data)
    assert measured["loss"] == measured["nll"]
    one, two = (list(training.batches(9, 4, 5, *seed)) for seed in ((), (0,)))
    assert torch.equal(torch.stack(one), torch.stack(two))


def test_a_network_left_in_evaluation_is_trained_in_training_mode(data):
    spy = Spy().eval()
    history = training.fit(spy, data, steps=1, batch_size=32, progress=False)
    assert len(spy.seen) == 1 and history["step"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eps": 1.5}, "eps must lie in [0, 1], got 1.5."),
        ({"eps": math.nan}, "eps must lie in [0, 1], got nan."),
        ({"steps": 0}, "steps must be a whole number, at least 1, got 0."),
        ({"batch_size": 121}, "batch_size must be a whole number, 1 to 120, got 121."),
        ({"batch_size": 0}, "batch_size must be a whole number, 1 to 120, got 0."),
    ],
)
def test_bad_options_are_named_before_the_network_changes(data, options, message):
    model = network()
    with pytest.raises(ValueError) as caught:
        training.fit(model, data, progress=False, **options)
    assert str(caught.value) == message
    assert torch.equal(weights(model), weights(network()))


@pytest.mark.parametrize("was_training", [True, False])
def test_the_mode_of_the_network_is_left_as_it_was(was_training):
    data = datasets.load("gaussians", n=80)
    model = models.build("mlp", (2,)).train(was_training)
    training.fit(model, data, steps=2, progress=False)
    assert model.training is was_training


@pytest.mark.parametrize("kind", [torch.int16, torch.uint8, torch.int32])
def test_labels_of_any_integer_dtype_are_trained_alike(data, kind):
    other = datasets.SixClass(data.x, data.y.to(kind), None, ())
    wanted, found = (network() for _ in range(2))
    options = {"steps": 5, "eps": 0.1, "progress": False}
    training.fit(wanted, data, validation=data, redrawn=0.3, **options)
    training.fit(found, other, validation=other, redrawn=0.3, **options)
    assert torch.equal(weights(found), weights(wanted))


@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
def test_labels_that_are_no_integers_are_refused(data, kind):
    other = datasets.SixClass(data.x, data.y.to(kind), None, ())
    for parts in ({"train": other}, {"train": data, "validation": other}):
        with pytest.raises((TypeError, ValueError), match="^targets "):
            training.fit(network(), **parts, steps=1, progress=False)


def test_a_default_device_draws_the_same_numbers(data):
    def drawn():
        torch.manual_seed(0)
        order = torch.stack(list(training.batches(10, 3, 6, seed=5)))
        return order, torch.rand(4, generator=training.generator_of(5, 1), device="cpu")

    wanted = drawn()
    with torch.device("meta"):
        found = drawn()
    for one, two in zip(found, wanted, strict=True):
        assert one.device.type == "cpu" and torch.equal(one, two)


def test_a_bad_interval_is_named():
    data = datasets.load("gaussians", n=80)
    model = models.build("mlp", (2,))
    with pytest.raises(ValueError, match="^measure_every must be a whole number"):
        training.fit(model, data, measure_every=0, steps=1)
