"""How far confidence is from accuracy, and how far chance alone would put it.

probabilities : (..., N, K), rows that sum to 1; leading axes are networks, each with a
                result of its own
targets       : (N,) or (..., N) class indices
posterior     : (N, K) or (..., N, K) known p(class | input)
n_bins        : number B of confidence bins
strategy      : "uniform": bins (0, 1 / B], (1 / B, 2 / B], ... "quantile": upper edges
                are the confidences of rank ceil(b N / B); equal ones stay together
returns       : (...) float64 where nothing else is said

Taught in notebook 06.
"""

import math
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from scipy.stats import binomtest
from torch.nn.functional import one_hot, pad

from . import check

NUMBERS_AT_ONCE = 4_000_000  # drawn at once: some 32 MB a column
TAILS = 0.025, 0.975  # quantiles at the ends of a 95 % interval


class ReliabilityBins(NamedTuple):
    """What a reliability diagram shows, for each of B bins; nan in an empty one."""

    edges: torch.Tensor  # (..., B + 1), from 0 to 1; bin b is (edge b, edge b + 1]
    count: torch.Tensor  # (..., B) rows in the bin, int64
    confidence: torch.Tensor  # (..., B) their mean confidence
    accuracy: torch.Tensor  # (..., B) the share of them that is right

    @property
    def gap(self):
        """Accuracy minus confidence (..., B): below 0 where over-confident."""
        return self.accuracy - self.confidence


def reliability_bins(probabilities, targets, n_bins=15, strategy="uniform"):
    """ReliabilityBins of rows by their confidence (Guo et al. 2017, section 2)."""
    return _binned(*_correct(probabilities, targets), n_bins, strategy)


def true_reliability_bins(probabilities, posterior, n_bins=15, strategy="uniform"):
    """As ``reliability_bins``, with the known chance of being right for the labels."""
    return _binned(*_truly_correct(probabilities, posterior), n_bins, strategy)


def _binned(confidence, correct, n_bins, strategy):
    edges, index = _assign(confidence, n_bins, strategy)
    confidence = confidence.double()
    columns = torch.ones_like(confidence), confidence, correct
    count, total, right = _bin_sums(index, n_bins, *columns)
    return ReliabilityBins(edges, count.long(), total / count, right / count)


def _checked(probabilities, targets):
    p = check.probabilities(probabilities)
    return p, check.labels(targets, p)


def _correct(probabilities, targets):
    """Confidence (..., N), in its own dtype, and whether it was right, in float64."""
    p, targets = _checked(probabilities, targets)
    confidence, predicted = p.max(-1)
    return confidence, (predicted == targets).double()


def _truly_correct(probabilities, posterior):
    """Confidence (..., N), and the known chance that the predicted class is right."""
    p = check.probabilities(probabilities)
    known = check.probabilities(posterior, "posterior").to(p.device)
    must = f"posterior must have shape (N, K) or {tuple(p.shape)}"
    check.that(known.shape in (p.shape, p.shape[-2:]), must, tuple(known.shape))
    confidence, predicted = p.max(-1)
    truth = known.expand(p.shape).gather(-1, predicted.unsqueeze(-1))
    return confidence, truth.squeeze(-1).double()


def _assign(confidence, n_bins, strategy):
    """Edges (..., B + 1), and the bin (..., N) of each confidence (..., N)."""
    n_bins = check.whole(n_bins, "n_bins", 1)
    check.one_of(strategy, "strategy", ("uniform", "quantile"))
    *leading, rows = confidence.shape
    steps = torch.arange(1, n_bins, device=confidence.device)
    if strategy == "uniform":  # edges rounded as the probabilities are
        inner = (steps.double() / n_bins).to(confidence.dtype).expand(*leading, -1)
    else:
        last = (steps * rows + n_bins - 1) // n_bins - 1  # rank ceil(b N / B), from 0
        inner = confidence.sort(-1).values[..., last]
    inner = inner.double().contiguous()
    # On the left of equal values: an edge belongs to the bin below it, (l, u].
    index = torch.searchsorted(inner, confidence.double().contiguous())
    return pad(pad(inner, (1, 0)), (0, 1), value=1.0), index


