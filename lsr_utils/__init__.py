"""Helpers shared by the notebooks of the label smoothing course.

>>> import lsr_utils as lsr
>>> device = lsr.setup(seed=0)
>>> loss_fn = lsr.losses.LabelSmoothingCrossEntropy(eps=0.1)

Submodules are imported when first used, so that ``import lsr_utils`` costs little.
"""

import importlib
import pkgutil

from .notebook import claim, guess, setup, show, table

__version__ = "0.1.0"

_SUBMODULES = [module.name for module in pkgutil.iter_modules(__path__)]
__all__ = ["claim", "guess", "setup", "show", "table", *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
