"""Losses that do what smoothing does, at equal search budgets. Taught in 08b."""

import functools

import numpy as np
import pandas as pd
import torch

from .. import models, stacked, training
from . import advice, gains

SETTINGS = ("digits, 500", "clouds, 300", "clouds, 2000")  # of 04 and 08
EPS = [0.05, 0.1, 0.2, 0.4]
STRENGTHS = {  # four trainings each; those of the penalty have the optima of EPS
    "smoothing": EPS, "MaxSup": EPS, "penalty": [0.2184, 0.2722, 0.3728, 0.6514],
    "focal": [1.0, 2.0, 3.0, 5.0], "towards alike": EPS, "mixup": [0.1, 0.2, 0.4, 1.0],
}  # fmt: skip


def nll(z, y):
    """Of logits (..., K) and class indices (...): (...), in nats. Taught in 08b."""
    return z.logsumexp(-1) - z.gather(-1, y[..., None])[..., 0]


LOSSES = {  # of logits, labels and a strength, (M, 1)
    "smoothing": lambda z, y, a: (1 - a) * nll(z, y) - a * z.log_softmax(-1).mean(-1),
    "MaxSup": lambda z, y, a: nll(z, y) + a * (z.amax(-1) - z.mean(-1)),
    "penalty": lambda z, y, a: nll(z, y) + a * (
        (z.softmax(-1) * z).sum(-1) - z.logsumexp(-1)),
    "focal": lambda z, y, a: (1 - (-nll(z, y)).exp()) ** a * nll(z, y),
}  # fmt: skip


def towards(alike, z, y, eps):
    """Smoothing towards rows of alike: (M, K, K), (M, B, K), (M, B), (M, 1)."""
    q = alike.gather(1, y[..., None].expand(z.shape))
    return (1 - eps) * nll(z, y) - eps * (q * z.log_softmax(-1)).sum(-1)


def mix(rows, share):
    """A share (M, 1) of each row of (M, B, ...), the rest from the batch's far end."""
    share = share.view(-1, *[1] * (rows.dim() - 1))
    return share * rows + (1 - share) * rows.flip(1)


def fit(name, seeds, values, loss):
    """Scores of each value with each seed, and validation data; no loss: mixup."""
    task, model, _, steps, lr = gains.SETTINGS[name]
    keys = [[s] if task == "digits" else [s, 0] for s in seeds]
    sets = [[part(*key) for key in keys] for part in gains.parts(name)]
    sets = [[torch.stack([getattr(d, k) for d in of]) for k in "xy"] for of in sets]
    x, y = sets[0]
    which = torch.arange(len(seeds)).repeat(len(values))
    value = torch.tensor(values).repeat_interleave(len(seeds))[:, None]
    own = [models.build(model, x.shape[2:], seed=s) for s in seeds]
    stack = stacked.Stacked(own, which)
    optimiser = torch.optim.AdamW(stack.parameters(), lr, weight_decay=0.0, fused=True)
    orders = [training.batches(x.shape[1], 32, steps, s) for s in seeds]
    rng, one_hot = np.random.default_rng(seeds[0]), torch.eye(6)
    for rows in zip(*orders, strict=True):
        rows = which[:, None], torch.stack(rows)[which]
        share = torch.tensor(rng.beta(value, value) if loss is None else 1.0).to(x)
        z = stack.head(stack.features(mix(x[rows], share)))
        soft = -(mix(one_hot[y[rows]], share) * z.log_softmax(-1)).sum(-1)
        each = soft if loss is None else loss(z, y[rows], value)
        optimiser.zero_grad()
        each.mean(1).sum().backward()
        optimiser.step()
    logits = [stack.head(stack.features(a[which])).detach() for a, _ in sets[1:]]
    pairs = [(z, b[which]) for z, (_, b) in zip(logits, sets[1:], strict=True)]
    columns = {"value": value[:, 0].numpy(), "seed": np.array(seeds)[which]}
    return advice.scores(*pairs).assign(setting=name, **columns), pairs[0]


def relatives(seeds, settings=SETTINGS):
    """The runs of ``data/recorded/relatives.json``: each seed's best of four."""
    chosen = []
    for name in settings:
        hard, (z, y) = fit(name, seeds, [0.0], LOSSES["smoothing"])
        own, found = torch.eye(6), {"one-hot": hard}
        others = (own[y].mT @ z.softmax(-1)) * (1 - own) + 1e-6
        alike = own / 6 + 5 / 6 * others / others.sum(-1, keepdim=True)
        aware = functools.partial(towards, alike.repeat(4, 1, 1))
        losses = LOSSES | {"towards alike": aware}
        for method, values in STRENGTHS.items():
            found[method], _ = fit(name, seeds, values, losses.get(method))
        for method, table in found.items():
            best = table.groupby("seed")["val_nll"].idxmin()
            chosen.append(table.loc[best].assign(method=method))
    return {"chosen": pd.concat(chosen, ignore_index=True)}
