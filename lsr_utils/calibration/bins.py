"""Confidence bins: how many rows, how confident, how often right."""

from dataclasses import dataclass

import torch

from ..targets import check_count
from .rows import confidence_and_correct, confidence_and_truth

BINNINGS = ("width", "mass")


@dataclass(frozen=True)
class ReliabilityBins:
    """What a reliability diagram shows, for each of B bins.

    edges      : (..., B + 1), from 0 to 1; bin b is (edge b, edge b + 1]
    count      : (..., B) rows in the bin
    confidence : (..., B) their mean confidence; nan in an empty bin
    accuracy   : (..., B) the share that is right; nan in an empty bin

    Float64, counts int64.
    """

    edges: torch.Tensor
    count: torch.Tensor
    confidence: torch.Tensor
    accuracy: torch.Tensor

    @property
    def gap(self):
        """Accuracy minus confidence (..., B): below 0 where over-confident."""
        return self.accuracy - self.confidence


def reliability_bins(probabilities, targets, bins=15, binning="width"):
    """Rows sorted into bins by the confidence of the predicted class.

    probabilities : (..., N, K) tensor, each row a distribution over the K classes;
                    leading axes are networks
    targets       : (N,) or (..., N) tensor of class indices
    bins          : their number B
    binning       : "width": (0, 1 / B], (1 / B, 2 / B], ..., with edges rounded to the
                    dtype of the probabilities. "mass": the upper edges are the
                    confidences of rank ceil(b N / B), so that bins hold N / B rows, as
                    nearly as whole rows allow; equal confidences stay together, and
                    bins between them are empty
    returns       : ReliabilityBins
    raises        : ValueError (probabilities, shapes, bins, binning), IndexError
                    (targets out of range), TypeError (targets, and what is no number)

    Guo et al. 2017, section 2. Taught in 06 section 2.
    """
    return _binned(*confidence_and_correct(probabilities, targets), bins, binning)


def true_reliability_bins(probabilities, posterior, bins=15, binning="width"):
    """As ``reliability_bins``, with the known chance of being right in place of labels.

    posterior : (N, K) or (..., N, K) known p(class | input), as ``gaussians`` has
    returns   : ReliabilityBins, whose accuracy has no noise of drawn labels
    raises    : ValueError, TypeError (no numbers)

    Taught in 06 section 4.
    """
    return _binned(*confidence_and_truth(probabilities, posterior), bins, binning)


def _binned(confidence, correct, bins, binning):
    edges, index, bins = assign(confidence, bins, binning)
    confidence = confidence.double()
    count, total, right = bin_sums(
        index, bins, torch.ones_like(confidence), confidence, correct
    )
    return ReliabilityBins(edges, count.long(), total / count, right / count)


def assign(confidence, bins, binning):
    """Edges (..., B + 1), the bin (..., N) of each confidence (..., N), and B."""
    bins = check_count(bins, "bins")
    if not isinstance(binning, str) or binning not in BINNINGS:
        raise ValueError(f"binning must be 'width' or 'mass', got {binning!r}.")
    *leading, rows = confidence.shape
    steps = torch.arange(1, bins, device=confidence.device)
    if binning == "width":
        inner = (steps.double() / bins).to(confidence.dtype).expand(*leading, -1)
    else:
        last = (steps * rows + bins - 1) // bins - 1  # rank ceil(b N / B), from 0
        inner = confidence.sort(-1).values[..., last]
    inner = inner.double().contiguous()
    # On the left of equal values: an edge belongs to the bin below it, (l, u].
    index = torch.searchsorted(inner, confidence.double().contiguous())
    ends = inner.new_tensor([0.0, 1.0]).expand(*leading, 2)
    return torch.cat([ends[..., :1], inner, ends[..., 1:]], -1), index, bins


def bin_sums(index, bins, *columns):
    """Sums of each column (..., N) over the rows of each bin: (..., bins) each.

    index : (..., N) bin of each row
    """
    shape = index.shape[:-1]
    flat = index.reshape(-1, index.shape[-1])
    offset = bins * torch.arange(len(flat), device=flat.device).unsqueeze(1)
    flat = (flat + offset).flatten()
    size = bins * offset.numel()
    return [
        column.new_zeros(size)
        .index_add_(0, flat, column.flatten())
        .reshape(*shape, bins)
        for column in columns
    ]
