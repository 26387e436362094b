"""Exercises to deep dive 02b, bytes and the one-pass loss."""

from math import inf, log, nan

import torch
import torch.nn.functional as F

from ..targets import smooth_targets
from .engine import draw, sign

GB = 4096 * 32_000 / 1e9  # of one byte a logit, in 02b-1


class E02b_1_moved:
    """one read and one write, two bytes each (02b.1).
    read_only: you counted the read. The gradient is written as well.
    single: eight bytes a logit, as in float32. In bfloat16 they are two and two.
    recomputed: six bytes a logit are recompute=True: read twice, written once (02b.6).
    unfused: twelve passes of the loss in two parts. A fused loss makes one trip.
    """

    tol = 1e-2
    right, read_only, single, recomputed = 4 * GB, 2 * GB, 8 * GB, 6 * GB
    binary, unfused = 4 * GB * 1e9 / 2**30, 24 * GB


class E02b_1_scaled:
    """the kept gradient makes a second trip, unless the scale was known (02b.6).
    unchanged: here the kept gradient is multiplied: read and written again.
    six: six bytes are recompute=True. The kept gradient makes a second trip.
    """

    tol = 1e-2
    right, unchanged, six, binary = 8 * GB, 4 * GB, 6 * GB, 8 * GB * 1e9 / 2**30


class E02b_1_held:
    """in place the gradient takes the room of the logits (02b.5).
    one_copy: that is the default. In place it is written where the logits were.
    three_copies: these are PyTorch's three copies.
    moved: so many bytes are *moved*. Nothing new has to be held for that.
    """

    right, one_copy, three_copies, moved = 0.0, 2 * GB, 6 * GB, 4 * GB


def _merge(a, b, factor=torch.exp, moved=lambda t, n, d: t + n * d):
    """Two blocks' (m, s, t, n) as one; d is how far a block's m lies below the new."""
    blocks = torch.tensor([a, b], dtype=torch.float64)
    m = blocks[:, 0].max()
    s = t = 0.0
    for own, its_s, its_t, n in blocks:
        if n > 0:
            s = s + its_s * factor(own - m)
            t = t + moved(its_t, n, own - m)
    return torch.stack([m, s, t, blocks[:, 3].sum()])


class E02b_2:
    """each block is moved to the common maximum, s by a factor, t by n steps (02b.2).
    not_rescaled: the two s have different heights: the factor e^(m − m′) is missing.
    upwards: the new maximum is larger, so an old sum gets *smaller*: e^(m − m′).
    t_added: t is measured from a maximum too: it moves by n(m − m′).
    t_scaled: t is no sum of exponentials: it moves by n(m − m′), without a factor.
    t_once: t moves by m − m′ for *each* of the n classes seen so far.
    empty: nan: an empty block has m = −∞, and 0 · (−∞) is nan. Leave it out (02b.4).
    """

    right = lambda a, b: _merge(a, b)
    not_rescaled = lambda a, b: _merge(a, b, factor=lambda d: 1.0)
    upwards = lambda a, b: _merge(a, b, factor=lambda d: (-d).exp())
    t_added = lambda a, b: _merge(a, b, moved=lambda t, n, d: t)
    t_scaled = lambda a, b: _merge(a, b, moved=lambda t, n, d: t * d.exp())
    t_once = lambda a, b: _merge(a, b, moved=lambda t, n, d: t + d)
    empty = sign(lambda merged, a, b: merged.isnan().any())

    def cases():
        first, second = (2.0, 1.8, -3.5, 4), (3.5, 2.5, -4.0, 3)
        nothing = (-inf, 0.0, 0.0, 0)
        return [(first, second), (second, first), (nothing, first), (second, nothing)]


