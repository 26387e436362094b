"""The two networks on TREC, and targets that know what is alike. Taught in 09a."""

import functools

import numpy as np
import pandas as pd
import torch

from .. import style
from .words import NETWORKS, fit, parts, scores

K = 6


def confusion(fitted, eps):
    """Of each true type, the share of each answer: (K, K), mean over the networks."""
    rows = np.flatnonzero(fitted.grid["eps"] == eps)
    y, answer = fitted.targets("test")[rows], fitted.logits("test")[rows].argmax(-1)
    one_hot = torch.nn.functional.one_hot
    counts = one_hot(y, K).double().mT @ one_hot(answer, K).double()
    return (counts / counts.sum(-1, keepdim=True)).mean(0).numpy()


def alike_of(fitted):
    """How alike types look to the networks with eps = 0: (K, K). Taught in 09a."""
    rows = np.flatnonzero(fitted.grid["eps"] == 0)
    p = fitted.logits("validation")[rows].double().softmax(-1)
    y = torch.nn.functional.one_hot(fitted.targets("validation")[rows], K).double()
    given = (y.mT @ p).sum(0)  # (K, K): true type, type that got the probability
    own = torch.eye(K, dtype=torch.float64)
    others = given * (1 - own)
    return own / K + (1 - 1 / K) * others / others.sum(-1, keepdim=True)


def smoothed_towards(alike):
    """Loss of a fleet that gives eps to a row of alike (K, K). Taught in 09a."""

    def loss(logits, targets, eps):  # (M, B, K), (M, B), (M, 1)
        log_p = logits.log_softmax(-1)
        nll = -log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        spread = -(alike.to(log_p)[targets] * log_p).sum(-1)
        return (1 - eps) * nll + eps * spread

    return loss


def trec(seeds, steps=600):
    """The runs of ``data/recorded/trec.json``: networks (scores), confusions."""
    data, tables, errors = parts("trec", 500), [], []
    for name in NETWORKS:
        train_it = functools.partial(fit, name, data, steps=steps, batch_size=64)
        uniform = train_it(style.EPS_GRID, seeds)
        alike = train_it([0.1, 0.2], seeds, loss=smoothed_towards(alike_of(uniform)))
        for target, trained in (("uniform", uniform), ("alike", alike)):
            for part in ("validation", "test"):
                labels = {"network": name, "target": target, "part": part}
                tables.append(scores(trained, part).assign(**labels))
        for eps in (0.0, 0.1):
            shares = pd.DataFrame(confusion(uniform, eps), columns=data[0].class_names)
            errors.append(shares.assign(network=name, eps=eps))
    networks, confusions = (pd.concat(t, ignore_index=True) for t in (tables, errors))
    about = {"variant": data[0].variant, "words": len(data[0].vocabulary)}
    return {**about, "networks": networks, "confusions": confusions}
