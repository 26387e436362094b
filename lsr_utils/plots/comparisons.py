"""Arms compared over seeds, with their intervals."""

import numpy as np

from .. import stats, style
from .panels import grid


def student_interval(values):
    """Ends of the 95 % interval of a mean over networks, for seaborn's ``errorbar=``.

    values  : (S,) numbers, one a network
    returns : (low, high), by Student's t

    Taught in 03.
    """
    over = stats.paired_difference(values, np.zeros(len(values)))
    return over.low, over.high


def look_of_arm(arm, place):
    """Colour, line style and marker: those of eps on the course's grid, or a place's.

    arm : an eps, as a number or named "ε = 0.1", or any other name
    """
    for eps in style.EPS_GRID:
        if arm == f"ε = {eps:g}" or (isinstance(arm, float) and arm == eps):
            return style.eps_style(eps)
    return style.eps_style(style.EPS_GRID[place % 5]) | style.class_style(place)


@style.used()
def differences(comparisons, value, arm, titles, ylabel, factor=1.0):
    """Paired differences with their intervals, one panel for each comparison.

    comparisons : name to the DataFrame of ``stats.compare_arms``
    value, arm  : the measure to draw, the column that tells the arms apart
    titles      : name to the panel's title, the finding
    ylabel      : of the difference, with its unit after ``factor`` (100 for points)
    returns     : matplotlib Figure, three panels a row, two where there are four; a
                  filled mark is a difference that holds, an empty one "no difference"
    """
    columns = 2 if len(comparisons) == 4 else min(3, len(comparisons))
    arms = {str(name) for table in comparisons.values() for name in table[arm]}
    slant, (width, height) = {}, style.PANELS
    if max(map(len, arms)) > 5:  # names of that length need room below
        slant = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    if len(comparisons) > columns:  # two rows
        height *= 0.775 if slant else 0.64
    figure, axes = grid(len(comparisons), columns, width, height, sharey=True)
    for axis, (name, table) in zip(axes.flat, comparisons.items(), strict=False):
        table = table[table["value"] == value]
        axis.axhline(0, color="#444444", lw=1)
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
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    return figure
