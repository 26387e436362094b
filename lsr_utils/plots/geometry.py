"""Clusters of features: the template plane, tightness, angles."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from .. import style
from .common import label_end, look_of_arm

LINE = "#444444"


def template_plane(planes, points, labels, titles, class_names):
    """Features in the plane of three templates: a row a part, a column an eps.

    A column has one scale, so that its parts can be compared; axes are equally long in
    both directions, so that right angles are right.

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
            scale = [
                _numbers(p[eps])[_of(plane, labels[q][eps])] for q, p in points.items()
            ]
            _draw_plane(axis, plane, of_eps[eps], labels[part][eps], np.vstack(scale))
            is_first = part == next(iter(points))
            wrapped = textwrap.fill(titles[eps], 28)
            axis.set_title(f"{wrapped}\n{part}" if is_first else part)
    triples = [plane.triple for plane in planes.values()]
    first, second = (
        f"template {class_names[triples[0][k]]}" if len(set(triples)) == 1 else words
        for k, words in enumerate(("the first template", "the second"))
    )
    figure.supxlabel(f"from {first} to {second}", fontsize=11)
    figure.supylabel("across that side", fontsize=11)
    _name_classes(figure, sorted({k for t in triples for k in t}), class_names)
    return figure


def template_triples(planes, points, labels, class_names, columns=5):
    """The planes of many triples as small multiples, one scale for each.

    planes  : list of ``geometry.TemplatePlane``
    points  : list of (N, 2), the same features in each plane
    labels  : (N,) their classes
    columns : panels in a row
    returns : matplotlib Figure, each panel with a scale of its own
    """
    rows, size = -(-len(planes) // columns), 10 if columns <= 5 else 8
    width = 7.4 if columns <= 5 else style.PANELS[0]
    height = rows * 0.88 * width / columns + 0.5
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for axis, plane, at in zip(axes.flat, planes, points, strict=False):
        at = _numbers(at)
        _draw_plane(axis, plane, at, labels, at[_of(plane, labels)], size=size - 1)
        names = ", ".join(str(class_names[k]) for k in plane.triple)
        axis.set_title(names, weight="normal", fontsize=size)
        axis.set(xticks=[], yticks=[])
    for axis in axes.flat[len(planes) :]:
        axis.axis("off")
    figure.supxlabel("from the first template to the second", fontsize=10)
    figure.supylabel("across it, to the third", fontsize=10)
    _name_classes(figure, sorted({k for p in planes for k in p.triple}), class_names)
    return figure


def seed_bands(tables, x, y, line, titles, xlabel, ylabel, log=False):
    """Mean over networks as a line, the middle nine tenths of them as a band.

    tables  : name to a tidy DataFrame, a row a network and x; one panel each
    x, y    : columns to draw
    line    : column that tells the lines apart; eps has the course's looks
    titles  : name to the panel's title, the finding
    log     : whether the axes are logarithmic (the second alone where x has a 0); x
              then has a tick at each of its values
    returns : matplotlib Figure
    """
    size = style.PANELS if len(tables) > 1 else style.SINGLE
    figure, axes = plt.subplots(
        1, len(tables), figsize=size, sharey=True, squeeze=False
    )
    for axis, (name, table) in zip(axes.flat, tables.items(), strict=True):
        for place, (label, rows) in enumerate(table.groupby(line, sort=False)):
            color, marker = look_of_arm(label, place)
            dash = style.EPS_LINES.get(label, ("-", "--", "-.", ":")[place % 4])
            groups = rows.groupby(x)[y]
            at, mean = groups.mean().index, groups.mean()
            low, high = groups.quantile(0.05), groups.quantile(0.95)
            axis.fill_between(at, low, high, color=color, alpha=0.18, lw=0)
            axis.plot(at, mean, color=color, marker=marker, ls=dash)
            text = f"ε = {label:g}" if line == "eps" else str(label)
            label_end(axis, at[-1], mean.iloc[-1], text, color)
        axis.set(title=titles[name], xlabel=xlabel)
        if log:
            axis.set_yscale("log")
        if log and (table[x] > 0).all():
            axis.set_xscale("log")
            places = sorted(table[x].unique())
            axis.set_xticks(places, [f"{place:g}" for place in places])
            axis.xaxis.set_minor_locator(plt.NullLocator())
    axes[0, 0].set_ylabel(ylabel)
    return figure


def angle_matrix(cosines, titles, class_names):
    """Cosines between classes beside those of a simplex, a panel for each matrix.

    cosines : name to (K, K) cosines
    titles  : name to the panel's title, the finding
    returns : matplotlib Figure; numbers are cosines, the darker the further from
              -1 / (K - 1)
    """
    figure, axes = plt.subplots(
        1, len(cosines), figsize=(style.PANELS[0], 3.9), sharey=True, squeeze=False
    )
    matrices = {name: _numbers(matrix) for name, matrix in cosines.items()}
    num_classes = len(next(iter(matrices.values())))
    lower = np.tril_indices(num_classes, -1)  # each pair once
    off = {name: np.abs(m + 1 / (num_classes - 1)) for name, m in matrices.items()}
    most = max(0.5, *(o[lower].max() for o in off.values()))
    for axis, (name, matrix) in zip(axes.flat, matrices.items(), strict=True):
        shade = np.full_like(matrix, np.nan)
        shade[lower] = off[name][lower]
        # The first class has no row of its own, the last no column.
        image = axis.imshow(shade[1:, :-1], cmap="Greys", vmin=0, vmax=most)
        for i, j in zip(*lower, strict=True):
            axis.text(
                j, i - 1, f"{matrix[i, j]:.2f}".replace("-", "−"), ha="center",
                va="center", fontsize=11,
                color="white" if shade[i, j] > 0.56 * most else "black",
            )  # fmt: skip
        places = range(num_classes - 1)
        axis.set_xticks(places, class_names[:-1])
        axis.set_yticks(places, class_names[1:])
        axis.set(title=titles[name], xlabel="class")
        axis.grid(visible=False)
    axes[0, 0].set_ylabel("class")
    text = f"distance from −1/{num_classes - 1}"
    figure.colorbar(image, ax=axes, label=text, shrink=0.8)
    return figure


def draw_groups(axis, points, labels, class_names):
    """Groups of a flat map (PCA, t-SNE) on an axis, each with its name beside it.

    points : (N, 2), labels (N,) their classes
    """
    points, labels = _numbers(points), np.asarray(labels)
    for k, name in enumerate(class_names):
        at, color = points[labels == k], style.CLASS_COLORS[k]
        axis.scatter(*at.T, s=11, color=color, marker=style.CLASS_MARKERS[k], lw=0)
        # A side of its own for each, so that names of groups on one spot stay apart.
        angle = np.pi / 6 + k * np.pi / 3
        axis.annotate(
            str(name), np.median(at, axis=0), (14 * np.cos(angle), 14 * np.sin(angle)),
            textcoords="offset points", weight="bold", size=13, ha="center",
            va="center", bbox={"fc": "white", "ec": "none", "alpha": 0.6, "pad": 0.5},
        )  # fmt: skip


def _numbers(values):
    return np.asarray(values, dtype=float)


def _of(plane, labels):
    return np.isin(np.asarray(labels), plane.triple)


def _draw_plane(axis, plane, points, labels, within, size=16):
    """Points, templates and decision lines; ``within`` (N, 2) sets the limits."""
    points, labels = _numbers(points), np.asarray(labels)
    templates, centre = _numbers(plane.templates), _numbers(plane.centre)
    shown = np.vstack([within, templates])
    low, high = shown.min(0), shown.max(0)
    middle, half = (low + high) / 2, 0.55 * (high - low).max()
    reach = 4 * half + 2 * np.abs(middle - centre).max()
    for ray in _numbers(plane.directions):
        end = centre + reach * ray
        axis.plot(*zip(centre, end, strict=True), color=LINE, lw=1.2, zorder=1)
    for k, template in zip(plane.triple, templates, strict=True):
        color, marker = style.CLASS_COLORS[k], style.CLASS_MARKERS[k]
        rows = labels == k
        axis.scatter(*points[rows].T, s=size, color=color, marker=marker, lw=0)
        axis.scatter(
            *template,
            s=(6 if size > 9 else 3) * size,  # not to hide the points of small panels
            color=color,
            marker=marker,
            ec="black",
            lw=1.5 if size > 9 else 0.8,
            zorder=3,
        )
    axis.set(xlim=middle[0] + half * np.array([-1, 1]))
    axis.set(ylim=middle[1] + half * np.array([-1, 1]))
    axis.set_aspect("equal")
    axis.grid(visible=False)


def _name_classes(figure, classes, class_names):
    """One legend for all panels, beside them."""
    marks = [
        plt.Line2D(
            [], [], ls="", marker=style.CLASS_MARKERS[k], color=style.CLASS_COLORS[k],
            label=str(class_names[k]),
        )
        for k in classes
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside right center", title="class")
