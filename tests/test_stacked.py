"""Layers of many networks at once against the layers of each, and what is refused."""

import re

import pytest
import torch
from fleet_oracle import assert_same_networks, build, one_by_one, trained, weights
from torch import nn

from lsr_utils import datasets, fleet, models, stacked

TABLE = [
    {"seed": 3, "eps": 0.1, "lr": 0.02},
    {"seed": 1, "l1": 0.01, "weight_decay": 0.1},
    {"seed": 3, "redrawn": 0.4, "dropout": 0.3},
]
SLOW_UNDER_VMAP = pytest.mark.filterwarnings("ignore:There is a performance drop")


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(width), nn.Linear(width, width)
        self.gate, self.shift = (nn.Parameter(torch.zeros(width)) for _ in range(2))

    def forward(self, x):
        # One and the same gradient goes to gate and shift.
        return x + self.inner(self.norm(x)).relu() + (self.gate + self.shift)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


class HeadOnBody(nn.Module):
    """``layers`` makes a body; its head fits it."""

    def __init__(self, layers, x, head=nn.Linear):
        super().__init__()
        self.body = nn.Sequential(*layers(), models.Dropout())
        self.head = head(self.body(x[:2]).shape[-1], 6)

    def forward(self, x):
        return self.head(self.body(x))


def builder(layers, data, head=nn.Linear):
    def build(seed):
        x = data.x.float() if data.x.is_floating_point() else data.x
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return HeadOnBody(layers, x, head).double()

    return build


def images(n=20):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(n, 3, 9, 8, generator=generator, dtype=torch.float64)
    return datasets.SixClass(x, torch.arange(n) % 6, None, ())


def token_rows(n=20):
    ids = torch.randint(9, (n, 4), generator=torch.Generator().manual_seed(0))
    return datasets.SixClass(ids, torch.arange(n) % 6, None, ())


BODIES = {
    "stride, no bias, ReLU in place": lambda: [
        nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.ReLU(inplace=True), nn.Flatten(),
    ],
    "groups": lambda: [nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Flatten()],
    "circular padding": lambda: [
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), nn.Flatten(),
    ],
    "oblong kernel, max pooling with stride and padding": lambda: [
        nn.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=(0, 1)), nn.GELU(),
        nn.MaxPool2d(3, stride=2, padding=1), nn.Flatten(),
    ],
    "pooling first, dilation, adaptive pooling last": lambda: [
        nn.AvgPool2d(2, stride=1, ceil_mode=True), nn.SiLU(),
        nn.Conv2d(3, 4, 3, dilation=2, padding="same"), nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(),
    ],
    "dropout on images, two convolutions": lambda: [
        nn.Conv2d(3, 4, 3), nn.ReLU(), models.Dropout(), nn.Conv2d(4, 2, 3),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(),
    ],
    "group norm": lambda: [
        nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.PReLU(), nn.Flatten(),
    ],
    "batch norm without running statistics": lambda: [
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(),
    ],
    "linear on rows of pixels, flatten two axes": lambda: [
        nn.Linear(8, 5), nn.ReLU(), nn.Flatten(1, 2), nn.Linear(5, 4, bias=False),
        nn.ReLU(inplace=True), Mean(),
    ],
    "layer norm, residual block": lambda: [
        nn.Flatten(), nn.Linear(216, 7), nn.LayerNorm(7), Residual(7),
    ],
    "weight norm, nested, softmax over an axis": lambda: [
        nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(216, 5)),
        nn.Tanh(), nn.Sequential(nn.Linear(5, 6), nn.Softmax(dim=1)),
    ],
    "whole numbers into an embedding": lambda: [nn.Embedding(9, 5), Mean()],
    "whole numbers into a padded bag": lambda: [nn.EmbeddingBag(9, 5, padding_idx=0)],
}  # fmt: skip


