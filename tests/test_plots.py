"""Charts: each comes back whole, its numbers, names and looks where they belong."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
import torch

from lsr_utils import calibration, datasets, geometry, plots, style
from lsr_utils.plots import charts

pytestmark = pytest.mark.usefixtures("course_style")


def words(texts):
    return [text.get_text() for text in texts]


def test_differences_show_each_interval_and_whether_it_holds():
    titles = {name: f"{name}: up" for name in "abcd"}
    rows = {"eps": [0.05, 0.1], "value": "ece", "difference": [0, 0.02]}
    rows |= {"low": [-0.01, 0.01], "high": [0.03, 0.05]}
    table = pd.DataFrame({**rows, "verdict": ["no difference", "higher"]})
    tables = dict.fromkeys(titles, pd.concat([table, table.assign(value="nll")]))
    figure = plots.differences(tables, "ece", "eps", titles, "points", 100)
    figure.canvas.draw()
    axes = figure.axes
    assert [axis.get_title(loc="left") for axis in axes] == list(titles.values())
    zero, *_ = axes[0].get_lines()
    assert set(zero.get_ydata()) == {0}
    marks = [bars.lines[0] for bars in axes[0].containers]
    assert [mark.get_ydata().item() for mark in marks] == pytest.approx([0, 2])
    assert [mark.get_markerfacecolor() for mark in marks] == ["white", "#b12a90"]
    ends = [bars.lines[2][0].get_segments()[0][:, 1] for bars in axes[0].containers]
    np.testing.assert_allclose(ends, [[-1, 3], [1, 5]])
    assert words(axes[0].get_xticklabels()) == ["0.05", "0.1"]


def test_names_stand_at_the_ends_of_their_lines_in_ink_beside_a_sample():
    rows = [(e, step, (1 + 4 * e) * step) for e in style.EPS_GRID for step in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["eps", "step", "y"])
    _, axis = plt.subplots()
    looks = {"hue": "eps", "style": "eps", "legend": False, **style.EPS}
    sns.lineplot(table, x="step", y="y", estimator=None, ax=axis, **looks)
    for eps, line in zip(style.EPS_GRID, axis.lines, strict=True):
        look = style.eps_style(eps)  # seaborn draws each ε in its looks
        assert line.get_color() == look["color"] and line.get_marker() == look["marker"]
    axis.plot([0, 1], [2, math.nan])
    names = [f"ε = {eps:g}" for eps in style.EPS_GRID]
    plots.name_lines(axis, [*names, "ends in nan"])
    axis.figure.canvas.draw()
    assert words(axis.texts) == names
    heights = [text.get_position()[1] for text in axis.texts]
    assert (np.diff(heights) > 0.08).all()  # 0, 0.05 and 0.1 end close together
    named = zip(style.EPS_GRID, axis.texts, axis.lines[6:], strict=True)
    for eps, text, sample in named:
        assert sample.get_color() == style.EPS_COLORS[eps]
        assert set(sample.get_ydata()) == {text.get_position()[1]}


def test_seaborn_takes_students_interval_of_a_mean_for_its_bars():
    table = pd.DataFrame({"x": [0, 0, 0, 1, 1, 1], "y": [1, 2, 3, 2, 2, 2.0]})
    bars = {"errorbar": plots.student_interval, "err_style": "bars"}
    axis = sns.lineplot(table, x="x", y="y", **bars)
    (bars,) = axis.containers
    spread, none = bars.lines[2][0].get_segments()
    half = 4.302653 / np.sqrt(3)  # Student's t, two degrees of freedom
    np.testing.assert_allclose(spread[:, 1], [2 - half, 2 + half], rtol=1e-6)
    assert np.ptp(none[:, 1]) == 0


def test_no_two_eps_look_alike_and_an_arm_that_is_one_looks_like_it():
    looks = [style.eps_style(eps) for eps in style.EPS_GRID]
    for part in ("color", "linestyle", "marker"):
        assert len({str(look[part]) for look in looks}) == 5
    colors = [style.EPS_COLORS[eps] for eps in (0, 0.05, 0.1, 0.2, 0.4)]
    assert colors == ["#000000", "#41049d", "#b12a90", "#e56a5d", "#fca636"]
    for eps, look in zip(style.EPS_GRID, looks, strict=True):
        assert charts.look_of_arm(eps, 3) == charts.look_of_arm(f"ε = {eps:g}", 1)
        assert charts.look_of_arm(eps, 3) == look
    assert len({tuple(style.class_style(k).values()) for k in range(36)}) == 36


NAMES = ("circle", "triangle", "square", "pentagon", "star", "cross", "ring")
DRAW = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(7, 7, generator=DRAW).double()
BIAS, LABELS = torch.randn(7, generator=DRAW).double(), torch.arange(70) % 7
FEATURES = 3 * WEIGHT[LABELS] + torch.randn(70, 7, generator=DRAW)


def clouds(axis):
    found = {}
    for collection in axis.collections:
        size = collection.get_sizes()[0]
        found.setdefault(size, []).append(np.asarray(collection.get_offsets()))
    limits = np.array([axis.get_xlim(), axis.get_ylim()])
    every = np.vstack(sum(found.values(), []))
    assert (every > limits[:, 0]).all() and (every < limits[:, 1]).all()
    return [found[size] for size in sorted(found)]


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_template_plane_has_a_row_a_part_and_a_column_an_eps(scale):
    heads = {0.0: WEIGHT, 0.1: 1.1 * WEIGHT}
    planes = {e: geometry.template_plane(w, (0, 2, 6), BIAS) for e, w in heads.items()}
    parts = {"train": scale * FEATURES, "validation": scale * FEATURES[:24] * 5}
    points = {p: {e: planes[e].project(h) for e in planes} for p, h in parts.items()}
    classes = {p: dict.fromkeys(planes, LABELS[: len(h)]) for p, h in parts.items()}
    titles = {0.0: "clouds", 0.1: "points"}
    figure = plots.template_plane(planes, points, classes, titles, NAMES)
    axes = np.reshape(figure.axes, (2, 2))
    for (part, h), row in zip(parts.items(), axes, strict=True):
        for axis, (eps, plane) in zip(row, planes.items(), strict=True):
            of_classes, templates = clouds(axis)
            for k, at in zip((0, 2, 6), of_classes, strict=True):
                own = points[part][eps][LABELS[: len(h)] == k]
                np.testing.assert_allclose(at, own)
            np.testing.assert_allclose(np.vstack(templates), plane.templates)
            assert axis.get_aspect() == 1.0
    for a, b in axes.T:  # a column has one scale
        assert a.get_xlim() == b.get_xlim() and a.get_ylim() == b.get_ylim()
    assert words(figure.legends[0].get_texts()) == ["circle", "square", "ring"]


def test_decision_lines_start_where_three_logits_meet_and_leave_the_panel():
    plane = geometry.template_plane(WEIGHT, (0, 1, 2), BIAS)
    points = {"train": {0.1: plane.project(FEATURES)}}
    labels = {"train": {0.1: LABELS}}
    (axis,) = plots.template_plane({0.1: plane}, points, labels, {0.1: "x"}, NAMES).axes
    # The third logit lies below: the line is where the other two are largest.
    others = [((1, 2), (1, 1)), ((0, 2), (1, -1)), ((0, 1), (-1, -1))]
    for pair, line in enumerate(axis.lines):
        (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
        np.testing.assert_allclose((x0, y0), plane.centre)
        middle = torch.tensor([[(x0 + x1) / 2, (y0 + y1) / 2]])
        differences = plane.logit_differences(middle)[0]  # a - b, a - c, b - c
        assert abs(differences[pair]) < 1e-9
        assert all(s * differences[k] > 0 for k, s in zip(*others[pair], strict=True))
    assert len(axis.lines) == 3


# The reliability diagram -------------------------------------------------------------

DATA = datasets.gaussians(600, seed=4)
EXACT = DATA.posterior
SHARP = calibration.with_temperature(EXACT.log(), 0.5)


def diagram(*arguments, **options):
    """The two axes of the only panel, or all of a figure's."""
    return plots.reliability_diagram(*arguments, resamples=30, **options).axes


