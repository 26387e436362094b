"""The steps of a fleet's training: one update of many networks, and their measures."""

import functools
import itertools
import math

import numpy as np
import torch

from .datasets.noise import redraw
from .grids import MEASURES
from .training import DROPOUT, REDRAW, generator_of, logit_gap, passes

# Of input, when all networks are evaluated. On a CPU more would leave its cache, and
# convolutions then take three times as long; a GPU is kept busy by so much more.
VALUES_AT_ONCE, ON_CUDA = 250_000, 16
CACHED_BYTES = 48e6  # trained in turn on a CPU; about as much as it keeps at hand
UNBROKEN = -1


def smoothed_cross_entropy(logits, targets, eps):
    """Loss of each row of M networks, each with an eps of its own, in nats.

    logits, targets, eps : (M, B, K), (M, B) class indices, (M, 1)
    returns              : (M, B), as ``losses.label_smoothing_cross_entropy``
    """
    # Over the few classes, log_softmax is three times faster when they are not last.
    log_p = logits.mT.contiguous().log_softmax(1)  # (M, K, B)
    nll = -log_p.gather(1, targets.unsqueeze(1)).squeeze(1)
    return (1 - eps) * nll - eps * log_p.mean(1)


class Training:
    """The networks of one chunk on their way: ``update`` them, ``measure`` them."""

    def __init__(self, fleet, chunk, loss, arguments, batch_size):
        self.fleet, self.chunk, self.step = fleet, chunk, 0
        self.stack = fleet._stack[chunk]
        self.parameters = self.stack.parameters()
        self.data = fleet._sets["train"]
        device, dtype = self.data.x.device, self.parameters[0].dtype
        table = fleet.grid[chunk].reset_index(drop=True)
        column = functools.partial(_column, device=device)
        given = {name: [row[name] for row in arguments] for name in arguments[0]}
        for name, values in given.items():
            wrong = [v for v in values if not isinstance(v, (int, float))]
            if wrong:
                raise ValueError(
                    f"grid must have numbers in the column {name!r}, which loss takes, "
                    f"got {wrong[0]!r}."
                )
        self.loss = functools.partial(
            loss, **{name: column(values, dtype) for name, values in given.items()}
        )
        self.optimiser = _optimiser(self.stack, table)
        self.l1 = column(table["l1"], dtype) if table["l1"].any() else None
        self.dropout = column(table["dropout"], dtype)
        self.redrawn = column(table["redrawn"], torch.float32)
        # Of the table, not of the tensors: to ask those would wait for the device.
        self.has_dropout = bool(table["dropout"].any())
        self.has_redrawn = bool(table["redrawn"].any())

        seeds, which = np.unique(table["seed"], return_inverse=True)
        self.which = torch.as_tensor(which, device=device)
        self.passes = [passes(self.data.rows, batch_size, int(seed)) for seed in seeds]
        self.order = iter(())
        self.masks_of = [generator_of(int(seed), DROPOUT) for seed in seeds]
        self.labels_of = [generator_of(int(seed), REDRAW) for seed in seeds]
        self.first_row = self.data.which[chunk].unsqueeze(1) * self.data.rows
        self.broken = torch.full((len(table),), UNBROKEN, device=device)

    def update(self):
        """One step of every network."""
        rows = next(self.order, None)  # (seeds, B)
        if rows is None:
            one_pass = torch.stack([next(orders) for orders in self.passes], 1)
            self.order = iter(one_pass.to(self.which.device))
            rows = next(self.order)
        rows = self.first_row + rows[self.which]
        targets = self.data.y[rows]
        masks = self._dropout_factors if self.has_dropout else None
        logits = self.stack.head(self.stack.features(self.data.x[rows], masks))
        if self.has_redrawn:
            draws = self._draw(self.labels_of, targets.shape[1:])
            targets = redraw(targets, self.redrawn, draws, logits.shape[-1])
        loss = self.loss(logits, targets).mean(1)  # (M,)
        gradients = torch.autograd.grad(loss.sum(), self.parameters)
        # Fused AdamW takes the memory as it lies, and convolutions lay it otherwise.
        gradients = [gradient.contiguous() for gradient in gradients]
        if self.l1 is not None:
            # Not in place: two weights may have been given one and the same gradient.
            gradients = [
                gradient + self.l1.view(-1, *[1] * (p.dim() - 1)) * p.detach().sign()
                for p, gradient in zip(self.parameters, gradients, strict=True)
            ]
        _step(self.optimiser, gradients)
        self.step += 1
        self._note_broken(loss.detach())

    @torch.no_grad()
    def measure(self):
        """Note the measures of all parts under the current step."""
        fleet, chunk = self.fleet, self.chunk
        at_step = fleet._measured.setdefault(self.step, {})
        present = np.zeros(len(fleet), dtype=bool)
        fleet._present.setdefault(self.step, present)[chunk] = True
        for part, data in fleet._sets.items():
            y = data.of_networks(data.y, chunk)
            # Piece by piece: all networks' inputs at once may be M data sets.
            pieces = row_slices(y.shape, data.x, self.stack)
            x = (data.of_networks(data.x, chunk, rows) for rows in pieces)
            features = (self.stack.features(rows) for rows in x)
            logits = torch.cat([self.stack.head(h) for h in features], 1)
            found = measures(logits, y, self.loss)
            if part == "train":  # the first: what it finds holds for the others
                self._note_broken(found["loss"])
            for name in MEASURES:
                values = found[name].masked_fill(self.broken != UNBROKEN, np.nan)
                empty = np.full(len(fleet), np.nan)
                array = at_step.setdefault(part, {}).setdefault(name, empty)
                array[chunk] = values.double().cpu().numpy()
        for place, step in enumerate(self.broken.tolist()):
            if step != UNBROKEN:
                fleet.diverged[chunk.start + place] = step

    def _note_broken(self, loss):
        failed = ~loss.isfinite() & (self.broken == UNBROKEN)
        self.broken.masked_fill_(failed, self.step)

    def _draw(self, generators, shape):
        """Uniform numbers (M, *shape), the same for networks with the same seed."""
        draws = torch.stack([torch.rand(shape, generator=g) for g in generators])
        return draws.to(self.which.device)[self.which]

    def _dropout_factors(self, shape):
        draws = self._draw(self.masks_of, shape)
        rate = self.dropout.view(-1, *[1] * len(shape))
        # Compared in float32, as a layer of its own compares with a Python number.
        return (draws >= rate.float()) / (1 - rate)


