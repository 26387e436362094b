"""Recorded experiments: run by the notebook's own cells, stored with provenance."""

import dataclasses
import json
import sys

import numpy as np
import pandas as pd
import pytest
from notebook_files import ROOT

FOLDER = ROOT / "data" / "recorded"
sys.path.insert(0, str(FOLDER))
import provenance  # noqa: E402
import record  # noqa: E402

PROVENANCE = {"device", "threads", "torch", "python", "date", "commit", "command"}
each_experiment = pytest.mark.parametrize("name", record.EXPERIMENTS)


def refused(constant):
    raise ValueError(constant)


def stored(name):
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refused)  # NaN, for one, is no JSON


@each_experiment
def test_a_stored_record_is_small_and_made_by_the_code_that_the_notebook_shows(name):
    made = stored(name)
    assert made.keys() >= PROVENANCE | {"experiment", "notebook", "data", "seeds"}
    assert made["command"].endswith(f"/record.py {name} --seeds {made['seeds']}")
    shown = record.fingerprint(record.experiment_cells(name))
    assert made["code"] == shown, f"run `python data/recorded/record.py {name}`"
    assert (FOLDER / f"{name}.json").stat().st_size < 150_000


def test_what_was_not_measured_is_null():
    table = pd.DataFrame({"seed": [0, 1], "a": [0.1234567, np.nan], "b": ["x", None]})
    made = record.plain({"table": table})
    assert made == {"table": {"seed": [0, 1], "a": [0.12346, None], "b": ["x", None]}}
    assert "NaN" not in record.as_text(made)
    with pytest.raises(ValueError):
        record.as_text({"plain": np.nan})


def test_fingerprint_hears_code_but_not_layout():
    cell = record.experiment_cells("ambiguous_shapes")[1]
    before = record.fingerprint([cell])
    cell.source = cell.source.replace("(M,)", "M") + "\n\n# a comment"
    assert record.fingerprint([cell]) == before
    cell.source = cell.source.replace("steps", "paces")
    assert record.fingerprint([cell]) != before


def test_main_writes_where_it_is_told_and_needs_seeds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "record", lambda name, seeds: {"seeds": seeds})
    out = tmp_path / "new" / "file.json"
    record.main(["ambiguous_shapes", "--seeds", "3", "--out", str(out)])
    assert json.loads(out.read_text()) == {"seeds": 3}
    assert "file.json" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        record.main(["ambiguous_shapes", "--seeds", "0"])
    assert "--seeds must be at least 1, got 0." in capsys.readouterr().err


def test_provenance_needs_no_git(monkeypatch):
    assert provenance.ROOT == ROOT
    monkeypatch.setenv("PATH", "")
    assert provenance.provenance("command")["commit"] is None


# A tiny run of each experiment has the columns and rows of the stored one -------------


def fits(made, name, **rows):
    """Each of these tables has as many rows, and the columns of the stored one."""
    whole = stored(name)
    for table, count in rows.items():
        assert list(made[table]) == list(whole[table])
        assert {len(column) for column in record.plain(made[table]).values()} == {count}
    return whole


def names_of(name):
    return record.run_cells(record.experiment_cells(name))


def test_tiny_ambiguous_shapes():
    made = record.record("ambiguous_shapes", 2, lengths=(1, 2))
    assert json.loads(record.as_text(made)) == made
    assert made["command"] == (
        "python data/recorded/record.py ambiguous_shapes --seeds 2"
    )
    assert fits(made, "ambiguous_shapes", networks=20, bins=100).keys() == made.keys()


def test_tiny_generalisation():
    tiny = [("gaussians", "mlp", 60, 40, 2e-3)]
    (study,) = record.record("generalisation", 2, settings=tiny)["studies"].values()
    assert study.keys() == stored("generalisation")["studies"]["gaussians, 300"].keys()
    assert len(study["seed"]) == 6 * 2 and set(study["method"]) >= {"none", "L1"}


def test_tiny_calibrated_shapes():
    made = names_of("calibrated_shapes")["calibrated_shapes"](
        range(2), steps=2, test=60
    )
    whole = fits(made, "calibrated_shapes", ways=5 * 2)  # five ways, two seeds
    assert len(whole["ways"]["seed"]) == 5 * whole["seeds"]
    assert set(made["ways"]["way"]) == set(whole["ways"]["way"])


def test_tiny_clusters_shapes():
    names = names_of("clusters_shapes")
    settings = names["SHAPES"]
    settings.update({k: (120, morphs, 2) for k, (_, morphs, _) in settings.items()})
    made = names["clusters_shapes"](range(2))
    whole = fits(made, "clusters_shapes", networks=2 * 2 * 5 * 2, bins=5 * 2 * 10)
    assert len(whole["bins"]["seed"]) == 50 * whole["seeds"]


def test_tiny_distillation():
    names = names_of("distillation")
    study = names["study"]
    names["study"] = lambda *arguments: study(*arguments[:-1], 2)  # steps
    made = names["distillation"](range(2))
    whole = fits(made, "distillation", students=4 * 10 * 2, teachers=4 * 2 * 2)
    assert len(whole["students"]["seed"]) == 40 * whole["seeds"]


def test_tiny_trec(monkeypatch):
    names = names_of("trec")
    datasets, torch = names["lsr"].datasets, names["torch"]
    questions = datasets.load("questions")
    rows = {"train": 5452, "test": 60}

    def load(name, part="train"):
        assert name == "trec"
        repeated = questions[torch.arange(rows[part]) % len(questions)]
        return dataclasses.replace(repeated, variant="made up")

    monkeypatch.setattr(datasets, "load", load)
    made = names["trec"](range(2), steps=2)
    assert made["variant"] == "made up"
    whole = fits(made, "trec", networks=2 * 2 * (5 + 2) * 2, confusions=24)
    assert len(whole["networks"]["seed"]) == 28 * whole["seeds"]
    assert set(whole["networks"]["part"]) == {"validation", "test"}


def test_students_of_a_seed_start_alike_and_learn_what_their_teacher_says():
    names = names_of("distillation")
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
