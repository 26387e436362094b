"""One loss step, forward and backward: the fused loss beside its peers, as JSON.

    python tests/benchmarks/fused_loss.py [--device cuda] [--out FILE] [--rounds N]
                                          [--minutes M]

Time is the median of interleaved rounds (on the CPU this process's), and a multiple
of an in-place scale of the logits; memory is what is held beyond the logits. Peers that
are missing are named: `pip install -e .[bench]`. On an idle CPU five minutes, twice:
with pages of memory as they come, and, with glibc, with pages that are kept. All are
held against float64, and on CUDA the fused loss must not wait. After ``--minutes``
nothing new is begun, and "not_measured" lists the rest.
"""

import argparse
import ctypes
import functools
import importlib
import itertools
import json
import math
import pathlib
import platform
import statistics
import sys
import time

import torch
import torch.nn.functional as F

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "data" / "recorded")]
from provenance import ROOT, load, provenance  # noqa: E402

from lsr_utils import measure  # noqa: E402
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused  # noqa: E402
from lsr_utils.fused import cpu, kernel  # noqa: E402

try:
    import resource
except ImportError:  # not on Windows
    resource = None

EPS, UPSTREAM = 0.1, 0.37
CHUNK = 2**25  # logits that are held in float64 at a time
# For glibc's mallopt: nothing is mapped apart (M_MMAP_MAX), and nothing goes back to
# the operating system (M_TRIM_THRESHOLD, M_TOP_PAD).
KEEP_PAGES = {-4: 0, -1: 2**31 - 1, -2: 2**29}
SIZES = {
    "cpu": [(256, 6), (1024, 1000), (512, 32_000)],
    "cuda": [(4_000_000, 6), (262_144, 1000), (8192, 32_000), (8192, 128_256)],
}


class Given(torch.autograd.Function):
    """Logits as a network would hand them over: computed, and nobody's leaf."""

    @staticmethod
    def forward(ctx, logits):
        return logits.detach()

    @staticmethod
    def backward(ctx, gradient):
        return None


def timms_form(logits, targets):
    log_p = F.log_softmax(logits, dim=-1)
    nll = -log_p.gather(dim=-1, index=targets.unsqueeze(1)).squeeze(1)
    return ((1 - EPS) * nll + EPS * -log_p.mean(dim=-1)).mean()


def pytorch(logits, targets):
    return F.cross_entropy(logits, targets, label_smoothing=EPS)


def ways(device):
    """Every way to compute the loss that can be had here, and what cannot."""
    found = {
        "fused": Fused(EPS),
        "fused, in place": Fused(EPS, inplace=True),
        "fused, recomputed": Fused(EPS, recompute=True),
        "fused, scale known": Fused(EPS, scale=UPSTREAM),
        "fused, in place, recomputed": Fused(EPS, inplace=True, recompute=True),
        "PyTorch": pytorch,
        "timm's form": timms_form,
    }
    if device == "cpu":
        return found, {"Liger, flash-attn": "run on a GPU only"}
    missing, smoothed = {}, {"label_smoothing": EPS}
    try:
        liger = importlib.import_module("liger_kernel.transformers")
        found["Liger"] = liger.LigerCrossEntropyLoss(**smoothed)
    except Exception as problem:
        missing["Liger"] = type(problem).__name__
    try:
        flash = importlib.import_module("flash_attn.ops.triton.cross_entropy")
        more = {**smoothed, "inplace_backward": True}
        rows = functools.partial(flash.cross_entropy_loss, **more)
        found["flash-attn"] = lambda z, y: rows(z, y)[0].mean()
    except Exception as problem:
        missing["flash-attn"] = type(problem).__name__
    return found, missing


def compiled():
    """torch.compile's forms, made anew: after many sizes it would be eager again."""
    torch._dynamo.reset()
    for name in ("fail_on_recompile_limit_hit", "fail_on_cache_limit_hit"):
        if hasattr(torch._dynamo.config, name):  # the older one in older versions
            setattr(torch._dynamo.config, name, True)
    return {
        f"torch.compile, {name}": torch.compile(form, dynamic=False)
        for name, form in {"PyTorch": pytorch, "timm's form": timms_form}.items()
    }


def check(found, device, n, num_classes, dtype):
    """All compute the same; of those that fail, the kind of error by their name."""
    failed = {}
    z = torch.randn(n, num_classes, device=device).to(dtype)
    y = torch.randint(num_classes, (n,), device=device)
    for name, loss_fn in found.items():
        leaf = z.clone().requires_grad_()
        try:
            loss = loss_fn(leaf * 1, y)
            loss.backward()
        except Exception as problem:  # no compiler, or a peer that is not for this
            failed[name] = type(problem).__name__
            continue
        expected, off = from_float64(z, y, leaf.grad)
        if not off < 3e-2 or not abs(loss.item() / expected - 1) < 3e-2:
            raise SystemExit(f"{name} computes another loss at {n} x {num_classes}.")
    return failed


