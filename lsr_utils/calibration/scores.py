"""Proper scores of probabilities, and what they are made of."""

from dataclasses import dataclass

import torch

from .bins import assign, bin_sums
from .rows import checked_probabilities, checked_targets, confidence_and_correct


@dataclass(frozen=True)
class Decomposition:
    """score = uncertainty - resolution + reliability + within: (...) float64 each.

    uncertainty : score of always predicting the class frequencies
    resolution  : what knowing the groups gains over that; more is better
    reliability : what is lost because forecasts differ from the frequencies of their
                  group; 0 is calibrated
    within      : what is lost (or, below 0, gained) by forecasts that differ within
                  a group; 0 when each group has one forecast
    """

    score: torch.Tensor
    uncertainty: torch.Tensor
    resolution: torch.Tensor
    reliability: torch.Tensor
    within: torch.Tensor


def accuracy(probabilities, targets):
    """Share of rows whose largest probability is the target's: (...) float64."""
    return confidence_and_correct(probabilities, targets)[1].mean(-1)


def brier_score(probabilities, targets):
    """Mean over rows of the squared distance of the probabilities from the one-hot.

    probabilities : (..., N, K) tensor, each row a distribution over the K classes
    targets       : (N,) or (..., N) tensor of class indices
    returns       : (...) float64 tensor in [0, 2]; summed over the classes, as Brier
                    had it (some tools halve it, or divide it by K)
    raises        : as ``reliability_bins``

    Brier, Monthly Weather Review 78, 1950.
    """
    return _brier(*_rows(probabilities, targets)).mean(-1)


def nll(probabilities, targets):
    """Mean negative log-likelihood of the targets, in nats.

    returns : (...) float64 tensor; infinite where a target has probability 0, which
              a float32 softmax gives at logit gaps beyond 100
    raises  : as ``reliability_bins``
    """
    return _nll(*_rows(probabilities, targets)).mean(-1)


def brier_decomposition(probabilities, targets, bins=15, binning="width"):
    """Brier score as uncertainty - resolution + reliability + within.

    Groups are rows with the same predicted class in the same confidence bin. With few
    rows in a group, chance raises resolution and reliability alike.

    probabilities, targets, bins, binning : as in ``reliability_bins``
    returns : Decomposition
    raises  : as ``reliability_bins``

    Murphy, J. Applied Meteorology 12, 1973; the last term as in Stephenson, Coelho,
    Jolliffe, Weather and Forecasting 23, 2008. Taught in 06 section 11.
    """
    p, one_hot = _rows(probabilities, targets)
    score = _brier(p, one_hot).mean(-1)
    share, forecast, outcome = _groups(p, one_hot, bins, binning)
    overall = one_hot.mean(-2, keepdim=True)
    uncertainty = (overall * (1 - overall)).sum((-2, -1))
    resolution = (share * (outcome - overall).square()).sum((-2, -1))
    reliability = (share * (outcome - forecast).square()).sum((-2, -1))
    within = score - (uncertainty - resolution + reliability)
    return Decomposition(score, uncertainty, resolution, reliability, within)


def nll_decomposition(probabilities, targets, bins=15, binning="width"):
    """NLL as uncertainty - resolution + reliability + within, in nats.

    As ``brier_decomposition``, with the entropy of the class frequencies as
    uncertainty and Kullback-Leibler divergences in place of squared distances.
    Where a target has probability 0 the score and one of the last two are infinite.

    Bröcker, Q. J. Royal Meteorological Society 135, 2009, eq. 10.
    """
    p, one_hot = _rows(probabilities, targets)
    score = _nll(p, one_hot).mean(-1)
    share, forecast, outcome = _groups(p, one_hot, bins, binning)
    overall = one_hot.mean(-2, keepdim=True)
    uncertainty = torch.special.entr(overall).sum((-2, -1))
    resolution = (share * _divergence(outcome, overall)).sum((-2, -1))
    reliability = (share * _divergence(outcome, forecast)).sum((-2, -1))
    # Mean of -log forecast of the group, which the group's own forecasts improve on.
    of_groups = torch.special.xlogy(share * outcome, forecast).sum((-2, -1))
    within = (score + of_groups).where(of_groups.isfinite(), 0.0)
    return Decomposition(score, uncertainty, resolution, reliability, within)


def _rows(probabilities, targets):
    """Checked probabilities, and one-hot targets in float64: (..., N, K) each."""
    p = checked_probabilities(probabilities)
    targets = checked_targets(targets, p)
    return p, torch.nn.functional.one_hot(targets, p.shape[-1]).double()


def _brier(p, one_hot):
    return (p.double() - one_hot).square().sum(-1)


def _nll(p, one_hot):
    return -torch.special.xlogy(one_hot, p.double()).sum(-1)


def _divergence(p, q):
    """p log(p / q), elementwise: 0 at p = 0, infinite where only q is 0."""
    return torch.special.xlogy(p, p) - torch.special.xlogy(p, q)


def _groups(p, one_hot, bins, binning):
    """Share of rows (..., G, 1), mean forecast and outcome (..., G, K) of each group.

    Empty groups have share 0, forecast and outcome 0.
    """
    confidence, predicted = p.max(-1)
    _, index, bins = assign(confidence, bins, binning)
    *leading, rows, num_classes = p.shape
    index = _renumbered(predicted * bins + index)
    groups = int(index.max()) + 1
    per_class = index.unsqueeze(-2).expand(*leading, num_classes, rows)
    (count,) = bin_sums(index, groups, torch.ones_like(confidence).double())
    columns = (values.double().transpose(-2, -1) for values in (p, one_hot))
    means = bin_sums(per_class, groups, *columns)
    count = count.unsqueeze(-1)
    forecast, outcome = (m.transpose(-2, -1) / count.clamp(min=1) for m in means)
    return count / rows, forecast, outcome


def _renumbered(index):
    """Groups (..., N) numbered 0, 1, 2, ...: most of B K, with many classes, are empty.

    Each network has its own numbers.
    """
    values, order = index.sort(-1)
    rank = torch.zeros_like(index)
    rank[..., 1:] = values.diff(dim=-1).ne(0).cumsum(-1)
    return torch.empty_like(index).scatter(-1, order, rank)
