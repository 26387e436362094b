"""Wrong answers to the exercises of part II (03, 04), as a reader would write them."""

import math

import numpy as np
import pytest
import torch
from exercise_files import check_planted, planted_cases
from scipy import stats

from lsr_utils.exercises import verdict


def floor(eps, spread=6):
    """Entropy of the smoothed row of six classes; ε over 6 or over 5 of them."""
    each = eps / spread
    row = [1 - 5 * each] + [each] * 5
    return -sum(q * math.log(q) for q in row if q)


LOSSES = np.array([0.0310, 0.4283, 0.7402])
EPS = np.array([0.0, 0.1, 0.2])


def scipys(treated, control, level=0.95):
    found = stats.ttest_rel(treated, control).confidence_interval(level)
    return tuple(found)


def with_width(treated, control, factor):
    """The right interval, its half width times a factor."""
    low, high = scipys(treated, control)
    middle, half = (low + high) / 2, (high - low) / 2 * factor
    return middle - half, middle + half


def normal(treated, control):
    s = len(treated)
    return with_width(treated, control, 1.959964 / stats.t.isf(0.025, s - 1))


def chosen(by, report):
    """The column with the best mean in one array, its gain in another."""
    sums = [sum(column) for column in by.T]
    k = sums.index(max(sums))
    return k, float(np.mean(report[:, k]) - np.mean(report[:, 0]))


def no_zero(validation, test):
    k, _ = chosen(validation[:, 1:], test[:, 1:])
    return k + 1, float(np.mean(test[:, k + 1] - test[:, 0]))


def accuracy(validation, test):
    k, _ = chosen(validation, test)
    return [k, test[:, k].mean()]


def table(clean, noisy, k):
    counts = torch.zeros(k, k)
    for a, b in zip(clean, noisy, strict=True):
        counts[a, b] += 1
    return counts


def columns(clean, noisy, k):
    return torch.stack([c / c.sum() for c in table(clean, noisy, k).T], 1)


def transposed(clean, noisy, k):
    return torch.stack([row / row.sum() for row in table(clean, noisy, k)], 1)


def forward(logits, labels, matrix, mean=True):
    p = torch.einsum("na,ab->nb", logits.softmax(1), matrix)
    rows = torch.stack([-p[i, b].log() for i, b in enumerate(labels)])
    return rows.mean() if mean else rows


def mixed_logs(logits, labels, matrix):
    log_p = torch.einsum("na,ab->nb", logits.log_softmax(1), matrix)
    return -sum(log_p[i, b] for i, b in enumerate(labels)) / len(labels)


def weighted(logits, rows):
    """Cross-entropy with these target rows, which need not be distributions."""
    return -torch.einsum("nb,nb->n", rows, logits.log_softmax(1)).mean()


PLANTED = {
    "03-1 excess": [
        (LOSSES, "as trained"),
        (LOSSES - EPS, "took ε away"),
        ([x - floor(e, 5) for x, e in zip(LOSSES, EPS, strict=True)], "K−1 others"),
        (LOSSES - 0.4210, "from all three"),
        (LOSSES / 2, "this is not it"),
    ],
    "03-1 best": [(0, "lowest *number*"), (0.2, "highest floor"), (0.5, "not it")],
    "03-2": [
        (
            lambda a, b: tuple(stats.ttest_ind(a, b).confidence_interval()),
            "two *independent* groups",
        ),
        (normal, "normal distribution's"),
        (lambda a, b: with_width(a, b, math.sqrt(1 - 1 / len(a))), "ddof=1"),
        (lambda a, b: with_width(a, b, math.sqrt(len(a))), "lacks its √S"),
        (lambda a, b: scipys(b, a), "control minus treated"),
        (lambda a, b: scipys(a, b, 0.9), "90 % interval"),
        (lambda a, b: scipys(a, b)[::-1], "it returns (0.0"),
    ],
    "03-2 speaks": [("b", "the same for all twenty"), ("C", "one more pair")],
    "03-3": [
        (lambda v, t: chosen(t, t), "luck took part"),
        (lambda v, t: chosen(v, v), "validation data it was"),
        (accuracy, "is an accuracy"),
        (no_zero, "Keep it in the list"),
    ],
    "04-1": [
        (lambda rate, k: rate, "two shares differ"),
        (lambda rate, k: rate - rate / k, "the way back"),
        (lambda rate, k: rate * 6 / 5, "K = 6 only"),
        (lambda rate, k: rate / (k - 1), "one other class"),
    ],
    "04-1 clicks": [
        (0.3, "by luck"),
        (0.36, "upside down"),
        (0.05, "*lucky* blind clicks"),
    ],
    "04-2 total": [
        (0.3 + 0.1, "plain sum"),
        (0.343, "ρ itself"),
        (0.03, "moved twice"),
        (0.63, "share that is kept"),
    ],
    "04-2 gap": [
        (math.log(91), "gap of ε alone"),
        (math.log(1 + 7 / 0.3), "noise alone"),
        (math.log(16), "plain sum"),
        (math.log(1 + 6 * 0.63 / 0.37), "six classes"),
    ],
    "04-2 eps": [
        (lambda total, rate, k: total - rate - rate / (k - 1), "ε_tot − α"),
        (lambda total, rate, k: (total - rate) / (1 - rate), "1 − ρ"),
        (
            lambda total, rate, k: np.clip(
                1 - (1 - total) / (1 - rate - rate / (k - 1)), 0, 1
            ),
            "*negative*",
        ),
        (
            lambda total, rate, k: 1 - (1 - rate - rate / (k - 1)) / (1 - total),
            "the wrong way round",
        ),
    ],
    "04-3 matrix": [
        (table, "these are counts"),
        (transposed, "rows and columns"),
        (columns, "p(class | label)"),
        (lambda c, n, k: table(c, n, k) / c.numel(), "whole matrix sums to 1"),
    ],
    "04-3": [
        (lambda z, y, t: forward(z, y, t.T), "wrong side"),
        (mixed_logs, "*logarithms*"),
        (lambda z, y, t: weighted(z, t[y]), "soft target"),
        (lambda z, y, t: weighted(z, torch.linalg.inv(t)[y]), "backward correction"),
        (lambda z, y, t: forward(z, y, torch.eye(4).double()), "T is not used"),
        (lambda z, y, t: forward(z, y, t, mean=False), "one loss a row"),
    ],
}


@pytest.mark.parametrize(("name", "answer", "words"), planted_cases(PLANTED))
def test_a_wrong_answer_is_named(name, answer, words):
    line = verdict(name, answer)
    assert line.startswith(f"Exercise {name}: not yet: ") and words in line


def test_three_mistakes_are_told_apart_in_each_exercise():
    check_planted(PLANTED, ("03", "04"))
