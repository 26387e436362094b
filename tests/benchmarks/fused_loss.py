"""One loss step, forward and backward: the fused loss beside its peers, as JSON.

    python tests/benchmarks/fused_loss.py [--device cuda] [--out FILE] [--rounds N]

Measures time (median, least and most of interleaved rounds, after a warm-up; on the CPU
the processor's time for this process), time as a multiple of an in-place scale of the
same logits in the same round, and the most memory held beyond the logits. Peers that
are not installed are skipped and named: `pip install -e .[bench]`.

On the CPU it measures twice, in a process each. First with memory as the process comes
by it: a large new tensor lies on pages that the operating system has to clear, and for
some ways of computing the loss that takes longer than the arithmetic. Then, where the C
library is glibc, with pages that are kept and used again. Each row counts its page
faults. Run it on an otherwise idle machine; it takes about five minutes.

On CUDA, where torch keeps memory by itself, it first holds the kernels against float64
with poisoned memory and has torch raise an error if anything waits for the device. Less
than eight minutes.
"""

import argparse
import functools
import json
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
sys.path[:0] = [str(TESTS), str(TESTS.parent / "tools")]
from fused_ways import (  # noqa: E402
    EPS,
    UPSTREAM,
    check,
    compiled,
    pytorch,
    step,
    versions,
    ways,
)
from provenance import ROOT, load, provenance  # noqa: E402

from lsr_utils import fused_cpu, fused_cuda, fused_kernel, measure  # noqa: E402
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused  # noqa: E402

try:
    import resource
except ImportError:  # not on Windows
    resource = None

FRESH, KEPT = "as they come", "kept"
# For glibc: nothing is mapped apart, and nothing goes back to the operating system.
KEEP_PAGES = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**29),
}
SIZES = {
    "cpu": [(256, 6), (1024, 1000), (512, 32_000)],
    "cuda": [(4_000_000, 6), (262_144, 1000), (8192, 32_000), (8192, 128_256)],
}
SWEEP = [  # longest row in registers, stretch of a longer one, warps
    (32_768, 8192, 32), (32_768, 8192, 16), (16_384, 4096, 8), (16_384, 8192, 8),
    (16_384, 8192, 16), (16_384, 16_384, 16), (16_384, 16_384, 32),
]  # fmt: skip


def cost(call, repeats, device):
    """What a call costs: seconds, and on the CPU more, as a dict.

    There the seconds are those that this process was given, by one thread, so that
    other programs disturb little; on an idle machine the clock on the wall shows the
    same.
    """
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return {"s": start.elapsed_time(end) / 1e3 / repeats}
    before = resource and resource.getrusage(resource.RUSAGE_SELF)
    start, on_the_wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        call()
    taken = {
        "s": (time.process_time() - start) / repeats,
        "wall_s": (time.perf_counter() - on_the_wall) / repeats,
    }
    if resource is not None:
        after = resource.getrusage(resource.RUSAGE_SELF)
        taken["page_faults"] = (after.ru_minflt - before.ru_minflt) / repeats
        taken["system_s"] = (after.ru_stime - before.ru_stime) / repeats
    return taken


def compare(found, device, n, num_classes, dtype, upstream, rounds):
    """A row of results for each way."""
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
        for name, call in calls.items():
            logits.detach().copy_(source)  # some ways overwrite it
            taken = cost(call, repeats, device)
            if number >= 0:
                raw[name].append(taken)
    columns = {
        name: {k: [r[k] for r in raw[name]] for k in raw[name][0]} for name in raw
    }
    medians = {name: statistics.median(found["s"]) for name, found in columns.items()}
    rows = []
    for name, call in calls.items():
        per, taken = medians[name], columns[name]
        row = {
            "N": n, "K": num_classes, "dtype": str(dtype).removeprefix("torch."),
            "upstream": upstream, "way": name, "ms": round(1e3 * per, 5),
            "of_scale": round(per / medians["in-place scale"], 3),
            "times": round(medians["PyTorch"] / per, 3),
            "copies": round(measure.peak_bytes(call, device) / source.nbytes, 3),
            "low_ms": round(1e3 * min(taken["s"]), 5),
            "high_ms": round(1e3 * max(taken["s"]), 5),
        }  # fmt: skip
        if "wall_s" in taken:
            row["wall_ms"] = round(1e3 * statistics.median(taken["wall_s"]), 5)
        if "page_faults" in taken:
            # The system counts its time in ticks: only a mean over rounds says much.
            row["page_faults"] = round(statistics.median(taken["page_faults"]))
            row["system_ms"] = round(1e3 * statistics.mean(taken["system_s"]), 3)
        rows.append(row)
    return rows


