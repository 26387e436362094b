"""Arms compared over seeds, with their intervals."""

import matplotlib.pyplot as plt
import numpy as np

from .. import style
from .common import look_of_arm

SLANTED = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}


def differences(comparisons, value, arm, titles, ylabel, factor=1.0):
    """Paired differences with their intervals, one panel for each comparison.

    Three panels a row, two where there are four.

    comparisons : name to the DataFrame of ``stats.compare_arms``
    value, arm  : the measure to draw, the column that tells the arms apart
    titles      : name to the panel's title, the finding
    ylabel      : of the difference, with its unit after ``factor`` (100 for points)
    returns     : matplotlib Figure; a filled mark is a difference that holds, an empty
                  one is "no difference"
    """
    columns = 2 if len(comparisons) == 4 else min(3, len(comparisons))
    lines = -(-len(comparisons) // columns)
    width, height = style.PANELS
    arms = {str(name) for c in comparisons.values() for name in c[arm]}
    slanted = max(map(len, arms)) > 5  # names of that length need room below
    height *= 1 + (0.55 if slanted else 0.28) * (lines - 1)
    figure, axes = plt.subplots(
        lines, columns, figsize=(width, height), sharey=True, squeeze=False
    )
    for axis, (name, comparison) in zip(axes.flat, comparisons.items(), strict=False):
        rows = comparison[comparison["value"] == value]
        axis.axhline(0, color="#444444", lw=1)
        for place, row in enumerate(rows.to_dict("records")):
            color, marker = look_of_arm(row[arm], place)
            middle, low, high = (row[k] * factor for k in ("difference", "low", "high"))
            axis.errorbar(
                place,
                middle,
                yerr=[[middle - low], [high - middle]],
                color=color,
                marker=marker,
                ms=7,
                capsize=4,
                mfc="white" if row["verdict"] == "no difference" else color,
            )
        names = [f"{a:g}" if isinstance(a, float) else str(a) for a in rows[arm]]
        axis.set_xticks(range(len(names)), names)
        if slanted:
            plt.setp(axis.get_xticklabels(), **SLANTED)
        axis.set_title(titles[name])
        axis.set_xlabel("ε" if arm == "eps" else "")
        axis.margins(x=0.15)
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    for axis in axes.flat[len(comparisons) :]:
        axis.axis("off")
    return figure


def means_with_intervals(tables, x, y, arm, titles, xlabel, ylabel, factor=1.0):
    """Mean over seeds with its 95 % interval against ``x``, one line for each arm.

    tables  : name to a tidy DataFrame with a row a network, one panel each
    x, y    : columns to draw
    arm     : column that tells the lines apart; lines in order of appearance
    titles  : name to the panel's title, the finding
    returns : matplotlib Figure
    """
    from scipy.stats import t as student_t  # slow to import, and only needed here

    figure, axes = plt.subplots(
        1, len(tables), figsize=style.PANELS, sharey=True, squeeze=False
    )
    for axis, (name, table) in zip(axes.flat, tables.items(), strict=True):
        for place, (label, rows) in enumerate(table.groupby(arm, sort=False)):
            color, marker = look_of_arm(label, place)
            groups = rows.groupby(x)[y]
            mean = groups.mean() * factor
            half = factor * groups.sem() * student_t.ppf(0.975, groups.count() - 1)
            axis.errorbar(
                mean.index, mean, yerr=half, color=color, marker=marker, capsize=3,
                label=f"ε = {label:g}" if arm == "eps" else str(label),
            )  # fmt: skip
        axis.set(title=titles[name], xlabel=xlabel)
    axes[0, 0].set_ylabel(ylabel)
    axes[0, 0].legend()
    return figure


def confusion(shares, titles, class_names):
    """Which class was answered for which, a panel for each matrix.

    shares  : name to (K, K): of each true class (a row), the share of each answer
    titles  : name to the panel's title, the finding
    returns : matplotlib Figure; numbers are per cent of the row, and the shade is that
              of the wrong answers alone; a class without rows (nan) has dashes
    """
    figure, axes = plt.subplots(
        1, len(shares), figsize=(style.PANELS[0], 3.9), sharey=True, squeeze=False
    )
    matrices = {k: 100 * np.asarray(m, dtype=float) for k, m in shares.items()}
    wrong = {k: np.where(np.eye(len(m)), np.nan, m) for k, m in matrices.items()}
    most = max(1, *(np.nanmax(m, initial=0) for m in wrong.values()))
    for axis, (name, matrix) in zip(axes.flat, matrices.items(), strict=True):
        axis.imshow(wrong[name], cmap="Greys", vmin=0, vmax=most)
        for (i, j), value in np.ndenumerate(matrix):
            dark = i != j and value > 0.56 * most
            axis.text(
                j, i, "–" if np.isnan(value) else f"{value:.0f}",
                ha="center", va="center", fontsize=11,
                color="white" if dark else "black",
                weight="bold" if i == j else "normal",
            )  # fmt: skip
        places = range(len(matrix))
        axis.set_xticks(places, class_names, **SLANTED)
        axis.set_yticks(places, class_names)
        axis.set(title=titles[name], xlabel="answer")
        axis.grid(visible=False)
    axes[0, 0].set_ylabel("true class")
    return figure
