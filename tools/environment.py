"""Make and keep `.venv`, the environment of the course (standard library only).

The environment holds the versions of `constraints.txt` and this package, editable.
A stamp, written last, says what it was made from: a call that finds the stamp true
skips set-up, and an environment without one counts as unfinished and is made anew.
What only some commands need (the extras `site` and `browser`) is added by the first
of them, and the stamp lists it.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from mends import NO_NETWORK, explain

ROOT = Path(__file__).resolve().parent.parent
ENV = ROOT / ".venv"
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENV / "course-is-ready.json"
LOCK = ROOT / ".venv.lock"
BASE = "test"  # the extra that every command needs; one environment serves them all


class Stop(Exception):
    """One sentence for the reader: what is wrong, and the mend."""


def say(sentence):
    print(f"course.py: {sentence}", file=sys.stderr, flush=True)


# -- what is there -------------------------------------------------------------------


def state():
    """`ready`, `outdated` (the files changed since), `unfinished` or `absent`."""
    if not os.path.lexists(ENV):
        return "absent"
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "unfinished"
    now = description()
    if not now["python"] or not isinstance(stamp, dict):
        return "unfinished"
    if any(stamp.get(key) != now[key] for key in ("python", "location")):
        return "unfinished"
    return "ready" if stamp.get("files") == now["files"] else "outdated"


def added():
    """The extras that were added to .venv."""
    try:
        return list(json.loads(STAMP.read_text(encoding="utf-8")).get("extras", []))
    except (OSError, ValueError, AttributeError):
        return []


def description():
    """What the stamp of a ready environment says, but for its extras."""
    digest = hashlib.sha256(BASE.encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return {"python": own_python(), "location": str(ENV), "files": digest.hexdigest()}


def own_python():
    """The version of .venv's Python, or "" if it does not start or is not .venv's own.

    It no longer starts once the Python that it was made from is gone, and a system
    upgrade can put another version in its place.
    """
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix)"
    try:
        answer = subprocess.run([PYTHON, "-I", "-c", code], capture_output=True)
        version, prefix = os.fsdecode(answer.stdout).strip().split(" ", 1)
        return version if os.path.samefile(prefix, ENV) else ""
    except (OSError, ValueError):
        return ""


# -- setting up ----------------------------------------------------------------------


def prepare():
    """Make .venv ready, or raise Stop."""
    if state() == "ready":
        return
    with one_at_a_time():
        found = state()
        if found == "ready":  # another call made it so while this one waited
            return
        started, extras = time.monotonic(), []
        if found == "outdated":
            say("pyproject.toml or constraints.txt has changed: updating .venv.")
            extras = added()
            # Until the update is done it is neither what it was nor what it should be.
            stamp(extras, files="updating")
            try:
                install(extras)
            except Stop as stop:
                if not str(stop).startswith(NO_NETWORK):
                    raise
                # On a train, say. pip fetches all before it changes anything.
                say(f"{stop} Until then, .venv stays as it is.")
                return
        else:
            if found == "unfinished":
                say(".venv is unfinished or was made elsewhere: making it anew.")
            make()
            try:
                install(extras)
            except BaseException:
                say("Removing the unfinished .venv.")
                shutil.rmtree(ENV, ignore_errors=True)
                raise
        stamp(extras)
        say(f"Set-up took {time.monotonic() - started:.0f} s.")


def add(*extras, patient=True):
    """Add these extras of pyproject.toml to the ready .venv, or raise Stop.

    patient : whether pip retries as often as it is set to, or once. (Once is its least:
        without a retry it does not say that it reached nothing.)
    """
    if set(extras) <= set(added()):
        return
    with one_at_a_time():
        had = added()
        wanted = sorted({*had, *extras})
        if wanted == sorted(had):  # another call added them
            return
        say(f"Adding to .venv what {' and '.join(extras)} needs, which happens once.")
        install(wanted, *([] if patient else ["--retries", "1"]))
        stamp(wanted)


def install(extras, *options):
    # setuptools comes first, at its pinned version, and then builds this package:
    # pip's isolated build would fetch another one, and need the network each time.
    pip("setuptools", *options)
    what = f".[{','.join([BASE, *extras])}]"
    pip("--no-build-isolation", "--editable", what, *options)


def stamp(extras, **changes):
    fresh = STAMP.with_suffix(".new")
    text = json.dumps({**description(), "extras": extras, **changes}, indent=1) + "\n"
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(STAMP)


def make():
    """Make an empty .venv, whatever is there, with the Python that runs this."""
    if missing_modules():
        raise Stop(missing_modules())
    if ENV.exists() and not ENV.is_dir():
        raise Stop(f"{ENV} is a file where a folder must be: remove it.")
    say(
        "Setting up the course in .venv, which happens once. Most of the download is "
        "PyTorch: hundreds of megabytes, and several gigabytes where its default "
        "build carries CUDA (Linux). CONTRIBUTING.md tells how to take the small CPU "
        "build."
    )
    made = subprocess.run(
        [base_python(), "-m", "venv", "--clear", ENV],
        env=variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        close_fds=False,  # the lock: see one_at_a_time
    )
    if made.returncode:
        shutil.rmtree(ENV, ignore_errors=True)
        raise Stop(explain(made.stdout, f"making {ENV}"))


def missing_modules():
    """What to say when this Python cannot make an environment, else ""."""
    for name in ("venv", "ensurepip"):
        if importlib.util.find_spec(name) is None:
            version = "{}.{}".format(*sys.version_info[:2])
            return (
                f"Python's module {name} is missing, so no environment can be made: on "
                f"Debian or Ubuntu run `sudo apt install python{version}-venv`, "
                "elsewhere take Python from python.org or conda."
            )
    return ""


def base_python():
    """The Python outside any environment: the one running this may be .venv's own."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    name = "python.exe" if os.name == "nt" else "bin/python{}.{}"
    base = Path(sys.base_prefix, name.format(*sys.version_info[:2]))
    return str(base) if base.exists() else sys.executable


