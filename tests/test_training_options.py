"""The options of ``fit``: l1, dropout, labels redrawn, and their random streams."""

import itertools
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


# --- penalties and noise ------------------------------------------------------------


def by_hand(data, steps, *, l1=0.0, redrawn=0.0, seed=3):
    """The loop in float64 with PyTorch's loss; labels are redrawn one at a time."""
    model = network().double()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0)
    (mixed,) = np.random.SeedSequence([seed, 2]).generate_state(1)
    draws_of = torch.Generator().manual_seed(int(mixed))
    for rows in training.batches(120, 32, steps, seed):
        targets = data.y[rows].tolist()
        if redrawn:
            draws = torch.rand(32, generator=draws_of).tolist()
            for k, draw in enumerate(draws):
                if draw < redrawn:
                    away = math.floor(draw / redrawn * 5) + 1
                    targets[k] = (targets[k] + away) % 6
        loss = torch.nn.functional.cross_entropy(
            model(data.x[rows].double()), torch.tensor(targets)
        )
        for p in model.parameters():
            loss = loss + l1 * p.abs().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weights(model)


def in_double(data):
    return datasets.SixClass(data.x.double(), data.y, None, ())


@pytest.mark.parametrize("options", [{"l1": 0.02}, {"redrawn": 0.4}, {"redrawn": 1}])
def test_fit_adds_the_penalty_and_redraws_the_labels(data, options):
    model = network().double()
    training.fit(
        model, in_double(data), steps=20, batch_size=32, lr=0.01, seed=3,
        progress=False, **options,
    )  # fmt: skip
    found = weights(model)
    assert torch.allclose(found, by_hand(data, 20, **options), rtol=0, atol=1e-9)
    assert not torch.allclose(found, by_hand(data, 20), rtol=0, atol=1e-3)


def test_dropout_draws_from_the_seed_whatever_the_rest(data):
    def trained(**options):
        model = network()
        settings = {"dropout": 0.4, "seed": 2, "steps": 6} | options
        training.fit(model, data, progress=False, **settings)
        return weights(model)

    one = trained()
    torch.manual_seed(99)
    assert torch.equal(one, trained())
    for other in ({"dropout": 0.0}, {"dropout": 0.5}, {"seed": 3}):
        assert not torch.allclose(one, trained(**other))


def test_the_streams_of_a_seed_are_apart_and_repeat():
    streams = (training.DROPOUT, training.REDRAW)
    seeds = [(seed, stream) for seed in (0, 1, 2**33) for stream in streams]
    draws = [torch.rand(4, generator=training.generator_of(*s)) for s in seeds]
    again = [torch.rand(4, generator=training.generator_of(*s)) for s in seeds]
    batches = [
        torch.rand(4, generator=torch.Generator().manual_seed(s)) for s in (0, 1)
    ]
    assert torch.equal(torch.stack(draws), torch.stack(again))
    assert len({tuple(d.tolist()) for d in draws + batches}) == 8


def test_passes_are_the_batches_a_pass_at_a_time():
    rows = list(training.batches(10, 3, 6, seed=5))
    one, two = itertools.islice(training.passes(10, 3, 5), 2)
    assert one.shape == two.shape == (3, 3)
    assert torch.equal(torch.cat([one, two]), torch.stack(rows))


def rates(model):
    layers = [m for m in model.modules() if isinstance(m, models.Dropout)]
    assert layers
    return {(layer.rate, layer.generator) for layer in layers}


def test_the_dropout_rate_is_set_for_the_training_alone(data):
    model, seen = network(), []
    layer = next(m for m in model.modules() if isinstance(m, models.Dropout))
    layer.register_forward_hook(lambda *_: seen.append((layer.training, layer.rate)))
    training.fit(model, data, steps=2, dropout=0.3, progress=False)
    assert rates(model) == {(0.0, None)}
    assert {rate for training_mode, rate in seen if training_mode} == {0.3}
    assert any(not training_mode for training_mode, _ in seen)


@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_the_dropout_rate_is_put_back_after_an_error(data, error):
    model = network()
    broken = datasets.SixClass(data.x * math.nan, data.y, None, ())
    if error is KeyboardInterrupt:
        broken, calls = data, []

        def stop(*_):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt

        model.head.register_forward_hook(stop)
    with pytest.raises(error):
        training.fit(model, broken, steps=5, dropout=0.3, progress=False)
    assert rates(model) == {(0.0, None)}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"l1": -1}, "l1 must lie in [0, inf), got -1."),
        ({"l1": math.nan}, "l1 must lie in [0, inf), got nan."),
        ({"l1": "0.1"}, "l1 must be a number in [0, inf), got '0.1'."),
        ({"redrawn": 1.5}, "redrawn must lie in [0, 1], got 1.5."),
        ({"redrawn": True}, "redrawn must be a number in [0, 1], got True."),
        ({"dropout": -0.1}, "dropout must lie in [0, 1), got -0.1."),
        ({"dropout": 1}, "dropout must lie in [0, 1), got 1."),
        ({"seed": -1}, "seed must be a whole number, 0 to 4294967295, got -1."),
        ({"seed": 1.5}, "seed must be a whole number, 0 to 4294967295, got 1.5."),
        ({"batch_size": 1.5}, "batch_size must be a whole number, 1 to 120, got 1.5."),
    ],
)
def test_the_other_bad_options_are_named_before_the_network_changes(
    data, options, wanted
):
    model = network()
    with pytest.raises((TypeError, ValueError)) as caught:
        training.fit(model, data, progress=False, **options)
    assert str(caught.value) == wanted
    assert torch.equal(weights(model), weights(network()))
    assert rates(model) == {(0.0, None)}


def test_a_whole_number_as_a_float_is_a_seed(data):
    one, two = network(), network()
    training.fit(one, data, seed=3, steps=2, redrawn=0.5, progress=False)
    training.fit(two, data, seed=3.0, steps=2, redrawn=0.5, progress=False)
    assert torch.equal(weights(one), weights(two))


def test_dropout_needs_a_layer_for_it(data):
    plain = torch.nn.Linear(2, 6)
    with pytest.raises(ValueError) as caught:
        training.fit(plain, data, dropout=0.2, steps=1, progress=False)
    assert str(caught.value) == ("dropout is 0.2 for a network without models.Dropout.")
    training.fit(plain, data, dropout=0.0, steps=1, progress=False)