def _bin_sums(index, n_bins, *columns):
    """Sums of columns (..., N) over the rows of each bin: (..., B) each."""
    index = index.expand(columns[0].shape)
    zeros = columns[0].new_zeros(*index.shape[:-1], int(n_bins))
    return [zeros.scatter_add(-1, index, column) for column in columns]


def expected_calibration_error(probabilities, targets, n_bins=15, strategy="uniform"):
    """ECE, sum over bins of n_b / N |acc_b - conf_b| (Guo et al. 2017, eq. 3).

    Chance alone puts it above 0: compare with ``ece_floor``.
    """
    return _ece(*_correct(probabilities, targets), n_bins, strategy)


def true_calibration_error(probabilities, posterior, n_bins=15, strategy="uniform"):
    """ECE with the known chance of being right: exactly 0 for the posterior itself."""
    return _ece(*_truly_correct(probabilities, posterior), n_bins, strategy)


def _ece(confidence, correct, n_bins, strategy):
    index = _assign(confidence, n_bins, strategy)[1]
    (off,) = _bin_sums(index, n_bins, correct - confidence.double())
    return off.abs().sum(-1) / confidence.shape[-1]


def confidence_gap(probabilities, targets):
    """Mean confidence minus accuracy, positive for an over-confident network."""
    confidence, correct = _correct(probabilities, targets)
    return confidence.double().mean(-1) - correct.mean(-1)


def maximum_calibration_error(
    probabilities, targets, n_bins=15, strategy="uniform", min_count=10
):
    """MCE, the largest gap of a bin of min_count rows or more (Guo et al. 2017, eq. 5).

    With 1, as published, one row in a bin of its own decides the result.
    """
    found = reliability_bins(probabilities, targets, n_bins, strategy)
    check.whole(min_count, "min_count", 1, int(found.count.amax(-1).min()))
    return found.gap.abs().where(found.count >= min_count, 0.0).amax(-1)


def debiased_squared_error(probabilities, targets, n_bins=15, strategy="uniform"):
    """Mean squared distance in the bins, minus what chance adds to it.

    Sum over bins of n_b / N times (acc_b - conf_b)^2 - acc_b (1 - acc_b) / (n_b - 1),
    which can be below 0; nan where no bin has two rows. Kumar, Liang, Ma 2019.
    """
    found = reliability_bins(probabilities, targets, n_bins, strategy)
    chance = found.accuracy * (1 - found.accuracy) / (found.count - 1)
    weight = found.count.double().where(found.count > 1, 0.0)
    return (weight * (found.gap.square() - chance)).nansum(-1) / weight.sum(-1)


def accuracy(probabilities, targets):
    """Share of rows whose largest probability is the target's."""
    return _correct(probabilities, targets)[1].mean(-1)


def brier_score(probabilities, targets):
    """Mean squared distance from the one-hot, in [0, 2] (Brier 1950, not halved)."""
    p, targets = _checked(probabilities, targets)
    return (p.double() - one_hot(targets, p.shape[-1])).square().sum(-1).mean(-1)


def nll(probabilities, targets):
    """Mean negative log-likelihood of the targets, in nats; inf where one has p = 0."""
    p, targets = _checked(probabilities, targets)
    return -p.gather(-1, targets.unsqueeze(-1)).squeeze(-1).double().log().mean(-1)


class Decomposition(NamedTuple):
    """score = uncertainty - resolution + reliability + within: (...) float64 each."""

    score: torch.Tensor
    uncertainty: torch.Tensor  # the score of always predicting the class frequencies
    resolution: torch.Tensor  # what knowing the groups gains over that
    reliability: torch.Tensor  # lost as groups forecast other than their frequencies
    within: torch.Tensor  # lost, or gained where below 0, as rows of a group differ


