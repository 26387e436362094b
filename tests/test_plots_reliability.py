"""The reliability diagram: what is drawn, read back from the figure."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from lsr_utils import calibration, datasets, plots

DATA = datasets.gaussians(600, seed=4)
EXACT = DATA.posterior
SHARP = calibration.with_temperature(EXACT.log(), 0.5)
QUICK = {"resamples": 30}

pytestmark = pytest.mark.usefixtures("course_style")


def drawn(*arguments, **options):
    """The two axes of the only panel, or all of a figure's."""
    with plt.style.context("dark_background"):
        figure = plots.reliability_diagram(*arguments, **QUICK, **options)
    figure.canvas.draw()
    for axis in figure.axes:
        assert to_rgb(axis.get_facecolor()) == (1, 1, 1)
        for text in [*axis.texts, axis.xaxis.label, axis.yaxis.label]:
            assert max(to_rgb(text.get_color())) < 0.5
    return figure.axes


def words(axis):
    return axis.texts[-1].get_text().splitlines()


@pytest.mark.parametrize("n_bins", [5, 15])
@pytest.mark.parametrize("p", [SHARP, EXACT])
def test_the_error_that_is_printed_is_that_of_the_bars(p, n_bins):
    picture, _ = drawn(p, DATA.y, n_bins=n_bins)
    confidence, answer = p.max(1)
    place = (confidence * n_bins).ceil() - 1
    shares = [(place == b).double().mean() for b in place.unique()]
    bars = picture.containers[0]
    sizes = [bar.get_height() for bar in bars]
    read = sum(share * abs(size) for share, size in zip(shares, sizes, strict=True))
    error = calibration.expected_calibration_error(p, DATA.y, n_bins)
    assert read == pytest.approx(error.item(), abs=1e-12)
    over = confidence.mean() - (answer == DATA.y).double().mean()
    chance = calibration.ece_floor(p, n_bins, draws=30)
    sign = "+" if over > 0 else "−"
    assert words(picture) == [
        f"ECE {100 * error:.1f} %",
        f"chance {100 * chance:.1f} %",
        f"conf − acc {sign}{abs(100 * over):.1f}",
    ]


def test_a_bar_reaches_from_the_confidence_to_the_accuracy_the_darker_the_more():
    picture, _ = drawn(SHARP, DATA.y)
    bins = calibration.reliability_bins(SHARP, DATA.y)
    kept = bins.count > 0
    assert 0 < kept.sum() < 15  # empty bins are left out
    bars = picture.containers[0]
    ends = np.array([[b.get_y(), b.get_y() + b.get_height()] for b in bars])
    wanted = torch.stack([bins.confidence[kept], bins.accuracy[kept]], 1)
    np.testing.assert_allclose(ends, wanted)
    (lines,) = picture.collections  # the accuracies, across their bins
    segments = np.array(lines.get_segments())
    np.testing.assert_allclose(segments[:, :, 1], wanted[:, [1, 1]])
    edges = torch.stack([bins.edges[:-1][kept], bins.edges[1:][kept]], 1)
    np.testing.assert_allclose(segments[:, :, 0], edges)
    red = [b.get_facecolor()[2] for b in bars]  # the less blue, the darker
    order = bins.count[kept].argsort(stable=True)
    assert all(np.diff(np.array(red)[order]) <= 0)


def test_the_boxes_are_those_of_the_confidences_alone():
    ends = calibration.consistency_band(EXACT, 15, resamples=30)
    low, high = (end[~end.isnan()] for end in ends)
    for y in (DATA.y, (DATA.y + 1) % 6):
        boxes = drawn(EXACT, y)[0].containers[1]
        np.testing.assert_allclose([b.get_y() for b in boxes], low)
        np.testing.assert_allclose([b.get_y() + b.get_height() for b in boxes], high)


def test_below_are_the_counts_with_what_was_said_and_what_was_right():
    _, counts = drawn(SHARP, DATA.y)
    heights = [bar.get_height() for bar in counts.containers[0]]
    wanted, _ = np.histogram(SHARP.amax(-1), np.linspace(0, 1, 16))
    np.testing.assert_allclose(heights, 100 * wanted / 600)
    at = {line.get_label(): line.get_xdata()[0] for line in counts.lines}
    assert at["accuracy"] == calibration.accuracy(SHARP, DATA.y)
    assert at["mean confidence"] == pytest.approx(SHARP.amax(1).mean().item())
    assert counts.get_xlabel() == "confidence"


def test_each_panel_may_have_targets_and_a_posterior_of_its_own():
    few, y = EXACT[:100], DATA.y[:100]
    axes = drawn(
        {"few": few, "sharp": SHARP}, {"few": y, "sharp": DATA.y},
        posterior={"few": None, "sharp": EXACT},
    )  # fmt: skip
    assert [axis.get_title(loc="left") for axis in axes[:2]] == ["few", "sharp"]
    dots = [[line for line in a.lines if line.get_marker() == "o"] for a in axes[:2]]
    assert not dots[0]
    truth = calibration.true_reliability_bins(SHARP, EXACT)
    x, y = dots[1][0].get_xydata().T
    kept = truth.count > 0
    np.testing.assert_allclose(x[kept], truth.confidence[kept])
    np.testing.assert_allclose(y[kept], truth.accuracy[kept])
    assert (y[kept] < x[kept]).all()  # sharpened: too sure
    assert axes[0].get_xlim() == axes[1].get_xlim()


def test_several_networks_in_one_panel_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(N, K\)"):
        drawn(torch.stack([EXACT, SHARP]), DATA.y)
