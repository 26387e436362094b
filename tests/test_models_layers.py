"""The layers and networks for text, held against other forms."""

import pytest
import torch

from lsr_utils import models
from lsr_utils.stacked import Stacked

IDS = torch.tensor([[3, 1, 4, 0, 0], [2, 7, 1, 8, 2], [5, 0, 0, 0, 0]])
TEXT = pytest.mark.parametrize("name", ["bag", "wordcnn"])


def test_word_vectors_are_rows_of_the_weight_and_zero_for_padding():
    layer = models.WordVectors(9, 4)
    expected = layer.weight[IDS].detach().clone()
    expected[IDS == 0] = 0
    assert torch.equal(layer(IDS), expected)
    (gradient,) = torch.autograd.grad(layer(IDS).sum(), layer.weight)
    counts = torch.bincount(IDS.flatten(), minlength=9).float()
    counts[0] = 0  # padding is not trained
    assert torch.equal(gradient, counts[:, None].expand(9, 4))


def test_the_mean_over_words_is_that_of_an_embedding_bag():
    layer = models.WordVectors(9, 4)
    expected = torch.nn.functional.embedding_bag(
        IDS, layer.weight, mode="mean", padding_idx=0
    )
    mean = models.MeanOverWords()
    assert torch.allclose(mean(layer(IDS)), expected, atol=1e-7)
    assert torch.equal(mean(torch.zeros(1, 5, 4)), torch.zeros(1, 4))  # no word at all


def test_windows_and_a_linear_layer_are_a_convolution_over_words():
    vectors = torch.randn(2, 7, 5)
    linear = torch.nn.Linear(15, 6)
    weight = linear.weight.view(6, 3, 5).transpose(1, 2)  # (filters, D, size)
    expected = torch.nn.functional.conv1d(vectors.mT, weight, linear.bias).mT
    assert torch.allclose(linear(models.Windows(3)(vectors)), expected, atol=1e-6)
    assert torch.equal(models.MaxOverWords()(vectors), vectors.max(1).values)


@TEXT
def test_a_network_for_text_gives_logits_and_features_behind_a_relu(name):
    model = models.build(name, (5,), num_words=9, seed=1)
    features = model.features(IDS)
    assert features.shape == (3, model.head.in_features) and (features >= 0).all()
    assert torch.equal(model(IDS), model.head(features))


def test_a_bag_forgets_the_order_of_words_and_a_convolution_does_not():
    turned = IDS[1:2].flip(1)
    for name, forgets in (("bag", True), ("wordcnn", False)):
        model = models.build(name, (5,), num_words=9)
        same = torch.allclose(model(IDS[1:2]), model(turned), atol=1e-6)
        assert same is forgets


@TEXT
def test_more_padding_changes_no_bag_and_a_stack_is_its_networks(name):
    networks = [models.build(name, (5,), num_words=9, seed=s) for s in (0, 1)]
    stack = Stacked(networks, torch.tensor([1, 0]))
    together = stack.head(stack.features(IDS.expand(2, -1, -1)))
    for found, network in zip(together, networks[::-1], strict=True):
        assert torch.allclose(found, network(IDS), atol=1e-6)
    padded = torch.nn.functional.pad(IDS, (0, 4))
    if name == "bag":
        assert torch.allclose(networks[0](padded), networks[0](IDS), atol=1e-6)
