"""A learner's week: guesses, answers, saves, closes; the course is updated; reopens."""

import shutil

import command
import lab
import nbformat
from browser_tools import ROOT, move_sliders, stored
from course_copy import wait_until
from jupyterlab_page import IGNORED, TROUBLE, Lab, menu

FIRST, SLIDERS = "00_one_picture.ipynb", "01_the_label.ipynb"
EXERCISE = "exercises/00_one_picture_exercises.ipynb"
SOLUTION = "solutions/00_one_picture_solutions.ipynb"
GUESS, ANSWER = "nb00-03", "ex00-06"  # cells
GUESSED = "guess_sure = 91"
BAR = """
from time import sleep
from lsr_utils.training import progress_bar
for _ in progress_bar(range(40), 40, "mine", True): sleep(0.05)"""
PANEL = 'panel = 3\ncheck("00-2", panel)'
CHANGED = ".jp-mod-current.jp-mod-dirty"  # JupyterLab would save it by itself
NEW = "The second edition."
IDLE = """() => !document.querySelector('.jp-Notebook').textContent.includes('[*]') &&
  document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status === 'idle'"""
# Whether a text was ever on the page, however short.
LISTEN = """text => new MutationObserver(() => {
  if (document.querySelector('.jp-Notebook').textContent.includes(text))
    document.body.dataset.seen = text;
}).observe(document.body, {childList: true, subtree: true, characterData: true})"""


class Course(Lab):
    """The course as `course.py lab` opens it; nobody writes in its own notebooks."""

    def __init__(self, folder):
        self.folder, self.course = folder, folder / "course"
        shutil.copytree(ROOT, self.course, ignore=IGNORED)
        self.program, self.log = ["tools/lab.py"], open(folder / "said", "w")

    def own(self):
        return {p: p.read_bytes() for p in command.files(self.course, "*.ipynb")}

    def update(self, *names):
        """A second edition, with a new sentence in these notebooks."""
        for name in names:
            path = self.course / "notebooks" / name
            notebook = nbformat.read(path, as_version=4)
            notebook.cells[0].source += f"\n\n{NEW}"
            path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
        (self.course / lab.LIST).write_bytes(lab.repeated(self.course)[lab.LIST])


class Reader:
    """Hands on the keyboard, in the one notebook that is open."""

    def __init__(self, page):
        self.page = page

    def write(self, path, cell, text):
        """Replace the source of a cell, and run it."""
        ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
        place = self.page.locator(".jp-Notebook .jp-Cell").nth(ids.index(cell))
        place.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")

    def runs_all(self, text):
        menu(self.page, "Run", "Run All Cells")
        self.page.wait_for_function(IDLE, polling=500)
        for covered in self.page.locator(".jp-OutputPlaceholder").all()[::-1]:
            covered.click()
        self.waits_for(text)

    def waits_for(self, text):
        self.page.locator(".jp-OutputArea", has_text=text).first.wait_for()
        self.page.wait_for_function(IDLE, polling=500)

    def saves(self, path):
        before = path.stat().st_mtime_ns
        menu(self.page, "File", "Save Notebook")
        wait_until(lambda: path.stat().st_mtime_ns > before)
        self.page.wait_for_selector(CHANGED, state="detached")

    def sees(self, path):
        """Sliders, figures, also in words, nothing red, no dead widget; its text."""
        figures, sliders = stored(path)
        outputs = self.page.locator(".jp-OutputArea")
        assert self.page.locator(TROUBLE).all_inner_texts() == []
        assert outputs.locator("img").count() == figures
        assert outputs.locator("details", has_text="in words").count() == figures
        assert outputs.locator("input[type=range]").count() == sliders
        text = self.page.locator(".jp-Notebook").inner_text()
        assert "rror displaying widget" not in text and "odel not found" not in text
        return text


def test_a_week(tmp_path, browser):
    course = Course(tmp_path)
    notebooks, work = course.course / "notebooks", course.course / "work"
    before = course.own()
    with course:
        reader = Reader(page := course.open(browser))
        page.wait_for_url(f"**/lab/tree/work/{FIRST}*")
        with course.notebook(page, f"work/{FIRST}"):
            assert "Figure 1." in reader.sees(work / FIRST)
            page.evaluate(LISTEN, "%|")
            reader.write(work / FIRST, GUESS, GUESSED + BAR)
            reader.runs_all("you said 91")
            assert page.evaluate("document.body.dataset.seen") == "%|", "no bar"
            reader.saves(work / FIRST)
        with course.notebook(page, f"work/{EXERCISE}"):
            reader.runs_all("00-3: nothing written yet")
            reader.write(work / EXERCISE, ANSWER, PANEL)
            reader.waits_for("00-2: right")
            reader.saves(work / EXERCISE)
        for path in (work / SLIDERS, notebooks / SLIDERS):  # only looked at
            with course.notebook(page, path.relative_to(course.course).as_posix()):
                assert reader.sees(path)
                page.wait_for_timeout(3000)
                assert page.locator(CHANGED).count() == 0
                reader.saves(path)
        page.close()
    assert course.own() == before
    assert (work / SLIDERS).read_bytes() == before[notebooks / SLIDERS]

    shutil.rmtree(tmp_path / ".jupyter/lab/workspaces")  # tabs: noted with a delay
    course.update(FIRST, SLIDERS, EXERCISE, SOLUTION)
    before = course.own()

    with course:
        reader = Reader(page := course.open(browser))
        left = {FIRST: (GUESSED, "you said 91"), EXERCISE: (PANEL, "00-2: right")}
        for name, texts in left.items():
            with course.notebook(page, f"work/{name}"):
                seen = reader.sees(work / name)
            assert all(text in seen for text in texts) and NEW not in seen
        with course.notebook(page, f"work/{SLIDERS}"):
            assert NEW in reader.sees(work / SLIDERS)
            moved = move_sliders(page, ".jp-OutputArea")
            assert moved == stored(work / SLIDERS)[1] > 0
        page.close()
    assert course.own() == before
    course.log.close()
    said = (tmp_path / "said").read_text("utf-8")
    for name in left:
        assert f"{work / name} holds what you wrote and stays as it is" in said
    assert (work / SOLUTION).read_bytes() == (notebooks / SOLUTION).read_bytes()
