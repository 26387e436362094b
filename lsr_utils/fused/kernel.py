"""The fused loss on a GPU: Triton kernels, for rows that fit registers and longer ones.

Triton is optional, and this module imports without it; ``cuda`` launches what is here.
Sums are kept in float32, for float64 logits in float64.

Taught in deep dive 02b.
"""

from __future__ import annotations  # "tl.constexpr" below is read by Triton alone

try:
    import triton
    import triton.language as tl
except ImportError:  # it has wheels for Linux only
    triton = tl = None


def _jit(function):
    return function if triton is None else triton.jit(function)


# What stands where no class is, and for a class that is masked.
NOTHING = -float("inf") if tl is None else tl.constexpr(-float("inf"))


@_jit
def _masses(w_y, rest, K, eps, OTHERS: tl.constexpr):
    """Target mass on the true class, for a unit of weight on another, and in all."""
    receivers = K - 1 if OTHERS else K
    each = tl.where(eps > 0, eps / receivers, 0.0)
    on_y = w_y * (1 - eps) if OTHERS else w_y * (1 - eps + each)
    return on_y, each, on_y + each * rest


@_jit
def _loss(log_total, d_y, offsets, rest, on_y, each):
    """Loss of a row from its sums; d is a logit minus the largest one."""
    term = log_total - d_y
    # A class without mass costs nothing, also where its logit is -inf.
    loss = tl.where((on_y == 0) & (term == float("inf")), 0.0, on_y * term)
    return loss + tl.where(each > 0, each * (rest * log_total - offsets), 0.0)


@_jit
def short_rows(
    z, z_step, y, weight, unit, losses, slope, slope_step, top, total_at,
    N, K, ignored, eps_high, eps_low,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
    WEIGHTED: tl.constexpr, OTHERS: tl.constexpr, SLOPE: tl.constexpr,
    KEEP: tl.constexpr, EACH: tl.constexpr,
):  # fmt: skip
    """Whole rows: read once, kept in registers, written once."""
    eps = tl.full((), 0.0, WIDE) + eps_high + eps_low
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    k = tl.arange(0, BLOCK)
    label = tl.load(y + row, mask=row < N, other=ignored)
    live = label != ignored
    used = live & (label >= 0) & (label < K)
    cells = used[:, None] & (k < K)[None, :]
    x = tl.load(z + row[:, None] * z_step + k[None, :], mask=cells, other=NOTHING)
    x = x.to(WIDE)
    x_y = tl.load(z + row * z_step + label, mask=used, other=0.0).to(WIDE)
    m = tl.where(used, tl.max(x, 1), 0.0)
    d = x - m[:, None]
    e = tl.exp(d)
    total = tl.sum(e, 1)
    counted = cells & (k[None, :] != label[:, None])
    if WEIGHTED:
        w = tl.load(weight + k, mask=k < K, other=0.0)[None, :]
        w_y = tl.load(weight + label, mask=used, other=0.0)
        rest = tl.sum(tl.where(counted, w, 0.0), 1)
        counted = counted & ((w != 0) | (d > NOTHING))  # no 0 * inf
    else:
        w = tl.full((1, BLOCK), 1.0, WIDE)
        w_y = tl.full((ROWS,), 1.0, WIDE)
        rest = tl.full((ROWS,), K - 1, WIDE)
    offsets = tl.sum(tl.where(counted, w * d, 0.0), 1)
    on_y, each, mass = _masses(w_y, rest, K, eps, OTHERS)
    loss = _loss(tl.log(total), x_y - m, offsets, rest, on_y, each)
    loss = tl.where(used, loss, tl.where(live, float("nan"), 0.0))
    if EACH:
        tl.store(losses + row, loss, mask=row < N)
    else:
        tl.store(losses + tl.program_id(0), tl.sum(loss, 0))
    if KEEP:
        tl.store(top + row, m, mask=row < N)
        tl.store(total_at + row, total, mask=row < N)
    if SLOPE:
        factor = tl.load(unit)
        on_true = (mass * (tl.exp(x_y - m) / total) - on_y) * factor
        g = e * (mass / total * factor)[:, None] - w * (each * factor)
        # By its place, never by reading back what was rounded.
        g = tl.where(k[None, :] == label[:, None], on_true[:, None], g)
        g = tl.where(used[:, None], g, 0.0)
        tl.debug_barrier()  # in place, nobody may still be reading
        written = (row < N)[:, None] & (k < K)[None, :]
        tl.store(slope + row[:, None] * slope_step + k[None, :], g, mask=written)


