"""Recorded experiments: run by the notebook's own cells, stored with provenance."""

import json
import sys

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
