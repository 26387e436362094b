"""Two small networks that sort this course's questions. Taught in 09."""

import functools

import pandas as pd

from .. import calibration, datasets, fleet, geometry, models, style

NETWORKS = {
    "bag": {"lr": 5e-3, "dropout": 0.3},
    "wordcnn": {"lr": 4e-3, "dropout": 0.5},
}
STEPS = {"bag": 250, "wordcnn": 150}  # on the course's own questions


def parts(name="questions", held_out=80, split=0):
    """Training, validation and test questions: three SixClass. Taught in 09."""
    whole = datasets.load(name)
    sizes = len(whole) - held_out, held_out
    return *datasets.split(whole, sizes, split), datasets.load(name, part="test")


def fit(name, data, eps, seeds, steps=None, loss=None, batch_size=32):
    """A Fleet of "bag" or "wordcnn", each eps with each seed. Taught in 09."""
    train, validation, test = data
    shape, num_words = tuple(train.x.shape[1:]), len(train.vocabulary)
    build = functools.partial(models.build, name, shape, num_words=num_words)
    steps = steps or STEPS[name]
    return fleet.fit_fleet(
        build, train, fleet.grid(eps=eps, seed=seeds, **NETWORKS[name]),
        evaluate={"validation": validation, "test": test}, progress=False,
        steps=steps, batch_size=batch_size, measure_every=steps,
        loss=loss or fleet.smoothed_cross_entropy,
    )  # fmt: skip


def scores(fitted, part="test"):
    """Grid of a Fleet and what each network scored; T is fitted on validation data."""
    z, y = fitted.logits(part).double(), fitted.targets(part)
    z_val, y_val = fitted.logits("validation").double(), fitted.targets("validation")
    T = calibration.fit_temperature(z_val, y_val)
    p, tempered = z.softmax(-1), calibration.with_temperature(z, T)
    error = calibration.expected_calibration_error
    table = fitted.grid[["seed", "eps"]].assign(
        accuracy=calibration.accuracy(p, y), NLL=calibration.nll(p, y),
        ECE=error(p, y), chance=calibration.ece_floor(p, draws=20),
        over=calibration.confidence_gap(p, y), T=T,
    )  # fmt: skip
    table["ECE at T"] = error(tempered, y).numpy()
    return table.astype(float)


def words(seeds):
    """The runs of ``data/recorded/words.json``: networks (scores, within / between)."""
    tables, data = [], parts(split=seeds[0])
    for name in NETWORKS:
        fitted = fit(name, data, style.EPS_GRID, seeds)
        table = scores(fitted).assign(network=name)
        for part in ("train", "test"):
            spread = geometry.scatter(fitted.features(part), fitted.targets(part))
            table[f"ratio {part}"] = spread.ratio.numpy()
        tables.append(table)
    return {"networks": pd.concat(tables, ignore_index=True)}
