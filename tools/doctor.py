"""Say what is missing for the course on this machine, each finding with its mend.

`course.py doctor` looks at the machine first and then runs this file in .venv. In
another environment, conda's for one, run `python tools/doctor.py` there.
"""

import os
import platform
import shutil
import signal
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import chromium
import environment

ROOT = environment.ROOT
SET_UP = "`python3 course.py test`"


def check(name, holds, finding, mend=""):
    """Print one line of the report; `holds` is None for a remark that fails nothing."""
    mark = {True: "ok  ", False: "MEND", None: "note"}[holds]
    hint = f" -> {mend}" if mend and holds is not True else ""
    print(f"{mark}  {name:<12} {finding}{hint}", flush=True)
    return holds is not False


# -- seen from outside: set-up has perhaps failed, and nothing is installed ----------


def examine_from_outside(arguments):
    """Check what set-up needs, then let .venv's own Python examine the inside."""
    found = environment.state()
    missing = environment.missing_modules()
    free = f"{shutil.disk_usage(ROOT).free / 1e9:.1f} GB free"
    mends = {
        "outdated": f"{SET_UP} updates it",
        "unfinished": f"{SET_UP} makes it anew",
        "absent": f"{SET_UP} makes it",
    }
    healthy = [
        check("venv, pip", not missing, missing or "Python can make an environment"),
        check(
            "folder",
            writable(ROOT),
            f"{ROOT}, {free}",
            "not writable: make it so, or copy the course into a folder of your own",
        ),
        check("environment", found == "ready", f".venv is {found}", mends.get(found)),
    ]
    if found in ("ready", "outdated"):
        code, _ = environment.run([os.path.join("tools", "doctor.py"), *arguments])
        healthy.append(code == 0)
    return all(healthy)


# -- seen from inside: with the packages ---------------------------------------------


def python():
    oldest = (3, 10)
    return check(
        "Python",
        sys.version_info >= oldest,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "the course needs 3.10 or newer",
    )


def packages():
    """Ranges must hold; another version than the pinned one is only worth a note."""
    from packaging.requirements import Requirement

    def belongs(requirement):
        marker = requirement.marker
        return marker is None or marker.evaluate({"extra": "test"})

    def differing(requirements):
        for requirement in filter(belongs, map(Requirement, requirements)):
            try:
                version = metadata.version(requirement.name)
            except metadata.PackageNotFoundError:
                version = "missing"
            if version == "missing" or not requirement.specifier.contains(
                version, prereleases=True
            ):
                yield requirement, version

    needed = metadata.requires("lsr-utils")
    amiss = [
        f"{need.name}{need.specifier} ({version})"
        for need, version in differing(needed)
    ]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in pins if line and not line.startswith("#")]
    others = [
        f"{pin.name} {version}, not {str(pin.specifier).lstrip('=')}"
        for pin, version in differing(pins)
        if version != "missing"  # CUDA's parts, on a machine without CUDA
    ]
    if amiss:
        finding = f"missing or of the wrong version: {'; '.join(amiss)}"
        return check("packages", False, finding, f"remove .venv, then run {SET_UP}")
    if others:
        return check(
            "packages",
            None,
            f"other versions than in constraints.txt: {'; '.join(others)}",
            "they should do; where an output differs, try the pinned versions",
        )
    return check("packages", True, "as in constraints.txt")


def device():
    import torch

    finding = f"CPU, {os.cpu_count()} cores; PyTorch {torch.__version__}"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        finding = f"CUDA, {torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    elif torch.backends.mps.is_available():
        finding = "CPU; the notebooks do not use the GPU of this Mac"
    elif torch.version.cuda:
        mend = "fine for the course; with an NVIDIA GPU, look at `nvidia-smi`"
        return check("device", None, f"{finding} with CUDA, but no GPU seen", mend)
    return check("device", True, finding)


def threads():
    import torch

    number = torch.get_num_threads()
    finding = f"{number} by default; notebooks take one, as small networks like it"
    return check("threads", True, finding)


def loss():
    """A row whose logit gap is the optimal one has the least loss there is."""
    import torch

    from lsr_utils.losses import LabelSmoothingCrossEntropy
    from lsr_utils.targets import minimum_loss, optimal_gap

    eps, num_classes = 0.1, 6
    logits = torch.zeros(1, num_classes, dtype=torch.float64)
    logits[0, 0] = optimal_gap(eps=eps, num_classes=num_classes)
    measured = LabelSmoothingCrossEntropy(eps)(logits, torch.tensor([0])).item()
    expected = float(minimum_loss(eps=eps, num_classes=num_classes))
    return check(
        "loss",
        abs(measured - expected) < 1e-12,
        f"{measured:.6f}, in closed form {expected:.6f}",
        "lsr_utils has been changed, or is another copy: compare with git",
    )


def data_cache():
    from lsr_utils.datasets import cache_folder

    folder = Path(cache_folder())
    return check(
        "data cache",
        writable(folder),
        str(folder),
        "not writable: set LSR_DATA_HOME to a folder of your own",
    )


def browser():
    path = chromium.find()
    without = "Without it slides have no PDF handouts, and tests in it are skipped."
    finding = path or f"{chromium.MISSING} {without}"
    return check("Chromium", True if path else None, finding)


def writable(folder):
    """Whether files can be made in `folder`, or it can be made; leaves nothing."""
    folder = Path(folder)
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def examine_from_inside():
    healthy = []
    for examine in (python, packages, device, threads, loss, data_cache, browser):
        try:
            healthy.append(examine())
        except Exception as error:  # a report must not stop at what it should report
            finding = f"{type(error).__name__}: {error}"
            mend = f"remove .venv, then run {SET_UP}"
            healthy.append(
                check(examine.__name__.replace("_", " "), False, finding, mend)
            )
    return all(healthy)


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # `course.py doctor | head` ends without a word
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(0 if examine_from_inside() else 1)
