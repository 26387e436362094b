"""Exercises to notebook 07, noisy labels."""

import torch
import torch.nn.functional as F

from ..targets import optimal_gap
from .engine import sign


class E07_1:
    """symmetric noise has the mean target of that ε.

    same: noise at rate ρ moves ρ to the K−1 others, smoothing at ε only ε(K−1)/K of it:
        the two shares differ (07 section 1).
    inverse: this is the way back, from ε to the noise rate. The same ρ needs a *larger*
        ε, because ε/K returns to the true class (07 section 1).
    six_built_in: right at K = 6 only: 1.2 is K/(K−1) there (07 section 1).
    one_other: this is the share of one other class, ρ/(K−1). In smoothing that share is
        ε/K: solve for ε (07 section 1).
    """

    right = lambda rate, k: rate * k / (k - 1)
    cases = lambda: [(0.2, 6), (0.3, 2), (0.27, 10)]
    same = lambda rate, k: rate
    inverse = lambda rate, k: rate * (k - 1) / k
    six_built_in = lambda rate, k: 1.2 * rate
    one_other = lambda rate, k: rate / (k - 1)


class E07_1_clicks:
    """a blind click is sometimes right, so fewer labels are wrong.

    all_wrong: 0.3 takes all blind clicks for wrong. One in six is right by luck
        (07 section 1).
    wrong_way: 0.36 is more than the share of blind clicks, and only those can be wrong:
        K/(K−1) is upside down (07 section 1).
    lucky_ones: 0.05 is the share of *lucky* blind clicks. The others are the wrong
        labels (07 section 1).
    """

    right, all_wrong, wrong_way, lucky_ones = 0.25, 0.3, 0.36, 0.05


class E07_2_total:
    """the shares that are kept multiply.

    added: 0.4 is the plain sum. What noise has already moved cannot be moved again: the
        shares that are *kept* multiply (07 section 2).
    raw_rate: this composes ε with ρ itself. Turn ρ into its α first (07 section 2).
    product: 0.03 is the share moved twice. Multiply what is kept, not what is moved
        (07 section 2).
    kept: 0.63 is the share that is kept; the total is what is moved (07 section 2).
    """

    right, added, raw_rate, product, kept = 0.37, 0.4, 1 - 0.9 * 0.73, 0.03, 0.63


class E07_2_gap:
    """noise and smoothing together decide where the logits stop.

    smoothing_only: this is the gap of ε alone. The noise lowers it (07 section 2).
    noise_only: this is the gap of the noise alone, α = 0.3 (07 section 2).
    of_the_sum: this is the gap of ε + α, the plain sum (07 section 2).
    six_classes: this is the gap at six classes. Here there are ten (01 section 6).
    """

    right = optimal_gap(0.37, 10)
    smoothing_only = optimal_gap(0.1, 10)
    noise_only = optimal_gap(0.3, 10)
    of_the_sum = optimal_gap(0.4, 10)
    six_classes = optimal_gap(0.37, 6)


def _eps(total, share):
    return 1 - (1 - total) / (1 - share)


class E07_2_eps:
    """where the noise alone is too much, the ε that is left is negative.

    difference: this is ε_tot − α. Smoothing acts on what the noise has left, so divide
        the kept shares instead (07 section 2).
    raw_rate: this divides by 1 − ρ. The noise keeps the share 1 − α (07 section 2).
    clamped: right until the noise is more than ε_tot. Then the answer is a *negative*
        ε, as in backward correction (07 section 2).
    upside_down: this divides the wrong way round: (1 − α)/(1 − ε_tot). Solve
        1 − ε_tot = (1 − ε)(1 − α) for ε (07 section 2).
    """

    right = lambda total, rate, k: _eps(total, rate * k / (k - 1))
    cases = lambda: [(0.37, 0.27, 10), (0.316, 0.2, 6), (0.1, 0.2, 6), (0.0, 0.1, 4)]
    difference = lambda total, rate, k: total - rate * k / (k - 1)
    raw_rate = lambda total, rate, k: _eps(total, rate)
    clamped = lambda total, rate, k: max(0.0, _eps(total, rate * k / (k - 1)))
    upside_down = lambda total, rate, k: _eps(rate * k / (k - 1), total)


def _counts(clean, noisy, k):
    return torch.bincount(clean * k + noisy, minlength=k * k).view(k, k).double()


class E07_3_matrix:
    """each row holds the labels that one class was given.

    counts: these are counts. A row of T holds probabilities: divide it by its sum
        (07 section 1).
    transposed: rows and columns are exchanged: the row is the *clean* class, the column
        the label it was given (07 section 1).
    by_label: columns sum to 1 here: that is p(class | label). T is p(label | class), so
        rows do (07 section 1).
    joint: the whole matrix sums to 1: these are shares of all pairs. Divide each row by
        its own sum (07 section 1).
    """

    right = lambda clean, noisy, k: F.normalize(_counts(clean, noisy, k), 1, 1)
    counts = _counts
    transposed = lambda clean, noisy, k: F.normalize(_counts(clean, noisy, k), 1, 1).mT
    by_label = lambda clean, noisy, k: F.normalize(_counts(clean, noisy, k), 1, 0)
    joint = lambda clean, noisy, k: _counts(clean, noisy, k) / len(clean)

    def cases():
        clean = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
        noisy = torch.tensor([0, 0, 0, 1, 1, 2, 1, 2, 2, 2, 2, 0])
        return [(clean, noisy, 3), (2 - clean, (noisy + 1) % 3, 3)]


def _forward(logits, labels, matrix):
    return F.nll_loss((logits.softmax(1) @ matrix).log(), labels)


def _expected(logits, rows):
    return -(rows * logits.log_softmax(1)).sum(1).mean()


class E07_3:
    """the network says the clean class, the matrix what the label will be.

    transposed: T is applied from the wrong side. p(label b) = Σ_a p(class a) T_ab, and
        that is `p @ T` (07 section 5).
    logs_mixed: this multiplies the *logarithms* by T. Probabilities are averaged, and
        the logarithm comes last (07 section 3).
    soft_target: this takes a row of T as a soft target: it adds noise to the label, as
        smoothing does, instead of to the prediction (07 section 2).
    backward: this is backward correction: the inverse of T on the losses, with targets
        below zero. Forward correction multiplies the prediction (07 section 2).
    uncorrected: this is plain cross-entropy on the noisy labels: T is not used
        (07 section 3).
    one_a_row: this is one loss a row. The exercise asks for their mean (02 section 3).
    """

    right = _forward
    transposed = lambda z, y, matrix: _forward(z, y, matrix.mT)
    logs_mixed = lambda z, y, matrix: F.nll_loss(z.log_softmax(1) @ matrix, y)
    soft_target = lambda z, y, matrix: _expected(z, matrix[y])
    backward = lambda z, y, matrix: _expected(z, matrix.inverse()[y])
    uncorrected = lambda z, y, matrix: F.cross_entropy(z, y)
    one_a_row = sign(lambda loss, z, y, matrix: loss.shape == y.shape)

    def cases():
        generator = torch.Generator().manual_seed(6)
        z, noise = torch.randn(2, 7, 4, generator=generator, dtype=torch.float64)
        matrix = F.normalize(torch.eye(4) + noise[:4].abs(), 1, 1)
        return [(2 * z, torch.tensor([0, 1, 2, 3, 3, 1, 0]), matrix)]
