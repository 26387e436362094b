"""Students of teachers that were trained on hard and on smoothed labels."""

import functools

import pandas as pd
import torch

from .. import datasets, fleet, models, stacked, targets, training

TEMPERATURES = [1.0, 2.0, 4.0, 8.0]


def distil(students, x, which, soft, temperature, steps):
    """Train students, a Stacked, on probabilities. Taught in 05c.

    x (S, N, D), which (M,) of the S sets, soft (M, N, K), temperature (M, 1, 1)
    """
    weights = students.parameters()
    optimiser = torch.optim.AdamW(weights, lr=2e-3, weight_decay=0.0, fused=True)
    orders = [training.batches(x.shape[1], 32, steps, s) for s in range(len(x))]
    networks = torch.arange(len(which))[:, None]
    for rows in zip(*orders, strict=True):
        rows = torch.stack(rows)[which]  # (M, B)
        z = students.head(students.features(x[which[:, None], rows])) / temperature
        loss = -(soft[networks, rows] * z.log_softmax(-1)).sum(-1).mean(1)
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()


def study(seeds, draw, validation, test, teacher, widths, steps):
    """One setting: the tables of its students and of its teachers. Taught in 05c."""
    sets = [draw(seed) for seed in seeds]
    teachers = fleet.fit_fleet(
        functools.partial(models.build, teacher, sets[0].x.shape[1:]),
        lambda seed: draw(seed), fleet.grid(eps=[0.0, 0.1], seed=seeds),
        evaluate={"test": test}, steps=steps, batch_size=32, measure_every=steps,
        progress=False,
    )  # fmt: skip
    logits, rows, soft = teachers.logits("train"), [], []
    for place, seed in enumerate(seeds):
        for k, e in enumerate((0.0, 0.1)):
            rows.append((f"labels {e}", 1.0, seed, place))
            soft.append(targets.smooth_targets(sets[place].y, 6, e))
            for T in TEMPERATURES:
                rows.append((f"teacher {e}", T, seed, place))
                soft.append((logits[k * len(sets) + place] / T).softmax(-1))
    table = pd.DataFrame(rows, columns=["arm", "T", "seed", "set"])
    which = torch.tensor(table.pop("set"))
    x = torch.stack([data.x.flatten(1) for data in sets])
    inputs = x.shape[2:]
    own = [models.build("mlp", inputs, seed=500 + s, widths=widths) for s in seeds]
    students = stacked.Stacked(own, which)
    temperature = torch.tensor(table["T"], dtype=x.dtype)[:, None, None]
    distil(students, x, which, torch.stack(soft), temperature, steps)
    for name, data in {"validation": validation, "test": test}.items():
        with torch.no_grad():
            h = students.features(data.x.flatten(1).expand(len(table), -1, -1))
            right = students.head(h).argmax(-1) == data.y
        table[name] = right.double().mean(1).numpy()
    return table, teachers.table("test")[["eps", "seed", "accuracy"]]


def distillation(seeds):
    """The runs of ``data/recorded/distillation.json``. Taught in 05c."""
    own, *held_out = datasets.split(datasets.load("digits"), (500, 200, 383), seed=0)
    gaussians, shapes = datasets.gaussians, datasets.shapes
    clouds = gaussians(500, seed=20_000), gaussians(4000, seed=10_000)
    images = shapes(500, seed=20_000), shapes(2000, seed=10_000)
    settings = {
        "digits, 16 units": (lambda seed: own, *held_out, "mlp", (16,), 2000),
        "digits, 6 units": (lambda seed: own, *held_out, "mlp", (6,), 2000),
        "gaussians": (lambda seed: gaussians(300, seed), *clouds, "mlp", (16,), 1500),
        "shapes": (lambda seed: shapes(600, seed), *images, "cnn", (32,), 1200),
    }
    found = {name: study(seeds, *setting) for name, setting in settings.items()}
    return {
        kind: pd.concat(of[place].assign(setting=name) for name, of in found.items())
        for place, kind in enumerate(("students", "teachers"))
    }
