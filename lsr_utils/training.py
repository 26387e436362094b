"""Training: one plain loop, and what it measures on the way."""

import itertools
import math
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from . import check
from .datasets.noise import redraw
from .losses import LabelSmoothingCrossEntropy
from .models import Dropout

DROPOUT, REDRAW = 1, 2  # random streams of a seed, apart from its batches


def batches(n, batch_size, steps, seed=0):
    """``steps`` index tensors (batch_size,) in shuffled passes over ``n`` rows.

    A pass leaves out what does not fill a batch. Order depends on ``seed`` and ``n``
    alone: two runs that differ in the loss see the same batches. Taught in 03
    """
    steps = check.whole(steps, "steps", 1)
    batch_size = check.whole(batch_size, "batch_size", 1, n)
    rows = itertools.chain.from_iterable(passes(n, batch_size, check.seed(seed)))
    return itertools.islice(rows, steps)


def passes(n, batch_size, seed):
    """What ``batches`` yields, without end: passes (n // batch_size, batch_size)."""
    generator = torch.Generator().manual_seed(seed)
    used = n // batch_size * batch_size
    while True:
        order = torch.randperm(n, generator=generator, device="cpu")
        yield order[:used].view(-1, batch_size)


def generator_of(seed, stream):
    """Random generator of a seed for DROPOUT or REDRAW, apart from its batches."""
    # torch's generator takes 32 bits of a seed: numpy mixes the pair down to them.
    (mixed,) = np.random.SeedSequence([seed, stream]).generate_state(1)
    return torch.Generator().manual_seed(int(mixed))


def progress_bar(iterable, total, about, wanted):
    """The iterable under a bar of tqdm, if wanted; TQDM_DISABLE is heeded."""
    from IPython import display, get_ipython
    from tqdm import tqdm

    off, line = not wanted or os.environ.get("TQDM_DISABLE", "0") not in ("", "0"), None
    if not off and hasattr(get_ipython(), "kernel"):
        # tqdm's own bar in notebooks is a widget: a notebook that is saved with one
        # shows an error when it is opened again. A finished line of text is empty.
        output = display.display({}, raw=True, display_id=True)

        def write(text):
            data = {"text/plain": text.strip()} if text.strip() else {}
            output.update(data, raw=True)

        line = SimpleNamespace(write=write, flush=bool, encoding="utf-8")
    return tqdm(iterable, about, total, leave=False, disable=off, file=line, ncols=88)


def logit_gap(logits, targets):
    """Logit of the true class minus the mean of the others: (N, K), (N,) to (N,).

    With smoothed targets its optimum is ``targets.optimal_gap``. Taught in 03.
    """
    if not torch.is_tensor(logits) or not logits.is_floating_point():
        logits = check.numbers(logits, "logits").double()
    targets, num_classes = check.labels(targets, logits), logits.shape[-1]
    check.that(num_classes > 1, "logits must be of two classes or more", num_classes)
    true = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (true - logits.mean(-1)) * num_classes / (num_classes - 1)


@torch.no_grad()
def evaluate(model, data, eps=0.0):
    """Loss, NLL, accuracy and logit gap of a network on a data set, as floats.

    eps     : of the loss "loss"; "nll" is always the loss without smoothing
    returns : dict with "loss" and "nll" (nats), "accuracy" (share), "gap" (nats)
    """
    check.that(len(data), "data must have rows", 0)
    was_training = model.training
    model.eval()
    logits = model(data.x)
    model.train(was_training)
    return {
        "loss": LabelSmoothingCrossEntropy(eps)(logits, data.y).item(),
        "nll": LabelSmoothingCrossEntropy(0.0)(logits, data.y).item(),
        "accuracy": (logits.argmax(-1) == data.y).sum().item() / len(data.y),
        "gap": logit_gap(logits, data.y).mean().item(),
    }


def fit(
    model, train, *, eps=0.0, validation=None, steps=2000, batch_size=64, lr=2e-3,
    weight_decay=0.0, l1=0.0, dropout=0.0, redrawn=0.0, seed=0, measure_every=None,
    progress=True,
):  # fmt: skip
    """Train a network in place with AdamW and smoothed cross-entropy.

    train, validation : SixClass, on the device of the model
    eps               : label smoothing of the training loss
    steps, batch_size : number of updates, rows in each
    lr, weight_decay  : of AdamW; the step size is constant
    l1                : factor of the sum of |weight| that is added to the loss
    dropout           : rate of the network's ``models.Dropout`` layers
    redrawn           : share of the labels that another class replaces in each step
    seed              : of the batch order, the dropout masks and the drawn labels
    measure_every     : steps between measurements; 20 of them when None
    returns           : tidy pandas DataFrame, a row a measurement and part: step, part
                        and the measures of ``evaluate``; step 0 is untrained
    raises            : FloatingPointError where a measured loss is no number
    """
    steps = check.whole(steps, "steps", 1)
    every = max(1, steps // 20) if measure_every is None else measure_every
    seed, l1 = check.seed(seed), check.real(l1, "l1", "[0, inf)")
    dropout = check.real(dropout, "dropout", "[0, 1)")
    redrawn = check.real(redrawn, "redrawn", "[0, 1]")
    parts = {"train": train, "validation": validation}
    parts = {name: data for name, data in parts.items() if data is not None}
    x, y = train.x, train.y
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    loss_fn, labels_of = LabelSmoothingCrossEntropy(eps), generator_of(seed, REDRAW)

    def measure(step):
        found = {name: evaluate(model, data, eps) for name, data in parts.items()}
        return [{"step": step, "part": name, **of} for name, of in found.items()]

    order = batches(len(y), batch_size, steps, seed)
    order = progress_bar(order, steps, f"eps = {eps:g}", progress)
    history, was_training = measure(0), model.training
    model.train()
    _set_dropout(model, dropout, generator_of(seed, DROPOUT))
    try:
        for step, rows in enumerate(order, start=1):
            rows = rows.to(y.device)
            logits, targets = model(x[rows]), y[rows]
            if redrawn:
                draws = torch.rand(targets.shape, generator=labels_of, device="cpu")
                targets = redraw(targets, redrawn, draws.to(y.device), logits.shape[-1])
            loss = loss_fn(logits, targets)
            if l1:
                loss = loss + l1 * sum(p.abs().sum() for p in model.parameters())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step % every == 0 or step == steps:
                history += measure(step)
                loss = history[-len(parts)]["loss"]
                if not loss < math.inf:
                    said = f"the training loss is {loss} at step {step}; lower lr={lr}."
                    raise FloatingPointError(said)
    finally:
        _set_dropout(model, 0.0, None)
    model.train(was_training)
    return pd.DataFrame(history)


def _set_dropout(model, rate, generator):
    """Give every ``models.Dropout`` of a network this rate and generator."""
    layers = [layer for layer in model.modules() if isinstance(layer, Dropout)]
    if rate and not layers:
        raise ValueError(f"dropout is {rate} for a network without models.Dropout.")
    for layer in layers:
        layer.rate, layer.generator = rate, generator
