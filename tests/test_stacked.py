"""Layers of many networks at once against the layers of each, and what is refused."""

import copy
import re

import pytest
import torch
from fleet_oracle import assert_same_networks, build, one_by_one, trained, weights
from torch import nn
from torch.nn import functional as F

from lsr_utils import datasets, fleet, models, stacked

TABLE = [
    {"seed": 3, "eps": 0.1, "lr": 0.02},
    {"seed": 1, "l1": 0.01, "weight_decay": 0.1},
    {"seed": 3, "redrawn": 0.4, "dropout": 0.3},
]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(width), nn.Linear(width, width)
        self.gate, self.shift = (nn.Parameter(torch.zeros(width)) for _ in range(2))

    def forward(self, x):
        # One and the same gradient goes to gate and shift.
        return x + self.inner(self.norm(x)).relu() + (self.gate + self.shift)


class Called(nn.Module):
    """``function(x, training)`` of what comes in."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x, self.training)


class HeadOnBody(models.MLP):
    def __init__(self, layers, x, head):
        super().__init__((1,))
        self.body = nn.Sequential(*layers(), models.Dropout())
        self.head = head(self.body(x[:2]).shape[-1], 6)


def builder(layers, data, head=nn.Linear):
    def build(seed):
        x = data.x.float() if data.x.is_floating_point() else data.x
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return HeadOnBody(layers, x, head).double()

    return build


def task(x):
    return datasets.SixClass(x, torch.arange(20) % 6, None, ())


DRAWS = torch.Generator().manual_seed(5)
IMAGES = task(torch.randn(20, 3, 9, 8, generator=DRAWS, dtype=torch.float64))
TOKENS = task(torch.randint(9, (20, 4), generator=DRAWS))
BODIES = {
    "groups, ReLU in place": lambda: [
        nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(inplace=True), nn.Flatten(),
    ],
    "no bias, circular padding, dropout on images, stride": lambda: [
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular", bias=False), nn.ReLU(),
        models.Dropout(), nn.Conv2d(4, 2, 3, stride=2), nn.Flatten(),
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
    "batch norm without running statistics": lambda: [
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, track_running_stats=False),
        nn.PReLU(), nn.Flatten(),
    ],
    "linear on rows of pixels, flatten two axes": lambda: [
        nn.Linear(8, 5), nn.ReLU(), nn.Flatten(1, 2), nn.Linear(5, 4, bias=False),
        nn.ReLU(inplace=True), Called(lambda x, _: x.mean(1)),
    ],
    "layer norm, residual block": lambda: [
        nn.Flatten(), nn.Linear(216, 7), nn.LayerNorm(7), Residual(7),
    ],
    "weight norm, nested, softmax over an axis": lambda: [
        nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(216, 5)),
        nn.Softmax(dim=1), nn.Sequential(nn.Linear(5, 6), nn.Tanh()),
    ],
    "whole numbers into an embedding": lambda: [nn.Embedding(9, 5), nn.Flatten()],
    "whole numbers into a padded bag": lambda: [nn.EmbeddingBag(9, 5, padding_idx=0)],
}  # fmt: skip


def two_layers(width, classes):
    return nn.Sequential(nn.Linear(width, 4), nn.Tanh(), nn.Linear(4, classes))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", BODIES)
def test_every_layer_trains_as_in_networks_of_their_own(name):
    data = TOKENS if name.startswith("whole numbers") else IMAGES
    odd = name.startswith("groups")  # a head of two layers, and a batch of all rows
    make = builder(BODIES[name], data, two_layers if odd else nn.Linear)
    options = {"steps": 8, "batch_size": 20 if odd else 7}
    together = trained(make, data, TABLE, evaluate={"again": data}, **options)
    apart, _ = one_by_one(make, data, together.grid, **options)
    assert_same_networks(together, apart, 1e-9)
    for logits, network in zip(together.logits(data.x), apart, strict=True):
        torch.testing.assert_close(logits, network.eval()(data.x), rtol=0, atol=1e-8)


def test_batch_norm_is_evaluated_on_all_rows_at_once(monkeypatch):
    norm = nn.BatchNorm1d(3, track_running_stats=False)
    layers = [nn.Flatten(2), norm, nn.Flatten()]
    whole = trained(builder(lambda: layers, IMAGES), IMAGES, [{}], steps=1)
    wanted = whole.logits("train")
    monkeypatch.setattr(fleet, "VALUES_AT_ONCE", 1)
    assert torch.equal(whole.logits("train"), wanted)


def test_a_network_comes_out_as_it_went_in_and_on_its_own():
    networks = [build(seed) for seed in (0, 1)]
    stack = stacked.Stacked(networks, torch.tensor([1, 0, 1]))
    for index, seed in enumerate((1, 0, 1)):
        assert torch.equal(weights(stack.unstack(index)), weights(build(seed)))
    alone = stack.unstack(0)
    with torch.no_grad():
        stack.parameters()[0].zero_()
        assert torch.equal(weights(alone), weights(build(1)))
        alone.head.bias.fill_(7)
    assert not alone.training
    assert torch.equal(weights(stack.unstack(2).head), weights(build(1).head))


def changed(change):
    """A builder: the small network after ``change(network, its body, seed)``."""

    def make(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = models.MLP((2,), widths=(8,))
            change(network, network.body, seed)
        return network

    return make


WEIGHTS = "weights are in body and head, used once and trained, got others"
SAME = "the same architecture and buffers for every seed, got "
REFUSED = [
    (lambda net, body, _: body.append(nn.Sequential(models.Dropout())),
     "got Dropout() as 'body.4.0'."),
    (lambda net, body, _: body.append(nn.Sequential(nn.Embedding(9, 8, padding_idx=0))),
     "got Embedding(9, 8, padding_idx=0) as 'body.4.0'."),
    (lambda net, body, _: net.register_parameter("scale", nn.Parameter(torch.ones(2))),
     WEIGHTS),
    (lambda net, body, _: body[1].weight.requires_grad_(False), WEIGHTS),
    (lambda net, body, _: body.extend(2 * [nn.Linear(8, 8)]), WEIGHTS),
    (lambda net, body, _: nn.utils.weight_norm(body[1]), WEIGHTS),
    (lambda net, body, seed: body.append(nn.Tanh() if seed else nn.ReLU()), SAME),
    (lambda net, body, _: body[1].register_buffer("known", torch.randn(8)), SAME),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize(("change", "reason"), REFUSED)
def test_a_network_that_cannot_be_stacked_is_refused_with_the_reason(change, reason):
    networks = [changed(change)(seed) for seed in (0, 1)]
    with pytest.raises(ValueError, match=f"(?s)^build must .*{re.escape(reason)}"):
        stacked.Stacked(networks, torch.tensor([0, 1]))


def behind(make):
    return lambda net, body, seed: body.append(make(seed))


def hook(function):
    return lambda net, body, _: net.register_forward_hook(function)


OTHERS = {
    "doubled": hook(lambda net, x, out: 2 * out),
    "one column": hook(lambda net, x, out: out.mean(1, keepdim=True)),
    "dropout outside": hook(lambda net, x, out: F.dropout(out, 0.5, net.training)),
    "hook within": lambda net, body, seed: hook(lambda *x: 2 * x[-1])(body[1], 0, 0),
    "not in training": behind(lambda _: Called(lambda x, on: 3 * x if on else x)),
    "by the seed": behind(lambda seed: Called(lambda x, _: x * (1 + seed))),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_a_forward_that_is_not_head_of_body_is_refused(change):
    for seeds in ((0, 1), (1, 0), (0, 0, 1)):  # whichever network is looked at
        rows = [{"seed": seed} for seed in seeds]
        with pytest.raises(ValueError, match=r"^build must make .* head\(body\(x\)\)"):
            trained(changed(change), datasets.gaussians(40), rows)


def test_a_layer_with_random_numbers_or_statistics_is_refused():
    noise = Called(lambda x, _: x + torch.randn_like(x))
    statistics = nn.BatchNorm1d(8), nn.Sequential(nn.BatchNorm1d(8))
    for layer in (noise, nn.RReLU(), nn.AlphaDropout(), nn.Dropout(), *statistics):
        make = changed(behind(lambda _, layer=layer: copy.deepcopy(layer)))
        with pytest.raises(RuntimeError, match="vmap|not batched"):
            trained(make, datasets.gaussians(40), [{"seed": 0}, {"seed": 1}])
