"""Exercises to notebook 02, the loss as code."""

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


class E02_1:
    """both parts have their share, and the rows are reduced last.

    as_it_was: this is still the loss of the introduction, with both mistakes. What do
        the two parts weigh together, and who reduces them? (02 section 6, bugs 1 and 2)
    factor_missing: the reduction is right now. The NLL still counts in full, so that
        the target sums to 1 + ε (02 section 6, bug 1).
    always_mean: the factor is right now. The smooth part is still a mean, whatever
        `reduction` says (02 section 6, bug 2).
    broadcast: (N,) plus (N, 1) is (N, N): one part kept its axis and the other did not.
        Look at the shape for "none" (02 section 6, bug 3).
    summed_classes: the smooth part sums over the classes. Each class gets ε/K, so it is
        their mean that weighs ε (02 section 3).
    """

    right = lambda z, y, eps, how: _loss(z, y, eps, how)
    cases = lambda: [(*_rows(5, 1), 0.1, how) for how in ("mean", "sum", "none")]
    as_it_was = lambda z, y, eps, how: _loss(z, y, eps, how, nll=1, mean=True)
    factor_missing = lambda z, y, eps, how: _loss(z, y, eps, how, nll=1)
    always_mean = lambda z, y, eps, how: _loss(z, y, eps, how, mean=True)
    broadcast = lambda z, y, eps, how: _loss(z, y, eps, how, axis=(None,))
    summed_classes = lambda z, y, eps, how: _loss(z, y, eps, how, uniform=6)


def _gradient(logits, targets, eps, leak=False, hard=False, rows=None):
    live = targets != -100
    q = F.one_hot(targets.where(live, 0), logits.shape[1]).double()
    q = q if hard else (1 - eps) * q + eps / logits.shape[1]
    gradient = (logits.softmax(1) - q) / (rows or live.sum())
    return gradient if leak else gradient.where(live[:, None], 0.0)


class E02_2:
    """p − q′ over the number of rows that count, and zero elsewhere.

    of_the_sum: this is the gradient of the *sum* of the row losses. For the mean,
        divide by the number of rows that count (02 section 7).
    all_rows: the mean divides by the rows that have a label. Ignored rows add nothing
        to the count either (02 section 4).
    hard: this is p − q with the one-hot row. The target is smoothed (01 section 7).
    uphill: this is q′ − p, downhill. The gradient points uphill: p − q′ (01 section 7).
    leaky: right for rows that count; an ignored row has to get exactly zero, and here
        it is trained as if it were of class 0 (02 section 6, bug 5).
    times_nan: an ignored row that holds nan leaks: 0 · nan is nan. Choose by `where` or
        `masked_fill`, do not multiply by zero (02 section 4).
    """

    right = lambda z, y, eps: _gradient(z, y, eps)
    of_the_sum = lambda z, y, eps: _gradient(z, y, eps, rows=1)
    all_rows = lambda z, y, eps: _gradient(z, y, eps, rows=len(y))
    hard = lambda z, y, eps: _gradient(z, y, eps, hard=True)
    uphill = lambda z, y, eps: -_gradient(z, y, eps)
    leaky = lambda z, y, eps: _gradient(z, y, eps, leak=True)
    times_nan = sign(lambda gradient, z, y, eps: gradient.isnan().any())

    def cases():
        (z, y), (z_pad, padded), (z_nan, holed) = (_rows(5, seed) for seed in (2, 3, 4))
        padded[3:] = holed[1] = -100
        z_nan[1] = torch.nan
        return [(z, y, 0.1), (z_pad, padded, 0.2), (z_nan, holed, 0.1)]


def _masked(z, y, allowed, eps, count=None, masked=True):
    log_p = (z.masked_fill(~allowed, -torch.inf) if masked else z).log_softmax(1)
    smooth = -log_p.where(allowed, 0.0).sum(1) / (count or allowed.sum(1))
    return (1 - eps) * -log_p.gather(1, y[:, None]).squeeze(1) + eps * smooth


class E02_3:
    """ε is shared by the allowed classes, and no forbidden one adds anything.

    impossible: the loss is infinite: forbidden classes still get a share of ε, which
        they cannot have (02 section 10).
    divided_by_all: the smooth part leaves forbidden classes out, but still divides by
        K: what they would have got is lost, and the row sums to less than 1
        (02 section 10).
    mask_after: the softmax still runs over all classes, so that p gives mass to
        forbidden ones. Mask the logits before it (02 section 10).
    unsmoothed: this is the plain loss over the allowed classes: ε is not used. Share it
        among them (02 section 10).
    nan: a row is nan: 0 · (−∞). Take the logarithms of forbidden classes out before you
        multiply or sum (02 section 10).
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
