"""What readers have: copies in `work`, scratch files, and what an editor adds."""

import copy

import command
import course_copy
import lab
import nbformat
import pytest
import tidy

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


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A course of two notebooks and of what readers leave beside them."""
    notebooks = tmp_path / "notebooks"
    for name in (FIRST, SECOND):
        course_copy.notebook(notebooks / name, "1 + 1")
    for name, content in lab.repeated(tmp_path).items():
        (tmp_path / name).write_bytes(content)
    for name in SCRATCH:
        course_copy.notebook(notebooks / name, "1 / 0")
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.delenv("LSR_WORK", raising=False)
    return notebooks


def test_lab_opens_copies_where_they_can_be_written(listed, monkeypatch, capsys):
    root, work = listed.parent, listed.parent / "work"
    ours = [listed / FIRST, listed / SECOND]
    assert command.files(root, "*.ipynb") == command.lectures(root) == ours

    def opens(root, page):
        folder, url, _ = lab.opened()
        assert folder == f"--ServerApp.root_dir={root}"
        assert url == f"--LabApp.default_url=/lab/tree/{page}"
        return capsys.readouterr().err

    assert opens(root, f"work/{FIRST}") == ""
    names = {path.name for path in work.iterdir()}
    assert names == {FIRST, SECOND, "SHA256SUMS", lab.GIVEN}
    (work / SECOND).write_text("my answer")
    course_copy.notebook(listed / SECOND, "2 + 2")
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
    with pytest.raises(command.Problem, match="names no lecture"):
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
