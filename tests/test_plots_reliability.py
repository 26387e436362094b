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
    """Picture, counts and table of a figure, after it was drawn once."""
    figure = plots.reliability_diagram(*arguments, **QUICK, **options)
    figure.canvas.draw()
    return figure.axes


def labelled(axis):
    return {line.get_label(): line for line in axis.lines}


def words(axis):
    return [text.get_text() for text in axis.texts]


def inside(figure, texts):
    """Whether texts lie within the figure and none lies on another."""
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    whole = figure.bbox
    within = all(whole.x0 <= b.x0 and b.x1 <= whole.x1 for b in boxes)
    apart = not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    return within and apart


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
    picture, *_ = drawn(EXACT, DATA.y)
    again, *_ = drawn(EXACT, (DATA.y + 1) % 6)
    for axis in (picture, again):
        (band, *_) = axis.collections
        edge = band.get_paths()[0].vertices
        low, high = calibration.consistency_band(EXACT, 10, "quantile", resamples=30)
        for bound in (low, high):
            missing = set(bound.numpy().round(9)) - set(edge[:, 1].round(9))
            assert not missing


def test_empty_bins_are_left_out():
    levels = torch.tensor([0.5, 0.7, 0.9]).repeat(40).sort().values.double()
    p = torch.stack([levels, 1 - levels], 1)
    y = torch.arange(120) % 4 // 3
    picture, *_ = drawn(p, y)
    points = labelled(picture)["network"]
    assert points.get_xdata() == pytest.approx([0.5, 0.7, 0.9])
    assert np.isfinite(points.get_ydata()).all()
    constant = torch.tensor([[0.8, 0.2]]).expand(50, 2)
    picture, *_ = drawn(constant, torch.zeros(50, dtype=int))
    assert labelled(picture)["network"].get_xydata() == pytest.approx(
        np.array([[0.8, 1.0]])
    )


def test_the_counts_are_shares_of_all_rows():
    _, counts, _ = drawn(FLEET, DATA.y)
    (shape,) = counts.collections
    steps = shape.get_paths()[0].vertices
    wanted, _ = np.histogram(FLEET.amax(-1), np.linspace(0, 1, 21))
    seen = {height for height in steps[:, 1].round(9) if height > 0}
    assert seen == {share for share in (100 * wanted / 1200).round(9) if share > 0}


def test_of_a_fleet_every_network_is_a_line_and_the_mean_a_curve():
    picture, *_ = drawn(FLEET, DATA.y)
    bins = calibration.reliability_bins(FLEET, DATA.y, 10, "quantile")
    thin = [line for line in picture.lines if line.get_linewidth() < 0.7]
    assert len(thin) == 2
    for line, x, y in zip(thin, bins.confidence, bins.accuracy, strict=True):
        np.testing.assert_allclose(line.get_xydata(), torch.stack([x, y], 1))
    mean = labelled(picture)["network"]
    np.testing.assert_allclose(mean.get_ydata(), bins.accuracy.mean(0))
    assert len(picture.collections) == 1  # the band: no interval at the points


def test_several_models_keep_their_bands_and_drop_the_intervals():
    models = {0.0: SHARP, 0.1: EXACT, "both": EXACT}
    picture, counts, table = drawn(models, DATA.y)
    lines = labelled(picture)
    assert {"ε = 0", "ε = 0.1", "both"} <= set(lines)
    assert lines["ε = 0.1"].get_color() == style.EPS_COLORS[0.1]
    looks = {(lines[k].get_marker(), str(lines[k].get_linestyle())) for k in lines}
    assert len({marker for marker, _ in looks if marker != "None"}) == 3
    assert len(picture.collections) == len(models)
    assert len(counts.collections) + len(counts.lines) == len(models)
    assert {"ε = 0", "ε = 0.1", "both"} <= set(words(table))
    assert inside(picture.figure, table.texts)


def test_each_model_may_have_targets_and_a_posterior_of_its_own():
    other = datasets.gaussians(300, seed=8)
    models = {"a": EXACT, "b": other.posterior}
    picture, _, table = drawn(
        models, {"a": DATA.y, "b": other.y}, posterior={"a": EXACT, "b": None}
    )
    assert "true curve, a" in labelled(picture)
    assert "true curve, b" not in labelled(picture)
    assert "true ECE (%)" in words(table)


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
    wanted = calibration.summary(SHARP, DATA.y, **QUICK)
    said = words(table)
    for name, (value, low, high) in wanted.iterrows():
        plain = name in ("NLL", "Brier")
        text = [f"{v:.3f}" if plain else f"{100 * v:.1f}" for v in (value, low, high)]
        assert text[0].replace("-", "−") in said
        assert " to ".join(text[1:]).replace("-", "−") in said
    assert "ECE floor (%)" in said and any("15 bins of equal width" in w for w in said)
    assert inside(table.figure, table.texts)


