"""The six-class tasks: ``load(name)`` gives a ``SixClass``.

``data/README.md`` has a card for each. "animals" and "trec" are downloaded when they
are first asked for and kept in ``cache_folder()``; the others need no network.
"""

import torch

from .. import check
from . import noise
from .downloads import DownloadError, cache_folder
from .generated import OUTLINES, gaussian_means, gaussians, gaussians_posterior, shapes
from .photographs import animals
from .sixclass import SixClass, split
from .text import questions, trec


def load(name, **options):
    """SixClass of a task by name, with the options of the function of that name.

    name   : "digits", "gaussians", "shapes", "questions", "animals" or "trec"
    raises : DownloadError when "animals" or "trec" cannot be downloaded
    """
    return TASKS[check.one_of(name, "name", TASKS)](**options)


def digits():
    """Handwritten digits 0 to 5: 1,083 images, x (N, 1, 8, 8) in [0, 1].

    A subset of the UCI optical recognition set, as bundled with scikit-learn.
    """
    from sklearn.datasets import load_digits  # slow to import: only when asked for

    images, labels = load_digits(n_class=6, return_X_y=True)
    x = torch.tensor(images / 16.0, dtype=torch.float32).reshape(-1, 1, 8, 8)
    return SixClass(x, torch.tensor(labels), None, tuple("012345"))


TASKS = {f.__name__: f for f in (digits, gaussians, shapes, questions, animals, trec)}
