"""Clusters of features: the plane of three templates, and flat maps."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from .. import style
from .charts import LINE, grid


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
            _draw_plane(axis, plane, *at, scale, small=one_scale)
            above = part == next(iter(points))
            axis.set_title(above * f"{textwrap.fill(titles[eps], 28)}\n" + part)
    triples = [plane.triple for plane in planes.values()]
    first, second = "the first template", "the second"
    if len(set(triples)) == 1:
        first, second = (f"template {class_names[k]}" for k in triples[0][:2])
    figure.supxlabel(f"from {first} to {second}", fontsize=11)
    figure.supylabel("across that side", fontsize=11)
    return _name_classes(figure, triples, class_names)


@style.used()
def template_triples(planes, points, labels, class_names):
    """The planes of many triples as small multiples, ten a row, one scale for each.

    planes  : list of ``geometry.TemplatePlane``
    points  : list of (N, 2), the same features in each plane; labels (N,)
    """
    figure, axes = grid(len(planes), 10, style.PANELS[0], 0.92)
    for axis, plane, at in zip(axes.flat, planes, points, strict=False):
        _draw_plane(axis, plane, at, labels, [(at, labels)], small=True)
        names = ", ".join(str(class_names[k]) for k in plane.triple)
        axis.set_title(names, weight="normal", fontsize=8)
        axis.set(xticks=[], yticks=[])
    figure.supxlabel("from the first template to the second", fontsize=10)
    figure.supylabel("across it, to the third", fontsize=10)
    return _name_classes(figure, [plane.triple for plane in planes], class_names)


def draw_groups(axis, points, labels, class_names):
    """Points (N, 2) of a flat map (PCA, t-SNE) with labels (N,), each group named."""
    points, labels = np.asarray(points), np.asarray(labels)
    sns.scatterplot(
        x=points[:, 0], y=points[:, 1], hue=labels, style=labels, s=16, linewidth=0,
        palette=list(style.CLASS_COLORS[: len(class_names)]), legend=False, ax=axis,
        markers=list(style.CLASS_MARKERS[: len(class_names)]),
    )  # fmt: skip
    for k, name in enumerate(class_names):
        # A side of its own for each, so that names of groups on one spot stay apart.
        angle = np.pi / 6 + k * np.pi / 3
        axis.annotate(
            str(name), np.median(points[labels == k], axis=0),
            (14 * np.cos(angle), 14 * np.sin(angle)), textcoords="offset points",
            weight="bold", size=13, ha="center", va="center",
            bbox={"fc": "white", "ec": "none", "alpha": 0.6, "pad": 0.5},
        )  # fmt: skip


def _draw_plane(axis, plane, points, labels, within, small=False):
    """Points, templates and decision lines; points and labels ``within`` set limits."""
    every = points, labels, plane.templates, plane.centre, plane.directions
    points, labels, templates, centre, directions = map(np.asarray, every)
    own = [np.asarray(p)[np.isin(np.asarray(y), plane.triple)] for p, y in within]
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


def _name_classes(figure, triples, class_names):
    """The figure with one legend for all panels, beside them."""
    marks = [
        plt.Line2D([], [], ls="", label=str(class_names[k]), **style.class_style(k))
        for k in sorted({k for triple in triples for k in triple})
    ]
    figure.legend(handles=marks, loc="outside right center", title="class")
    return figure
