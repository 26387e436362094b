"""Panels in a grid: images, arms over seeds, curves with names. Taught in 03."""

import math

import matplotlib.pyplot as plt
import numpy as np

from .. import check, style

INK, GREY = "#333333", "#666666"
LINE = "#444444"  # of a reference: zero, a floor, a border of two classes
APART = 0.09  # least distance of two names, as a share of the axis


def grid(number, columns, width, height, **shared):
    """Figure and axes (rows, columns) with so many panels; ``height`` is a row's."""
    rows = -(-number // columns)
    size = width, height * rows
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **shared)
    for axis in axes.flat[number:]:
        axis.axis("off")
    return figure, axes


@style.used()
def image_grid(images, titles, columns=12):
    """Grey images (N, 1, H, W) in a grid, each with a short title: a Figure."""
    figure, axes = grid(len(images), columns, 9.0, 9.0 / columns + 0.3)
    places = axes.flat[: len(images)]
    for axis, image, title in zip(places, images, titles, strict=True):
        image = check.finite(image, "images").cpu()
        grey = image.dim() == 3 and len(image) == 1
        check.that(grey, "images must be grey, (1, H, W) each", tuple(image.shape))
        axis.imshow(image[0].numpy(), cmap="gray_r")
        axis.axis("off")
        axis.set_title(title, loc="center", weight="normal")
    return figure


def look_of_arm(arm, place):
    """Looks of an arm: those of its eps (0.1 or "ε = 0.1"), else those of a place."""
    for eps in style.EPS_GRID:
        near = isinstance(arm, float) and math.isclose(arm, eps, rel_tol=1e-6)
        if near or arm == f"ε = {eps:g}":
            return style.eps_style(eps)
    return style.eps_style(style.EPS_GRID[place % 5]) | style.class_style(place)


@style.used()
def differences(comparisons, value, arm, titles, ylabel, factor=1.0):
    """Paired differences with their intervals, one panel for each comparison.

    comparisons : name to the DataFrame of ``stats.compare_arms``
    value, arm  : the measure to draw, the column that tells the arms apart
    titles      : name to the panel's title, the finding
    ylabel      : of the difference, with its unit after ``factor`` (100 for points)
    returns     : matplotlib Figure; an empty mark is "no difference"
    """
    columns = 2 if len(comparisons) == 4 else min(3, len(comparisons))
    arms = {str(name) for table in comparisons.values() for name in table[arm]}
    slant, size = {}, np.array(style.PANELS)
    if max(map(len, arms)) > 5:  # names of that length need room below
        slant = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    if len(comparisons) > columns:  # two rows
        size[1] *= 0.775 if slant else 0.64
    figure, axes = grid(len(comparisons), columns, *size, sharey=True)
    for axis, (name, table) in zip(axes.flat, comparisons.items(), strict=False):
        table = table[table["value"] == value]
        check.that(len(table), f"comparisons of {name} must hold {value}", "no row")
        axis.axhline(0, color=LINE, lw=1)
        for place, row in enumerate(table.to_dict("records")):
            look = look_of_arm(row[arm], place)
            if row["verdict"] == "no difference":
                look["mfc"] = "white"
            middle, low, high = (row[k] * factor for k in ("difference", "low", "high"))
            ends = [[middle - low], [high - middle]]
            axis.errorbar(place, middle, yerr=ends, ms=7, capsize=4, **look)
        names = [f"{a:g}" if isinstance(a, float) else str(a) for a in table[arm]]
        axis.set_xticks(range(len(names)), names, **slant)
        axis.set(title=titles[name], xlabel="ε" if arm == "eps" else "")
        axis.margins(x=0.15)
    plt.setp(axes[:, 0], ylabel=ylabel)
    return figure


def name_lines(axis, names):
    """Name curves at their right ends, in ink, each beside a sample of its line.

    axis  : complete, because its limits say where the names stand
    names : of the axis's first lines; "" for none, as for a line that ends in nan
    """
    lines, to_axis = list(axis.lines), axis.transData - axis.transAxes
    heights = [to_axis.transform(line.get_xydata()[-1])[1] for line in lines]
    ends = zip(heights, lines, names, strict=False)
    lowest = -math.inf
    for height, line, name in sorted(ends, key=lambda end: end[0]):
        if not name or not math.isfinite(height):
            continue
        # As near to the line's end as the names below leave room.
        lowest = max(height, lowest + APART)
        sample = plt.Line2D([1.02, 1.055, 1.09], 3 * [lowest])
        sample.update_from(line)
        sample.set(transform=axis.transAxes, clip_on=False, markevery=[1])
        axis.add_line(sample)
        axis.text(1.11, lowest, name, transform=axis.transAxes, va="center_baseline")
