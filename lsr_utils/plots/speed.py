"""Time against the least it could be: how far each way is from the floor."""

import math

import matplotlib.pyplot as plt

from .. import style

FLOOR = "#444444"
APART = 0.09  # least distance of two labels, as a share of the axis


def times_the_floor(tables, floor, xlabel, ylabel):
    """Multiples of a floor for growing sizes, on a logarithmic axis, a line for a way.

    tables  : panel to a DataFrame of multiples, a row a way, a column a size; what a
              way has no number for is nan. Two panels a row
    floor   : what the line at 1 is
    returns : matplotlib Figure. Each line is named at its end, with its last number; a
              panel's title says which way ends nearest the floor
    raises  : ValueError for no table, or a table without a number in its last column
    """
    if not tables:
        raise ValueError("tables must hold a table for each panel, got none.")
    for name, table in tables.items():
        if not len(table.columns) or not table.iloc[:, -1].notna().any():
            raise ValueError(f"table {name!r} must have numbers in its last column.")
    columns = min(2, len(tables))
    lines = -(-len(tables) // columns)
    width, height = style.PANELS if columns == 2 else style.SINGLE
    figure, axes = plt.subplots(
        lines, columns, figsize=(width, height * lines), squeeze=False, sharey=True
    )
    highest = 1.5 * max(table.max(axis=None) for table in tables.values())
    ways = list(dict.fromkeys(way for table in tables.values() for way in table.index))
    for axis, (name, table) in zip(axes.flat, tables.items(), strict=False):
        _panel(axis, table, ways, highest)
        last = table.iloc[:, -1]
        axis.set_title(f"{name}\n{last.idxmin()}: {_number(last.min())} × the floor")
        axis.set_xlabel(xlabel)
    axes[0, 0].annotate(
        f"floor: {floor}", (0, 1), (0, -4), textcoords="offset points",
        color=FLOOR, size=11, va="top",
    )  # fmt: skip
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    for axis in axes.flat[len(tables) :]:
        axis.axis("off")
    return figure


def _panel(axis, table, ways, highest):
    places = range(len(table.columns))
    ends = []
    for way, row in table.iterrows():
        number = ways.index(way)
        color = style.CLASS_COLORS[number % len(style.CLASS_COLORS)]
        marker = style.CLASS_MARKERS[number % len(style.CLASS_MARKERS)]
        look = {"marker": marker, "color": color, "ms": 7, "mfc": "none", "mew": 1.5}
        axis.plot(places, row, lw=1.4, **look)
        if math.isfinite(row.iloc[-1]):
            ends.append((row.iloc[-1], way, look))
    axis.axhline(1, color=FLOOR, lw=1.5)
    axis.set_yscale("log")
    axis.set_ylim(0.6, highest)
    ticks = [t for t in (1, 3, 10, 30, 100, 300) if t <= highest]
    axis.set_yticks(ticks, [f"{t}" for t in ticks])
    axis.minorticks_off()
    axis.set_xticks(places, [f"{size:,}" for size in table.columns])
    axis.margins(x=0.06)
    # Each label as near to its line's end as the labels below it leave room.
    scale = math.log(highest / 0.6)
    lowest = -math.inf
    inside = axis.transAxes
    for value, way, look in sorted(ends, key=lambda end: end[0]):
        lowest = max(math.log(value / 0.6) / scale, lowest + APART)
        axis.plot(1.06, lowest, ls="", transform=inside, clip_on=False, **look)
        text = f"{way}, {_number(value)} ×"
        axis.text(1.1, lowest, text, transform=inside, va="center_baseline")


def _number(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
