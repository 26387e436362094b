"""Panels in a grid, and images in such panels."""

import matplotlib.pyplot as plt

from .. import style


def grid(number, columns, width, height, **shared):
    """A figure with so many panels, row by row, and none in the rest of the last row.

    height  : of a row, inches
    returns : figure, and its axes (rows, columns)
    """
    rows = -(-number // columns)
    size = width, height * rows
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **shared)
    for axis in axes.flat[number:]:
        axis.axis("off")
    return figure, axes


@style.used()
def image_grid(images, titles, columns=12):
    """Grey images in a grid, each with a short title.

    images  : (N, 1, H, W) tensor
    titles  : N strings
    returns : matplotlib Figure
    """
    figure, axes = grid(len(images), columns, 9.0, 9.0 / columns + 0.3)
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image[0], cmap="gray_r")
        axis.axis("off")
        axis.set_title(title, loc="center", weight="normal")
    return figure
