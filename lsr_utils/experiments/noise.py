"""Wrong labels and doubtful images, with the rivals of smoothing. Taught in 07, 07a."""

import functools

import numpy as np
import pandas as pd
import torch

from .. import calibration, datasets, fleet, models, style
from . import gains

SETTINGS = {  # task, network, training points, steps, step size
    "digits, 300": ("digits", "mlp", 300, 1000, 2e-3),
    "clouds, 300": ("gaussians", "mlp", 300, 1500, 4e-3),
    "outlines, 600": ("shapes", "cnn", 600, 1200, 2e-3),
}
WRONG = (0.2, 0.4)  # shares of wrong labels
TRIED = {  # the same number of values for each method
    "smoothing": ("eps", [0.05, 0.1, 0.2, 0.4, 0.6]),
    "correction": ("assumed", [0.12, 0.24, 0.36, 0.48, 0.72]),
    "weight decay": gains.TRIED["weight decay"],
}
COLUMNS = [column for column, _ in TRIED.values()]


def noise_aware(logits, targets, eps, assumed):
    """Loss (M, B): smoothed by eps, corrected for a share of labels drawn from all."""
    log_p = logits.mT.contiguous().log_softmax(1)  # (M, K, B)
    log_p_y = log_p.gather(1, targets.unsqueeze(1)).squeeze(1)
    kept, drawn = (1 - assumed).log() + log_p_y, (assumed / log_p.shape[1]).log()
    return -(1 - eps) * torch.logaddexp(kept, drawn) - eps * log_p.mean(1)


def part(name, k, noisy):
    """Training, validation or test data, k = 0, 1, 2, with noisy labels or without."""
    task, _, n, *_ = SETTINGS[name]
    sizes = (n, 200, 883 - n if task == "digits" else 2000)

    def draw(seed, split, wrong):
        if task == "digits":
            data = datasets.split(datasets.digits(), sizes, split)[k]
        else:
            data = datasets.load(task, n=sizes[k], seed=10_000 * k + seed)
        matrix = datasets.noise.symmetric_noise(wrong * noisy)
        return datasets.noise.corrupt(data, matrix, seed + 5000 * k)

    return draw


def fit(name, rows, steps=None, moments=1):
    """Train each of ``rows``; the validation labels are noisy, too: Fleet."""
    task, model, _, usual, lr = SETTINGS[name]
    steps = steps or usual
    empty = dict.fromkeys(["split", "wrong", *COLUMNS], 0.0)
    rows = pd.DataFrame({**empty, **rows, "lr": lr}).fillna(0.0)
    return fleet.fit_fleet(
        functools.partial(models.build, model, datasets.load(task).x.shape[1:]),
        part(name, 0, True), rows.astype({"split": int}), loss=noise_aware,
        evaluate={"clean": part(name, 0, False), "validation": part(name, 1, True),
                  "test": part(name, 2, False)},
        steps=steps, batch_size=32, measure_every=steps // moments, progress=False,
    )  # fmt: skip


def stopped(name, plain):
    """Fleets of the networks of a Fleet, each to its step of least validation NLL."""
    at = plain.steps[plain.history["validation"]["nll"][:, 1:].argmin(1) + 1]
    rows = plain.grid.assign(method="early stopping")
    return [fit(name, rows[at == step], int(step)) for step in np.unique(at)]


def learned(said, trained):
    """Share (M,) of the wrong training labels that predictions (M, N) reproduce."""
    given = trained.targets("train")
    wrong = given != trained.targets("clean")
    return (((said == given) & wrong).sum(1) / wrong.sum(1)).numpy()


def wrong_labels(name, seeds, splits=(0,)):
    """Every candidate and early stopping, on clean test data: DataFrame. In 07."""
    of = fleet.grid(wrong=WRONG, split=splits, seed=seeds)
    of["seed"] += of["split"]  # another split has another start, too
    arms = [fleet.grid(method=m, **{c: values}) for m, (c, values) in TRIED.items()]
    plain = fit(name, of.assign(method="none"), moments=20)
    others, tables = fit(name, pd.concat(arms).merge(of, how="cross")), []
    for f in [plain, others, *stopped(name, plain)]:
        table = f.table("test").assign(noisy=f.table("validation")["accuracy"])
        tables.append(table.assign(learned=learned(f.logits("train").argmax(-1), f)))
    made = pd.concat(tables).assign(setting=name)
    made["value"] = made[COLUMNS].sum(axis=1)
    columns = ["setting", "wrong", "method", "value", "seed"]
    return made[[*columns, "accuracy", "nll", "learned", "noisy"]]


def distance(posterior, logits):
    """KL(posterior || softmax(logits)) of each row, (..., N), in nats. In 07."""
    q, log_p = posterior.double(), logits.double().log_softmax(-1)
    return (torch.xlogy(q, q) - q * log_p).sum(-1)


def doubt(name, seeds):
    """Distance to the known posterior, as trained and with a temperature: DataFrame."""
    plain = fit(name, fleet.grid(method="none", eps=0.0, seed=seeds), moments=20)
    others = fit(name, fleet.grid(method="none", eps=style.EPS_GRID[1:], seed=seeds))
    tables = []
    for f in [plain, others, *stopped(name, plain)]:
        t = calibration.fit_temperature(f.logits("validation"), f.targets("validation"))
        truth, base = f.posterior("test"), f.table("test").assign(setting=name)
        right = (f.logits("test").argmax(-1) == truth.argmax(-1)).double()
        clear = (truth.amax(-1) == 1).double()
        for temperature in (torch.ones_like(t), t):
            kl = distance(truth, f.logits("test") / temperature[:, None, None])
            found = {"temperature": temperature, "bayes": right.mean(1)}
            found |= {"kl": kl.mean(1), "clear": (kl * clear).sum(1) / clear.sum(1)}
            found["doubtful"] = (kl * (1 - clear)).sum(1) / (1 - clear).sum(1)
            tables.append(base.assign(**{n: v.numpy() for n, v in found.items()}))
    columns = ["setting", "method", "eps", "seed", "accuracy"]
    return pd.concat(tables)[[*columns, *found]]


def noise(seeds, splits=range(40)):
    """The runs of ``data/recorded/noise.json``: chosen, tried (means), doubt."""
    digits = wrong_labels("digits, 300", seeds[:1], splits)
    tried = pd.concat([digits, wrong_labels("clouds, 300", seeds)])
    one = ["setting", "wrong", "method", "value", "seed"]
    means = tried.groupby(one[:-1])[["accuracy", "learned"]].mean().reset_index()
    best = tried.sort_values("noisy", ascending=False, kind="stable")
    best = best.drop_duplicates([name for name in one if name != "value"])
    made = pd.concat([doubt("clouds, 300", seeds), doubt("outlines, 600", seeds)])
    return {"chosen": best, "tried": means, "doubt": made}
