"""What only some commands need: added to `.venv` by the first of them, and once."""

import json
import socket
import sys
import threading
import zipfile

import pytest
from course_copy import (
    CLOSED_PORT,
    course,
    installed_as_wheels,
    one_sentence,
    tiny_course,
    variables,
)

TEST = ("test", "-q", "-n", "0")  # in one process: it starts sooner
LANTERN = "import lantern; assert lantern.LIGHT"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """pytest-xdist, with pytest, and `lantern`, which the tiny course needs."""
    folder = tmp_path_factory.mktemp("wheels")
    installed_as_wheels(folder, "setuptools", "pytest-xdist")
    inside = {
        "lantern.py": "LIGHT = True\n",
        "lantern-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lantern\n"
        "Version: 1.0\n",
        "lantern-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        "lantern-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / "lantern-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in inside.items():
            wheel.writestr(name, content)
    return folder


@pytest.fixture(scope="module")
def ready(tmp_path_factory, wheels):
    """A tiny course that is set up, without extras."""
    folder = tiny_course(tmp_path_factory.mktemp("tiny"), wheels)
    (folder / "tools" / "website.py").write_text(LANTERN)
    offline = variables(folder, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))
    made = course(folder, *TEST, env=offline)
    assert made.returncode == 0, made.stderr
    assert added(folder) == []
    return folder


def added(folder):
    return json.loads((folder / ".venv/course-is-ready.json").read_text())["extras"]


@pytest.fixture
def deaf():
    """A package index that hangs up on every call; the list counts them."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up():
            while True:
                try:
                    call, _ = listening.accept()
                except OSError:
                    return
                calls.append(call.close())

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/simple", calls


def test_offline_tests_in_a_browser_are_skipped_with_one_sentence(ready, deaf):
    address, calls = deaf
    with_browser = {"CHROMIUM": sys.executable, "PIP_INDEX_URL": address}
    result = course(ready, *TEST, env=variables(ready, **with_browser))
    assert result.returncode == 0 and "1 passed" in result.stdout
    said = [line for line in result.stderr.splitlines() if "skipped" in line]
    assert len(said) == 1
    assert said[0].startswith("course.py: Tests in a browser are skipped: No network")
    assert said[0].endswith(".")
    assert len(calls) == 2, "pip retries once, and gives up"
    assert added(ready) == []


def test_without_a_browser_nothing_is_added(ready):
    env = variables(ready, PIP_INDEX_URL=CLOSED_PORT)
    result = course(ready, *TEST, env=env)
    assert result.returncode == 0 and result.stderr == ""


def test_extras_are_added_once_and_stay(ready, wheels):
    here = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    nowhere = {"PIP_INDEX_URL": CLOSED_PORT, "PIP_RETRIES": "1"}

    def run(*command, **more):
        result = course(ready, *command, env=variables(ready, **more))
        return result, "Adding to .venv" in result.stderr

    result, _ = run("site", **nowhere)
    one_sentence(result, "No network", "PIP_INDEX_URL")
    assert added(ready) == []
    result, adding = run("site", **here)
    assert (result.returncode, adding) == (0, True), result.stderr
    assert added(ready) == ["site"]
    result, adding = run(*TEST, CHROMIUM=sys.executable, **here)
    assert (result.returncode, adding) == (0, True), result.stderr
    assert added(ready) == ["browser", "site"]
    for command in (("site",), TEST):
        result, adding = run(*command, CHROMIUM=sys.executable, **nowhere)
        assert result.returncode == 0 and result.stderr == ""

    # An update keeps them.
    with (ready / "constraints.txt").open("a") as file:
        file.write("# changed\n")
    result, _ = run("site", **here)
    assert result.returncode == 0 and "updating .venv" in result.stderr
    assert added(ready) == ["browser", "site"]
