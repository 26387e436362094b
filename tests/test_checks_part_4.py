"""Wrong answers to the exercises of part IV (07, 08), as a reader would write them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exercise_files import check_planted, planted_cases

from lsr_utils.exercises import verdict

# 07 -----------------------------------------------------------------------------------


def ids_of(words, vocabulary, length, unknown=1):
    ids = []
    for word in words:
        ids.append(vocabulary[word] if word in vocabulary else unknown)
    return ids


def filled(ids, length, padding=0):
    return np.array((ids + [padding] * length)[:length])


def row(words, vocabulary, length, unknown=1, padding=0):
    return filled(ids_of(words, vocabulary, length, unknown), length, padding)


def known_only(words, vocabulary, length):
    return row([word for word in words if word in vocabulary], vocabulary, length)


def right_aligned(*case):
    found = row(*case)
    return np.array(sorted(found, key=lambda i: i != 0))


def last_words(words, vocabulary, length):
    return row(words[-length:], vocabulary, length)


def as_long_as_it_is(words, vocabulary, length):
    return row(words, vocabulary, max(length, len(words)))


def mean_of(ids, vectors, keep=lambda i: i > 0, each=list, most=1):
    """Question by question, word by word."""
    out = []
    for question in ids.tolist():
        kept = each([i for i in question if keep(i)])
        total = sum((vectors[i] for i in kept), torch.zeros_like(vectors[0]))
        out.append(total / max(len(kept), most))
    return torch.stack(out)


def over_length(ids, vectors):
    return mean_of(ids, vectors, most=ids.shape[1])


def all_places(ids, vectors):
    return mean_of(ids, vectors, keep=lambda i: True)


def wrong_sum(ids, vectors):
    words = (ids > 0).sum(1, keepdim=True)
    return F.embedding(ids, vectors).sum(1) / words.clamp(min=1)


def no_clamp(ids, vectors):
    words = (ids > 0).sum(1, keepdim=True)
    return (F.embedding(ids, vectors) * (ids > 0)[..., None]).sum(1) / words


def shares(counts, own=True, fill=True, scale=None):
    k = len(counts)
    out = np.zeros((k, k))
    for y in range(k):
        wrong = [0 if y == j else int(counts[y, j]) for j in range(k)]
        if fill and sum(wrong) == 0:
            wrong = [int(y != j) for j in range(k)]
        for j in range(k):
            part = wrong[j] / sum(wrong) if sum(wrong) else math.nan
            out[y, j] = (scale or 1 - 1 / k) * part
        out[y, y] = out[y, y] * 0 + own / k
    return out


def whole_rows(counts):
    return counts.numpy() / counts.numpy().sum(1, keepdims=True)


def by_columns(counts):
    wrong = counts.double().fill_diagonal_(0)
    return torch.eye(4) / 4 + 0.75 * wrong / wrong.sum(0)


def towards(logits, targets, rows, eps, keep=None):
    """Cross-entropy with probabilities for targets, PyTorch's."""
    one_hot = torch.eye(logits.shape[1], dtype=logits.dtype)[targets]
    soft = (1 - eps if keep is None else keep) * one_hot + eps * rows
    return F.cross_entropy(logits, soft)


# 08 -----------------------------------------------------------------------------------

BYTES = 4096 * 32_000 / 1e9


def parts(*blocks):
    """Largest m, and of each block with classes its s, t, n and its distance below."""
    m = max(block[0] for block in blocks)
    return m, [(s, t, n, own - m) for own, s, t, n in blocks if n]


def merged(a, b, s=lambda s, d: s * math.exp(d), t=lambda t, n, d: t + n * d):
    m, blocks = parts(a, b)
    total = sum(n for *_, n, _ in blocks)
    return m, sum(s(x[0], x[3]) for x in blocks), sum(t(*x[1:]) for x in blocks), total