def pip(*arguments):
    code, complaints = run(
        [
            *("-m", "pip", "install", "--no-input", "--disable-pip-version-check"),
            *("--constraint", "constraints.txt", *arguments),
        ],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        close_fds=False,  # the lock: see one_at_a_time
    )
    if code:
        raise Stop(explain(complaints, "installing the packages"))


@contextlib.contextmanager
def one_at_a_time():
    """Let one call set up while others wait; the system frees a dead call's lock."""
    with LOCK.open("a") as handle:
        # Inherited by pip: when only this process is killed, the next call still
        # waits until the pip that it left behind is done with .venv.
        os.set_inheritable(handle.fileno(), True)
        waiting = False
        while not locked(handle):
            if not waiting:
                say("Another call is setting up .venv: waiting for it.")
            waiting = True
            time.sleep(0.5)
        yield


def locked(handle):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass  # a file system without locks: go on without
    return True


# -- running things in it ------------------------------------------------------------


def run(arguments, **options):
    """Run .venv's Python to its end: (exit code, what it wrote to a piped stderr)."""
    child = subprocess.Popen([PYTHON, *arguments], cwd=ROOT, env=variables(), **options)
    # Ctrl-C reaches the child by itself, and the child decides: Jupyter asks first.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    complaints = child.stderr.read() if child.stderr else ""
    code = child.wait()
    return (code if code >= 0 else 128 - code), complaints


def variables():
    """The caller's variables, pip's own among them, as if .venv were activated."""
    path = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", "")])
    result = {**os.environ, "VIRTUAL_ENV": str(ENV), "PATH": path}
    # Packages from elsewhere would hide the versions of constraints.txt.
    for name in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__"):
        result.pop(name, None)
    return result
