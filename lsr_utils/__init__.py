"""Helpers shared by the notebooks of the label smoothing course.

>>> import lsr_utils as lsr
>>> device = lsr.setup(seed=0)
>>> loss_fn = lsr.losses.LabelSmoothingCrossEntropy(eps=0.1)

Submodules are imported when first used, so that ``import lsr_utils`` costs little.
"""

import importlib

from .notebook import claim, predict, setup, show

__version__ = "0.1.0"

_SUBMODULES = (
    "cache",
    "calibration",
    "checks",
    "datasets",
    "downloads",
    "fleet",
    "fleet_checks",
    "fleet_training",
    "fused",
    "fused_build",
    "fused_checks",
    "fused_cpu",
    "fused_cuda",
    "fused_kernel",
    "geometry",
    "grids",
    "layers",
    "losses",
    "measure",
    "models",
    "noise",
    "notebook",
    "outlines",
    "photos",
    "plots",
    "recorded",
    "sixclass",
    "sliders",
    "stacked",
    "stats",
    "style",
    "targets",
    "texts",
    "training",
    "words",
)

__all__ = ["claim", "predict", "setup", "show", *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
