"""Networks whose last hidden layer has two units, filmed as they train."""

import base64
import itertools

import numpy as np
import pandas as pd
import torch

from .. import check, datasets, losses, models, style, training

STEPS = (0, 20, 50, 100, 150, 200, 300, 400, 500, 700, 1000, 1400, 2000, 2800, 4000)
SHOWN = 25  # training images of each class
FULL = 32767  # 16 bits: half a frame


class TwoUnits(models.MLP):
    """An MLP with two units, and no ReLU behind, as last hidden layer. Taught in 05."""

    def __init__(self, num_classes):
        super().__init__((1, 8, 8), num_classes, widths=(64, 64, 2))
        self.body = self.body[:-2]  # without the last ReLU and its dropout


def digits(num_classes):
    """Training and test images of the digits 0, 1, ...: two SixClass. Taught in 05."""
    parts = datasets.split(datasets.load("digits"), (500, 200, 383), seed=0)
    return [part[part.y < num_classes] for part in parts[::2]]


def borders(weight, bias, middle, half):
    """Where two logits are equal and largest, within a square frame: (L, 2, 2) ends.

    weight, bias : (K, 2), (K,) arrays; middle : (2,), half : of the frame's side
    """
    box = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    ends = []
    for a, b in itertools.combinations(range(len(weight)), 2):
        others = [k for k in range(len(weight)) if k not in (a, b)]
        slope = np.vstack([weight[a] - weight[others], box])
        level = np.r_[bias[a] - bias[others], half - box @ middle]  # all must be >= 0
        normal, apart = weight[a] - weight[b], bias[a] - bias[b]
        foot, along = -apart * normal / (normal @ normal), normal[::-1] * [-1, 1]
        meets = -(slope @ foot + level) / (by := slope @ along)
        low, high = meets[by > 0].max(), meets[by < 0].min()
        if low < high:
            ends.append([foot + low * along, foot + high * along])
    return np.reshape(ends, (-1, 2, 2))


@torch.no_grad()
def _measured(model, eps, train, new):
    """Loss in nats, accuracies, the least and the mean of the other classes' gaps."""
    found = training.evaluate(model, train, eps)
    gaps = training.logit_gap(model(train.x), train.y)
    least, *others = sorted(gaps[train.y == k].mean().item() for k in train.y.unique())
    return {
        "loss": found["loss"], "accuracy": found["accuracy"],
        "new": training.evaluate(model, new)["accuracy"],
        "least gap": least, "other gaps": np.mean(others),
    }  # fmt: skip


def trained(num_classes, eps, seed):
    """Train once: a row a step, with features (N, 2), weight, bias. Taught in 05."""
    train, new = digits(num_classes)
    torch.manual_seed(seed)
    model = TwoUnits(num_classes)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=eps)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    rows = []
    for step, batch in enumerate(training.batches(len(train), 32, STEPS[-1] + 1, seed)):
        if step in STEPS:
            row = {"classes": num_classes, "eps": eps, "seed": seed, "step": step}
            row |= _measured(model, eps, train, new)
            arrays = model.features(train.x), model.head.weight, model.head.bias
            rows.append((row, *(check.array(a).astype(float) for a in arrays)))
        optimiser.zero_grad()
        loss(model(train.x[batch]), train.y[batch]).backward()
        optimiser.step()
    return rows


def least(num_classes, eps, start=0):
    """Points that move freely in a plane, one a class: least loss, gaps (K,)."""
    kind = {"generator": torch.Generator().manual_seed(start), "device": "cpu"}
    labels = torch.arange(num_classes, device="cpu")
    free = torch.randn(num_classes, 5, dtype=torch.float64, **kind)
    search = torch.optim.LBFGS([free.requires_grad_()], max_iter=2000)

    def logits():  # of features, templates and biases
        return free[:, :2] @ free[:, 2:4].T + free[:, 4]

    def loss():
        search.zero_grad()
        found = losses.label_smoothing_cross_entropy(logits(), labels, eps)
        found.backward()
        return found

    search.step(loss)
    return loss().item(), training.logit_gap(logits().detach(), labels).sort().values


def film(seeds):
    """The runs of ``data/recorded/film.json``: ends of all, the film of the first."""
    ends, frames, groups = [], [], {}
    for num_classes, eps in itertools.product((3, 6), style.EPS_GRID):
        y = digits(num_classes)[0].y
        shown = torch.cat([(y == k).nonzero()[:SHOWN, 0] for k in y.unique()])
        groups[f"classes {num_classes}"] = y[shown].tolist()
        for seed in seeds:
            rows = trained(num_classes, eps, seed)
            ends.append(rows[-1][0])
            if seed == seeds[0]:
                frames += _frames(rows, shown)
    return {"networks": pd.DataFrame(ends), "frames": pd.DataFrame(frames)} | groups


def _frames(rows, shown):
    """Rows of one training with points and lines as text, all on one scale."""
    middle = (rows[-1][1].max(0) + rows[-1][1].min(0)) / 2
    half = 1.05 * max(np.abs(h[shown] - middle).max() for _, h, *_ in rows)
    for row, h, weight, bias in rows:
        places = h[shown], borders(weight, bias, middle, half)
        at, lines = (np.rint((p - middle) / half * FULL).astype("<i2") for p in places)
        points = base64.b64encode(at.tobytes()).decode()  # the little end first
        yield row | {
            "zoom": half,
            "points": points,
            "lines": lines.reshape(-1, 4).tolist(),
        }