def measures(logits, targets, loss):
    """The measures of M networks, each (M,); nan where logits are not finite."""
    losses = loss(logits, targets)
    if losses.shape != targets.shape:
        raise ValueError(
            f"loss must return a number for each of (M, B) rows, {tuple(targets.shape)}"
            f" here, got shape {tuple(losses.shape)}."
        )
    found = {
        "loss": losses,
        "nll": smoothed_cross_entropy(logits, targets, 0.0),
        "accuracy": (logits.argmax(-1) == targets).double(),
        "gap": logit_gap(logits, targets),
        "confidence": logits.mT.contiguous().softmax(1).amax(1),
    }
    sound = logits.isfinite().all(-1).all(-1)
    return {k: v.mean(1).masked_fill(~sound, np.nan) for k, v in found.items()}


def _column(values, dtype, device):
    return torch.tensor(list(values), dtype=dtype, device=device).unsqueeze(1)


def _optimiser(stack, table):
    """AdamW over all networks: a group for each run of equal lr and weight decay."""
    settings = zip(table["lr"], table["weight_decay"], strict=True)
    groups, start = [], 0
    for (lr, decay), run in itertools.groupby(settings):
        stop = start + len(list(run))
        weights = [p.detach()[start:stop] for p in stack.parameters()]
        groups.append({"params": weights, "lr": lr, "weight_decay": decay})
        start = stop
    return torch.optim.AdamW(groups, fused=True)


def _step(optimiser, gradients):
    start = 0
    for group in optimiser.param_groups:
        for weight, gradient in zip(group["params"], gradients, strict=True):
            weight.grad = gradient[start : start + len(weight)]
        start += len(weight)
    optimiser.step()


def row_slices(shape, x, stack):
    """Slices of rows of ``x`` that are not too much at once for (M, N) = ``shape``."""
    networks, rows = shape
    values = networks * math.prod(x.shape[1:])
    at_once = VALUES_AT_ONCE * (ON_CUDA if x.is_cuda else 1)
    size = max(1, rows if stack.mixes_rows else at_once // max(1, values))
    return [slice(k, k + size) for k in range(0, max(1, rows), size)]


def chunks_within(fleet, memory, batch_size):
    """Slices of the grid that can each be trained within ``memory`` bytes."""
    if (
        isinstance(memory, bool)
        or not isinstance(memory, (int, float, np.number))
        or not memory > 0
    ):
        raise ValueError(f"memory must be a number of bytes above 0, got {memory!r}.")
    size = int(min(len(fleet), max(1, memory / _bytes_of_one(fleet, batch_size))))
    chunks = _even_slices(0, len(fleet), size)
    if len(chunks) > 1:
        print(
            f"fit_fleet: {len(fleet)} networks in {len(chunks)} chunks of at most "
            f"{size}, to stay within {memory / 1e9:g} GB."
        )
    return chunks


def portions_of(fleet, chunk, batch_size):
    """Slices of a chunk that a processor trains faster than the chunk as a whole.

    A step over more networks than its cache holds waits for memory all the time. On
    CUDA there is one portion.
    """
    if fleet._sets["train"].x.is_cuda:
        return [chunk]
    size = max(1, int(CACHED_BYTES / _bytes_of_one(fleet, batch_size)))
    return _even_slices(chunk.start, chunk.stop, size)


def _even_slices(start, stop, size):
    """``start`` to ``stop`` in as few slices as ``size`` allows, about alike."""
    count = -(-(stop - start) // size)
    bounds = [start + (stop - start) * k // count for k in range(count + 1)]
    return [slice(*pair) for pair in itertools.pairwise(bounds)]


def _bytes_of_one(fleet, batch_size):
    """Bytes in which one network is trained, about."""
    values = _values_of_a_row(fleet._stack, fleet._sets["train"].x[:2])
    weight, *_ = weights = fleet._stack.parameters()
    # Weight, gradient and its copy, two moments; activations and their gradients.
    numbers = 5 * sum(p[0].numel() for p in weights) + 4 * batch_size * values
    return weight.element_size() * numbers


@torch.no_grad()
def _values_of_a_row(stack, x):
    """Numbers that one network holds for one row of input, layer by layer."""
    rows, total = len(x), x.numel()  # two of them: batch norm takes no single row
    x = x.unsqueeze(0)
    for layer in stack[:1].layers:
        x = layer(x, None)
        total += x.numel()
    return total // rows