def brier_decomposition(probabilities, targets, n_bins=15, strategy="uniform"):
    """Decomposition of the Brier score, over groups of one predicted class and one bin.

    Murphy 1973; Stephenson, Coelho, Jolliffe, Weather and Forecasting 23, 2008.
    """
    p, targets = _checked(probabilities, targets)
    score, num_classes = brier_score(p, targets), p.shape[-1]
    confidence, predicted = p.max(-1)
    group = predicted + num_classes * _assign(confidence, n_bins, strategy)[1]
    # Of B K groups most are empty where classes are many: the others are numbered.
    found, index = torch.unique(group, return_inverse=True)
    p, hits = p.double().mT, one_hot(targets, num_classes).double().mT  # (..., K, N)
    columns = torch.ones_like(p), p, hits
    count, *sums = _bin_sums(index.unsqueeze(-2), len(found), *columns)
    forecast, outcome = (total / count.clamp(min=1) for total in sums)  # (..., K, G)
    share, overall = count / p.shape[-1], hits.mean(-1, keepdim=True)
    uncertainty = (overall * (1 - overall)).sum((-2, -1))
    resolution = (share * (outcome - overall).square()).sum((-2, -1))
    reliability = (share * (outcome - forecast).square()).sum((-2, -1))
    within = score - (uncertainty - resolution + reliability)
    return Decomposition(score, uncertainty, resolution, reliability, within)


def calibrated_errors(
    probabilities, n_bins=15, strategy="uniform", *, draws=1000, seed=0
):
    """ECE of a calibrated network in each of D draws of labels: (..., D)."""
    confidence = check.probabilities(probabilities).amax(-1).unsqueeze(-2)
    drawn = _uniform(draws, confidence.shape[-1:], seed, confidence)  # (d, N) each
    found = [_ece(confidence, (u < confidence) * 1.0, n_bins, strategy) for u in drawn]
    return torch.cat(found, -1)


def ece_floor(probabilities, n_bins=15, strategy="uniform", *, draws=1000, seed=0):
    """Mean ECE that a calibrated network with these probabilities would show."""
    found = calibrated_errors(probabilities, n_bins, strategy, draws=draws, seed=seed)
    return found.mean(-1)


def consistency_band(
    probabilities, n_bins=15, strategy="uniform", *, resamples=1000, seed=0
):
    """Where the accuracy in each bin would lie if the network were calibrated.

    Rows are drawn with replacement and are right with probability "confidence". The
    ends, (..., B) each, hold 95 % of the draws (Bröcker & Smith 2007, section 3).
    """
    confidence = check.probabilities(probabilities).amax(-1)
    index = _assign(confidence, n_bins, strategy)[1]
    rows, found = confidence.shape[-1], []
    for uniform in _uniform(resamples, (2, rows), seed, confidence):
        where = (uniform[:, 1] * rows).long()
        correct = (uniform[:, 0] < confidence[..., where]).double()  # (..., d, N)
        columns = torch.ones_like(correct), correct
        count, right = _bin_sums(index[..., where], n_bins, *columns)
        found.append(right / count)
    # The bounds are values that were drawn: between them may lie none.
    bound, (low, high) = partial(torch.nanquantile, torch.cat(found, -2), dim=-2), TAILS
    return bound(low, interpolation="lower"), bound(high, interpolation="higher")


def bootstrap(measure, probabilities, targets, *, resamples=1000, seed=0):
    """95 % interval low, high of a mean over rows, by the basic bootstrap, 2 m - q.

    In simulation it held the mean in 91 % of sets of 100 rows, in 93 % of 500. Of a
    calibration error it is none: chance lifts that, and lifts a resample's more
    (``summary`` has others). nan where resamples do not differ (Davison & Hinkley 1997,
    section 5.2). A measure is a function (probabilities, targets) to (...), as ``nll``.
    """
    p, targets = _checked(probabilities, targets)
    rows, pieces = p.shape[-2], _uniform(resamples, p.shape[-2:-1], seed, p)
    drawn = [slice(None), *((u * rows).long() for piece in pieces for u in piece)]
    found = [measure(p[..., d, :], targets[..., d]) for d in drawn]
    value, *found = (torch.as_tensor(m, dtype=torch.float64) for m in found)
    low, high = (torch.stack(found, -1).quantile(tail, -1) for tail in TAILS)
    value = value.where(high - low > 1e-12, math.nan)  # no spread tells nothing
    return 2 * value - high, 2 * value - low


