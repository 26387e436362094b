"""Set-up by `course.py`: from nothing, in every state, and with what can be amiss."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib import metadata

import pytest
from course_copy import (
    CLOSED_PORT,
    ROOT,
    course,
    installed_as_wheels,
    one_sentence,
    tiny_course,
    variables,
    wait_until,
    whole_course,
)

STAMP = ".venv/course-is-ready.json"
posix_only = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals or modes")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    return installed_as_wheels(folder, "setuptools", "pytest-xdist")


@pytest.fixture(scope="module")
def offline(tmp_path_factory, wheels):
    """pip's variables for a set-up that takes everything from the folder of wheels."""
    home = tmp_path_factory.mktemp("home")
    return variables(home, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))


def test_set_up(tmp_path, wheels, offline):
    """One copy's life: a kill, two calls at once, a call that skips, an update."""
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    tiny_course(folder, wheels)
    if os.name == "posix":
        kill_during_set_up(folder, offline)

    command = [sys.executable, "course.py", "test", "-q"]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    calls = [
        subprocess.Popen(command, cwd=folder, env=offline, **piped) for _ in range(2)
    ]
    outputs = [call.communicate(timeout=120) for call in calls]
    assert [call.returncode for call in calls] == [0, 0], outputs
    assert all("1 passed" in out for out, _ in outputs)
    assert sorted("Setting up" in err for _, err in outputs) == [False, True]
    assert sorted("waiting" in err for _, err in outputs) == [False, True]
    if os.name == "posix":
        assert any("unfinished" in err for _, err in outputs)

    # The second call: nothing to install from, and nothing to say about set-up.
    again = course(folder, "test", "-q")
    assert again.returncode == 0 and "1 passed" in again.stdout
    assert again.stderr == ""
    assert course(folder, "test", "-k", "absent").returncode == 5  # pytest's own

    with (folder / "constraints.txt").open("a") as file:
        file.write("# changed\n")
    updated = course(folder, "test", "-q", env=offline)
    assert updated.returncode == 0 and "updating .venv" in updated.stderr
    assert "1 passed" in updated.stdout

    # Outdated and no network: what worked before still works, and is not thrown away.
    with (folder / "pyproject.toml").open("a") as file:
        file.write("# changed too\n")
    adrift = variables(folder, PIP_INDEX_URL=CLOSED_PORT, PIP_RETRIES="1")
    (folder / "constraints.txt").write_text("pytest==0.0.1\n")
    stranded = course(folder, "test", "-q", env=adrift)
    assert "1 passed" in stranded.stdout, stranded
    assert "No network" in stranded.stderr and "stays as it is" in stranded.stderr
    assert state(folder) == "outdated"  # "unfinished" would be made anew

    # Versions that cannot be had: a sentence, and the environment is left alone.
    one_sentence(course(folder, "test", env=offline), "versions of constraints.txt")
    assert ".venv is outdated -> " in course(folder, "doctor").stdout


def kill_during_set_up(folder, env):
    """Leave what a kill leaves, and a package of which only a part was written."""
    call = subprocess.Popen(
        [sys.executable, "course.py", "test"],
        cwd=folder,
        env=env,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: [*folder.glob(".venv/lib/*/site-packages/pip")])
    os.killpg(call.pid, signal.SIGKILL)
    call.wait()
    assert not (folder / STAMP).exists()
    (packages,) = folder.glob(".venv/lib/*/site-packages")
    version = metadata.version("pytest")
    half = packages / f"pytest-{version}.dist-info"
    half.mkdir()
    (half / "METADATA").write_text(f"Name: pytest\nVersion: {version}\n")


@posix_only
def test_a_new_environment_is_not_made_from_the_old_one(tmp_path):
    folder = whole_course(tmp_path)
    code = "import environment; print(environment.base_python())"
    command = [folder / ".venv" / "bin" / "python", "-c", code]
    base = subprocess.check_output(command, cwd=folder / "tools", text=True).strip()
    assert os.path.exists(base) and not base.startswith(str(folder))


def test_an_environment_that_moved_or_lost_its_python_is_unfinished(tmp_path):
    before = tmp_path / "before"
    before.mkdir()
    after = whole_course(before).rename(tmp_path / "after")
    assert ".venv is unfinished -> " in course(after, "doctor").stdout
    after.rename(before)
    assert state(before) == "ready"
    (before / ".venv" / "pyvenv.cfg").rename(tmp_path / "pyvenv.cfg")
    assert state(before) == "unfinished", "pip would install outside .venv"
    (tmp_path / "pyvenv.cfg").rename(before / ".venv" / "pyvenv.cfg")
    if os.name == "posix":
        python = before / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to(tmp_path / "python that was uninstalled")
        assert state(before) == "unfinished"