@SLOW_UNDER_VMAP
@pytest.mark.parametrize("name", BODIES)
def test_every_layer_trains_as_in_networks_of_their_own(name):
    data = token_rows() if name.startswith("whole numbers") else images()
    make = builder(BODIES[name], data)
    options = {"steps": 8, "batch_size": 7}
    together = trained(make, data, TABLE, evaluate={"again": data}, **options)
    apart, _ = one_by_one(make, data, together.grid, **options)
    assert_same_networks(together, apart, 1e-9)
    for logits, network in zip(together.logits(data.x), apart, strict=True):
        torch.testing.assert_close(logits, network.eval()(data.x), rtol=0, atol=1e-8)


def test_a_head_of_two_layers_and_a_batch_of_all_rows():
    def two_layers(width, classes):
        return nn.Sequential(nn.Linear(width, 4), nn.Tanh(), nn.Linear(4, classes))

    data = images()
    make = builder(lambda: [nn.Flatten(), nn.Linear(216, 5)], data, two_layers)
    for table in (TABLE, TABLE[:1]):
        together = trained(make, data, table, batch_size=20)
        apart, _ = one_by_one(make, data, together.grid, batch_size=20)
        assert_same_networks(together, apart, 1e-9)
        assert together.features(data.x).shape == (len(table), 20, 5)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_batch_norm_is_evaluated_on_all_rows_at_once(monkeypatch, norm):
    layers = [nn.Conv2d(3, 4, 3), norm(4, track_running_stats=False), nn.Flatten()]
    if norm is nn.BatchNorm1d:
        layers = [nn.Flatten(), nn.Linear(216, 4), layers[1]]
    data = images()
    whole = trained(builder(lambda: layers, data), data, [{}])
    wanted = whole.logits("train")
    monkeypatch.setattr(fleet, "VALUES_AT_ONCE", 1)
    assert torch.equal(whole.logits("train"), wanted)


def test_a_network_comes_out_as_it_went_in_and_on_its_own():
    networks = [build(seed) for seed in (0, 1)]
    stack = stacked.Stacked(networks, torch.tensor([1, 0, 1]))
    for index, seed in enumerate((1, 0, 1)):
        assert torch.equal(weights(stack.unstack(index)), weights(build(seed)))
    assert not stack.unstack(0).training
    alone = stack.unstack(0)
    with torch.no_grad():
        stack.parameters()[0].zero_()
        assert torch.equal(weights(alone), weights(build(1)))
        alone.head.bias.fill_(7)
    assert torch.equal(weights(stack.unstack(2).head), weights(build(1).head))
    assert torch.equal(weights(networks[1]), weights(build(1)))


def test_a_slice_shares_its_weights_with_the_whole():
    stack = stacked.Stacked([build(0), build(1)], torch.tensor([0, 1, 0]))
    part = stack[1:]
    assert [len(p) for p in part.parameters()] == len(stack.parameters()) * [2]
    with torch.no_grad():
        for p in part.parameters():
            p.fill_(0.5)
    assert torch.equal(weights(stack.unstack(0)), weights(build(0)))
    assert (weights(stack.unstack(1)) == 0.5).all()


# --- networks that would be trained wrongly, in silence -----------------------------


def changed(change, kind=models.MLP):
    """A builder: the small network after ``change(its body, the network, seed)``."""

    def make(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = kind((2,), widths=(8,))
            change(network.body, network, seed)
        return network

    return make


def scaled_outside(body, network, seed):
    network.scale = nn.Parameter(torch.ones(()))


def frozen(body, network, seed):
    body[1].weight.requires_grad_(False)


def other_layer_with_the_seed(body, network, seed):
    body[2] = nn.Tanh() if seed else nn.ReLU()


def shared(body, network, seed):
    body.extend([nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)])
    body[-1].weight = body[-3].weight


def random_buffer(body, network, seed):
    body.append(nn.Identity())
    body[-1].register_buffer("directions", torch.randn(8))


