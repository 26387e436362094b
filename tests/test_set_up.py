"""Set-up by `course.py`: from nothing, in every state, anywhere, with what is amiss."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import course_copy
import pytest
from course_copy import CLOSED_PORT, ROOT, course, one_sentence, tiny_course, variables

STAMP = ".venv/course-is-ready.json"
NOWHERE = {"PIP_INDEX_URL": CLOSED_PORT, "PIP_RETRIES": "1"}


def start(folder, env, interrupt, python=sys.executable):
    options = {"cwd": folder, "env": env, "text": True, "start_new_session": True}
    if os.name == "posix":  # else it inherits what these tests were started with
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, interrupt)
    command = [python, "course.py", "setup"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


def test_set_up(tmp_path):
    """One copy's life: stopped, killed, set up by two calls at once, updated."""
    here = course_copy.with_tiny_wheels(tmp_path / "wheels")
    folder = tiny_course(tmp_path / "课程 1")
    nowhere = variables(tmp_path, **NOWHERE)
    python, pip = sys.executable, ".venv/lib/*/site-packages/pip"
    if os.name == "posix":
        for how in (signal.SIGINT, signal.SIGKILL):
            call = start(folder, here, signal.SIG_DFL)
            course_copy.wait_until(lambda: [*folder.glob(pip)])
            os.killpg(call.pid, how)
            said = call.communicate(timeout=60)[1]
            assert (how == signal.SIGINT) == ("Interrupted: run the same" in said)
            assert (folder / ".venv").exists() == (how == signal.SIGKILL)
        # As if pip had been half-way through a package.
        (packages,) = folder.glob(".venv/lib/*/site-packages")
        half = packages / "lantern-1.0.dist-info"
        half.mkdir()
        (half / "METADATA").write_text("Name: lantern\nVersion: 1.0\n")
        python = folder / ".venv" / "bin" / "python"  # the next call will remove it

    # In the background, where SIGINT is ignored.
    calls = [start(folder, here, signal.SIG_IGN, p) for p in (python, sys.executable)]
    said = [call.communicate(timeout=240)[1] for call in calls]
    assert [call.returncode for call in calls] == [0, 0], said
    for words in ("Setting up", "waiting", "unfinished"):
        assert sorted(words in text for text in said) == [False, True]
    found = (folder / ".venv" / "pyvenv.cfg").read_text("utf-8")
    assert folder not in Path(re.search("home = (.*)", found)[1]).parents

    # The second call: nothing to install from, and nothing to say about set-up.
    again = course(folder, "site", "1", "2", env=nowhere)
    assert (again.stdout, again.stderr, again.returncode) == ("tiny 1 2\n", "", 0)

    # More is needed, and there is no network: what worked still works.
    candle = {"CHROMIUM": sys.executable}
    stranded = course(folder, "site", env={**nowhere, **candle})
    assert stranded.stdout.endswith("tiny\n") and stranded.returncode == 0
    assert "No network: until" in stranded.stderr and not [*folder.rglob("candle.py")]
    updated = course(folder, "site", env={**here, **candle})
    assert "Updating .venv" in updated.stderr and [*folder.rglob("candle.py")]
    for env in ({**nowhere, **candle}, nowhere):  # once, and it stays
        assert course(folder, "site", env=env).stderr == ""

    # Versions that cannot be had: a sentence, and the environment is left alone.
    pins = folder / "constraints.txt"
    pins.write_text(pins.read_text().replace("==1.0", "==9"))
    one_sentence(course(folder, "site", env=here), "ERROR: ", "CONTRIBUTING.md")
    assert [*folder.rglob("lantern.py")]


EDITORS = "home = /usr/bin"  # the pyvenv.cfg of an environment that an editor made
REFUSED = [
    (None, "setup", ["No network: pip cannot reach", "CONTRIBUTING.md"]),
    (None, "tset", ["'tset'", "did you mean 'test'?"]),
    (".venv/pyvenv.cfg", "lab", ["not made by course.py", "rename or remove"]),
    (".venv", "test", [".venv was not made by course.py"]),
]


