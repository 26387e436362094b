"""Does smoothing generalise, and do its rivals? Six settings. Taught in 04."""

import functools

import pandas as pd

from .. import datasets, fleet, models, style

# Task, network, training points, steps, step size.
SETTINGS = {
    "digits, 100": ("digits", "mlp", 100, 600, 2e-3),
    "digits, 500": ("digits", "mlp", 500, 1000, 2e-3),
    "clouds, 300": ("gaussians", "mlp", 300, 1500, 4e-3),
    "clouds, 2000": ("gaussians", "mlp", 2000, 1000, 2e-3),
    "outlines, 600": ("shapes", "cnn", 600, 800, 2e-3),
    "outlines, 2000": ("shapes", "cnn", 2000, 1200, 2e-3),
}
STUDIED = ("digits, 500", "clouds, 300", "outlines, 600")
TRIED = {  # the same number of settings for each method
    "smoothing": ("eps", [0.02, 0.05, 0.1, 0.2, 0.4]),
    "weight decay": ("weight_decay", [0.1, 0.3, 1.0, 3.0, 10.0]),
    "L1": ("l1", [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
    "dropout": ("dropout", [0.1, 0.2, 0.35, 0.5, 0.65]),
}
COLUMNS = [column for column, _ in TRIED.values()]
MEASURES = ["accuracy", "nll", "confidence"]
MOMENTS = 20  # from which early stopping chooses


def parts(name):
    """Training, validation, test data: functions of a split or a seed. Taught in 04."""
    task, _, n, *_ = SETTINGS[name]
    sizes = (n, 200, 883 - n) if task == "digits" else (n, 200, 2000)

    def part(k):
        if task == "digits":
            return lambda split: datasets.split(datasets.digits(), sizes, split)[k]
        load = functools.partial(datasets.load, task, n=sizes[k])
        return lambda seed, split: load(seed=10_000 * k + seed)

    return [part(k) for k in range(3)]


def arms(method="none", splits=(0,), values=None):
    """A row for each split and value of a method: the DataFrame that ``fit`` takes."""
    column, tried = TRIED.get(method, ("eps", [0.0]))
    columns = {column: tried if values is None else values, "split": splits}
    return fleet.grid(method=method, **columns)


def fit(name, arms, seeds, moments=1):
    """Train each of ``arms`` with each seed, measured so often: Fleet. Taught in 04."""
    task, model, _, steps, lr = SETTINGS[name]
    train, validation, test = parts(name)
    rows = arms.merge(pd.DataFrame({"seed": list(seeds), "lr": lr}), how="cross")
    rows["seed"] += rows["split"]  # another split has another start, too
    build = functools.partial(models.build, model, datasets.load(task).x.shape[1:])
    return fleet.fit_fleet(
        build, train, rows, steps=steps, batch_size=32,
        evaluate={"validation": validation, "test": test}, progress=False,
        measure_every=steps // moments,
    )  # fmt: skip


def early_stopped(plain):
    """Test measures of a Fleet, each network at its least validation NLL: DataFrame."""
    best = plain.history["validation"]["nll"].argmin(1)
    stopped = plain.table("test").assign(method="early stopping")
    for name in MEASURES:
        stopped[name] = plain.history["test"][name][range(len(best)), best]
    return stopped


def chosen(name, seeds, splits):
    """Best value of each method and split, by a validation measure. Taught in 04."""
    tried = pd.concat([arms(method, splits) for method in TRIED])
    found = fit(name, tried, seeds).table("validation")
    found["value"] = found[COLUMNS].sum(axis=1)  # the others are 0
    means = found.groupby(["method", "split", "value"])[MEASURES].mean().reset_index()
    means["wrong"] = 1 - means["accuracy"]
    orders = {"accuracy": ["wrong", "nll"], "nll": ["nll", "wrong"]}
    ranked = pd.concat(means.sort_values(orders[by]).assign(by=by) for by in orders)
    best = ranked.drop_duplicates(["by", "method", "split"])
    return best[["method", "split", "value", "by"]]


def gains(seeds, splits=range(40), settings=SETTINGS):
    """The runs of ``data/recorded/gains.json``: networks (on test data), chosen.

    seeds, splits : of fresh draws, of the digits
    """
    networks, choices = [], [pd.DataFrame()]
    for name in settings:
        digits = name.startswith("digits")
        of, over = (seeds[:1], splits) if digits else (seeds, [0])
        plain = fit(name, arms(splits=over), of, MOMENTS)
        wanted = [arms("smoothing", over, style.EPS_GRID[1:])]
        if name in STUDIED:  # the search has seeds that are used for nothing else
            found = chosen(name, range(100, 101 if digits else 105), over)
            choices.append(found.assign(setting=name))
            for method, split, value in found.values[:, :3]:
                wanted.append(arms(method, [split], [value]))
        others = fit(name, pd.concat(wanted).drop_duplicates(), of).table("test")
        of_all = pd.concat([plain.table("test"), early_stopped(plain), others])
        networks.append(of_all.assign(setting=name))
    made = pd.concat(networks, ignore_index=True)
    made["value"] = made[COLUMNS].sum(axis=1)
    made = made[["setting", "method", "value", "split", "seed", *MEASURES]]
    return {"networks": made, "chosen": pd.concat(choices, ignore_index=True)}


def differences(networks, measure, chosen=None):
    """A measure of each network less that of its partner without a regulariser.

    chosen  : of ``gains``: keep what was chosen by this measure, and early stopping
    returns : DataFrame: setting, method, value, unit (a split of the digits, else a
              seed), difference. Taught in 04
    """
    pair = ["setting", "split", "seed"]
    plain = networks.query("method == 'none'")[[*pair, measure]]
    rows = networks.query("method != 'none'").merge(plain, on=pair)
    rows["difference"] = rows[f"{measure}_x"] - rows[f"{measure}_y"]
    rows["unit"] = rows["split"].where(rows["setting"].str[0] == "d", rows["seed"])
    if chosen is not None:
        stopped = rows[rows["method"] == "early stopping"].assign(by=measure)
        best = rows.merge(chosen, on=["setting", "method", "split", "value"])
        rows = pd.concat([stopped, best]).query("by == @measure").assign(value=0.0)
        rows = rows[rows["setting"].isin(chosen["setting"])]
    return rows[["setting", "method", "value", "unit", "difference"]]
