"""What ``fused_loss.py`` does on a GPU alone: hold the kernels right, try settings."""

import functools
import itertools
import statistics
import sys
import time

import kernel_checks
import kernel_edges
import torch
from fused_ways import EPS, step

from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused
from lsr_utils.fused import cuda

RANDOM = 24  # random cases: each may need kernels of its own, a second or two apiece
SWEEP = [  # longest row in registers, stretch of a longer one, warps
    (32_768, 8192, 32), (32_768, 8192, 16), (16_384, 4096, 8), (16_384, 8192, 8),
    (16_384, 8192, 16), (16_384, 16_384, 16), (16_384, 16_384, 32),
]  # fmt: skip


def examine(until):
    """Stop at a wrong kernel, or at one that waits; no new case after ``until``."""
    torch.use_deterministic_algorithms(True, warn_only=True)  # poisons empty memory
    count = left = 0
    chosen, drawn = kernel_edges.cases("cuda"), kernel_checks.cases("cuda", RANDOM, 1)
    for line in itertools.chain(chosen, drawn):
        count += 1
        if not line["right"]:
            raise SystemExit(f"The kernels are wrong: {line}")
        if time.monotonic() > until:
            left = "the rest"
            break
    found = {"cases": count, "wrong": 0, "waits": 0, "not_reached": left}
    torch.use_deterministic_algorithms(False)
    for num_classes in (6, 70_000):
        z = torch.randn(64, num_classes, device="cuda", requires_grad=True)
        y = torch.arange(64, device="cuda") % 6
        for options in ({}, {"inplace": True}, {"recompute": True}):
            (3 * Fused(EPS, **options)(z * 1, y)).backward()  # compiles
            torch.cuda.set_sync_debug_mode("error")
            (3 * Fused(EPS, **options)(z * 1, y)).backward()
            torch.cuda.set_sync_debug_mode("default")
    return found


def sweep(rounds, cost, until):
    """The kernels' own settings, bfloat16, in place, against the in-place scale."""
    results, before = [], (cuda.LONGEST, cuda.STRETCH, cuda._warps)
    for num_classes in (32_000, 128_256):
        logits = torch.randn(8192, num_classes, device="cuda").bfloat16()
        logits.requires_grad_()
        y = torch.randint(num_classes, (8192,), device="cuda")
        up = torch.ones((), device="cuda")
        for longest, stretch, warps in SWEEP:
            setting = {"K": num_classes, "longest": longest, "stretch": stretch}
            if time.monotonic() > until:
                results.append({**setting, "warps": warps, "of_scale": None})
                continue
            cuda.LONGEST, cuda.STRETCH = longest, stretch
            cuda._warps = lambda elements, warps=warps: warps
            scale = functools.partial(logits.detach().mul_, 0.999)
            call = functools.partial(step, Fused(EPS, inplace=True), logits, y, up)
            times = []
            for _ in range(3 + rounds):
                base = cost(scale, 1, "cuda")["s"]
                times.append(cost(call, 1, "cuda")["s"] / base)
            share = round(statistics.median(times[3:]), 3)
            results.append({**setting, "warps": warps, "of_scale": share})
            print(results[-1], file=sys.stderr, flush=True)
    cuda.LONGEST, cuda.STRETCH, cuda._warps = before
    return results
