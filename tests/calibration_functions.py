"""The functions of the package by what they take, for the tests of their input."""

import functools

import pytest

from lsr_utils import calibration as c

BINNED = [
    c.reliability_bins,
    c.expected_calibration_error,
    functools.partial(c.maximum_calibration_error, min_count=1),
    c.class_wise_ece,
    c.brier_decomposition,
    c.nll_decomposition,
]
WITH_LABELS = [
    *BINNED,
    functools.partial(c.debiased_squared_error, n_bins=1),
    functools.partial(c.debiased_ece, n_bins=1),
    c.confidence_gap,
    c.accuracy,
    c.brier_score,
    c.nll,
    functools.partial(c.bootstrap, c.nll, resamples=5),
    functools.partial(c.summary, n_bins=1, resamples=5),
]
WITHOUT_LABELS = [
    functools.partial(c.calibrated_errors, draws=5),
    functools.partial(c.ece_floor, draws=5),
    functools.partial(c.consistency_band, resamples=5),
    functools.partial(c.unsmoothed, eps=0.1),
]
WITH_POSTERIOR = [c.true_calibration_error, c.true_reliability_bins]


def message(error, function, *args, **options):
    with pytest.raises(error) as caught:
        function(*args, **options)
    assert type(caught.value) is error
    return str(caught.value)
