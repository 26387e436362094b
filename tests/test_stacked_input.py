"""Networks that cannot be stacked are refused with the reason, not trained wrongly."""

import re

import pytest
import torch
from fleet_oracle import build, trained, weights
from torch import nn

from lsr_utils import datasets, models, stacked


class Changed(models.MLP):
    """The small network after ``change(self, seed)``."""

    def __init__(self, seed, change):
        torch.manual_seed(seed)
        super().__init__((2,), widths=(8,))
        change(self, seed)


def after(*modules):
    """A change: these modules, called with nothing, behind the body."""

    def change(network, seed):
        network.body.extend(make() for make in modules)

    return change


def scaled_outside(network, seed):
    network.scale = nn.Parameter(torch.ones(()))


def frozen(network, seed):
    network.body[1].weight.requires_grad_(False)


def wider_with_the_seed(network, seed):
    network.body[1] = nn.Linear(2, 8 + seed)
    network.head = nn.Linear(8 + seed, 6)


def other_layer_with_the_seed(network, seed):
    network.body[2] = nn.Tanh() if seed else nn.ReLU()


def shared(network, seed):
    network.body.extend([nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)])
    network.body[-1].weight = network.body[-3].weight


def twice(network, seed):
    layer = nn.Linear(8, 8)
    network.body.extend([layer, layer])


def random_buffer(network, seed):
    network.body.append(nn.Identity())
    network.body[-1].register_buffer("directions", torch.randn(8))


def hooked(network, seed):
    network.body[1].register_forward_hook(lambda module, x, out: out * 2)


def old_weight_norm(network, seed):
    nn.utils.weight_norm(network.body[1])


def padded_embedding(network, seed):
    network.body = nn.Sequential(nn.Sequential(nn.Embedding(9, 8, padding_idx=0)))


def dropout_within(network, seed):
    network.body[3] = nn.Sequential(models.Dropout())


WEIGHTS = "weights are in body and head, used once and trained, got others"
REFUSED = {
    dropout_within: "got Dropout() as 'body.3.0'.",
    scaled_outside: WEIGHTS,
    frozen: WEIGHTS,
    shared: WEIGHTS,
    twice: WEIGHTS,
    other_layer_with_the_seed: "the same architecture and buffers for every seed, got ",
    wider_with_the_seed: "the same architecture and buffers for every seed, got ",
    random_buffer: "the same architecture and buffers for every seed, got ",
    padded_embedding: "got Embedding(9, 8, padding_idx=0) as 'body.0.0'.",
    old_weight_norm: WEIGHTS,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_a_network_that_cannot_be_stacked_is_refused_with_the_reason(change):
    with torch.random.fork_rng(), pytest.raises(ValueError) as caught:
        networks = [Changed(seed, change) for seed in (0, 1)]
        stacked.Stacked(networks, torch.tensor([0, 1]))
    assert str(caught.value).startswith("build must ")
    assert REFUSED[change] in str(caught.value)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) if self.training else x


class Doubled(models.MLP):
    def forward(self, x):
        return 2 * super().forward(x)


class FunctionalDropout(models.MLP):
    def forward(self, x):
        return self.head(nn.functional.dropout(self.body(x), 0.5, self.training))


class NotInTraining(nn.Module):
    def forward(self, x):
        return 3 * x if self.training else x


class Flat(models.MLP):
    def forward(self, x):
        return super().forward(x).mean(1, keepdim=True)


# Row 0 has the first seed, or another: the network that is looked at must not matter.
@pytest.mark.parametrize("seeds", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    "kind", [Doubled, FunctionalDropout, Flat, NotInTraining, hooked]
)
def test_a_forward_that_is_not_head_of_body_is_refused(kind, seeds):
    def make(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if kind is hooked:
                return Changed(seed, hooked)
            if kind is NotInTraining:
                return Changed(seed, after(kind))
            return kind((2,), widths=(8,))

    message = re.escape("build must make networks that are head(body(x)).")
    with pytest.raises(ValueError, match=message):
        trained(make, datasets.gaussians(40), [{"seed": seed} for seed in seeds])


@pytest.mark.parametrize("seeds", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    "layer",
    [
        Noisy, nn.RReLU, nn.AlphaDropout, lambda: nn.Dropout(0.5),
        lambda: nn.BatchNorm1d(8), lambda: nn.BatchNorm1d(8, momentum=None),
        lambda: nn.Sequential(nn.BatchNorm1d(8)),
    ],
)  # fmt: skip
def test_a_layer_with_random_numbers_or_statistics_is_refused(layer, seeds):
    def make(seed):
        with torch.random.fork_rng():
            return Changed(seed, after(layer))

    with pytest.raises(RuntimeError, match="vmap|not batched"):
        trained(make, datasets.gaussians(40), [{"seed": seed} for seed in seeds])


@pytest.mark.parametrize("seeds", [(0, 1), (1, 0), (0, 0, 1)])
def test_a_number_that_differs_from_seed_to_seed_is_refused(seeds):
    class Scale(nn.Module):
        def forward(self, x):
            return x * self.factor

    def with_factor(network, seed):
        network.body.append(Scale())
        network.body[-1].factor = 1.0 + seed

    def make(seed):
        with torch.random.fork_rng():
            return Changed(seed, with_factor)

    with pytest.raises(ValueError, match="^build must make networks that are"):
        trained(make, datasets.gaussians(40), [{"seed": seed} for seed in seeds])
    assert len(trained(make, datasets.gaussians(40), [{"seed": 1}])) == 1


def test_a_layer_without_dropout_rate_does_not_count_as_dropout():
    def make(seed):
        with torch.random.fork_rng():
            return Changed(seed, after(lambda: nn.Dropout(0.0)))

    assert trained(make, datasets.gaussians(40), [{"seed": 1}]).steps[-1] == 20


def test_a_network_built_in_evaluation_trains_all_the_same():
    data = datasets.gaussians(40)
    evaluated = trained(lambda seed: build(seed).float().eval(), data, [{"seed": 2}])
    usual = trained(lambda seed: build(seed).float(), data, [{"seed": 2}])
    assert torch.equal(weights(evaluated.network(0)), weights(usual.network(0)))
