"""The fused loss on CUDA: launches the kernels of ``kernel``.

The same three calls as in ``cpu``. Nothing here waits for the device: counts, summed
weights and the upstream gradient stay where they are.
"""

import ctypes
import functools
import warnings
from types import SimpleNamespace

import torch

from . import kernel

LONGEST = 32_768  # numbers of a row that the registers of a block hold
TILE = 2048  # elements of the short rows that a block takes together
STRETCH = 8192  # elements of a longer row that are taken at a time
CHECKS_TARGETS = False  # the loss of a row out of range is nan
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def supports(logits):
    """Whether there are kernels for these logits, and they work here."""
    if kernel.triton is None or logits.dtype not in DTYPES:
        return False
    _, block = _tile(logits.shape[min(1, logits.dim() - 1)])
    kind = logits.device, logits.dtype, min(block, 2 * LONGEST)  # of kernels
    return not logits.is_cuda or _works(*kind)


def forward(logits, targets, weight, how, slope):
    """Loss of (N, K) logits; writes its gradient for upstream ``how.scale``.

    slope   : (N, K) to write to, may be ``logits``, or None for no gradient
    returns : the loss, and what ``backward`` needs: a tuple of tensors
    """
    n, num_classes = logits.shape
    wide = torch.promote_types(logits.dtype, torch.float32)
    one = torch.ones((), dtype=wide, device=logits.device)
    total = one
    if how.reduction == "mean":
        total = _share(targets, weight, num_classes, how, wide)
    unit = how.scale / total if slope is not None else 1 / total
    keep = how.recompute
    kept = [torch.empty(n, dtype=wide, device=logits.device) for _ in range(2 * keep)]
    top, total_at = kept or (logits, logits)
    short = num_classes <= (LONGEST if wide == torch.float32 else STRETCH)
    rows, block = _tile(num_classes) if short else (1, STRETCH)
    programs = _ceil(n, rows)
    each = how.reduction == "none" or not short
    losses = torch.empty(n if each else programs, dtype=wide, device=logits.device)
    given = (
        logits, logits.stride(0), targets, _or(weight, logits), unit, losses,
        _or(slope, logits), 0 if slope is None else slope.stride(0), top, total_at,
    )  # fmt: skip
    kind = {
        "BLOCK": block, "WIDE": _triton_type(wide), "WEIGHTED": weight is not None,
        "OTHERS": how.spread == "others", "SLOPE": slope is not None, "KEEP": keep,
        "num_warps": _warps(rows * block),
    }  # fmt: skip
    eps = _in_two(how.eps)
    with _on(logits):
        if short:
            kernel.short_rows[(programs,)](
                *given, n, num_classes, how.ignore_index, *eps, ROWS=rows, EACH=each,
                **kind,
            )  # fmt: skip
        else:
            kernel.long_row[(n,)](*given, num_classes, how.ignore_index, *eps, **kind)
    kept = (unit, *kept)
    if how.reduction == "none":
        return losses, kept
    loss = losses.sum()
    return loss / total if how.reduction == "mean" else loss, kept


def backward(logits, targets, weight, how, kept, upstream, slope):
    """Write the gradient for ``upstream``, a scalar or (N,), to ``slope``."""
    n, num_classes = logits.shape
    unit, top, total_at = kept
    rows, block = _tile(min(num_classes, 2 * TILE))
    with _on(logits):
        kernel.gradient_again[(_ceil(n, rows), _ceil(num_classes, block))](
            logits, logits.stride(0), targets, _or(weight, logits),
            logits if weight is None else weight.sum(), unit, upstream,
            upstream.stride(0) if upstream.dim() else 0, top, total_at, slope,
            slope.stride(0), n, num_classes, how.ignore_index, *_in_two(how.eps),
            ROWS=rows, BLOCK=block, WIDE=_triton_type(top.dtype),
            WEIGHTED=weight is not None, OTHERS=how.spread == "others",
            num_warps=_warps(rows * block),
        )  # fmt: skip


def rescale(slope, targets, how, upstream, keep):
    """The gradient that ``forward`` wrote, for ``upstream`` in place of ``scale``.

    keep : True leaves ``slope`` as it is, because it will be asked for again
    """
    n, num_classes = slope.shape
    slope = slope.clone() if keep else slope
    rows, block = _tile(min(num_classes, 2 * TILE))
    wide = torch.promote_types(slope.dtype, torch.float32)
    with _on(slope):
        kernel.rescale_rows[(_ceil(n, rows), _ceil(num_classes, block))](
            slope, slope.stride(0), targets, upstream,
            upstream.stride(0) if upstream.dim() else 0, *_in_two(how.scale),
            n, num_classes, how.ignore_index, ROWS=rows, BLOCK=block,
            WIDE=_triton_type(wide), num_warps=_warps(rows * block),
        )  # fmt: skip
    return slope


def _share(targets, weight, num_classes, how, wide):
    """Summed weights of the live rows' true classes, on the device; nan for 0."""
    live = targets != how.ignore_index
    if weight is None:
        total = live.sum(dtype=wide)
    else:
        in_range = (targets >= 0) & (targets < num_classes)
        total = weight[targets.where(live & in_range, 0)].where(live, 0.0).sum()
    return total.where(total != 0, torch.nan)  # the mean over nothing


def _tile(num_classes):
    """Rows and classes of a block: powers of two."""
    block = max(4, 1 << (num_classes - 1).bit_length())
    return max(1, TILE // block), block


def _warps(elements):
    return min(32, max(4, elements // 1024))


def _ceil(a, b):
    return -(-a // b)


def _or(tensor, other):
    """A tensor, or any other where the kernel does not look at it."""
    return other if tensor is None else tensor


def _in_two(number):
    """A float64 as two float32, which is what a kernel's arguments can be."""
    high = ctypes.c_float(number).value
    return high, number - high


def _triton_type(dtype):
    tl = kernel.tl
    return tl.float64 if dtype == torch.float64 else tl.float32


def _on(tensor):
    """The device of the tensor, for Triton launches on the current one."""
    return torch.cuda.device(tensor.device if tensor.is_cuda else -1)


@functools.cache
def _works(device, dtype, num_classes):
    """Whether the kernels for such rows compile and run on this device.

    Triton needs a C compiler, and not every GPU knows every dtype and size.
    """
    how = SimpleNamespace(
        eps=0.1, reduction="mean", spread="all", scale=1.0, ignore_index=-100
    )
    logits = torch.zeros(16, num_classes, dtype=dtype, device=device)
    targets = torch.zeros_like(logits[:, 0]).long()
    try:
        for how.recompute in (False, True):
            slope = None if how.recompute else logits
            loss, kept = forward(logits, targets, None, how, slope)
            if how.recompute:
                backward(logits, targets, None, how, kept, loss, logits)
            else:
                rescale(logits, targets, how, loss, False)
    except Exception as problem:
        warnings.warn(
            f"Triton is installed but does not work for {dtype} and {num_classes} "
            f"classes ({type(problem).__name__}): the readable loss is used instead.",
            stacklevel=2,
        )
        return False
    return True
