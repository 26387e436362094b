"""Brier score, NLL and their decompositions against scikit-learn and plain loops."""

import math
from inspect import signature

import numpy as np
import pytest
import torch
from calibration_oracle import decomposition_by_hand, draw_labels, simulated
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr, rel_entr
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_squared_error,
)

from lsr_utils.calibration import (
    accuracy,
    brier_decomposition,
    brier_score,
    nll,
    nll_decomposition,
)

TERMS = ("score", "uncertainty", "resolution", "reliability", "within")


def squared(p, q):
    return ((p - q) ** 2).sum()


def gini(p):
    return (p * (1 - p)).sum()


def divergence(p, q):
    return rel_entr(p, q).sum()


def entropy(p):
    return entr(p).sum()


@st.composite
def rows(draw):
    """Probabilities (N, 4) with few distinct rows, so that groups fill, and labels."""
    weights = st.lists(st.integers(1, 6), min_size=4, max_size=4)
    kinds = np.array(draw(st.lists(weights, min_size=1, max_size=4)), dtype=float)
    many = draw(st.integers(1, 20))
    picks = st.lists(st.integers(0, len(kinds) - 1), min_size=many, max_size=many)
    labels = draw(st.lists(st.integers(0, 3), min_size=many, max_size=many))
    p = torch.tensor(kinds[draw(picks)] / kinds[draw(picks)].sum(1, keepdims=True))
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    return (p / p.sum(1, keepdim=True)).to(dtype), torch.tensor(labels)


@pytest.mark.parametrize("num_classes", [2, 6, 100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_are_those_of_scikit_learn(num_classes, dtype):
    p, y = simulated((300,), num_classes, dtype=dtype)
    labels, theirs = range(num_classes), p.double()
    theirs /= theirs.sum(-1, keepdim=True)
    one_hot = torch.nn.functional.one_hot(y, num_classes)
    brier = num_classes * mean_squared_error(one_hot, theirs)
    assert brier_score(p, y).item() == pytest.approx(brier, abs=1e-7)
    if "scale_by_half" in signature(brier_score_loss).parameters:  # since 1.7
        brier = brier_score_loss(y, theirs, labels=labels, scale_by_half=False)
        assert brier_score(p, y).item() == pytest.approx(brier, abs=1e-7)
    wanted = log_loss(y, theirs, labels=labels)
    assert nll(p, y).item() == pytest.approx(wanted, abs=1e-6)
    assert accuracy(p, y).item() == accuracy_score(y, p.argmax(-1))


def test_scores_at_certainty_and_of_half_precision():
    one_hot = torch.eye(3)
    right, wrong = torch.arange(3), torch.tensor([1, 2, 0])
    assert brier_score(one_hot, right) == nll(one_hot, right) == 0
    assert brier_score(one_hot, wrong) == 2 and nll(one_hot, wrong) == math.inf
    assert accuracy(one_hot, right) == 1 and accuracy(one_hot, wrong) == 0
    half = torch.tensor([[0.25, 0.75]], dtype=torch.float16)
    assert nll(half, right[:1]).item() == pytest.approx(math.log(4), abs=1e-15)
    assert accuracy(torch.full((2, 2), 0.5), torch.tensor([0, 1])) == 0.5  # the first


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@given(rows(), st.integers(1, 20))
def test_each_term_is_that_of_a_plain_loop(strategy, case, bins):
    p, y = case
    row = range(len(y))
    for function, distance, spread, scores in [
        (brier_decomposition, squared, gini, squared(p.double(), torch.eye(4)[y])),
        (nll_decomposition, divergence, entropy, -p.double()[row, y].log().sum()),
    ]:
        found = function(p, y, bins, strategy)
        wanted = decomposition_by_hand(p, y, bins, strategy, distance, spread)
        terms = [getattr(found, name).item() for name in TERMS]
        assert terms[0] == pytest.approx(scores.item() / len(y), abs=1e-12)
        assert terms[1:4] == pytest.approx(wanted, abs=1e-12)
        rest = terms[1] - terms[2] + terms[3] + terms[4]
        assert rest == pytest.approx(terms[0], abs=1e-12)


@pytest.mark.parametrize("function", [brier_decomposition, nll_decomposition])
def test_one_forecast_a_group_leaves_nothing_within_it(function):
    forecasts = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    p = forecasts.double().repeat(20, 1)
    y = draw_labels(p, 1)[0]
    found = function(p, y)
    assert found.within.item() == pytest.approx(0, abs=1e-14)
    assert found.reliability > 1e-3 and found.resolution > 0.1
    varied = p.where(torch.arange(60).unsqueeze(1) > 20, p.flip(1).roll(1, 0))
    assert abs(function(varied, y, n_bins=1).within.item()) > 1e-3


@pytest.mark.parametrize("function", [brier_decomposition, nll_decomposition])
def test_forecasts_that_are_the_frequencies_are_reliable(function):
    p = torch.tensor([[0.75, 0.25]] * 4 + [[0.25, 0.75]] * 8, dtype=torch.float64)
    y = torch.tensor([0, 0, 0, 1] + [0, 0] + [1] * 6)
    assert function(p, y).reliability.item() == pytest.approx(0, abs=1e-15)
    assert function(p, 1 - y).reliability > 0.1


def test_a_target_of_probability_0_costs_inf_and_never_nan():
    never = torch.tensor([[1.0, 0, 0]] * 4)
    y = torch.tensor([0, 0, 1, 1])
    found = nll_decomposition(never, y)
    assert found.score == nll(never, y) == found.reliability == math.inf
    assert found.within == 0
    # Here the group's mean forecast allows what one of its rows does not.
    some = torch.tensor([[1.0, 0, 0]] * 3 + [[0.98, 0.02, 0]])
    found = nll_decomposition(some, y)
    assert found.score == found.within == math.inf and found.reliability.isfinite()
    fleet = nll_decomposition(torch.stack([never, some, torch.eye(3)[y]]), y)
    for name in TERMS:
        assert not getattr(fleet, name).isnan().any(), name
    assert fleet.score.tolist() == [math.inf, math.inf, 0]
    assert brier_decomposition(never, y).score == 1


def test_each_network_has_its_own_terms_whatever_the_number_of_its_groups():
    p, y = simulated((2, 3, 40))
    p[0, 0] = 1 / 6  # one group
    for function in (brier_decomposition, nll_decomposition):
        found = function(p, y)
        for i, j in np.ndindex(2, 3):
            alone = function(p[i, j], y)
            for name in TERMS:
                here, there = getattr(found, name)[i, j], getattr(alone, name)
                assert here.item() == pytest.approx(there.item(), abs=1e-14)
    assert brier_score(p, y).shape == nll(p, y).shape == accuracy(p, y).shape == (2, 3)


def test_terms_of_a_bin_decide_as_the_bins_of_the_error_do():
    # .6 in float32 is above .6: with edges of that dtype both rows share a bin.
    p = torch.tensor([[0.6, 0.4], [0.55, 0.45]])
    y = torch.tensor([0, 1])
    found = brier_decomposition(p, y, n_bins=5)
    assert found.resolution == 0
    assert brier_decomposition(p, y, n_bins=7).resolution == 0.5  # 4 / 7 lies between


def test_many_classes_take_no_more_memory_than_the_input():
    p, y = simulated((20,), num_classes=20_000)  # B K groups of K would be 45 GB
    found = brier_decomposition(p, y)
    assert found.score.item() == pytest.approx(brier_score(p, y).item(), abs=1e-12)
    assert nll_decomposition(p, y).score.isfinite()
