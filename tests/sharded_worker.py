"""What ``test_sharded`` runs on several ranks; the parent draws cases and judges."""

import functools
import os
import time

import torch
import torch.distributed as dist
import torch.distributed.tensor as dt
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

from lsr_utils.experiments.several_machines import counted
from lsr_utils.sharded import sharded_label_smoothing_cross_entropy as loss_fn

WORDS, WIDTH, LENGTH, BATCH = 40, 32, 12, 16  # three ranks get 14, 14 and 12 words
pytorch = nn.CrossEntropyLoss(label_smoothing=0.1)


def run(tasks):
    """The result of each task (name of a function, arguments), or what it raised."""
    results = []
    for name, *given in tasks:
        try:
            results.append(globals()[name](*given))
        except Exception as problem:
            results.append(f"{type(problem).__name__}: {problem}")
    return results


@functools.cache
def mesh_of(axes):
    """The mesh of all ranks with one axis, or with two, the first of size 2."""
    ranks = dist.get_world_size()
    shape = (2, ranks // 2) if axes == 2 else (ranks,)
    return dt.init_device_mesh("cpu", shape, mesh_dim_names=("rows", "classes")[-axes:])


def whole(mesh, local, placements):
    """All of what is placed so on a mesh, in parts of one size."""
    return dt.DTensor.from_local(local, mesh, placements).full_tensor()


def value_and_gradient(z, y, up, options, sizes=(), placements=()):
    """The loss, and its gradient for ``up``: of plain shards this rank's, of a DTensor
    all. An axis of its mesh has "classes", "rows" or (called "both") neither in parts.
    """
    class_axis = min(1, z.dim() - 1)
    if sizes:
        start = sum(sizes[: dist.get_rank()])
        z = z.split(sizes, class_axis)[dist.get_rank()].clone().requires_grad_()
        loss = loss_fn(z, y, classes=(start, sum(sizes)), **options)
        options = {"grad_outputs": up.to(loss.dtype), "retain_graph": True}
        slopes = [torch.autograd.grad(loss, z, **options)[0] for _ in range(2)]
        return loss.detach(), slopes[1]
    mesh = mesh_of(len(placements))
    where = {"classes": dt.Shard(class_axis), "rows": dt.Shard(0)}
    where["both"] = dt.Replicate()
    rows = [where[p] if p == "rows" else dt.Replicate() for p in placements]
    z = dt.distribute_tensor(z, mesh, [where[p] for p in placements]).requires_grad_()
    loss = loss_fn(z, dt.distribute_tensor(y, mesh, rows), **options)
    up = dt.distribute_tensor(up, mesh, rows).to_local() if loss.dim() else up
    (slope,) = torch.autograd.grad(loss, z, up)
    loss = whole(mesh, loss.detach(), rows) if loss.dim() else loss.detach()
    return loss, slope.full_tensor()


def refused(kind):
    """A call that is wrong, of two ranks or three."""
    rank, z, y = dist.get_rank(), torch.zeros(4, 3), torch.arange(4)
    num_classes = 3 * dist.get_world_size()
    mine, zeros = (3 * rank, num_classes), torch.zeros
    if kind == "second derivative":
        loss = loss_fn(z.requires_grad_(), y, classes=(3 * rank, 6))
        (slope,) = torch.autograd.grad(loss, z, create_graph=True)
        return slope.sum().backward()
    if kind in ("sum to come", "uneven"):
        width = 3 if kind == "sum to come" else 6
        placement = dt.Partial() if width == 3 else dt.Shard(1)
        local, mesh = torch.zeros(4, 2 + 2 * rank), mesh_of(1)
        shape = {"run_check": False, "shape": (4, width), "stride": (width, 1)}
        return loss_fn(dt.DTensor.from_local(local, mesh, [placement], **shape), y)
    z, y, classes = {
        "overlap": (z, y, (0, num_classes)),
        "beyond": (z, y, (4, 6)),
        "none": (z, y, None),
        "total": (z, y, (3 * rank, num_classes + (rank == 1))),
        "targets": (z, y + rank, mine),
        "order": (z, y.roll(rank), mine),
        "ignored": (z, y.where(y < 3, -100 + 177 * rank), mine),
        "probabilities": (z, zeros(4, 6), mine),
        "number": (z[0, 0], y[0], mine),
        "plain": (z, dt.DTensor.from_local(y, mesh_of(1)), mine),
        # These agree modulo 4093, or their cubes do.
        "hole": (zeros(4, 9 + 60 * rank), y, (59 * rank, 128)),
        "distant": (zeros(4, 2500), y + 4093 * rank, (2500 * rank, 5000)),
        "last_row": (zeros(4093, 3), torch.arange(4093) // 4092 * 5 * rank, mine),
    }[kind]
    return loss_fn(z, y, classes=classes)


def fail(how):
    """On rank 1: its end, more rows than the others have, or a long sleep."""
    rank = dist.get_rank()
    if rank == 1 and how == "die":
        os._exit(3)
    if rank == 1 and how == "sleep":
        time.sleep(60)
    n = 4 + 2 * rank * (how == "differ")
    loss_fn(torch.zeros(n, 3), torch.zeros(n).long(), classes=(3 * rank, 9))


def gathered():
    """What the counter sees of two calls, one of them PyTorch's own for a DTensor."""
    with counted() as seen:
        dist.all_reduce(whole(mesh_of(1), torch.zeros(2, 3), [dt.Shard(0)]))
    return seen.bytes, sorted(name.split(".")[1] for name in seen.calls())


# A training step, end to end ----------------------------------------------------------


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        options = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        self.block = nn.TransformerEncoderLayer(WIDTH, 2, 2 * WIDTH, **options)
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, words):
        h = self.embed(words) + self.place
        later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
        return self.head(self.block(h, src_mask=later))


def texts(steps):
    """Batches of a text in which three words may follow a word: (BATCH, LENGTH + 1)."""
    dice = torch.Generator().manual_seed(1)
    follow = torch.randint(WORDS, (WORDS, 3), generator=dice)
    for _ in range(steps):
        words = [torch.randint(WORDS, (BATCH,), generator=dice)]
        for choice in torch.randint(3, (LENGTH, BATCH), generator=dice):
            words.append(follow[words[-1], choice])
        yield torch.stack(words, 1)


def train(steps, dtype, axes=0):
    """The loss curve on one process (axes 0), or with the head's classes on all ranks;
    with two axes half of the batch on each half of them, by FSDP2."""
    torch.manual_seed(0)
    model, rows = LanguageModel().to(dtype), slice(None)
    if axes:
        mesh = mesh_of(axes)
        plan = {"head": ColwiseParallel(use_local_output=False)}
        parallelize_module(model, mesh["classes"], plan)
    if axes == 2:
        fully_shard(model, mesh=mesh["rows"])
        half = mesh["rows"].get_local_rank() * BATCH // 2
        rows = slice(half, half + BATCH // 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, foreach=False)
    losses = []
    for words in texts(steps):
        logits = model(words[rows, :-1]).flatten(0, 1)
        targets = words[rows, 1:].flatten()
        loss = (loss_fn if axes else pytorch)(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    curve = torch.stack(losses)
    if axes < 2:
        return curve
    return whole(mesh["rows"], curve[None], [dt.Shard(0)]).mean(0)
