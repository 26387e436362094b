"""The steps of a fleet's training: one update of many networks, and their measures."""

import functools
import itertools

import numpy as np
import torch

from .noise import redraw
from .training import DROPOUT, REDRAW, generator_of, logit_gap, passes

MEASURES = ("loss", "nll", "accuracy", "gap", "confidence")
VALUES_AT_ONCE = 4_000_000  # of input, when all networks are evaluated


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
        self.loss = functools.partial(
            loss, **{k: column([a[k] for a in arguments], dtype) for k in arguments[0]}
        )
        self.optimiser = _optimiser(self.stack, table)
        self.l1 = column(table["l1"], dtype) if table["l1"].any() else None
        self.dropout = column(table["dropout"], dtype)
        self.redrawn = column(table["redrawn"], torch.float32)

        seeds, which = np.unique(table["seed"], return_inverse=True)
        self.which = torch.as_tensor(which, device=device)
        self.passes = [passes(self.data.rows, batch_size, int(seed)) for seed in seeds]
        self.order = iter(())
        self.masks_of = [generator_of(int(seed), DROPOUT) for seed in seeds]
        self.labels_of = [generator_of(int(seed), REDRAW) for seed in seeds]
        self.first_row = self.data.which[chunk].unsqueeze(1) * self.data.rows
        self.broken = torch.zeros(len(table), dtype=torch.int64, device=device)

    def update(self):
        """One step of every network."""
        rows = next(self.order, None)  # (seeds, B)
        if rows is None:
            one_pass = torch.stack([next(orders) for orders in self.passes], 1)
            self.order = iter(one_pass.to(self.which.device))
            rows = next(self.order)
        rows = self.first_row + rows[self.which]
        targets = self.data.y[rows]
        masks = self._dropout_factors if self.dropout.any() else None
        logits = self.stack.head(self.stack.features(self.data.x[rows], masks))
        if self.redrawn.any():
            draws = self._draw(self.labels_of, targets.shape[1:])
            targets = redraw(targets, self.redrawn, draws, logits.shape[-1])
        loss = self.loss(logits, targets).mean(1)  # (M,)
        gradients = torch.autograd.grad(loss.sum(), self.parameters)
        # Fused AdamW takes the memory as it lies, and convolutions lay it otherwise.
        gradients = [gradient.contiguous() for gradient in gradients]
        if self.l1 is not None:
            for p, gradient in zip(self.parameters, gradients, strict=True):
                gradient += self.l1.view(-1, *[1] * (p.dim() - 1)) * p.detach().sign()
        _step(self.optimiser, gradients)
        self.step += 1
        failed = ~loss.detach().isfinite() & (self.broken == 0)
        self.broken.masked_fill_(failed, self.step)

    @torch.no_grad()
    def measure(self):
        """Note the measures of all parts under the current step."""
        fleet, chunk = self.fleet, self.chunk
        at_step = fleet._measured.setdefault(self.step, {})
        for part, data in fleet._sets.items():
            x, y = (data.of_networks(v, chunk) for v in (data.x, data.y))
            features = (self.stack.features(rows) for rows in blocks(x))
            logits = torch.cat([self.stack.head(h) for h in features], 1)
            for name, values in measures(logits, y, self.loss).items():
                empty = np.full(len(fleet), np.nan)
                array = at_step.setdefault(part, {}).setdefault(name, empty)
                array[chunk] = values.double().cpu().numpy()
        for place in self.broken.nonzero().flatten().tolist():
            fleet.diverged[chunk.start + place] = int(self.broken[place])

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
    found = {
        "loss": loss(logits, targets),
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


def blocks(x):
    """(M, N, ...) in pieces of rows that are not too much at once."""
    return x.split(max(1, VALUES_AT_ONCE // max(1, x[:, 0].numel())), dim=1)
