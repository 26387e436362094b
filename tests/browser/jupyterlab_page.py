"""Drive JupyterLab in a browser: open a notebook, run all of it, see what came.

One page for all notebooks: to load JupyterLab takes as long as many a notebook.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
from browser_tools import ROOT

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
TROUBLE = (
    "[data-mime-type='application/vnd.jupyter.error'], "
    "[data-mime-type='application/vnd.jupyter.stderr']"
)
# PyTorch's build for CUDA says so where there is no GPU, and compiles for the CPU.
HARMLESS = "No CUDA runtime is found"


class Lab:
    """A JupyterLab of its own over a copy of the course; use it as a context."""

    def __init__(self, folder):
        self.folder, self.course = folder, folder / "course"
        shutil.copytree(ROOT, self.course, ignore=IGNORED)
        for path in (self.course / "notebooks").glob("*.ipynb"):
            _clear(path)
        self.token = secrets.token_hex(8)

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.base = f"http://127.0.0.1:{free.getsockname()[1]}"
        for part in ("config", "data", "runtime", "workspaces", "ipython"):
            (self.folder / part).mkdir()
        startup = self.folder / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        shutil.copy(SHORT_TRAININGS, startup)
        settings = self.folder / "settings" / "@jupyterlab" / "notebook-extension"
        settings.mkdir(parents=True)
        (settings / "tracker.jupyterlab-settings").write_text(SETTINGS)
        ours = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        env = {**os.environ, "LSR_THREADS": "1", "LSR_DEVICE": "cpu"}
        env.update({name: str(self.folder / part) for name, part in ours.items()})
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={self.base.rpartition(':')[2]}"),
            *(f"--IdentityProvider.token={self.token}", "--LabApp.news_url=None"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.course}"),
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        self.log = (self.folder / "log").open("w")
        self.server = subprocess.Popen(
            command, env=env, cwd=self.course, stdout=self.log, stderr=self.log
        )
        deadline = time.monotonic() + 120
        while not self._answers():
            ended = self.server.poll() is not None or time.monotonic() > deadline
            if ended:
                self.__exit__()
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.2)
        return self

    def _answers(self):
        try:
            address = f"{self.base}/api/status?token={self.token}"
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            return False
        return True

    def __exit__(self, *_):
        self.server.terminate()
        try:
            self.server.wait(30)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.log.close()

    def open(self, browser):
        """JupyterLab itself in a page, for one notebook after another."""
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.asked = []
        page.on("request", lambda made: self._is_ours(made.url, page.asked))
        page.goto(f"{self.base}/lab?token={self.token}")
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
            self._wait_for_kernel(page, path)
            yield
        finally:
            menu(page, "File", "Close and Shut Down Notebook…")
            page.locator(".jp-Dialog .jp-mod-accept").click()
            page.wait_for_selector(".jp-Notebook", state="detached")

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

    def _wait_for_kernel(self, page, path):
        # The page says "idle" before it has a kernel; Run All would then ask for one.
        deadline = time.monotonic() + PATIENCE / 1000
        while not self._has_kernel(path):
            assert time.monotonic() < deadline, f"{path} got no kernel"
            page.wait_for_timeout(100)
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")

    def _has_kernel(self, path):
        address = f"{self.base}/api/sessions?token={self.token}"
        with urllib.request.urlopen(address) as answer:
            sessions = json.load(answer)
        return any(s["path"] == path and s["kernel"]["connections"] for s in sessions)

    def _is_ours(self, address, others):
        local = (self.base, self.base.replace("http", "ws"), "data:", "blob:")
        if not address.startswith(local):
            others.append(address)


def _clear(path):
    """Take numbers and outputs out of a notebook: what is seen later is then new.

    Its folds are opened: JupyterLab shows no number beside a cell that is folded.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    nbformat.write(notebook, path)


def menu(page, name, entry):
    page.locator(f".lm-MenuBar-itemLabel:text-is('{name}')").click()
    page.locator(f".lm-Menu-itemLabel:text-is('{entry}')").click()
