"""The commands of `course.py`, on a copy that is set up. (test_set_up.py: set-up.)"""

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import jupyterlab
import pytest
from course_copy import (
    ROOT,
    course,
    notebook,
    one_sentence,
    variables,
    wait_until,
    whole_course,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return whole_course(tmp_path_factory.mktemp("the whole course"))


def test_usage():
    usage = course(ROOT)
    assert (usage.returncode, usage.stderr) == (0, "")
    assert usage.stdout == course(ROOT, "--help").stdout
    for command in ("setup", "lab", "test", "refresh", "slides", "site"):
        assert re.search(rf"^  {command} ", usage.stdout, re.MULTILINE)


def test_refresh_says_what_is_wrong(whole):
    one_sentence(course(whole, "refresh", "99"), "'99'", "00_start_here")


@pytest.mark.parametrize(
    ("file", "group"),
    [
        ("tests/test_losses.py", "units"),
        ("tests/test_fused_contract.py", "kernels"),
        ("notebooks/exercises/01_a.ipynb", "notebooks"),
        ("tests/browser/test_site.py", "browser"),
    ],
)
def test_groups_of_tests(file, group, pytestconfig):
    plugin = pytestconfig.pluginmanager.getplugin(str(ROOT / "conftest.py"))
    assert plugin.group(file) == group in plugin.GROUPS


def test_one_group_runs_alone(whole):
    file = whole / "tests" / "test_fused_a.py"
    file.write_text("def test_a(): pass\ndef test_b(): pass\n")
    said = course(whole, "test", "-n0", "--only", "kernels").stdout
    assert "2 passed" in said and "Time in tests: kernels 0 s.\n" in said
    file.unlink()


def test_lab(whole, tmp_path):
    """At a port that is taken, with a kernel of the user's that is not this Python."""
    changed = notebook(whole / "notebooks" / "01_changed.ipynb", "1")
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
    server = subprocess.Popen(
        [sys.executable, "course.py", "lab", "--no-browser", f"--port={port}"],
        cwd=whole,
        env=variables(home, JUPYTER_PREFER_ENV_PATH="0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        address = r"(http://127\.0\.0\.1:\d+)(/lab/tree/\S+)\?(token=\w+)"
        while not (found := re.search(address, said)):
            said += (line := server.stderr.readline())
            assert line, f"the server ended before it said its address: {said}"
        base, page, token = found.groups()
        assert page == "/lab/tree/notebooks/00_start_here.ipynb"
        assert f"The port {port} is already in use, trying another port." in said
        wait_until(lambda: answers(base) or server.poll() is not None)

        def asked(path):
            with urllib.request.urlopen(f"{base}{path}?{token}", timeout=20) as answer:
                return json.load(answer)

        def trusted(name):
            cells = asked(f"/api/contents/notebooks/{name}")["content"]["cells"]
            return [cell["metadata"]["trusted"] for cell in cells]

        assert trusted("00_start_here.ipynb") == [True, True]
        assert trusted(changed.name) == [False]
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
    assert not answers(base), "the server outlived course.py"


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=20).close()
    except urllib.error.URLError:
        return False
    return True


def test_lab_without_a_place_to_write(whole, tmp_path):
    (tmp_path / "file").touch()
    env = variables(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "file" / "data"))
    one_sentence(course(whole, "lab", env=env), "Not a directory", "JUPYTER_DATA_DIR")


def test_the_list_of_notebooks_is_that_of_the_course(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import lab

    assert lab.update(write=False) == [], "run `python3 course.py refresh 00`"
    one = notebook(tmp_path / "notebooks" / "01_a.ipynb", "1")
    (tmp_path / "notebooks" / ".ipynb_checkpoints").mkdir()
    notebook(tmp_path / "notebooks" / ".ipynb_checkpoints" / "01_a.ipynb", "1")
    assert lab.update(tmp_path, write=False) == [lab.LIST]
    assert not (tmp_path / lab.LIST).exists()
    assert lab.update(tmp_path) == [lab.LIST] and lab.update(tmp_path) == []
    before = (tmp_path / lab.LIST).read_text()
    assert re.fullmatch(r"[0-9a-f]{64}  notebooks/01_a.ipynb\n", before)
    one.write_text(one.read_text() + "\n")
    assert lab.update(tmp_path) == [lab.LIST]
    assert (tmp_path / lab.LIST).read_text() != before
