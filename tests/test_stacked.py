"""Layers of many networks at once against the layers of each, and what is refused."""

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
COLOUR = (3, 9, 8)
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
        self.body = nn.Sequential(*layers(), models.Dropout()).to(x.dtype)
        self.head = head(self.body(x[:2]).shape[-1], 6)

    def forward(self, x):
        return self.head(self.body(x))


def builder(layers, x, head=nn.Linear):
    def build(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return HeadOnBody(layers, x, head).double()

    return build


def images(shape=COLOUR, n=20):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    return datasets.SixClass(x, torch.arange(n) % 6, None, ())


BODIES = {
    "stride, no bias, ReLU in place": lambda: [
        nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.ReLU(inplace=True), nn.Flatten(),
    ],
    "dilation, padding same": lambda: [
        nn.Conv2d(3, 4, 3, dilation=2, padding="same"), nn.Tanh(), nn.Flatten(),
    ],
    "groups": lambda: [nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Flatten()],
    "circular padding": lambda: [
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), nn.Flatten(),
    ],
    "oblong kernel, max pooling with stride and padding": lambda: [
        nn.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=(0, 1)), nn.GELU(),
        nn.MaxPool2d(3, stride=2, padding=1), nn.Flatten(),
    ],
    "pooling first, adaptive pooling last": lambda: [
        nn.AvgPool2d(2, stride=1, ceil_mode=True), nn.Conv2d(3, 4, 3), nn.SiLU(),
        nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(),
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
    "batch norm of features": lambda: [
        nn.Flatten(), nn.Linear(216, 5), nn.BatchNorm1d(5, track_running_stats=False),
    ],
    "linear on rows of pixels, flatten two axes": lambda: [
        nn.Linear(8, 5), nn.ReLU(), nn.Flatten(1, 2), nn.Linear(5, 4, bias=False),
        nn.ReLU(inplace=True), Mean(),
    ],
    "one-dimensional convolution": lambda: [
        nn.Flatten(2), nn.Conv1d(3, 4, 5, stride=3), nn.ReLU(), nn.Flatten(),
    ],
    "layer norm, residual block": lambda: [
        nn.Flatten(), nn.Linear(216, 7), nn.LayerNorm(7), Residual(7),
    ],
    "nested, softmax over an axis": lambda: [
        nn.Flatten(), nn.Sequential(nn.Linear(216, 6), nn.Softmax(dim=1)),
    ],
    "weight norm": lambda: [
        nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(216, 5)),
    ],
}  # fmt: skip


@SLOW_UNDER_VMAP
@pytest.mark.parametrize("layers", BODIES.values(), ids=BODIES.keys())
def test_every_layer_trains_as_in_networks_of_their_own(layers):
    data = images()
    make = builder(layers, data.x)
    options = {"steps": 8, "batch_size": 7}
    together = trained(make, data, TABLE, **options)
    apart, _ = one_by_one(make, data, together.grid, **options)
    assert_same_networks(together, apart, 1e-9)
    for logits, network in zip(together.logits(data.x), apart, strict=True):
        torch.testing.assert_close(logits, network.eval()(data.x), rtol=0, atol=1e-8)


@SLOW_UNDER_VMAP
@pytest.mark.parametrize("bag", [False, True])
def test_whole_numbers_go_into_an_embedding(bag):
    tokens = torch.randint(9, (20, 4), generator=torch.Generator().manual_seed(0))
    data = datasets.SixClass(tokens, torch.arange(20) % 6, None, ())

    def make(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = HeadOnBody(lambda: [nn.Identity()], torch.zeros(2, 5))
            network.body = nn.Sequential(nn.Embedding(9, 5), Mean(), models.Dropout())
            if bag:
                bag_of_words = nn.EmbeddingBag(9, 5, padding_idx=0)
                network.body = nn.Sequential(bag_of_words, models.Dropout())
            return network.double()

    together = trained(make, data, TABLE, batch_size=6, evaluate={"again": data})
    apart, _ = one_by_one(make, data, together.grid, batch_size=6)
    assert_same_networks(together, apart, 1e-9)


def test_a_head_can_be_more_than_a_linear_layer():
    def two_layers(width, classes):
        return nn.Sequential(nn.Linear(width, 4), nn.Tanh(), nn.Linear(4, classes))

    data = images()
    make = builder(lambda: [nn.Flatten(), nn.Linear(216, 5)], data.x, two_layers)
    together = trained(make, data, TABLE)
    apart, _ = one_by_one(make, data, together.grid)
    assert_same_networks(together, apart, 1e-9)
    assert together.features(data.x).shape == (3, 20, 5)


def test_one_network_and_a_batch_of_all_rows():
    data = images()
    make = builder(BODIES["stride, no bias, ReLU in place"], data.x)
    together = trained(make, data, [{"seed": 4}], batch_size=20)
    apart, _ = one_by_one(make, data, together.grid, batch_size=20)
    assert len(together) == 1
    assert_same_networks(together, apart, 1e-9)


def test_batch_norm_is_evaluated_on_all_rows_at_once(monkeypatch):
    data = images()
    make = builder(BODIES["batch norm without running statistics"], data.x)
    whole = trained(make, data, TABLE)
    monkeypatch.setattr(fleet, "VALUES_AT_ONCE", 1)
    again = trained(make, data, TABLE)
    assert torch.equal(whole.logits("train"), again.logits("train"))
    assert (whole.history["train"]["nll"] == again.history["train"]["nll"]).all()


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
