"""Drive JupyterLab in a browser, one page for all notebooks: run all, see what came."""

import contextlib
import re
import shutil
import socket
import subprocess
import sys

import command
import nbformat
from browser_tools import ROOT, stored
from course_copy import answered, variables, wait_until

IGNORED = shutil.ignore_patterns(
    ".git", ".venv*", "work", "build", "__pycache__", ".*_cache", ".ipynb_checkpoints"
)
SHORT_TRAININGS = ROOT / "tests" / "browser" / "short_trainings.py"
PATIENCE = 300_000  # milliseconds for one notebook, on a slow machine
# Long notebooks are drawn in parts; here the whole has to be there to be looked at.
SETTINGS = '{"windowingMode": "none"}'
TROUBLE = "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
# No cell has a number or an output before. At the end all have a number, or one has
# failed and the rest was given up.
FINISHED = """() => {
  const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(prompt => prompt.textContent.trim());
  const state = document.querySelector('.jp-Notebook-ExecutionIndicator');
  // JupyterLab draws an error as it draws what was written to stderr.
  const failed = document.querySelector("TROUBLE") !== null;
  return state && state.dataset.status === 'idle' &&
    !prompts.some(text => text.includes('*')) &&
    (failed || prompts.every(text => /^\\[\\d+\\]:$/.test(text)));
}""".replace("TROUBLE", TROUBLE)
# PyTorch's build for CUDA says so where there is no GPU, and compiles for the CPU.
HARMLESS = "No CUDA runtime is found"


class Lab:
    """A JupyterLab with a home of its own, over a copy of the course; a context."""

    def __init__(self, folder):
        self.folder, self.course = folder, folder / "course"
        shutil.copytree(ROOT, self.course, ignore=IGNORED)
        for path in command.lectures(self.course):
            _prepare(path)
        self.program = ["-m", "jupyterlab", f"--ServerApp.root_dir={self.course}"]
        self.log = None

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        startup = self.folder / ".ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True, exist_ok=True)
        shutil.copy(SHORT_TRAININGS, startup)
        settings = self.folder / "settings" / "@jupyterlab" / "notebook-extension"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "tracker.jupyterlab-settings").write_text(SETTINGS)
        env = variables(self.folder, LSR_THREADS="1", LSR_DEVICE="cpu")
        env |= {"TQDM_DISABLE": "0"}
        env["JUPYTERLAB_SETTINGS_DIR"] = str(self.folder / "settings")
        command = [
            *(sys.executable, *self.program, "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
            *("--IdentityProvider.token=open", "--LabApp.news_url=None"),
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        options = {"env": env, "cwd": self.course, "stderr": self.log}
        self.server = subprocess.Popen(command, **options)
        wait_until(lambda: self._asked("status"), seconds=120)
        return self

    def _asked(self, what):
        return answered(f"{self.base}/api/{what}?token=open")

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
        page.goto(f"{self.base}/?token=open")
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
        return self.seen(page)

    def seen(self, page):
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


def runs(path):
    """Whether to run it here: lectures, and what moves. nbval has run all of them."""
    return path.parent.name != "deep" or stored(path)[1] > 0


def _prepare(path):
    """Open folds, as a folded cell shows no number; take outputs out where it runs."""
    cleared = runs(path)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        if cell.cell_type == "code" and cleared:
            cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, path)


def menu(page, name, entry):
    page.locator(f".lm-MenuBar-itemLabel:text-is('{name}')").click()
    page.locator(f".lm-Menu-itemLabel:text-is('{entry}')").click()
