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


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(6, 7, generator=generator).double()
    labels = torch.arange(60) % 6
    features = 3 * weight[labels] + torch.randn(60, 7, generator=generator)
    bias = torch.randn(6, generator=generator).double()
    return weight, bias, features, labels


def drawn(planes, points, labels, titles, names=NAMES):
    figure = plots.template_plane(planes, points, labels, titles, names)
    figure.canvas.draw()
    return figure


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def clouds(axis):
    """Points and templates of a panel: two lists of (N, 2) by class."""
    found = {}
    for collection in axis.collections:
        size = collection.get_sizes()[0]
        found.setdefault(size, []).append(np.asarray(collection.get_offsets()))
    limits = np.array([axis.get_xlim(), axis.get_ylim()])
    every = np.vstack(sum(found.values(), []))
    assert (every > limits[:, 0]).all() and (every < limits[:, 1]).all()
    return [found[size] for size in sorted(found)]


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_template_plane_has_a_row_a_part_and_a_column_an_eps(scale):
    weight, bias, features, labels = network()
    planes = {
        e: geometry.template_plane(weight * (1 + e), (0, 2, 5), bias)
        for e in (0.0, 0.1)
    }
    parts = {"train": scale * features, "validation": scale * features[:24] * 5}
    points = {p: {e: planes[e].project(h) for e in planes} for p, h in parts.items()}
    classes = {p: dict.fromkeys(planes, labels[: len(h)]) for p, h in parts.items()}
    figure = drawn(planes, points, classes, {0.0: "clouds", 0.1: "points"})
    axes = np.reshape(figure.axes, (2, 2))
    assert [a.get_title(loc="left") for a in axes.flat] == [
        "clouds\ntrain", "points\ntrain", "validation", "validation",
    ]  # fmt: skip
    for (part, h), row in zip(parts.items(), axes, strict=True):
        for axis, (eps, plane) in zip(row, planes.items(), strict=True):
            of_classes, templates = clouds(axis)
            for k, at in zip((0, 2, 5), of_classes, strict=True):
                own = points[part][eps][labels[: len(h)] == k]
                np.testing.assert_allclose(at, own)
            np.testing.assert_allclose(np.vstack(templates), plane.templates)
            assert axis.get_aspect() == 1.0
    for above, below in axes.T:  # a column has one scale
        assert above.get_xlim() == below.get_xlim()
        assert above.get_ylim() == below.get_ylim()
    assert figure.get_supxlabel() == "from template circle to template square"
    assert figure.get_supylabel()
    assert legend(figure) == ["circle", "square", "cross"]


def test_decision_lines_start_where_three_logits_meet_and_leave_the_panel():
    weight, bias, features, labels = network(1)
    plane = geometry.template_plane(weight, (0, 1, 2), bias)
    points = {"train": {0.1: plane.project(features)}}
    figure = drawn({0.1: plane}, points, {"train": {0.1: labels}}, {0.1: "x"})
    (axis,) = figure.axes
    # The third logit lies below: the line is where the other two are largest.
    others = [((1, 2), (1, 1)), ((0, 2), (1, -1)), ((0, 1), (-1, -1))]
    for pair, line in enumerate(axis.lines):
        (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
        np.testing.assert_allclose((x0, y0), plane.centre)
        middle = torch.tensor([[(x0 + x1) / 2, (y0 + y1) / 2]])
        differences = plane.logit_differences(middle)[0]  # a - b, a - c, b - c
        assert abs(differences[pair]) < 1e-9
        assert all(s * differences[k] > 0 for k, s in zip(*others[pair], strict=True))
        inside = np.abs([x1, y1]) <= np.abs([axis.get_xlim(), axis.get_ylim()]).max(1)
        assert not inside.all()
    assert len(axis.lines) == 3


def test_columns_keep_their_room_and_long_titles_are_wrapped():
    weight, bias, features, labels = network(3)
    grid = style.EPS_GRID
    planes = {
        e: geometry.template_plane(weight, (0, 1, 2 + (e > 0)), bias) for e in grid
    }
    points = {"train": {e: planes[e].project(features) for e in grid}}
    titles = dict.fromkeys(grid, "ε = 0.05: classes three times tighter")
    figure = drawn(planes, points, {"train": dict.fromkeys(grid, labels)}, titles)
    boxes = [a._left_title.get_window_extent() for a in figure.axes]
    assert min(box.width for box in boxes) > 0
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert min(axis.get_window_extent().width for axis in figure.axes) > 150
    assert figure.get_supxlabel() == "from the first template to the second"
    assert legend(figure) == list(NAMES[:4])


def test_all_twenty_triples_have_a_panel_and_each_class_its_look():
    weight, bias, features, labels = network(3)
    triples = list(itertools.combinations(range(6), 3))
    planes = [geometry.template_plane(weight, t, bias) for t in triples]
    points = [plane.project(features) for plane in planes]
    figure = plots.template_triples(planes, points, labels, NAMES)
    figure.canvas.draw()
    for axis, triple in zip(figure.axes, triples, strict=True):
        assert axis.get_title(loc="left") == ", ".join(NAMES[k] for k in triple)
        colors = [to_hex(c.get_facecolor()[0]) for c in axis.collections[::2]]
        assert colors == [style.CLASS_COLORS[k].lower() for k in triple]
        assert [len(at) for at in clouds(axis)[0]] == [10, 10, 10]
    assert legend(figure) == list(NAMES)
    assert len({round(axis.get_position().y0, 3) for axis in figure.axes}) == 2
    few = plots.template_triples(planes[:3], points[:3], labels, NAMES)
    assert sum(axis.axison for axis in few.axes) == 3


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
    weight = torch.randn(8, 7, generator=torch.Generator().manual_seed(5)).double()
    plane = geometry.template_plane(weight, (0, 1, 6), torch.zeros(8).double())
    points, labels = {"train": {0.1: plane.templates}}, torch.tensor([0, 1, 6])
    names = [f"class {k}" for k in range(8)]
    classes = {"train": {0.1: labels}}
    figure = drawn({0.1: plane}, points, classes, {0.1: "x"}, names)
    first, seventh = figure.legends[0].get_lines()[::2]
    assert first.get_color() == seventh.get_color()
    assert first.get_marker() != seventh.get_marker()
    assert legend(figure)[2] == "class 6"
