"""Exercises to deep dive 08b: sigmoids, MaxSup, answers ranked by confidence."""

import math

import torch

from .engine import draw


class E08b_1_eps:
    """a half of ε stays with the *yes* itself (08b.5).
    whole: of this ε only a half moves, and the target of a *yes* is 0.95.
    halved: this halves ε once too often. 1 − ε/2 is to be 0.9.
    """

    right, whole, halved = 0.2, 0.1, 0.05


class E08b_1_logit:
    """the logarithm of the two targets' ratio, 1 − ε/2 to ε/2 (08b.5).
    whole: this is for 1 − ε and ε. A sigmoid's targets are 1 − ε/2 and ε/2.
    ratio: this is the ratio of the two probabilities. Take its logarithm.
    target: this is the probability. Its logit is wanted: ln(p/(1 − p)).
    """

    right = lambda eps: math.log((2 - eps) / eps)
    whole = lambda eps: math.log((1 - eps) / eps)
    ratio = lambda eps: (2 - eps) / eps
    target = lambda eps: 1 - eps / 2
    cases = lambda: [(0.1,), (0.2,), (0.5,)]


def _loss(z, y, eps, pulled):
    nll = z.logsumexp(1) - z[torch.arange(len(y)), y]
    return nll + eps * (pulled - z.mean(1))


class E08b_2:
    """the largest logit is pulled to the mean, whoever has it (08b.1).
    true_logit: this is smoothing: it pulls the *true* logit. MaxSup pulls the largest.
    of_batch: this is the largest logit of the batch. Each row has its own: dim=1.
    pushed: this has the other sign: it would push the largest logit up.
    to_nothing: the largest logit is pulled to the *mean* of the row. Subtract it.
    """

    right = lambda z, y, eps: _loss(z, y, eps, z.amax(1))
    true_logit = lambda z, y, eps: _loss(z, y, eps, z[torch.arange(len(y)), y])
    of_batch = lambda z, y, eps: _loss(z, y, eps, z.max())
    pushed = lambda z, y, eps: _loss(z, y, -eps, z.amax(1))
    to_nothing = lambda z, y, eps: _loss(z, y, eps, z.amax(1) + z.mean(1))
    cases = lambda: [(2 * draw(s, 5, 4), torch.arange(5) % 4, 0.2) for s in (1, 2)]


def _risk(p, y, sign=-1):
    wrong = (p.argmax(1) != y)[(sign * p.amax(1)).argsort()].double()
    return wrong.cumsum(0) / torch.arange(1, len(y) + 1)


class E08b_3:
    """at each coverage the share of wrong answers, then the mean of all (08.6).
    unsure_first: this begins with the *least* sure. Sort downwards.
    at_the_end: this is the error rate: the risk of answering all, one point of many.
    of_all: divide the errors among the n surest by n, not by the number of rows.
    """

    right = lambda p, y: _risk(p, y).mean()
    unsure_first = lambda p, y: _risk(p, y, 1).mean()
    at_the_end = lambda p, y: _risk(p, y)[-1]
    of_all = lambda p, y: (_risk(p, y) * torch.arange(1, len(y) + 1)).mean() / len(y)
    cases = lambda: [(draw(s, 40, 3).softmax(1), torch.arange(40) % 3) for s in (5, 6)]
