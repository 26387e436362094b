"""Reliability diagrams: accuracy against confidence, beside what chance does."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import to_rgb

from .. import calibration, check, style
from .charts import GREY, INK, LINE

FILL, CHANCE = style.CLASS_COLORS[5], "#d9d9d9"


@style.used()
def reliability_diagram(models, targets, *, posterior=None, n_bins=15, resamples=1000):
    """A panel for each network: its bins, what chance alone would do, three numbers.

    models    : probabilities (N, K) of one network, or a panel's title to such
    targets   : (N,) labels, or title to such
    posterior : (N, K) known p(class | input), or title to such: adds the true accuracy
                of each bin, without the chance of labels
    n_bins    : bins of equal width, those of the picture and of the numbers in it
    resamples : of the band and of the mean ECE of chance alone
    returns   : matplotlib Figure. A bar reaches from a bin's mean confidence, on the
                diagonal, to its accuracy, the darker the more answers are in it. Grey:
                where 95 % of a calibrated network's accuracies lie, bin by bin (Bröcker
                & Smith 2007). Below: how the confidences are spread. Taught in 06
    """
    models = models if isinstance(models, dict) else {"": models}
    alone = len(models) == 1
    figure, axes = plt.subplots(
        2, len(models), figsize=(5.2, 4.6) if alone else (9.0, 4.2), squeeze=False,
        sharex=True, sharey="row", height_ratios=[4, 1],
    )  # fmt: skip
    for (name, p), picture, counts in zip(models.items(), *axes, strict=True):
        p = check.probabilities(p).cpu()
        check.that(p.dim() == 2, "models must be (N, K) or a title to such", p.shape)
        y = targets[name] if isinstance(targets, dict) else targets
        known = posterior[name] if isinstance(posterior, dict) else posterior
        y = check.numbers(y, "targets").cpu()
        draw_diagram(picture, p, y, n_bins, resamples)
        if known is not None:
            truth = calibration.true_reliability_bins(p, known, n_bins)
            dots = {"color": INK, "ms": 4, "zorder": 6, "label": "true accuracy"}
            picture.plot(truth.confidence, truth.accuracy, "o", **dots)
            picture.legend(loc="lower right", bbox_to_anchor=(1, 0.06), handletextpad=0)
        _counts(counts, p, y, n_bins)
        picture.set(title=name)
    starts = [bar.get_x() for axis in axes[0] for bar in axis.containers[1]]
    axes[0, 0].set(xlim=(min(starts), 1), ylim=(0, 1), ylabel="accuracy")
    axes[1, 0].set(ylabel="share (%)")
    axes[1, 0].legend(loc="upper left", borderaxespad=0.1, handlelength=1.6)
    return figure


def draw_diagram(axis, p, y, n_bins=15, resamples=1000):
    """Bars, grey boxes and three numbers of one network, p (N, K), y (N,), in axes."""
    bins = calibration.reliability_bins(p, y, n_bins)
    band = calibration.consistency_band(p, n_bins, resamples=resamples)
    kept = bins.count > 0
    left, width = bins.edges[:-1][kept].numpy(), bins.edges.diff()[kept].numpy()
    every = bins.confidence, bins.accuracy, bins.gap, *band
    conf, right, gap, low, high = (values[kept].numpy() for values in every)
    share = (bins.count[kept] / bins.count.max()).numpy()
    colors = 1 - (0.45 + 0.55 * share[:, None]) * (1 - np.array(to_rgb(FILL)))
    middle = left + width / 2
    axis.bar(middle, gap, 0.6 * width, conf, color=colors, lw=0, zorder=2)
    axis.bar(middle, high - low, width, low, color=CHANCE, lw=0, zorder=1)
    axis.hlines(right, left, left + width, color=INK, lw=2, zorder=4)
    axis.plot([0, 1], [0, 1], color=LINE, lw=1, ls=(0, (4, 2)), zorder=3)
    place = {"color": GREY, "ha": "right", "transform": axis.transAxes}
    axis.text(0.98, 0.03, "below: too sure", **place)
    error = calibration.expected_calibration_error(p, y, n_bins)
    chance = calibration.ece_floor(p, n_bins, draws=resamples)
    over = calibration.confidence_gap(p, y)
    words = f"ECE {100 * error:.1f} %\nchance {100 * chance:.1f} %\n"
    words += f"conf − acc {100 * over:+.1f}".replace("-", "−")
    axis.text(0.03, 0.97, words, va="top", color=INK, transform=axis.transAxes)


def _counts(axis, p, y, n_bins):
    """How many answers lie in each bin, with two lines: said and right."""
    bins = calibration.reliability_bins(p, y, n_bins)
    edges = bins.edges.numpy()
    sns.histplot(  # by the diagram's own bins, which hold their upper edge
        x=(edges[:-1] + edges[1:]) / 2, weights=bins.count.numpy(), bins=[*edges],
        stat="percent", ax=axis, color=CHANCE, lw=0,
    )  # fmt: skip
    right = calibration.accuracy(p, y).item()
    axis.axvline(right, color=INK, lw=2, label="accuracy")
    said = {"color": FILL, "lw": 2, "ls": (0, (1.5, 1)), "label": "mean confidence"}
    axis.axvline(p.amax(-1).double().mean().item(), **said)
    axis.set(xlabel="confidence", ylabel="")
    axis.grid(axis="x", visible=False)
