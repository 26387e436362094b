"""Small CNNs on outlines: how tight their features are, and where morphs lie."""

import functools

import pandas as pd
import torch

from .. import datasets, fleet, geometry, models, style

SETTINGS = {  # images, share of morphs, steps
    "600 images, 30 % morphs": (600, 0.3, 1200),
    "2000 images, no morphs": (2000, 0.0, 2400),
}


def trained(name, eps, seeds):
    """Networks of a setting, a training set a seed: a Fleet. Taught in 05a."""
    n, ambiguous, steps = SETTINGS[name]
    return fleet.fit_fleet(
        functools.partial(models.build, "cnn", (1, 20, 20)),
        lambda seed: datasets.shapes(n, seed=seed, ambiguous=ambiguous),
        fleet.grid(eps=eps, seed=seeds),
        evaluate={"test": datasets.shapes(2000, seed=10_000, ambiguous=ambiguous)},
        steps=steps, batch_size=32, measure_every=steps, progress=False,
    )  # fmt: skip


def templates(networks):
    """The rows of the last layers of a Fleet, (M, K, D) in float64. Taught in 05."""
    heads = [networks.network(row).head.weight for row in range(len(networks))]
    return torch.stack(heads).detach().double()


def seen_by_head(networks, part):
    """Features (M, N, K - 1) in the span of template differences. Taught in 05."""
    weight = templates(networks)
    across = (weight - weight.mean(1, keepdim=True)).mT
    basis = torch.linalg.svd(across, full_matrices=False)[0][..., :-1]
    return networks.features(part).double() @ basis


def wrong_share(logits, targets):
    """Share (M,) of the variance of logits that is among wrong ones. Taught in 05c."""
    own = torch.nn.functional.one_hot(targets, 6).bool()
    wrong = logits[~own].view(*targets.shape, 5)
    among, whole = (z.var(-1, correction=0).mean(-1) for z in (wrong, logits))
    return 5 * among / (6 * whole)


def of_morphs(networks):
    """Of new morphs: shares (n,), pairs (n, 2), logits (M, n, K). Taught in 05a."""
    truth = networks.posterior("test")[0]
    mixed = truth.amax(-1) < 1
    pair = truth[mixed].topk(2).indices.sort(-1).values
    return truth[mixed].gather(1, pair)[:, 0], pair, networks.logits("test")[:, mixed]


def runner_up(networks):
    """How often a morph's other outline comes second, of those taken for one: (M,)."""
    _, pair, logits = of_morphs(networks)
    choice = logits.topk(2).indices
    first = (choice[..., :1] == pair).any(-1)
    return (choice.sort(-1).values == pair).all(-1).sum(-1) / first.sum(-1)


def arcs(networks, bins=10):
    """Logits of a morph's pair less the mean of the others, a row a network and bin."""
    share, pair, logits = of_morphs(networks)
    z = logits.double()
    of_pair = z.gather(2, pair.expand(len(z), -1, -1))
    above = of_pair - (z.sum(-1) - of_pair.sum(-1))[..., None] / 4
    tables = []
    for k in range(bins):
        rows = (share * bins).long() == k
        a, b = above[:, rows].mean(1).T.numpy()
        place = {"a": a, "b": b, "lam": share[rows].mean().item()}
        tables.append(networks.grid[["eps", "seed"]].assign(**place))
    return pd.concat(tables, ignore_index=True)


def clusters_shapes(seeds):
    """The runs of ``data/recorded/clusters_shapes.json``: networks, bins of morphs."""
    tables, bins = [], None
    for name in SETTINGS:
        networks = trained(name, style.EPS_GRID, seeds)
        for part in ("train", "test"):
            h, y = networks.features(part), networks.targets(part)
            found = {
                "ratio": geometry.scatter(h, y).ratio,
                "R2": geometry.class_separation(h, y),
                "seen": geometry.scatter(seen_by_head(networks, part), y).ratio,
                "setting": name, "part": part, "nc1": geometry.nc1(h, y),
                "wrong_share": wrong_share(networks.logits(part), y),
            }  # fmt: skip
            if SETTINGS[name][1] and part == "test":
                found["runner_up"], bins = runner_up(networks), arcs(networks)
            columns = networks.table(part)[["eps", "seed", "accuracy"]]
            tables.append(columns.assign(**found))
    return {"networks": pd.concat(tables, ignore_index=True), "bins": bins}
