"""A learner's week: guesses, answers, saves, closes; the course is updated; reopens."""

import shutil
import subprocess

import lab
import nbformat
import pytest
from browser_tools import ROOT, move_sliders, stored
from course_copy import wait_until
from jupyterlab_page import IGNORED, TROUBLE, Lab, menu

FIRST, SLIDERS = "00_start_here.ipynb", "01_one_hot_to_soft_targets.ipynb"
UNOPENED = "02_the_loss_step_by_step.ipynb"
EXERCISE = "exercises/01_one_hot_to_soft_targets_exercises.ipynb"
SOLUTION = "solutions/01_one_hot_to_soft_targets_solutions.ipynb"
GUESS, TRAINING, ANSWER = "nb00-s02-01", "nb00-s02-03", "ex01-s02-01"
GUESSED = 'guess = "yes"'
ROW = 'row = [0.05, 0.05, 0.85, 0.05]\ncheck("01-2 row", row)'
NEW = "The second edition."
IDLE = """() => !document.querySelector('.jp-Notebook').textContent.includes('[*]') &&
  document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status === 'idle'"""
# Whether a text was ever on the page, however short.
LISTEN = """text => new MutationObserver(() => {
  if (document.querySelector('.jp-Notebook').textContent.includes(text))
    document.body.dataset.seen = text;
}).observe(document.body, {childList: true, subtree: true, characterData: true})"""


class Course(Lab):
    """The course as `course.py lab` opens it, in a clone of the authors' repository."""

    def __init__(self, folder):
        self.folder, self.authors, self.course = folder, folder / "a", folder / "b"
        shutil.copytree(ROOT, self.authors, ignore=IGNORED)
        self.git(self.authors, "init", "--quiet")
        self.commit("The first edition.")
        self.git(folder, "clone", "--quiet", self.authors, self.course)
        self.work, self.program = self.course / "work", ["tools/lab.py"]
        self.log = open(folder / "said", "a")
        # JupyterLab saves by itself what it takes for changed: here every second.
        manager = folder / "settings" / "@jupyterlab" / "docmanager-extension"
        manager.mkdir(parents=True)
        settings = manager / "plugin.jupyterlab-settings"
        settings.write_text('{"autosaveInterval": 1}')

    def git(self, folder, *arguments):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True
        ).stdout

    def commit(self, message):
        self.git(self.authors, "add", "--all")
        self.git(self.authors, "commit", "--quiet", "--message", message)

    def publish(self, *names):
        """A second edition: its authors add a sentence to these notebooks."""
        for name in names:
            path = self.authors / "notebooks" / name
            notebook = nbformat.read(path, as_version=4)
            notebook.cells[0].source += f"\n\n{NEW}"
            path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
        for name, content in lab.repeated(self.authors).items():
            (self.authors / name).write_bytes(content)
        self.commit(NEW)


class Reader:
    """Hands on the keyboard, in the one notebook that is open."""

    def __init__(self, lab, page):
        self.lab, self.page = lab, page

    def write(self, path, cell, text):
        """Replace the source of a cell, and run it."""
        ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
        place = self.page.locator(".jp-Notebook .jp-Cell").nth(ids.index(cell))
        place.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")

    def waits_for(self, text):
        self.page.locator(".jp-OutputArea", has_text=text).first.wait_for()
        self.page.wait_for_function(IDLE, polling=500)

    def saves(self, path):
        before = path.stat().st_mtime_ns
        menu(self.page, "File", "Save Notebook")
        wait_until(lambda: path.stat().st_mtime_ns > before)
        self.page.wait_for_selector(".jp-mod-current.jp-mod-dirty", state="detached")

    def sees(self, path):
        """Nothing red, no dead widget, and all figures in words too; its text."""
        figures, sliders = stored(path)
        page = self.page
        assert page.locator(TROUBLE).all_inner_texts() == []
        assert page.locator(".jp-OutputArea img").count() == figures
        words = page.locator(".jp-OutputArea details", has_text="This figure in words")
        assert words.count() == figures
        assert page.locator(".jp-OutputArea input[type=range]").count() == sliders
        text = page.locator(".jp-Notebook").inner_text()
        assert "rror displaying widget" not in text and "odel not found" not in text
        return text


@pytest.mark.skipif(not shutil.which("git"), reason="git is missing")
def test_a_week(tmp_path, browser):
    course = Course(tmp_path)
    notebooks, work = course.course / "notebooks", course.course / "work"

    with course:
        reader = Reader(course, course.open(browser))
        page = reader.page
        page.wait_for_url(f"**/lab/tree/work/{FIRST}*")
        with course.notebook(page, f"work/{FIRST}"):
            assert "No prediction yet" in reader.sees(work / FIRST)
            reader.write(work / FIRST, GUESS, GUESSED)
            page.evaluate(LISTEN, "%|")
            menu(page, "Run", "Run All Cells")
            reader.waits_for("well predicted")
            assert page.evaluate("document.body.dataset.seen") == "%|", "no bar"
            reader.saves(work / FIRST)
        with course.notebook(page, f"work/{EXERCISE}"):
            menu(page, "Run", "Run All Cells")
            reader.waits_for("01-3: not done yet")
            reader.write(work / EXERCISE, ANSWER, ROW)
            reader.waits_for("01-2 row: right")
            reader.saves(work / EXERCISE)
        for folder in (work, notebooks):  # only looked at, and saved by itself
            path = folder / SLIDERS
            before, place = path.read_bytes(), path.relative_to(course.course)
            with course.notebook(page, place.as_posix()):
                reader.saves(path)
                page.wait_for_timeout(3000)
            assert path.read_bytes() == before
        page.close()
    assert course.git(course.course, "status", "--porcelain") == ""

    # Which tabs are open, JupyterLab notes with a delay: here none.
    shutil.rmtree(tmp_path / ".jupyter" / "lab" / "workspaces")
    course.publish(FIRST, SLIDERS, EXERCISE, SOLUTION)
    course.git(course.course, "pull", "--quiet", "--ff-only")

    with course:
        reader = Reader(course, course.open(browser))
        page = reader.page
        with course.notebook(page, f"work/{FIRST}"):
            text = reader.sees(work / FIRST)
            assert GUESSED in text and "well predicted" in text and NEW not in text
        with course.notebook(page, f"work/{EXERCISE}"):
            text = reader.sees(work / EXERCISE)
            assert ROW in text and "01-2 row: right" in text and NEW not in text
        with course.notebook(page, f"work/{SLIDERS}"):
            assert NEW in reader.sees(work / SLIDERS)
            moved = move_sliders(page, ".jp-OutputArea")
            assert moved == stored(work / SLIDERS)[1] > 0
        page.close()
    assert course.git(course.course, "status", "--porcelain") == ""
    said = (tmp_path / "said").read_text("utf-8")
    for name in (FIRST, EXERCISE):
        assert f"work/{name} holds what you wrote and stays as it is" in said
    assert (work / SOLUTION).read_bytes() == (notebooks / SOLUTION).read_bytes()