def error_interval(bins, error, *, draws=1000, seed=0):
    """[value, low, high] of error(distances (..., B)), for one network.

    Meant to hold 95 %: 90 to 99 % in simulation, least where all bins err to one side.
    The parts of all gaps that, with chance added, reach the error seen in 3.5, 99 % of
    draws: tails by simulation (06a). At the upper end at least 96.5 % of chance.
    """
    count, gap = bins.count, bins.gap.nan_to_num()
    likely = (bins.accuracy.nan_to_num() * count + 0.5) / (count + 1)
    spread = (likely * (1 - likely) / count).sqrt().where(count > 0, 0.0)
    uniform = torch.cat([*_uniform(draws, (1, len(gap)), seed, gap)])
    parts, value = torch.linspace(0, 3, 151).to(gap).unsqueeze(-1), error(gap.abs())
    noisy = error((parts * gap + spread * torch.special.ndtri(uniform)).abs())
    ends = noisy.quantile(torch.tensor([0.01, 0.965]).to(gap), 0)  # (2, 151), they grow
    last = (ends < value).sum(-1).sub(1).clamp(min=0)
    high, low = error((parts[last] * gap).abs())
    return [value, low, torch.maximum(high, ends[1, 0]).clamp(max=1)]


def _uniform(draws, shape, seed, like):
    """Random numbers (d, *shape) for all draws, in pieces that fit in memory."""
    draws = check.whole(draws, "draws", 1)
    # From the CPU, in one row: neither pieces nor the device make a difference.
    generator = torch.Generator("cpu").manual_seed(check.seed(seed))
    kind = {"generator": generator, "dtype": torch.float64, "device": "cpu"}
    at_once = max(1, NUMBERS_AT_ONCE // (like.numel() * math.prod(shape[:-1])))
    for first in range(0, draws, at_once):
        yield torch.rand(min(at_once, draws - first), *shape, **kind).to(like.device)


def fit_temperature(logits, targets):
    """T of the least NLL of softmax(logits / T) (Guo et al. 2017, section 4.2).

    logits  : (..., N, K) of validation data, -inf for a class that is masked
    returns : (...), 1 where each row's are all equal, inf where NLL falls as T rises

    Where no label has a logit below another's, NLL falls as long as T does: a row then
    counts as right with probability (N + 1) / (N + 2) (Platt 1999, section 2.2).
    """
    z = _logits(logits)
    targets = check.labels(targets, z).unsqueeze(-1)
    of_target = z.gather(-1, targets)
    check.every(of_target.isfinite(), of_target, "no target may be masked")
    open_ = z > -math.inf
    z = z.clamp(min=-1e200)  # as good as -inf, and sums stay finite
    scale = -(z.where(open_, 0.0).sum(-1) / open_.sum(-1)).mean(-1)
    z = z / scale.where(scale > 0, 1.0)[..., None, None]
    of_target = z.gather(-1, targets).squeeze(-1)
    no_error = (of_target == 0).all(-1, keepdim=True)
    second = z.topk(min(2, z.shape[-1]), -1).values[..., -1]
    second = second.where(open_.sum(-1) > 1, 0.0).amin(-1)[..., None, None]
    near = open_ & ((z >= 1000 * second) | (second == 0))  # further off is a mask
    others = (near.sum(-1) - 1).clamp(min=1)
    pulled = z.where(near, 0.0).sum(-1) / others / (z.shape[-2] + 2)
    wanted = torch.where(no_error, pulled, of_target).mean(-1)
    low, high = (torch.full_like(scale, end) for end in (-40.0, 700.0))
    for _ in range(55):  # of log(scale / T), to all that float64 holds
        middle = (low + high) / 2
        p = (z * middle.exp()[..., None, None]).softmax(-1)
        rises = (p * z).sum(-1).mean(-1) > wanted  # slope of the NLL, convex in 1 / T
        low, high = torch.where(rises, low, middle), torch.where(rises, middle, high)
    # The mean of what is not masked is -1: labels with no more are worse than none.
    found = scale * torch.where(wanted > -1 + 1e-12, (-middle).exp(), math.inf)
    return torch.where(scale > 0, found, 1.0)


def with_temperature(logits, temperature):
    """Probabilities softmax(logits / T), T in (0, inf], one or (...): (..., N, K)."""
    z = _logits(logits)
    temperature = check.numbers(temperature, "temperature").to(z)
    fits = temperature.shape in ((), (1,) * (z.dim() == 3), z.shape[:-2])
    must = f"temperature must be above 0, one or {tuple(z.shape[:-2])}"
    check.that(fits and (temperature > 0).all(), must, temperature.tolist())
    z = z / temperature.expand(z.shape[:-2])[..., None, None]
    return z.nan_to_num(-math.inf).softmax(-1)  # masked it stays at T = inf, too


def _logits(values):
    """Logits less the largest of their row, in float64; probabilities are refused."""
    z = check.numbers(values, "logits")
    eps = torch.finfo(z.dtype).eps if z.is_floating_point() else 0.0
    z, shape = check.exact(z), tuple(z.shape)
    check.that(shape and 0 not in shape, "logits must have shape (..., K)", shape)
    top = z.amax(-1, keepdim=True)  # nan where one is
    check.every(top.isfinite(), top, "logits must be finite, or -inf beside a finite")
    off = (z.sum(-1) - 1).abs().max()
    if z.shape[-1] > 1 and (z >= 0).all() and off <= max(check.SUM_OF_A_ROW, 4 * eps):
        raise ValueError("logits must come from before the softmax, got probabilities.")
    return z - top


def unsmoothed(probabilities, eps, *, least=0.0):
    """The distributions whose smoothed ones these are, (p - eps / K) / (1 - eps).

    Values below least, in [0, 1 / K], are raised to it.
    """
    p = check.probabilities(probabilities).double()
    p, num_classes = p / p.sum(-1, keepdim=True), p.shape[-1]
    eps = check.real(eps, "eps", "[0, 0.999999]")  # at 1 nothing is left to recover
    least = check.real(least, "least", f"[0, {1 / num_classes}]")
    p = ((p - eps / num_classes) / (1 - eps)).clamp(min=least)
    return p / p.sum(-1, keepdim=True)


def summary(probabilities, targets, n_bins=15, *, resamples=1000, seed=0):
    """Accuracy, scores and calibration errors with intervals, and chance alone.

    probabilities : (N, K), of one network
    n_bins        : fewer than N. MCE looks at bins of 10 rows, or N // n_bins
    returns       : DataFrame with columns value, low, high; of "chance alone" the mean
                    ECE of calibrated networks, and where 95 % of theirs lie
    """
    p, y = _checked(probabilities, targets)
    size, right = len(p), int(_correct(p, y)[1].sum())
    n_bins = check.whole(n_bins, "n_bins", 1, size - 1)  # some bin has two rows
    bins, least = reliability_bins(p, y, n_bins), min(10, size // n_bins)
    table = {"accuracy": [right / size, *binomtest(right, size).proportion_ci()]}
    for name, score, *limits in (
        ("NLL", nll, 0, math.inf), ("Brier", brier_score, 0, 2),
        ("confidence - accuracy", confidence_gap, -1, 1),
    ):  # fmt: skip
        ends = bootstrap(score, p, y, resamples=resamples, seed=seed)
        table[name] = [score(p, y), *(end.clamp(*limits) for end in ends)]
    for name, error in (  # of distances (..., B)
        ("ECE", lambda off: (bins.count * off).sum(-1) / size),
        ("debiased ECE", lambda off: ((bins.count * off**2).sum(-1) / size).sqrt()),
        ("MCE", lambda off: off.where(bins.count >= least, 0.0).amax(-1)),
    ):
        table[name] = error_interval(bins, error, draws=resamples, seed=seed)
    table["debiased ECE"][0] = debiased_squared_error(p, y, n_bins).clamp(min=0).sqrt()
    drawn = calibrated_errors(p, n_bins, draws=resamples, seed=seed)
    table["chance alone"] = [drawn.mean(), *map(drawn.quantile, TAILS)]
    rows = {name: [*map(float, row)] for name, row in table.items()}
    return pd.DataFrame(rows, index=["value", "low", "high"]).T
