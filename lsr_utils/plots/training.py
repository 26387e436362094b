"""What training does to loss, gap and confidence."""

import matplotlib.pyplot as plt
import numpy as np

from .. import style
from .common import label_end


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
        label_end(axis, gaps[-1], loss[-1], f"ε = {eps:g}", look["color"])
        if optima[eps] is not None:
            axis.plot(*optima[eps], marker=look["marker"], color=look["color"], ms=8)
    axis.set(
        xlabel="logit gap, true minus other (nats)", ylabel="loss (nats)", title=title
    )
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
            label_end(axes[1], rows["step"].max(), optima[eps], text, look["color"])
        else:
            last = rows.iloc[-1]
            label_end(axes[0], last["step"], last["gap"], f"ε = {eps:g}", "black")
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
        label_end(axis, last["step"], last[column], f"ε = {eps:g}", look["color"])
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
