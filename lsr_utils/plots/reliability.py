"""Reliability diagrams: accuracy against confidence, with all that chance does."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch

from .. import calibration, check, style
from .charts import GREY, INK, look_of_arm

POINTS = {"n_bins": 10, "strategy": "quantile"}  # equal mass: each point weighs alike
BINS = 15  # of equal width, for the errors in the table
AS_THEY_ARE = ("NLL", "Brier")  # rows of the table with three decimals; others in %


@style.used()
def reliability_diagram(models, targets, *, posterior=None, title="", resamples=1000):
    """Accuracy against confidence, the counts below, and the numbers beside it.

    models    : probabilities (N, K) of one network, or (S, N, K) of a fleet of S; or
                name to such, drawn over each other
    targets   : (N,) or (S, N) labels, or name to such
    posterior : (N, K) or (S, N, K) known p(class | input), or name to such: draws the
                true curve, without the noise of labels
    resamples : of the bootstrap, the band and the floor
    returns   : matplotlib Figure. A point is one of ten bins of equal mass, without the
                empty ones; one network alone has a Clopper-Pearson interval and its gap
                there, a fleet a thin line for each network and their mean. Band: 95 %
                of a calibrated network's points, bin by bin (Bröcker & Smith 2007).
                Table: its ``summary``. Taught in 06
    raises    : as ``calibration.summary``; KeyError for a name without targets
    """
    models = models if isinstance(models, dict) else {"": models}
    alone = len(models) == 1
    wider = 1.4 * max(0, len(models) - 2)
    figure = plt.figure(figsize=(9.0 + wider, 4.5))
    widths = [1.15, 1] if alone else [1, 1.1 + wider / 4.2]
    left, right = figure.add_gridspec(1, 2, width_ratios=widths)
    panels = left.subgridspec(2, 1, height_ratios=[4.2, 1], hspace=0.02)
    picture, counts = panels.subplots(sharex=True)
    table = figure.add_subplot(right)
    columns, looks, curve = {}, {}, []
    for place, (name, p) in enumerate(models.items()):
        y = targets[name] if isinstance(targets, dict) else targets
        known = posterior[name] if isinstance(posterior, dict) else posterior
        p, y = check.probabilities(p).cpu(), check.numbers(y, "targets").cpu()
        if p.dim() == 3 and len(p) == 1:  # a fleet of one is one network
            p, y = p[0], y.reshape(-1)
            known = known[0] if np.ndim(known) == 3 else known
        label = f"ε = {name:g}" if isinstance(name, float) else str(name) or "network"
        look = looks[name] = look_of_arm(name, place) | {"label": label}
        summary = calibration.summary(p, y, BINS, resamples=resamples)
        columns[name] = summary.T.to_dict("list")
        bins = calibration.reliability_bins(p, y, **POINTS)
        ends = calibration.consistency_band(p, **POINTS, resamples=resamples)
        middle, low, high = _means(bins, *ends)
        area = {"color": look["color"], "alpha": 0.18 if alone else 0.1}
        one_bin = len(middle) == 1  # has a line for a band
        picture.fill_between(middle, low, high, lw=12 * one_bin, **area)
        if known is not None:
            truth = calibration.true_calibration_error(p, known, BINS).mean().item()
            columns[name]["true ECE"] = [truth]
            truth = _means(calibration.true_reliability_bins(p, known, **POINTS))
            dots = {"ls": (0, (1, 1)), "lw": 2.2, "marker": ".", "ms": 4, "zorder": 5}
            dots["color"] = INK if alone else look["color"]
            curve += picture.plot(*truth, label=f"true curve, {label}", **dots)
        _points(picture, bins, look, alone)
        area = {"alpha": 0.4, "lw": 0}
        if place:  # the first is an area, the others are lines
            area = {"ls": look["linestyle"], "lw": 1.6, "fill": False}
        sns.histplot(
            x=p.amax(-1).double().flatten().numpy(), bins=20, binrange=(0, 1), **area,
            stat="percent", element="step", color=look["color"], ax=counts,
        )  # fmt: skip
    least = min(np.nanmin(line.get_xydata()) for line in picture.lines)
    least = max(0.0, np.floor(10 * least - 0.2) / 10)
    picture.plot([0, 1], [0, 1], color=GREY, lw=1, zorder=1)
    picture.set(xlim=(least, 1.01), ylim=(least, 1.01), ylabel="accuracy", title=title)
    if curve:  # the models are named at the head of the table
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.08)}
        picture.legend(curve[:1], ["true curve"], handlelength=2.6, **place)
    picture.text(0.98, 0.05, "below: over-confident", size=9, color=GREY, ha="right",
                 transform=picture.transAxes)  # fmt: skip
    counts.set(xlabel="confidence", ylabel="% of rows")
    counts.grid(axis="x", visible=False)
    _write(table, columns, looks)
    return figure


def _points(axis, bins, look, alone):
    if bins.count.dim() == 2:  # a fleet
        thin = {"color": look["color"], "lw": 0.6, "alpha": 0.3, "zorder": 2}
        for x, share in zip(bins.confidence, bins.accuracy, strict=True):
            axis.plot(x[~x.isnan()], share[~x.isnan()], **thin)
    elif alone:
        kept = bins.count > 0
        x, share, n = (v[kept] for v in (bins.confidence, bins.accuracy, bins.count))
        low, high = calibration.clopper_pearson((share * n).round(), n)
        reach = torch.stack([share - low, high - share]).clamp(min=0)
        axis.vlines(x, x, share, color=look["color"], lw=6, alpha=0.4, zorder=2)
        axis.errorbar(x, share, yerr=reach, fmt="none", color=INK, capsize=3)
        look = {**look, "linestyle": "none"}
    axis.plot(*_means(bins), ms=7, mec="white", mew=0.8, zorder=4, **look)


def _means(bins, *ends):
    """Confidence and accuracy, or ends, of the bins that hold a row: means over S."""
    values = torch.stack([bins.confidence, *(ends or [bins.accuracy])])
    means = values.reshape(len(values), -1, values.shape[-1]).nanmean(1)
    return means[:, ~means[0].isnan()]


def _write(axis, columns, looks):
    """The table: a column for each model; of several, intervals on a second line."""
    alone = len(columns) == 1
    axis.axis("off")
    axis.set(xlim=(0, 1), ylim=(0, 1))
    rows = list(dict.fromkeys(row for table in columns.values() for row in table))
    starts = np.linspace(0.36 if alone else 0.3, 1, len(columns) + 1)[:-1]
    lines = dict(zip(rows, np.linspace(0.84, 0.13, len(rows)), strict=True))
    for row, y in lines.items():
        words = row.replace("confidence - accuracy", "conf − acc")
        words += {"NLL": " (nats)", "Brier": ""}.get(row, " (%)")
        axis.text(0, y, words, size=10, va="center")
    for start, (name, table) in zip(starts, columns.items(), strict=True):
        head = "value (95 % interval)"
        if not alone:
            head = looks[name]["label"]
            axis.plot([start, start + 0.1], [1, 1], ms=6, clip_on=False, **looks[name])
        head = textwrap.fill(head, 26 if alone else 13, max_lines=2, placeholder=" …")
        axis.text(start, 0.96, head, va="top", weight="bold", size=10)
        right, down, size = (0.17, 0, 10) if alone else (0, 0.036, 9)
        for row, values in table.items():
            form = "{:.3f}".format if row in AS_THEY_ARE else "{:.1%}".format
            value, *ends = (form(v).strip("%").replace("-", "−") for v in values)
            if not np.isfinite(values[0]):
                value, ends = "∞", []
            axis.text(start, lines[row], value, size=11, va="center")
            at, words = (start + right, lines[row] - down), " to ".join(ends)
            axis.text(*at, words, size=size, va="center", color=INK)
    foot = f"errors: {BINS} bins of equal width; their intervals: without chance"
    axis.text(0, 0.0, foot, size=8.5, color=INK)
