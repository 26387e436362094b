"""The commands of `course.py`, on a copy that is set up. (test_set_up.py: set-up.)"""

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from course_copy import ROOT, course, one_sentence, variables, wait_until, whole_course


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return whole_course(tmp_path_factory.mktemp("the whole course"))


def test_unknown_command():
    one_sentence(course(ROOT, "tset"), "'tset'", "did you mean 'test'", "doctor")


def test_no_command_prints_the_usage():
    assert course(ROOT).returncode == 2
    usage = course(ROOT, "--help")
    assert usage.returncode == 0
    for command in ("lab", "test", "refresh", "doctor"):
        assert re.search(rf"^  {command} ", usage.stdout, re.MULTILINE)


def test_refresh_says_what_is_wrong(whole):
    one_sentence(course(whole, "refresh", "99"), "'99'", "00_start_here")


def test_doctor_finds_nothing(whole):
    result = course(whole, "doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "MEND" not in result.stdout
    assert re.search("ok +loss +0.420956, in closed form 0.420956", result.stdout)


def test_doctor_shows_what_is_wrong_and_its_mend(tmp_path):
    folder = whole_course(tmp_path)
    (folder / "a file").touch()
    with (folder / "lsr_utils" / "targets.py").open("a") as file:
        file.write("\n\ndef minimum_loss(*_, **__):\n    return 0.5\n")
    info = next(folder.rglob("site-packages")) / "lsr_utils-0.1.0.dist-info"
    info.mkdir()
    needs = "Requires-Dist: numpy>=99\nRequires-Dist: no-such-package"
    (info / "METADATA").write_text(f"Name: lsr-utils\nVersion: 0.1.0\n{needs}\n")
    env = variables(folder, LSR_DATA_HOME=str(folder / "a file"))
    result = course(folder, "doctor", env=env)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    lines = {line.split()[1]: line for line in result.stdout.splitlines()}
    for name, *words in (
        ("packages", "numpy>=99", "no-such-package (missing)", "remove .venv"),
        ("loss", "0.420956, in closed form 0.500000", "lsr_utils has been changed"),
        ("data", "a file", "set LSR_DATA_HOME"),
    ):
        assert lines[name].startswith("MEND") and " -> " in lines[name]
        assert all(word in lines[name] for word in words), lines[name]


@pytest.mark.parametrize("taken", [False, True], ids=["free port", "taken port"])
def test_lab_serves_notebook_00(taken, whole):
    """At the port that was asked for, or, with a word on it, at Jupyter's next one."""
    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]
    if not taken:
        other.close()
    # Where JupyterLab lies in the environment that the copy borrows.
    from jupyterlab.commands import get_app_dir

    env = variables(whole, JUPYTERLAB_DIR=get_app_dir())
    server = subprocess.Popen(
        [sys.executable, "course.py", "lab", "--no-browser", f"--port={port}"],
        cwd=whole,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = r"(http://127\.0\.0\.1:\d+)(/lab/tree/\S+)\?(token=\w+)"
        said = ""
        while not (found := re.search(address, said)):
            said += (line := server.stderr.readline())
            assert line, "the server ended before it said its address"
        base, page, token = found.groups()
        assert page == "/lab/tree/notebooks/00_start_here.ipynb"
        assert (base == f"http://127.0.0.1:{port}") != taken
        sentence = f"The port {port} is already in use, trying another port."
        assert (sentence in said) == taken
        wait_until(lambda: answers(base) or server.poll() is not None)
        with urllib.request.urlopen(f"{base}{page}?{token}", timeout=20) as answer:
            assert '"news": {"disabled": true}' in answer.read().decode()
        path = page.replace("/lab/tree/", "/api/contents/")
        with urllib.request.urlopen(f"{base}{path}?{token}", timeout=20) as answer:
            cells = json.load(answer)["content"]["cells"]
        assert [cell["source"] for cell in cells] == ["1 + 1", "2 + 2;"]
    finally:
        other.close()
        server.terminate()
        server.communicate(timeout=20)
    assert not answers(base), "the server outlived course.py"


def answers(address):
    try:
        urllib.request.urlopen(address, timeout=20).close()
    except urllib.error.URLError:
        return False
    return True
