"""Every notebook in JupyterLab: Run All, and what a reader then sees.

One page for all notebooks: to load JupyterLab takes as long as many a notebook.
"""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.request

import nbformat
import pytest
from browser_tools import LECTURES, ROOT, move_sliders
from course_copy import variables, wait_until

IGNORED = shutil.ignore_patterns(
    ".git", ".venv*", "build", "__pycache__", ".*_cache", ".ipynb_checkpoints"
)
SHORT_TRAININGS = ROOT / "tests" / "browser" / "short_trainings.py"
PATIENCE = 300_000  # milliseconds for one notebook, on a slow machine
# Long notebooks are drawn in parts; here the whole has to be there to be looked at.
SETTINGS = '{"windowingMode": "none"}'
# No cell has a number or an output before. At the end all have a number, or one has
# failed and the rest was given up.
FINISHED = """() => {
  const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(prompt => prompt.textContent.trim());
  const state = document.querySelector('.jp-Notebook-ExecutionIndicator');
  // JupyterLab draws an error as it draws what was written to stderr.
  const failed = document.querySelector(
    '[data-mime-type$="jupyter.error"], [data-mime-type$="jupyter.stderr"]') !== null;
  return state && state.dataset.status === 'idle' &&
    !prompts.some(text => text.includes('*')) &&
    (failed || prompts.every(text => /^\\[\\d+\\]:$/.test(text)));
}"""
TROUBLE = "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
# PyTorch's build for CUDA says so where there is no GPU, and compiles for the CPU.
HARMLESS = "No CUDA runtime is found"


class Lab:
    """A JupyterLab with a home of its own, over a copy of the course; a context."""

    def __init__(self, folder):
        self.folder, self.course = folder, folder / "course"
        shutil.copytree(ROOT, self.course, ignore=IGNORED)
        for path in (self.course / "notebooks").glob("*.ipynb"):
            _clear(path)

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        startup = self.folder / ".ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        shutil.copy(SHORT_TRAININGS, startup)
        settings = self.folder / "settings" / "@jupyterlab" / "notebook-extension"
        settings.mkdir(parents=True)
        (settings / "tracker.jupyterlab-settings").write_text(SETTINGS)
        env = variables(self.folder, LSR_THREADS="1", LSR_DEVICE="cpu")
        env["JUPYTERLAB_SETTINGS_DIR"] = str(self.folder / "settings")
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
            *("--IdentityProvider.token=open", "--LabApp.news_url=None"),
            f"--ServerApp.root_dir={self.course}",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        self.server = subprocess.Popen(command, env=env, cwd=self.course)
        wait_until(lambda: self._asked("status"), seconds=120)
        return self

    def _asked(self, what):
        address = f"{self.base}/api/{what}?token=open"
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(address, timeout=20) as answer:
                return json.load(answer)

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait(30)

    def open(self, browser):
        """JupyterLab itself in a page, for one notebook after another."""
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.asked = []
        ours = (self.base, self.base.replace("http", "ws"), "data:", "blob:")
        asked = page.asked.append
        page.on("request", lambda r: r.url.startswith(ours) or asked(r.url))
        page.goto(f"{self.base}/lab?token=open")
        return page

    @contextlib.contextmanager
    def notebook(self, page, path):
        """Open a notebook; in the end close it and its kernel, whatever came of it."""
        page.asked.clear()
        menu(page, "File", "Open from Path…")
        page.locator(".jp-Dialog input").fill(path)
        page.locator(".jp-Dialog .jp-mod-accept").click()
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        try:
            # The page says "idle" before it has a kernel; Run All would ask for one.
            wait_until(lambda: self._has_kernel(path), PATIENCE / 1000)
            page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
            yield
        finally:
            menu(page, "File", "Close and Shut Down Notebook…")
            page.locator(".jp-Dialog .jp-mod-accept").click()
            page.wait_for_selector(".jp-Notebook", state="detached")

    def _has_kernel(self, path):
        sessions = self._asked("sessions") or []
        return any(s["path"] == path and s["kernel"]["connections"] for s in sessions)

    def run_all(self, page):
        """Run all cells of the open notebook; returns what is there to be seen."""
        menu(page, "Run", "Run All Cells")
        # By the clock: asked at every frame, the page would have no rest in between.
        page.wait_for_function(FINISHED, polling=500)
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        said = page.locator(TROUBLE).all_inner_texts()
        images = page.locator(".jp-OutputArea img")
        return {
            "cells": len(prompts),
            "numbered": sum(bool(re.search(r"\d", text)) for text in prompts),
            "trouble": [text for text in said if HARMLESS not in text],
            "figures": images.count(),
            "drawn": images.evaluate_all("all => all.every(i => i.naturalWidth > 0)"),
        }


def _clear(path):
    """Take numbers and outputs out, and open folds: a folded cell shows no number."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, path)


def menu(page, name, entry):
    page.locator(f".lm-MenuBar-itemLabel:text-is('{name}')").click()
    page.locator(f".lm-Menu-itemLabel:text-is('{entry}')").click()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def page(lab, browser):
    return lab.open(browser)


def stored(path):
    """Figures and sliders in the notebook as it is stored."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    data = [output.get("data", {}) for output in outputs]
    pages = "".join(d.get("text/html", "") for d in data)
    live = re.findall(r'type="application/json">(\{.*?)</script>', pages, re.DOTALL)
    sliders = [len(json.loads(text)["controls"]) for text in live]
    return sum("image/png" in d for d in data), sum(sliders)


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem[:2])
def test_run_all(path, lab, page):
    with lab.notebook(page, f"notebooks/{path.name}"):
        outcome = lab.run_all(page)
        figures, sliders = stored(path)
        assert outcome["trouble"] == []
        assert outcome["numbered"] == outcome["cells"]
        assert outcome["figures"] == figures and outcome["drawn"]
        shown = page.locator(".jp-OutputArea input[type=range]").count()
        assert shown == sliders
        assert move_sliders(page, ".jp-OutputArea") == sliders, "not every one moved"
        assert page.asked == [], "a request left this machine"


def test_what_is_folded_is_closed_and_opens_at_a_click(lab, page):
    shutil.copy(LECTURES[1], lab.course / "notebooks" / "folded.ipynb")
    cells = nbformat.read(LECTURES[1], as_version=4).cells
    marks = [cell.metadata.get("jupyter", {}) for cell in cells]
    with lab.notebook(page, "notebooks/folded.ipynb"):
        closed = page.locator(".jp-CodeCell .jp-InputPlaceholder")
        covered = page.locator(".jp-CodeCell .jp-OutputPlaceholder")
        number = sum("source_hidden" in mark for mark in marks)
        assert closed.count() == number > 0
        assert covered.count() == sum("outputs_hidden" in mark for mark in marks) > 0
        closed.first.click()
        assert closed.count() == number - 1


def test_a_failing_cell_is_noticed(lab, page):
    sources = ("1 + 1", "raise ValueError('on purpose')", "2 + 2")
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(notebook, lab.course / "notebooks" / "failing.ipynb")
    with lab.notebook(page, "notebooks/failing.ipynb"):
        outcome = lab.run_all(page)
    assert len(outcome["trouble"]) == 1 and "on purpose" in outcome["trouble"][0]
    assert (outcome["cells"], outcome["numbered"]) == (3, 2)