@_jit
def long_row(
    z, z_step, y, weight, unit, losses, slope, slope_step, top, total_at,
    K, ignored, eps_high, eps_low,
    BLOCK: tl.constexpr, WIDE: tl.constexpr,
    WEIGHTED: tl.constexpr, OTHERS: tl.constexpr, SLOPE: tl.constexpr,
    KEEP: tl.constexpr,
):  # fmt: skip
    """One row in stretches: forwards for its sums, then backwards for the gradient,
    so that what was read last is found in the cache."""
    eps = tl.full((), 0.0, WIDE) + eps_high + eps_low
    row = tl.program_id(0).to(tl.int64)
    label = tl.load(y + row)
    used = (label != ignored) & (label >= 0) & (label < K)
    lanes = tl.arange(0, BLOCK)
    z += row * z_step
    slope += row * slope_step
    if used:
        m = tl.full((), NOTHING, WIDE)
        sums = tl.full((BLOCK,), 0.0, WIDE)
        offsets = tl.full((BLOCK,), 0.0, WIDE)
        weights = tl.full((BLOCK,), 0.0, WIDE)
        moved = tl.full((), 0.0, WIDE)  # by what a new maximum moves the offsets
        seen = tl.full((), 0.0, WIDE)  # weight of the classes so far
        x_y = tl.load(z + label).to(WIDE)
        for start in range(0, K, BLOCK):
            k = start + lanes
            there = k < K
            x = tl.load(z + k, mask=there, other=NOTHING, eviction_policy="evict_last")
            x = x.to(WIDE)
            highest = tl.maximum(m, tl.max(x, 0))
            # -inf - -inf is nan: while all is masked, measure from 0 instead.
            old = tl.where(m > NOTHING, m, tl.where(highest > NOTHING, highest, 0.0))
            new = tl.where(highest > NOTHING, highest, 0.0)
            d = x - new
            sums = sums * tl.exp(old - new) + tl.exp(d)
            moved += seen * (old - new)
            counted = (k < K) & (k != label)
            if WEIGHTED:
                w = tl.load(weight + k, mask=k < K, other=0.0)
                weights += tl.where(counted, w, 0.0)
                seen += tl.sum(tl.where(counted, w, 0.0), 0)
                counted = counted & ((w != 0) | (d > NOTHING))
                offsets += tl.where(counted, w * d, 0.0)
            else:
                seen += tl.sum(tl.where(counted, 1.0, 0.0), 0)
                offsets += tl.where(counted, d, 0.0)
            m = highest
        total = tl.sum(sums, 0)
        total = tl.where(m > NOTHING, total, float("nan"))  # all is masked
        rest = tl.sum(weights, 0) if WEIGHTED else (K - 1).to(WIDE)
        w_y = tl.load(weight + label) if WEIGHTED else tl.full((), 1.0, WIDE)
        on_y, each, mass = _masses(w_y, rest, K, eps, OTHERS)
        offset = tl.sum(offsets, 0) + moved
        tl.store(losses + row, _loss(tl.log(total), x_y - m, offset, rest, on_y, each))
        if KEEP:
            tl.store(top + row, m)
            tl.store(total_at + row, total)
        if SLOPE:
            factor = tl.load(unit)
            on_true = (mass * (tl.exp(x_y - m) / total) - on_y) * factor
            stretches = tl.cdiv(K, BLOCK)
            tl.debug_barrier()  # in place, nobody may still be reading
            for back in range(0, stretches):
                k = (stretches - 1 - back) * BLOCK + lanes
                there = k < K
                x = tl.load(
                    z + k, mask=there, other=NOTHING, eviction_policy="evict_first"
                )
                e = tl.exp(x.to(WIDE) - m)
                w = tl.load(weight + k, mask=k < K, other=0.0) if WEIGHTED else 1.0
                g = e * (mass / total * factor) - w * (each * factor)
                tl.store(slope + k, tl.where(k == label, on_true, g), mask=k < K)
    else:
        tl.store(losses + row, tl.where(label == ignored, 0.0, float("nan")))
        if KEEP:
            tl.store(top + row, 0.0)
            tl.store(total_at + row, 1.0)
        if SLOPE:
            for start in range(0, K, BLOCK):
                k = start + lanes
                tl.store(slope + k, tl.full((BLOCK,), 0.0, WIDE), mask=k < K)


