"""Curves with their names at their ends."""

import math

import matplotlib.pyplot as plt

from .. import style
from .panels import grid

FLOOR = "#444444"
APART = 0.09  # least distance of two names, as a share of the axis


def name_lines(axis, names):
    """Name curves at their right ends, in ink, each beside a sample of its line.

    axis  : complete, because its limits say where the names stand
    names : of the axis's first lines, in order; "" for none. A line that ends in nan
            gets none
    """
    ends = []
    for line, name in zip(list(axis.lines), names, strict=False):
        end = axis.transData.transform(line.get_xydata()[-1])
        height = axis.transAxes.inverted().transform(end)[1]
        if name and math.isfinite(height):
            ends.append((height, name, line))
    lowest = -math.inf
    for height, name, line in sorted(ends, key=lambda end: end[0]):
        # As near to the line's end as the names below leave room.
        lowest = max(height, lowest + APART)
        sample = plt.Line2D([1.02, 1.055, 1.09], 3 * [lowest])
        sample.update_from(line)
        sample.set(transform=axis.transAxes, clip_on=False, markevery=[1])
        axis.add_line(sample)
        axis.text(1.11, lowest, name, transform=axis.transAxes, va="center_baseline")


@style.used()
def times_the_floor(tables, floor, xlabel, ylabel):
    """Multiples of a floor for growing sizes, on a logarithmic axis, a line for a way.

    tables  : panel to a DataFrame of multiples, a row a way, a column a size; what a
              way has no number for is nan. Two panels a row
    floor   : what the line at 1 is
    returns : matplotlib Figure. Each line is named at its end, with its last number; a
              panel's title says which way ends nearest the floor
    """
    columns = min(2, len(tables))
    size = style.PANELS if columns == 2 else style.SINGLE
    figure, axes = grid(len(tables), columns, *size, sharey=True)
    highest = 1.5 * max(table.max(axis=None) for table in tables.values())
    ways = list(dict.fromkeys(way for table in tables.values() for way in table.index))
    ticks = [t for t in (1, 3, 10, 30, 100, 300) if t <= highest]
    for axis, (panel, table) in zip(axes.flat, tables.items(), strict=False):
        for way, row in table.iterrows():
            look = style.class_style(ways.index(way))
            axis.plot(range(len(row)), row, ms=7, mfc="none", mew=1.5, lw=1.4, **look)
        axis.axhline(1, color=FLOOR, lw=1.5)
        last = table.iloc[:, -1]
        best = f"{last.idxmin()}: {_number(last.min())} × the floor"
        axis.set(yscale="log", ylim=(0.6, highest))
        axis.set(title=f"{panel}\n{best}", xlabel=xlabel)
        axis.set_yticks(ticks, ticks)
        axis.minorticks_off()
        axis.set_xticks(range(table.shape[1]), [f"{size:,}" for size in table.columns])
        name_lines(axis, [f"{way}, {_number(v)} ×" for way, v in last.items()])
    place = {"xytext": (0, -4), "textcoords": "offset points", "va": "top"}
    axes[0, 0].annotate(f"floor: {floor}", (0, 1), color=FLOOR, **place)
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    return figure


def _number(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
