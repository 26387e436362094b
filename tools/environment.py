"""Make and keep `.venv`, the environment of the course (standard library only).

It lies where LSR_VENV says, if that is set. Its stamp says what it was made from and is
written last: when that changes, `.venv` is updated, and after an interruption or a move
it is made anew.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import chromium

ROOT = Path(__file__).resolve().parent.parent
# From where the command was typed; not resolved, as a link is somebody's own.
ENV = Path(os.path.abspath(os.environ.get("LSR_VENV") or ROOT / ".venv"))
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENV / "course-is-ready.json"
OFFLINE = "NewConnection|NameResol|Timeout|Proxy|SSLE|Reset|Disconnected|unreachable"


def say(sentence):
    print(f"course.py: {sentence}", file=sys.stderr, flush=True)


def stamp():
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def wanted():
    """What the stamp says when .venv is ready."""
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    return {
        "origin": origin(),
        "course": os.fsencode(ROOT).hex(),  # of which the package is installed
        "files": hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest(),
        "browser": stamp().get("browser", False) or bool(chromium.find()),
    }


def origin():
    """Where .venv lies and the Python it is of; None if that is gone.

    The place in bytes: for which letters they stand depends on the locale.
    """
    python = os.path.realpath(PYTHON)  # python3.12, say: an upgrade may change that
    whole = os.path.exists(python) and os.path.exists(ENV / "pyvenv.cfg")
    return [os.fsencode(ENV).hex(), os.path.basename(python)] if whole else None


def prepare():
    """Make .venv ready, or exit with one sentence on what is wrong."""
    if stamp() == wanted():
        return
    with one_at_a_time():
        if stamp() == wanted():  # another call made it so while this one waited
            return
        if stamp().get("origin", "nowhere") == origin():
            say(f"Updating {ENV.name} to what the course now needs.")
            try:
                install()
            except SystemExit as problem:
                if "No network" not in str(problem):
                    raise
                # On a train, say. pip fetches all before it changes anything.
                return say("No network: until there is one, it stays as it is.")
        else:
            make()
        STAMP.write_text(json.dumps(wanted()), encoding="utf-8")


def make():
    """Make .venv anew, with the Python that runs this."""
    if sys.version_info < (3, 11) and sys.prefix != sys.base_prefix:
        sys._base_executable = os.path.realpath(sys.executable)  # not .venv's own
    if STAMP.exists() and not ENV.is_symlink():
        say(f"The {ENV.name} there is unfinished or was made elsewhere: removing it.")
        shutil.rmtree(ENV)
    if os.path.lexists(ENV):
        sys.exit(
            f"course.py: {ENV} was not made by course.py and stays as it is: rename or "
            "remove it, or name another place by the variable LSR_VENV, and run the "
            "same command again."
        )
    say(
        f"Setting up the course in {ENV}, once. Most of the download is PyTorch, "
        "gigabytes with CUDA; CONTRIBUTING.md tells how to take the small build."
    )
    try:
        ENV.mkdir()
        STAMP.write_text("{}", encoding="utf-8")  # it is ours, and unfinished
        venv.create(ENV, symlinks=os.name != "nt")
        shutil.copytree(ROOT / "tools/jupyter", ENV, dirs_exist_ok=True)
        inside("ensurepip", "--default-pip")
        install()
    except BaseException:
        shutil.rmtree(ENV, ignore_errors=True)
        raise


def install():
    """Let pip install this package, editable, and what it needs."""
    say("pip installs the packages. Its last step can be silent for two minutes.")
    pip = ["pip", "install", "--no-input", "--disable-pip-version-check"]
    pip += ["--constraint", "constraints.txt"]
    # setuptools comes first, at its pinned version, and then builds this package:
    # pip's isolated build would fetch another one, and need the network each time.
    inside(*pip, "setuptools")
    extras = "test,site,browser" if wanted()["browser"] else "test,site"
    inside(*pip, "--no-build-isolation", "--editable", f".[{extras}]")


def inside(*module):
    """Run a module in .venv; where it fails, exit with one sentence on why."""
    options = {"cwd": ROOT, "env": variables(), "close_fds": False}
    done = subprocess.run([PYTHON, "-m", *module], stderr=subprocess.PIPE, **options)
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        lines = re.findall("(?m)^.*(?:ERROR|No module named).*?(?=\\W*$)", said)
        why = ["Set-up failed", *lines][-1]
        if re.search(OFFLINE, said):  # then pip also finds no matching distribution
            why = "No network: pip cannot reach the packages"
        sys.exit(f"course.py: {why}; see Troubleshooting in CONTRIBUTING.md.")


@contextlib.contextmanager
def one_at_a_time():
    """Let one call set up while others wait; the system frees a dead call's lock."""
    ENV.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{ENV}.lock", "a") as file:
        # Inherited by pip (close_fds), which a kill of this process may leave behind.
        os.set_inheritable(file.fileno(), True)
        if not locked(file):
            say(f"Another call is setting up {ENV.name}: waiting for it.")
            while not locked(file):
                time.sleep(0.5)
        yield


def locked(file):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # another kind: a file system without locks
        return not isinstance(error, (BlockingIOError, PermissionError))
    return True


def run(arguments):
    """Run .venv's Python to its end; returns its exit code."""
    child = subprocess.Popen([PYTHON, *arguments], cwd=ROOT, env=variables())
    # Ctrl-C reaches the child by itself, and the child decides: Jupyter asks first.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    return code if code >= 0 else 128 - code


def variables():
    """The caller's variables, pip's own among them, as if .venv were activated."""
    # Packages from elsewhere would hide the versions of constraints.txt.
    hiding = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
    return {
        **{name: value for name, value in os.environ.items() if name not in hiding},
        "VIRTUAL_ENV": str(ENV),
        "PATH": os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", "")]),
        "PYTHONUTF8": "1",  # the same names of folders in every locale
        "JUPYTER_PREFER_ENV_PATH": "1",  # this Python's kernel before the user's
    }
