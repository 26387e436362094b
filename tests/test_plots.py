"""Figures: each comes back whole, labelled and in the course's style."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from lsr_utils import plots, style

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


def history():
    rows = [
        {"step": s, "part": p, "loss": 2 / (1 + s) + i, "nll": 1.0, "accuracy": 0.9,
         "gap": float(s)}
        for s in range(4) for i, p in enumerate(("train", "validation"))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_target_bars_have_the_heights_and_one_in_another_colour():
    rows = torch.tensor([[0, 1.0, 0], [0.05, 0.9, 0.05]])
    figure = plots.target_bars(rows, ["hard", "soft"], highlight=1)
    axes = check(figure, 2)
    for axis, row in zip(axes, rows.tolist(), strict=True):
        assert [bar.get_height() for bar in axis.patches] == pytest.approx(row)
        colors = [bar.get_facecolor() for bar in axis.patches]
        assert colors[0] == colors[2] != colors[1]
    assert [axis.get_title(loc="left") for axis in axes] == ["hard", "soft"]
    assert [text.get_text() for text in axes[1].texts] == ["0.05", "0.9", "0.05"]
    assert [text.get_text() for text in axes[0].texts] == ["0", "1", "0"]


def test_curves_against_the_gap_mark_each_minimum():
    gaps = np.linspace(0, 5, 11)
    losses = {0.0: gaps[::-1], 0.1: (gaps - 4) ** 2}
    figure = plots.curves_against_gap(gaps, losses, {0.0: None, 0.1: (4, 0)}, "finite")
    (axis,) = check(figure, 1)
    lines = axis.get_lines()
    assert len(lines) == 3  # two curves and one mark
    np.testing.assert_array_equal(lines[1].get_ydata(), losses[0.1])
    assert lines[2].get_xdata() == [4] and lines[2].get_ydata() == [0]
    assert lines[1].get_color() == style.EPS_COLORS[0.1]
    labels = [text.get_text() for text in axis.texts]
    assert labels == ["ε = 0", "ε = 0.1"]


def test_an_image_grid_shows_every_image_once_and_no_axes():
    images = torch.rand(14, 1, 8, 8)
    figure = plots.image_grid(images, [str(i) for i in range(14)])
    figure.canvas.draw()
    shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert len(figure.axes) == 24 and len(shown) == 14
    np.testing.assert_array_equal(shown[13], images[13, 0])
    assert figure.axes[13].get_title(loc="center") == "13"
    assert not any(axis.axison for axis in figure.axes)


def test_loss_curves_draw_both_parts_and_the_floor():
    titles = {0.0: "to nothing", 0.1: "to the floor"}
    figure = plots.loss_curves(
        {0.0: history(), 0.1: history()}, {0.0: 0.0, 0.1: 0.42}, titles
    )
    for axis, (eps, title) in zip(check(figure, 2), titles.items(), strict=True):
        train, validation, floor = axis.get_lines()
        np.testing.assert_allclose(train.get_ydata(), [2, 1, 2 / 3, 0.5])
        np.testing.assert_allclose(validation.get_ydata(), [3, 2, 5 / 3, 1.5])
        assert set(floor.get_ydata()) == {0.0 if eps == 0 else 0.42}
        labels = {text.get_text() for text in axis.get_legend().get_texts()}
        assert labels == {"train", "validation", "entropy floor"}
        assert axis.get_title(loc="left") == title


def test_gap_curves_draw_the_closed_form_where_there_is_one():
    optima = {0.0: np.inf, 0.1: 4.007}
    figure = plots.gap_curves({0.0: history(), 0.1: history()}, optima)
    every, smoothed = check(figure, 2)
    curves = [line.get_ydata() for line in every.get_lines()]
    np.testing.assert_array_equal(curves, [[0, 1, 2, 3], [0, 1, 2, 3]])
    curve, closed_form = (line.get_ydata() for line in smoothed.get_lines())
    assert list(curve) == [0, 1, 2, 3] and set(closed_form) == {4.007}
    assert [text.get_text() for text in every.texts] == ["ε = 0"]
    assert [text.get_text() for text in smoothed.texts] == ["ε = 0.1: 4.01"]


def test_validation_curves_leave_out_the_untrained_network():
    histories = {0.0: history(), 0.1: history()}
    (axis,) = check(plots.validation_curves(histories, "loss", "worse"), 1)
    assert "validation loss" in axis.get_ylabel()
    for line in axis.get_lines():
        np.testing.assert_allclose(line.get_ydata(), [2, 5 / 3, 1.5])
    assert [text.get_text() for text in axis.texts] == ["ε = 0", "ε = 0.1"]


def test_loss_curves_without_validation_name_no_validation():
    alone = history().query("part == 'train'")
    (axis,) = check(plots.loss_curves({0.1: alone}, {0.1: 0.4}, {0.1: "alone"}), 1)
    labels = {text.get_text() for text in axis.get_legend().get_texts()}
    assert labels == {"train", "entropy floor"}


def test_confidence_histograms_hold_shares_and_the_target():
    values = {0.0: torch.tensor([0.99, 1.0, 0.5, 0.99]), 0.1: np.full(5, 0.91)}
    figure = plots.confidence_histograms(values, {0.0: 1.0, 0.1: 0.917})
    axes = check(figure, 2)
    for axis, ceiling in zip(axes, (1.0, 0.917), strict=True):
        assert sum(bar.get_height() for bar in axis.patches) == pytest.approx(1)
        assert set(axis.get_lines()[0].get_xdata()) == {ceiling}
    assert max(bar.get_height() for bar in axes[0].patches) == pytest.approx(0.75)


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


def test_means_have_student_intervals_over_the_rows():
    table = pd.DataFrame(
        {"eps": 3 * [0.0] + 3 * [0.1], "rate": 6 * [0.2], "y": [1, 2, 3, 2, 2, 2.0]}
    )
    figure = plots.means_with_intervals(
        {"a": table}, "rate", "y", "eps", {"a": "both"}, "rate", "y", factor=10
    )
    (axis,) = check(figure, 1)
    spread, none = axis.containers
    assert spread.lines[0].get_ydata() == none.lines[0].get_ydata() == 20
    half = 10 * 4.302653 / np.sqrt(3)  # Student's t, two degrees of freedom
    ends = spread.lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, [20 - half, 20 + half], rtol=1e-6)
    assert np.ptp(none.lines[2][0].get_segments()[0][:, 1]) == 0
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["ε = 0", "ε = 0.1"]


@pytest.mark.parametrize("eps", style.EPS_GRID)
def test_an_eps_looks_the_same_everywhere(eps):
    look = style.eps_style(eps)
    assert look["color"] == style.EPS_COLORS[eps]
    assert set(look) == {"color", "linestyle", "marker"}
    plt.plot([0, 1], [0, 1], **look)


def test_no_two_eps_look_alike_in_colour_line_or_marker():
    looks = [style.eps_style(eps) for eps in style.EPS_GRID]
    for part in ("color", "linestyle", "marker"):
        assert len({str(look[part]) for look in looks}) == 5
    colors = [style.EPS_COLORS[eps] for eps in (0, 0.05, 0.1, 0.2, 0.4)]
    assert colors == ["#000000", "#41049d", "#b12a90", "#e56a5d", "#fca636"]
    assert len(set(style.CLASS_COLORS)) == len(set(style.CLASS_MARKERS)) == 6
    assert style.CLASS_COLORS[:3] == ("#0072B2", "#E69F00", "#009E73")


def test_an_eps_off_the_grid_is_named():
    with pytest.raises(ValueError) as caught:
        style.eps_style(0.3)
    assert str(caught.value) == (
        "eps must be one of 0, 0.05, 0.1, 0.2, 0.4 to have a style, got 0.3."
    )


def test_the_confusion_matrix_writes_per_cent_and_shades_the_wrong_answers():
    shares = {"a": [[0.9, 0.1], [0.25, 0.75]], "b": [[1.0, 0.0], [0.5, 0.5]]}
    figure = plots.confusion(shares, {"a": "First", "b": "Second"}, ("x", "y"))
    axes = check(figure, 2)
    for axis, matrix in zip(axes, shares.values(), strict=True):
        written = [text.get_text() for text in axis.texts]
        assert written == [f"{100 * v:.0f}" for row in matrix for v in row]
        bold = [text.get_weight() == "bold" for text in axis.texts]
        assert bold == [True, False, False, True]
        shade = axis.images[0].get_array()
        assert np.isnan(np.diag(np.asarray(shade))).all() or shade.mask.diagonal().all()
        assert axis.images[0].get_clim() == (0, 50)  # one scale for both
        assert [t.get_text() for t in axis.get_xticklabels()] == ["x", "y"]
    assert axes[0].get_ylabel() == "true class" and axes[1].get_xlabel() == "answer"


def test_a_class_without_rows_is_a_dash_and_leaves_the_other_panels_their_shade():
    empty = [[1.0, 0.0], [np.nan, np.nan]]
    figure = plots.confusion({"a": empty}, {"a": "One"}, ("x", "y"))
    (axis,) = check(figure, 1)
    assert [text.get_text() for text in axis.texts] == ["100", "0", "–", "–"]
    assert axis.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize("eps", style.EPS_GRID)
def test_an_eps_has_its_looks_as_a_number_and_by_name(eps):
    looks = plots.common.look_of_arm(float(eps), 3)
    assert looks == (style.EPS_COLORS[eps], style.EPS_MARKERS[eps])
    assert plots.common.look_of_arm(f"ε = {eps:g}", 1) == looks
    assert plots.common.look_of_arm("ε = 0.3", 1) == plots.common.look_of_arm("x", 1)
