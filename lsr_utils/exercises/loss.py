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
    """the NLL weighs 1−ε, the uniform part ε (02.3).
    factor_missing: the NLL counts in full here: the label sums to 1 + ε.
    swapped: the weights are the wrong way round: ε belongs to the uniform part.
    """

    right = _loss(_Z, _Y, 0.1, "none")
    factor_missing = _loss(_Z, _Y, 0.1, "none", nll=1)
    swapped = _loss(_Z, _Y, 0.9, "none")


class E02_grad:
    """softmax minus label, over the number of rows (02.4).
    hard: this is p − q with the one-hot row. The label is smoothed.
    log: the gradient has the probabilities p, not their logarithms.
    """

    right = _gradient(_Z, _Y)
    hard = _gradient(_Z, _Y, 0.0)
    log = (_Z.log_softmax(1) - _Z.softmax(1)) / 8 + right


# Exercises. ---------------------------------------------------------------------------


class E02_1_eps:
    """it is PyTorch's loss with ε/(1+ε), times 1+ε: 0.0909 in place of 0.1 (02.3).
    unchanged: the row of this class sums to 1+ε: divide it by its sum first.
    times: the row has ε/K *before* it is divided by its sum 1+ε: ε gets smaller.
    missing: ε/(1−ε) belongs to a row that sums to 1−ε. This one sums to more than 1.
    """

    right = lambda eps, k: eps / (1 + eps)
    cases = lambda: [(0.1, 6), (0.3, 2), (0.5, 10), (0.0, 4)]
    unchanged = lambda eps, k: eps
    times = lambda eps, k: eps * (1 + eps)
    missing = lambda eps, k: eps / (1 - eps)


class E02_1_loss:
    """both parts have their share, and the rows are reduced last (02.3).
    as_it_was: this is still the copied class, with both mistakes.
    factor_missing: reduced rightly. The NLL counts in full: the label sums to 1 + ε.
    always_mean: the uniform part is still a mean, whatever `reduction` says.
    summed_classes: the uniform part sums over the classes. Take their mean.
    bare: no row can cost less than its floor, 0.421. Is a log_softmax missing?
    """

    right = lambda z, y, eps, how: _loss(z, y, eps, how)
    cases = lambda: [(*_rows(5, 1), 0.1, how) for how in ("mean", "sum", "none")]
    as_it_was = lambda z, y, eps, how: _loss(z, y, eps, how, nll=1, mean=True)
    factor_missing = lambda z, y, eps, how: _loss(z, y, eps, how, nll=1)
    always_mean = lambda z, y, eps, how: _loss(z, y, eps, how, mean=True)
    summed_classes = lambda z, y, eps, how: _loss(z, y, eps, how, uniform=6)
    bare = sign(lambda found, *case: (found.min() < 0.42).item())


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
    """alone or in a batch, a row costs the same (02.3).
    by_mean: this compares means, or sums. Only the single rows are wrong.
    signed: a row may be too large or too small. Take absolute values first.
    against_pytorch: this compares with PyTorch's loss, not with the row alone.
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
    """add the sums, add the counts, divide once (02.5).
    mean_of_means: a mean of means: short batches count more. Add sums and counts.
    means_that_exist: still a mean of means, of those that exist: add sums and counts.
    all_rows: ignored rows count in the divisor here. Count rows that have a label.
    summed: this is the sum. Divide it by the number of all rows with a label.
    per_batch: this divides by the number of batches, not of rows.
    nan: a batch without any label has 0/0 = nan. Its sum is 0, and so is its count.
    """

    right = lambda parts, eps: _parts(parts, eps).sum() / _live(parts)
    mean_of_means = lambda parts, eps: _parts(parts, eps, "mean").mean()
    means_that_exist = lambda parts, eps: _parts(parts, eps, "mean").nanmean()
    all_rows = lambda p, eps: _parts(p, eps).sum() / sum(len(y) for _, y in p)
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
    """ε is shared by the allowed classes, and no forbidden one adds anything (02.7).
    impossible: infinite: forbidden classes still get a share of ε.
    divided_by_all: the uniform part divides by K, forbidden classes included.
    mask_after: the softmax still runs over all classes. Mask the logits first.
    nan: nan: 0 · (−∞). Take forbidden classes out before you multiply or sum.
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
