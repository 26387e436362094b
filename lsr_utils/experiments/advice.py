"""Smoothing, a temperature, early stopping, and all of them at once. Taught in 08."""

import functools

import pandas as pd
import torch

from .. import calibration, datasets, fleet, models
from . import gains

EPS = [0.0, 0.05, 0.1, 0.2]
SHARED = ["digits, 500", "clouds, 300", "clouds, 2000", "outlines, 600"]  # with 04
OTHERS = {  # network, steps, batch size, columns of the grid
    "clouds, 30000": ("mlp", 800, 128, {"lr": 3e-3}),
    "questions, bag": ("bag", 240, 32, {"lr": 5e-3, "dropout": 0.3}),
    "questions, windows": ("wordcnn", 160, 32, {"lr": 4e-3, "dropout": 0.5}),
}
SETTINGS = (*SHARED, *OTHERS)


def shared(name, seeds):
    """A setting of ``gains``: build, parts, grid, steps, batch size. Taught in 08."""
    task, model, _, steps, lr = gains.SETTINGS[name]
    build = functools.partial(models.build, model, datasets.load(task).x.shape[1:])
    arms = fleet.grid(eps=EPS, seed=seeds, lr=lr)
    return build, gains.parts(name), arms.assign(split=arms["seed"]), steps, 32


def other(name, seeds):
    """A setting of OTHERS: build, parts, grid, steps, batch size. Taught in 08."""
    model, steps, batch, row = OTHERS[name]
    arms = fleet.grid(eps=EPS, seed=seeds, **row)
    if model == "mlp":
        build = functools.partial(models.build, model, (2,), widths=(32, 16))
        sizes = (30_000, 2000, 5000)

        def drawn(k):
            return lambda seed: datasets.gaussians(sizes[k], seed=10_000 * k + seed)

        return build, [drawn(k) for k in range(3)], arms, steps, batch
    data, test = datasets.questions(), datasets.questions("test")
    shape, words = data.x.shape[1:], len(data.vocabulary)
    build = functools.partial(models.build, model, shape, num_words=words)

    def dealt(k):
        return lambda seed: datasets.split(data, (346, 80), seed)[k]

    return build, [dealt(0), dealt(1), test], arms, steps, batch


def scores(validation, test):
    """Of pairs (logits, labels): scores as they are, and with a temperature (_T)."""
    (z_val, y_val), (z, y) = ((z.double(), y) for z, y in (validation, test))
    T = calibration.fit_temperature(z_val, y_val)
    table = {"T": T, "accuracy": calibration.accuracy(z.softmax(-1), y)}
    for way, by in (("", torch.ones_like(T)), ("_T", T)):
        p_val, p = (calibration.with_temperature(x, by) for x in (z_val, z))
        table["val_nll" + way] = calibration.nll(p_val, y_val)
        table["nll" + way] = calibration.nll(p, y)
        table["ece" + way] = calibration.expected_calibration_error(p, y)
        table["over" + way] = calibration.confidence_gap(p, y)
    return pd.DataFrame(table)


def fit(name, seeds):
    """Scores of each network at the end, and at its least validation NLL: DataFrame.

    Each seed draws its data; of the digits its split. Taught in 08
    """
    measured, seen = [], []

    def loss(logits, targets, eps):
        if not torch.is_grad_enabled():  # called to measure: train, validation, test
            seen.append((logits, targets))
            if len(seen) == 3:
                measured.append(scores(*seen[1:]))
                seen.clear()
        return fleet.smoothed_cross_entropy(logits, targets, eps)

    prepared = other if name in OTHERS else shared
    build, (train, validation, test), arms, steps, batch = prepared(name, seeds)
    trained = fleet.fit_fleet(
        build, train, arms, evaluate={"validation": validation, "test": test},
        loss=loss, steps=steps, batch_size=batch, measure_every=steps // gains.MOMENTS,
        progress=False,
    )  # fmt: skip
    moments = pd.concat(measured, ignore_index=True)
    network = moments.index % len(trained)
    best = moments.loc[moments.groupby(network)["val_nll"].idxmin()]
    grid = trained.grid[["eps", "seed"]]
    tables = [
        grid.join(table.reset_index(drop=True)).assign(stop=stop)
        for stop, table in (("end", moments[-len(trained) :]), ("early", best))
    ]
    return pd.concat(tables, ignore_index=True)


def advice(seeds, settings=SETTINGS):
    """The runs of ``data/recorded/advice.json``: setting to a table. Taught in 08."""
    return {name: fit(name, seeds) for name in settings}
