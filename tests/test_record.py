"""Recorded experiments: run by the notebook's own cells, stored with provenance."""

import dataclasses
import json
import sys

import numpy as np
import pandas as pd
import pytest
from notebook_files import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import provenance  # noqa: E402
import record  # noqa: E402

PROVENANCE = {"device", "threads", "torch", "python", "date", "commit", "command"}
each_experiment = pytest.mark.parametrize("name", record.EXPERIMENTS)


def stored(name):
    path = ROOT / "data" / "recorded" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@each_experiment
def test_stored_record_says_where_it_comes_from(name):
    made = stored(name)
    assert made.keys() >= PROVENANCE | {"experiment", "notebook", "data", "seeds"}
    assert made["command"] == f"python tools/record.py {name} --seeds {made['seeds']}"


@each_experiment
def test_stored_record_was_made_by_the_code_that_the_notebook_shows(name):
    shown = record.fingerprint(record.experiment_cells(name))
    assert stored(name)["code"] == shown, f"run `python tools/record.py {name}`"


@each_experiment
def test_stored_record_is_small(name):
    assert (ROOT / "data" / "recorded" / f"{name}.json").stat().st_size < 150_000


def test_what_was_not_measured_is_null():
    table = pd.DataFrame({"seed": [0, 1], "a": [0.1234567, np.nan], "b": ["x", None]})
    made = record.plain({"table": table})
    assert made == {"table": {"seed": [0, 1], "a": [0.12346, None], "b": ["x", None]}}
    assert "NaN" not in record.as_text(made)
    with pytest.raises(ValueError):
        record.as_text({"plain": np.nan})


@each_experiment
def test_stored_record_is_strict_json(name):
    def refused(constant):
        raise ValueError(constant)

    path = ROOT / "data" / "recorded" / f"{name}.json"
    json.loads(path.read_text(encoding="utf-8"), parse_constant=refused)


def test_fingerprint_hears_code_but_not_layout():
    cell = record.experiment_cells("ambiguous_shapes")[1]
    before = record.fingerprint([cell])
    cell.source = cell.source.replace("(M,)", "M") + "\n\n# a comment"
    assert record.fingerprint([cell]) == before
    cell.source = cell.source.replace("steps", "paces")
    assert record.fingerprint([cell]) != before


def test_a_tiny_run_has_the_columns_of_the_stored_one():
    made = record.record("ambiguous_shapes", 2, lengths=(1, 2))
    read_back = json.loads(record.as_text(made))
    whole = stored("ambiguous_shapes")
    assert read_back == made
    assert read_back.keys() == whole.keys()
    for name, columns, rows in (("networks", 5 * 2 * 2, "seed"), ("bins", 100, "eps")):
        assert read_back[name].keys() == whole[name].keys()
        assert len(read_back[name][rows]) == columns


def test_main_writes_where_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "record", lambda name, seeds: {"seeds": seeds})
    out = tmp_path / "new" / "file.json"
    record.main(["ambiguous_shapes", "--seeds", "3", "--out", str(out)])
    assert json.loads(out.read_text()) == {"seeds": 3}
    assert "file.json" in capsys.readouterr().out


def test_provenance_needs_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.provenance("command")["commit"] is None


def test_a_tiny_study_has_the_columns_of_the_stored_one():
    tiny = [("gaussians", "mlp", 60, 40, 2e-3)]
    made = record.record("generalisation", 2, settings=tiny)
    (study,) = made["studies"].values()
    assert study.keys() == stored("generalisation")["studies"]["gaussians, 300"].keys()
    assert len(study["seed"]) == 6 * 2 and set(study["method"]) >= {"none", "L1"}


@each_experiment
def test_no_seeds_are_refused(name, capsys):
    with pytest.raises(SystemExit):
        record.main([name, "--seeds", "0"])
    assert "--seeds must be at least 1, got 0." in capsys.readouterr().err


def test_tiny_calibration_has_the_columns_of_the_stored_one():
    names = record.run_cells(record.experiment_cells("calibrated_shapes"))
    made = names["calibrated_shapes"](range(2), steps=2, test=60)["ways"]
    whole = stored("calibrated_shapes")
    assert list(made) == list(whole["ways"])
    assert len(made) == 5 * 2  # five ways, two seeds
    assert len(whole["ways"]["seed"]) == 5 * whole["seeds"]
    assert set(made["way"]) == set(whole["ways"]["way"])


def test_tiny_clusters_have_the_columns_of_the_stored_ones():
    names = record.run_cells(record.experiment_cells("clusters_shapes"))
    settings = names["SHAPES"]
    settings.update({k: (120, morphs, 2) for k, (_, morphs, _) in settings.items()})
    made, whole = names["clusters_shapes"](range(2)), stored("clusters_shapes")
    for table, rows in {"networks": 2 * 2 * 5 * 2, "bins": 5 * 2 * 10}.items():
        assert list(made[table]) == list(whole[table])
        assert len(made[table]) == rows
        assert len(whole[table]["seed"]) == rows * whole["seeds"] // 2


def test_a_tiny_distillation_has_the_columns_of_the_stored_one():
    names = record.run_cells(record.experiment_cells("distillation"))
    study = names["study"]
    names["study"] = lambda *arguments: study(*arguments[:-1], 2)  # steps
    made, whole = names["distillation"](range(2)), stored("distillation")
    for table, rows in {"students": 4 * 10 * 2, "teachers": 4 * 2 * 2}.items():
        assert list(made[table]) == list(whole[table])
        assert len(made[table]) == rows
        assert len(whole[table]["seed"]) == rows * whole["seeds"] // 2


def test_students_of_a_seed_start_alike_and_learn_what_their_teacher_says():
    names = record.run_cells(record.experiment_cells("distillation"))
    torch = names["torch"]
    weights = names["new_students"]([3, 3, 4], 2, (5,))
    assert torch.equal(weights[0][0], weights[0][1])
    assert not torch.equal(weights[0][0], weights[0][2])
    x = torch.randn(1, 64, 2, generator=torch.Generator().manual_seed(0))
    soft = torch.stack([torch.tensor([0.5, 0.3, 0.2, 0, 0, 0]).expand(64, 6)] * 3)
    temperature = torch.tensor([1.0, 2.0, 1.0])[:, None, None]
    which = torch.zeros(3, dtype=torch.long)
    names["distil"](weights, x, which, soft, temperature, 1500)
    with torch.no_grad():
        z = names["answer"](weights, x.expand(3, -1, -1))
    taught = (z / temperature).softmax(-1)
    torch.testing.assert_close(taught, soft, rtol=0, atol=0.03)


def test_a_tiny_run_on_text_has_the_columns_of_the_stored_one(monkeypatch):
    names = record.run_cells(record.experiment_cells("trec"))
    datasets, torch = names["lsr"].datasets, names["torch"]
    questions = datasets.load("questions")
    rows = {"train": 5452, "test": 60}

    def load(name, part="train"):
        assert name == "trec"
        repeated = questions[torch.arange(rows[part]) % len(questions)]
        return dataclasses.replace(repeated, variant="made up")

    monkeypatch.setattr(datasets, "load", load)
    made, whole = names["trec"](range(2), steps=2), stored("trec")
    assert made["variant"] == "made up"
    for table, count in {"networks": 2 * 2 * (5 + 2) * 2, "confusions": 24}.items():
        assert list(made[table]) == list(whole[table])
        assert len(made[table]) == count
    assert len(whole["networks"]["seed"]) == 28 * whole["seeds"]
    assert set(whole["networks"]["part"]) == {"validation", "test"}
