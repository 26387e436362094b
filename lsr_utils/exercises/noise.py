"""Exercises to notebook 07, noisy labels."""

import math

import torch
import torch.nn.functional as F


class E07_roll:
    """where the dice fall below ε the label is drawn, elsewhere it stays (07.2).
    swapped: this re-draws where the dice fall *above* ε: nine labels in ten.
    never: every label is as it was: the dice are not used.
    """

    right = lambda y, dice, drawn, eps: torch.where(dice < eps, drawn, y)
    swapped = lambda y, dice, drawn, eps: torch.where(dice < eps, y, drawn)
    never = lambda y, *_: y

    def cases():
        y, drawn = torch.arange(8) % 6, torch.tensor([3, 3, 0, 5, 1, 2, 2, 4])
        return [(y, torch.arange(8) / 8, drawn, eps) for eps in (0.3, 0.1)]


class E07_corrected:
    """the network is held against the *noisy* label, in probabilities (07.4).
    smoothed: this smooths the loss. Correction mixes *probabilities*; then ln.
    uncorrected: the noise is not used: this is the plain NLL.
    without_luck: a drawn label hits this class in one case of six: add a/K.
    """

    right = lambda p_y, a: -((1 - a) * p_y + a / 6).log()
    cases = lambda: [(torch.tensor([0.9, 0.5, 0.01]), a) for a in (0.24, 0.48)]
    smoothed = lambda p_y, a: -(1 - a) * p_y.log() + a * math.log(6)
    uncorrected = lambda p_y, a: -p_y.log()
    without_luck = lambda p_y, a: -((1 - a) * p_y).log()


class E07_1_noise:
    """smoothing is the expectation of that noise; no label is changed (07.2).
    a: that is label noise. In smoothing no dice are rolled: each target is its mean.
    c: labels changed once, for good, would be learned by heart. None is changed here.
    """

    right, a, c = "b", "a", "c"


class E07_1_clicks:
    """a blind click is sometimes right, so fewer labels are wrong (07.2).
    all_wrong: 0.3 takes all blind clicks for wrong. One in six is right by luck.
    wrong_way: more than the share of blind clicks: K/(K−1) is upside down.
    one_class: this is the share that lands on *one* class. Five classes are wrong.
    """

    right, all_wrong, wrong_way, one_class = 0.25, 0.3, 0.36, 0.05


def _true_class(total):
    return 1 - total + total / 6


class E07_2_confidence:
    """noise and smoothing add up: 1 − ε_total = 0.9 · 0.76 (07.3).
    cancels: this subtracts ε from the noise. Smoothing *adds* to it.
    smoothing_only: this is for ε alone. The noise lowers it further.
    noise_only: this is for the noise alone. Smoothing does not take it away.
    raw_rate: this composes ε with 0.2. The share that is *re-drawn* is 0.24 (07.2).
    of_the_sum: this is for the plain sum, 0.34. The shares *kept* multiply.
    taken_off: two shares do not simply come off 1: what is kept multiplies.
    kept_only: this is the share kept. A sixth of the rest falls to the true class.
    """

    right, cancels, taken_off = _true_class(1 - 0.9 * 0.76), _true_class(0.14), 0.7
    smoothing_only, noise_only = _true_class(0.1), _true_class(0.24)
    raw_rate, of_the_sum, kept_only = _true_class(0.28), _true_class(0.34), 0.684


class E07_2_eps:
    """where the noise alone is too much, the ε that is left is negative (07.3).
    difference: this is ε_total − α. Divide the kept shares instead.
    clamped: with more noise than ε_total the answer is *negative*.
    upside_down: (1 − α)/(1 − ε_total) is the wrong way round.
    """

    right = lambda total, alpha: 1 - (1 - total) / (1 - alpha)
    cases = lambda: [(0.37, 0.3), (0.316, 0.24), (0.1, 0.24), (0.0, 0.2)]
    difference = lambda total, alpha: total - alpha
    clamped = lambda total, alpha: max(0.0, 1 - (1 - total) / (1 - alpha))
    upside_down = lambda total, alpha: 1 - (1 - alpha) / (1 - total)


class E07_3_stop:
    """noisy labels of *other* images tell when to stop (07.4).
    a: they need not be clean: wrong labels lower every accuracy alike.
    c: the noisy *training* loss falls to the end, while wrong labels are learned.
    """

    right, a, c = "b", "a", "c"


def _forward(logits, labels, matrix):
    return F.nll_loss((logits.softmax(1) @ matrix).log(), labels)


def _expected(logits, rows):
    return -(rows * logits.log_softmax(1)).sum(1).mean()


class E07_3:
    """the network says the clean class, the matrix what the label will be (07a.3).
    transposed: T is applied from the wrong side: it is `p @ T`.
    logs_mixed: you mixed *logarithms*. Mix probabilities; the logarithm comes last.
    soft_target: this adds noise to the label, as smoothing does (07.2).
    backward: backward correction inverts T. Forward: multiply the prediction (07a.2).
    no_log: `nll_loss` wants logarithms of probabilities. Take the log first (02.2).
    uncorrected: this is plain cross-entropy: T is not used.
    """

    right = _forward
    transposed = lambda z, y, matrix: _forward(z, y, matrix.mT)
    logs_mixed = lambda z, y, matrix: F.nll_loss(z.log_softmax(1) @ matrix, y)
    soft_target = lambda z, y, matrix: _expected(z, matrix[y])
    backward = lambda z, y, matrix: _expected(z, matrix.inverse()[y])
    no_log = lambda z, y, matrix: F.nll_loss(z.softmax(1) @ matrix, y)
    uncorrected = lambda z, y, matrix: F.cross_entropy(z, y)

    def cases():
        generator = torch.Generator().manual_seed(6)
        z, noise = torch.randn(2, 7, 4, generator=generator, dtype=torch.float64)
        matrix = F.normalize(torch.eye(4) + noise[:4].abs(), 1, 1)
        return [(2 * z, torch.tensor([0, 1, 2, 3, 3, 1, 0]), matrix)]
