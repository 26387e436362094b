"""Figures that seaborn does not offer: arrays in, a matplotlib Figure out."""

from ..stats import student_interval
from .charts import differences, image_grid, name_lines, times_the_floor
from .geometry import draw_groups, template_plane, template_triples
from .reliability import reliability_diagram

__all__ = [
    "differences", "draw_groups", "image_grid", "name_lines", "reliability_diagram",
    "student_interval", "template_plane", "template_triples", "times_the_floor",
]  # fmt: skip