def old_weight_norm(body, network, seed):
    nn.utils.weight_norm(body[1])


def padded_embedding(body, network, seed):
    body.append(nn.Sequential(nn.Embedding(9, 8, padding_idx=0)))


def dropout_within(body, network, seed):
    body[3] = nn.Sequential(models.Dropout())


WEIGHTS = "weights are in body and head, used once and trained, got others"
SAME = "the same architecture and buffers for every seed, got "
REFUSED = {
    dropout_within: "got Dropout() as 'body.3.0'.",
    padded_embedding: "got Embedding(9, 8, padding_idx=0) as 'body.4.0'.",
    **dict.fromkeys([scaled_outside, frozen, shared, old_weight_norm], WEIGHTS),
    **dict.fromkeys([other_layer_with_the_seed, random_buffer], SAME),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_a_network_that_cannot_be_stacked_is_refused_with_the_reason(change):
    networks = [changed(change)(seed) for seed in (0, 1)]
    wanted = "^build must .*" + re.escape(REFUSED[change])
    with pytest.raises(ValueError, match=f"(?s){wanted}"):
        stacked.Stacked(networks, torch.tensor([0, 1]))


class Called(nn.Module):
    """``function(x, training)`` of what comes in."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x, self.training)


def behind(make):
    return lambda body, network, seed: body.append(make(seed))


def doubled(body, network, seed):
    network.register_forward_hook(lambda module, x, out: 2 * out)


def one_column(body, network, seed):
    network.register_forward_hook(lambda module, x, out: out.mean(1, keepdim=True))


def functional_dropout(body, network, seed):
    network.register_forward_hook(
        lambda module, x, out: nn.functional.dropout(out, 0.5, module.training)
    )


def hooked(body, network, seed):
    body[1].register_forward_hook(lambda module, x, out: out * 2)


OTHERS = [
    doubled, one_column, functional_dropout, hooked,
    behind(lambda _: Called(lambda x, training: 3 * x if training else x)),
    behind(lambda seed: Called(lambda x, _: x * (1 + seed))),
]  # fmt: skip


# Row 0 has the first seed, or another: the network that is looked at must not matter.
@pytest.mark.parametrize("seeds", [(0, 1), (1, 0), (0, 0, 1)])
@pytest.mark.parametrize("change", OTHERS)
def test_a_forward_that_is_not_head_of_body_is_refused(change, seeds):
    grid = [{"seed": seed} for seed in seeds]
    message = re.escape("build must make networks that are head(body(x)).")
    with pytest.raises(ValueError, match=message):
        trained(changed(change), datasets.gaussians(40), grid)


@pytest.mark.parametrize("seeds", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    "layer",
    [
        lambda _: Called(lambda x, _: x + torch.randn_like(x)), lambda _: nn.RReLU(),
        lambda _: nn.AlphaDropout(), lambda _: nn.Dropout(0.5),
        lambda _: nn.BatchNorm1d(8), lambda _: nn.Sequential(nn.BatchNorm1d(8)),
    ],
)  # fmt: skip
def test_a_layer_with_random_numbers_or_statistics_is_refused(layer, seeds):
    grid = [{"seed": seed} for seed in seeds]
    with pytest.raises(RuntimeError, match="vmap|not batched"):
        trained(changed(behind(layer)), datasets.gaussians(40), grid)


def test_what_comes_to_the_same_is_not_refused():
    data, grid = datasets.gaussians(40), [{"seed": 1}]
    for layer in (lambda _: nn.Dropout(0.0), lambda s: Called(lambda x, _: x * s)):
        assert len(trained(changed(behind(layer)), data, grid, steps=1)) == 1
    evaluated = trained(lambda seed: build(seed).float().eval(), data, grid)
    usual = trained(lambda seed: build(seed).float(), data, grid)
    assert torch.equal(weights(evaluated.network(0)), weights(usual.network(0)))
