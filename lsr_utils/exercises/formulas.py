"""Exercises to notebook 01, the formulas."""

import math

import torch

from .engine import sign


class E01_1:
    """both conventions then give the same rows, at every K.

    unchanged: this passes ε on as it is. PyTorch gives ε/K of it back to the true
        class, so the same ε means other rows there (01 section 3).
    inverse: this is the way back, from PyTorch's ε to the paper's. Compare the mass of
        one other class in both conventions (01 section 4).
    six_built_in: right at K = 6 only: the factor 1.2 is K/(K−1) there, and another
        number at every other K (01 section 10).
    literal_text: this converts the row 1−ε and ε/K, which does not sum to 1. The paper
        of the exercise spreads ε over the K−1 others (01 section 4).
    """

    right = lambda eps, k: eps * k / (k - 1)
    cases = lambda: [(0.1, 6), (0.1, 2), (0.3, 10), (0.0, 4)]
    unchanged = lambda eps, k: eps
    inverse = lambda eps, k: eps * (k - 1) / k
    six_built_in = lambda eps, k: 1.2 * eps
    literal_text = lambda eps, k: eps / (1 - eps / k)


class E01_2_row:
    """the true class keeps 1−ε+ε/K, each other class gets ε/K.

    others_only: you spread ε over the K−1 others. PyTorch spreads it over all K, the
        true class included (01 section 3).
    no_distribution: the row does not sum to 1: it is not a distribution. What leaves
        the true class has to arrive somewhere (01 section 3).
    wrong_class: the right numbers, but the true class is number 2, counted from 0: the
        third place (01 section 1).
    """

    right = [0.05, 0.05, 0.85, 0.05]
    others_only = [0.2 / 3, 0.2 / 3, 0.8, 0.2 / 3]
    no_distribution = sign(lambda row: abs(sum(row) - 1) > 2e-3)
    wrong_class = [0.05, 0.85, 0.05, 0.05]


class E01_2_floor:
    """the least loss is the entropy of the target.

    true_class_only: this is −0.85 ln 0.85, the term of the true class. The three other
        classes have a term each (01 section 5).
    nll: this is −ln 0.85: the loss of a one-hot label. The target here has four terms,
        each with its own weight (01 section 5).
    bits: this is in bits. The course and PyTorch use nats (01 section 5).
    others: this is the floor when ε goes to the K−1 others. PyTorch spreads it over all
        K (01 section 5).
    zero: zero is the least loss of a one-hot label. With a smoothed label no network
        gets that low (01 section 5).
    """

    right = -0.85 * math.log(0.85) - 3 * 0.05 * math.log(0.05)
    true_class_only = -0.85 * math.log(0.85)
    nll = -math.log(0.85)
    bits = right / math.log(2)
    others = -0.8 * math.log(0.8) - 0.2 * math.log(0.2 / 3)
    zero = 0.0


class E01_2_gap:
    """ln(1 + K(1−ε)/ε) is ln 17 here: a finite gap.

    literal_text: this is ln 16, the gap of the row 1−ε and ε/K. The true class also
        keeps its own share ε/K (01 section 6).
    others: this is ln 12, the gap when ε goes to the K−1 others (01 section 6).
    ratio: this is the ratio of the two probabilities. A logit gap is the logarithm of
        that ratio (01 section 6).
    difference: this is the difference of the two probabilities. Logits differ by the
        logarithm of their ratio (01 section 6).
    infinite: an infinite gap is what a one-hot label asks for. With ε above 0 the loss
        turns up again behind a finite one (01 section 6).
    """

    right = math.log(17)
    literal_text = math.log(16)
    others = math.log(12)
    ratio = 17.0
    difference = 0.8
    infinite = math.inf


class E01_2_eps:
    """say the confidence first, and ε follows.

    one_minus: this is 1 − confidence, right if nothing came back to the true class. It
        also gets ε/K, so ε may be a little larger (01 section 2).
    other_way: this solves 1 − ε + ε/K = c with K/(K−1) upside down. Put your ε in: the
        true class ends above the wanted confidence (01 section 10).
    confidence_of: this is the confidence that belongs to an ε. Here the confidence is
        given and ε is wanted: solve for it (01 section 10).
    """

    right = lambda confidence, k: (1 - confidence) * k / (k - 1)
    cases = lambda: [(0.9, 6), (0.95, 2), (0.8, 100), (1.0, 5)]
    one_minus = lambda confidence, k: 1 - confidence
    other_way = lambda confidence, k: (1 - confidence) * (k - 1) / k
    confidence_of = lambda confidence, k: 1 - confidence + confidence / k


class E01_3:
    """no term is negative, and they sum to KL(q‖p): that is Gibbs' inequality.

    log_terms: these terms sum to KL(q‖p), but some are negative, so they prove nothing
        yet. Add p − q to each: that sums to zero (01 section 5).
    swapped: these sum to KL(p‖q). The loss has the target q in front (01 section 8).
    no_weight: this is t − 1 − ln t without its weight: each term of the sum carries a
        factor q (01 section 5).
    circular: these are never negative only if KL(q‖p) is not, which is what you set out
        to prove. Bound each term by itself (01 section 5).
    nan: a term is nan where q is 0. There 0 · ln 0 counts as 0, as its limit does;
        torch.xlogy knows that (01 section 11).
    """

    right = lambda q, p: torch.xlogy(q, q / p) + p - q
    log_terms = lambda q, p: torch.xlogy(q, q / p)
    swapped = lambda q, p: torch.xlogy(p, p / q) + q - p
    no_weight = lambda q, p: p / q - 1 - (p / q).log()
    circular = lambda q, p: torch.xlogy(q, q / p).sum().expand_as(q) / len(q)
    nan = sign(lambda terms, q, p: terms.isnan().any() and not q.all())

    def cases():
        rows = [[0.85, 0.05, 0.05, 0.05], [0.4, 0.3, 0.2, 0.1], [0.0, 1.0, 0.0, 0.0]]
        sharp, flat, one_hot = torch.tensor(rows, dtype=torch.float64)
        return [(sharp, flat), (flat, sharp), (one_hot, flat)]
