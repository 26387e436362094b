"""Two small networks that sort questions: this course's, and TREC's. Taught in 09."""

import functools

import numpy as np
import pandas as pd
import torch

from .. import calibration, datasets, fleet, geometry, models, style

NETWORKS = {
    "bag": {"lr": 5e-3, "dropout": 0.3},
    "wordcnn": {"lr": 4e-3, "dropout": 0.5},
}
STEPS = {"bag": 250, "wordcnn": 150}  # on the course's own questions
K = 6


def parts(name="questions", held_out=80, split=0):
    """Training, validation and test questions: three SixClass. Taught in 09."""
    whole = datasets.load(name)
    sizes = len(whole) - held_out, held_out
    return *datasets.split(whole, sizes, split), datasets.load(name, part="test")


def fit(name, data, eps, seeds, steps=None, loss=None, batch_size=32):
    """A Fleet of "bag" or "wordcnn", each eps with each seed. Taught in 09."""
    train, validation, test = data
    shape, num_words = tuple(train.x.shape[1:]), len(train.vocabulary)
    build = functools.partial(models.build, name, shape, num_words=num_words)
    steps = steps or STEPS[name]
    return fleet.fit_fleet(
        build, train, fleet.grid(eps=eps, seed=seeds, **NETWORKS[name]),
        evaluate={"validation": validation, "test": test}, progress=False,
        steps=steps, batch_size=batch_size, measure_every=steps,
        loss=loss or fleet.smoothed_cross_entropy,
    )  # fmt: skip


def scores(fitted, part="test"):
    """Grid of a Fleet and what each network scored; T is fitted on validation data."""
    z, y = fitted.logits(part).double(), fitted.targets(part)
    z_val, y_val = fitted.logits("validation").double(), fitted.targets("validation")
    T = calibration.fit_temperature(z_val, y_val)
    p, tempered = z.softmax(-1), calibration.with_temperature(z, T)
    error = calibration.expected_calibration_error
    table = fitted.grid[["seed", "eps"]].assign(
        accuracy=calibration.accuracy(p, y), NLL=calibration.nll(p, y),
        ECE=error(p, y), chance=calibration.ece_floor(p, draws=20),
        over=calibration.confidence_gap(p, y), T=T,
    )  # fmt: skip
    table["ECE at T"] = error(tempered, y).numpy()
    return table.astype(float)


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


def on_questions(name, seeds):
    """Scores on this course's questions, and within / between: DataFrame."""
    fitted = fit(name, parts(split=seeds[0]), style.EPS_GRID, seeds)
    table = scores(fitted).assign(network=name)
    for part in ("train", "test"):
        spread = geometry.scatter(fitted.features(part), fitted.targets(part))
        table[f"ratio {part}"] = spread.ratio.numpy()
    return table


def trec(seeds, steps=600):
    """The runs of ``data/recorded/trec.json``: questions (ours), networks, confusions.

    networks : scores on TREC, uniform smoothing and that towards what is alike
    """
    questions = pd.concat([on_questions(name, seeds) for name in NETWORKS])
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
    about["questions"] = questions.reset_index(drop=True)
    return {**about, "networks": networks, "confusions": confusions}
