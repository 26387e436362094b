"""`course.py refresh`: the same bytes on every run, and nothing half-written."""

import contextlib
import io
import json
import os
import sys
from unittest import mock

import exercises
import nbformat
import pytest
import refresh as tool
from command import Problem
from course_copy import notebook


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def quick(monkeypatch):
    """What `refresh` stores, without the seconds that a kernel takes to start."""

    def execute(notebook, path):
        names = {}
        for count, cell in enumerate(notebook.cells, start=1):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(cell.source, names)
            cell.outputs = [nbformat.v4.new_output("stream", text=said.getvalue())]
            cell.execution_count = count

    monkeypatch.setattr(tool, "execute", execute)


def refresh(*arguments):
    with mock.patch.dict(os.environ), mock.patch.object(sys, "argv", ["", *arguments]):
        return tool.main()


def test_refresh_twice_leaves_no_diff(course, monkeypatch, capsys):
    startup = course / "home" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("print('start-up'); answer = 41")
    monkeypatch.setenv("HOME", str(course / "home"))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    path = notebook(
        course / "notebooks" / "01_twice.ipynb",
        "import os\nfor i in range(3):\n    print(i, flush=True)",
        "print(os.environ['TQDM_DISABLE'], globals().get('answer'), {'a', 'b', 'c'})",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        "import time\ntime.perf_counter()",
        tagged=[3],
    )
    assert not refresh("01")
    assert "notebooks/01_twice.ipynb: written" in capsys.readouterr().out
    stored = path.read_bytes()
    assert not refresh(str(path))
    assert "unchanged" in capsys.readouterr().out
    assert path.read_bytes() == stored

    cells = json.loads(stored)["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4]
    assert [len(cell["outputs"]) for cell in cells] == [1, 1, 1, 1]
    assert cells[1]["outputs"][0]["text"][0].startswith("1 None")
    assert "image/png" in cells[2]["outputs"][0]["data"]

    # A time is kept while the code before it is; new code has a new time.
    changed = stored.replace(b"range(3)", b"range(4)")
    path.write_bytes(changed)
    assert refresh("--check")
    assert "Not up to date: notebooks/01_twice.ipynb" in capsys.readouterr().out
    assert path.read_bytes() == changed
    assert not refresh()
    renewed = json.loads(path.read_bytes())["cells"]
    assert renewed[3]["outputs"] != cells[3]["outputs"]


def test_what_repeats_the_notebooks_is_up_to_date():
    assert tool.repeat(write=False) == [], "run `python3 course.py refresh 00`"


def test_refresh_renews_what_repeats_the_notebooks(course, quick, capsys):
    claim = "def claim(name, text):\n    print(f'✓ {name}  {text}')\n\n\n"
    one = claim + "claim('01-1', 'one is one')"
    path, sums = (course / "notebooks" / name for name in ("01_a.ipynb", "SHA256SUMS"))
    notebook(path, one)
    notebook(course / "notebooks" / ".ipynb_checkpoints" / "01_a.ipynb", "1 / 0")
    assert refresh("--check") and not (course / "CLAIMS.md").exists()
    assert not refresh()
    assert "SHA256SUMS, CLAIMS.md: written" in capsys.readouterr().out
    assert "| 01-1 | one is one |" in (course / "CLAIMS.md").read_text("utf-8")
    listed = sums.read_text()
    assert listed.count("  notebooks/") == 1 and listed.endswith("/01_a.ipynb\n")
    scratch = notebook(course / "notebooks" / "01_scratch.ipynb", "1 / 0")
    assert not refresh("--check")  # a reader's, until it is named by its path
    notebook(scratch, "1")
    assert not refresh(str(scratch)) and sums.read_text().startswith(listed)
    assert sums.read_text().endswith("/01_scratch.ipynb\n")
    notebook(path, one, one)
    assert not refresh()
    assert "not renewed: claims made twice: 01-1" in capsys.readouterr().err


FAILING = [
    ("1 / 0", ["cell 1 (`1 / 0`)", "ZeroDivisionError: division by zero"]),
    ("import os\nos.getcwd()", ["shows a path of this machine", "relative"]),
    ("import os; os._exit(1)", ["Kernel died"]),
]


@pytest.mark.parametrize(("source", "words"), FAILING)
def test_refresh_leaves_a_failing_notebook_as_it_was(course, source, words):
    path = notebook(course / "notebooks" / "02_fails.ipynb", "1 + 1", source)
    before = path.read_bytes()
    with pytest.raises(Problem) as failure:
        refresh("02")
    for word in ["notebooks/02_fails.ipynb", *words]:
        assert word in str(failure.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    path.write_text("{")
    with pytest.raises(Problem, match="02_fails.ipynb is not a notebook"):
        refresh(str(path))


SOLUTION = "# solution\nx = 1\n# end\nprint(x)"


@pytest.fixture
def exercise(course, quick):
    source = course / "notebooks" / "solutions" / "01_x_solutions.ipynb"
    notebook(source, SOLUTION)
    assert not refresh("01")
    return course / "notebooks" / "exercises" / "01_x_exercises.ipynb", source


def test_refresh_derives_exercises_from_solutions_and_runs_them(exercise, capsys):
    target, source = exercise
    stored = target.read_bytes()
    (cell,) = json.loads(stored)["cells"]
    assert "".join(cell["source"]) == "x = ...\nprint(x)"
    assert cell["outputs"][0]["text"] == ["Ellipsis\n"]

    notebook(source, SOLUTION.replace("(x)", "(x, x)"))
    assert refresh("--check", "01_x_s")
    assert "notebooks/exercises/01_x_exercises.ipynb" in capsys.readouterr().out
    assert target.read_bytes() == stored
    assert not refresh("01_x_s")
    assert b"Ellipsis Ellipsis" in target.read_bytes()

    notebook(source, SOLUTION + "\n1 / 0")
    before = target.read_bytes()
    with pytest.raises(ZeroDivisionError):  # as a Ctrl-C would come
        refresh("01_x_e")
    assert target.read_bytes() == before


@pytest.mark.parametrize("edit", ["answered", "emptied", "broken"])
def test_refresh_never_writes_over_an_answer(exercise, capsys, edit):
    target, source = exercise
    body = json.loads(target.read_bytes())
    body["cells"][0]["source"] = "x = 5\nprint(x)"
    emptied = json.dumps({**body, "cells": []})
    text = {"answered": json.dumps(body), "emptied": emptied, "broken": "{"}[edit]
    target.write_text(text)
    mine = notebook(target.parent / "01_mine.ipynb", "1 + 1")
    before = mine.read_bytes()
    notebook(source, SOLUTION.replace("(x)", "(x, x)"))
    linked = target.parents[2] / "linked"
    linked.symlink_to(target.parent, target_is_directory=True)
    path = str(linked / target.name)
    for arguments in ((), ("01",), ("--record",), ("--check",), (path,)):
        capsys.readouterr()
        refresh(*arguments)
        assert target.read_text() == text and mine.read_bytes() == before
        assert "01_x_exercises.ipynb: left alone" in capsys.readouterr().out
    target.unlink()
    refresh("01")
    assert exercises.is_stub(target)
