"""Recorded runs: trained before, on another machine or for longer than a lecture."""

import json

import numpy as np
import pandas as pd
import torch

from . import check
from .datasets.downloads import shipped


def folder():
    """Folder of recorded runs, ``data/recorded`` of the course."""
    return shipped("recorded")


def run(name):
    """The tables of ``data/recorded/<name>.json``, and how they were made: a dict."""
    return json.loads(_path(name, ".json").read_text(encoding="utf-8"))


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
        self.grid = pd.DataFrame(about.pop("networks"))
        self.history = pd.DataFrame(about.pop("history"))
        self.about = about
        self._arrays = {name: torch.from_numpy(a) for name, a in arrays.items()}
        self.weight = self._arrays["weight"].flatten(0, 1)  # (seeds, eps, ...)
        self.bias = self._arrays["bias"].flatten(0, 1)
        must = f"the arrays must hold the {len(self.grid)} networks of the table"
        got = len(self.weight)
        check.that(got == len(self.grid), must, f"{got}: record them again")

    def logits(self, part):
        """Log-probabilities (M, N, K) on "validation" or "test", which are logits too.

        Stored in half precision: each is exact to a two-thousandth of itself.
        """
        return self._arrays[f"log_p_{part}"].flatten(0, 1).float()

    def targets(self, part):
        """Labels (M, N) of "validation" or "test", the same for each network."""
        return self._arrays[f"y_{part}"].long().expand(len(self.grid), -1)

    def features(self, part):
        """Features of the networks of seed 0, and labels: (E, n, D), (n,).

        part : "train" or "test"; the first images of each class
        """
        labels = self._arrays["y_features"].long()
        return self._arrays[f"features_{part}"].float(), labels


def networks(name):
    """RecordedFleet of "animals", which ``data/recorded/record_animals.py`` makes."""
    with np.load(_path(name, ".npz"), allow_pickle=False) as stored:
        return RecordedFleet(run(name), dict(stored))


def _path(name, ending):
    known = sorted(path.stem for path in folder().glob(f"*{ending}"))
    return folder() / (check.one_of(name, "name", known) + ending)
