"""What chance does to a calibration error, a bin and a diagram."""

import math

import numpy as np
import torch

from ..targets import check_count, check_seed
from .bins import assign, bin_sums
from .rows import checked_numbers, checked_probabilities, checked_targets

NUMBERS_AT_ONCE = 4_000_000  # drawn at once: some 32 MB a column


def calibrated_errors(
    probabilities, bins=15, binning="width", *, size=None, draws=1000, seed=0
):
    """ECE of a calibrated network with these probabilities, in many draws of labels.

    The ECE only asks whether a label is the predicted class, and in a calibrated
    network it is with probability "confidence".

    probabilities : (..., N, K) tensor, as in ``reliability_bins``
    size          : None: every draw has the N rows, with new labels. A number: every
                    draw has that many rows, drawn from the N with replacement
    draws         : their number D; the same random numbers for every network
    returns       : (D, ...) float64 tensor
    raises        : ValueError (probabilities, bins, binning, size, draws, seed),
                    TypeError (no numbers)
    """
    confidence = checked_probabilities(probabilities).amax(-1)
    bins, draws = check_count(bins, "bins"), check_count(draws, "draws")
    rows = confidence.shape[-1] if size is None else check_count(size, "size")
    _, index, bins = assign(confidence, bins, binning)
    columns = 1 if size is None else 2
    numbers = columns * rows * confidence[..., 0].numel()
    found = []
    for uniform in _uniform((columns, rows), draws, seed, numbers, confidence.device):
        drawn, in_bin = confidence.unsqueeze(0), index.unsqueeze(0)
        if size is not None:
            drawn = _drawn(confidence, uniform[:, 1])
            _, in_bin, bins = assign(drawn, bins, binning)
        error = (_beside(uniform[:, 0], drawn) < drawn).double() - drawn.double()
        (error,) = bin_sums(in_bin.expand(error.shape), bins, error)
        found.append(error.abs().sum(-1) / rows)
    return torch.cat(found)


def ece_floor(
    probabilities, bins=15, binning="width", *, size=None, draws=1000, seed=0
):
    """Mean ECE that a calibrated network with these probabilities would show.

    probabilities, size, draws : as in ``calibrated_errors``, whose mean this is
    returns                    : (...) float64 tensor
    raises                     : as ``calibrated_errors``

    Taught in 06 section 3.
    """
    found = calibrated_errors(
        probabilities, bins, binning, size=size, draws=draws, seed=seed
    )
    # Summed in the same order whatever the number of networks.
    return found.movedim(0, -1).contiguous().mean(-1)


def consistency_band(
    probabilities, bins=15, binning="width", *, level=0.95, resamples=1000, seed=0
):
    """Where the accuracy in each bin would lie if the network were calibrated.

    Rows are drawn with replacement, each is right with probability "confidence", and
    the accuracy in each bin is read off; the bins are those of the probabilities.

    level   : share of the draws inside the band, bin by bin: pointwise. In a bin of
              few rows the accuracy has few possible values, and more lie inside
    returns : low, high: (..., B) float64 each; nan in a bin that is empty, or was in
              every draw
    raises  : ValueError (probabilities, bins, binning, level, resamples, seed),
              TypeError (no numbers)

    Bröcker & Smith, Weather and Forecasting 22, 2007, section 3. Taught in 06
    section 4.
    """
    confidence = checked_probabilities(probabilities).amax(-1)
    quantiles = tails(level)
    bins, draws = check_count(bins, "bins"), check_count(resamples, "resamples")
    _, index, bins = assign(confidence, bins, binning)
    accuracies = []
    columns, numbers = (2, confidence.shape[-1]), 2 * confidence.numel()
    for uniform in _uniform(columns, draws, seed, numbers, confidence.device):
        drawn, in_bin = (_drawn(v, uniform[:, 1]) for v in (confidence, index))
        correct = (_beside(uniform[:, 0], drawn) < drawn).double()
        count, right = bin_sums(in_bin, bins, torch.ones_like(correct), correct)
        accuracies.append(right / count)
    # The bounds are values that were drawn: between them may lie none.
    accuracies, quantiles = torch.cat(accuracies), quantiles.to(confidence.device)
    low = torch.nanquantile(accuracies, quantiles[0], 0, interpolation="lower")
    high = torch.nanquantile(accuracies, quantiles[1], 0, interpolation="higher")
    return low, high


