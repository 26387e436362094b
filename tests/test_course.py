"""The commands of `course.py`, on a copy that is set up. (test_set_up.py: set-up.)"""

import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import course_copy
import jupyterlab
import pytest
from course_copy import ROOT, answered, course, one_sentence, variables

from course import COMMANDS

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
BOTH = "".join(page.read_text("utf-8") for page in PAGES)
BLOCKS = "".join(re.findall(r"(?ms)^```bash\n(.*?)^```", BOTH))
LINES = sorted({line.partition(" #")[0].rstrip() for line in BLOCKS.split("\n")})
OURS = [line for line in LINES if line.startswith("python3 course.py ")]
# How to run what would not end by itself, or takes long: test_lab asks a real server
# for its page, tests/browser and test_slides.py make slides and site.
SHORT = {"lab": ["--version"], "slides": ["--help"], "site": ["--help"]}
SHORT["test --only"] = ["units", "--version"]
CI = ROOT / ".ci" / "run"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = course_copy.whole_course(tmp_path_factory.mktemp("the whole course"))
    assert course(folder, "refresh").returncode == 0
    return folder


@pytest.mark.parametrize("command", OURS)
def test_readme_command_runs(command, whole):
    words = shlex.split(command)[2:]
    for name, arguments in SHORT.items():
        if words[: len(name.split())] == name.split():
            words = [*name.split(), *arguments]
    result = course(whole, *words)
    assert result.returncode == 0, result.stdout + result.stderr


def test_readme_gives_every_command_of_course_py_and_ci_runs_its_test(pytestconfig):
    assert {shlex.split(line)[2] for line in OURS} == set(COMMANDS)
    others = {line.split()[0] for line in LINES if line and line not in OURS}
    assert others <= {"conda", "export", "git", "cd"}
    ours = [line for line in CI.read_text("utf-8").splitlines() if "course.py" in line]
    assert ours == ["python3 course.py test"] and ours[0] in OURS
    group = pytestconfig.pluginmanager.getplugin(str(ROOT / "conftest.py")).group
    files = "tests/test_losses.py tests/test_fused_edges.py x.ipynb tests/browser/x.py"
    assert " ".join(map(group, files.split())) == "units kernels notebooks browser"


def test_notebooks_are_compared_with_what_is_stored_and_a_readers_are_not(whole):
    path = whole / "notebooks" / "00_one_picture.ipynb"
    stored = path.read_bytes()
    path.write_bytes(stored.replace(b'"2"', b'"3"'))
    names = ["Untitled.ipynb", "deep/02_mine.ipynb"]
    names += [f".ipynb_checkpoints/{path.stem}-checkpoint.ipynb"]
    scratch = [path.parent / name for name in names]
    for mine in scratch:
        course_copy.notebook(mine, "1 / 0")
    said = course(whole, "test", "-n", "0", "--only", "notebooks").stdout
    assert "Cell 0: Cell outputs differ" in said and "1 failed, 1 passed" in said
    assert "Time in tests: notebooks " in said
    (told,) = (row for row in said.splitlines() if "Not tested" in row)
    assert all((name in told) != name.startswith(".") for name in names)
    drafts = course(whole, "test", "-n0", f"notebooks/{names[0]}")
    assert "1 failed" in drafts.stdout, "a notebook that is named is tested"
    path.write_bytes(stored)
    for mine in scratch:
        mine.unlink()


def test_usage_and_what_is_wrong(whole):
    usage = course(ROOT)
    assert (usage.returncode, usage.stderr) == (0, "")
    assert set(re.findall(r"(?m)^  (\w+) ", usage.stdout)) >= set(COMMANDS)
    for tool in ("refresh", "slides"):
        one_sentence(course(whole, tool, "99"), f"{tool}: ", "'99'", "00_one_picture")


def test_lab(whole, tmp_path):
    """At a port that is taken, with a kernel of the user's that is not this Python."""
    changed = course_copy.notebook(whole / "notebooks" / "01_changed.ipynb", "1")
    home = tmp_path / "home"
    theirs = home / ".local" / "share" / "jupyter" / "kernels" / "python3"
    theirs.mkdir(parents=True)
    kernel = {"argv": ["another-python"], "display_name": "", "language": "python"}
    (theirs / "kernel.json").write_text(json.dumps(kernel))
    # What an environment of its own would hold.
    inside = Path("share", "jupyter")
    places = (folder / inside for folder in Path(jupyterlab.__file__).parents)
    installed = next(place for place in places if (place / "lab" / "static").exists())
    for name in ("lab/static", "lab/schemas", "lab/themes", "kernels"):
        (whole / ".venv" / inside / name).symlink_to(installed / name)

    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]
    command = [sys.executable, "course.py", "lab", "--no-browser", f"--port={port}"]
    options = {"cwd": whole, "stderr": subprocess.PIPE, "text": True}
    env = variables(home, JUPYTER_PREFER_ENV_PATH="0")
    server = subprocess.Popen(command, env=env, **options)
    try:
        said = ""
        address = r"(http://127\.0\.0\.1:\d+)(/lab/tree/\S+)\?(token=\w+)"
        while not (found := re.search(address, said)):
            said += (line := server.stderr.readline())
            assert line, said
        base, page, token = found.groups()
        assert page == "/lab/tree/work/00_one_picture.ipynb"
        assert f"The port {port} is already in use, trying another port." in said

        def asked(path):
            return answered(f"{base}{path}?{token}")

        course_copy.wait_until(lambda: asked("/api") or server.poll() is not None)

        def trusted(name):
            cells = asked(f"/api/contents/{name}")["content"]["cells"]
            return [cell["metadata"]["trusted"] for cell in cells]

        assert trusted("work/00_one_picture.ipynb") == [True, True]
        assert trusted(f"notebooks/{changed.name}") == [False]
        extension = "@jupyterlab/apputils-extension:notification"
        settings = asked(f"/lab/api/settings/{extension}")["schema"]["properties"]
        assert settings["fetchNews"]["default"] == "false"
        assert settings["checkForUpdates"]["default"] is False
        argv = asked("/api/kernelspecs")["kernelspecs"]["python3"]["spec"]["argv"]
        assert argv[0] != "another-python"
    finally:
        other.close()
        server.terminate()
        server.communicate(timeout=20)
        changed.unlink()
    assert not asked("/api"), "the server outlived course.py"
