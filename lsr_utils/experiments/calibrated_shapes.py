"""Networks as trained, with a temperature, with smoothing undone. Taught in 08a."""

import functools

import numpy as np
import pandas as pd

from .. import calibration, datasets, fleet, models


def fit(task, sizes, widths, steps, batch, lr, seeds, eps=(0.0, 0.1)):
    """A Fleet; sizes of training, validation and test data. Taught in 08a."""

    def part(k):
        if task == "digits":
            return lambda seed: datasets.split(datasets.digits(), sizes, seed)[k]
        first = (0, 1000, 10_000)[k]
        return lambda seed: datasets.load(task, n=sizes[k], seed=first + seed)

    train, validation, test = map(part, range(3))
    kind, options = ("mlp", {"widths": widths}) if widths else ("cnn", {})
    shape = datasets.load(task).x.shape[1:]
    build = functools.partial(models.build, kind, shape, **options)
    return fleet.fit_fleet(
        build, train, fleet.grid(eps=list(eps), seed=list(seeds), lr=lr), steps=steps,
        evaluate={"validation": validation, "test": test}, batch_size=batch,
        measure_every=steps,
    )  # fmt: skip


def ways(trained):
    """Scores of each network of ε = 0, 0.1 and each way to read it. Taught in 08a."""
    rows = np.flatnonzero(trained.grid["eps"].isin([0.0, 0.1]))
    z, z_val = (trained.logits(k)[rows].double() for k in ("test", "validation"))
    y, y_val = (trained.targets(k)[rows] for k in ("test", "validation"))
    known, T = trained.posterior("test"), calibration.fit_temperature(z_val, y_val)
    raw, grid = z.softmax(-1), trained.grid.iloc[rows][["eps", "seed"]]
    over_val = calibration.confidence_gap(z_val.softmax(-1), y_val)
    tables = []
    for p, hard, smoothed in (
        (raw, "hard", "smoothed"),
        (calibration.with_temperature(z, T), "temperature", "both"),
        (calibration.unsmoothed(raw, 0.1, least=1e-4), None, "inverse"),
    ):
        error = calibration.expected_calibration_error(p, y)
        floor = calibration.ece_floor(p, draws=20)
        table = grid.assign(
            T=T, over_val=over_val, accuracy=calibration.accuracy(p, y), ECE=error,
            floor=floor, excess=error - floor, NLL=calibration.nll(p, y),
            Brier=calibration.brier_score(p, y), over=calibration.confidence_gap(p, y),
        )  # fmt: skip
        if known is not None:
            table["true ECE"] = calibration.true_calibration_error(p, known[rows])
        tables.append(table.assign(way=np.where(grid["eps"] == 0, hard, smoothed)))
    return pd.concat(tables, ignore_index=True).dropna(subset="way")


def calibrated_shapes(seeds, steps=1000, test=4000):
    """The runs of ``data/recorded/calibrated_shapes.json``: ways of small CNNs."""
    return {"ways": ways(fit("shapes", (600, 300, test), None, steps, 32, 2e-3, seeds))}