def with_empty(a, b):
    m = torch.tensor(max(a[0], b[0]))
    s = sum(x[1] * (x[0] - m).exp() for x in (a, b))
    return m, s, sum(x[2] + x[3] * (x[0] - m) for x in (a, b)), a[3] + b[3]


def log_loss(m, s, t, z_y, eps, k):
    """By way of log-probabilities: the true class's, and their mean."""
    lse = m + math.log(s)
    return -(1 - eps) * (z_y - lse) - eps * (t / k + m - lse)


def by_autograd(z, y, upstream, eps, spread="all"):
    """Rows that have a label, one by one; the others get zeros."""
    out = torch.zeros_like(z)
    for i, label in enumerate(y.tolist()):
        if label < 0:
            continue
        leaf = z[i : i + 1].clone().requires_grad_()
        k = z.shape[1]
        each = eps / k if spread == "all" else eps / (k - 1)
        target = torch.full_like(leaf, each)
        target[0, label] = 1 - eps + (each if spread == "all" else 0)
        (upstream[i] * F.cross_entropy(leaf, target.detach())).backward()
        out[i] = leaf.grad[0]
    return out


def not_ignored(z, y, lse, upstream, eps):
    return by_autograd(z.nan_to_num(), y.clamp(min=0), upstream, eps)


def zero_times_nan(z, y, lse, upstream, eps):
    k = z.shape[1]
    one_hot = F.one_hot(y.clamp(min=0), k)
    rows = z.softmax(1) - (1 - eps) * one_hot - eps / k
    return rows * (upstream * (y >= 0))[:, None]


def chunks(z, y, rows):
    return [(z[i : i + rows], y[i : i + rows]) for i in range(0, len(y), rows)]


def mean_of_means(z, y, eps, rows, skip_empty=True):
    found = [F.cross_entropy(*c, label_smoothing=eps) for c in chunks(z, y, rows)]
    kept = [loss for loss in found if not (skip_empty and loss.isnan())]
    return sum(kept) / len(kept)


def sum_over(z, y, eps, rows, count, stop=None):
    kept = chunks(z, y, rows)[:stop]
    total = sum(F.cross_entropy(*c, label_smoothing=eps, reduction="sum") for c in kept)
    return total / sum(count(labels) for _, labels in kept)


def labelled(y):
    return int((y >= 0).sum())