@_jit
def gradient_again(
    z, z_step, y, weight, weight_sum, unit, upstream, upstream_step, top, total_at,
    slope, slope_step, N, K, ignored, eps_high, eps_low,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
    WEIGHTED: tl.constexpr, OTHERS: tl.constexpr,
):  # fmt: skip
    """The gradient from the two numbers kept of each row: one read, one write."""
    eps = tl.full((), 0.0, WIDE) + eps_high + eps_low
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    k = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    label = tl.load(y + row, mask=row < N, other=ignored)
    used = (label != ignored) & (label >= 0) & (label < K)
    cells = used[:, None] & (k < K)[None, :]
    x = tl.load(z + row[:, None] * z_step + k[None, :], mask=cells, other=NOTHING)
    m = tl.load(top + row, mask=used, other=0.0)
    total = tl.load(total_at + row, mask=used, other=1.0)
    given = tl.load(upstream + row * upstream_step, mask=used, other=0.0)
    factor = tl.load(unit) * given
    if WEIGHTED:
        w = tl.load(weight + k, mask=k < K, other=0.0)[None, :]
        w_y = tl.load(weight + label, mask=used, other=0.0)
        rest = tl.load(weight_sum) - w_y
    else:
        w = tl.full((1, BLOCK), 1.0, WIDE)
        w_y = tl.full((ROWS,), 1.0, WIDE)
        rest = tl.full((ROWS,), K - 1, WIDE)
    on_y, each, mass = _masses(w_y, rest, K, eps, OTHERS)
    x_y = tl.load(z + row * z_step + label, mask=used, other=0.0).to(WIDE)
    on_true = (mass * (tl.exp(x_y - m) / total) - on_y) * factor
    e = tl.exp(x.to(WIDE) - m[:, None])
    g = e * (mass / total * factor)[:, None] - w * (each * factor)[:, None]
    g = tl.where(k[None, :] == label[:, None], on_true[:, None], g)
    g = tl.where(used[:, None], g, 0.0)
    written = (row < N)[:, None] & (k < K)[None, :]
    tl.store(slope + row[:, None] * slope_step + k[None, :], g, mask=written)


@_jit
def rescale_rows(
    slope, slope_step, y, upstream, upstream_step, scale_high, scale_low,
    N, K, ignored,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Multiply in place by upstream / scale; where that is 1, touch nothing."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    k = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    label = tl.load(y + row, mask=row < N, other=ignored)
    used = (label != ignored) & (label >= 0) & (label < K)
    scale = tl.full((), 0.0, WIDE) + scale_high + scale_low
    factor = tl.load(upstream + row * upstream_step, mask=used, other=1.0).to(WIDE)
    factor = tl.where(used, factor / scale, 1.0)
    if tl.max((factor != 1).to(tl.int32), 0) > 0:
        cells = used[:, None] & (k < K)[None, :]
        place = slope + row[:, None] * slope_step + k[None, :]
        g = tl.load(place, mask=cells, other=0.0).to(WIDE)
        tl.store(place, g * factor[:, None], mask=cells)
