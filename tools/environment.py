"""Make and keep `.venv`, the environment of the course (standard library only).

It holds the versions of `constraints.txt` and this package, editable. Its stamp says
what it was made from and is written last: when that changes, `.venv` is updated, and
after an interruption or a move it is made anew.
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
ENV = ROOT / ".venv"
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENV / "course-is-ready.json"
OFFLINE = re.compile(
    "NewConnection|NameResol|Timeout|Proxy|SSLError|Reset|Disconnected|unreachable"
)


class Stop(Exception):
    """One sentence for the reader: what is wrong, and what to do."""


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
    """Make .venv ready, or raise Stop."""
    if stamp() == wanted():
        return
    with one_at_a_time():
        before, now = stamp(), wanted()
        if before == now:  # another call made it so while this one waited
            return
        if now["origin"] and now["origin"] == before.get("origin"):
            say("Updating .venv to what the course now needs.")
            try:
                install()
            except Stop as stop:
                if "No network" not in str(stop):
                    raise
                # On a train, say. pip fetches all before it changes anything.
                return say(f"{stop} Until then, .venv stays as it is.")
        else:
            make()
        STAMP.write_text(json.dumps(wanted()), encoding="utf-8")


def make():
    """Make .venv anew, with the Python that runs this."""
    if STAMP.exists():
        say("The .venv that is there is unfinished or was made elsewhere: removing it.")
        shutil.rmtree(ENV)
    if os.path.lexists(ENV):
        raise Stop(
            f"{ENV} was not made by course.py and stays as it is: rename or remove it, "
            "and run the same command again."
        )
    say(
        "Setting up the course in .venv, once. Most of the download is PyTorch, "
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
        say("Removing the unfinished .venv.")
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
    """Run a module in .venv; where it fails, raise Stop with a sentence on why."""
    done = subprocess.run(
        [PYTHON, "-m", *module],
        cwd=ROOT,
        env=variables(),
        stderr=subprocess.PIPE,
        close_fds=False,  # it inherits the lock: see one_at_a_time
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        why = re.findall("(?m)^.*(?:ERROR|No module named).*?(?=\\W*$)", said)
        # Offline, pip's last word is that it found no matching distribution.
        why += ["No network: pip cannot reach the packages"] * bool(
            OFFLINE.search(said)
        )
        raise Stop(
            f"{(why or ['Set-up failed'])[-1]}; see *Troubleshooting* in "
            "CONTRIBUTING.md, and run the same command again."
        )


@contextlib.contextmanager
def one_at_a_time():
    """Let one call set up while others wait; the system frees a dead call's lock."""
    with open(ROOT / ".venv.lock", "a") as file:
        # When only this process is killed, the pip that it leaves behind has it still.
        os.set_inheritable(file.fileno(), True)
        if not locked(file):
            say("Another call is setting up .venv: waiting for it.")
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
