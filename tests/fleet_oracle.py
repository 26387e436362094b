"""What the fleet is compared with: its networks trained one after another."""

import numpy as np
import pandas as pd
import torch

from lsr_utils import datasets, fleet, models, training

SETTINGS = ("seed", "eps", "lr", "weight_decay", "l1", "dropout", "redrawn")
USUAL = {"steps": 20, "batch_size": 16, "progress": False}
ARMS = [
    {},
    {"eps": 0.1, "dropout": 0.3},
    {"eps": 0.4, "redrawn": 0.2, "lr": 0.01},
    {"weight_decay": 0.5, "l1": 0.01, "lr": 0.01},
    {"eps": 1.0, "lr": 0.03, "dropout": 0.6, "redrawn": 1.0, "l1": 1e-3},
]
ALL_ARMS = pd.DataFrame([{**arm, "seed": s} for s in (7, 2) for arm in ARMS])


def double(data):
    """The same task with inputs of float64, in which rounding does not grow."""
    return datasets.SixClass(data.x.double(), data.y, data.posterior, data.class_names)


def points(n=40, seed=0):
    return double(datasets.gaussians(n, seed))


def paired_data(seed, n=40):
    return points(n, seed=100 + seed)


def build(seed):
    return models.build("mlp", (2,), widths=(8, 5), seed=seed).double()


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained(build, train, grid, **options):
    return fleet.fit_fleet(build, train, grid, **USUAL | options)


def one_by_one(build, train, table, validation=None, **options):
    networks, histories = [], []
    for row in table[list(SETTINGS)].to_dict("records"):
        data, row = train(row["seed"]) if callable(train) else train, row | options
        networks.append(build(seed=row["seed"]))
        more = {**USUAL, **row, "validation": validation}
        histories.append(training.fit(networks[-1], data, **more))
    return networks, histories


def assert_same_networks(trained, networks, tolerance=1e-8):
    for index, network in enumerate(networks):
        found, wanted = weights(trained.network(index)), weights(network)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


def assert_same_history(found, wanted, tolerance=1e-12):
    """Histories as of ``Fleet``: part to measure to (M, T) array."""
    assert found.keys() == wanted.keys()
    for part, measured in wanted.items():
        for name, values in measured.items():
            np.testing.assert_allclose(found[part][name], values, 0, tolerance)


def of_networks(history, networks):
    return {
        part: {name: values[networks] for name, values in measured.items()}
        for part, measured in history.items()
    }
