"""The program that records the animals: its distortions, its pairs, a tiny run."""

import json
import sys

import numpy as np
import pytest
import torch
from notebook_files import ROOT

from lsr_utils import datasets, recorded

sys.path.insert(0, str(ROOT / "data" / "recorded"))
import record_animals  # noqa: E402


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_without_a_shift_an_image_comes_back_as_it_is_or_mirrored():
    x = torch.rand(64, 3, 8, 8)
    rows = torch.randperm(64)
    out = record_animals.Distorted(x, 0)(rows, generator())
    same = (out == x[rows]).flatten(1).all(1)
    mirrored = (out == x[rows].flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all() and 16 < mirrored.sum() < 48


def test_a_shifted_image_is_a_window_of_the_padded_one():
    x = torch.rand(1, 2, 6, 6) + 1
    rows = torch.zeros(200, dtype=torch.long)
    out = record_animals.Distorted(x, 2)(rows, generator())
    padded = torch.nn.functional.pad(x[0], [2] * 4)
    windows = [
        image[:, i : i + 6, j : j + 6]
        for image in (padded, padded.flip(2))
        for i in range(5)
        for j in range(5)
    ]
    seen = {k for k, w in enumerate(windows) for o in out if torch.equal(o, w)}
    assert all(any(torch.equal(o, w) for w in windows) for o in out)
    assert len(seen) > 40  # of fifty


def test_the_draws_depend_on_the_generator_alone():
    a, b = torch.rand(2, 10, 1, 5, 5)
    rows = torch.arange(10)
    same = [record_animals.Distorted(x, 1)(rows, generator(3)) for x in (a, a.clone())]
    assert torch.equal(*same)
    other = record_animals.Distorted(b, 1)(rows, generator(3))
    assert torch.equal(other == 0, same[0] == 0)  # padding at the same places


# --- the network --------------------------------------------------------------------


def test_a_residual_block_adds_what_came_in():
    block = record_animals.Residual(4, 4).eval()
    x = torch.rand(2, 4, 6, 6)
    torch.nn.init.zeros_(block.body[3].weight)
    assert torch.allclose(block(x), x, atol=1e-6)  # nothing added, nothing lost
    assert not list(block.shortcut.parameters())
    wider = record_animals.Residual(4, 8, stride=2).eval()
    torch.nn.init.zeros_(wider.body[3].weight)
    scale = (1 + wider.shortcut[1].eps) ** -0.5
    expected = scale * torch.einsum(
        "oi,nihw->nohw", wider.shortcut[0].weight[:, :, 0, 0], x[:, :, ::2, ::2]
    )
    assert torch.allclose(wider(x), expected.relu(), atol=1e-5)


@pytest.mark.parametrize(("stride", "last"), [(1, 8), (2, 4)])
def test_a_resnet_halves_the_size_at_every_stage_but_the_first(stride, last):
    model = record_animals.ResNet(3, (4, 6, 8), stride)
    x = torch.randn(2, 3, 32, 32)
    maps = model.body[:-2](x)
    assert maps.shape == (2, 8, last, last)
    assert torch.allclose(model.features(x), model.body[-2:](maps))
    assert model(x).shape == (2, 6) and (model.features(x) >= 0).all()
    kinds = [type(m) for m in model.modules()]
    assert kinds.count(record_animals.Residual) == 3
    assert kinds.count(torch.nn.BatchNorm2d) == 9


def test_the_seed_decides_the_initial_weights(tiny):
    """The weights that ``models.build`` gave when the stored networks were made."""
    data = datasets.load("animals")
    recipe = record_animals.RECIPES["small"] | {"epochs": 1, "lr": 0.0}
    one, other = (
        record_animals.train(data, data, recipe, eps=0.1, seed=s)[0] for s in (1, 2)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        wanted = record_animals.ResNet(3, recipe["widths"], recipe["stride"])
    for found, same in zip(one.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(found, same)
    assert not torch.equal(one.head.weight, other.head.weight)


@pytest.fixture
def tiny(monkeypatch):
    """Few small images, one pass: what takes hours takes a second."""

    def load(name, part="train"):
        assert name == "animals"
        n = {"train": 400, "test": 60}[part]
        x = torch.randn(n, 3, 8, 8, generator=generator(n))
        y = torch.arange(n) % 6
        x += y.view(-1, 1, 1, 1) / 2
        return datasets.SixClass(x, y, None, tuple("abcdef"), variant="made up")

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(record_animals, "VALIDATION", 60)
    monkeypatch.setattr(record_animals, "FEATURES_OF", 4)
    recipe = {"train": 300, "epochs": 2, "widths": (4, 8), "stride": 1}
    recipe |= {"lr": 0.1, "weight_decay": 0.0, "shift": 1}
    monkeypatch.setitem(record_animals.RECIPES, "small", recipe)


def test_a_tiny_run_loads_as_recorded_networks(tiny, tmp_path, monkeypatch, capsys):
    record_animals.main(["--seeds", "2", "--out", str(tmp_path)])
    monkeypatch.setattr(recorded, "folder", lambda: tmp_path)
    fleet = recorded.networks("animals")
    assert len(fleet.grid) == 8 and fleet.logits("test").shape == (8, 60, 6)
    assert fleet.features("train")[0].shape == (4, 24, 8)
    assert fleet.about["data"] == "six animals of CIFAR-10, made up"
    assert len(fleet.history) == 2 * 4 * 2
    right = (fleet.logits("test").argmax(-1) == fleet.targets("test")).double().mean(-1)
    assert np.allclose(right, fleet.grid["accuracy_test"], atol=0.02)
    record_animals.main(["--seeds", "2", "--out", str(tmp_path)])
    with np.load(tmp_path / "animals.npz") as again:
        for name, array in fleet._arrays.items():
            assert np.array_equal(array, again[name]), name
    stored, real = (
        json.loads((folder / "animals.json").read_text(encoding="utf-8"))
        for folder in (tmp_path, ROOT / "data" / "recorded")
    )
    assert stored.keys() == real.keys()
    assert stored["networks"].keys() == real["networks"].keys()


def test_arms_of_a_seed_share_images_and_seeds_do_not(tiny, monkeypatch):
    seen = {}

    def train(data, validation, recipe, eps, seed):
        seen[seed, eps] = data.x.sum().item(), validation.x.sum().item()
        network = torch.nn.Module()
        return network, [{"seed": seed}]

    monkeypatch.setattr(record_animals, "train", train)
    monkeypatch.setattr(record_animals, "examine", lambda *_: ({}, {}))
    monkeypatch.setattr(record_animals, "stacked", lambda *_: {})
    recipe = record_animals.RECIPES["small"]
    record_animals.record(recipe, 2, "cpu", lambda *_: None)
    of_seed = [{seen[seed, eps] for eps in record_animals.EPS} for seed in (0, 1)]
    assert [len(s) for s in of_seed] == [1, 1]
    (one,), (other,) = of_seed
    assert one[1] == other[1] and one[0] != other[0]


def test_no_seeds_are_refused(capsys):
    with pytest.raises(SystemExit):
        record_animals.main(["--seeds", "0"])
    assert "--seeds must be at least 1, got 0." in capsys.readouterr().err
