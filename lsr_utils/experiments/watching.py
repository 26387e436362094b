"""Networks on 500 digits, each split several times. Taught in 03."""

import functools

from .. import datasets, fleet, models

SIZES = (500, 200, 383)  # training, validation and test images of a split


def over_splits(eps, splits, seeds):
    """A network for each eps, split and seed, in this order: Fleet. Taught in 03.

    eps, splits, seeds : values; a split draws training and test images anew
    returns            : MLPs after 1,000 steps of 32 images, measured on "test" too
    """

    def part(k):
        return lambda split: datasets.split(datasets.digits(), SIZES, split)[k]

    build = functools.partial(models.build, "mlp", (1, 8, 8))
    return fleet.fit_fleet(
        build, part(0), fleet.grid(eps=eps, split=splits, seed=seeds),
        evaluate={"test": part(2)}, steps=1000, batch_size=32, measure_every=1000,
        progress=False,
    )  # fmt: skip
