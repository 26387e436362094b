"""One loss step, forward and backward: the fused loss beside its peers, as JSON.

    python tests/benchmarks/fused_loss.py [--device cuda] [--out FILE] [--rounds N]
                                          [--minutes M]

Time is the median of interleaved rounds (on the CPU this process's), and a multiple
of an in-place scale of the logits; memory is what is held beyond the logits. Peers that
are missing are named: `pip install -e .[bench]`. On an idle CPU five minutes, in two
processes: with pages of memory as they come, and, with glibc, with pages that are kept.
On CUDA first the kernels are held against float64 and must not wait; after
``--minutes`` nothing new is begun, and "not_measured" lists the rest.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import torch

HERE = pathlib.Path(__file__).resolve()
TESTS = HERE.parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "data" / "recorded")]
import fused_ways  # noqa: E402
from fused_ways import UPSTREAM, check, pytorch, step  # noqa: E402
from provenance import ROOT, load, provenance  # noqa: E402

from lsr_utils import measure  # noqa: E402
from lsr_utils.fused import cpu, kernel  # noqa: E402

try:
    import resource
except ImportError:  # not on Windows
    resource = None

FRESH, KEPT = "as they come", "kept"
# For glibc: nothing is mapped apart, and nothing goes back to the operating system.
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
KEEP_PAGES["MALLOC_TOP_PAD_"] = str(2**29)
SIZES = {
    "cpu": [(256, 6), (1024, 1000), (512, 32_000)],
    "cuda": [(4_000_000, 6), (262_144, 1000), (8192, 32_000), (8192, 128_256)],
}


def cost(call, repeats, device):
    """Seconds of a call (on the CPU this process's), and there its page faults."""
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return {"s": start.elapsed_time(end) / 1e3 / repeats}
    before = resource and resource.getrusage(resource.RUSAGE_SELF)
    start = time.process_time()
    for _ in range(repeats):
        call()
    taken = {"s": (time.process_time() - start) / repeats}
    if resource is not None:
        after = resource.getrusage(resource.RUSAGE_SELF)
        taken["page_faults"] = (after.ru_minflt - before.ru_minflt) / repeats
    return taken


def compare(found, device, n, num_classes, dtype, upstream, rounds, failed=None):
    """A row of results for each way; those that end in an error go to ``failed``."""
    failed = {} if failed is None else failed
    source = torch.randn(n, num_classes, device=device).to(dtype)
    logits = source.clone().requires_grad_()
    targets = torch.randint(num_classes, (n,), device=device)
    up = torch.tensor(upstream, device=device)
    calls = {
        name: lambda fn=fn: step(fn, logits, targets, up)
        for name, fn in found.items()
        if upstream != 1 or "scale known" not in name
    }
    calls["in-place scale"] = lambda: logits.detach().mul_(0.999)
    once = cost(lambda: step(pytorch, logits, targets, up), 3, device)["s"]
    repeats = max(1, min(50, int(5e-3 / once)))
    raw = {name: [] for name in calls}
    for number in range(-2, rounds):
        for name, call in list(calls.items()):
            logits.detach().copy_(source)  # some ways overwrite it
            try:
                taken = cost(call, repeats, device)
            except Exception as problem:  # a peer that is not for this size
                _leave_out(name, calls, failed, problem)
                continue
            if number >= 0:
                raw[name].append(taken)
    peaks = {}
    for name, call in list(calls.items()):
        try:
            peaks[name] = measure.peak_bytes(call, device)
        except Exception as problem:
            _leave_out(name, calls, failed, problem)
    seconds = {name: [taken["s"] for taken in raw[name]] for name in calls}
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    rows = []
    for name, per in medians.items():
        row = {
            "N": n, "K": num_classes, "dtype": str(dtype).removeprefix("torch."),
            "upstream": upstream, "way": name, "ms": round(1e3 * per, 5),
            "of_scale": round(per / medians["in-place scale"], 3),
            "times": round(medians["PyTorch"] / per, 3),
            "copies": round(peaks[name] / source.nbytes, 3),
            "low_ms": round(1e3 * min(seconds[name]), 5),
            "high_ms": round(1e3 * max(seconds[name]), 5),
        }  # fmt: skip
        if "page_faults" in raw[name][0]:
            faults = statistics.median(taken["page_faults"] for taken in raw[name])
            row["page_faults"] = round(faults)
        rows.append(row)
    return rows


def _leave_out(name, calls, failed, problem):
    if name in ("PyTorch", "in-place scale"):
        raise problem
    del calls[name]
    failed[name] = type(problem).__name__


def measure_all(device, rounds, sizes, until=math.inf):
    """Yield the rows of this process, until ``until``, and what is missing."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found, missing = fused_ways.ways(device)
    yield {"missing": missing, "compiled": cpu.compiled() if device == "cpu" else None}
    left = []
    for n, num_classes in sizes:
        for dtype in (torch.float32, torch.bfloat16):
            if time.monotonic() > until:
                left.append({"N": n, "K": num_classes, "dtype": str(dtype)[6:]})
                yield {"not_measured": left}
                continue
            made = fused_ways.compiled()
            # Few rows will do, but what is compiled is so for one shape.
            failed = check(found, device, min(n, 64), num_classes, dtype)
            failed |= check(made, device, n, num_classes, dtype)
            every = {k: way for k, way in (found | made).items() if k not in failed}
            for upstream in (1.0, UPSTREAM):
                given = every, device, n, num_classes, dtype, upstream, rounds
                yield from compare(*given, failed)
            for name, problem in failed.items():
                missing[f"{name}, {n} x {num_classes}, {dtype}"] = problem
            if failed:
                yield {"missing": missing}


def in_a_process(pages, rounds, minutes):
    """What ``measure_all`` yields in a process of its own, by how it gets its pages."""
    env = os.environ | (KEEP_PAGES if pages == KEPT else {})
    command = [
        sys.executable, str(HERE), "--device", "cpu", "--rows",
        "--rounds", str(rounds), "--minutes", str(minutes),
    ]  # fmt: skip
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            yield json.loads(line)
    if child.returncode:
        raise SystemExit(f"Measuring with pages {pages} failed: see above.")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--minutes", type=float, help="on CUDA 7, else without end")
    parser.add_argument("--rows", action="store_true", help="only print the rows")
    options = parser.parse_args(arguments)
    device, rounds = options.device, options.rounds
    minutes = options.minutes or (7 if device == "cuda" else math.inf)
    start = time.monotonic()
    until = start + 60 * minutes
    if options.rows:
        for row in measure_all(device, rounds, SIZES[device], until):
            print(json.dumps(row), flush=True)
        return
    command = f"python tests/benchmarks/fused_loss.py --device {device}"
    record = {
        **provenance(f"{command} --rounds {rounds}", device),
        "threads": 1, "rounds": rounds, "load_before": load(),
        "kernel": device == "cuda" and kernel.triton is not None,
    }  # fmt: skip
    if device == "cuda":
        import fused_device

        # A third of the time at most for what is not the measurement itself.
        record["checks"] = fused_device.examine(until - 60 * minutes * 2 / 3)
        say(f"checked: {record['checks']}", start)
        runs = {None: measure_all(device, rounds, SIZES[device], until)}
    else:
        glibc = platform.libc_ver()[0] == "glibc"
        ways_to = (FRESH, KEPT) if glibc else (FRESH,)
        runs = {p: in_a_process(p, rounds, minutes / len(ways_to)) for p in ways_to}
    name = record["device"].replace(" ", "_")
    where = f"cuda_{name}" if device == "cuda" else "cpu"
    out = options.out or ROOT / "data" / "recorded" / f"fused_loss_{where}.json"
    rows = []
    for pages, run in runs.items():
        for row in run:
            if "way" not in row:
                record |= row
                continue
            kind = row["K"], row["dtype"]
            if rows and kind != (rows[-1]["K"], rows[-1]["dtype"]):
                say(f"{rows[-1]['N']} x {rows[-1]['K']}, {rows[-1]['dtype']}", start)
                write(out, record, rows)  # what there is, should a later size fail
            rows.append({"pages": pages, **row})
            print(rows[-1], file=sys.stderr, flush=True)
    record["minutes"] = round((time.monotonic() - start) / 60, 2)
    write(out, record | {"load_after": load()}, rows)
    print(f"written: {out.name}")


def say(what, start):
    print(f"{time.monotonic() - start:5.0f} s  {what}", file=sys.stderr, flush=True)


def write(out, record, rows):
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(map(json.dumps, rows))
    text = json.dumps(record, indent=1)[:-2] + f',\n "rows": [\n  {lines}\n ]\n}}\n'
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