def measure_all(device, rounds, sizes):
    """Yield the rows of this process, and first what it found and what is missing."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found, missing = ways(device)
    yield {
        "missing": missing,
        "compiled": fused_cpu.compiled() if device == "cpu" else None,
    }
    for n, num_classes in sizes:
        for dtype in (torch.float32, torch.bfloat16):
            made = compiled()
            # Few rows will do, but what is compiled is so for one shape.
            failed = check(found, device, min(n, 64), num_classes, dtype)
            failed |= check(made, device, n, num_classes, dtype)
            every = {k: way for k, way in (found | made).items() if k not in failed}
            for name, problem in failed.items():
                missing[f"{name}, {n} x {num_classes}, {dtype}"] = problem
            if failed:
                yield {"missing": missing}
            for upstream in (1.0, UPSTREAM):
                yield from compare(
                    every, device, n, num_classes, dtype, upstream, rounds
                )


def in_a_process(pages, rounds):
    """What ``measure_all`` yields in a process of its own, by how it gets its pages."""
    env = os.environ | (KEEP_PAGES if pages == KEPT else {})
    command = [sys.executable, str(HERE), "--device", "cpu", "--rows"]
    with subprocess.Popen(
        [*command, "--rounds", str(rounds)], env=env, stdout=subprocess.PIPE, text=True
    ) as child:
        for line in child.stdout:
            yield json.loads(line)
    if child.returncode:
        raise SystemExit(f"Measuring with pages {pages} failed: see above.")


def sweep(rounds):
    """The kernels' own settings, bfloat16, in place, against the in-place scale."""
    results, before = [], (fused_cuda.LONGEST, fused_cuda.STRETCH, fused_cuda._warps)
    for num_classes in (32_000, 128_256):
        logits = torch.randn(8192, num_classes, device="cuda").bfloat16()
        logits.requires_grad_()
        y = torch.randint(num_classes, (8192,), device="cuda")
        up = torch.ones((), device="cuda")
        for longest, stretch, warps in SWEEP:
            fused_cuda.LONGEST, fused_cuda.STRETCH = longest, stretch
            fused_cuda._warps = lambda elements, warps=warps: warps
            scale = functools.partial(logits.detach().mul_, 0.999)
            call = functools.partial(step, Fused(EPS, inplace=True), logits, y, up)
            times = []
            for _ in range(3 + rounds):
                base = cost(scale, 1, "cuda")["s"]
                times.append(cost(call, 1, "cuda")["s"] / base)
            results.append(
                {"K": num_classes, "longest": longest, "stretch": stretch,
                 "warps": warps, "of_scale": round(statistics.median(times[3:]), 3)}
            )  # fmt: skip
            print(results[-1], file=sys.stderr, flush=True)
    fused_cuda.LONGEST, fused_cuda.STRETCH, fused_cuda._warps = before
    return results


def examine():
    """On a GPU: the kernels against float64, and whether anything waits for it."""
    import kernel_checks

    torch.use_deterministic_algorithms(True, warn_only=True)  # poisons empty memory
    lines = [line for seed in (1, 2) for line in kernel_checks.cases("cuda", 80, seed)]
    torch.use_deterministic_algorithms(False)
    wrong = [line for line in lines if not line["right"]]
    if wrong:
        raise SystemExit(f"The kernels are wrong: {wrong[:3]}")
    for num_classes in (6, 70_000):
        z = torch.randn(64, num_classes, device="cuda", requires_grad=True)
        y = torch.arange(64, device="cuda") % 6
        for options in ({}, {"inplace": True}, {"recompute": True}):
            (3 * Fused(EPS, **options)(z * 1, y)).backward()  # compiles
            torch.cuda.set_sync_debug_mode("error")
            (3 * Fused(EPS, **options)(z * 1, y)).backward()
            torch.cuda.set_sync_debug_mode("default")
    return {"cases": len(lines), "wrong": 0, "waits": 0}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rows", action="store_true", help="only print the rows")
    options = parser.parse_args(arguments)
    device, rounds = options.device, options.rounds
    if options.rows:
        for row in measure_all(device, rounds, SIZES[device]):
            print(json.dumps(row), flush=True)
        return
    command = f"python tests/benchmarks/fused_loss.py --device {device}"
    record = {
        **provenance(f"{command} --rounds {rounds}", device),
        "threads": 1, "rounds": rounds, "versions": versions(),
        "kernel": device == "cuda" and fused_kernel.triton is not None,
        "load_before": load(),
    }  # fmt: skip
    if device == "cuda":
        record["checks"] = examine()
        record["sweep"] = sweep(rounds)
        runs = {None: measure_all(device, rounds, SIZES[device])}
    else:
        glibc = platform.libc_ver()[0] == "glibc"
        runs = {p: in_a_process(p, rounds) for p in (FRESH, KEPT) if glibc or p != KEPT}
    name = record["device"].replace(" ", "_")
    where = f"cuda_{name}" if device == "cuda" else "cpu"
    out = options.out or ROOT / "data" / "recorded" / f"fused_loss_{where}.json"
    rows = []
    for pages, run in runs.items():
        for row in run:
            if "missing" in row:
                record |= row
                continue
            if rows and row["K"] != rows[-1]["K"]:
                write(out, record, rows)  # what there is, should a later size fail
            rows.append({"pages": pages, **row})
            print(rows[-1], file=sys.stderr, flush=True)
    write(out, record | {"load_after": load()}, rows)
    print(f"written: {out.name}")


def write(out, record, rows):
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(map(json.dumps, rows))
    text = json.dumps(record, indent=1)[:-2] + f',\n "rows": [\n  {lines}\n ]\n}}\n'
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