def state(folder):
    code = "import environment; print(environment.state())"
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, cwd=folder / "tools", text=True).strip()


def test_no_network(tmp_path, wheels):
    folder = tiny_course(tmp_path, wheels)
    env = variables(folder, PIP_INDEX_URL=CLOSED_PORT, PIP_RETRIES="1")
    one_sentence(course(folder, "lab", env=env), "No network", "PIP_INDEX_URL")
    assert not (folder / ".venv").exists(), "nothing half-written may stay"
    assert ".venv is absent -> " in course(folder, "doctor").stdout


@pytest.fixture
def read_only(tmp_path):
    """A folder, and a function that runs its course.py when it may not be written."""
    if os.name == "nt":
        pytest.skip("takes POSIX modes")
    command = [sys.executable, "course.py"]
    if os.geteuid() == 0:  # root writes anywhere, unless this right is taken away
        if not shutil.which("setpriv"):
            pytest.skip("root, and no setpriv to take root's right to write away")
        command = ["setpriv", "--bounding-set=-dac_override", *command]

    def run(*arguments):
        tmp_path.chmod(0o555)
        env = variables(tmp_path)
        options = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
        return subprocess.run([*command, *arguments], **options)

    yield tmp_path, run
    tmp_path.chmod(0o755)


def test_no_write_permission(read_only, wheels):
    folder, run = read_only
    tiny_course(folder, wheels)
    words = ("No permission to write in", str(folder), "make it writable")
    one_sentence(run("test"), *words)
    assert not (folder / ".venv").exists()
    doctor = run("doctor").stdout
    assert re.search("MEND +folder .* -> not writable: make it so", doctor)


def test_a_ready_course_runs_without_write_permission(read_only):
    folder, run = read_only
    whole_course(folder)
    result = run("test", "--version")
    assert result.returncode == 0, result.stderr


def test_a_file_in_the_place_of_the_environment(tmp_path, wheels):
    folder = tiny_course(tmp_path, wheels)
    (folder / ".venv").write_text("not mine")
    one_sentence(course(folder, "test"), str(folder / ".venv"), "remove it")
    assert (folder / ".venv").read_text() == "not mine"


def run_after(folder, lines):
    """Run `course.py test` in a Python that these lines have changed."""
    end = "\nsys.argv[1:] = ['test']\nrunpy.run_path('course.py', run_name='__main__')"
    code = f"import runpy, sys\n{lines}{end}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_python_too_old(tmp_path, wheels):
    folder = tiny_course(tmp_path, wheels)
    old = "import platform\nplatform.python_version = lambda: '3.9.18'\n"
    result = run_after(folder, old + "sys.version_info = (3, 9, 18, 'final', 0)")
    one_sentence(result, "3.10 or newer", "3.9.18", "install a newer one")
    assert not (folder / ".venv").exists()


def test_course_py_can_be_parsed_by_python_3_6():
    source = (ROOT / "course.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    before = source[: source.index("sys.version_info < OLDEST")]
    imported = set(re.findall(r"^(?:import|from) (\w+)", before, re.MULTILINE))
    assert imported == {"difflib", "os", "platform", "sys"}


def test_ensurepip_missing(tmp_path, wheels):
    folder = tiny_course(tmp_path, wheels)
    hide = (
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'ensurepip' else find(name)"
    )
    one_sentence(run_after(folder, hide), "ensurepip is missing", "-venv`")
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("No space left on device: /x", "The disk is full"),
        ("WARNING: Retrying NameResolutionError\nERROR: No matching distribution "
         "found for torch", "No network"),
        ("ERROR: [Errno 13] Permission denied: '/x/.venv'", "No permission"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no torch==2.13.0"),
        ("Collecting a\nERROR: a is broken\nsee above", "failed: ERROR: a is broken"),
        ("", "Installing failed: it did not say why"),
    ],
)  # fmt: skip
def test_what_pip_says_becomes_one_sentence(said, word, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import environment

    sentence = environment.explain(said, "installing")
    assert word in sentence and "\n" not in sentence
