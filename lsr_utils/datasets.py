"""The six-class tasks: ``load(name)`` gives a ``SixClass``.

gaussians  six overlapping clouds in the plane, with the exact posterior
shapes     small grey images of six outlines, some of them morphs of two
digits     handwritten 0 to 5, bundled with scikit-learn
questions  questions of six types, written for this course
animals    photos of six animals, downloaded
trec       questions of six types, downloaded

A data card for each is in ``data/README.md``. The last two are fetched when they are
first asked for and kept in ``cache_folder()``; the others need no network.
"""

import pathlib

import numpy as np
import torch

from .cache import cache_folder
from .downloads import DownloadError
from .outlines import OUTLINES, draw_outlines
from .photos import ANIMALS, animals_arrays
from .sixclass import SixClass, split
from .targets import check_count
from .texts import TYPES, questions_arrays, trec_arrays
from .words import encode, tokenize, vocabulary

__all__ = [
    "DownloadError", "SixClass", "animals", "cache_folder", "digits", "gaussians",
    "gaussians_posterior", "gaussian_means", "load", "questions", "recorded_folder",
    "shapes", "split", "trec",
]  # fmt: skip

DIGITS_IMAGES = 1083
GAUSSIANS_RADIUS = 2.45  # of the hexagon of means, in standard deviations
ANIMALS_MEAN, ANIMALS_STD = (0.488, 0.466, 0.400), (0.236, 0.232, 0.241)


def load(name, **options):
    """Load a six-class task by name, with the options of the function of that name.

    name    : "digits", "gaussians", "shapes", "questions", "animals" or "trec"
    returns : SixClass
    raises  : ValueError for an unknown name, TypeError for an unknown option,
              DownloadError when "animals" or "trec" cannot be had
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


def animals(part="train"):
    """Photos of six animals: 30,000 to train and 6,000 to test, x (N, 3, 32, 32).

    part : "train" or "test"

    The birds, cats, deer, dogs, frogs and horses of CIFAR-10 (Krizhevsky 2009). Pixels
    in [0, 1], less (0.488, 0.466, 0.400), over (0.236, 0.232, 0.241): the mean and the
    standard deviation of red, green and blue over the training part, rounded.
    Downloaded (170 MB) and kept; ``variant`` is "official", or names what replaces it.
    """
    images, labels, variant = animals_arrays(_check_part(part))
    x = torch.from_numpy(images).float()
    std = 255 * torch.tensor(ANIMALS_STD).view(3, 1, 1)
    mean = 255 * torch.tensor(ANIMALS_MEAN).view(3, 1, 1)
    y = torch.from_numpy(labels).long()
    names = tuple(ANIMALS.values())
    return SixClass(x.sub_(mean).div_(std), y, None, names, variant=variant)


def questions(part="train", at_least=1):
    """Questions of six types, written for this course: x (N, L) token ids.

    part     : "train" or "test"
    at_least : how often a word stands in the training part to have an id of its own

    ``texts`` holds the questions, ``vocabulary`` the words by id. Both parts use the
    words of the training part and its longest question, L tokens; longer ones are cut.
    """
    return _texts(questions_arrays, part, at_least)


def trec(part="train", at_least=2):
    """The TREC questions: 5,452 to train and 500 to test, x (N, L) token ids.

    part     : "train" or "test"
    at_least : how often a word stands in the training part to have an id of its own

    Otherwise as ``questions``, with the same six classes: the coarse types of Li and
    Roth 2002. Downloaded (0.4 MB) and kept; ``variant`` is "official", or names what
    replaces it.
    """
    return _texts(trec_arrays, part, at_least)


def _texts(arrays, part, at_least):
    part, at_least = _check_part(part), check_count(at_least, "at_least")
    train, _, *_ = arrays("train")
    texts, labels, *variant = arrays(part)
    words = vocabulary(train, at_least)
    x = encode(texts, words, max(len(tokenize(text)) for text in train))
    return SixClass(
        x, torch.from_numpy(labels), None, TYPES,
        texts.astype(object), tuple(words), *variant,
    )  # fmt: skip


def _check_part(part):
    if not isinstance(part, str) or part not in ("train", "test"):
        raise ValueError(f"part must be 'train' or 'test', got {part!r}.")
    return part


def _is_number(value):
    return isinstance(value, (int, float, np.integer, np.floating))


def recorded_folder():
    """Folder of recorded runs in the repository: ``data/recorded``."""
    return pathlib.Path(__file__).resolve().parents[1] / "data" / "recorded"


TASKS = {
    "digits": digits, "gaussians": gaussians, "shapes": shapes,
    "questions": questions, "animals": animals, "trec": trec,
}  # fmt: skip
