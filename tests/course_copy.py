"""Copies of the course for tests that set up, run and break it. No network is used."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE_PACKAGES = sorted({str(Path(p)) for p in sys.path if p.endswith("-packages")})
CLOSED_PORT = "http://127.0.0.1:9/"  # "discard": nothing listens there


def variables(home, **more):
    """A fresh home, and no settings of pip, pytest or Jupyter from outside."""
    ours = ("PIP_", "PYTEST_", "JUPYTER", "IPYTHON", "LSR_", "XDG_", "VIRTUAL_ENV")
    result = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    result.update(HOME=str(home), USERPROFILE=str(home), PIP_CONFIG_FILE=os.devnull)
    result.update(CHROMIUM="")  # none, so that nothing is added for it
    return {**result, **more}


def course(folder, *arguments, env=None, **options):
    """Run `course.py` of the copy to its end, output captured as text."""
    command = [sys.executable, "course.py", *arguments]
    env = env or variables(folder)
    options = {"capture_output": True, "text": True, "timeout": 120, **options}
    return subprocess.run(command, cwd=folder, env=env, **options)


def one_sentence(result, *words):
    """The command failed, and its last line is one sentence with these words."""
    assert result.returncode != 0
    assert "Traceback" not in result.stdout + result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(
        ("course.py: ", "refresh: ", "slides: ", "site: ")
    ) and last.endswith(".")
    for word in words:
        assert word in last
    return last


def wait_until(holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def tiny_course(folder, wheels):
    """The real course.py over a package that needs little, and one test."""
    shutil.copytree(ROOT / "tools", folder / "tools")
    shutil.copy(ROOT / "course.py", folder)
    (folder / "lsr_utils").mkdir()
    (folder / "lsr_utils" / "__init__.py").write_text("NAME = 'tiny'\n")
    (folder / "test_tiny.py").write_text(
        "def test_tiny():\n    import lsr_utils\n    assert lsr_utils.NAME == 'tiny'\n"
    )
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "setuptools.build_meta"\n'
        '[project]\nname = "lsr-utils"\nversion = "0.1.0"\n'
        '[project.optional-dependencies]\ntest = ["pytest-xdist"]\n'
        'browser = ["lantern"]\nsite = ["lantern"]\n'
        '[tool.setuptools]\npackages = ["lsr_utils"]\n'
    )
    pins = [path.name.split("-")[:2] for path in sorted(wheels.iterdir())]
    (folder / "constraints.txt").write_text("\n".join(map("==".join, pins)) + "\n")
    return folder


def whole_course(folder):
    """The course with one tiny notebook, its .venv borrowing this run's packages."""
    for name in ("tools", "lsr_utils"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("course.py", "pyproject.toml", "constraints.txt", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_tiny.py").write_text("def test_tiny(): pass\n")
    notebook(folder / "notebooks" / "00_start_here.ipynb", "1 + 1", "2 + 2;")

    env = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
    inside = next(env.rglob("site-packages"))
    (inside / "borrowed.pth").write_text("\n".join([str(folder), *SITE_PACKAGES]))
    stamp = (
        "import sys, json; sys.path.insert(0, 'tools'); import environment as e;"
        "extras = ['browser', 'site'];"
        "e.STAMP.write_text(json.dumps({**e.description(), 'extras': extras}))"
    )
    subprocess.run([sys.executable, "-c", stamp], cwd=folder, check=True)
    return folder


def notebook(path, *cells, tagged=()):
    """Write a notebook of these code cells; nbval ignores the output of `tagged`."""
    path.parent.mkdir(exist_ok=True)
    code = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": ["nbval-ignore-output"]} if number in tagged else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    body = {"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return path


def installed_as_wheels(folder, *names):
    """Wheels of installed packages and what those need: what pip installs offline."""
    from packaging.requirements import Requirement

    waiting, done = list(names), set()
    while waiting:
        package = metadata.distribution(waiting.pop())
        if package.name in done:
            continue
        done.add(package.name)
        pack(package, folder)
        for need in map(Requirement, package.requires or []):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                waiting.append(need.name)
    return folder


def pack(package, folder):
    name = package.name.replace("-", "_").lower()
    target = folder / f"{name}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as wheel:
        for file in package.files:
            inside = ".." not in file.parts and file.suffix != ".pyc"
            if inside and file.name not in (
                "INSTALLER",
                "REQUESTED",
                "direct_url.json",
            ):
                wheel.write(file.locate(), file.as_posix())
