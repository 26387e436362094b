"""Exercises to lecture 02, the loss as code, and to its deep dive, the bug hunt."""

import torch
import torch.nn.functional as F

from .engine import sign


def _rows(n, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, 6, generator=generator, dtype=torch.float64)
    return logits, torch.randint(6, (n,), generator=generator)


def _loss(z, y, eps, how, nll=None, uniform=1.0, mean=False, axis=()):
    """Smoothed cross-entropy and its mistakes: factors, an early mean, an axis more."""
    log_p = z.log_softmax(1)
    smooth = uniform * eps * -log_p.mean(1)[(..., *axis)]
    hard = (1 - eps if nll is None else nll) * -log_p.gather(1, y[:, None]).squeeze(1)
    reduce = {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}[how]
    return reduce(hard) + smooth.mean() if mean else reduce(hard + smooth)


def _gradient(z, y, eps=0.1, divide=True):
    q = (1 - eps) * F.one_hot(y, 6) + eps / 6
    return (z.softmax(1) - q) / (len(y) if divide else 1)


# Fill-ins of lecture 02: its eight rows of logits.
_Y = torch.tensor([2, 0, 5, 2, 1, 4, 3, 2])
_Z = 2 * torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
_Z = _Z + 3 * F.one_hot(_Y, 6)


class E02_rows:
    """the NLL weighs 1−ε, the uniform part ε.

    factor_missing: the NLL counts in full here, so that the label sums to 1 + ε. What
        the uniform part takes, the NLL has to give (02 section 3).
    swapped: the weights are the wrong way round: ε belongs to the uniform part
        (02 section 3).
    reduced: this is one number. The reduction comes last: keep one loss a row
        (02 section 3).
    """

    right = _loss(_Z, _Y, 0.1, "none")
    factor_missing = _loss(_Z, _Y, 0.1, "none", nll=1)
    swapped = _loss(_Z, _Y, 0.9, "none")
    reduced = sign(lambda rows: rows.dim() == 0)


class E02_grad:
    """softmax minus label, over the number of rows.

    of_the_sum: this is the gradient of the *sum* of the row losses. For the mean,
        divide by the number of rows (02 section 4).
    hard: this is p − q with the one-hot row. The label is smoothed (02 section 4).
    uphill: this is q′ − p, the push. The gradient points uphill: p − q′ (02 section 4).
    log: the gradient has the probabilities p, not their logarithms (02 section 4).
    """

    right = _gradient(_Z, _Y)
    of_the_sum = _gradient(_Z, _Y, divide=False)
    hard = _gradient(_Z, _Y, 0.0)
    uphill = -right
    log = (_Z.log_softmax(1) - _Z.softmax(1)) / 8 + right


# Exercises. ---------------------------------------------------------------------------


class E02_1_eps:
    """it is PyTorch's loss with ε/(1+ε), times 1+ε: 0.0909 in place of 0.1.

    unchanged: the row of this class sums to 1+ε, so it is no distribution. Divide it by
        its sum, then read ε off the other classes (02 section 3).
    times: the row is ε/K in the others *before* it is divided by its sum 1+ε: ε gets
        smaller (02 section 3).
    missing: ε/(1−ε) belongs to a row that sums to 1−ε. This one sums to more than 1
        (02 section 3).
    """

    right = lambda eps, k: eps / (1 + eps)
    cases = lambda: [(0.1, 6), (0.3, 2), (0.5, 10), (0.0, 4)]
    unchanged = lambda eps, k: eps
    times = lambda eps, k: eps * (1 + eps)
    missing = lambda eps, k: eps / (1 - eps)


class E02_1_loss:
    """both parts have their share, and the rows are reduced last.

    as_it_was: this is still the copied class, with both mistakes. What do the two parts
        weigh together, and who reduces them? (02 section 3)
    factor_missing: the reduction is right now. The NLL still counts in full, so that
        the label sums to 1 + ε (02 section 3).
    always_mean: the factor is right now. The uniform part is still a mean, whatever
        `reduction` says (02 section 3).
    broadcast: (N,) plus (N, 1) is (N, N): one part kept its axis and the other did not.
        Look at the shape for "none" (02 section 3).
    summed_classes: the uniform part sums over the classes. Each class gets ε/K, so it
        is their mean that weighs ε (02 section 3).
    """

    right = lambda z, y, eps, how: _loss(z, y, eps, how)
    cases = lambda: [(*_rows(5, 1), 0.1, how) for how in ("mean", "sum", "none")]
    as_it_was = lambda z, y, eps, how: _loss(z, y, eps, how, nll=1, mean=True)
    factor_missing = lambda z, y, eps, how: _loss(z, y, eps, how, nll=1)
    always_mean = lambda z, y, eps, how: _loss(z, y, eps, how, mean=True)
    broadcast = lambda z, y, eps, how: _loss(z, y, eps, how, axis=(None,))
    summed_classes = lambda z, y, eps, how: _loss(z, y, eps, how, uniform=6)


def _good(z, y, how):
    return _loss(z, y, 0.1, how)


def _early(z, y, how):
    """The uniform part is the mean of the whole batch: mean and sum do not show it."""
    log_p = z.log_softmax(1)
    rows = -0.9 * log_p.gather(1, y[:, None]).squeeze(1) - 0.1 * log_p.mean()
    return {"mean": rows.mean(), "sum": rows.sum(), "none": rows}[how]


def _no_smoothing(z, y, how):
    return _loss(z, y, 0.0, how)


