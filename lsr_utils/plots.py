"""Figures of the course: arrays in, a matplotlib figure out."""

import matplotlib.pyplot as plt
import numpy as np

from . import style


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
        axis.bar_label(bars, [f"{p:.3f}".rstrip("0").rstrip(".") for p in row], size=9)
        axis.set(title=title, xlabel="class", ylim=(0, 1.12))
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("target probability")
    return figure


def curves_against_gap(gaps, losses, optima, title):
    """Loss against the logit gap, one curve for each eps, its minimum marked.

    gaps    : (G,) logit gaps, nats
    losses  : eps to (G,) losses, nats
    optima  : eps to (gap, loss) at the minimum, or None where there is none
    returns : matplotlib Figure
    """
    figure, axis = plt.subplots(figsize=style.SINGLE)
    for eps, loss in losses.items():
        look = style.eps_style(eps)
        axis.plot(gaps, loss, color=look["color"], ls=look["linestyle"])
        _label_end(axis, gaps[-1], loss[-1], f"ε = {eps:g}", look["color"])
        if optima[eps] is not None:
            axis.plot(*optima[eps], marker=look["marker"], color=look["color"], ms=8)
    axis.set(
        xlabel="logit gap, true minus other (nats)", ylabel="loss (nats)", title=title
    )
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


def loss_curves(histories, floors, titles):
    """Train and validation loss over the steps, one panel for each eps.

    histories : eps to the DataFrame of ``training.fit``; both parts are drawn, both
                on the loss that was trained
    floors    : eps to the least possible loss, drawn as a line
    titles    : eps to the panel's title, the finding
    returns   : matplotlib Figure
    """
    figure, axes = plt.subplots(
        1, len(histories), figsize=style.PANELS, sharey=True, squeeze=False
    )
    for axis, (eps, history) in zip(axes.flat, histories.items(), strict=True):
        color = style.eps_style(eps)["color"]
        for part, line in (("train", "-"), ("validation", "--")):
            rows = history[history["part"] == part]
            if rows.empty:
                continue
            axis.plot(rows["step"], rows["loss"], ls=line, color=color, label=part)
        axis.axhline(
            floors[eps], color="#666666", lw=1.2, ls=":", label="entropy floor"
        )
        axis.set(title=titles[eps], xlabel="step")
        axis.legend()
    # The first steps fall from ln K; the end of training is what to look at.
    ends = [history["loss"].iloc[-2:].max() for history in histories.values()]
    axes[0, 0].set(ylabel="loss as trained (nats)", ylim=(0, 1.6 * max(ends)))
    return figure


def gap_curves(histories, optima):
    """Mean logit gap on the training data over the steps, beside its closed form.

    histories : eps to the DataFrame of ``training.fit``
    optima    : eps to the closed-form gap, nats; infinite where there is none
    returns   : matplotlib Figure; left every eps, right those with a finite optimum,
                whose closed form is drawn as a thin line
    """
    figure, axes = plt.subplots(1, 2, figsize=style.PANELS)
    for eps, history in histories.items():
        rows = history[history["part"] == "train"]
        look = style.eps_style(eps)
        panels = axes if np.isfinite(optima[eps]) else axes[:1]
        for axis in panels:
            axis.plot(rows["step"], rows["gap"], ms=3, **look)
        if np.isfinite(optima[eps]):
            ends = [0, rows["step"].max()]
            axes[1].plot(ends, [optima[eps]] * 2, color=look["color"], lw=0.8)
            text = f"ε = {eps:g}: {optima[eps]:.2f}"
            _label_end(axes[1], rows["step"].max(), optima[eps], text, look["color"])
        else:
            last = rows.iloc[-1]
            _label_end(axes[0], last["step"], last["gap"], f"ε = {eps:g}", "black")
    axes[0].set(title="One-hot targets: no end in sight", ylabel="logit gap (nats)")
    axes[1].set(title="Smoothed: up to the closed form", ylim=(0, None))
    for axis in axes:
        axis.set_xlabel("step")
    return figure