def from_float64(z, y, slope):
    """The mean loss in float64, and how far off a gradient is; some rows at a time."""
    total = off = size = 0.0
    rows = max(1, CHUNK // z.shape[1])
    parts = (x.split(rows) for x in (z, y, slope))
    for some, labels, found in zip(*parts, strict=True):
        twin = some.double().requires_grad_()
        loss = F.cross_entropy(twin, labels, label_smoothing=EPS, reduction="sum")
        (exact,) = torch.autograd.grad(loss / len(z), twin)
        total += loss.item() / len(z)
        off += (found.double() - exact).square().sum().item()
        size += exact.square().sum().item()
    return total, (off / size) ** 0.5


def never_waits():
    """An error where the fused loss waits for the GPU."""
    for num_classes in (6, 70_000):
        z = torch.randn(64, num_classes, device="cuda", requires_grad=True)
        y = torch.arange(64, device="cuda") % 6
        for options in ({}, {"inplace": True}, {"recompute": True}):
            for mode in ("default", "error"):  # the first compiles
                torch.cuda.set_sync_debug_mode(mode)
                (3 * Fused(EPS, **options)(z * 1, y)).backward()
            torch.cuda.set_sync_debug_mode("default")


def page_faults():
    return resource and resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def cost(call, repeats, device):
    """Seconds of a call (on the CPU this process's), and there its page faults."""
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / repeats, None
    before, start = page_faults(), time.process_time()
    for _ in range(repeats):
        call()
    taken = (time.process_time() - start) / repeats
    return taken, resource and (page_faults() - before) / repeats


def compare(found, device, n, num_classes, dtype, upstream, rounds):
    """A row of results for each way."""
    source = torch.randn(n, num_classes, device=device).to(dtype)
    logits = source.clone().requires_grad_()
    targets = torch.randint(num_classes, (n,), device=device)
    up = torch.tensor(upstream, device=device)

    def step(loss_fn):
        loss = loss_fn(Given.apply(logits), targets)
        loss.backward(up.to(loss.dtype))

    calls = {
        name: lambda loss_fn=loss_fn: step(loss_fn)
        for name, loss_fn in found.items()
        if upstream != 1 or "scale known" not in name
    }
    calls["in-place scale"] = lambda: logits.detach().mul_(0.999)

    once, _ = cost(lambda: step(pytorch), 3, device)
    repeats = max(1, min(50, int(5e-3 / once)))
    raw = {name: [] for name in calls}
    for _ in range(2 + rounds):
        for name, call in calls.items():
            logits.detach().copy_(source)  # some ways overwrite it
            raw[name].append(cost(call, repeats, device))
    peaks = {name: measure.peak_bytes(call, device) for name, call in calls.items()}
    measured = {name: list(zip(*raw[name][2:], strict=True)) for name in calls}
    medians = {name: statistics.median(s) for name, (s, _) in measured.items()}
    rows = []
    for name, (seconds, faults) in measured.items():
        row = {
            "N": n, "K": num_classes, "dtype": str(dtype).removeprefix("torch."),
            "upstream": upstream, "way": name, "ms": round(1e3 * medians[name], 5),
            "of_scale": round(medians[name] / medians["in-place scale"], 3),
            "times": round(medians["PyTorch"] / medians[name], 3),
            "copies": round(peaks[name] / source.nbytes, 3),
            "low_ms": round(1e3 * min(seconds), 5),
            "high_ms": round(1e3 * max(seconds), 5),
        }  # fmt: skip
        if faults[0] is not None:
            row["page_faults"] = round(statistics.median(faults))
        rows.append(row)
    return rows


def measure_all(device, rounds, sizes, until=math.inf):
    """Yield rows, until ``until``, and what is missing."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found, missing = ways(device)
    yield {"missing": missing, "compiled": cpu.compiled() if device == "cpu" else None}
    left = []
    cases = itertools.product(sizes, (torch.float32, torch.bfloat16))
    for (n, num_classes), dtype in cases:
        if time.monotonic() > until:
            left.append({"N": n, "K": num_classes, "dtype": str(dtype)[6:]})
            yield {"not_measured": left}
            continue
        every = found | compiled()
        failed = check(every, device, n, num_classes, dtype)
        every = {k: way for k, way in every.items() if k not in failed}
        for upstream in (1.0, UPSTREAM):
            yield from compare(every, device, n, num_classes, dtype, upstream, rounds)
        for name, problem in failed.items():
            missing[f"{name}, {n} x {num_classes}, {dtype}"] = problem
        yield {"missing": missing}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--minutes", type=float, help="on CUDA 7, else without end")
    options = parser.parse_args()
    device, rounds = options.device, options.rounds
    minutes = options.minutes or (7 if device == "cuda" else math.inf)
    start = time.monotonic()
    command = f"python tests/benchmarks/fused_loss.py --device {device}"
    record = {
        **provenance(f"{command} --rounds {rounds}", device),
        "threads": 1, "rounds": rounds, "load_before": load(),
        "kernel": device == "cuda" and kernel.triton is not None,
    }  # fmt: skip
    where, kinds = "cpu", ["as they come"]
    if device == "cuda":
        never_waits()
        where, kinds = f"cuda_{record['device']}".replace(" ", "_"), [None]
    elif platform.libc_ver()[0] == "glibc":
        kinds += ["kept"]
    out = options.out or ROOT / "data" / "recorded" / f"fused_loss_{where}.json"
    rows = []
    for number, pages in enumerate(kinds, start=1):
        if pages == "kept":
            for option, value in KEEP_PAGES.items():
                ctypes.CDLL(None).mallopt(option, value)
        until = start + 60 * minutes * number / len(kinds)
        for row in measure_all(device, rounds, SIZES[device], until):
            if "way" in row:
                rows.append({"pages": pages, **row})
                print(rows[-1], file=sys.stderr, flush=True)
            else:
                record |= row
            write(out, record, rows)  # what there is, should a later size fail
    record["minutes"] = round((time.monotonic() - start) / 60, 2)
    write(out, record | {"load_after": load()}, rows)
    print(f"written: {out.name}")


def write(out, record, rows):
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(map(json.dumps, rows))
    text = json.dumps(record, indent=1)[:-2] + f',\n "rows": [\n  {lines}\n ]\n}}\n'
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
