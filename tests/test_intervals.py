"""What is called 95 % holds the truth in 92 to 98 % of LSR_TEST_SETS simulated sets."""

import os

import numpy as np
import pytest
import torch

from lsr_utils import calibration as c
from lsr_utils.stats import paired_difference

SETS = int(os.environ.get("LSR_TEST_SETS", "200"))


def held(seed, sure):
    """By five pairs; by 500 answers, surer than right by a factor."""
    rng = np.random.default_rng([seed, 22])
    d = rng.normal(0.3, 0.5) + rng.normal(0, 0.75**0.5, 5)  # splits share a quarter
    found = paired_difference(d, 0 * d, test_share=1 / 3)
    said = torch.tensor(1 - rng.beta(1, 2, 500) / 2)
    p, known = (torch.stack([q, 1 - q], 1) for q in (said, 0.5 + (said - 0.5) / sure))
    y = (torch.tensor(rng.random(500)) >= known[:, 0]).long()
    share = (bins := c.reliability_bins(p, y)).count / 500
    ece = c.error_interval(bins, lambda off: (share * off).sum(-1), draws=200)
    gap = c.bootstrap(c.confidence_gap, p, y, resamples=200)
    low, high = torch.tensor([[found.low, found.high], ece[1:], gap]).T
    truth = [0.3, c.true_calibration_error(p, known), (1 - 1 / sure) / 3]
    return ((low <= torch.tensor(truth)) & (torch.tensor(truth) <= high)).tolist()


@pytest.mark.parametrize("sure", [1, 1.4])
def test_an_interval_holds_the_truth_as_often_as_it_says(sure):
    shares = np.mean([held(seed, sure) for seed in range(SETS)], 0)
    assert np.max(abs(shares - 0.95)) <= 3 * (0.95 * 0.05 / SETS) ** 0.5, shares
