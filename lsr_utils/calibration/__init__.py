"""How far confidence is from accuracy, and how far chance alone would put it.

Every function takes probabilities (..., N, K) and works on each network of the leading
axes by itself. ``scores`` asks how far they are from the labels, ``bins`` and
``errors`` how far confidence is from accuracy, ``chance`` how far both would be in a
calibrated network, ``temperature`` mends them, ``summary`` puts all in one table.
"""

from .bins import ReliabilityBins, reliability_bins, true_reliability_bins
from .chance import (
    bootstrap,
    calibrated_errors,
    clopper_pearson,
    consistency_band,
    ece_floor,
)
from .errors import (
    class_wise_ece,
    confidence_gap,
    debiased_ece,
    debiased_squared_error,
    expected_calibration_error,
    maximum_calibration_error,
    true_calibration_error,
)
from .scores import (
    Decomposition,
    accuracy,
    brier_decomposition,
    brier_score,
    nll,
    nll_decomposition,
)
from .summary import summary
from .temperature import fit_temperature, unsmoothed, with_temperature

__all__ = [
    "Decomposition",
    "ReliabilityBins",
    "accuracy",
    "bootstrap",
    "brier_decomposition",
    "brier_score",
    "calibrated_errors",
    "class_wise_ece",
    "clopper_pearson",
    "confidence_gap",
    "consistency_band",
    "debiased_ece",
    "debiased_squared_error",
    "ece_floor",
    "expected_calibration_error",
    "fit_temperature",
    "maximum_calibration_error",
    "nll",
    "nll_decomposition",
    "reliability_bins",
    "summary",
    "true_calibration_error",
    "true_reliability_bins",
    "unsmoothed",
    "with_temperature",
]
