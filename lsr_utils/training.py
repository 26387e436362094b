"""Training: one plain loop, and what it measures on the way."""

import os

import torch

from .losses import LabelSmoothingCrossEntropy
from .targets import check_count


def batches(n, batch_size, steps, seed=0):
    """``steps`` index tensors (batch_size,) in shuffled passes over ``n`` rows.

    A pass leaves out what does not fill a batch. The order depends on ``seed`` and
    ``n`` alone, so that two runs that differ in the loss see the same batches.
    raises : ValueError when batch_size is not in 1 ... n. Taught in 03 section 3.
    """
    steps = check_count(steps, "steps")
    seed = check_count(seed, "seed", least=0)
    if isinstance(batch_size, bool) or batch_size not in range(1, n + 1):
        raise ValueError(f"batch_size must lie in 1 ... {n} rows, got {batch_size}.")
    return _batches(n, batch_size, steps, seed)


def _batches(n, batch_size, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < batch_size:
            order = torch.randperm(n, generator=generator)
        yield order[:batch_size]
        order = order[batch_size:]


def logit_gap(logits, targets):
    """Logit of the true class minus the mean of the others: (N, K), (N,) to (N,).

    With smoothed targets its optimum is ``targets.optimal_gap``.
    Taught in 03 section 4.
    """
    num_classes = logits.shape[-1]
    true = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (true - logits.mean(-1)) * num_classes / (num_classes - 1)


@torch.no_grad()
def evaluate(model, data, eps=0.0):
    """Loss, NLL, accuracy and logit gap of a network on a data set, as floats.

    eps     : of the loss "loss"; "nll" is always the loss without smoothing
    returns : dict with "loss" and "nll" (nats), "accuracy" (share), "gap" (nats)

    Taught in 03 section 4.
    """
    was_training = model.training
    model.eval()
    logits = model(data.x)
    model.train(was_training)
    return {
        "loss": LabelSmoothingCrossEntropy(eps)(logits, data.y).item(),
        "nll": LabelSmoothingCrossEntropy(0.0)(logits, data.y).item(),
        "accuracy": (logits.argmax(-1) == data.y).double().mean().item(),
        "gap": logit_gap(logits, data.y).mean().item(),
    }


def fit(
    model,
    train,
    *,
    eps=0.0,
    validation=None,
    steps=2000,
    batch_size=64,
    lr=2e-3,
    weight_decay=0.0,
    seed=0,
    measure_every=None,
    progress=True,
):
    """Train a network in place with AdamW and smoothed cross-entropy.

    train, validation : SixClass, on the device of the model
    eps               : label smoothing of the training loss
    steps, batch_size : number of updates, rows in each
    lr, weight_decay  : of AdamW; the step size is constant
    seed              : of the batch order
    measure_every     : steps between measurements; 20 of them when None
    returns           : tidy pandas DataFrame, one row a measurement and part:
                        step, part ("train" or "validation"), loss, nll (nats),
                        accuracy, gap; the first row is the untrained network
    raises            : ValueError (eps, steps, batch_size, measure_every, an empty
                        part), FloatingPointError when a measured loss is no number

    Taught in 03 section 3.
    """
    import pandas as pd  # slow to import, and only the history needs it
    from tqdm.auto import tqdm

    steps = check_count(steps, "steps")
    if measure_every is None:
        measure_every = max(1, steps // 20)
    measure_every = check_count(measure_every, "measure_every")
    parts = {"train": train, "validation": validation}
    parts = {name: part for name, part in parts.items() if part is not None}
    for name, part in parts.items():
        if len(part) == 0:
            raise ValueError(f"{name} must have at least 1 row, got 0.")
    loss_fn = LabelSmoothingCrossEntropy(eps)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)

    def measure(step):
        return [
            {"step": step, "part": name, **evaluate(model, part, eps)}
            for name, part in parts.items()
        ]

    order = batches(len(train), batch_size, steps, seed)
    history = measure(0)
    was_training = model.training
    model.train()
    # tqdm's own reading of this variable does not reach its notebook widget.
    if progress and os.environ.get("TQDM_DISABLE", "") in ("", "0"):
        order = tqdm(order, total=steps, desc=f"eps = {eps:g}", leave=False)
    for step, rows in enumerate(order, start=1):
        rows = rows.to(train.y.device)
        loss = loss_fn(model(train.x[rows]), train.y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % measure_every == 0 or step == steps:
            history += measure(step)
            if not history[-len(parts)]["loss"] < float("inf"):
                raise FloatingPointError(
                    f"the training loss is {history[-len(parts)]['loss']} at step "
                    f"{step}; try a smaller lr than {lr}."
                )
    model.train(was_training)
    return pd.DataFrame(history)
