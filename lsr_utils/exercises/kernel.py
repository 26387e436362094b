"""Exercises to deep dive 02b, bytes and the one-pass loss."""

from math import inf, log, nan

import torch
import torch.nn.functional as F

from ..targets import smooth_targets
from .engine import draw, sign

GB = 4096 * 32_000 / 1e9  # of one byte a logit, in 02b-1


class E02b_1_moved:
    """one read and one write, two bytes each.

    read_only: you counted the read. The gradient has as many elements, and each is
        written once (02b section 1).
    single: these are eight bytes a logit, as in float32. bfloat16 has two bytes, read
        once and written once (02b section 1).
    recomputed: these are six bytes a logit: read twice, written once. That is
        recompute=True; the default keeps its gradient (02b section 6).
    binary: these are GiB, of 2³⁰ bytes. Speeds are in GB, of 10⁹ (02b section 1).
    unfused: these are the twelve passes of the loss in two parts. A fused loss makes
        one trip (02b section 1).
    """

    tol = 1e-2
    right, read_only, single, recomputed = 4 * GB, 2 * GB, 8 * GB, 6 * GB
    binary, unfused = 4 * GB * 1e9 / 2**30, 24 * GB


class E02b_1_scaled:
    """the kept gradient makes a second trip, unless the scale was known.

    unchanged: so many are moved when the upstream gradient is one. Here the kept
        gradient has to be multiplied: read again, and written again (02b section 6).
    six: these are six bytes a logit, as with recompute=True. The default has kept a
        gradient in memory: it is read *and* written once more (02b section 6).
    binary: these are GiB, of 2³⁰ bytes. Speeds are in GB, of 10⁹ (02b section 1).
    """

    tol = 1e-2
    right, unchanged, six, binary = 8 * GB, 4 * GB, 6 * GB, 8 * GB * 1e9 / 2**30


class E02b_1_held:
    """in place the gradient takes the room of the logits.

    one_copy: that is the default, with a gradient of its own. In place it is written
        where the logits were (02b section 5).
    three_copies: these are PyTorch's three copies (02b section 5).
    moved: so many bytes are *moved*. Nothing new has to be held for that
        (02b section 5).
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
    """each block is moved to the common maximum, s by a factor, t by n steps.

    not_rescaled: the two s are measured from different heights. Bring each to the new
        maximum first, by the factor e^(m − m′) (02b section 2).
    upwards: the factor is upside down. The new maximum is larger, so an old sum gets
        *smaller*: e^(m − m′) (02b section 2).
    t_added: t is measured from a maximum too: it moves by n(m − m′) (02b section 2).
    t_scaled: t is a sum of differences and no sum of exponentials: it does not take the
        factor of s. It moves by n(m − m′) (02b section 2).
    t_once: t moves by m − m′ for *each* of the n classes seen so far (02b section 2).
    empty: nan: an empty block has m = −∞, and 0 · (−∞) is nan. Leave out a block
        without classes (02b section 4).
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
    """three sums and the true logit are enough.

    absolute: z_y is the logit as it is. Measure it from m, as all else (02b section 2).
    whole_t: t is a sum over the K classes; its mean is wanted (02b section 2).
    others: ε was not taken from the true class: it weighs 1 − ε (02b section 2).
    missing: the smooth part is missing: this is the loss of a one-hot label
        (02b section 2).
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
    """a row is p − q′ times its upstream factor, and an ignored row is zero.

    no_upstream: the factor of the row is missing: the loss is multiplied after the
        kernel (02b section 6).
    mean_upstream: the rows got one common factor. Each has its own (02b section 6).
    hard: this subtracts a one-hot row. The target is smoothed: (1 − ε) where the label
        is, and ε/K everywhere (02b section 3).
    others: ε went to the K−1 others; here it is spread over all K (01 section 3).
    ignored: an ignored row has no label and so no gradient, whatever its logits are
        (02b section 4).
    product: nan: an ignored row may hold nan, and 0 · nan is nan. Choose with `where`
        (02b section 4).
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
    """sums are added up; one division comes last.

    mean_of_means: chunks do not all have the same number of labels, so the mean of
        their means is another number. Add sums, and divide once (02 section 5).
    all_rows: you divided by all rows. The mean is over those that have a label
        (02 section 5).
    last_lost: the last chunk is shorter, and it is missing (02b section 4).
    empty_chunk: nan: in one chunk no row has a label, and its mean is 0 / 0. Add sums
        (02 section 5).
    """

    right = _by(lambda sums, live: sums.sum() / live.sum())
    mean_of_means = _by(lambda sums, live: (sums / live)[live > 0].mean())
    all_rows = lambda z, y, eps, _: F.cross_entropy(
        z, y, label_smoothing=eps, reduction="none"
    ).mean()
    last_lost = _by(lambda sums, live: sums[:-1].sum() / live[:-1].sum())
    empty_chunk = sign(lambda loss, *_: loss.isnan())

    def cases():
        y = torch.tensor([0, 1, 2, 3, -100, -100, -100, -100, 4, -100, 5])
        z = 2 * draw(18, len(y), 6)
        return [(z, y, 0.1, 4), (z.flip(1), y.flip(0), 0.2, 3)]
