"""Errors against a known posterior: exact laws, and the mean over all labels."""

import itertools

import numpy as np
import pytest
import torch
from calibration_oracle import draw_labels, in_bins

from lsr_utils import datasets
from lsr_utils.calibration import (
    debiased_squared_error,
    expected_calibration_error,
    reliability_bins,
    true_calibration_error,
    true_reliability_bins,
)
from lsr_utils.targets import smooth_distribution

POSTERIOR = datasets.gaussians(3000, seed=3).posterior


def sharpened(p, temperature):
    return (p.log() / temperature).softmax(-1)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_posterior_itself_has_no_error(strategy):
    assert true_calibration_error(POSTERIOR, POSTERIOR, 15, strategy) == 0
    found = true_reliability_bins(POSTERIOR, POSTERIOR, 15, strategy)
    kept = found.count > 0
    assert (found.gap[kept].abs() < 1e-14).all() and found.gap[~kept].isnan().all()
    assert true_calibration_error(POSTERIOR.float(), POSTERIOR) < 1e-7


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("eps", [0.05, 0.1, 0.4])
def test_smoothing_costs_what_the_law_says(eps, strategy):
    # Exact for any bins: every row is under-confident, and no two of them cancel.
    p = smooth_distribution(POSTERIOR, eps)
    law = (eps * (POSTERIOR.amax(-1) - 1 / 6)).mean().item()
    for bins in (1, 4, 15):
        found = true_calibration_error(p, POSTERIOR, bins, strategy).item()
        assert found == pytest.approx(law, abs=1e-12)
    table = true_reliability_bins(p, POSTERIOR, 15, strategy)
    assert (table.gap[table.count > 0] > 0).all()


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_true_bins_are_those_of_a_plain_loop(strategy):
    p = sharpened(POSTERIOR, 0.7)
    confidence, predicted = p.max(-1)
    truth = POSTERIOR.numpy()[np.arange(3000), predicted]
    found = true_reliability_bins(p, POSTERIOR, 10, strategy)
    wanted = 0.0
    for b, mask in enumerate(in_bins(confidence, 10, strategy)):
        assert found.count[b] == mask.sum()
        if mask.any():
            means = confidence.numpy()[mask].mean(), truth[mask].mean()
            pair = found.confidence[b].item(), found.accuracy[b].item()
            assert pair == pytest.approx(means, abs=1e-13)
            wanted += mask.mean() * abs(means[1] - means[0])
    error = true_calibration_error(p, POSTERIOR, 10, strategy).item()
    assert error == pytest.approx(wanted, abs=1e-13)


def test_the_truth_is_that_of_the_predicted_class_be_it_not_the_best():
    p = torch.tensor([[0.8, 0.2], [0.3, 0.7]])
    posterior = torch.tensor([[0.1, 0.9], [0.4, 0.6]])  # the first answer is wrong
    assert true_reliability_bins(p, posterior, 1).accuracy.item() == pytest.approx(0.35)
    assert true_calibration_error(p, posterior).item() == pytest.approx(0.4)


def test_a_posterior_is_for_all_networks_or_one_for_each():
    p = torch.stack([sharpened(POSTERIOR, t) for t in (0.5, 1.0, 2.0)])
    shared = true_calibration_error(p, POSTERIOR)
    assert shared.shape == (3,) and shared[1] < 1e-12 and shared[0] > 0.05
    own = true_calibration_error(p, POSTERIOR.expand(3, -1, -1))
    assert own.equal(shared)
    assert true_calibration_error(p, p).tolist() == [0, 0, 0]
    assert true_reliability_bins(p, POSTERIOR).accuracy.shape == (3, 15)


def test_with_labels_the_mean_accuracy_of_a_bin_is_the_true_one():
    p = sharpened(POSTERIOR[:400], 0.7)
    labels = draw_labels(POSTERIOR[:400], 2000)
    drawn = reliability_bins(p.expand(2000, -1, -1), labels, 6)
    true = true_reliability_bins(p, POSTERIOR[:400], 6)
    kept = true.count > 0
    error = 4.5 * 0.5 / (2000 * true.count[kept]).sqrt()
    off = (drawn.accuracy.mean(0) - true.accuracy)[kept].abs()
    assert (off < error).all()


# --- chance removed: the mean over every possible draw of labels --------------------


def expected_squared_error(confidence, truth, bins):
    """Its exact mean over all 2^N ways to be right or wrong."""
    confidence, truth = torch.tensor([confidence, truth], dtype=torch.float64)
    p = torch.stack([confidence, 1 - confidence], -1)
    y = torch.tensor(list(itertools.product([0, 1], repeat=len(p))))
    chance = torch.where(y == 0, truth, 1 - truth).prod(-1)
    found = debiased_squared_error(p.expand(len(y), -1, -1), y, bins)
    return (chance * found).sum().item()


def test_the_debiased_square_is_without_bias():
    confidence = [0.9] * 5 + [0.6] * 4 + [0.72]  # the last is alone in its bin
    calibrated = expected_squared_error(confidence, confidence, 10)
    assert calibrated == pytest.approx(0, abs=1e-12)
    truth = [0.7] * 5 + [0.9] * 4 + [0.3]
    wanted = (5 * 0.2**2 + 4 * 0.3**2) / 9
    found = expected_squared_error(confidence, truth, 10)
    assert found == pytest.approx(wanted, abs=1e-12)


def test_where_the_truth_varies_within_a_bin_too_much_is_taken_off():
    # By its variance / (n - 1), as the docstring says: small beside what chance adds.
    truth = [0.91, 0.94, 0.97, 0.98]
    found = expected_squared_error(truth, truth, 10)
    assert found == pytest.approx(-np.var(truth) / 3, abs=1e-12)


def test_the_error_of_labels_exceeds_the_true_one_and_the_debiased_does_not():
    p = smooth_distribution(POSTERIOR[:500], 0.1)
    labels = draw_labels(POSTERIOR[:500], 500)
    true = true_calibration_error(p, POSTERIOR[:500]).item()
    table = true_reliability_bins(p, POSTERIOR[:500])
    square = (table.count * table.gap.square()).nansum().item() / 500
    fleet = p.expand(500, -1, -1)
    assert expected_calibration_error(fleet, labels).mean() > true + 0.005
    found = debiased_squared_error(fleet, labels)
    error = found.std().item() / 500**0.5
    assert found.mean().item() == pytest.approx(square, abs=4 * error)
