"""Recorded runs: what is stored fits its tables, and the programs that record it."""

import dataclasses
import importlib
import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from notebook_files import ROOT

from lsr_utils import calibration, datasets, models, recorded, stacked

FOLDER = ROOT / "data" / "recorded"
sys.path.insert(0, str(FOLDER))
import gpu  # noqa: E402
import provenance  # noqa: E402
import record  # noqa: E402
import record_animals  # noqa: E402

PROVENANCE = {"device", "threads", "torch", "python", "date", "commit", "command"}


def stored(name):
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant={}.__getitem__)  # NaN, for one, is no JSON


@pytest.mark.parametrize("name", record.EXPERIMENTS)
def test_a_stored_record_is_small_and_made_by_the_code_that_the_notebook_shows(name):
    made = stored(name)
    assert made.keys() >= PROVENANCE | {"experiment", "notebook", "data", "seeds"}
    assert made["command"].endswith(f"/record.py {name} --seeds {made['seeds']}")
    shown = record.fingerprint(record.experiment_cells(name))
    assert made["code"] == shown, f"run `python data/recorded/record.py {name}`"
    assert (FOLDER / f"{name}.json").stat().st_size < 150_000


@pytest.fixture(scope="module")
def animals():
    return recorded.networks("animals")


def test_the_animals_say_where_they_come_from_and_stay_small(animals):
    about = animals.about
    more = {"recipe", "data", "seeds", "epochs", "train", "precision"}
    assert recorded.folder() == FOLDER and about.keys() >= PROVENANCE | more
    assert about["commit"] and "dirty" not in about["commit"]
    assert about["command"].endswith(f"{about['recipe']} --seeds {about['seeds']}")
    assert sum(path.stat().st_size for path in FOLDER.glob("animals.*")) < 6e6
    assert f"{about['seeds']} seeds" in recorded.source(about)
    assert recorded.source(recorded.run("fleet_speed_cpu")).startswith("recorded: ")


def test_every_network_has_its_answers_features_and_history(animals):
    seeds, grid = animals.about["seeds"], animals.grid
    assert seeds >= 3 and len(grid) == 4 * seeds
    assert grid["eps"].tolist() == [0.0, 0.05, 0.1, 0.2] * seeds
    assert grid["seed"].tolist() == np.repeat(range(seeds), 4).tolist()
    passes = animals.history.groupby(["seed", "eps"])["epoch"].max()
    assert len(passes) == 4 * seeds and (passes == animals.about["epochs"]).all()
    for part, rows in (("validation", 2000), ("test", 6000)):
        logits, y = animals.logits(part).double(), animals.targets(part)
        assert logits.shape == (*y.shape, 6) == (4 * seeds, rows, 6)
        p = logits.softmax(-1)
        assert torch.allclose(p.log(), logits, atol=0.02)
        # Half precision: a tie in some thousand answers may be decided otherwise.
        found = {"accuracy": calibration.accuracy(p, y), "nll": calibration.nll(p, y)}
        for name, values in {**found, "confidence": p.amax(-1).mean(-1)}.items():
            assert np.allclose(values, grid[f"{name}_{part}"], atol=6e-4), name
    for part in ("train", "test"):
        h, y = animals.features(part)
        assert h.shape == (4, 600, animals.weight.shape[-1])
        assert y.bincount().tolist() == [100] * 6
    z = torch.einsum("end,ekd->enk", h, animals.weight[:4]) + animals.bias[:4, None]
    right = (z.argmax(-1) == y).double().mean(-1)
    assert np.allclose(right, grid["accuracy_test"][:4], atol=0.06)


