"""The smoothed loss where the classes lie on several ranks of ``torch.distributed``.

Each rank holds the logits of some classes, all rows of them. The ranks exchange the
maximum of a row and three sums, and six check sums a call. In float32 that is 16 bytes
a row, once for each axis of a mesh that splits the classes, however many classes there
are; in the backward pass nothing. Values and gradients are those of ``losses``.
"""

import math

import torch
import torch.distributed as dist
from torch.autograd.function import once_differentiable
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

from . import check, losses

NAN = math.nan
UNKNOWN, IGNORED = -1, -2  # for a class: a target out of range, and ignore_index


def sharded_label_smoothing_cross_entropy(
    logits, targets, eps=0.1, reduction="mean", *, weight=None, ignore_index=-100,
    group=None, classes=None,
):  # fmt: skip
    """``losses.label_smoothing_cross_entropy`` of logits whose classes are split.

    logits  : a DTensor (N, K), (N, K, d1, ...) or (K,) with Shard on the class axis; on
              other axes of its mesh rows may be sharded. Or the plain tensor of this
              rank's classes, of any width, with ``classes``
    targets : class indices of this rank's rows, any integer dtype, or beside a DTensor
              another one; the same on all ranks that share a row
    weight  : (K,) tensor, whole on every rank, or None
    group   : process group that shares the classes of a plain tensor; None is all ranks
    classes : (start, K): a plain tensor holds the classes start ... start + width - 1
    returns : a plain tensor: of "mean" and "sum" the same number on every rank of the
              mesh, of "none" a loss for each of this rank's rows. A row whose target is
              out of range has the loss nan and a gradient of zero, as on CUDA
    raises  : as ``losses``; ValueError on all ranks that split a row where their shards
              leave out or repeat a class, or their targets differ (nan on CUDA). Where
              one has more rows, they wait until their group's time-out
    source  : taught in deep dive 02c
    """
    how = losses.LabelSmoothingCrossEntropy(
        eps, reduction, weight=weight, ignore_index=ignore_index
    )
    losses._check_floating(logits, "logits")
    must = "logits must have shape (N, K), (N, K, d1, ...) or (K,)"
    check.that(logits.dim() > 0, must, tuple(logits.shape))
    class_axis = min(1, logits.dim() - 1)
    mesh, rows_lie = None, []  # how rows lie on a mesh: in parts, or whole
    if isinstance(logits, DTensor):
        must = "group and classes must be None for a DTensor, which knows its own"
        check.that(group is None and classes is None, must, (group, classes))
        mesh, (place, rows_lie) = logits.device_mesh, _on_mesh(logits, class_axis)
        logits = logits.to_local()
    else:
        place = *_interval(classes, logits.shape[class_axis]), [group]
    if isinstance(targets, DTensor):
        must = "targets must be a plain tensor, as logits are"
        check.that(mesh is not None, must, targets.placements)
        targets = targets.redistribute(mesh, rows_lie).to_local()
    if isinstance(targets, torch.Tensor) and targets.is_floating_point():
        raise TypeError(f"targets must be class indices, got dtype {targets.dtype}.")
    whole = list(logits.shape)
    whole[class_axis] = place[1]
    losses._check_inputs(logits.new_empty(()).expand(whole), targets, how)
    shape, targets = targets.shape, losses._as_int64(targets).reshape(-1)
    known, live = (targets >= 0) & (targets < place[1]), targets != how.ignore_index
    targets = targets.where(known, UNKNOWN).where(live, IGNORED)
    z = logits.movedim(class_axis, -1)
    z = z.reshape(len(targets), z.shape[-1])  # (N, width)
    if weight is not None:
        weight = weight.detach().to(torch.promote_types(z.dtype, torch.float32))
    rows = _Rows.apply(z, targets, weight, how.eps, place)
    rows = rows.where(targets != UNKNOWN, NAN)
    if how.reduction == "none":
        return rows.reshape(shape)
    share = torch.ones_like(rows) if weight is None else weight[targets.clamp(min=0)]
    both = torch.stack([rows.sum(), share.where(live, 0.0).sum()])
    if any(lie.is_shard() for lie in rows_lie):  # the rows of other ranks count too
        parts = [Partial() if lie.is_shard() else lie for lie in rows_lie]
        both = DTensor.from_local(both, mesh, parts, run_check=False)
        both = both.redistribute(mesh, [Replicate()] * mesh.ndim).to_local()
    total, count = both
    return total if how.reduction == "sum" else total / count.where(count != 0, NAN)


