"""Chosen cases for the Triton kernels, one for each thing that random ones pass over.

    TRITON_INTERPRET=1 python tests/kernel_edges.py    by the interpreter, on the CPU
    python tests/kernel_edges.py --device cuda         on an NVIDIA GPU

Prints a JSON line for each case.
"""

import math
import sys
from functools import partial
from unittest import mock

import kernel_checks
import torch
from kernel_checks import off, run

from lsr_utils import fused, losses
from lsr_utils.fused import cuda

LONG = {torch.float32: cuda.LONGEST, torch.float64: cuda.STRETCH}
SIZES = {"short": 7, "long": cuda.STRETCH + 37}


def draw(device, num_classes, n=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(num_classes)
    z = torch.randn(n, num_classes, generator=generator, dtype=torch.float64)
    y = torch.randint(num_classes, (n,), generator=generator)
    return z.to(dtype).to(device), y.to(device)


def how(**options):
    options.setdefault("recompute", False)
    return fused.FusedLabelSmoothingCrossEntropy(0.1, "none", **options)


def chosen(device):
    """Name of a case, and what gives how far loss and gradient are off."""
    for size, num_classes in SIZES.items():
        z, y = draw(device, num_classes)
        ignored = torch.where(torch.arange(3, device=device) == 1, -100, y)
        weight = torch.ones(num_classes, device=device, dtype=torch.float64)
        gone = weight.index_fill(0, y, 0.0)  # the true classes
        masked = gone > 0
        masked[num_classes // 2 :] = False  # their weight is 0, so nothing is infinite
        options = {"eps": 0.4, "weight": weight.where(~masked, 0.0), "reduction": "sum"}
        nothing = z.masked_fill(masked, -math.inf)
        for mode in ("default", "recompute"):
            name = f"{size} rows, masked classes of weight 0, {mode}"
            yield name, partial(run, nothing, y, options, mode, 1.0)
        known = z, ignored, {"reduction": "none"}, {"scale": 0.1}
        for upstream in (1.0, 0.1):
            yield f"{size} rows, scale 0.1, {upstream}", partial(run, *known, upstream)
        name = f"{size} rows, the mean over weights of 0"
        yield name, partial(run, z, ignored, {"weight": gone}, "default", 1.0)
        for again in (False, True):
            name = f"{size} rows, labels out of range, kept: {again}"
            yield name, partial(out_of_range, device, num_classes, again)
    for dtype, longest in LONG.items():
        given = draw(device, longest + 37, dtype=dtype)
        for kind, options, mode in (
            ("all", {"eps": 0.4}, "default"),
            ("others", {"eps": 0.4, "spread": "others"}, "scale"),
            ("kept", {}, "recompute"),
        ):
            name = f"long rows, {str(dtype)[6:]}, {kind}"
            yield name, partial(run, *given, options, mode, -2.5)


def out_of_range(device, num_classes, recompute):
    """Labels that are no class, which only a GPU lets pass: nan, and no gradient."""
    z, y = draw(device, num_classes, n=5)
    y[1], y[3] = num_classes, -7  # the next row's first logit, and the last row's
    bad = torch.tensor([False, True, False, True, False])
    twin = z.detach().cpu().requires_grad_()
    theirs = losses.label_smoothing_cross_entropy(
        twin, y.cpu().where(~bad, -100), 0.1, "none"
    )
    theirs.sum().backward()
    given, slope = how(recompute=recompute), torch.full_like(z, math.nan)
    rows, kept = cuda.forward(z, y, None, given, None if recompute else slope)
    upstream = torch.ones(5, device=device, dtype=z.dtype)
    if recompute:
        cuda.backward(z, y, None, given, kept, upstream, slope)
    return off(rows, theirs.where(~bad, math.nan)), off(slope, twin.grad)


def far_apart(device, kernel):
    step = 2**30
    torch.utils.deterministic.fill_uninitialized_memory = False  # 4 GB, hardly touched
    z = torch.empty(2 * step + 6, dtype=torch.bfloat16, device=device)
    torch.utils.deterministic.fill_uninitialized_memory = True
    z = z.as_strided((3, 6), (step, 1))
    z.copy_(torch.randn(3, 6, generator=torch.Generator().manual_seed(4)))
    y, twin = torch.arange(3), z.double().cpu()
    upstream = torch.tensor(2.0, device=device)
    if kernel == "rescale_rows":
        cuda.rescale(z, y.to(device), how(), upstream, False)
        return off(z, 2 * twin)
    twin.requires_grad_()
    theirs = losses.label_smoothing_cross_entropy(twin, y, 0.1, "none")
    theirs.sum().backward()
    if kernel == "gradient_again":
        again = how(recompute=True)
        _, kept = cuda.forward(z, y.to(device), None, again, None)
        cuda.backward(z, y.to(device), None, again, kept, upstream, z)
        return off(z, 2 * twin.grad)
    with mock.patch.multiple(cuda, LONGEST=4, STRETCH=4):  # six classes are long then
        rows, _ = cuda.forward(z, y.to(device), None, how(), z)
    return max(off(rows, theirs) * 100, off(z, twin.grad))


def cases(device):
    for kernel in ("long_row", "gradient_again", "rescale_rows"):
        distance, name = far_apart(device, kernel), f"far apart, {kernel}"
        yield {"case": name, "gradient": distance, "right": distance < 8e-3}
    for name, far in chosen(device):
        loss, slope = far()
        right = max(loss, slope) <= (2e-5 if "float32" in name else 1e-11)
        yield {"case": name, "loss": loss, "gradient": slope, "right": right}


if __name__ == "__main__":
    kernel_checks.cases = lambda device, *_: cases(device)
    sys.exit(kernel_checks.main())
