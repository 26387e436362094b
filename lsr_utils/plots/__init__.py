"""Figures of the course: arrays in, a matplotlib figure out."""

from .comparisons import confusion, differences, means_with_intervals
from .data import image_grid, target_bars
from .geometry import angle_matrix, seed_bands, template_plane, template_triples
from .reliability import reliability_diagram
from .speed import times_the_floor
from .training import (
    confidence_histograms,
    curves_against_gap,
    gap_curves,
    loss_curves,
    validation_curves,
)

__all__ = [
    "angle_matrix",
    "confidence_histograms",
    "confusion",
    "curves_against_gap",
    "differences",
    "gap_curves",
    "image_grid",
    "loss_curves",
    "means_with_intervals",
    "seed_bands",
    "reliability_diagram",
    "target_bars",
    "template_plane",
    "template_triples",
    "times_the_floor",
    "validation_curves",
]
