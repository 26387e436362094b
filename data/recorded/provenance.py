"""Where a recorded number comes from: device, versions, date, commit, command."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def provenance(command, device="cpu"):
    """What every recorded file holds beside its numbers, as a dict.

    command : that makes the file again, as typed in the course's folder
    device  : "cpu" or "cuda"
    """
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        made = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True)
        commit = made.stdout.strip() or None
    except OSError:  # no git here: the folder may be an unpacked archive
        commit = None
    return {
        "device": device_name(device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device == "cuda" else None,
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "command": command,
    }


def device_name(device):
    """The name of the GPU, or of the processor where the system tells it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def load():
    """Mean number of waiting processes over the last minute, or None on Windows."""
    return round(os.getloadavg()[0], 2) if sys.platform != "win32" else None
