"""Wrong answers to the exercises of part III (05, 06), as a reader would write them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exercise_files import check_planted, planted_cases
from scipy.optimize import brentq, minimize_scalar

from lsr_utils.exercises import verdict


def classes(h, y):
    """Features of each class, as numpy arrays."""
    h, y = np.asarray(h), np.asarray(y)
    return [h[y == k] for k in sorted(set(y))]


def spread(h, y, how=np.square, ddof=0):
    """Of each class: its number of images, its mean, its mean spread."""
    for own in classes(h, y):
        lengths = np.sqrt(((own - own.mean(0)) ** 2).sum(1))
        yield len(own), own.mean(0), how(lengths).sum() / (len(own) - ddof)


def ratio(h, y, *, how=np.square, ddof=0, within_by=None, between_by=None):
    """Weighed means of both parts; by images where told so, else alike."""
    n, means, within = zip(*spread(h, y, how, ddof), strict=True)
    means = np.array(means)
    centre = np.average(means, axis=0, weights=n if between_by else None)
    lengths = np.sqrt(((means - centre) ** 2).sum(1))
    between = how(lengths)
    within = np.average(within, weights=n if within_by else None)
    return within / np.average(between, weights=n if between_by == "both" else None)


def same(x):
    return x


def frame(weight, triple):
    """Origin and two orthonormal axes, by the cross of lengths (Gram and Schmidt)."""
    a, b, c = (weight[k].numpy() for k in triple)
    e = (b - a) / np.linalg.norm(b - a)
    up = (c - a) - np.dot(c - a, e) * e
    return (a + b + c) / 3, e, up / np.linalg.norm(up), b - a, c - a


def coordinates(h, weight, triple):
    origin, e, up, *_ = frame(weight, triple)
    return np.stack([(h.numpy() - origin) @ e, (h.numpy() - origin) @ up], 1)


def from_zero(h, weight, triple):
    _, e, up, *_ = frame(weight, triple)
    return np.stack([h.numpy() @ e, h.numpy() @ up], 1)


def sheared(h, weight, triple):
    origin, _, _, one, other = frame(weight, triple)
    unit = [v / np.linalg.norm(v) for v in (one, other)]
    return np.stack([(h.numpy() - origin) @ v for v in unit], 1)


def orthogonal_only(h, weight, triple):
    origin, e, up, one, other = frame(weight, triple)
    lengths = [np.linalg.norm(one), np.dot(other, up)]
    return coordinates(h, weight, triple) * lengths


def sides_to_walk(h, weight, triple):
    origin, _, _, one, other = frame(weight, triple)
    sides = np.stack([one, other], 1)
    return np.linalg.lstsq(sides, (h.numpy() - origin).T, rcond=None)[0].T


def turned(h, weight, triple):
    return coordinates(h, weight, triple) * [-1, 1]


def pairs(means, wanted, centred=True):
    """Cosines of pairs of different classes, less the wanted one."""
    m = np.asarray(means)
    m = m - m.mean(0) if centred else m
    found = [
        np.dot(m[i], m[j]) / np.linalg.norm(m[i]) / np.linalg.norm(m[j])
        for i in range(len(m))
        for j in range(i)
    ]
    return np.array(found) - wanted


def cosine(k):
    return -1 / (k - 1)


def with_diagonal(means):
    k = len(means)
    off = np.abs(pairs(means, cosine(k))).sum() * 2
    return (off + k * (1 - cosine(k))) / k**2


def smoothed(lam, eps, k):
    share = [(1 - eps) * p + eps / k for p in (lam, 1 - lam, 0)]
    return np.log(share)


def segment(lam, eps, k):
    whole = np.log(1 - eps + eps / k) - np.log(eps / k)
    return lam * whole, (1 - lam) * whole


def no_third(lam, eps, k):
    return tuple(np.log(np.array([lam, 1 - lam]) * (1 - eps)) - np.log(eps / k))


GAP = math.log(41)

# 06 ---------------------------------------------------------------------------------


def table(confidence, correct, bins, right=True):
    """(n, conf, acc) of each bin, by comparing with both edges."""
    c, hit = confidence.numpy(), correct.numpy()
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = (c > low) & (c <= high) if right else (c >= low) & (c < high)
        n = inside.sum()
        yield (
            (n, c[inside].mean(), hit[inside].mean()) if n else (0, math.nan, math.nan)
        )


def gaps(*case, **edges):
    rows = np.array(list(table(*case, **edges)))
    return rows[:, 0], rows[:, 2] - rows[:, 1]


def low_edge(*case):
    n, gap = gaps(*case, right=False)
    return np.nansum(n * np.abs(gap)) / n.sum()


def with_nan(*case):
    n, gap = gaps(*case)
    return (n * np.abs(gap)).sum() / n.sum()


def signed(*case):
    n, gap = gaps(*case)
    return abs(np.nansum(n * gap)) / n.sum()


def by_autograd(z, y, T, reduction="mean", of="beta"):
    leaf = torch.tensor(float(T), dtype=torch.float64)
    leaf = (1 / leaf if of == "beta" else leaf).requires_grad_()
    scaled = z * leaf if of == "beta" else z / leaf
    F.cross_entropy(scaled, y, reduction=reduction).backward()
    return leaf.grad


def least_nll(z, y):
    def nll(log_t):
        return F.cross_entropy(z / math.exp(log_t), y).item()

    return math.exp(minimize_scalar(nll, bounds=(-4, 4), method="bounded").x)


def closed_gap(z, y):
    def gap(log_t):
        p = (z / math.exp(log_t)).softmax(1)
        return (p.max(1).values.mean() - (z.argmax(1) == y).double().mean()).item()

    return math.exp(brentq(gap, -4, 4))


PLANTED = {
    "05-1 pencil": [
        ((2 * 1 + 4 * 5) / 6 / 16, "counts twice"),
        (3 / (((1 - 38 / 6) ** 2 + (9 - 38 / 6) ** 2) / 2), "mean of all six"),
        ((2 + 20 / 3) / 2 / 16, "n − 1"),
        (1.5 / 4, "mean distances"),
        (16 / 3, "between / within"),
        (0.5, "this is not it"),
    ],
    "05-1": [
        (lambda h, y: ratio(h, y, within_by=True), "mean over all images"),
        (lambda h, y: ratio(h, y, between_by="centre"), "mean of all features"),
        (lambda h, y: ratio(h, y, within_by=True, between_by="both"), "analysis of"),
        (lambda h, y: ratio(h, y, how=same), "take their squares"),
        (lambda h, y: ratio(h, y, ddof=1), "`var` does"),
        (lambda h, y: 1 - 1 / (1 + ratio(h, y)), "within + between"),
    ],
    "05-2": [
        (from_zero, "origin is missing"),
        (sheared, "is sheared"),
        (orthogonal_only, "different units"),
        (sides_to_walk, "slanted basis"),
        (turned, "but for a sign"),
    ],
    "05-2 bound": [
        (GAP, "this is the gap"),
        (GAP * 10 / 9, "Solve for the product"),
        (math.log(25) * 5 / 6, "six classes"),
        (0.9 * math.log(36), "K−1 others"),
        (math.sqrt(0.9 * GAP), "one length"),
    ],
    "05-3": [
        (lambda m: abs(pairs(m, cosine(len(m)), False)).mean(), "Subtract their mean"),
        (lambda m: abs(pairs(m, 0)).mean(), "right angles"),
        (lambda m: abs(pairs(m, -1 / len(m))).mean(), "compared with −1/K"),
        (with_diagonal, "with itself"),
        (lambda m: pairs(m, cosine(len(m))).mean(), "cancel in your mean"),
    ],
    "05-3 arc": [
        (segment, "this is the segment"),
        (no_third, "the 1 in the logarithm"),
        (lambda *case: tuple(smoothed(*case)[:2]), "ln q′ of the third"),
        (
            lambda *case: (smoothed(*case) - smoothed(*case)[2])[[1, 0]].tolist(),
            "exchanged",
        ),
    ],
    "06-1": [
        (low_edge, "[l, u)"),
        (lambda *case: np.nanmean(np.abs(gaps(*case)[1])), "not empty weighs alike"),
        (lambda *case: np.nansum(np.abs(gaps(*case)[1])) / case[2], "number of bins"),
        (signed, "cancel. Take"),
        (lambda c, hit, bins: np.abs(hit.numpy() - c.numpy()).mean(), "single answers"),
        (lambda *case: np.nanmax(np.abs(gaps(*case)[1])), "the MCE"),
        (with_nan, "nan: an empty bin"),
    ],
    "06-2 law": [
        (0.15, "size is right"),
        (-0.17, "forgot the 1/K"),
        (-0.18, "as clear"),
        (-0.2 * 0.85 + 0.2 / 6, "at six classes"),
        (0.8 * 0.85 + 0.2 / 9 * 0.15 - 0.85, "K−1 others"),
        (-15, "this is not it"),
    ],
    "06-2 eps": [
        (lambda conf, acc, k: (conf - acc) * k / (k * acc - 1), "*calibrated* network"),
        (lambda conf, acc, k: 1 - acc / conf, "gets ε/K back"),
        (lambda conf, acc, k: conf - acc, "conf − acc itself"),
        (lambda conf, acc, k: k * (acc - conf) / (k * conf - 1), "sharpens"),
        (
            lambda conf, acc, k: np.clip(k * (conf - acc) / (k * conf - 1), 0, 1),
            "*negative*",
        ),
    ],
    "06-3 slope": [
        (lambda z, y, T: by_autograd(z, y, 1.0), "whatever T is"),
        (lambda z, y, T: -by_autograd(z, y, T), "sign is turned"),
        (lambda z, y, T: by_autograd(z, y, T, "sum"), "sum over the rows"),
        (lambda z, y, T: by_autograd(z, y, T, of="T"), "slope in T"),
        (lambda z, y, T: by_autograd(z / T, y, 1.0), "outside the softmax"),
    ],
    "06-3": [
        (lambda z, y: 1 / least_nll(z, y), "this is β"),
        (closed_gap, "conf − acc zero"),
        (lambda z, y: 100.0, "ran to an end"),
        (lambda z, y: round(least_nll(z, y), 1) + 0.04, "near, but not there"),
    ],
}


@pytest.mark.parametrize(("name", "answer", "words"), planted_cases(PLANTED))
def test_a_wrong_answer_is_named(name, answer, words):
    line = verdict(name, answer)
    assert line.startswith(f"Exercise {name}: not yet: ") and words in line


def test_three_mistakes_are_told_apart_in_each_exercise():
    check_planted(PLANTED, ("05", "06"))


# Right answers by other means -------------------------------------------------------

RIGHT = {
    "05-1": ratio,
    "05-2": coordinates,
    "05-3": lambda m: np.abs(pairs(m, cosine(len(m)))).mean(),
    "05-3 arc": lambda *case: tuple((smoothed(*case) - smoothed(*case)[2])[:2]),
    "06-1": lambda *case: (
        np.nansum(gaps(*case)[0] * abs(gaps(*case)[1])) / len(case[0])
    ),
    "06-3 slope": by_autograd,
    "06-3": least_nll,
}


@pytest.mark.parametrize("name", RIGHT)
def test_an_answer_by_other_means_is_right(name):
    assert verdict(name, RIGHT[name]).startswith(f"Exercise {name}: right: ")
