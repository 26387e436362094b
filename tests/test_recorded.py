"""Recorded runs: they load, say where they come from, and fit their tables."""

import json

import numpy as np
import pytest
import torch
from notebook_files import ROOT

from lsr_utils import calibration, recorded

FOLDER = ROOT / "data" / "recorded"
PROVENANCE = {"device", "threads", "torch", "python", "date", "commit", "command"}
PROVENANCE |= {"recipe", "data", "seeds", "epochs", "train", "precision"}


@pytest.fixture(scope="module")
def animals():
    return recorded.networks("animals")


def test_the_animals_say_where_they_come_from_and_stay_small(animals):
    about = animals.about
    assert recorded.folder() == FOLDER and about.keys() >= PROVENANCE
    assert about["data"].startswith("six animals of CIFAR-10, ")
    assert about["commit"] and "dirty" not in about["commit"]
    device = "cuda" if about["cuda"] else "cpu"
    made_by = f"--device {device} --recipe {about['recipe']} --seeds {about['seeds']}"
    assert about["command"].endswith(f"/record_animals.py {made_by}")
    assert sum(path.stat().st_size for path in FOLDER.glob("animals.*")) < 6e6
    line = recorded.source(about)
    assert about["date"] in line and about["device"] in line
    assert f"{about['seeds']} seeds" in line
    assert recorded.source(recorded.run("fleet_speed_cpu")).startswith("recorded: ")


def test_every_array_has_its_network_and_every_network_its_history(animals):
    seeds, grid = animals.about["seeds"], animals.grid
    assert seeds >= 3 and len(grid) == 4 * seeds
    assert grid["eps"].tolist() == [0.0, 0.05, 0.1, 0.2] * seeds
    assert grid["seed"].tolist() == np.repeat(range(seeds), 4).tolist()
    for part, rows in (("validation", 2000), ("test", 6000)):
        assert animals.logits(part).shape == (4 * seeds, rows, 6)
        assert animals.targets(part).shape == (4 * seeds, rows)
    for part in ("train", "test"):
        h, y = animals.features(part)
        assert h.shape == (4, 600, animals.weight.shape[-1]) and len(y) == 600
        assert y.bincount().tolist() == [100] * 6
    passes = animals.history.groupby(["seed", "eps"])["epoch"].max()
    assert len(passes) == 4 * seeds and (passes == animals.about["epochs"]).all()


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_table_reproduces_from_the_stored_answers(animals, part):
    p = animals.logits(part).double().softmax(-1)
    assert torch.allclose(p.log(), animals.logits(part).double(), atol=0.02)
    y, grid = animals.targets(part), animals.grid
    for name, found in (
        ("accuracy", calibration.accuracy(p, y)),
        ("confidence", p.amax(-1).mean(-1)),
        ("nll", calibration.nll(p, y)),
    ):
        # Half precision: a tie in some thousand answers may be decided otherwise.
        assert np.allclose(found, grid[f"{name}_{part}"], atol=6e-4), name


def test_stored_features_and_templates_belong_together(animals):
    h, y = animals.features("test")
    z = torch.einsum("end,ekd->enk", h, animals.weight[:4]) + animals.bias[:4, None]
    right = (z.argmax(-1) == y).double().mean(-1)
    assert np.allclose(right, animals.grid["accuracy_test"][:4], atol=0.06)


def test_files_that_are_not_there_or_do_not_belong_together_are_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(recorded, "folder", lambda: tmp_path)
    for load in (recorded.run, recorded.networks):
        with pytest.raises(
            ValueError, match=r"those there are \(none\), got 'animals'"
        ):
            load("animals")
    about = json.loads((FOLDER / "animals.json").read_text(encoding="utf-8"))
    about["networks"] = {k: v[:4] for k, v in about["networks"].items()}
    (tmp_path / "animals.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / "animals.npz").write_bytes((FOLDER / "animals.npz").read_bytes())
    with pytest.raises(ValueError, match="^the arrays must hold the 4 networks .*20: "):
        recorded.networks("animals")
