"""The geometry of penultimate features: the template plane, tightness, neural collapse.

A class's *template* is its row of the last layer's weight. Every function takes one
network or a fleet: leading axes are networks, each with a result of its own. All is
computed in float64, and every class counts alike, however many samples it has.
"""

from .collapse import (
    Duality,
    Scatter,
    Spread,
    class_means,
    class_separation,
    cosines,
    equal_angles,
    equal_norms,
    nc1,
    scatter,
    self_duality,
)
from .plane import (
    Others,
    TemplatePlane,
    other_templates,
    template_distances,
    template_plane,
)

__all__ = [
    "Duality",
    "Others",
    "Scatter",
    "Spread",
    "TemplatePlane",
    "class_means",
    "class_separation",
    "cosines",
    "equal_angles",
    "equal_norms",
    "nc1",
    "other_templates",
    "scatter",
    "self_duality",
    "template_distances",
    "template_plane",
]
