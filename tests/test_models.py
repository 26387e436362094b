"""The small networks: shapes, features, reproducible weights, bad input."""

import pytest
import torch
from torch.nn import functional

from lsr_utils import models

NAMES = pytest.mark.parametrize("name", ["mlp", "cnn"])


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@NAMES
def test_a_network_gives_logits_and_their_features(name):
    model = models.build(name, (1, 8, 8), num_classes=4)
    x = torch.randn(5, 1, 8, 8)
    features = model.features(x)
    assert model(x).shape == (5, 4) and features.shape[0] == 5
    assert features.shape[1] == model.head.in_features
    by_hand = features @ model.head.weight.T + model.head.bias
    assert torch.allclose(model(x), by_hand, atol=1e-6)
    assert (features >= 0).all()  # behind a ReLU


@NAMES
def test_the_seed_decides_the_weights(name):
    one, two, other = (models.build(name, (1, 8, 8), seed=s) for s in (1, 1, 2))
    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(other))


@NAMES
def test_building_leaves_the_global_random_state_alone(name, monkeypatch):
    reseeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    models.build(name, (1, 8, 8), seed=5)
    assert torch.equal(torch.rand(3), expected)
    torch_seeds_them_too = len(reseeded)
    torch.manual_seed(11)
    assert torch_seeds_them_too == 2 and len(reseeded) == 3


def test_the_mlp_has_the_layers_it_was_asked_for():
    model = models.build("mlp", (2, 3), num_classes=6, widths=(7, 5, 4))
    sizes = [tuple(p.shape) for p in model.parameters() if p.dim() == 2]
    assert sizes == [(7, 6), (5, 7), (4, 5), (6, 4)]
    linear = models.build("mlp", (2,), widths=())
    x = torch.randn(3, 2)
    assert torch.equal(linear.features(x), x)


def test_the_cnn_is_two_convolutions_each_with_relu_and_max_pooling():
    model, x = models.build("cnn", (2, 9, 6), seed=3), torch.randn(5, 2, 9, 6)
    found = model.features(x)
    *convolutions, hidden = (m for m in model.body if list(m.parameters()))
    for layer in convolutions:
        x = functional.conv2d(x, layer.weight, layer.bias, padding=1)
        x = functional.max_pool2d(x.relu(), 2)
    assert len(convolutions) == 2
    torch.testing.assert_close(found, hidden(x.flatten(1)).relu())


def test_the_cnn_takes_any_channels_and_size():
    for shape in ((1, 4, 4), (3, 32, 32), (1, 20, 20), (2, 9, 6)):
        model = models.build("cnn", shape)
        assert model(torch.zeros(2, *shape)).shape == (2, 6)
        assert model.features(torch.zeros(2, *shape)).shape == (2, 64)


def test_by_default_there_are_six_classes_and_seed_zero():
    for name, size in (
        ("mlp", 64 * 65 + 32 * 65 + 6 * 33),
        ("cnn", 8 * 10 + 16 * 73 + 64 * 65 + 6 * 65),
    ):
        model = models.build(name, (1, 8, 8))
        assert len(weights(model)) == size and model.head.out_features == 6
        assert torch.equal(
            weights(model), weights(models.build(name, (1, 8, 8), seed=0))
        )
    assert models.CNN((1, 8, 8)).head.out_features == 6
    assert models.MLP((1, 8, 8)).head.out_features == 6


def test_an_unknown_network_is_named_with_those_there_are():
    with pytest.raises(ValueError) as caught:
        models.build("transformer", (1, 8, 8))
    assert str(caught.value) == (
        "name must be 'mlp', 'cnn', 'bag' or 'wordcnn', got 'transformer'."
    )


def test_a_bad_seed_is_named():
    with pytest.raises(ValueError, match="^seed must be a whole number, .*got None.$"):
        models.build("mlp", (2,), seed=None)


@NAMES
def test_the_weights_do_not_depend_on_the_default_device(name):
    wanted = models.build(name, (1, 8, 8), seed=3)
    moved = []

    class Watched(models.MODELS[name]):
        def to(self, device):
            moved.append((weights(self), device))
            return self

    with pytest.MonkeyPatch.context() as patch, torch.device("meta"):
        patch.setitem(models.MODELS, name, Watched)
        models.build(name, (1, 8, 8), seed=3)
    ((found, device),) = moved
    assert torch.equal(found, weights(wanted)) and device.type == "meta"


# --- dropout ------------------------------------------------------------------------


def test_dropout_does_nothing_until_it_is_told():
    layer, x = models.Dropout(), torch.randn(5, 4)
    assert layer(x) is x and layer.eval()(x) is x
    layer.rate = 0.5
    assert layer(x) is x  # in evaluation
    assert list(layer.parameters()) == [] and models.Dropout.rate == 0


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_its_share(rate):
    layer, x = models.Dropout(), torch.ones(300, 400)
    layer.rate, layer.generator = rate, torch.Generator().manual_seed(2)
    out = layer(x)
    kept = out != 0
    assert kept.float().mean().item() == pytest.approx(1 - rate, abs=0.01)
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - rate)))
    assert not torch.equal(kept, layer(x) != 0)  # drawn anew in each call


def test_a_higher_rate_drops_more_values_never_others():
    kept = []
    for rate in (0.2, 0.6):
        layer = models.Dropout()
        layer.rate, layer.generator = rate, torch.Generator().manual_seed(1)
        kept.append(layer(torch.ones(50, 40)) != 0)
    assert (kept[0] | ~kept[1]).all() and kept[0].sum() > kept[1].sum()


def test_dropout_has_its_own_random_numbers_and_a_gradient():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    layer, x = models.Dropout(), torch.ones(6, 3, requires_grad=True)
    layer.rate, layer.generator = 0.5, torch.Generator().manual_seed(0)
    out = layer(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(gradient, out.detach())
    assert torch.equal(state, torch.get_rng_state())


def test_the_networks_drop_their_hidden_units_alone():
    for name, layers in (("mlp", 2), ("cnn", 1)):
        found = [type(m) for m in models.build(name, (1, 8, 8)).body]
        assert found.count(models.Dropout) == layers
        assert found[-2:] == [torch.nn.ReLU, models.Dropout]
