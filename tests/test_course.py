"""The commands of `course.py`, on a copy that is set up. (test_set_up.py: set-up.)"""

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import course_copy
import jupyterlab
import pytest
from course_copy import ROOT, course, one_sentence, variables


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return course_copy.whole_course(tmp_path_factory.mktemp("the whole course"))


def test_usage_and_what_is_wrong(whole):
    usage = course(ROOT)
    assert (usage.returncode, usage.stderr) == (0, "")
    for command in ("setup", "lab", "test", "refresh", "slides", "site"):
        assert re.search(rf"^  {command} ", usage.stdout, re.MULTILINE)
    for tool in ("refresh", "slides"):
        one_sentence(course(whole, tool, "99"), f"{tool}: ", "'99'", "00_one_picture")


def test_groups_of_tests(whole, pytestconfig):
    group = pytestconfig.pluginmanager.getplugin(str(ROOT / "conftest.py")).group
    files = ["tests/test_losses.py", "tests/test_fused_contract.py"]
    files += ["notebooks/exercises/01_a.ipynb", "tests/browser/test_site.py"]
    assert " ".join(map(group, files)) == "units kernels notebooks browser"
    file = whole / "tests" / "test_fused_a.py"
    file.write_text("def test_a(): pass\ndef test_b(): pass\n")
    said = course(whole, "test", "-n0", "--only", "kernels").stdout
    assert "2 passed" in said and "Time in tests: kernels 0 s.\n" in said
    file.unlink()


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
        course_copy.wait_until(lambda: answers(base) or server.poll() is not None)

        def asked(path):
            with urllib.request.urlopen(f"{base}{path}?{token}", timeout=20) as answer:
                return json.load(answer)

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
    assert not answers(base), "the server outlived course.py"


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=20).close()
    except urllib.error.URLError:
        return False
    return True