class E02b_2_loss:
    """three sums and the true logit are enough (02b.2).
    absolute: z_y is the logit as it is. Measure it from m, as all else.
    whole_t: t is a sum over the K classes; its mean is wanted.
    others: ε was not taken from the true class: it weighs 1 − ε.
    missing: the smooth part is missing: this is the loss of a one-hot label.
    """

    right = lambda m, s, t, z, eps, k: log(s) - (1 - eps) * (z - m) - eps * t / k
    cases = lambda: [(3.0, 1.8, -9.0, 2.0, 0.1, 6), (-2.0, 7.0, -20.0, -5.0, 0.3, 10)]
    absolute = lambda m, s, t, z, eps, k: log(s) - (1 - eps) * z - eps * t / k
    whole_t = lambda m, s, t, z, eps, k: log(s) - (1 - eps) * (z - m) - eps * t
    others = lambda m, s, t, z, eps, k: log(s) - (z - m) - eps * t / k
    missing = lambda m, s, t, z, eps, k: log(s) - (z - m)


def _rows(z, y, lse, up, eps, spread="all"):
    soft = smooth_targets(y.clamp(min=0), z.shape[1], eps, spread, z.dtype)
    rows = ((z - lse[:, None]).exp() - soft) * up[:, None]
    return torch.where((y == -100)[:, None], 0.0, rows)


class E02b_3:
    """a row is p − q′ times its upstream factor, and an ignored row is zero (02b.6).
    no_upstream: the upstream factor of the row is missing.
    mean_upstream: the rows got one common factor. Each has its own.
    hard: this subtracts a one-hot row. The target is smoothed (02b.3).
    ignored: an ignored row has no label, and so no gradient (02b.4).
    product: nan: an ignored row may hold nan, and 0 · nan is nan. Use `where` (02b.4).
    """

    right = lambda *case: _rows(*case)
    no_upstream = lambda z, y, lse, up, eps: _rows(z, y, lse, up**0, eps)
    mean_upstream = lambda z, y, lse, up, eps: _rows(z, y, lse, up**0 * up.mean(), eps)
    hard = lambda *case: _rows(*case[:4], 0.0)
    others = lambda *case: _rows(*case, spread="others")
    ignored = sign(lambda g, z, y, *_: (g[y == -100].nan_to_num(0.0) != 0).any())
    product = sign(lambda g, *_: g.isnan().any())

    def cases():
        z, y = 3 * draw(8, 6, 7), torch.tensor([3, 0, -100, 6, -100, 2])
        z[4, 2] = nan
        up = torch.tensor([1.0, 0.5, 2.0, -3.0, 1.0, 0.25], dtype=torch.float64)
        return [(z, y, z.logsumexp(1), up, 0.1)]


def _by(how):
    """A function of the chunks' sums of losses and numbers of labels."""

    def answer(z, y, eps, rows):
        loss = F.cross_entropy(z, y, label_smoothing=eps, reduction="none")
        parts = zip(loss.split(rows), (y != -100).split(rows), strict=True)
        return how(*torch.tensor([[x.sum() for x in part] for part in parts]).mT)

    return answer


class E02b_3_chunks:
    """sums are added up; one division comes last (02.5).
    mean_of_means: this is a mean of means. Add sums, and divide once.
    all_rows: you divided by all rows. The mean is over those that have a label.
    last_lost: the last chunk is shorter, and it is missing (02b.4).
    empty_chunk: nan: in one chunk no row has a label, and its mean is 0 / 0. Add sums.
    """

    right = _by(lambda sums, live: sums.sum() / live.sum())
    mean_of_means = _by(lambda sums, live: (sums / live)[live > 0].mean())
    all_rows = _by(lambda sums, live: sums.sum() / 11)
    last_lost = _by(lambda sums, live: sums[:-1].sum() / live[:-1].sum())
    empty_chunk = sign(lambda loss, *_: loss.isnan())

    def cases():
        y = torch.tensor([0, 1, 2, 3, -100, -100, -100, -100, 4, -100, 5])
        z = 2 * draw(18, len(y), 6)
        return [(z, y, 0.1, 4), (z.flip(1), y.flip(0), 0.2, 3)]
