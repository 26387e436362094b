"""Six outlines as functions of the angle, and images drawn from them.

Each outline is star-shaped: one radius for every angle. That makes a morph of two
outlines a mixture of two radii, and one formula draws them all.
"""

import numpy as np

OUTLINES = ("circle", "triangle", "square", "pentagon", "star", "cross")

_ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False)


def _polygon(angle, corners):
    sector = 2 * np.pi / corners
    return np.cos(sector / 2) / np.cos(angle % sector - sector / 2)


def _star(angle, points=5, notch=0.42):
    sector = np.pi / points
    from_tip = np.abs((angle + sector) % (2 * sector) - sector)
    # The straight edge from a tip (radius 1) to a notch, in polar coordinates.
    return (
        notch * np.sin(sector) / (np.sin(from_tip) + notch * np.sin(sector - from_tip))
    )


def _cross(angle, arm=0.36):
    along = np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))
    across = np.minimum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))
    return np.minimum(1 / along, arm / np.maximum(across, 1e-9))


def _table():
    """Radius of each outline at each angle, (6, 720), every area equal to pi."""
    radii = np.stack(
        [
            np.ones_like(_ANGLES),
            _polygon(_ANGLES, 3),
            _polygon(_ANGLES + np.pi / 4, 4),
            _polygon(_ANGLES, 5),
            _star(_ANGLES),
            _cross(_ANGLES),
        ]
    )
    # Equal areas, so that the amount of ink does not give the class away.
    return radii / np.sqrt(np.mean(radii**2, axis=1, keepdims=True))


RADII = _table()


def radius(first, second, share, angle):
    """Radius of each morph at ``angle``: indices and share (N,), angle (N, ...)."""
    column = np.round(angle * (len(_ANGLES) / (2 * np.pi))).astype(int) % len(_ANGLES)
    shape = (-1,) + (1,) * (angle.ndim - 1)
    mix = share.reshape(shape)
    a, b = first.reshape(shape), second.reshape(shape)
    return mix * RADII[a, column] + (1 - mix) * RADII[b, column]


def draw_outlines(first, second, share, size, rng):
    """Filled morphs at random position, scale and angle: (N, size, size) in [0, 1].

    first, second : (N,) class indices of the two outlines
    share         : (N,) share of the first in the morph
    rng           : numpy Generator
    """
    n = len(first)
    grid = (np.arange(size) + 0.5) * 2 / size - 1  # pixel centres in (-1, 1)
    centre = rng.uniform(-0.15, 0.15, (2, n, 1, 1))
    scale = rng.uniform(0.45, 0.6, (n, 1, 1))
    turn = np.pi / 2 + rng.uniform(-np.pi / 6, np.pi / 6, (n, 1, 1))  # tips up
    dx, dy = grid[None, None, :] - centre[0], grid[None, :, None] - centre[1]
    edge = scale * radius(first, second, share, np.arctan2(dy, dx) + turn)
    # One pixel of soft edge: a hard one would alias.
    return np.clip((edge - np.hypot(dx, dy)) * size / 2 + 0.5, 0, 1)
