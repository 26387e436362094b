"""Recorded runs: trained before, on another machine or for longer than a lecture.

``run(name)`` gives its tables, and where they come from. ``networks("animals")`` gives
recorded networks, in the form of a fleet to whoever measures them.
"""

import json
import zipfile

import numpy as np
import torch

from .datasets import recorded_folder

PARTS = ("validation", "test")


def run(name):
    """The tables of a recorded run, and where, when and by what they were made: a dict.

    name   : of a file in ``data/recorded``, without its ending
    raises : ValueError for a name of which there is no record
    """
    path = _path(name, ".json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error


def source(about):
    """One line on a recorded run: device, version, date and, if any, seeds."""
    line = f"recorded: {about['device']}, torch {about['torch']}, {about['date']}"
    return line + (f", {about['seeds']} seeds" if "seeds" in about else "")


class RecordedFleet:
    """What M recorded networks said, in the order of ``grid``.

    grid    : DataFrame, a row a network: seed, eps, and measures over whole parts
    history : DataFrame, a row a network and pass over the training images
    about   : dict of where, when and by what they were made, and the recipe
    weight  : (M, K, D) float32, the templates of the last layer; bias : (M, K)
    """

    def __init__(self, about, arrays):
        import pandas as pd

        self.grid = pd.DataFrame(about.pop("networks"))
        self.history = pd.DataFrame(about.pop("history"))
        self.about, self._arrays = about, arrays
        self.weight, self.bias = self._flat("weight"), self._flat("bias")
        if len(self.weight) != len(self.grid):
            raise ValueError(
                f"the arrays must hold the {len(self.grid)} networks of the table, got "
                f"{len(self.weight)}: record them again."
            )

    def __len__(self):
        return len(self.grid)

    def logits(self, part):
        """Log-probabilities (M, N, K) on "validation" or "test", which are logits too.

        Stored in half precision: a probability near 1 is exact to 1e-7, the logarithm
        of a small one to a two-thousandth of itself.
        """
        return self._flat(f"log_p_{_check_part(part)}").float()

    def targets(self, part):
        """Labels (M, N) of a part, the same for each network."""
        y = torch.from_numpy(self._arrays[f"y_{_check_part(part)}"]).long()
        return y.expand(len(self), -1)

    def posterior(self, part):
        """None: nobody knows it."""
        _check_part(part)

    def features(self, part):
        """Features of the networks of seed 0, and labels: (E, n, D), (n,).

        part : "train" or "test"; the first images of each class
        """
        if part not in ("train", "test"):
            raise ValueError(f"part must be 'train' or 'test', got {part!r}.")
        h = torch.from_numpy(self._arrays[f"features_{part}"]).float()
        return h, torch.from_numpy(self._arrays["y_features"]).long()

    def _flat(self, name):
        """An array (seeds, eps, ...) as a tensor (M, ...)."""
        return torch.from_numpy(self._arrays[name]).flatten(0, 1)


def networks(name):
    """Load recorded networks from ``data/recorded``: a RecordedFleet.

    name   : "animals", as ``python tools/record_animals.py`` makes them
    raises : ValueError for a name of which there is no record, or a broken one
    """
    path = _path(name, ".npz")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    return RecordedFleet(run(name), arrays)


def _path(name, ending):
    folder = recorded_folder()
    known = sorted(path.stem for path in folder.glob(f"*{ending}"))
    if name not in known:
        there = ", ".join(known) or "none"
        raise ValueError(f"name must be one of {there}, got {name!r}.")
    return folder / f"{name}{ending}"


def _check_part(part):
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}.")
    return part
