"""The fused loss on the CPU: rows that fit the cache, read once from memory.

``cpu.cpp`` does the work where ``build`` can compile it (a second, at the first call),
PyTorch's operations on blocks of rows where not. There are three calls, as in ``cuda``:
``forward``, ``backward`` and ``rescale``. ``how`` is the loss, for its options.
"""

import functools
import itertools
import math
import threading
from types import SimpleNamespace

import torch

from ..losses import _raise_out_of_range, _rows_from_log_p
from . import build

BLOCK = 2**16  # elements that torch handles at a time: with copies, a level-2 cache
FEW = 16  # classes up to which the compiled code puts rows side by side
SHARE = 2**17  # elements that a thread must have, or it costs more than it saves
CHECKS_TARGETS = True  # raises for one out of range


def supports(logits):
    """Whether this module can take logits of this dtype."""
    return logits.dtype in build.NAMES


def forward(logits, targets, weight, how, slope):
    """Loss of (N, K) logits; writes its gradient for upstream ``how.scale``.

    slope   : (N, K) to write to, may be ``logits``, or None for no gradient
    returns : the loss, and what ``backward`` needs: a tuple of numbers
    """
    total = _shares(logits, targets, weight, how)
    if how.reduction != "mean":
        total = 1.0
    unit = 1 / total if total else float("nan")  # the mean over nothing
    losses = None
    if how.reduction == "none":
        losses = logits.new_empty(len(logits), dtype=_wide(logits))
    sum_of_losses = _each_row(
        logits, targets, weight, how, unit * how.scale, None, losses, slope
    )
    if losses is not None:
        return losses, (unit,)
    loss = sum_of_losses / total if total else float("nan")
    return logits.new_full((), loss, dtype=_wide(logits)), (unit,)


def backward(logits, targets, weight, how, kept, upstream, slope):
    """Write the gradient for ``upstream``, a scalar or (N,), to ``slope``."""
    (unit,) = kept
    upstream = upstream.to(_wide(logits)).expand(len(logits))
    _each_row(logits, targets, weight, how, unit, upstream, None, slope)


