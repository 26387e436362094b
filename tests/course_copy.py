"""Copies of the course for tests that set up, run and break it. No network is used."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
SITE_PACKAGES = sorted({str(Path(p)) for p in sys.path if p.endswith("-packages")})
CLOSED_PORT = "http://127.0.0.1:9/"  # "discard": nothing listens there


def variables(home, **more):
    ours = ("PIP_", "PYTEST_", "JUPYTER", "IPYTHON", "LSR_", "XDG_", "VIRTUAL_ENV")
    result = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    result.update(HOME=str(home), USERPROFILE=str(home), PIP_CONFIG_FILE=os.devnull)
    result.update(CHROMIUM="")  # none, so that nothing is installed for it
    if not str(ROOT).isascii():  # borrowed.pth names it, and is read by the locale
        result.update(LC_ALL="C.UTF-8")
    return {**result, **more}


def course(folder, *arguments, env=None, before=(sys.executable,)):
    """Run `course.py` of the copy to its end, output captured as text."""
    command = [*before, "course.py", *arguments]
    options = {"cwd": folder, "env": env or variables(folder), "timeout": 240}
    options |= {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    return subprocess.run(command, **options)


def one_sentence(result, *words):
    """The command failed, and its last line is one sentence with these words."""
    assert result.returncode != 0
    assert "Traceback" not in result.stdout + result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert re.fullmatch(r"(course\.py|refresh|slides|site|lab): .*\.", last)
    for word in words:
        assert word in last


def answered(address):
    """What a server of Jupyter says there; None while it does not, or refuses."""
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(address, timeout=20) as answer:
            return json.load(answer)


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def tiny_course(folder):
    """The real course.py over a package that needs little; `site` looks for it."""
    shutil.copytree(ROOT / "tools", folder / "tools")
    shutil.copy(ROOT / "course.py", folder)
    (folder / "tools" / "site" / "__main__.py").write_text(
        "import lantern, lsr_utils, sys; print(lsr_utils.NAME, *sys.argv[1:])"
    )
    (folder / "lsr_utils").mkdir()
    (folder / "lsr_utils" / "__init__.py").write_text("NAME = 'tiny'\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "setuptools.build_meta"\n'
        '[project]\nname = "lsr-utils"\nversion = "0.1.0"\n[project.'
        'optional-dependencies]\ntest = ["lantern"]\nsite = []\nbrowser = ["candle"]\n'
        '[tool.setuptools]\npackages = ["lsr_utils"]\n'
    )
    version = metadata.version("setuptools")
    (folder / "constraints.txt").write_text(f"setuptools=={version}\nlantern==1.0\n")
    return folder


def with_tiny_wheels(folder):
    """Make wheels of what the tiny course needs; variables by which pip takes them."""
    folder.mkdir()
    tools = metadata.distribution("setuptools")
    target = folder / f"setuptools-{tools.version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as wheel:
        for file in tools.files:
            if ".." not in file.parts and file.suffix != ".pyc":
                wheel.write(file.locate(), file.as_posix())
    for name in ("lantern", "candle"):
        info = f"{name}-1.0.dist-info"
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "LIGHT = True\n")
            wheel.writestr(f"{info}/METADATA", f"Name: {name}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", tag)
            wheel.writestr(f"{info}/RECORD", "")
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    return variables(folder.parent, LC_ALL="C", **found)


def whole_course(folder):
    """The course with one tiny notebook, its .venv borrowing this run's packages."""
    for name in ("tools", "lsr_utils"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("course.py", "pyproject.toml", "constraints.txt", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_tiny.py").write_text("def test_tiny(): pass\n")
    notebook(folder / "notebooks" / "00_one_picture.ipynb", "1 + 1", "2 + 2;")

    env = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
    shutil.copytree(ROOT / "tools" / "jupyter", env, dirs_exist_ok=True)
    inside = next(env.rglob("site-packages"))
    (inside / "borrowed.pth").write_text("\n".join([str(folder), *SITE_PACKAGES]))
    ready = (
        "import json, sys; sys.path.insert(0, 'tools'); import lab, environment as e;"
        "((name, new),) = lab.repeated().items(); open(name, 'wb').write(new);"
        "e.STAMP.write_text(json.dumps(e.wanted()))"
    )
    command = [sys.executable, "-c", ready]
    subprocess.run(command, cwd=folder, env=variables(folder), check=True)
    return folder


def notebook(path, *cells, tagged=()):
    """Write a notebook of these code cells; nbval ignores the output of `tagged`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    made = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    for number, source in enumerate(cells):
        made.cells.append(nbformat.v4.new_code_cell(source, id=f"c{number}"))
        if number in tagged:
            made.cells[number].metadata.tags = ["nbval-ignore-output"]
    nbformat.write(made, path)
    return path
