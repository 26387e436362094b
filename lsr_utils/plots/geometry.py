"""Clusters of features in the plane of three templates."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from .. import check, style
from .charts import LINE


@style.used()
def template_plane(planes, points, labels, titles, class_names, one_scale=False):
    """Features in the plane of three templates: a row a part, a column an eps.

    A column has one scale (or all have), equal in both directions, so that right angles
    are right (Müller, Kornblith & Hinton 2019, section 2). Taught in 05.

    planes      : eps to the ``geometry.TemplatePlane`` of one network
    points      : part to eps to points (N, 2) of that plane
    labels      : part to eps to their classes (N,); other classes are left out
    titles      : eps to the column's title, the finding
    class_names : names of all classes
    returns     : matplotlib Figure; large marks are templates, lines are where two of
                  the three logits are equal and largest
    """
    size = 1.6 + 2.8 * len(planes), 0.6 + 2.5 * len(points)
    figure, axes = plt.subplots(len(points), len(planes), figsize=size, squeeze=False)
    for row, (part, of_eps) in zip(axes, points.items(), strict=True):
        for axis, (eps, plane) in zip(row, planes.items(), strict=True):
            alike = planes if one_scale else [eps]
            scale = [(p[e], labels[q][e]) for q, p in points.items() for e in alike]
            at = of_eps[eps], labels[part][eps]
            draw_plane(axis, plane, *at, scale, small=one_scale)
            above = part == next(iter(points))
            axis.set_title(above * f"{textwrap.fill(titles[eps], 28)}\n" + part)
    triples = [plane.triple for plane in planes.values()]
    enough = len(class_names) > np.max(triples)
    check.that(enough, "class_names must name all classes", repr(class_names))
    first, second = "the first template", "the second"
    if len(set(triples)) == 1:
        first, second = (f"template {class_names[k]}" for k in triples[0][:2])
    figure.supxlabel(f"from {first} to {second}", fontsize=11)
    figure.supylabel("across that side", fontsize=11)
    return name_classes(figure, triples, class_names)


def draw_plane(axis, plane, points, labels, within, small=False):
    """Points, templates and decision lines; points and labels ``within`` set limits."""
    points, labels = check.array(points), check.array(labels)
    every = plane.templates, plane.centre, plane.directions
    templates, centre, directions = map(check.array, every)
    pairs = (map(check.array, pair) for pair in within)
    own = [p[np.isin(y, plane.triple)] for p, y in pairs]
    shown = np.vstack([*own, templates])
    low, high = shown.min(0), shown.max(0)
    middle, half = (low + high) / 2, 0.55 * (high - low).max()
    reach = 4 * half + 2 * np.abs(middle - centre).max()
    for end in centre + reach * directions:
        axis.plot(*zip(centre, end, strict=True), color=LINE, lw=1.2, zorder=1)
    # Templates are large, but not so as to hide the points of small panels.
    size, large, edge = (7, 21, 0.8) if small else (16, 96, 1.5)
    for k, template in zip(plane.triple, templates, strict=True):
        look = style.class_style(k)
        axis.scatter(*points[labels == k].T, s=size, lw=0, **look)
        axis.scatter(*template, s=large, ec="black", lw=edge, zorder=3, **look)
    x, y = zip(middle - half, middle + half, strict=True)
    axis.set(xlim=x, ylim=y, aspect="equal")
    axis.grid(visible=False)


def name_classes(figure, triples, class_names):
    """The figure with one legend for all panels, beside them."""
    marks = [
        plt.Line2D([], [], ls="", label=str(class_names[k]), **style.class_style(k))
        for k in sorted({k for triple in triples for k in triple})
    ]
    figure.legend(handles=marks, loc="outside right center", title="class")
    return figure