def _alone(loss, z, y):
    one = [slice(i, i + 1) for i in range(len(y))]
    return torch.cat([loss(z[i], y[i], "none") for i in one])


class E02_2:
    """a row does not know its neighbours: alone or in a batch, it costs the same.

    by_mean: this compares means, or sums. They agree for a loss that shares its uniform
        part over the batch: only its single rows are wrong (02 section 3).
    signed: a row may be too large and another too small. Take absolute values before
        you look for the largest (02 section 3).
    against_pytorch: this compares with PyTorch's loss at ε = 0.1. A loss without
        smoothing differs from that and has no early mean: compare a row in the batch
        with the same row alone (02 section 3).
    """

    right = lambda loss, z, y: (loss(z, y, "none") - _alone(loss, z, y)).abs().max()
    by_mean = lambda loss, z, y: (loss(z, y, "mean") - _alone(loss, z, y).mean()).abs()
    signed = lambda loss, z, y: (loss(z, y, "none") - _alone(loss, z, y)).max()
    against_pytorch = lambda loss, z, y: (
        (loss(z, y, "none") - _loss(z, y, 0.1, "none")).abs().max()
    )

    def cases():
        losses = _good, _early, _no_smoothing
        return [(loss, *_rows(5, seed)) for loss in losses for seed in (2, 7)]


def _parts(parts, eps, how="sum"):
    pairs = [(z[y != -100], y[y != -100]) for z, y in parts]
    return torch.stack([_loss(z, y, eps, how) for z, y in pairs])


def _live(parts):
    return sum((y != -100).sum() for _, y in parts)


class E02_3:
    """add the sums, add the counts, divide once.

    mean_of_means: this is the mean of the batches' means: a row in a short batch counts
        for more than one in a long batch, and a batch without labels makes it nan. Add
        sums and counts (02 section 5).
    means_that_exist: batches without labels are left out here, rightly. It is still a
        mean of means: add sums and counts (02 section 5).
    all_rows: ignored rows count in the divisor here. The mean divides by the rows that
        have a label (02 section 5).
    summed: this is the sum. Divide it by the number of rows with a label, of all
        batches together (02 section 5).
    per_batch: this divides the sum by the number of batches: it grows with their length
        (02 section 5).
    unsmoothed: this is the NLL alone: ε is not used (02 section 3).
    nan: a batch without any label has the mean 0/0 = nan. Its sum is 0, and so is its
        count: that is all that is needed (02 section 5).
    """

    right = lambda parts, eps: _parts(parts, eps).sum() / _live(parts)
    mean_of_means = lambda parts, eps: _parts(parts, eps, "mean").mean()
    means_that_exist = lambda parts, eps: _parts(parts, eps, "mean").nanmean()
    all_rows = lambda parts, eps: (
        _parts(parts, eps).sum() / sum(len(y) for _, y in parts)
    )
    summed = lambda parts, eps: _parts(parts, eps).sum()
    per_batch = lambda parts, eps: _parts(parts, eps).mean()
    unsmoothed = lambda parts, eps: _parts(parts, 0.0).sum() / _live(parts)
    nan = sign(lambda loss, *_: loss.isnan())

    def cases():
        long, short, empty = _rows(6, 3), _rows(6, 4), _rows(6, 5)
        short[1][1:], empty[1][:] = -100, -100
        return [([long, short], 0.1), ([long, short, empty], 0.2)]


# Fill-in of the deep dive. ------------------------------------------------------------


def _masked(z, y, allowed, eps, count=None, masked=True):
    log_p = (z.masked_fill(~allowed, -torch.inf) if masked else z).log_softmax(1)
    smooth = -log_p.where(allowed, 0.0).sum(1) / (count or allowed.sum(1))
    return (1 - eps) * -log_p.gather(1, y[:, None]).squeeze(1) + eps * smooth


class E02a_masked:
    """ε is shared by the allowed classes, and no forbidden one adds anything.

    impossible: the loss is infinite: forbidden classes still get a share of ε, which
        they cannot have (02 section 7).
    divided_by_all: the uniform part leaves forbidden classes out, but still divides by
        K: what they would have got is lost, and the row sums to less than 1
        (02 section 7).
    mask_after: the softmax still runs over all classes, so that p gives mass to
        forbidden ones. Mask the logits before it (02 section 7).
    unsmoothed: this is the plain loss over the allowed classes: ε is not used. Share it
        among them (02 section 7).
    nan: a row is nan: 0 · (−∞). Take the logarithms of forbidden classes out before you
        multiply or sum (02 section 7).
    """

    right = lambda z, y, allowed, eps: _masked(z, y, allowed, eps)
    impossible = sign(lambda loss, *_: loss.isinf().any())
    divided_by_all = lambda z, y, allowed, eps: _masked(z, y, allowed, eps, count=6)
    mask_after = lambda z, y, allowed, eps: _masked(z, y, allowed, eps, masked=False)
    unsmoothed = lambda z, y, allowed, eps: _masked(z, y, allowed, 0.0)
    nan = sign(lambda loss, *_: loss.isnan().any())

    def cases():
        allowed = torch.ones(4, 6, dtype=torch.bool)
        allowed[0, 5] = allowed[1, :3] = allowed[3, 1:] = False  # one is left in row 3
        row = _rows(4, 5)[0], torch.tensor([2, 4, 0, 0]), allowed
        return [(*row, 0.1), (*row, 0.4)]
