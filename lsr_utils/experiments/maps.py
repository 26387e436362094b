"""Many planes at once, and flat maps with names. Taught in deep dive 05b."""

import numpy as np
import seaborn as sns

from .. import check, style
from ..plots import charts, geometry


@style.used()
def template_triples(planes, points, labels, class_names):
    """The planes of many triples as small multiples, ten a row, one scale for each.

    planes  : list of ``geometry.TemplatePlane``
    points  : list of (N, 2), the same features in each plane; labels (N,)
    """
    figure, axes = charts.grid(len(planes), 10, style.PANELS[0], 0.92)
    for axis, plane, at in zip(axes.flat, planes, points, strict=False):
        geometry.draw_plane(axis, plane, at, labels, [(at, labels)], small=True)
        names = ", ".join(str(class_names[k]) for k in plane.triple)
        axis.set_title(names, weight="normal", fontsize=8)
        axis.set(xticks=[], yticks=[])
    figure.supxlabel("from the first template to the second", fontsize=10)
    figure.supylabel("across it, to the third", fontsize=10)
    return geometry.name_classes(
        figure, [plane.triple for plane in planes], class_names
    )


def draw_groups(axis, points, labels, class_names):
    """Points (N, 2) of a flat map (PCA, t-SNE) with labels (N,), each group named."""
    points, labels = check.array(points), check.array(labels)
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