def test_rows_that_only_one_model_has_stay_empty_for_the_other():
    models, y = {"a": EXACT, "b": EXACT[:100]}, {"a": DATA.y, "b": DATA.y[:100]}
    *_, table = drawn(models, y, posterior={"a": None, "b": EXACT[:100]})
    truth = calibration.true_calibration_error(EXACT[:100], EXACT[:100])
    (of_row,) = [t for t in table.texts if t.get_text() == "true ECE (%)"]
    height = of_row.get_position()[1]
    beside = [t for t in table.texts if t.get_position()[1] == height]
    (second,) = [t for t in beside if t not in (of_row,) and t.get_text()]
    assert second.get_text() == f"{100 * truth:.1f}"
    (head,) = [t for t in table.texts if t.get_text() == "b"]
    assert second.get_position()[0] == head.get_position()[0]
    assert "true ECE (%)" in words(table)


def test_long_names_and_many_models_leave_the_picture_whole():
    long = "label smoothing 0.1 with a temperature after training"
    few = {long: SHARP, long + ", too": EXACT}
    many = dict.fromkeys(["hard", "smoothed", "temperature", "both", "inverse"], EXACT)
    for models in (few, many, dict.fromkeys(style.EPS_GRID, EXACT)):
        picture, _, table = drawn(models, DATA.y, posterior=EXACT)
        width, height = picture.get_window_extent().size
        assert width > 300 and height > 250
        assert inside(picture.figure, table.texts)


def test_odd_but_sound_input_is_drawn():
    y = DATA.y.numpy()
    wanted, *_ = drawn(SHARP, DATA.y)
    for p in (SHARP.numpy()[::-1], SHARP.tolist(), SHARP.bfloat16()):
        flipped = y[::-1] if isinstance(p, np.ndarray) else y
        found, *_ = drawn(p, flipped)
        assert len(found.lines) == len(wanted.lines)
    infinite = torch.eye(6, dtype=torch.float64)[DATA.y]
    *_, table = drawn(infinite, (DATA.y + 1) % 6)
    assert "∞" in words(table)


def test_whole_numbers_as_names_are_no_eps():
    picture, *_ = drawn({0: SHARP, 1: EXACT}, DATA.y)
    lines = labelled(picture)
    assert lines["0"].get_color() != style.EPS_COLORS[0.0]
    assert lines["0"].get_linestyle() != lines["1"].get_linestyle()


def test_it_is_legible_on_a_dark_style():
    with plt.style.context("dark_background"):
        picture, counts, table = drawn({0.0: SHARP, 0.1: EXACT}, DATA.y)
        figure = picture.figure
    assert (
        to_rgb(figure.get_facecolor()) == to_rgb(picture.get_facecolor()) == (1, 1, 1)
    )
    for axis in (picture, counts, table):
        for text in [*axis.texts, axis.xaxis.label, axis.yaxis.label]:
            assert max(to_rgb(text.get_color())) < 0.5
    assert inside(figure, table.texts)


def test_a_fleet_of_one_is_drawn_as_one_network():
    one, *_ = drawn(SHARP, DATA.y)
    fleet, *_ = drawn(SHARP.unsqueeze(0), DATA.y.unsqueeze(0), posterior=None)
    for a, b in zip(one.lines, fleet.lines, strict=True):
        np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())


def test_it_has_words_for_what_it_cannot_draw():
    with pytest.raises(ValueError, match=r"probabilities must lie in \[0, 1\]"):
        plots.reliability_diagram(EXACT.log(), DATA.y)
    with pytest.raises(KeyError, match="b"):
        plots.reliability_diagram({"a": EXACT, "b": EXACT}, {"a": DATA.y})


def test_the_inputs_stay_as_they_were():
    p, y = SHARP.float().requires_grad_(), DATA.y.clone()
    drawn(p, y)
    torch.testing.assert_close(p.detach(), SHARP.float(), rtol=0, atol=0)
    assert torch.equal(y, DATA.y)