@pytest.mark.parametrize(("prepared", "command", "words"), REFUSED)
def test_refused_in_one_sentence(prepared, command, words, tmp_path):
    folder = tiny_course(tmp_path / "course")
    if prepared:
        (folder / prepared).parent.mkdir(exist_ok=True)
        (folder / prepared).write_text(EDITORS)
    before = {path.name for path in folder.iterdir()}
    result = course(folder, command, env=variables(tmp_path, **NOWHERE))
    one_sentence(result, *words)
    assert {path.name for path in folder.iterdir()} <= before | {".venv.lock"}
    assert not prepared or (folder / prepared).read_text() == EDITORS


@pytest.fixture
def closed(tmp_path):
    """Folders are closed; returns a command's beginning that may not write there."""
    root = os.name == "posix" and os.geteuid() == 0
    if os.name == "nt" or (root and not shutil.which("setpriv")):
        pytest.skip("takes POSIX modes, and setpriv where this user is root")

    def close(*folders):
        for place in (p for folder in folders for p in (folder, *folder.rglob("*"))):
            if place.is_dir() and not place.is_symlink():
                place.chmod(0o555)
        rights = ("setpriv", "--bounding-set=-dac_override") if root else ()
        return (*rights, sys.executable)

    yield close
    for place in (tmp_path, *(p for p, *_ in os.walk(tmp_path))):
        os.chmod(place, 0o755)  # else they cannot be removed


def test_what_is_somebody_elses_stays_and_lsr_venv_is_taken(closed, tmp_path):
    env = course_copy.with_tiny_wheels(tmp_path / "wheels")
    folder, theirs = tiny_course(tmp_path / "课程"), tmp_path / "theirs"
    theirs.mkdir()
    for name in ("pyvenv.cfg", "course-is-ready.json"):
        (theirs / name).write_text("{}")
    (folder / ".venv").symlink_to(theirs)
    one_sentence(course(folder, "site", env=env), "not made by course.py", "LSR_VENV")
    assert len([*theirs.iterdir()]) == 2

    (folder / ".venv.lock").unlink()
    before = closed(folder)
    env["LSR_VENV"] = str(tmp_path / "my envs" / "course")
    made = course(folder, "site", env=env, before=before)
    assert made.stdout.endswith("tiny\n") and env["LSR_VENV"] in made.stderr
    again = course(folder, "site", env=env, before=before)
    assert (again.stdout, again.stderr) == ("tiny\n", "")

    # Another copy of the course in the same place: each runs its own package.
    other = tiny_course(tmp_path / "other")
    (other / "lsr_utils" / "__init__.py").write_text("NAME = 'other'\n")
    for place, name in ((other, "other"), (folder, "tiny")):
        result = course(place, "site", env=env, before=before)
        assert result.stdout.endswith(f"{name}\n") and "Updating" in result.stderr


def test_what_cannot_be_written_is_said_and_a_ready_course_runs(closed, tmp_path):
    empty, home = tiny_course(tmp_path / "empty"), tmp_path / "home"
    home.mkdir()
    whole = course_copy.whole_course(tmp_path / "course")
    before, env = closed(empty, home, whole), variables(home)
    result = course(empty, "test", before=before)
    one_sentence(result, "Permission denied", str(empty), "copy the course")
    assert not (empty / ".venv").exists()
    result = course(whole, "test", "--version", before=before)
    assert result.returncode == 0 and "course.py" not in result.stderr, result.stderr
    for tool in ("slides", "site"):
        result = course(whole, tool, env=env, before=before)
        one_sentence(result, f"{tool}: ", "Permission denied", "build", "by --to")
    result = course(whole, "lab", env=env, before=before)
    one_sentence(result, "lab: ", "Permission denied", str(home), "JUPYTER_DATA_DIR")


OLD = """import platform, runpy, sys
platform.python_version = lambda: "3.9.18"
sys.version_info = (3, 9, 18, "final", 0)
sys.argv[1:] = ["test"]
runpy.run_path("course.py", run_name="__main__")"""


def test_python_too_old(tmp_path):
    result = course(tiny_course(tmp_path / "a"), before=[sys.executable, "-c", OLD])
    one_sentence(result, "3.10 or newer", "3.9.18", "install a newer one")
    assert not (tmp_path / "a" / ".venv").exists()
    # It can be parsed by a Python as old as 3.6, and imports nothing new before.
    source = (ROOT / "course.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    before = source[: source.index("sys.version_info < OLDEST")]
    imported = set(re.findall(r"(?m)^(?:import|from) (\w+)", before))
    assert imported == {"difflib", "os", "platform", "sys"}