def clopper_pearson(successes, trials, level=0.95):
    """Exact binomial interval of a share, as of the right rows in a bin.

    successes, trials : (...) whole numbers, 0 <= successes <= trials
    level             : it covers the true share with at least this probability
    returns           : low, high: (...) float64 tensors; 0 and 1 at no trials
    raises            : ValueError (also shapes that do not fit), TypeError (no numbers)

    Clopper & Pearson, Biometrika 26, 1934.
    """
    from scipy.stats import beta

    low_tail, high_tail = tails(level).tolist()
    named = {"successes": successes, "trials": trials}
    hits, trials = (checked_numbers(n, name).double() for name, n in named.items())
    try:
        hits, trials = torch.broadcast_tensors(hits.cpu(), trials.cpu())
    except RuntimeError:
        raise ValueError(
            "successes and trials must have shapes that fit, got "
            f"{tuple(hits.shape)} and {tuple(trials.shape)}."
        ) from None
    whole = (hits == hits.round()) & (trials == trials.round()) & trials.isfinite()
    wrong = ~(whole & (hits >= 0) & (hits <= trials))
    if wrong.any():
        raise ValueError(
            "successes must be whole numbers from 0 to trials, got "
            f"{hits[wrong][0].item():g} of {trials[wrong][0].item():g}."
        )
    hits, trials = hits.numpy(), trials.numpy()
    with np.errstate(invalid="ignore"):  # no beta distribution at the two ends
        low = np.where(hits > 0, beta.ppf(low_tail, hits, trials - hits + 1), 0.0)
        high = np.where(
            hits < trials, beta.ppf(high_tail, hits + 1, trials - hits), 1.0
        )
    return torch.as_tensor(low), torch.as_tensor(high)


def bootstrap(
    measure,
    probabilities,
    targets,
    *,
    level=0.95,
    resamples=1000,
    seed=0,
    limits=(-math.inf, math.inf),
):
    """Interval of a measure over test rows, by the basic bootstrap.

    Rows are drawn anew from the N. A calibration error grows by the chance in a draw,
    so its resamples lie above it as it lies above the error without chance. The basic
    interval, 2 m - q, turns that round; the plain quantiles q would leave the error
    without chance below their interval. Where that error is 0 or nearly so both fail:
    compare with ``calibrated_errors`` there.

    measure       : function (probabilities, targets) to (...), as
                    ``expected_calibration_error``
    probabilities : (..., N, K); all networks are given the same rows
    targets       : (N,) or (..., N)
    limits        : the smallest and largest value possible: the interval is cut there
    returns       : low, high: (...) float64 each, of these networks on new rows
    raises        : ValueError, TypeError or IndexError, also those of the measure

    Davison & Hinkley 1997, Bootstrap Methods and their Application, section 5.2.
    Taught in 06 section 4.
    """
    probabilities = checked_probabilities(probabilities)
    targets = checked_targets(targets, probabilities)
    quantiles = tails(level).to(probabilities.device)
    draws = check_count(resamples, "resamples")
    value = measure(probabilities, targets).double()
    if not value.isfinite().all():
        raise ValueError(
            f"measure must be finite to have an interval, got {value.tolist()}."
        )
    size, numbers = targets.shape[-1], probabilities.numel()
    found = []
    for uniform in _uniform((size,), draws, seed, numbers, targets.device):
        rows = _rows_at(uniform, size)
        drawn = probabilities[..., rows, :].movedim(-3, 0)
        found.append(measure(drawn, targets[..., rows].movedim(-2, 0)).double())
    high, low = torch.quantile(torch.cat(found), quantiles, dim=0)
    return tuple((2 * value - end).clamp(*limits) for end in (low, high))


def _uniform(shape, draws, seed, numbers, device):
    """Random numbers (d, *shape) for all draws, in pieces that fit in memory.

    They come one after the other, so that pieces make no difference.

    numbers : that one draw makes of them, over all networks
    """
    generator = torch.Generator().manual_seed(check_seed(seed))
    at_once = max(1, NUMBERS_AT_ONCE // numbers)
    for first in range(0, draws, at_once):
        piece = min(at_once, draws - first), *shape
        yield torch.rand(piece, generator=generator, dtype=torch.float64).to(device)


def _rows_at(uniform, rows):
    return (uniform * rows).long()


def _drawn(values, uniform):
    """Values (..., N) at random rows, given by uniform numbers (d, n): (d, ..., n)."""
    return values[..., _rows_at(uniform, values.shape[-1])].movedim(-2, 0)


def _beside(uniform, drawn):
    """Random numbers (d, n) with the axes of the networks, of length 1, in between."""
    return uniform.reshape(len(uniform), *[1] * (drawn.dim() - 2), uniform.shape[-1])


def tails(level):
    """Quantiles between which the share ``level`` lies, as a float64 tensor."""
    try:
        share = float(level)
    except (TypeError, ValueError, RuntimeError):
        share = float("nan")
    if isinstance(level, (str, bool)) or not 0 < share < 1:
        raise ValueError(f"level must lie in (0, 1), got {level!r}.")
    return torch.tensor([(1 - share) / 2, (1 + share) / 2], dtype=torch.float64)
