"""Figures that seaborn does not offer: arrays in, a matplotlib Figure out."""

from ..stats import student_interval
from .charts import differences, image_grid, name_lines
from .geometry import template_plane
from .reliability import reliability_diagram