@pytest.mark.parametrize("p", [SHARP, EXACT])
def test_the_error_that_is_printed_is_that_of_the_bars(p):
    picture, _ = diagram(p, DATA.y, n_bins=5)
    confidence, answer = p.max(1)
    place = (confidence * 5).ceil() - 1
    shares = [(place == b).double().mean() for b in place.unique()]
    bars = picture.containers[0]
    sizes = [bar.get_height() for bar in bars]
    read = sum(share * abs(size) for share, size in zip(shares, sizes, strict=True))
    error = calibration.expected_calibration_error(p, DATA.y, 5)
    assert read == pytest.approx(error.item(), abs=1e-12)
    over = confidence.mean() - (answer == DATA.y).double().mean()
    chance = calibration.ece_floor(p, 5, draws=30)
    sign = "+" if over > 0 else "−"
    assert picture.texts[-1].get_text().splitlines() == [
        f"ECE {100 * error:.1f} %",
        f"chance {100 * chance:.1f} %",
        f"conf − acc {sign}{abs(100 * over):.1f}",
    ]


def test_a_bar_reaches_from_the_confidence_to_the_accuracy_the_darker_the_more():
    picture, _ = diagram(SHARP, DATA.y)
    bins = calibration.reliability_bins(SHARP, DATA.y)
    kept = bins.count > 0
    assert 0 < kept.sum() < 15  # empty bins are left out
    bars = picture.containers[0]
    ends = np.array([[b.get_y(), b.get_y() + b.get_height()] for b in bars])
    wanted = torch.stack([bins.confidence[kept], bins.accuracy[kept]], 1)
    np.testing.assert_allclose(ends, wanted)
    red = [b.get_facecolor()[2] for b in bars]  # the less blue, the darker
    order = bins.count[kept].argsort(stable=True)
    assert all(np.diff(np.array(red)[order]) <= 0)


def test_the_boxes_are_those_of_the_confidences_alone():
    ends = calibration.consistency_band(EXACT, 15, resamples=30)
    low, high = (end[~end.isnan()] for end in ends)
    for y in (DATA.y, (DATA.y + 1) % 6):
        boxes = diagram(EXACT, y)[0].containers[1]
        np.testing.assert_allclose([b.get_y() for b in boxes], low)
        np.testing.assert_allclose([b.get_y() + b.get_height() for b in boxes], high)


def test_below_are_the_counts_with_what_was_said_and_what_was_right():
    _, counts = diagram(SHARP, DATA.y)
    heights = [bar.get_height() for bar in counts.containers[0]]
    wanted, _ = np.histogram(SHARP.amax(-1), np.linspace(0, 1, 16))
    np.testing.assert_allclose(heights, 100 * wanted / 600)
    at = {line.get_label(): line.get_xdata()[0] for line in counts.lines}
    assert at["accuracy"] == calibration.accuracy(SHARP, DATA.y)
    assert at["mean confidence"] == pytest.approx(SHARP.amax(1).mean().item())