class _Rows(torch.autograd.Function):
    """The loss of each known row (N,), others 0, from this rank's classes (N, width).

    Everything is counted from the maximum of the row, which is never added back.
    """

    @staticmethod
    def forward(ctx, z, targets, weight, eps, place):
        start, num_classes, groups = place
        n, width = z.shape
        known, index = targets >= 0, targets.clamp(min=0)
        top = z.amax(1) if width else z.new_full((n,), -math.inf)
        top = top.to(torch.promote_types(z.dtype, torch.float32))
        pairs = torch.arange(1, n + 1, device=z.device) * (num_classes + 2) + targets
        digest = _drawn(pairs, 24).sum(1) % 2**24
        top = torch.cat([top, digest, -digest])  # the least, too, by a maximum
        for group in groups:
            dist.all_reduce(top, dist.ReduceOp.MAX, group)
        top, most, least = top.split([n, 2, 2])
        agreed = (most == -least).all()
        mine = known & (index >= start) & (index < start + width)
        local = (index - start).where(mine, 0)[:, None][:, :width]  # empty like z
        w = top.new_ones(width) if weight is None else weight[start : start + width]
        packed = top.new_zeros(3 * n + 2)
        exps, of_target, uniform = packed[:-2].view(3, n)
        shifted = z - top[:, None]  # the only copy of this rank's logits
        of_target += shifted.gather(1, local).sum(1).where(mine, 0.0)
        if eps > 0:  # a class without weight may be masked: 0 * inf is 0
            terms = shifted if weight is None else losses._times(w, shifted)
            uniform += terms.sum(1)
        exps += shifted.exp_().sum(1)
        # Where shards adjoin, their differences add up to that of all classes. Of 12
        # bits float32 adds up those of 4,096 ranks without rounding.
        ends = torch.tensor([0, start, start + width, num_classes], device=z.device)
        ends = _drawn(ends, 12)
        packed[-2:] = (ends[:, 2] - ends[:, 1]) % 4096
        for group in groups:
            dist.all_reduce(packed, group=group)
        agreed &= (packed[-2:] % 4096 == (ends[:, 3] - ends[:, 0]) % 4096).all()
        if not z.is_cuda:
            must = "shards must hold each class once, and all ranks the same targets"
            got = f"classes {start} ... {start + width - 1} of {num_classes} here"
            check.that(agreed, must, got)
        lse, rows = exps.log(), torch.zeros_like(exps)
        w_true = torch.ones_like(exps) if weight is None else weight[index]
        w_sum = num_classes if weight is None else weight.sum()
        if eps < 1:
            rows += (1 - eps) * losses._times(w_true, lse - of_target)
        if eps > 0:
            rows += eps / num_classes * (w_sum * lse - uniform)
        pull = (1 - eps) * w_true + eps / num_classes * w_sum  # the target's whole mass
        push = ((1 - eps) * w_true).where(mine, 0.0)
        ctx.save_for_backward(z, top, lse, pull, push, local, w, known)
        ctx.each = eps / num_classes
        return rows.where(known, 0.0).where(agreed, NAN)

    @staticmethod
    @once_differentiable
    def backward(ctx, up):
        z, top, lse, pull, push, local, w, known = ctx.saved_tensors
        slope = (z - top[:, None]).sub_(lse[:, None]).exp_()
        slope.mul_((pull * up)[:, None]).addr_(up, w, alpha=-ctx.each)
        slope.scatter_add_(1, local, -(push * up)[:, None])
        slope.masked_fill_(~known[:, None], 0.0)  # whatever these rows hold
        return slope.to(z.dtype), *[None] * 4


def _drawn(x, bits):
    """Two numbers of so many bits, as if drawn at random, for each whole number."""
    for factor in (-7046029254386353131, -4658895280553007687):  # of splitmix64
        x = (x ^ (x >> 31)) * factor  # int64 overflows without a word
    return torch.stack([x >> 8, x >> 36]) & (2**bits - 1)


def _on_mesh(logits, class_axis):
    """(start, K, groups) of a DTensor's local classes, and how its rows lie."""
    mesh, start, width = logits.device_mesh, 0, logits.shape[class_axis]
    groups, rows_lie = [], []
    for axis, lie in enumerate(logits.placements):
        fits = type(lie) in (Shard, Replicate)  # of a strided one, classes lie apart
        check.that(fits, "logits must be sharded or replicated", lie)
        if lie.is_shard(class_axis):
            part = -(-width // mesh.size(axis))  # as torch.chunk
            skipped = min(width, part * mesh.get_local_rank(axis))
            start, width = start + skipped, min(part, width - skipped)
            groups.append(mesh.get_group(axis))
        moved = Shard(lie.dim - (lie.dim > class_axis)) if lie.is_shard() else lie
        rows_lie.append(Replicate() if lie.is_shard(class_axis) else moved)
    must = f"a DTensor must hold {width} classes here; others need classes=(start, K)"
    there = logits.to_local().shape[class_axis]
    check.that(there == width, must, there)
    return (start, logits.shape[class_axis], groups), rows_lie


def _interval(classes, width):
    """(start, K) of a plain tensor, as whole numbers."""
    must = "logits must be a DTensor, or a plain tensor with classes=(start, K)"
    check.that(isinstance(classes, (tuple, list)) and len(classes) == 2, must, classes)
    num_classes = check.whole(classes[1], "classes[1]", max(width, 1))
    return check.whole(classes[0], "classes[0]", 0, num_classes - width), num_classes