PLANTED = {
    "07-1": [
        (lambda *case: row(*case, unknown=0), "the id of padding"),
        (known_only, "were left out"),
        (lambda *case: row(*case, padding=1), "filled with 1"),
        (right_aligned, "behind the words"),
        (last_words, "*last* words"),
        (as_long_as_it_is, "longer than `length`"),
    ],
    "07-2": [
        (over_length, "divided by L"),
        (all_places, "all L places"),
        (wrong_sum, "holds the vector of padding"),
        (lambda *case: mean_of(*case, keep=lambda i: i > 1), "unknown words are words"),
        (no_clamp, "by its 0 words"),
    ],
    "07-3 alike": [
        (whole_rows, "right answers included"),
        (by_columns, "column sums"),
        (lambda counts: shares(counts, own=False, scale=1), "got nothing of s"),
        (lambda counts: shares(counts, scale=1), "1 + 1/K"),
        (lambda counts: shares(counts, fill=False), "never mixed up"),
    ],
    "07-3": [
        (lambda z, y, s, eps: towards(z, y, s[:, y].T, eps), "a *column* of s"),
        (lambda z, y, s, eps: towards(z, y, 0.25, eps), "plain label smoothing"),
        (lambda z, y, s, eps: towards(z, y, s[y], eps, keep=1), "weighs 1 − ε"),
        (lambda z, y, s, eps: towards(z, y, s[z.argmax(1)], eps), "network answered"),
        (lambda z, y, s, eps: towards(z, y, s[y], 1), "towards s only"),
    ],
    "08-1 moved": [
        (2 * BYTES, "counted the read"),
        (8 * BYTES, "as in float32"),
        (6 * BYTES, "recompute=True"),
        (4 * 4096 * 32_000 / 1024**3, "GiB"),
        (12 * 2 * BYTES, "twelve passes"),
        (4 * 4096 * 32_000, "this is not it"),
    ],
    "08-1 scaled": [
        (4 * BYTES, "upstream gradient is one"),
        (6 * BYTES, "six bytes"),
        (8 * 4096 * 32_000 / 1024**3, "GiB"),
    ],
    "08-1 held": [
        (2 * BYTES, "gradient of its own"),
        (6 * BYTES, "three copies"),
        (4 * BYTES, "are *moved*"),
    ],
    "08-2": [
        (lambda a, b: merged(a, b, s=lambda s, d: s), "different heights"),
        (lambda a, b: merged(a, b, s=lambda s, d: s / math.exp(d)), "upside down"),
        (lambda a, b: merged(a, b, t=lambda t, n, d: t), "from a maximum too"),
        (lambda a, b: merged(a, b, t=lambda t, n, d: t * math.exp(d)), "factor of s"),
        (lambda a, b: merged(a, b, t=lambda t, n, d: t + d), "*each* of the n"),
        (with_empty, "0 · (−∞)"),
    ],
    "08-2 loss": [
        (
            lambda m, s, t, z, eps, k: log_loss(m, s, t, z, eps, k) - (1 - eps) * m,
            "as it is",
        ),
        (lambda m, s, t, z, eps, k: log_loss(m, s, k * t, z, eps, k), "mean is wanted"),
        (
            lambda m, s, t, z, eps, k: log_loss(m, s, t, z, eps, k) - eps * (z - m),
            "weighs 1 − ε",
        ),
        (lambda m, s, t, z, eps, k: m + math.log(s) - z, "one-hot label"),
    ],
    "08-3": [
        (lambda z, y, lse, u, eps: by_autograd(z, y, u * 0 + 1, eps), "is missing"),
        (
            lambda z, y, lse, u, eps: by_autograd(z, y, [u.mean()] * len(u), eps),
            "one common factor",
        ),
        (lambda z, y, lse, u, eps: by_autograd(z, y, u, 0.0), "one-hot row"),
        (lambda z, y, lse, u, eps: by_autograd(z, y, u, eps, "others"), "K−1 others"),
        (not_ignored, "no label and so no gradient"),
        (zero_times_nan, "0 · nan"),
    ],
    "08-3 chunks": [
        (mean_of_means, "mean of their means"),
        (lambda *case: sum_over(*case, count=len), "by all rows"),
        (lambda *case: sum_over(*case, count=labelled, stop=-1), "it is missing"),
        (lambda *case: mean_of_means(*case, skip_empty=False), "its mean is 0 / 0"),
    ],
}


@pytest.mark.parametrize(("name", "answer", "words"), planted_cases(PLANTED))
def test_a_wrong_answer_is_named(name, answer, words):
    line = verdict(name, answer)
    assert line.startswith(f"Exercise {name}: not yet: ") and words in line


def test_three_mistakes_are_told_apart_in_each_exercise():
    check_planted(PLANTED, ("07", "08"))


# Right answers by other means ---------------------------------------------------------

RIGHT = {
    "07-1": row,
    "07-2": mean_of,
    "07-3 alike": shares,
    "07-3": lambda z, y, s, eps: towards(z, y, s[y], eps),
    "08-2": merged,
    "08-2 loss": log_loss,
    "08-3": lambda z, y, lse, u, eps: by_autograd(z, y, u, eps),
    "08-3 chunks": lambda z, y, eps, rows: F.cross_entropy(z, y, label_smoothing=eps),
}


@pytest.mark.parametrize("name", RIGHT)
def test_an_answer_by_other_means_is_right(name):
    assert verdict(name, RIGHT[name]).startswith(f"Exercise {name}: right: ")
