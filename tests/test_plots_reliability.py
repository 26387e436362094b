"""The reliability diagram: what is drawn, read back from the figure."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from scipy.stats import binomtest

from lsr_utils import calibration, datasets, plots, style

DATA = datasets.gaussians(600, seed=4)
EXACT = DATA.posterior
SHARP = calibration.with_temperature(EXACT.log(), 0.5)
FLEET = torch.stack([calibration.with_temperature(EXACT.log(), t) for t in (0.5, 0.7)])
QUICK = {"resamples": 30}

pytestmark = pytest.mark.usefixtures("course_style")


def drawn(*arguments, **options):
    with plt.style.context("dark_background"):
        figure = plots.reliability_diagram(*arguments, **QUICK, **options)
    figure.canvas.draw()
    picture, counts, table = figure.axes
    for canvas in (figure, picture):
        assert to_rgb(canvas.get_facecolor()) == (1, 1, 1)
    for axis in figure.axes:
        for text in [*axis.texts, axis.xaxis.label, axis.yaxis.label]:
            assert max(to_rgb(text.get_color())) < 0.5
    boxes = [text.get_window_extent() for text in table.texts if text.get_text()]
    assert all(figure.bbox.x0 <= b.x0 and b.x1 <= figure.bbox.x1 for b in boxes)
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    return picture, counts, table


def labelled(axis):
    return {line.get_label(): line for line in axis.lines}


def words(axis):
    return [text.get_text() for text in axis.texts]


def test_one_network_has_points_with_exact_intervals_and_gaps():
    picture, counts, _ = drawn(SHARP, DATA.y, title="too sure")
    assert picture.get_title(loc="left") == "too sure"
    assert picture.get_ylabel() == "accuracy" and counts.get_xlabel() == "confidence"
    points = labelled(picture)["network"]
    order = SHARP.amax(1).argsort()
    confidence, right = SHARP.amax(1)[order], (SHARP.argmax(1) == DATA.y)[order]
    x = confidence.reshape(10, 60).mean(1)  # ten bins of sixty: no two are equal
    y = right.double().reshape(10, 60).mean(1)
    np.testing.assert_allclose(points.get_xdata(), x)
    np.testing.assert_allclose(points.get_ydata(), y)
    stems, bars = picture.collections[-2:]
    stem = np.array(stems.get_segments())  # from the diagonal to the point
    np.testing.assert_allclose(stem[:, 0], np.stack([x, x], 1))
    np.testing.assert_allclose(stem[:, 1], np.stack([x, y], 1))
    for segment, hits in zip(bars.get_segments(), (60 * y).round(), strict=True):
        wanted = binomtest(int(hits), 60).proportion_ci(0.95, method="exact")
        np.testing.assert_allclose(segment[:, 1], wanted, atol=1e-9)


def test_the_band_is_that_of_the_confidences_alone():
    ends = calibration.consistency_band(EXACT, 10, "quantile", resamples=30)
    for y in (DATA.y, (DATA.y + 1) % 6):
        band, *_ = drawn(EXACT, y)[0].collections
        edge = set(band.get_paths()[0].vertices[:, 1].round(9))
        assert set(torch.cat(ends).numpy().round(9)) <= edge


def test_empty_bins_are_left_out():
    levels = torch.tensor([0.5, 0.7, 0.9]).repeat(40).sort().values.double()
    y = torch.arange(120) % 4 // 3
    picture, *_ = drawn(torch.stack([levels, 1 - levels], 1), y)
    points = labelled(picture)["network"]
    assert points.get_xdata() == pytest.approx([0.5, 0.7, 0.9])
    assert np.isfinite(points.get_ydata()).all()


def test_of_a_fleet_every_network_is_a_line_and_the_mean_a_curve():
    picture, counts, _ = drawn(FLEET, DATA.y)
    bins = calibration.reliability_bins(FLEET, DATA.y, 10, "quantile")
    thin = [line for line in picture.lines if line.get_linewidth() < 0.7]
    for line, x, y in zip(thin, bins.confidence, bins.accuracy, strict=True):
        np.testing.assert_allclose(line.get_xydata(), torch.stack([x, y], 1))
    mean = labelled(picture)["network"]
    np.testing.assert_allclose(mean.get_ydata(), bins.accuracy.mean(0))
    assert len(picture.collections) == 1  # the band: no interval at the points
    (shape,) = counts.collections  # shares of all rows
    heights = shape.get_paths()[0].vertices[:, 1].round(9)
    wanted, _ = np.histogram(FLEET.amax(-1), np.linspace(0, 1, 21))
    assert set(heights) - {0} == set((100 * wanted / 1200).round(9)) - {0}


def test_several_models_keep_their_bands_and_drop_the_intervals():
    models = {0.0: SHARP, 0.1: EXACT, "both": EXACT}
    names = ["ε = 0", "ε = 0.1", "both"]
    picture, counts, table = drawn(models, DATA.y)
    lines = [labelled(picture)[name] for name in names]
    assert [line.get_color() for line in lines[:2]] == ["#000000", "#b12a90"]
    assert len({line.get_marker() for line in lines}) == 3
    assert len(picture.collections) == len(models)
    assert len(counts.collections) + len(counts.lines) == len(models)
    assert set(names) <= set(words(table))
    lines = labelled(drawn({0: SHARP, 1: EXACT}, DATA.y)[0])
    assert lines["0"].get_color() != style.EPS_COLORS[0.0]  # a whole number is no ε
    assert lines["0"].get_linestyle() != lines["1"].get_linestyle()


def test_each_model_may_have_targets_and_a_posterior_of_its_own():
    few, y = EXACT[:100], DATA.y[:100]
    models = {"a": few, "b": SHARP}
    known = {"a": None, "b": EXACT}
    picture, _, table = drawn(models, {"a": y, "b": DATA.y}, posterior=known)
    assert "true curve, b" in labelled(picture)
    assert "true curve, a" not in labelled(picture)
    truth = calibration.true_calibration_error(SHARP, EXACT)
    at = {text.get_text(): text.get_position() for text in table.texts}
    assert at[f"{100 * truth:.1f}"] == (at["b"][0], at["true ECE (%)"][1])


def test_the_true_curve_of_the_posterior_is_the_diagonal():
    picture, _, table = drawn(EXACT, DATA.y, posterior=EXACT)
    x, y = labelled(picture)["true curve, network"].get_xydata().T
    np.testing.assert_allclose(x, y)
    assert "0.0" in words(table)
    sharp, *_ = drawn(SHARP, DATA.y, posterior=EXACT)
    x, y = labelled(sharp)["true curve, network"].get_xydata().T
    assert (y < x).all()


def test_the_table_holds_the_summary():
    *_, table = drawn(SHARP, DATA.y)
    said = words(table)
    for name, values in calibration.summary(SHARP, DATA.y, **QUICK).iterrows():
        form = "{:.3f}".format if name in ("NLL", "Brier") else "{:.1%}".format
        value, *ends = (form(v).strip("%").replace("-", "−") for v in values)
        assert value in said and " to ".join(ends) in said
    assert "ECE floor (%)" in said and any("15 bins of equal width" in w for w in said)
    wrong = torch.eye(6, dtype=torch.float64)[DATA.y.roll(1)]
    assert "∞" in words(drawn(wrong, DATA.y)[2])
