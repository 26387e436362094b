"""Figures: each comes back whole, labelled and in the course's style."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lsr_utils import plots, style
from lsr_utils.plots import charts

pytestmark = pytest.mark.usefixtures("course_style")


def check(figure, panels):
    """A figure with so many visible panels, that draws, every panel with a title."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    axes = [axis for axis in figure.axes if axis.axison]
    assert len(axes) == panels
    for axis in axes:
        assert axis.get_title(loc="left") or len(axes) == 1
        assert axis.get_xlabel()
    assert axes[0].get_ylabel()
    return axes


def test_an_image_grid_shows_every_image_once_and_no_axes():
    images = torch.rand(14, 1, 8, 8)
    figure = plots.image_grid(images, [str(i) for i in range(14)])
    figure.canvas.draw()
    shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert len(figure.axes) == 24 and len(shown) == 14
    np.testing.assert_array_equal(shown[13], images[13, 0])
    assert figure.axes[13].get_title(loc="center") == "13"
    assert not any(axis.axison for axis in figure.axes)


def comparison(arm="eps", arms=(0.05, 0.1)):
    rows = [
        {arm: a, "value": value, "difference": 0.02 * k, "low": 0.02 * k - 0.01,
         "high": 0.02 * k + 0.03, "verdict": "higher" if k else "no difference"}
        for value in ("accuracy", "ece") for k, a in enumerate(arms)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_five_differences_stand_in_rows_of_three():
    titles = dict.fromkeys("abcde", "title")
    figure = plots.differences(
        dict.fromkeys("abcde", comparison()), "ece", "eps", titles, "points"
    )
    check(figure, 5)
    assert len(figure.axes) == 6  # the last one left empty


def test_differences_show_each_interval_and_whether_it_holds():
    titles = {"a": "a: up", "b": "b: up", "c": "c", "d": "d"}
    figure = plots.differences(
        dict.fromkeys("abcd", comparison()), "ece", "eps", titles, "points", 100
    )
    axes = check(figure, 4)
    assert len(figure.axes) == 4  # two rows of two
    assert [axis.get_title(loc="left") for axis in axes] == list(titles.values())
    zero, *_ = axes[0].get_lines()
    assert set(zero.get_ydata()) == {0}
    marks = [bars.lines[0] for bars in axes[0].containers]
    assert [mark.get_ydata().item() for mark in marks] == pytest.approx([0, 2])
    assert [mark.get_markerfacecolor() for mark in marks] == ["white", "#b12a90"]
    ends = [bars.lines[2][0].get_segments()[0][:, 1] for bars in axes[0].containers]
    np.testing.assert_allclose(ends, [[-1, 3], [1, 5]])
    assert [text.get_text() for text in axes[0].get_xticklabels()] == ["0.05", "0.1"]


def test_differences_take_arms_by_name():
    table = comparison("method", ("none at all", "dropout"))
    figure = plots.differences({"a": table}, "ece", "method", {"a": "a"}, "points")
    figure.canvas.draw()
    (axis,) = figure.axes
    labels = [text.get_text() for text in axis.get_xticklabels()]
    assert labels == ["none at all", "dropout"] and axis.get_ylabel() == "points"
    colors = [bars.lines[0].get_color() for bars in axis.containers]
    assert colors == list(style.CLASS_COLORS[:2])


def test_more_arms_than_colours_still_differ():
    arms = tuple(f"arm {k}" for k in range(14))
    table = comparison("method", arms)
    figure = plots.differences({"a": table}, "ece", "method", {"a": "a"}, "points")
    (axis,) = figure.axes
    looks = {
        (bars.lines[0].get_color(), bars.lines[0].get_marker())
        for bars in axis.containers
    }
    assert len(looks) == 14


def curves():
    rows = [
        {"eps": eps, "step": step, "y": (1 + 4 * eps) * step}
        for eps in style.EPS_GRID for step in (1, 2, 3)
    ]  # fmt: skip
    figure, axis = plt.subplots()
    looks = {"hue": "eps", "style": "eps", "legend": False, **style.EPS}
    sns.lineplot(pd.DataFrame(rows), x="step", y="y", estimator=None, ax=axis, **looks)
    return axis


def test_seaborn_draws_each_eps_in_its_looks():
    lines = curves().lines
    assert len(lines) == 5
    for eps, line in zip(style.EPS_GRID, lines, strict=True):
        np.testing.assert_allclose(
            line.get_ydata(), [(1 + 4 * eps) * s for s in (1, 2, 3)]
        )
        assert line.get_color() == style.EPS_COLORS[eps]
        assert line.get_marker() == style.EPS_MARKERS[eps]
        by_hand = plt.plot([0, 1], [0, 1], **style.eps_style(eps))[0]
        assert by_hand.get_color() == line.get_color()
        assert by_hand.get_marker() == line.get_marker()
        assert by_hand._unscaled_dash_pattern == line._unscaled_dash_pattern


def test_names_stand_at_the_ends_of_their_lines_in_ink_beside_a_sample():
    axis = curves()
    plots.name_lines(axis, [f"ε = {eps:g}" for eps in style.EPS_GRID])
    axis.figure.canvas.draw()
    assert [text.get_text() for text in axis.texts] == [
        "ε = 0", "ε = 0.05", "ε = 0.1", "ε = 0.2", "ε = 0.4",
    ]  # fmt: skip
    heights = [text.get_position()[1] for text in axis.texts]
    assert (np.diff(heights) > 0.08).all()  # 0, 0.05 and 0.1 end close together
    top = axis.transData.transform((3, 7.8))
    assert heights[-1] == pytest.approx(axis.transAxes.inverted().transform(top)[1])
    for eps, text, sample in zip(
        style.EPS_GRID, axis.texts, axis.lines[5:], strict=True
    ):
        assert sample.get_color() == style.EPS_COLORS[eps]
        assert sample.get_marker() == style.EPS_MARKERS[eps]
        assert set(sample.get_ydata()) == {text.get_position()[1]}
        assert text.get_color() == plt.rcParams["text.color"]
        assert text.get_position()[0] > max(sample.get_xdata()) > 1


def test_a_line_may_go_without_a_name():
    axis = curves()
    axis.plot([0, 1], [2, math.nan])
    plots.name_lines(axis, ["", "b", "", "", "", "ends in nan"])
    assert [text.get_text() for text in axis.texts] == ["b"]


def test_the_interval_of_a_mean_is_students():
    low, high = plots.student_interval(pd.Series([1, 2, 3.0], index=[7, 8, 9]))
    half = 4.302653 / np.sqrt(3)  # Student's t, two degrees of freedom
    assert (low, high) == pytest.approx((2 - half, 2 + half), rel=1e-6)
    assert plots.student_interval([2, 2, 2]) == (2, 2)


def test_seaborn_takes_the_interval_for_its_bars():
    table = pd.DataFrame({"x": [0, 0, 0, 1, 1, 1], "y": [1, 2, 3, 2, 2, 2.0]})
    axis = sns.lineplot(
        table, x="x", y="y", errorbar=plots.student_interval, err_style="bars"
    )
    (bars,) = axis.containers
    spread, none = bars.lines[2][0].get_segments()
    half = 4.302653 / np.sqrt(3)
    np.testing.assert_allclose(spread[:, 1], [2 - half, 2 + half], rtol=1e-6)
    assert np.ptp(none[:, 1]) == 0


def test_no_two_eps_look_alike_in_colour_line_or_marker():
    looks = [style.eps_style(eps) for eps in style.EPS_GRID]
    for part in ("color", "linestyle", "marker"):
        assert len({str(look[part]) for look in looks}) == 5
    colors = [style.EPS_COLORS[eps] for eps in (0, 0.05, 0.1, 0.2, 0.4)]
    assert colors == ["#000000", "#41049d", "#b12a90", "#e56a5d", "#fca636"]
    assert len(set(style.CLASS_COLORS)) == len(set(style.CLASS_MARKERS)) == 6
    assert style.CLASS_COLORS[:3] == ("#0072B2", "#E69F00", "#009E73")
    looks = {tuple(style.class_style(k).values()) for k in range(36)}
    assert len(looks) == 36
    for k in range(6):
        look = style.CLASS_COLORS[k], style.CLASS_MARKERS[k]
        assert tuple(style.class_style(k).values()) == look


@pytest.mark.parametrize("eps", style.EPS_GRID)
def test_an_arm_that_is_an_eps_looks_like_it(eps):
    looks = charts.look_of_arm(float(eps), 3)
    assert looks == style.eps_style(eps)
    assert charts.look_of_arm(f"ε = {eps:g}", 1) == looks
    of_place = charts.look_of_arm("ε = 0.3", 1)
    assert style.class_style(1).items() <= of_place.items()
    assert of_place["linestyle"] == style.eps_style(0.05)["linestyle"]


def test_the_theme_is_the_courses_and_its_words_are_legible():
    rc = plt.rcParams
    assert rc["axes.prop_cycle"].by_key()["color"] == [
        to_rgb(color) for color in style.CLASS_COLORS
    ]
    assert rc["figure.constrained_layout.use"] and rc["savefig.dpi"] == 110
    assert rc["font.size"] == rc["xtick.labelsize"] == rc["legend.fontsize"] == 11
    words = [rc[f"{part}.color"] for part in ("text", "xtick", "ytick")]
    for color in [*words, rc["axes.labelcolor"], charts.LINE, charts.GREY, charts.INK]:
        red, green, blue = (  # relative luminance, WCAG 2.2
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
            for v in to_rgb(color)
        )
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        assert 1.05 / (luminance + 0.05) >= 4.5, color


def test_a_figure_has_the_courses_looks_whatever_the_style():
    with plt.style.context("dark_background"):
        figure = plots.image_grid(torch.rand(2, 1, 8, 8), ["a", "b"])
        assert plt.rcParams["text.color"] == "white"  # the reader's own is kept
    assert to_rgb(figure.get_facecolor()) == (1, 1, 1)
    assert to_rgb(figure.axes[0].title.get_color()) != (1, 1, 1)
    assert figure.get_layout_engine() is not None
