"""The figure of times against a floor: numbers, names and order, as drawn."""

import math

import pandas as pd
import pytest
from test_plots import check

from lsr_utils import plots

pytestmark = pytest.mark.usefixtures("course_style")


def draw(**tables):
    return plots.times_the_floor(tables, "a copy", "classes", "time / copy")


SLOW = pd.DataFrame(
    {6: [40.0, 30.0], 1000: [20.0, 21.0], 32_000: [12.0, 12.1]},
    index=["theirs", "their other"],
)
FAST = pd.DataFrame({6: [9.0, 5.0], 1000: [3.0, math.nan]}, index=["ours", "theirs"])


def test_each_way_is_a_line_at_its_numbers_over_its_sizes():
    axes = check(draw(one=SLOW, other=FAST), 2)
    for axis, table in zip(axes, (SLOW, FAST), strict=True):
        for line, (_, row) in zip(axis.lines, table.iterrows(), strict=False):
            assert list(line.get_ydata()) == pytest.approx(list(row), nan_ok=True)
        sizes = [text.get_text() for text in axis.get_xticklabels()]
        assert sizes == [f"{size:,}" for size in table.columns]
        assert axis.get_yscale() == "log"
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_names_stand_at_the_ends_with_numbers_in_order_and_apart():
    axes = check(draw(one=SLOW), 1)
    texts = [t for t in axes[0].texts if not t.get_text().startswith("floor")]
    assert [t.get_text() for t in texts] == ["theirs, 12 ×", "their other, 12 ×"]
    low, high = (t.get_position()[1] for t in texts)
    assert 0 < low < high - 0.08  # the lines end in one place, the names must not
    assert any(t.get_text() == "floor: a copy" for t in axes[0].texts)


def test_the_title_says_which_way_ends_nearest_the_floor():
    axes = check(draw(one=SLOW, other=FAST), 2)
    titles = [axis.get_title(loc="left") for axis in axes]
    assert titles == ["one\ntheirs: 12 × the floor", "other\nours: 3.0 × the floor"]


def test_one_way_looks_the_same_in_every_panel():
    axes = check(draw(one=SLOW, other=FAST), 2)
    by_panel = [{line.get_color() for line in axis.lines} for axis in axes]
    theirs = axes[0].lines[0].get_color()
    assert theirs in by_panel[1] and axes[1].lines[1].get_color() == theirs


def test_three_panels_take_two_rows():
    check(draw(one=SLOW, other=FAST, third=SLOW), 3)
