"""What readers have beside the course: their copies in `work`, and scratch files."""

import command
import course_copy
import lab
import pytest
from course_copy import course

FIRST, SECOND = "00_one_picture.ipynb", "01_more.ipynb"
SCRATCH = [
    *("00_one_picture-Copy1.ipynb", "Untitled.ipynb", "05_without_a_card.ipynb"),
    *(".ipynb_checkpoints/00_one_picture-checkpoint.ipynb", "deep/02_mine.ipynb"),
]


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

    def opens(root, page):
        folder, url, _ = lab.opened()
        assert folder == f"--ServerApp.root_dir={root}"
        assert url == f"--LabApp.default_url=/lab/tree/{page}"
        return capsys.readouterr().err

    assert opens(root, f"work/{FIRST}") == ""
    names = {path.name for path in work.iterdir()}
    assert names == {FIRST, SECOND, "SHA256SUMS", ".given.json"}
    (work / SECOND).write_text("my answer")
    course_copy.notebook(listed / SECOND, "2 + 2")
    said = opens(root, f"work/{FIRST}")
    assert str(work / SECOND) in said and f"notebooks/{SECOND}: to get it" in said
    assert (work / SECOND).read_text() == "my answer"
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


def test_scratch_files_are_no_lectures(listed):
    ours = [listed / FIRST, listed / SECOND]
    assert command.files(listed.parent, "*.ipynb") == command.lectures(listed.parent)
    assert command.lectures(listed.parent) == ours


def test_scratch_files_are_not_tested_and_that_is_said(tmp_path):
    whole = course_copy.whole_course(tmp_path / "course")
    for name in SCRATCH:
        course_copy.notebook(whole / "notebooks" / name, "1 / 0")
    tested = course(whole, "test", "-n0")
    assert tested.returncode == 0 and " 3 passed" in tested.stdout, tested.stdout
    (said,) = (row for row in tested.stdout.splitlines() if "Not tested" in row)
    assert all((name in said) != name.startswith(".") for name in SCRATCH)
    drafts = course(whole, "test", "-n0", f"notebooks/{SCRATCH[1]}")
    assert "1 failed" in drafts.stdout, "a notebook that is named is tested"
