"""The six-class tasks: ``load(name)`` gives a ``SixClass``.

gaussians  six overlapping clouds in the plane, with the exact posterior
shapes     small grey images of six outlines, some of them morphs of two
digits     handwritten 0 to 5, bundled with scikit-learn
questions  questions of six types, written for this course
animals    photographs of six animals, downloaded
trec       questions of six types, downloaded

``data/README.md`` has a card for each. The last two are downloaded when they are first
asked for and kept in ``cache_folder()``; the others need no network.
"""

import torch

from .. import check
from . import noise
from .downloads import DownloadError, cache_folder
from .generated import OUTLINES, gaussian_means, gaussians, gaussians_posterior, shapes
from .photographs import animals
from .sixclass import SixClass, split
from .text import questions, trec

__all__ = [
    "DownloadError", "OUTLINES", "SixClass", "animals", "cache_folder", "digits",
    "gaussian_means", "gaussians", "gaussians_posterior", "load", "noise",
    "questions", "shapes", "split", "trec",
]  # fmt: skip


def load(name, **options):
    """Load a six-class task by name, with the options of the function of that name.

    name    : "digits", "gaussians", "shapes", "questions", "animals" or "trec"
    returns : SixClass
    raises  : ValueError for an unknown name, TypeError for an unknown option,
              DownloadError when "animals" or "trec" cannot be downloaded
    """
    return TASKS[check.one_of(name, "name", TASKS)](**options)


def digits():
    """Handwritten digits 0 to 5: 1,083 images, x (N, 1, 8, 8) in [0, 1].

    A subset of the UCI optical recognition set (Alpaydin and Kaynak 1998), as
    bundled with scikit-learn.
    """
    from sklearn.datasets import load_digits  # slow to import: only when asked for

    images, labels = load_digits(n_class=6, return_X_y=True)
    x = torch.tensor(images / 16.0, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels, dtype=torch.int64)
    return SixClass(x, y, None, tuple(str(k) for k in range(6)))


TASKS = {
    "digits": digits, "gaussians": gaussians, "shapes": shapes,
    "questions": questions, "animals": animals, "trec": trec,
}  # fmt: skip
