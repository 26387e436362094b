"""The six-class tasks: ``load(name)`` gives a ``SixClass``. None needs a network.

gaussians  six overlapping clouds in the plane, with the exact posterior
shapes     small grey images of six outlines, some of them morphs of two
digits     handwritten 0 to 5, bundled with scikit-learn

A data card for each is in ``data/README.md``.
"""

import os
import pathlib
import sys
from dataclasses import dataclass

import numpy as np
import torch

from .outlines import OUTLINES, draw_outlines
from .targets import check_count

DIGITS_IMAGES = 1083
GAUSSIANS_RADIUS = 2.45  # of the hexagon of means, in standard deviations


@dataclass(frozen=True)
class SixClass:
    """Inputs and labels of a six-class task.

    x           : (N, ...) float32 tensor
    y           : (N,) int64 tensor, classes 0 to 5
    posterior   : (N, 6) float64 tensor of p(class | what generated x), or None
                  where nobody knows it
    class_names : six strings
    """

    x: torch.Tensor
    y: torch.Tensor
    posterior: torch.Tensor | None
    class_names: tuple

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        """The same task restricted to ``rows`` (indices, a mask or a slice)."""
        posterior = None if self.posterior is None else self.posterior[rows]
        return SixClass(self.x[rows], self.y[rows], posterior, self.class_names)

    def to(self, device):
        """The same task with its tensors on ``device``."""
        posterior = None if self.posterior is None else self.posterior.to(device)
        return SixClass(
            self.x.to(device), self.y.to(device), posterior, self.class_names
        )


def load(name, **options):
    """Load a six-class task by name, with the options of the function of that name.

    name    : "digits", "gaussians" or "shapes"
    returns : SixClass
    raises  : ValueError for an unknown name, TypeError for an unknown option
    """
    if not isinstance(name, str) or name not in TASKS:
        known = ", ".join(repr(task) for task in TASKS)
        raise ValueError(f"name must be one of {known}, got {name!r}.")
    return TASKS[name](**options)


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


def gaussians(n=2000, seed=0):
    """Six unit Gaussians on a hexagon, with the exact posterior: x (n, 2).

    n    : number of points, classes drawn uniformly
    seed : of the draw; another seed is a fresh data set

    p(class | x) is proportional to exp(-|x - mean|^2 / 2).
    """
    n, seed = check_count(n, "n"), check_count(seed, "seed", least=0)
    rng = np.random.default_rng([seed, 1])  # 1: a stream apart from shapes
    y = rng.integers(0, 6, n)
    means = gaussian_means()
    x = means[y] + rng.standard_normal((n, 2))
    x = torch.tensor(x, dtype=torch.float32)
    names = tuple(f"cloud {k}" for k in range(6))
    return SixClass(x, torch.tensor(y), gaussians_posterior(x), names)


def gaussian_means():
    """Centres of the six clouds: (6, 2) array, a hexagon."""
    angle = np.arange(6) * np.pi / 3
    return GAUSSIANS_RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def gaussians_posterior(x):
    """Exact p(class | x) of ``gaussians``: (..., 2) tensor to (..., 6), float64."""
    means = torch.as_tensor(gaussian_means(), device=x.device)
    distance = (x.double().unsqueeze(-2) - means).square().sum(-1)
    return torch.softmax(-distance / 2, dim=-1)


def shapes(n=2000, seed=0, ambiguous=0.3, size=20, noise=0.1):
    """Grey images of six outlines: x (n, 1, size, size), about zero mean.

    n         : number of images, classes drawn uniformly
    seed      : of the draw; another seed is a fresh data set
    ambiguous : share of images that are a morph: a mixture, with share lambda
                uniform in (0, 1), of two outlines a and b; the label is drawn,
                a with probability lambda
    size      : pixels a side
    noise     : standard deviation of the pixel noise (ink against paper is
                0.5 to 1)

    ``posterior`` is p(class | outline) : one-hot for a pure outline, lambda and
    1 - lambda for a morph. It is known because the outline was drawn from it;
    position, scale, angle, contrast and noise carry no label.
    """
    n, seed = check_count(n, "n"), check_count(seed, "seed", least=0)
    size = check_count(size, "size", least=4)
    if not _is_number(ambiguous) or not 0 <= ambiguous <= 1:
        raise ValueError(f"ambiguous must be a share in [0, 1], got {ambiguous!r}.")
    if not _is_number(noise) or not 0 <= noise < np.inf:
        raise ValueError(f"noise must be finite and at least 0, got {noise!r}.")
    rng = np.random.default_rng([seed, 2])
    first = rng.integers(0, 6, n)
    second = (first + rng.integers(1, 6, n)) % 6
    is_morph = rng.random(n) < ambiguous
    share = np.where(is_morph, rng.random(n), 1.0)

    posterior = np.zeros((n, 6))
    posterior[np.arange(n), first] = share
    posterior[np.arange(n), second] += 1 - share
    y = np.where(rng.random(n) < share, first, second)

    ink = draw_outlines(first, second, share, size, rng)
    contrast = rng.uniform(0.5, 1.0, (n, 1, 1))
    images = contrast * (ink - 0.3) + noise * rng.standard_normal(ink.shape)
    x = torch.tensor(images[:, None], dtype=torch.float32)
    return SixClass(x, torch.tensor(y), torch.tensor(posterior), OUTLINES)


def split(data, sizes, seed=0):
    """Disjoint random parts of a data set, each with the classes in proportion.

    data    : SixClass
    sizes   : number of rows of each part, e.g. (500, 200, 383)
    seed    : of the split
    returns : a SixClass for each size
    raises  : ValueError when a size is below 6, when they sum to more than len(data),
              or when a class has too few rows to be in every part
    """
    from sklearn.model_selection import train_test_split

    if not isinstance(sizes, (tuple, list)):
        raise ValueError(f"sizes must be a tuple such as (500, 200), got {sizes!r}.")
    sizes = [check_count(size, "sizes", least=6) for size in sizes]
    seed = check_count(seed, "seed", least=0)
    if sum(sizes) > len(data):
        raise ValueError(
            f"sizes must sum to at most {len(data)} rows, got {sizes} = {sum(sizes)}."
        )
    rest, labels, parts = np.arange(len(data)), data.y.cpu().numpy(), []
    for size in sizes:
        if len(rest) - size < 6:  # what is left is too small to hold every class
            rest = np.random.default_rng(seed).permutation(rest)
            part, rest = rest[:size], rest[size:]
        else:
            counts = np.bincount(labels[rest])
            if counts[counts > 0].min() < 2:
                raise ValueError(
                    f"sizes must leave every class at least 2 rows to divide, got "
                    f"{sizes} for classes of {np.bincount(labels).tolist()} rows."
                )
            part, rest = train_test_split(
                rest, train_size=size, stratify=labels[rest], random_state=seed
            )
        parts.append(data[torch.as_tensor(part)])
    return parts


def _is_number(value):
    return isinstance(value, (int, float, np.integer, np.floating))


def cache_folder():
    """Folder for downloaded data: ``LSR_DATA_HOME`` or a per-user cache folder.

    Only the path; nothing is made on disk.
    """
    if os.environ.get("LSR_DATA_HOME"):
        return pathlib.Path(os.environ["LSR_DATA_HOME"]).expanduser()
    home = pathlib.Path.home()
    if sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "lsr_utils"


def recorded_folder():
    """Folder of recorded runs in the repository: ``data/recorded``."""
    return pathlib.Path(__file__).resolve().parents[1] / "data" / "recorded"


TASKS = {"digits": digits, "gaussians": gaussians, "shapes": shapes}
