"""Wrong answers to the exercises of part I (01, 02), as a reader would write them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exercise_files import check_planted, planted_cases

from lsr_utils.exercises import verdict


def literal(eps, k):
    """The ε of the normalised row of the text."""
    true, other = 1 - eps, eps / k
    return other / (true + (k - 1) * other) * k


def entropy(row, log=math.log):
    return -sum(q * log(q) for q in row)


def kl_terms(q, p):
    return torch.stack(
        [a * torch.log(a / b) if a else a for a, b in zip(q, p, strict=1)]
    )


def circulating(logits, targets, eps, reduction):
    log_p = logits.log_softmax(1)
    nll = F.nll_loss(log_p, targets, reduction=reduction)
    return nll + eps * -log_p.mean(1).mean()


def no_factor(logits, targets, eps, reduction):
    log_p = logits.log_softmax(1)
    rows = F.nll_loss(log_p, targets, reduction="none") - eps * log_p.mean(1)
    return rows if reduction == "none" else getattr(rows, reduction)()


def mean_inside(logits, targets, eps, reduction):
    nll = F.cross_entropy(logits, targets, reduction=reduction)
    return (1 - eps) * nll - eps * logits.log_softmax(1).mean()


def kept_axis(logits, targets, eps, reduction):
    log_p = logits.log_softmax(1)
    nll = -log_p[range(len(targets)), targets]
    rows = (1 - eps) * nll - eps * log_p.mean(1, keepdim=True)
    return rows if reduction == "none" else getattr(rows, reduction)()


def summed(logits, targets, eps, reduction):
    log_p = logits.log_softmax(1)
    rows = -(1 - eps) * log_p[range(len(targets)), targets] - eps * log_p.sum(1)
    return rows if reduction == "none" else getattr(rows, reduction)()


def by_autograd(logits, targets, eps, reduction="mean"):
    """PyTorch's gradient; rows without a label are left out before, so nan is too."""
    live = targets != -100
    leaf = logits[live].clone().requires_grad_()
    options = {"label_smoothing": eps, "reduction": reduction}
    F.cross_entropy(leaf, targets[live], **options).backward()
    result = torch.zeros_like(logits)
    result[live] = leaf.grad
    return result


def over_all_rows(logits, targets, eps):
    return by_autograd(logits, targets, eps, "sum") / targets.numel()


def class_zero(logits, targets, eps):
    """Ignored rows are taken for class 0; the count is right."""
    live = (targets != -100).sum()
    leaf = logits.clone().requires_grad_()
    zeroed = targets.clamp(min=0)
    F.cross_entropy(leaf, zeroed, label_smoothing=eps, reduction="sum").backward()
    return leaf.grad / live


def product(logits, targets, eps):
    live = (targets != -100).double()
    target = torch.full_like(logits, eps / 6)
    for row, label in enumerate(targets.tolist()):
        target[row, max(label, 0)] += 1 - eps
    return (logits.softmax(1) - target) * live[:, None] / live.sum()


def minus_inf(logits, allowed):
    return torch.where(allowed, logits, torch.tensor(-math.inf, dtype=logits.dtype))


def torchs_smoothing(logits, targets, allowed, eps):
    masked = minus_inf(logits, allowed)
    return F.cross_entropy(masked, targets, label_smoothing=eps, reduction="none")


def row_by_row(logits, targets, allowed, eps, before=True, divisor=None):
    losses = []
    for z, y, legal in zip(logits, targets, allowed, strict=True):
        p = z.exp() * legal if before else z.exp()
        log_p = [(a / p.sum()).log() for a, ok in zip(p, legal, strict=True) if ok]
        own = (p[y] / p.sum()).log()
        losses.append(-(1 - eps) * own - eps * sum(log_p) / (divisor or len(log_p)))
    return torch.stack(losses)


def multiplied(logits, targets, allowed, eps):
    share = eps * allowed / allowed.sum(1, keepdim=True)
    target = share + (1 - eps) * F.one_hot(targets, 6)
    return -(target * minus_inf(logits, allowed).log_softmax(1)).sum(1)


PLANTED = {
    "01-1": [
        (lambda eps, k: eps, "passes ε on"),
        (lambda eps, k: eps - eps / k, "the way back"),
        (lambda eps, k: eps * 6 / 5, "right at K = 6 only"),
        (literal, "does not sum to 1"),
        (lambda eps, k: eps * k, "at 0.1, 6 it returns 0.6, where 0.12 is right"),
    ],
    "01-2 row": [
        (np.array([1, 1, 12, 1]) / 15, "spread ε over the K−1 others"),
        ([0.05, 0.05, 0.8, 0.05], "not a distribution"),
        ([0.05, 0.85, 0.05, 0.05], "third place"),
        ([0.25] * 4, "this is not it"),
    ],
    "01-2 floor": [
        (0.138, "the term of the true class"),
        (0.1625, "the loss of a one-hot label"),
        (entropy([0.85, 0.05, 0.05, 0.05], math.log2), "in bits"),
        (entropy([0.8] + [0.2 / 3] * 3), "goes to the K−1 others"),
        (0, "zero is the least loss"),
    ],
    "01-2 gap": [
        (math.log(0.8 / 0.05), "ln 16"),
        (math.log(0.8 * 3 / 0.2), "ln 12"),
        (0.85 / 0.05, "ratio of the two"),
        (0.85 - 0.05, "difference of the two"),
        (float("inf"), "infinite gap"),
    ],
    "01-2 eps": [
        (lambda c, k: 1 - c, "1 − confidence"),
        (lambda c, k: (1 - c) * (1 - 1 / k), "upside down"),
        (lambda c, k: (1 - c) + c / k, "confidence that belongs to an ε"),
    ],
    "01-3": [
        (kl_terms, "some are negative"),
        (lambda q, p: kl_terms(p, q) + q - p, "sum to KL(p‖q)"),
        (lambda q, p: p / q - 1 - torch.log(p / q), "without its weight"),
        (lambda q, p: torch.ones(4) * kl_terms(q, p).mean(), "set out to prove"),
        (lambda q, p: q * torch.log(q / p) + p - q, "nan where q is 0"),
    ],
    "02-1": [
        (circulating, "both mistakes"),
        (no_factor, "counts in full"),
        (mean_inside, "still a mean"),
        (kept_axis, "(N, N)"),
        (summed, "sums over the classes"),
    ],
    "02-2": [
        (lambda z, y, eps: by_autograd(z, y, eps, "sum"), "of the *sum*"),
        (over_all_rows, "the rows that have a label"),
        (lambda z, y, eps: by_autograd(z, y, 0.0), "one-hot row"),
        (lambda z, y, eps: -by_autograd(z, y, eps), "points uphill"),
        (class_zero, "of class 0"),
        (product, "0 · nan"),
    ],
    "02-3": [
        (torchs_smoothing, "infinite"),
        (lambda *a: row_by_row(*a, divisor=6), "still divides by K"),
        (lambda *a: row_by_row(*a, before=False), "runs over all classes"),
        (lambda z, y, ok, eps: torchs_smoothing(z, y, ok, 0.0), "ε is not used"),
        (multiplied, "0 · (−∞)"),
    ],
}


@pytest.mark.parametrize(("name", "answer", "words"), planted_cases(PLANTED))
def test_a_wrong_answer_is_named(name, answer, words):
    line = verdict(name, answer)
    assert line.startswith(f"Exercise {name}: not yet: ") and words in line


def test_three_mistakes_are_told_apart_in_each_exercise():
    check_planted(PLANTED, ("01", "02"))
