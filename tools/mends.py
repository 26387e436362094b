"""What pip, venv or the system says, and what to tell the reader (standard library)."""

import platform
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_NETWORK = "No network: "

# The first that fits counts: without a network pip also says that it found no
# matching distribution.
MENDS = (
    (
        r"No space left|Errno 28|Disk quota exceeded|not enough space",
        "The disk is full ({free:.1f} GB free in {root}): set-up needs about 2 GB, or "
        "8 GB where PyTorch carries CUDA; free some and run the same command again.",
    ),
    (
        r"Operation cancelled by user|KeyboardInterrupt",
        "Interrupted: run the same command to start again.",
    ),
    (
        r"NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|ProxyError"
        r"|SSLError|ConnectionReset|RemoteDisconnected|Network is unreachable"
        r"|Max retries",
        NO_NETWORK + "set-up needs packages that pip could not reach; connect (or tell "
        "pip by its PIP_PROXY or PIP_INDEX_URL) and run the same command again.",
    ),
    (
        r"Permission denied|Errno 13|Access is denied|Read-only file system",
        "No permission to write in {root}: make it writable, or copy the course into a "
        "folder of your own.",
    ),
    (
        r"ResolutionImpossible",
        "pip cannot install the versions of constraints.txt: there is no network, or "
        "pip's own settings keep it from finding them, or they do not fit the ranges "
        "of pyproject.toml (then get both files anew).",
    ),
    (
        r"No matching distribution found for (?P<what>\S+)",
        "pip finds no {what} for Python {version} on {system}: take a Python from 3.10 "
        "to 3.13 on Linux, Windows or macOS 14 (Apple silicon), or the conda way in "
        "CONTRIBUTING.md.",
    ),
)


def explain(said, doing):
    """One sentence for what went wrong while `doing`, from what the tool said."""
    for pattern, mend in MENDS:
        found = re.search(pattern, said)
        if found:
            return mend.format(
                free=shutil.disk_usage(ROOT).free / 1e9,
                root=ROOT,
                version=platform.python_version(),
                system=f"{platform.system()} {platform.machine()}",
                **found.groupdict(),
            )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines
    last = errors[-1] if errors else "it did not say why"
    return f"{doing[0].upper()}{doing[1:]} failed: {last}"
