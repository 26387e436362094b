"""The small networks: layers against other forms, features, weights by their seed."""

import pytest
import torch
from fleet_oracle import weights
from torch.nn import functional

from lsr_utils import models
from lsr_utils.stacked import Stacked

IDS = torch.tensor([[3, 1, 4, 0, 0], [2, 7, 1, 8, 2], [5, 0, 0, 0, 0]])
WORDS = {"num_words": 9}
NETWORKS = pytest.mark.parametrize(
    ("name", "x", "options"),
    [("mlp", torch.randn(5, 1, 8, 8), {}), ("cnn", torch.randn(5, 1, 8, 8), {}),
     ("bag", IDS, WORDS), ("wordcnn", IDS, WORDS)],
)  # fmt: skip


@NETWORKS
def test_a_network_gives_logits_and_their_features(name, x, options):
    model = models.build(name, x.shape[1:], num_classes=4, **options)
    features = model.features(x)
    assert features.shape == (len(x), model.head.in_features)
    by_hand = features @ model.head.weight.T + model.head.bias
    assert torch.allclose(model(x), by_hand, atol=1e-6) and model(x).shape[1] == 4
    assert (features >= 0).all()  # behind a ReLU
    assert models.build(name, x.shape[1:], **options).head.out_features == 6


@NETWORKS
def test_the_seed_alone_decides_the_weights(name, x, options):
    torch.manual_seed(11)
    state = torch.get_rng_state()
    zero, one, two, other = (
        weights(models.build(name, x.shape[1:], **seed, **options))
        for seed in ({}, {"seed": 1}, {"seed": 1}, {"seed": 0})
    )
    assert torch.equal(one, two) and torch.equal(zero, other)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_cnn_is_two_convolutions_each_with_relu_and_max_pooling():
    model, x = models.build("cnn", (2, 9, 6), seed=3), torch.randn(5, 2, 9, 6)
    found = model.features(x)
    *convolutions, hidden = (m for m in model.body if list(m.parameters()))
    for layer in convolutions:
        x = functional.conv2d(x, layer.weight, layer.bias, padding=1)
        x = functional.max_pool2d(x.relu(), 2)
    assert [layer.out_channels for layer in convolutions] == [8, 16]
    torch.testing.assert_close(found, hidden(x.flatten(1)).relu())


def test_word_vectors_are_rows_of_the_weight_and_zero_for_padding():
    layer, mean = models.WordVectors(9, 4), models.MeanOverWords()
    expected = layer.weight[IDS].detach().clone()
    expected[IDS == 0] = 0
    assert torch.equal(layer(IDS), expected)
    (gradient,) = torch.autograd.grad(layer(IDS).sum(), layer.weight)
    counts = torch.bincount(IDS.flatten(), minlength=9).float()
    counts[0] = 0  # padding is not trained
    assert torch.equal(gradient, counts[:, None].expand(9, 4))
    expected = functional.embedding_bag(IDS, layer.weight, mode="mean", padding_idx=0)
    assert torch.allclose(mean(layer(IDS)), expected, atol=1e-7)
    assert torch.equal(mean(torch.zeros(1, 5, 4)), torch.zeros(1, 4))  # no word at all


def test_windows_and_a_linear_layer_are_a_convolution_over_words():
    vectors, linear = torch.randn(2, 7, 5), torch.nn.Linear(15, 6)
    weight = linear.weight.view(6, 3, 5).transpose(1, 2)  # (filters, D, size)
    expected = functional.conv1d(vectors.mT, weight, linear.bias).mT
    assert torch.allclose(linear(models.Windows(3)(vectors)), expected, atol=1e-6)
    assert torch.equal(models.MaxOverWords()(vectors), vectors.max(1).values)


@pytest.mark.parametrize("name", ["bag", "wordcnn"])
def test_what_a_bag_forgets_a_convolution_does_not_and_a_stack_is_its_networks(name):
    networks = [models.build(name, (5,), num_words=9, seed=s) for s in (0, 1)]
    stack = Stacked(networks, torch.tensor([1, 0]))
    together = stack.head(stack.features(IDS.expand(2, -1, -1)))
    wanted = torch.stack([network(IDS) for network in networks[::-1]])
    assert torch.allclose(together, wanted, atol=1e-6)
    row, model = IDS[1:2], networks[0]
    same = torch.allclose(model(row), model(row.flip(1)), atol=1e-6)
    assert same is (name == "bag")  # the order of words
    if name == "bag":
        assert torch.allclose(model(functional.pad(IDS, (0, 4))), model(IDS), atol=1e-6)


def dropout(rate, seed):
    layer = models.Dropout()
    layer.rate, layer.generator = rate, torch.Generator().manual_seed(seed)
    return layer


def test_dropout_does_nothing_until_it_is_told():
    layer, x = models.Dropout(), torch.randn(5, 4)
    assert layer(x) is x
    layer.eval().rate = 0.5
    assert layer(x) is x  # in evaluation
    for name, layers in (("mlp", 2), ("cnn", 1)):  # behind hidden units alone
        found = [type(m) for m in models.build(name, (1, 8, 8)).body]
        assert found.count(models.Dropout) == layers


@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(rate):
    layer, x = dropout(rate, 2), torch.ones(300, 400)
    out = layer(x)
    kept = out != 0
    assert kept.float().mean().item() == pytest.approx(1 - rate, abs=0.01)
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - rate)))
    assert not torch.equal(kept, layer(x) != 0)  # drawn anew in each call


def test_dropout_is_paired_and_has_its_own_random_numbers_and_a_gradient():
    state, x = torch.get_rng_state(), torch.ones(50, 40, requires_grad=True)
    out = dropout(0.6, 1)(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(gradient, out.detach())
    assert torch.equal(state, torch.get_rng_state())
    # A higher rate drops more values, never others.
    fewer = dropout(0.2, 1)(x)
    assert (fewer[out != 0] != 0).all() and (fewer != 0).sum() > (out != 0).sum()
