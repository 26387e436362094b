"""Targets and images."""

import matplotlib.pyplot as plt
import numpy as np

from .. import style


def target_bars(rows, titles, class_names=None, highlight=0):
    """Distributions over the classes as panels of bars with their values.

    rows      : (M, K) probabilities, one panel a row
    titles    : M panel titles
    highlight : index of the true class, in another colour
    returns   : matplotlib Figure
    """
    rows = np.asarray(rows, dtype=float)
    num_classes = rows.shape[1]
    names = class_names or [str(k + 1) for k in range(num_classes)]
    figure, axes = plt.subplots(
        1, len(rows), figsize=style.PANELS, sharey=True, squeeze=False
    )
    colors = [style.CLASS_COLORS[0]] * num_classes
    colors[highlight] = style.CLASS_COLORS[5]
    for axis, row, title in zip(axes.flat, rows, titles, strict=True):
        bars = axis.bar(names, row, color=colors)
        axis.bar_label(bars, [f"{p:.3f}".rstrip("0").rstrip(".") for p in row], size=10)
        axis.set(title=title, xlabel="class", ylim=(0, 1.12))
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("target probability")
    return figure


def image_grid(images, titles, columns=12):
    """Grey images in a grid, each with a short title.

    images  : (N, 1, H, W) tensor
    titles  : N strings
    returns : matplotlib Figure
    """
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(9.0, 9.0 / columns * rows + 0.3 * rows), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image[0], cmap="gray_r")
        axis.set_title(title, loc="center", weight="normal")
    return figure
