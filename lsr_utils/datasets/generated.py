"""The generated tasks: clouds, and outlines with one radius for every angle."""

import numpy as np
import torch

from .. import check
from .sixclass import SixClass

RADIUS = 2.45  # of the hexagon of means, in standard deviations
_ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False)
OUTLINES = ("circle", "triangle", "square", "pentagon", "star", "cross")
SIZE = 20  # pixels of a side
PIXEL_NOISE = 0.1  # standard deviation; ink against paper is 0.5 to 1


def gaussians(n=2000, seed=0):
    """Six unit Gaussians on a hexagon, with the exact posterior: x (n, 2).

    Classes are drawn uniformly; another seed gives a fresh data set.
    """
    rng = np.random.default_rng([check.seed(seed), 1])  # 1: shapes have stream 2
    y = rng.integers(0, 6, check.whole(n, "n", least=1))
    x = gaussian_means()[y] + rng.standard_normal((len(y), 2))
    x = torch.tensor(x, dtype=torch.float32)
    names = tuple(f"cloud {k}" for k in range(6))
    return SixClass(x, torch.tensor(y), gaussians_posterior(x), names)


def gaussian_means():
    """Centres of the six clouds: (6, 2) array, a hexagon."""
    angle = np.arange(6) * np.pi / 3
    return RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def gaussians_posterior(x):
    """Exact p(class | x) of ``gaussians``: (..., 2) tensor to (..., 6), float64."""
    x = check.exact(check.numbers(x, "x"))
    means = torch.as_tensor(gaussian_means(), device=x.device)
    distance = (x.unsqueeze(-2) - means).square().sum(-1)
    return torch.softmax(-distance / 2, dim=-1)


def shapes(n=2000, seed=0, ambiguous=0.3):
    """Grey images of six outlines: x (n, 1, 20, 20), about zero mean.

    n, seed   : as for ``gaussians``
    ambiguous : share of images that are a morph: a mixture of two outlines a and b with
                shares lambda, uniform in (0, 1), and 1 - lambda. ``posterior`` holds
                the shares, and the label is drawn from it: position, scale, angle,
                contrast and noise carry none
    """
    n = check.whole(n, "n", least=1)
    ambiguous = check.real(ambiguous, "ambiguous", "[0, 1]")
    rng = np.random.default_rng([check.seed(seed), 2])
    first = rng.integers(0, 6, n)
    second = (first + rng.integers(1, 6, n)) % 6
    share = np.where(rng.random(n) < ambiguous, rng.random(n), 1.0)
    mix, one_hot = share[:, None], np.eye(6)
    posterior = mix * one_hot[first] + (1 - mix) * one_hot[second]
    y = np.where(rng.random(n) < share, first, second)
    ink = draw_outlines(first, second, share, SIZE, rng)
    contrast = rng.uniform(0.5, 1.0, (n, 1, 1))
    images = contrast * (ink - 0.3) + PIXEL_NOISE * rng.standard_normal(ink.shape)
    x = torch.tensor(images[:, None], dtype=torch.float32)
    return SixClass(x, torch.tensor(y), torch.tensor(posterior), OUTLINES)


def _polygon(angle, corners):
    half = np.pi / corners
    return np.cos(half) / np.cos(angle % (2 * half) - half)


def _star(angle, points=5, notch=0.42):
    sector = np.pi / points
    from_tip = np.abs((angle + sector) % (2 * sector) - sector)
    # The straight edge from a tip (radius 1) to a notch, in polar coordinates.
    below = notch * np.sin(sector - from_tip)
    return notch * np.sin(sector) / (np.sin(from_tip) + below)


def _cross(angle, arm=0.36):
    across, along = np.sort(np.abs([np.cos(angle), np.sin(angle)]), axis=0)
    return np.minimum(1 / along, arm / np.maximum(across, 1e-9))


RADII = np.stack([  # of each outline at each angle, (6, 720)
    np.ones_like(_ANGLES), _polygon(_ANGLES, 3), _polygon(_ANGLES + np.pi / 4, 4),
    _polygon(_ANGLES, 5), _star(_ANGLES), _cross(_ANGLES),
])  # fmt: skip
# Equal areas, all pi, so that the amount of ink does not give the class away.
RADII /= np.sqrt(np.mean(RADII**2, axis=1, keepdims=True))


def draw_outlines(first, second, share, size, rng):
    """Filled morphs at random position, scale and angle: (N, size, size) in [0, 1]."""
    n = len(first)
    grid = (np.arange(size) + 0.5) * 2 / size - 1  # pixel centres in (-1, 1)
    centre = rng.uniform(-0.15, 0.15, (2, n, 1, 1))
    scale = rng.uniform(0.45, 0.6, (n, 1, 1))
    turn = np.pi / 2 + rng.uniform(-np.pi / 6, np.pi / 6, (n, 1, 1))  # tips up
    dx, dy = grid - centre[0], grid[:, None] - centre[1]
    angle = np.arctan2(dy, dx) + turn
    column = np.round(angle * (len(_ANGLES) / (2 * np.pi))).astype(int) % len(_ANGLES)
    a, b, mix = (values[:, None, None] for values in (first, second, share))
    edge = scale * (mix * RADII[a, column] + (1 - mix) * RADII[b, column])
    # One pixel of soft edge: a hard one would alias.
    return np.clip((edge - np.hypot(dx, dy)) * size / 2 + 0.5, 0, 1)
