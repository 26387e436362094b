"""One day with a GPU: check, measure and record what waits for one, in order of value.

    python data/recorded/gpu.py [--minutes 14] [--out FOLDER]
    python data/recorded/gpu.py --dry-run            each part on the CPU, two minutes

Each part is a program of the course in a process of its own. It writes JSON, with its
provenance, into the folder; what lies there is not done again, so that a second call
goes on. A part begins only if the minutes that it needs are left.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

import numpy as np
import torch
from provenance import ROOT, provenance

# Name, minutes that it needs, and its arguments on a GPU and in a dry run. A word in
# capitals is replaced: OUT by the file to write, HOME by a folder of its own.
PARTS = [
    (
        "kernel_checks", 1, "tests/kernel_checks.py --device cuda --cases 400",
        "tests/kernel_checks.py --cases 8",
    ),
    (
        "fused_loss", 5, "tests/benchmarks/fused_loss.py --device cuda --minutes 4 "
        "--out OUT", "tests/benchmarks/fused_loss.py --device cpu --rounds 1 "
        "--minutes 0.2 --out OUT",
    ),
    ("lecture_02", 1, "-m pytest -q notebooks/02_the_loss.ipynb", None),
    (
        "fleet_speed", 3, "tests/benchmarks/fleet_speed.py --device cuda --out OUT",
        "tests/benchmarks/fleet_speed.py --device cpu --rounds 1 --steps 2 --out OUT",
    ),
    (
        "photographs", 5, "data/recorded/record_animals.py --device cuda --recipe "
        "fitted --seeds 1 --out HOME", "data/recorded/record_animals.py --device cpu "
        "--recipe dry --seeds 1 --out HOME",
    ),
]  # fmt: skip


def some_photographs(folder):
    """Noise in place of photographs, where a dry run looks for them."""
    rng = np.random.default_rng(0)
    images = {
        f"{kind}_{part}": values
        for part, n in (("train", 2300), ("test", 60))
        for kind, values in {
            "x": rng.random((n, 3, 32, 32), dtype=np.float32),
            "y": np.arange(n) % 6,
        }.items()
    }
    np.savez(folder / "animals-copy.npz", variant="noise, for a dry run", **images)


def run(name, arguments, out, dry, seconds):
    """Run one part, for so long at most; returns what is kept of it."""
    home = out / name
    home.mkdir(exist_ok=True)
    words = {"OUT": str(out / f"{name}.made.json"), "HOME": str(home)}
    call = [words.get(word, word) for word in arguments.split()]
    env = {**os.environ, "LSR_DEVICE": "cpu" if dry else "cuda"}
    if dry:
        some_photographs(home)
        env |= {"LSR_DATA_HOME": str(home), "TRITON_INTERPRET": "1"}
    began = time.perf_counter()
    joined = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    try:
        call = [sys.executable, *call]
        done = subprocess.run(call, cwd=ROOT, env=env, timeout=seconds, **joined)
        returned, said = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        returned, said = 124, f"{late}"
    taken = round(time.perf_counter() - began, 1)
    kept = {"returned": returned, "seconds": taken, "said": said}
    return {"command": f"python {arguments}", **kept}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=14, help="of the device")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "gpu")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args(arguments)
    dry, ends = options.dry_run, time.monotonic() + 60 * options.minutes
    if not dry and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --dry-run tries all on the CPU.")
    out = pathlib.Path(tempfile.mkdtemp()) if dry else options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    wrong = []
    for name, minutes, on_gpu, on_cpu in PARTS:
        kept = out / f"{name}.json"
        if kept.exists() and json.loads(kept.read_text("utf-8"))["returned"] == 0:
            print(f"{name}: done before")
        elif dry and name == "kernel_checks" and not find_spec("triton"):
            print(f"{name}: needs Triton, which is not installed")
        elif time.monotonic() + 60 * minutes > ends and not dry:
            print(f"{name}: needs {minutes} minutes, which are not left")
        else:
            left = ends - time.monotonic()
            found = run(name, (on_cpu or on_gpu) if dry else on_gpu, out, dry, left)
            found |= provenance(found["command"], "cpu" if dry else "cuda")
            kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
            right = found["returned"] == 0
            wrong += [] if right else [name]
            print(f"{name}: {'done' if right else 'FAILED'}, {found['seconds']} s")
            print("" if right else found["said"][-1500:], end="", flush=True)
    print(f"In {out}." if not dry else f"{len(PARTS)} parts tried.")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
