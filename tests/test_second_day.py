"""What a reader wrote stays, what an editor adds does not: tools/lab and tidy."""

import copy
import os
import sys

import nbformat
import pytest
from notebook_files import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import lab  # noqa: E402
import tidy  # noqa: E402

LESSON, EXERCISE = "01_label.ipynb", "exercises/01_label_exercises.ipynb"


class Course:
    """A folder of two notebooks, and a reader's copies of them."""

    def __init__(self, root):
        self.source, self.work = root / "notebooks", root / "work"
        for name in (LESSON, EXERCISE):
            self.publish(name, "edition 1")

    def publish(self, name, text):
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def give(self):
        files = sorted(self.source.rglob("*.ipynb"))
        return lab.give(files, self.source, self.work)

    def answer(self, name, text):
        (self.work / name).write_text(text, "utf-8")

    def holds(self, name):
        return (self.work / name).read_text("utf-8")


@pytest.fixture
def course(tmp_path):
    course = Course(tmp_path)
    assert course.give() == []
    return course


def test_copies_are_made_and_follow_the_course_while_nobody_touches_them(course):
    assert course.holds(LESSON) == course.holds(EXERCISE) == "edition 1"
    course.publish(LESSON, "edition 2")
    assert course.give() == []
    assert course.holds(LESSON) == "edition 2"


def test_what_a_reader_wrote_is_never_written_over(course):
    course.answer(EXERCISE, "my answer")
    assert course.give() == []  # nothing newer: nothing to say
    course.publish(EXERCISE, "edition 2")
    for _ in range(2):  # said at each opening
        assert course.give() == [EXERCISE]
        assert course.holds(EXERCISE) == "my answer"


def test_a_copy_that_was_removed_or_renamed_is_made_anew(course):
    course.answer(LESSON, "mine")
    os.rename(course.work / LESSON, course.work / "mine.ipynb")
    course.publish(LESSON, "edition 2")
    assert course.give() == []
    assert (course.holds(LESSON), course.holds("mine.ipynb")) == ("edition 2", "mine")


@pytest.mark.parametrize("record", ["{", "[1]", "3"])
def test_without_the_record_a_changed_copy_counts_as_the_readers(course, record):
    course.answer(LESSON, "mine")
    (course.work / lab.GIVEN).write_text(record, "utf-8")
    assert course.give() == [LESSON]
    assert course.holds(LESSON) == "mine"


def test_an_interrupted_copy_leaves_the_old_one(course, monkeypatch):
    course.publish(LESSON, "edition 2")

    def half(there, content):
        there.write_text("edi", "utf-8")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(course.work), "write_bytes", half)
        with pytest.raises(KeyboardInterrupt):
            course.give()
    assert course.holds(LESSON) == "edition 1"
    assert {path.name for path in course.work.iterdir()} == {
        LESSON,
        "exercises",
        lab.GIVEN,
    }
    assert course.give() == [] and course.holds(LESSON) == "edition 2"


def saved_elsewhere():
    """A notebook as JupyterLab, VS Code and Colab leave it, and the course's own."""
    cell = nbformat.v4.new_code_cell("lsr.training.fit(model, data)", execution_count=1)
    cell.metadata = {"slideshow": {"slide_type": "slide"}, "tags": ["experiment"]}
    printed = nbformat.v4.new_output("stream", text="done\n")
    picture = nbformat.v4.new_output(
        "display_data", {"image/png": "", "text/plain": ""}
    )
    cell.outputs = [printed, picture]
    ours = nbformat.v4.new_notebook(
        cells=[cell], metadata=nbformat.from_dict(tidy.METADATA)
    )
    theirs = copy.deepcopy(ours)
    theirs.metadata.update(
        {
            "widgets": {"application/vnd.jupyter.widget-state+json": {}},
            "colab": {"provenance": []},
            "vscode": {"interpreter": {}},
            "kernelspec": {"name": "venv", "display_name": ".venv (3.12)"},
        }
    )
    theirs.metadata.language_info.update({"version": "3.12.1", "mimetype": "text/x"})
    (cell,) = theirs.cells
    cell.metadata.update({"ExecuteTime": {}, "executionInfo": {}, "scrolled": True})
    bar = {tidy.VIEW: {"model_id": "1"}, "text/plain": "  0%|  | 0/1500"}
    cell.outputs.insert(1, nbformat.v4.new_output("display_data", bar))
    cell.outputs.insert(2, nbformat.v4.new_output("display_data", {}))
    cell.outputs[3].data[tidy.VIEW] = {"model_id": "2"}
    return nbformat.from_dict(theirs), ours


def test_what_editors_leave_in_a_notebook_goes():
    theirs, ours = saved_elsewhere()
    tidy.tidy(theirs)
    assert nbformat.writes(theirs) == nbformat.writes(ours)


def test_saving_an_open_notebook_changes_nothing_that_the_reader_did_not():
    theirs, ours = saved_elsewhere()
    del theirs.metadata["colab"], theirs.metadata["vscode"]
    theirs.cells = copy.deepcopy(ours.cells)
    tidy.before_saving(model={"type": "notebook", "content": theirs}, path="")
    assert nbformat.writes(theirs) == nbformat.writes(ours)
    other = {"language_info": {"name": "julia", "version": "1"}}
    model = {"type": "notebook", "content": {"metadata": copy.deepcopy(other)}}
    tidy.before_saving(model=model, path="")
    assert model["content"]["metadata"] == other
    tidy.before_saving(model={"type": "file", "content": "text"}, path="")
