"""What ``fused_loss.py`` does on a GPU alone: hold the kernels against float64."""

import itertools
import time

import kernel_checks
import kernel_edges
import torch
from fused_ways import EPS

from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused

RANDOM = 24  # random cases: each may need kernels of its own, a second or two apiece


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
