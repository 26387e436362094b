"""Exercises to notebook 07, noisy labels."""

import torch
import torch.nn.functional as F

from ..targets import optimal_gap


class E07_1:
    """symmetric noise has the mean target of that ε (07.1).
    same: noise moves ρ to the K−1 others, smoothing only ε(K−1)/K.
    inverse: this is the way back, from ε to ρ. The same ρ needs a *larger* ε.
    one_other: this is one other class's share. In smoothing it is ε/K: solve for ε.
    """

    right = lambda rate, k: rate * k / (k - 1)
    cases = lambda: [(0.2, 6), (0.3, 2), (0.27, 10)]
    same = lambda rate, k: rate
    inverse = lambda rate, k: rate * (k - 1) / k
    six_built_in = lambda rate, k: 1.2 * rate
    one_other = lambda rate, k: rate / (k - 1)


class E07_1_clicks:
    """a blind click is sometimes right, so fewer labels are wrong (07.1).
    all_wrong: 0.3 takes all blind clicks for wrong. One in six is right by luck.
    wrong_way: more than the share of blind clicks: K/(K−1) is upside down.
    lucky_ones: this is the share of *lucky* blind clicks. The others are wrong.
    """

    right, all_wrong, wrong_way, lucky_ones = 0.25, 0.3, 0.36, 0.05


class E07_2_total:
    """the shares that are kept multiply (07.2).
    added: this is the sum. The shares that are *kept* multiply.
    raw_rate: this composes ε with ρ itself. Turn ρ into its α first.
    product: this is the share moved twice. Multiply what is kept.
    """

    right, added, raw_rate, product = 0.37, 0.4, 1 - 0.9 * 0.73, 0.03


class E07_2_gap:
    """noise and smoothing together decide where the logits stop (07.2).
    smoothing_only: this is the gap of ε alone. The noise lowers it.
    noise_only: this is the gap of the noise alone, α = 0.3.
    of_the_sum: this is the gap of ε + α, the plain sum.
    """

    right, six_classes = optimal_gap(0.37, 10), optimal_gap(0.37, 6)
    smoothing_only, noise_only = optimal_gap(0.1, 10), optimal_gap(0.3, 10)
    of_the_sum = optimal_gap(0.4, 10)


def _eps(total, share):
    return 1 - (1 - total) / (1 - share)


class E07_2_eps:
    """where the noise alone is too much, the ε that is left is negative (07.2).
    difference: this is ε_tot − α. Divide the kept shares instead.
    raw_rate: this divides by 1 − ρ. The noise keeps the share 1 − α.
    clamped: with more noise than ε_tot the answer is *negative*.
    upside_down: (1 − α)/(1 − ε_tot) is the wrong way round.
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
    """each row holds the labels that one class was given (07.1).
    counts: these are counts. Divide each row by its sum.
    by_label: columns sum to 1: that is p(class | label). Here rows do.
    joint: these are shares of all pairs. Divide each row by its own sum.
    """

    right = lambda clean, noisy, k: F.normalize(_counts(clean, noisy, k), 1, 1)
    counts = _counts
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
    """the network says the clean class, the matrix what the label will be (07.3).
    transposed: T is applied from the wrong side: it is `p @ T` (07.5).
    logs_mixed: you mixed *logarithms*. Mix probabilities; the logarithm comes last.
    soft_target: this adds noise to the label, as smoothing does (07.2).
    backward: backward correction inverts T. Forward: multiply the prediction (07.2).
    uncorrected: this is plain cross-entropy: T is not used (07.3).
    """

    right = _forward
    transposed = lambda z, y, matrix: _forward(z, y, matrix.mT)
    logs_mixed = lambda z, y, matrix: F.nll_loss(z.log_softmax(1) @ matrix, y)
    soft_target = lambda z, y, matrix: _expected(z, matrix[y])
    backward = lambda z, y, matrix: _expected(z, matrix.inverse()[y])
    uncorrected = lambda z, y, matrix: F.cross_entropy(z, y)

    def cases():
        generator = torch.Generator().manual_seed(6)
        z, noise = torch.randn(2, 7, 4, generator=generator, dtype=torch.float64)
        matrix = F.normalize(torch.eye(4) + noise[:4].abs(), 1, 1)
        return [(2 * z, torch.tensor([0, 1, 2, 3, 3, 1, 0]), matrix)]
