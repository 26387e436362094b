"""Exercises of part I, formulas and loss (notebooks 01 and 02)."""

import math

import torch

from .engine import sign


class ToTorchEps:
    """both conventions then give the same rows, at every K."""

    def right(eps, k):
        return eps * k / (k - 1)

    def cases():
        return [(0.1, 6), (0.1, 2), (0.3, 10), (0.0, 4)]

    def unchanged(eps, k):
        """this passes ε on as it is. PyTorch gives ε/K of it back to the true class,
        so the same ε means other rows there (01 section 3)."""
        return eps

    def inverse(eps, k):
        """this is the way back, from PyTorch's ε to the paper's. Compare the mass of
        one other class in both conventions (01 section 4)."""
        return eps * (k - 1) / k

    def six_built_in(eps, k):
        """right at K = 6 only: the factor 1.2 is K/(K−1) there, and another number at
        every other K (01 section 10)."""
        return 1.2 * eps

    def literal_text(eps, k):
        """this converts the row 1−ε and ε/K, which does not sum to 1. The paper of the
        exercise spreads ε over the K−1 others (01 section 4)."""
        return eps / (1 - eps / k)


class Row:
    """the true class keeps 1−ε+ε/K, each other class gets ε/K."""

    tol = 2e-3

    def right():
        return [0.05, 0.05, 0.85, 0.05]

    def others_only():
        """you spread ε over the K−1 others. PyTorch spreads it over all K, the true
        class included (01 section 3)."""
        return [0.2 / 3, 0.2 / 3, 0.8, 0.2 / 3]

    @sign
    def no_distribution(row):
        """the row does not sum to 1: it is not a distribution. What leaves the true
        class has to arrive somewhere (01 section 3)."""
        return abs(float(sum(row)) - 1) > 2e-3

    def wrong_class():
        """the right numbers, but the true class is number 2, counted from 0: the third
        place (01 section 1)."""
        return [0.05, 0.85, 0.05, 0.05]


class Floor:
    """the least loss is the entropy of the target."""

    tol = 2e-3

    def right():
        return -0.85 * math.log(0.85) - 3 * 0.05 * math.log(0.05)

    def true_class_only():
        """this is −0.85 ln 0.85, the term of the true class. The three other classes
        have a term each (01 section 5)."""
        return -0.85 * math.log(0.85)

    def nll():
        """this is −ln 0.85: the loss of a one-hot label. The target here has four
        terms, each with its own weight (01 section 5)."""
        return -math.log(0.85)

    def bits():
        """this is in bits. The course, and PyTorch, use the natural logarithm: nats
        (01 section 5)."""
        return Floor.right() / math.log(2)

    def others():
        """this is the floor when ε goes to the K−1 others. PyTorch spreads it over all
        K (01 section 5)."""
        return -0.8 * math.log(0.8) - 0.2 * math.log(0.2 / 3)

    def zero():
        """zero is the least loss of a one-hot label. No network can avoid the loss
        that a smoothed label brings (01 section 5)."""
        return 0.0


class Gap:
    """ln(1 + K(1−ε)/ε) is ln 17 here: a finite gap."""

    tol = 2e-3

    def right():
        return math.log(17)

    def literal_text():
        """this is ln 16, the gap of the row 1−ε and ε/K. The true class also keeps its
        own share ε/K (01 section 6)."""
        return math.log(16)

    def others():
        """this is ln 12, the gap when ε goes to the K−1 others (01 section 6)."""
        return math.log(12)

    def ratio():
        """this is the ratio of the two probabilities. A logit gap is the logarithm of
        that ratio (01 section 6)."""
        return 17.0

    def difference():
        """this is the difference of the two probabilities. Logits differ by the
        logarithm of their ratio (01 section 6)."""
        return 0.8

    @sign
    def infinite(gap):
        """an infinite gap is what a one-hot label asks for. With ε above 0 the loss
        turns up again behind a finite one (01 section 6)."""
        return float(gap) == math.inf


class EpsForConfidence:
    """say the confidence first, and ε follows."""

    def right(confidence, k):
        return (1 - confidence) * k / (k - 1)

    def cases():
        return [(0.9, 6), (0.95, 2), (0.8, 100), (1.0, 5)]

    def one_minus(confidence, k):
        """this is 1 − confidence, right if nothing came back to the true class. It also
        gets ε/K, so ε may be a little larger (01 section 2)."""
        return 1 - confidence

    def other_way(confidence, k):
        """this solves 1 − ε + ε/K = c with K/(K−1) upside down. Put your ε in: the true
        class ends above the wanted confidence (01 section 10)."""
        return (1 - confidence) * (k - 1) / k

    def confidence_of(confidence, k):
        """this is the confidence that belongs to an ε. Here the confidence is given and
        ε is wanted: solve for it (01 section 10)."""
        return 1 - confidence + confidence / k


class GibbsTerms:
    """no term is negative, and they sum to KL(q‖p): that is Gibbs' inequality."""

    def right(q, p):
        return torch.xlogy(q, q / p) + p - q

    def cases():
        rows = torch.tensor(
            [[0.85, 0.05, 0.05, 0.05], [0.4, 0.3, 0.2, 0.1], [0.0, 1.0, 0.0, 0.0]],
            dtype=torch.float64,
        )
        return [(rows[0], rows[1]), (rows[1], rows[0]), (rows[2], rows[1])]

    def log_terms(q, p):
        """these terms sum to KL(q‖p), but some are negative, so they prove nothing yet.
        Add p − q to each: that sums to zero (01 section 5)."""
        return torch.xlogy(q, q / p)

    def swapped(q, p):
        """these sum to KL(p‖q). The loss has q, the target, in front of the logarithm
        (01 section 8)."""
        return torch.xlogy(p, p / q) + q - p

    def without_weight(q, p):
        """this is t − 1 − ln t without its weight: each term of the sum carries a
        factor q (01 section 5)."""
        return p / q - 1 - (p / q).log()

    def circular(q, p):
        """these are never negative only if KL(q‖p) is not, which is what you set out to
        prove. Bound each term by itself (01 section 5)."""
        return torch.xlogy(q, q / p).sum().expand_as(q) / len(q)

    @sign
    def zero_times_inf(terms, q, p):
        """a term is nan where q is 0. There 0 · ln 0 counts as 0, as its limit does;
        torch.xlogy knows that (01 section 11)."""
        return terms.isnan().any() and not q.all()


EXERCISES = {
    "01-1": ToTorchEps,
    "01-2 row": Row,
    "01-2 floor": Floor,
    "01-2 gap": Gap,
    "01-2 eps": EpsForConfidence,
    "01-3": GibbsTerms,
}
