"""One loss step, forward and backward: the fused loss beside its peers, as JSON.

    python tests/benchmarks/fused_loss.py [--device cuda] [--out FILE] [--rounds N]

Measures time (median of interleaved rounds, after a warm-up), time as a multiple of an
in-place scale of the same logits in the same round, and the most memory held beyond the
logits. On CUDA it first holds the kernels against float64 with poisoned memory and has
torch raise an error if anything waits for the device. Peers that are not installed are
skipped and named: `pip install -e .[bench]`. On the CPU, run it on an otherwise idle
machine; it takes about five minutes there, and less than eight on a GPU.
"""

import argparse
import functools
import importlib.metadata
import json
import pathlib
import statistics
import sys
import time

import torch
import torch.nn.functional as F

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "tools")]
from provenance import ROOT, load, provenance  # noqa: E402

from lsr_utils import fused_cpu, fused_cuda, fused_kernel, measure  # noqa: E402
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused  # noqa: E402

EPS, UPSTREAM = 0.1, 0.37
SIZES = {
    "cpu": [(256, 6), (1024, 1000), (512, 32_000)],
    "cuda": [(4_000_000, 6), (262_144, 1000), (8192, 32_000), (8192, 128_256)],
}
SWEEP = [  # longest row in registers, stretch of a longer one, warps
    (32_768, 8192, 32), (32_768, 8192, 16), (16_384, 4096, 8), (16_384, 8192, 8),
    (16_384, 8192, 16), (16_384, 16_384, 16), (16_384, 16_384, 32),
]  # fmt: skip


class Given(torch.autograd.Function):
    """Logits as a network would hand them over: computed, and nobody's leaf."""

    @staticmethod
    def forward(ctx, logits):
        return logits.detach()

    @staticmethod
    def backward(ctx, gradient):
        return None


def timms_form(logits, targets):
    """Label smoothing as in timm, written out."""
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
    missing = {}
    try:
        for name, form in (("PyTorch", pytorch), ("timm's form", timms_form)):
            made = torch.compile(form, dynamic=False)
            z = torch.zeros(4, 6, device=device, requires_grad=True)
            made(z, torch.zeros(4, dtype=torch.int64, device=device)).backward()
            found[f"torch.compile, {name}"] = made
    except Exception as problem:  # no compiler, or one that does not do
        missing["torch.compile"] = type(problem).__name__
    if device == "cpu":
        return found, missing | {"Liger, flash-attn": "run on a GPU only"}
    try:
        from liger_kernel.transformers import LigerCrossEntropyLoss

        found["Liger"] = LigerCrossEntropyLoss(label_smoothing=EPS)
    except Exception as problem:
        missing["Liger"] = type(problem).__name__
    try:
        from flash_attn.ops.triton.cross_entropy import cross_entropy_loss

        found["flash-attn"] = lambda z, y: cross_entropy_loss(
            z, y, label_smoothing=EPS, inplace_backward=True
        )[0].mean()
    except Exception as problem:
        missing["flash-attn"] = type(problem).__name__
    return found, missing


def step(loss_fn, logits, targets, upstream):
    loss = loss_fn(Given.apply(logits), targets)
    loss.backward(upstream.to(loss.dtype))


def check(found, device, n, num_classes, dtype):
    """Before anything is timed: everybody computes the same thing."""
    n = min(n, 64)
    z = torch.randn(n, num_classes, device=device).to(dtype)
    y = torch.randint(num_classes, (n,), device=device)
    twin = z.double().requires_grad_()
    expected = pytorch(twin, y)
    expected.backward()
    for name, loss_fn in found.items():
        leaf = z.clone().requires_grad_()
        loss = loss_fn(leaf * 1, y)
        loss.backward()
        off = (leaf.grad.double() - twin.grad).norm() / twin.grad.norm()
        if not off < 3e-2 or not abs(loss.item() / expected.item() - 1) < 3e-2:
            raise SystemExit(f"{name} computes another loss at {n} x {num_classes}.")


def seconds(call, repeats, device):
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / repeats
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


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
    once = seconds(lambda: step(pytorch, logits, targets, up), 3, device)
    repeats = max(1, min(50, int(5e-3 / once)))
    raw = {name: [] for name in calls}
    for number in range(-2, rounds):
        for name, call in calls.items():
            logits.detach().copy_(source)  # some ways overwrite it
            taken = seconds(call, repeats, device)
            if number >= 0:
                raw[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in raw.items()}
    rows = []
    for name, call in calls.items():
        per = medians[name]
        rows.append(
            {
                "N": n, "K": num_classes, "dtype": str(dtype).removeprefix("torch."),
                "upstream": upstream, "way": name, "ms": round(1e3 * per, 5),
                "of_scale": round(per / medians["in-place scale"], 3),
                "times": round(medians["PyTorch"] / per, 3),
                "copies": round(measure.peak_bytes(call, device) / source.nbytes, 3),
                "low_ms": round(1e3 * min(raw[name]), 5),
                "high_ms": round(1e3 * max(raw[name]), 5),
            }
        )  # fmt: skip
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


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
                base = seconds(scale, 1, "cuda")
                times.append(seconds(call, 1, "cuda") / base)
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


def versions():
    names = ("triton", "liger_kernel", "flash_attn", "timm")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    device = options.device
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found, missing = ways(device)
    command = f"python tests/benchmarks/fused_loss.py --device {device}"
    record = {
        **provenance(f"{command} --rounds {options.rounds}", device),
        "threads": 1, "load_before": load(), "versions": versions(),
        "missing": missing, "rounds": options.rounds,
        "compiled": fused_cpu.compiled() if device == "cpu" else None,
        "kernel": device == "cuda" and fused_kernel.triton is not None,
    }  # fmt: skip
    if device == "cuda":
        record["checks"] = examine()
        record["sweep"] = sweep(options.rounds)
    record["rows"] = []
    for n, num_classes in SIZES[device]:
        for dtype in (torch.float32, torch.bfloat16):
            check(found, device, n, num_classes, dtype)
            for upstream in (1.0, UPSTREAM):
                record["rows"] += compare(
                    found, device, n, num_classes, dtype, upstream, options.rounds
                )
    name = record["device"].replace(" ", "_")
    where = f"cuda_{name}" if device == "cuda" else "cpu"
    out = options.out or ROOT / "data" / "recorded" / f"fused_loss_{where}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(json.dumps(row) for row in record.pop("rows"))
    text = json.dumps(record, indent=1)[:-2] + f',\n "rows": [\n  {lines}\n ]\n}}\n'
    out.write_text(text, encoding="utf-8")
    print(f"written: {out.name}")


if __name__ == "__main__":
    main()
