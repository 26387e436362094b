"""Reliability diagrams: accuracy against confidence, with all that chance does."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch

from .. import calibration, check, style
from .common import look_of_arm

POINTS = 10, "quantile"  # bins of the picture, so that each point weighs alike
COUNT_EDGES = np.linspace(0, 1, 21)
AS_THEY_ARE = ("NLL", "Brier")  # rows of the table with three decimals; others in %
GREY, DARK = "#8a8a8a", "#444444"


def reliability_diagram(
    models, targets, *, posterior=None, bins=15, title="", resamples=1000, seed=0
):
    """Accuracy against confidence, the counts below, and the numbers beside it.

    models    : probabilities (N, K) of one network, or (S, N, K) of a fleet of S; or
                name to such, drawn over each other
    targets   : (N,) or (S, N) labels, or name to such
    posterior : (N, K) or (S, N, K) known p(class | input), or name to such: draws the
                true curve, without the noise of labels
    bins      : of equal width, for the errors in the table; the points of the picture
                are ten bins of equal mass
    resamples : of the bootstrap, the band and the floor, with seed
    returns   : matplotlib Figure. One network alone has a Clopper-Pearson interval and
                its signed gap at each point. Of a fleet every network is a thin line,
                and a point the mean of a bin over networks. Band: 95 % of a calibrated
                network's points, bin by bin. Empty bins are left out. Table:
                ``calibration.summary``
    raises    : as ``calibration.summary``; ValueError for no model, or a name that
                targets or posterior lack

    Bröcker & Smith 2007 (band). Taught in 06 section 4.
    """
    models = models if isinstance(models, dict) else {"": models}
    if not models:
        raise ValueError("models must hold at least one network, got none.")
    alone = len(models) == 1
    figure, picture, counts, table = _layout(len(models))
    columns, looks = {}, {}
    for place, (name, p) in enumerate(models.items()):
        p = check.probabilities(p).cpu()
        y = check.numbers(_of_model(targets, name, "targets"), "targets").cpu()
        known = _of_model(posterior, name, "posterior")
        if p.dim() == 3 and len(p) == 1:  # a fleet of one is one network
            p, y = p[0], y[0] if y.dim() == 2 else y
            known = known[0] if np.ndim(known) == 3 else known
        look = looks[name] = _look(name, place, alone)
        summary = calibration.summary(p, y, bins, resamples=resamples, seed=seed)
        columns[name] = dict(zip(summary.index, summary.to_numpy(), strict=True))
        _band(picture, p, resamples, seed, look, alone)
        if known is not None:
            truth = calibration.true_calibration_error(p, known, bins).mean().item()
            columns[name]["true ECE"] = [truth]
            _true_curve(picture, p, known, look, alone)
        _points(picture, p, y, look, alone)
        _counts(counts, p, look, filled=place == 0)
    _finish(picture, counts, title)
    _numbers(table, columns, looks, int(bins))
    return figure


def _layout(models):
    wider = 1.4 * max(0, models - 2)
    figure = plt.figure(figsize=(9.0 + wider, 4.5))
    widths = [1.15, 1 + wider / 4.5] if models == 1 else [1, 1.1 + wider / 4.2]
    left, right = figure.add_gridspec(1, 2, width_ratios=widths)
    above, below = left.subgridspec(2, 1, height_ratios=[4.2, 1], hspace=0.02)
    picture = figure.add_subplot(above)
    counts = figure.add_subplot(below, sharex=picture)
    table = figure.add_subplot(right)
    table.axis("off")
    return figure, picture, counts, table


def _of_model(values, name, argument):
    if isinstance(values, dict):
        if name not in values:
            raise ValueError(f"models names {name!r}, which {argument} lacks.")
        values = values[name]
    return values


def _look(name, place, alone):
    color, marker = look_of_arm(name, place)
    if alone and not isinstance(name, float):
        color = style.CLASS_COLORS[0]
    lines = list(style.EPS_LINES.values())
    line, label = lines[place % len(lines)], str(name) or "network"
    if isinstance(name, float):
        line, label = style.EPS_LINES.get(name, line), f"ε = {name:g}"
    return {"color": color, "marker": marker, "linestyle": line, "label": label}


def _band(axis, p, resamples, seed, look, alone):
    low, high = calibration.consistency_band(p, *POINTS, resamples=resamples, seed=seed)
    any_labels = torch.zeros(p.shape[:-1], dtype=torch.long)
    middle = calibration.reliability_bins(p, any_labels, *POINTS).confidence
    middle, low, high = (_mean(values) for values in (middle, low, high))
    kept, shade = ~middle.isnan(), {"color": look["color"]}
    middle, low, high = middle[kept], low[kept], high[kept]
    shade["alpha"] = 0.18 if alone else 0.1
    if len(middle) > 1:
        axis.fill_between(middle, low, high, lw=0, **shade)
    else:  # one bin is a line
        axis.vlines(middle, low, high, lw=12, **shade)


def _true_curve(axis, p, posterior, look, alone):
    truth = calibration.true_reliability_bins(p, posterior, *POINTS)
    axis.plot(
        *_means(truth), ls=(0, (1, 1)), lw=2.2, marker=".", ms=4, zorder=5,
        color="#222222" if alone else look["color"],
        label=f"true curve, {look['label']}",
    )  # fmt: skip


def _points(axis, p, y, look, alone):
    bins = calibration.reliability_bins(p, y, *POINTS)
    if p.dim() == 3:
        for x, share in zip(bins.confidence, bins.accuracy, strict=True):
            x, share = x[~x.isnan()], share[~x.isnan()]
            axis.plot(x, share, color=look["color"], lw=0.6, alpha=0.3, zorder=2)
    elif alone:
        kept = bins.count > 0
        x, share, count = (
            v[kept] for v in (bins.confidence, bins.accuracy, bins.count)
        )
        low, high = calibration.clopper_pearson((share * count).round(), count)
        reach = torch.stack([share - low, high - share]).clamp(min=0)
        axis.vlines(x, x, share, color=look["color"], lw=6, alpha=0.4, zorder=2)
        axis.errorbar(x, share, yerr=reach, fmt="none", color="#222222", capsize=3)
        look = {**look, "linestyle": "none"}
    axis.plot(*_means(bins), ms=7, mec="white", mew=0.8, zorder=4, **look)


def _mean(values):
    """Mean over the networks of a fleet, bin by bin: (B,); nan where all are empty."""
    return values.reshape(-1, values.shape[-1]).nanmean(0)


def _means(bins):
    """Confidence and accuracy of the bins that hold a row, means over networks."""
    x, share = _mean(bins.confidence), _mean(bins.accuracy)
    return x[~x.isnan()], share[~x.isnan()]


def _counts(axis, p, look, filled):
    confidence = p.amax(-1).flatten().double()
    share = np.full(len(confidence), 100 / len(confidence))
    axis.hist(
        confidence, COUNT_EDGES, weights=share, color=look["color"], lw=1.6,
        histtype="stepfilled" if filled else "step", alpha=0.4 if filled else 1,
        ls="-" if filled else look["linestyle"],
    )  # fmt: skip


def _finish(picture, counts, title):
    drawn = [(line.get_xdata(), line.get_ydata()) for line in picture.lines]
    least = min(np.nanmin(np.asarray(values, float)) for xy in drawn for values in xy)
    least = max(0.0, np.floor(10 * least - 0.2) / 10)
    picture.plot([0, 1], [0, 1], color=GREY, lw=1, zorder=1)
    picture.set(xlim=(least, 1.01), ylim=(least, 1.01), ylabel="accuracy", title=title)
    picture.tick_params(labelbottom=False)
    curves = [line for line in picture.lines if line.get_linewidth() == 2.2]
    if curves:  # the models are named at the head of the table
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.08)}
        picture.legend(curves[:1], ["true curve"], handlelength=2.6, **place)
    below = {"transform": picture.transAxes, "ha": "right", "color": GREY}
    picture.text(0.98, 0.05, "below: over-confident", size=9, **below)
    counts.set(xlabel="confidence", ylabel="% of rows")
    counts.grid(axis="x", visible=False)


def _number(row, value):
    if not np.isfinite(value):
        return "∞"
    text = f"{value:.3f}" if row in AS_THEY_ARE else f"{100 * value:.1f}"
    return text.replace("-", "−")


def _numbers(axis, columns, looks, bins):
    """The table: a column for each model; of several, intervals on a second line."""
    alone = len(columns) == 1
    axis.set(xlim=(0, 1), ylim=(0, 1))
    rows = list(dict.fromkeys(row for table in columns.values() for row in table))
    starts = np.linspace(0.36 if alone else 0.3, 1, len(columns) + 1)[:-1]
    lines = dict(zip(rows, np.linspace(0.84, 0.13, len(rows)), strict=True))
    for start, (name, table) in zip(starts, columns.items(), strict=True):
        head, look = "value (95 % interval)", dict(looks[name])
        if not alone:
            head = textwrap.fill(look["label"], 13, max_lines=2, placeholder=" …")
            axis.plot([start, start + 0.1], [1, 1], ms=6, clip_on=False, **look)
        style_of_head = {"color": look["color"], "weight": "bold", "size": 10}
        axis.text(start, 0.96, head, va="top", **style_of_head)
        for row, numbers in table.items():
            value, *ends = (_number(row, n) for n in numbers)
            right, down, size = (0.17, 0, 10) if alone else (0, 0.036, 9)
            axis.text(start, lines[row], value, size=11, va="center")
            words = " to ".join(ends) if "∞" not in ends else ""
            axis.text(
                start + right, lines[row] - down, words, size=size, va="center",
                color=DARK,
            )  # fmt: skip
    for row, y in lines.items():
        words = row.replace("confidence - accuracy", "conf − acc")
        words += {"NLL": " (nats)", "Brier": ""}.get(row, " (%)")
        axis.text(0, y, words, size=10, va="center")
    foot = f"errors: {bins} bins of equal width; their intervals: without chance"
    axis.text(0, 0.0, foot, size=8.5, color=DARK)