def test_files_that_do_not_belong_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "folder", lambda: tmp_path)
    for load in (recorded.run, recorded.networks):
        with pytest.raises(ValueError, match=r"there are \(none\), got 'animals'"):
            load("animals")
    about = stored("animals")
    about["networks"] = {k: v[:4] for k, v in about["networks"].items()}
    (tmp_path / "animals.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / "animals.npz").write_bytes((FOLDER / "animals.npz").read_bytes())
    with pytest.raises(ValueError, match="^the arrays must hold the 4 networks .*20: "):
        recorded.networks("animals")


def test_what_was_not_measured_is_null_and_fingerprint_hears_code_but_not_layout():
    table = pd.DataFrame({"seed": [0, 1], "a": [0.1234567, np.nan], "b": ["x", None]})
    made = record.plain({"table": table})
    assert made == {"table": {"seed": [0, 1], "a": [0.12346, None], "b": ["x", None]}}
    assert "NaN" not in record.as_text(made)
    with pytest.raises(ValueError):
        record.as_text({"plain": np.nan})
    (cell,) = record.experiment_cells("noise")
    before = record.fingerprint([cell])
    cell.source = cell.source.replace("# task, ", "#") + "\n\n# a comment"
    assert record.fingerprint([cell]) == before
    cell.source = cell.source.replace("moments", "times")
    assert record.fingerprint([cell]) != before


def test_main_writes_where_it_is_told_and_needs_no_git(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "record", lambda name, seeds: {"seeds": seeds})
    out = tmp_path / "new" / "file.json"
    record.main(["noise", "--seeds", "3", "--out", str(out)])
    assert json.loads(out.read_text()) == {"seeds": 3}
    monkeypatch.setenv("PATH", "")
    assert provenance.provenance("command")["commit"] is None


def few_words(study):
    def few(name, held_out):
        every = parts("questions", held_out // 10)
        return [dataclasses.replace(part, variant=f"{name} made up") for part in every]

    parts = study.parts
    return few


LITTLE = ("gaussians", "mlp", 60, 20, 2e-3)
CLOUDS = {"clouds, 300": LITTLE}
BAG = {"questions, bag": ("bag", 20, 32, {"lr": 5e-3, "dropout": 0.3})}
SMALL = {  # what makes the module of an experiment small
    "noise": lambda e: {
        "SETTINGS": {name: (*s[:3], 20, s[4]) for name, s in e.SETTINGS.items()}
    },
    "gains": lambda _: {"SETTINGS": CLOUDS},
    "advice": lambda _: {"OTHERS": BAG},
    "relatives": lambda e: {"gains.SETTINGS": dict.fromkeys(e.SETTINGS, LITTLE)},
    "film": lambda _: {"STEPS": (0, 2)},
    "clusters_shapes": lambda e: {
        "SETTINGS": {name: (240, s[1], 2) for name, s in e.SETTINGS.items()}
    },
    "distillation": lambda e: {"study": lambda *a, f=e.study: f(*a[:-1], 2)},  # steps
    "noisy_teachers": lambda e: SMALL["distillation"](e),
    "when_not_to": lambda _: {"STEPS": 2},
    "words": lambda _: {"STEPS": {"bag": 2, "wordcnn": 2}},
    "trec": lambda e: {"parts": few_words(e)},
}
OPTIONS = {  # of a call
    "noise": {"splits": range(2)},
    "gains": {"settings": CLOUDS},
    "advice": {"settings": BAG},
    "calibrated_shapes": {"steps": 2, "test": 60},
    "trec": {"steps": 2},
}
ROWS = {  # of each table, with two seeds
    "noise": {"tried": 68, "doubt": 2 * 2 * 6 * 2, "chosen": None},
    "gains": {"networks": None, "chosen": 2 * 4},  # two measures, four methods
    "advice": {"questions, bag": 2 * 4 * 2},
    "relatives": {"chosen": 3 * 7 * 2},
    "film": {"networks": 2 * 5 * 2, "frames": 20},
    "calibrated_shapes": {"ways": 5 * 2},
    "clusters_shapes": {"networks": 2 * 2 * 5 * 2, "bins": 5 * 2 * 10},
    "distillation": {"students": 4 * 10 * 2, "teachers": 4 * 2 * 2},
    "when_not_to": {"written": 3 * 2 * 2},
    "noisy_teachers": {"students": 2 * 10 * 2},
    "words": {"networks": 2 * 5 * 2},
    "trec": {"networks": 2 * 2 * (5 + 2) * 2, "confusions": 24},
}


@pytest.mark.parametrize("name", record.EXPERIMENTS)
def test_a_tiny_run_has_the_columns_and_rows_of_the_stored_one(name, monkeypatch):
    shapes, clouds = datasets.shapes, datasets.gaussians
    monkeypatch.setattr(datasets, "shapes", lambda n, *a, **o: shapes(n // 4, *a, **o))
    few = {"gaussians": lambda n=200, **o: clouds(min(n, 200), **o)}
    monkeypatch.setattr(datasets, "TASKS", datasets.TASKS | few)
    module = {"noisy_teachers": "distillation"}.get(name, name)
    experiment = importlib.import_module(f"lsr_utils.experiments.{module}")
    for attribute, value in SMALL.get(name, lambda _: {})(experiment).items():
        monkeypatch.setattr(f"{experiment.__name__}.{attribute}", value)
    made, whole = record.record(name, 2, **OPTIONS.get(name, {})), stored(name)
    for table, count in ROWS[name].items():
        assert list(made[table]) == list(whole[table])
        (rows,) = {len(column) for column in made[table].values()}
        assert count in (rows, None)
        if "seed" in whole[table] and count and "lines" not in whole[table]:
            assert len(whole[table]["seed"]) * 2 == count * whole["seeds"]


def test_students_learn_what_their_teacher_says():
    distil = importlib.import_module("lsr_utils.experiments.distillation").distil
    which, soft = torch.tensor([0, 0, 1]), torch.tensor([0.5, 0.3, 0.2, 0, 0, 0])
    own = [models.build("mlp", (2,), seed=seed, widths=(5,)) for seed in (3, 4)]
    students = stacked.Stacked(own, which)
    x = torch.randn(2, 64, 2, generator=torch.Generator().manual_seed(0))
    temperature = torch.tensor([1.0, 2.0, 1.0])[:, None, None]
    distil(students, x, which, soft.expand(3, 64, 6), temperature, 1500)
    with torch.no_grad():
        taught = (students.head(students.features(x[which])) / temperature).softmax(-1)
    torch.testing.assert_close(taught, soft.expand(3, 64, 6), rtol=0, atol=0.03)


@torch.no_grad()
def test_a_writer_is_a_gru_and_its_beam_search_finds_the_likeliest_string(monkeypatch):
    experiment = importlib.import_module("lsr_utils.experiments.when_not_to")
    monkeypatch.setattr(experiment, "LENGTH", 2)
    networks, (read, _) = experiment.Writers([3, 4]), experiment.strings(20, 0)
    read = read.expand(2, -1, -1)
    cell = torch.nn.GRUCell(13, 48)
    flip = torch.tensor([1.0, -1.0, 1.0]).repeat_interleave(48)  # it keeps, ours takes
    table, recurrent, bias = (w[1] * flip for w in networks.weights[:3])
    wanted = {"weight_ih": table.T, "weight_hh": recurrent.T, "bias_hh": bias[0]}
    cell.load_state_dict({**wanted, "bias_ih": torch.zeros(144)})
    h = torch.zeros(20, 48)
    for token in read[1].unbind(1):
        h = cell(torch.nn.functional.one_hot(token, 13).float(), h)
    torch.testing.assert_close(networks.states(read)[-1][1], h)
    every = torch.cartesian_prod(torch.arange(10), torch.arange(10))  # all strings
    said = every.repeat(20, 1).expand(2, -1, -1)
    log_p = networks.logits(read.repeat_interleave(100, 1), said).log_softmax(-1)
    log_p = log_p.gather(-1, said.mT.flatten(1).unsqueeze(-1)).view(2, 2, 20, 100)
    best = every[log_p.sum(1).argmax(-1)]
    assert torch.equal(networks.write(read, 10), best)
    assert torch.equal(networks.write(read, 1)[..., 0], log_p[:, 0].argmax(-1) // 10)


def made_up(name, part="train"):
    n = {"train": 400, "test": 60}[part]
    y, draw = torch.arange(n) % 6, torch.Generator().manual_seed(n)
    x = torch.randn(n, 3, 8, 8, generator=draw) + y.view(-1, 1, 1, 1) / 2
    return datasets.SixClass(x, y, None, tuple("abcdef"), variant="made up")


def test_a_tiny_run_loads_as_recorded_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load", made_up)
    monkeypatch.setattr(record_animals, "VALIDATION", 60)
    monkeypatch.setattr(record_animals, "FEATURES_OF", 4)
    recipe = {"train": 300, "epochs": 2, "widths": (4, 8), "stride": 1, "shift": 1}
    recipe |= {"lr": 0.1, "weight_decay": 0.0}
    monkeypatch.setitem(record_animals.RECIPES, "small", recipe)
    seen, train = {}, record_animals.train

    def watched(data, validation, recipe, eps, seed):
        seen[seed, eps] = data.x.sum().item(), validation.x.sum().item()
        return train(data, validation, recipe, eps, seed)

    with monkeypatch.context() as patch:
        patch.setattr(record_animals, "train", watched)
        record_animals.main(["--seeds", "2", "--out", str(tmp_path)])
    of_seed = [{seen[seed, eps] for eps in record_animals.EPS} for seed in (0, 1)]
    ((one, validation),), ((other, same),) = of_seed  # arms of a seed share images
    assert validation == same and one != other
    monkeypatch.setattr(recorded, "folder", lambda: tmp_path)
    fleet = recorded.networks("animals")
    assert len(fleet.grid) == 8 and fleet.logits("test").shape == (8, 60, 6)
    assert fleet.features("train")[0].shape == (4, 24, 8)
    assert len(fleet.history) == 2 * 4 * 2
    right = (fleet.logits("test").argmax(-1) == fleet.targets("test")).double().mean(-1)
    assert np.allclose(right, fleet.grid["accuracy_test"], atol=0.02)
    record_animals.main(["--seeds", "2", "--out", str(tmp_path)])
    with np.load(tmp_path / "animals.npz") as again:
        for name, array in fleet._arrays.items():
            assert np.array_equal(array, again[name]), name
    assert recorded.run("animals").keys() == stored("animals").keys()


def test_a_day_with_a_gpu_goes_on_in_its_budget(monkeypatch, tmp_path, capsys):
    seen = tmp_path / "seen"
    good = f"-c open({str(seen)!r},'a').write('x');print('all')"
    parts = [("good", 0, good), ("bad", 0, "-c nonsense"), ("long", 99, good)]
    monkeypatch.setattr(gpu, "PARTS", [(*part, None) for part in parts])
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "provenance", lambda command, device: {"device": device})
    call = ["--out", str(tmp_path), "--minutes", "1"]
    assert [gpu.main(call), gpu.main(call)] == [1, 1]
    assert seen.read_text() == "x"  # what is done is not done again
    said = capsys.readouterr().out
    assert said.count("bad: FAILED") == 2 and "NameError" in said
    assert "good: done before" in said and "long: needs 99 minutes" in said
    kept = json.loads((tmp_path / "good.json").read_text("utf-8"))
    assert (kept["returned"], kept["said"], kept["device"]) == (0, "all\n", "cuda")