def validation_curves(histories, column, title):
    """One column of the validation history over the steps, one curve for each eps.

    histories : eps to the DataFrame of ``training.fit``
    column    : "loss", "nll", "accuracy" or "gap"
    title     : the finding
    returns   : matplotlib Figure
    """
    figure, axis = plt.subplots(figsize=style.SINGLE)
    for eps, history in histories.items():
        rows = history[(history["part"] == "validation") & (history["step"] > 0)]
        look = style.eps_style(eps)
        axis.plot(rows["step"], rows[column], ms=3, **look)
        last = rows.iloc[-1]
        _label_end(axis, last["step"], last[column], f"ε = {eps:g}", look["color"])
    units = {"loss": " (nats)", "nll": " (nats)", "gap": " (nats)", "accuracy": ""}
    name = "NLL" if column == "nll" else column
    axis.set(xlabel="step", ylabel=f"validation {name}{units[column]}", title=title)
    axis.set_ylim(bottom=0)
    return figure


def confidence_histograms(confidences, ceilings):
    """Histograms of the largest predicted probability, one panel for each eps.

    confidences : eps to (N,) confidences in [0, 1]
    ceilings    : eps to the target probability of the true class, drawn as a line
    returns     : matplotlib Figure
    """
    figure, axes = plt.subplots(
        1, len(confidences), figsize=style.PANELS, sharey=True, squeeze=False
    )
    for axis, (eps, values) in zip(axes.flat, confidences.items(), strict=True):
        values = np.asarray(values)
        share = np.full(len(values), 1 / len(values))
        color = style.eps_style(eps)["color"]
        axis.hist(values, np.linspace(0.3, 1, 36), weights=share, color=color)
        axis.axvline(ceilings[eps], color="#444444", lw=1.2, ls=":")
        axis.set(title=f"ε = {eps:g}: target {ceilings[eps]:.3f}", xlabel="confidence")
    axes[0, 0].set_ylabel("share of images")
    return figure


def differences(comparisons, value, arm, titles, ylabel, factor=1.0):
    """Paired differences with their intervals, one panel for each comparison.

    Three panels a row.

    comparisons : name to the DataFrame of ``stats.compare_arms``
    value, arm  : the measure to draw, the column that tells the arms apart
    titles      : name to the panel's title, the finding
    ylabel      : of the difference, with its unit after ``factor`` (100 for points)
    returns     : matplotlib Figure; a filled mark is a difference that holds, an empty
                  one is "no difference"
    """
    columns = min(3, len(comparisons))
    lines = -(-len(comparisons) // columns)
    width, height = style.PANELS
    figure, axes = plt.subplots(
        lines, columns, figsize=(width, height * (1 + 0.7 * (lines - 1))),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axis, (name, comparison) in zip(axes.flat, comparisons.items(), strict=False):
        rows = comparison[comparison["value"] == value]
        axis.axhline(0, color="#444444", lw=1)
        for place, row in enumerate(rows.to_dict("records")):
            color, marker = _look_of_arm(row[arm], place)
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
        if max(map(len, names)) > 5:
            slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
            plt.setp(axis.get_xticklabels(), **slanted)
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
            color, marker = _look_of_arm(label, place)
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


def _look_of_arm(arm, place):
    """Colour and marker: those of eps on the course's grid, else of the place."""
    if isinstance(arm, float) and arm in style.EPS_COLORS:
        return style.EPS_COLORS[arm], style.EPS_MARKERS[arm]
    colors, markers = style.CLASS_COLORS, style.CLASS_MARKERS
    turn, place = divmod(place, len(colors))  # another marker in every turn
    return colors[place], markers[(place + turn) % len(markers)]


def _label_end(axis, x, y, text, color):
    """Name a curve at its right end, where the eye is, rather than in a legend."""
    axis.annotate(
        text, (x, y), (6, 0), textcoords="offset points", color=color, va="center"
    )
