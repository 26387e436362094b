"""Figures of clusters: every point, template and line where the numbers put it."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from lsr_utils import geometry, plots, style

NAMES = ("circle", "triangle", "square", "pentagon", "star", "cross")


pytestmark = pytest.mark.usefixtures("course_style")


def network(seed=0, width=7):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(6, width, generator=generator).double()
    labels = torch.arange(60) % 6
    features = 3 * weight[labels] + torch.randn(60, width, generator=generator)
    bias = torch.randn(6, generator=generator).double()
    return weight, bias, features, labels


def clouds(axis):
    """Points and templates of a panel: marker size to a list of (N, 2) by class."""
    found = {}
    for collection in axis.collections:
        size = collection.get_sizes()[0]
        found.setdefault(size, []).append(np.asarray(collection.get_offsets()))
    return found


def test_template_plane_has_a_row_a_part_and_a_column_an_eps():
    weight, bias, features, labels = network()
    planes = {
        e: geometry.template_plane(weight * (1 + e), (0, 2, 5), bias)
        for e in (0.0, 0.1)
    }
    parts = {"train": features, "validation": features[:24] * 5}
    points = {p: {e: planes[e].project(h) for e in planes} for p, h in parts.items()}
    classes = {p: dict.fromkeys(planes, labels[: len(h)]) for p, h in parts.items()}
    titles = {0.0: "clouds", 0.1: "points"}
    figure = plots.template_plane(planes, points, classes, titles, NAMES)
    figure.canvas.draw()
    axes = np.reshape(figure.axes, (2, 2))
    assert [a.get_title(loc="left") for a in axes.flat] == [
        "clouds\ntrain", "points\ntrain", "validation", "validation",
    ]  # fmt: skip
    for (part, h), row in zip(parts.items(), axes, strict=True):
        for axis, (eps, plane) in zip(row, planes.items(), strict=True):
            small, large = sorted(clouds(axis).items())
            for k, at, template in zip((0, 2, 5), small[1], large[1], strict=True):
                own = points[part][eps][labels[: len(h)] == k]
                np.testing.assert_allclose(at, own)
                place = plane.templates[(0, 2, 5).index(k)]
                np.testing.assert_allclose(template[0], place)
            assert axis.get_aspect() == 1.0
            everything = np.vstack([*small[1], *large[1]])
            limits = np.array([axis.get_xlim(), axis.get_ylim()])
            assert (everything > limits[:, 0]).all() and (
                everything < limits[:, 1]
            ).all()
    for left, right in ((axes[0, 0], axes[1, 0]), (axes[0, 1], axes[1, 1])):
        assert left.get_xlim() == right.get_xlim()  # a column has one scale
        assert left.get_ylim() == right.get_ylim()
    assert figure.get_supxlabel() == "from template circle to template square"
    assert figure.get_supylabel()
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["circle", "square", "cross"]


def test_decision_lines_start_where_three_logits_meet_and_leave_the_panel():
    weight, bias, features, labels = network(1)
    plane = geometry.template_plane(weight, (0, 1, 2), bias)
    points = {"train": {0.1: plane.project(features)}}
    classes = {"train": {0.1: labels}}
    figure = plots.template_plane({0.1: plane}, points, classes, {0.1: "x"}, NAMES)
    (axis,) = figure.axes
    assert len(axis.lines) == 3
    for line, pair in zip(axis.lines, (0, 1, 2), strict=True):
        (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
        np.testing.assert_allclose((x0, y0), plane.centre)
        middle = torch.tensor([[(x0 + x1) / 2, (y0 + y1) / 2]])
        differences = plane.logit_differences(middle)[0]  # a - b, a - c, b - c
        assert abs(differences[pair]) < 1e-9
        # The third logit lies below: the line is where the other two are largest.
        signs = {0: (1, 1), 1: (1, -1), 2: (-1, -1)}[pair]
        third = {0: (1, 2), 1: (0, 2), 2: (0, 1)}[pair]
        assert all(s * differences[k] > 0 for s, k in zip(signs, third, strict=True))
        inside = np.abs([x1, y1]) <= np.abs([axis.get_xlim(), axis.get_ylim()]).max(1)
        assert not inside.all()


def test_columns_keep_their_room_and_long_titles_are_wrapped():
    weight, bias, features, labels = network(3)
    grid = style.EPS_GRID
    planes = {
        e: geometry.template_plane(weight, (0, 1, 2 + (e > 0)), bias) for e in grid
    }
    points = {"train": {e: planes[e].project(features) for e in grid}}
    titles = dict.fromkeys(grid, "ε = 0.05: classes three times tighter")
    classes = {"train": dict.fromkeys(grid, labels)}
    figure = plots.template_plane(planes, points, classes, titles, NAMES)
    figure.canvas.draw()
    boxes = [a.title.get_window_extent() for a in figure.axes]
    boxes += [a._left_title.get_window_extent() for a in figure.axes]
    boxes = [box for box in boxes if box.width > 0]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    assert min(axis.get_window_extent().width for axis in figure.axes) > 150
    assert figure.get_supxlabel() == "from the first template to the second"
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == list(NAMES[:4])


def test_every_point_lies_within_its_panel():
    weight, bias, features, labels = network(2)
    for scale in (0.01, 1.0, 100.0):
        plane = geometry.template_plane(weight, (3, 4, 5), bias)
        at = plane.project(scale * features)
        figure = plots.template_plane(
            {0.0: plane},
            {"train": {0.0: at}},
            {"train": {0.0: labels}},
            {0.0: "x"},
            NAMES,
        )
        (axis,) = figure.axes
        for of_size in clouds(axis).values():
            for points in of_size:
                assert (points > [axis.get_xlim()[0], axis.get_ylim()[0]]).all()
                assert (points < [axis.get_xlim()[1], axis.get_ylim()[1]]).all()


def test_all_twenty_triples_have_a_panel_and_each_class_its_look():
    weight, bias, features, labels = network(3)
    triples = list(itertools.combinations(range(6), 3))
    planes = [geometry.template_plane(weight, t, bias) for t in triples]
    figure = plots.template_triples(
        planes, [p.project(features) for p in planes], labels, NAMES
    )
    figure.canvas.draw()
    assert len(figure.axes) == 20
    for axis, triple in zip(figure.axes, triples, strict=True):
        title = axis.get_title(loc="left")
        assert title == ", ".join(NAMES[k] for k in triple)
        colors = [to_hex(c.get_facecolor()[0]) for c in axis.collections[::2]]
        assert colors == [style.CLASS_COLORS[k].lower() for k in triple]
        assert len(axis.collections[0].get_offsets()) == 10
    assert len(figure.legends[0].get_texts()) == 6
    few = plots.template_triples(planes[:3], [planes[0].project(features)] * 3, labels,
                                 NAMES)  # fmt: skip
    assert sum(axis.axison for axis in few.axes) == 3
    rows = {round(axis.get_position().y0, 3) for axis in figure.axes}
    assert len(rows) == 2


def test_groups_have_their_look_and_a_name_apart_from_that_of_a_group_on_its_spot():
    points = np.repeat([[0.0, 0.0], [4.0, 0.0], [4.0, 0.0]], 3, axis=0)
    labels = torch.arange(9) // 3
    figure, axis = plt.subplots()
    plots.draw_groups(axis, points, labels, NAMES[:3])
    figure.canvas.draw()
    (marks,) = axis.collections
    np.testing.assert_allclose(marks.get_offsets(), points)
    colors = [to_hex(color) for color in marks.get_facecolors()]
    assert colors == [style.CLASS_COLORS[k].lower() for k in labels.tolist()]
    shapes = [path.vertices.tolist() for path in marks.get_paths()]
    assert shapes[0] == shapes[2] != shapes[3] != shapes[8] != shapes[0]
    assert [text.get_text() for text in axis.texts] == list(NAMES[:3])
    assert [tuple(text.xy) for text in axis.texts] == [(0, 0), (4, 0), (4, 0)]
    second, third = (text.get_position() for text in axis.texts[1:])
    assert np.hypot(second[0] - third[0], second[1] - third[1]) > 10


def test_a_seventh_class_has_looks_of_its_own():
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(8, 7, generator=generator).double()
    plane = geometry.template_plane(weight, (0, 1, 6), torch.zeros(8).double())
    points, labels = {"train": {0.1: plane.templates}}, torch.tensor([0, 1, 6])
    names = [f"class {k}" for k in range(8)]
    figure = plots.template_plane(
        {0.1: plane}, points, {"train": {0.1: labels}}, {0.1: "x"}, names
    )
    first, seventh = figure.legends[0].get_lines()[::2]
    assert first.get_color() == seventh.get_color()
    assert first.get_marker() != seventh.get_marker()
    assert [t.get_text() for t in figure.legends[0].get_texts()][2] == "class 6"
