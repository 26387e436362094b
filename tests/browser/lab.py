"""Drive JupyterLab in a browser: open a notebook, run all of it, see what came."""

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
from urllib.parse import unquote, urlsplit

from browser_tools import ROOT

IGNORED = shutil.ignore_patterns(
    ".git", ".venv*", "build", "__pycache__", ".*_cache", ".ipynb_checkpoints"
)
PATIENCE = 300_000  # milliseconds for one notebook, on a slow machine
# Long notebooks are drawn in parts; here the whole has to be there to be looked at.
SETTINGS = '{"windowingMode": "none"}'
CLEARED = """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
  .every(prompt => !/\\d/.test(prompt.textContent))"""
# Numbers and outputs were cleared before. At the end all cells have a number, or one
# has failed and the rest was given up.
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
        self.token = secrets.token_hex(8)

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.base = f"http://127.0.0.1:{free.getsockname()[1]}"
        for part in ("config", "data", "runtime", "workspaces", "ipython"):
            (self.folder / part).mkdir()
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

    def start(self, page, notebook):
        """Open this notebook, clear what is stored in it, and start all its cells."""
        page.set_default_timeout(PATIENCE)
        page.asked = []
        page.on("request", lambda made: self._is_ours(made.url, page.asked))
        # Each page has a workspace of its own: two notebooks run at the same time.
        space = re.sub(r"\W", "", notebook)
        address = f"{self.base}/lab/workspaces/{space}/tree/{notebook}"
        page.goto(f"{address}?token={self.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        # The page says "idle" before it has a kernel; Run All would then ask for one.
        deadline = time.monotonic() + PATIENCE / 1000
        while not any(s["kernel"]["connections"] for s in self._sessions(notebook)):
            assert time.monotonic() < deadline, f"{notebook} got no kernel"
            page.wait_for_timeout(100)
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
        menu(page, "Edit", "Clear Outputs of All Cells")
        page.wait_for_function(CLEARED)
        menu(page, "Run", "Run All Cells")

    def _sessions(self, notebook):
        """What the server runs for this notebook."""
        address = f"{self.base}/api/sessions?token={self.token}"
        with urllib.request.urlopen(address) as answer:
            return [found for found in json.load(answer) if found["path"] == notebook]

    def _is_ours(self, address, others):
        local = (self.base, self.base.replace("http", "ws"), "data:", "blob:")
        if not address.startswith(local):
            others.append(address)

    def outcome(self, page):
        """Wait for the end, and say what is there to be seen."""
        page.wait_for_function(FINISHED)
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        images = page.locator(".jp-OutputArea img")
        return {
            "cells": len(prompts),
            "numbered": sum(bool(re.search(r"\d", text)) for text in prompts),
            "trouble": [
                text
                for text in page.locator(TROUBLE).all_inner_texts()
                if HARMLESS not in text
            ],
            "figures": images.count(),
            "drawn": images.evaluate_all("all => all.every(i => i.naturalWidth > 0)"),
            "asked": page.asked,
        }

    def stop(self, page):
        """End the page and its kernel, so that its memory is free."""
        path = unquote(urlsplit(page.url).path).rpartition("/tree/")[2]
        page.close()
        for session in self._sessions(path):
            address = f"{self.base}/api/sessions/{session['id']}?token={self.token}"
            ending = urllib.request.Request(address, method="DELETE")
            urllib.request.urlopen(ending).close()


def menu(page, name, entry):
    page.locator(f".lm-MenuBar-itemLabel:text-is('{name}')").click()
    page.locator(f".lm-Menu-itemLabel:text-is('{entry}')").click()
