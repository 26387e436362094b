"""What `refresh` and `lab` write: the same bytes, and nothing over a reader's."""

import contextlib
import copy
import io
import json
import os
import sys
from unittest import mock

import command
import exercises
import lab
import nbformat
import pytest
import refresh as tool
import tidy
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


FIRST, SECOND = "00_one_picture.ipynb", "01_more.ipynb"
EXERCISE = "exercises/01_label_exercises.ipynb"
SCRATCH = ["00_one_picture-Copy1.ipynb", "Untitled.ipynb", "deep/02_mine.ipynb"]
SCRATCH += [".ipynb_checkpoints/00_one_picture-checkpoint.ipynb"]

# The reader's copies: tools/lab ---------------------------------------------------


@pytest.fixture
def given(tmp_path):
    """A reader's folder with copies of two notebooks, the course's folder, `give`."""
    source, work = tmp_path / "notebooks", tmp_path / "work"
    (source / "exercises").mkdir(parents=True)
    for name in (FIRST, EXERCISE):
        (source / name).write_text("edition 1")

    def give():
        return lab.give(sorted(source.rglob("*.ipynb")), source, work)

    assert give() == []
    return work, source, give


def test_copies_follow_the_course_while_nobody_touches_them(given):
    work, source, give = given
    assert {(work / name).read_text() for name in (FIRST, EXERCISE)} == {"edition 1"}
    (work / EXERCISE).write_text("my answer")
    assert give() == []  # nothing newer: nothing to say
    for name in (FIRST, EXERCISE):
        (source / name).write_text("edition 2")
    for _ in range(2):  # said at each opening
        assert give() == [EXERCISE]
        assert (work / EXERCISE).read_text() == "my answer"
        assert (work / FIRST).read_text() == "edition 2"
    # One that was removed or renamed is made anew.
    (work / EXERCISE).rename(work / "mine.ipynb")
    assert give() == [] and (work / EXERCISE).read_text() == "edition 2"
    assert (work / "mine.ipynb").read_text() == "my answer"


def test_without_the_record_a_changed_copy_counts_as_the_readers(given):
    work, _, give = given
    (work / FIRST).write_text("mine")
    for record in ("{", "[1]", "3"):
        (work / lab.GIVEN).write_text(record)
        assert give() == [FIRST] and (work / FIRST).read_text() == "mine"


def test_an_interrupted_copy_leaves_the_old_one(given, monkeypatch):
    work, source, give = given
    (source / FIRST).write_text("edition 2")

    def half(there, content):
        there.write_text("edi")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(work), "write_bytes", half)
        with pytest.raises(KeyboardInterrupt):
            give()
    assert (work / FIRST).read_text() == "edition 1"
    names = {path.name for path in work.iterdir()}
    assert names == {FIRST, "exercises", lab.GIVEN}
    assert give() == [] and (work / FIRST).read_text() == "edition 2"


# What readers leave beside the course ------------------------------------------------


def test_lab_opens_copies_where_they_can_be_written(tmp_path, monkeypatch, capsys):
    root, listed, work = (tmp_path / name for name in ("", "notebooks", "work"))
    ours = [notebook(listed / name, "1 + 1") for name in (FIRST, SECOND)]
    for name, content in lab.repeated(root).items():
        (root / name).write_bytes(content)
    for name in SCRATCH:
        notebook(listed / name, "1 / 0")
    assert command.files(root, "*.ipynb") == command.lectures(root) == ours
    monkeypatch.setattr(lab, "ROOT", root)
    monkeypatch.delenv("LSR_WORK", raising=False)

    def opens(root, page):
        folder, url, *_ = lab.opened()
        assert folder == f"--ServerApp.root_dir={root}"
        assert url == f"--LabApp.default_url=/lab/tree/{page}"
        return capsys.readouterr().err

    assert opens(root, f"work/{FIRST}") == ""
    names = {path.name for path in work.iterdir()}
    assert names == {FIRST, SECOND, "SHA256SUMS", lab.GIVEN}
    (work / SECOND).write_text("my answer")
    notebook(listed / SECOND, "2 + 2")
    said = opens(root, f"work/{FIRST}")
    assert str(work / SECOND) in said and f"notebooks/{SECOND}: to get it" in said
    monkeypatch.setenv("LSR_WORK", str(root / "mine"))
    assert opens(root, f"mine/{FIRST}") == ""
    monkeypatch.setenv("LSR_WORK", str(root.parent / f"{root.name}-mine"))
    assert opens(f"{root}-mine", FIRST) == ""
    monkeypatch.setenv("LSR_WORK", str(listed / FIRST / "mine"))  # in a file
    said = opens(root, f"notebooks/{FIRST}")
    assert said.startswith("lab: No copies can be made") and "LSR_WORK" in said
    (root / lab.LIST).write_text("")
    with pytest.raises(Problem, match="names no lecture"):
        lab.opened()


# What editors add: tools/tidy --------------------------------------------------------


def saved_elsewhere():
    """A notebook as JupyterLab, VS Code and Colab leave it, and the course's own."""
    made = nbformat.v4.new_output
    slides = {"slides": [{"title": "A", "minutes": 1}], "tags": ["experiment"]}
    outputs = [made("stream", text="done\n"), made("display_data", {"image/png": ""})]
    cell = nbformat.v4.new_code_cell("1 + 1", metadata=slides, outputs=outputs)
    metadata = nbformat.from_dict(tidy.METADATA)
    ours = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    theirs = copy.deepcopy(ours)
    theirs.metadata.update(colab={"provenance": []}, vscode={"interpreter": {}})
    theirs.metadata.update(kernelspec={"name": "venv", "display_name": ".venv (3.12)"})
    theirs.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {}}
    theirs.metadata.language_info.update({"version": "3.12.1", "mimetype": "text/x"})
    (cell,) = theirs.cells
    cell.metadata.update({"ExecuteTime": {}, "executionInfo": {}, "scrolled": True})
    bar = {tidy.VIEW: {"model_id": "1"}, "text/plain": "  0%|  | 0/1500"}
    cell.outputs[1:1] = [made("display_data", bar), made("display_data", {})]
    cell.outputs[3].data[tidy.VIEW] = {"model_id": "2"}
    return nbformat.from_dict(theirs), ours


def test_what_editors_leave_goes_and_saving_an_open_notebook_changes_nothing():
    theirs, ours = saved_elsewhere()
    tidy.tidy(theirs)
    assert nbformat.writes(theirs) == nbformat.writes(ours)
    theirs, ours = saved_elsewhere()
    del theirs.metadata["colab"], theirs.metadata["vscode"]
    theirs.cells = copy.deepcopy(ours.cells)
    theirs.cells[0].metadata["collapsed"] = True
    tidy.before_saving(model={"type": "notebook", "content": theirs}, path="")
    assert nbformat.writes(theirs) == nbformat.writes(ours)
    other = {"language_info": {"name": "julia", "version": "1"}}
    model = {"type": "notebook", "content": {"metadata": copy.deepcopy(other)}}
    tidy.before_saving(model=model, path="")
    assert model["content"]["metadata"] == other
    tidy.before_saving(model={"type": "file", "content": "text"}, path="")
