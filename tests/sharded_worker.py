"""What ``test_sharded`` runs on several ranks; the parent draws cases and judges."""

import functools
import os
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.tensor import (
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_tensor,
    init_device_mesh,
)
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

from lsr_utils.experiments.several_machines import judge  # noqa: F401
from lsr_utils.sharded import sharded_label_smoothing_cross_entropy as loss_fn

# Words of a small language, classes of its head (three ranks get 14, 14 and 12), and
# the sizes of its network and of a batch.
WORDS, WIDTH, LENGTH, BATCH = 40, 32, 12, 16


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
    return init_device_mesh("cpu", shape, mesh_dim_names=("rows", "classes")[-axes:])


def whole(mesh, local, placements):
    """All of what is placed so on a mesh, rows in parts and of a size that divides."""
    placed = DTensor.from_local(local, mesh, placements, run_check=False)
    return placed.full_tensor()


def value_and_gradient(z, y, up, options, sizes=(), placements=()):
    """Of plain shards of these sizes, or of a DTensor: loss and gradient, all of it.

    placements : on each axis of the mesh "classes", "rows" or "both", which is neither
    up         : what the gradient of the loss is
    """
    class_axis = min(1, z.dim() - 1)
    if sizes:
        start = sum(sizes[: dist.get_rank()])
        z = z.split(sizes, class_axis)[dist.get_rank()].clone().requires_grad_()
        options = {"classes": (start, sum(sizes)), **options}
        loss = loss_fn(z, y, **options)
        (slope,) = torch.autograd.grad(loss, z, up.to(loss.dtype))
        return loss.detach(), slope
    mesh = mesh_of(len(placements))
    where = {"classes": Shard(class_axis), "rows": Shard(0), "both": Replicate()}
    rows = [where[p] if p == "rows" else Replicate() for p in placements]
    z = distribute_tensor(z, mesh, [where[p] for p in placements]).requires_grad_()
    loss = loss_fn(z, distribute_tensor(y, mesh, rows), **options)
    if loss.dim():
        up = distribute_tensor(up, mesh, rows).to_local()
    (slope,) = torch.autograd.grad(loss, z, up)
    loss = whole(mesh, loss.detach(), rows) if loss.dim() else loss.detach()
    return loss, slope.full_tensor()


def twice(z, y, sizes):
    """Gradients of two backward passes, what a second derivative says; z as it is."""
    start, leaf = sum(sizes[: dist.get_rank()]), z.split(sizes, 1)[dist.get_rank()]
    leaf = leaf.clone().requires_grad_()
    loss = loss_fn(leaf, y, classes=(start, sum(sizes)))
    slopes = [torch.autograd.grad(loss, leaf, retain_graph=True)[0] for _ in range(2)]
    (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
    try:
        slope.sum().backward()
    except RuntimeError as problem:
        return *slopes, leaf.detach(), str(problem)


def refused(kind):
    """A call that is wrong, on both of two ranks."""
    rank, z, y = dist.get_rank(), torch.zeros(4, 3), torch.arange(4)
    if kind in ("sum to come", "uneven"):
        placement, width = (Partial(), 3) if kind == "sum to come" else (Shard(1), 6)
        local, mesh = torch.zeros(4, 2 + 2 * rank), mesh_of(1)
        shape = {"run_check": False, "shape": (4, width), "stride": (width, 1)}
        return loss_fn(DTensor.from_local(local, mesh, [placement], **shape), y)
    classes = {"overlap": (0, 6), "gap": (4 * rank, 7), "beyond": (4, 6), "none": None}
    y = y + rank if kind == "other targets" else y
    y = y.roll(rank) if kind == "other order" else y
    y = torch.zeros(4, 6) if kind == "probabilities" else y
    return loss_fn(z, y, classes=classes.get(kind, (3 * rank, 6)))


def die():
    if dist.get_rank() == 1:
        os._exit(3)
    loss_fn(torch.zeros(4, 3), torch.zeros(4).long(), classes=(0, 6))


def mismatch():
    rank = dist.get_rank()
    n = 4 + 2 * rank
    loss_fn(torch.zeros(n, 3), torch.zeros(n).long(), classes=(3 * rank, 6))


def hang():
    if dist.get_rank() == 0:
        loss_fn(torch.zeros(4, 3), torch.zeros(4).long(), classes=(0, 6))
    time.sleep(60)


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
        mask = nn.Transformer.generate_square_subsequent_mask(
            LENGTH, dtype=self.place.dtype
        )
        h = self.embed(words) + self.place
        return self.head(self.block(h, src_mask=mask, is_causal=True))


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
        from torch.distributed.fsdp import fully_shard

        fully_shard(model, mesh=mesh["rows"])
        half = mesh["rows"].get_local_rank() * BATCH // 2
        rows = slice(half, half + BATCH // 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, foreach=False)
    losses = []
    for words in texts(steps):
        logits = model(words[rows, :-1]).flatten(0, 1)
        targets = words[rows, 1:].flatten()
        if axes:
            loss = loss_fn(logits, targets)
        else:
            loss = F.cross_entropy(logits, targets, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    curve = torch.stack(losses)
    return whole(mesh["rows"], curve[None], [Shard(0)]).mean(0) if axes == 2 else curve