def rescale(slope, targets, how, upstream, keep):
    """The gradient that ``forward`` wrote, for ``upstream`` in place of ``scale``.

    keep : True leaves ``slope`` as it is, because it will be asked for again
    """
    if upstream.dim() == 0:
        factor = upstream.item() / how.scale
        if factor == 1 and not keep:
            return slope
        if abs(factor) < float("inf"):
            return slope * factor if keep else slope.mul_(factor)
    factors = (upstream / how.scale).expand(len(slope))
    if not keep and (factors == 1).all():
        return slope
    live = targets != how.ignore_index  # the others stay 0, also times inf or nan
    factors = factors.where(live, 0.0).unsqueeze(1)
    out = torch.empty_like(slope) if keep else slope
    step = max(1, BLOCK // slope.shape[1])
    for begin in range(0, len(slope), step):  # float32 factors widen what they meet
        block = slice(begin, begin + step)
        out[block] = slope[block] * factors[block]
    return out


def compiled():
    """Whether the loss runs as machine code here; compiles it at the first call."""
    return _library() is not None


def _wide(logits):
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def _shares(logits, targets, weight, how):
    """Summed weights of the live rows' true classes; raises for one out of range."""
    n, num_classes = logits.shape
    library = _library()
    if library is not None:
        total = library.shares(
            targets.data_ptr(), n, num_classes, how.ignore_index, _address(weight),
            weight is not None and weight.dtype == torch.float64,
        )  # fmt: skip
        if total == total:  # else one is out of range, or a weight is nan
            return total
    live = targets != how.ignore_index
    _raise_out_of_range(
        targets, live & ((targets < 0) | (targets >= num_classes)), num_classes
    )
    if weight is None:
        return live.sum().item()
    return weight[targets.where(live, 0)].where(live, 0.0).sum().item()


def _each_row(logits, targets, weight, how, unit, upstream, losses, slope):
    """Write the loss of each row, its gradient times unit and upstream, or both.

    returns : the sum of the losses; of the gradient alone, any number
    """
    job = logits, targets, weight, how, unit, upstream, losses, slope
    rows = getattr(_library(), build.NAMES[logits.dtype], None)
    return _each_block(*job) if rows is None else _in_threads(rows, *job)


def _in_threads(rows, logits, targets, weight, how, unit, upstream, losses, slope):
    """Let the compiled function ``rows`` do it, by as many threads as torch has."""
    n, num_classes = logits.shape
    job = build.JOB.pack(
        logits.data_ptr(), logits.stride(0), num_classes, targets.data_ptr(),
        how.ignore_index, _address(weight), how.eps, how.spread == "others", unit,
        _address(upstream), 0 if upstream is None else upstream.stride(0),
        _address(losses), _address(slope), 0 if slope is None else slope.stride(0),
    )  # fmt: skip

    def run(begin, end):
        wide = None  # room for a row of 16-bit logits
        if num_classes > FEW and logits.dtype != _wide(logits):
            wide = logits.new_empty(num_classes, dtype=_wide(logits))
        return rows(job, begin, end, _address(wide))

    parts = min(torch.get_num_threads(), n, logits.numel() // SHARE)
    if parts <= 1:
        return run(0, n)
    sums = []
    edges = [n * part // parts for part in range(parts + 1)]
    # Threads of this call only: a pool of threads would be dead in a forked process.
    pairs = zip(edges[1:-1], edges[2:], strict=True)
    helpers, failures = [], []

    def helped(begin, end):
        try:
            sums.append(run(begin, end))
        except BaseException as failure:  # else its rows would silently be missing
            failures.append(failure)

    try:
        for begin, end in pairs:
            helper = threading.Thread(target=helped, args=(begin, end))
            try:
                helper.start()
            except RuntimeError:  # no thread can be had
                helped(begin, end)
            else:
                helpers.append(helper)
        sums.append(run(0, edges[1]))
    finally:  # they write to memory that the caller may give back
        for helper in helpers:
            helper.join()
    if failures:
        raise failures[0]
    return math.fsum(sums)  # the same in whatever order the threads end


def _address(tensor):
    return 0 if tensor is None else tensor.data_ptr()


def _each_block(logits, targets, weight, how, unit, upstream, losses, slope):
    """What ``_each_row`` does, by torch operations."""
    n, num_classes = logits.shape
    others = how.spread == "others"
    each = how.eps / (num_classes - others) if how.eps > 0 else 0.0
    w = weight if weight is not None else logits.new_ones((), dtype=_wide(logits))
    step = max(1, BLOCK // num_classes)
    sum_of_losses = 0.0
    for begin in range(0, n, step):
        block = slice(begin, begin + step)
        live = targets[block] != how.ignore_index
        y = targets[block].where(live, 0)
        x = logits[block].to(_wide(logits))
        log_p = x.masked_fill(~live.unsqueeze(1), 0.0).log_softmax(1)
        rows, _ = _rows_from_log_p(log_p, y, live, weight, how)
        sum_of_losses += rows.sum(dtype=torch.float64).item()
        if losses is not None:
            losses[block] = rows
        if slope is None:
            continue
        factor = torch.full_like(x[:, 0], unit)
        if upstream is not None:
            factor = factor * upstream[block]
        w_y = w.expand(num_classes)[y]
        on_y = w_y * (1 - how.eps + (0.0 if others else each))
        rest = w.expand(num_classes).sum() - w_y
        p = log_p.exp_()
        p_y = p.gather(1, y.unsqueeze(1)).squeeze(1)
        mass = on_y + each * rest
        g = p.mul_((mass * factor).unsqueeze(1)).sub_(each * w * factor.unsqueeze(1))
        g.scatter_(1, y.unsqueeze(1), ((mass * p_y - on_y) * factor).unsqueeze(1))
        slope[block] = g.masked_fill_(~live.unsqueeze(1), 0.0)
    return sum_of_losses


@functools.cache
def _library():
    """The compiled ``cpu.cpp``, or None where that does not work."""
    return build.library(_agrees)


def _agrees(library):
    """Whether the compiled functions give what torch gives, on rows of both kinds."""
    # On the CPU, whatever a caller made torch's default device.
    logits = torch.linspace(-9.0, 9.0, 3 * 37, device="cpu").sin().mul(8).view(3, 37)
    how = SimpleNamespace(eps=0.1, spread="all", ignore_index=-100)
    for (dtype, name), num_classes in itertools.product(build.NAMES.items(), (6, 37)):
        if not hasattr(library, name):
            continue
        targets = torch.tensor([5, -100, num_classes - 1], device="cpu")
        z, results = logits[:, :num_classes].to(dtype), []
        for run in (
            _each_block,
            functools.partial(_in_threads, getattr(library, name)),
        ):
            losses, slope = z.new_full((3,), torch.nan, dtype=_wide(z)), z * torch.nan
            run(z, targets, None, how, 1.0, None, losses, slope)
            results.append((losses, slope))
        for one, other in zip(*results, strict=True):
            digits = 1e-2 if one.dtype in (torch.float16, torch.bfloat16) else 1e-5
            if not torch.allclose(one, other, rtol=digits, atol=1e-6):
                return False
    return True
