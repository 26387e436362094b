"""A whole grid of networks trained at once: ``fit_fleet``.

Each row of the grid is one network, its columns are arguments of ``training.fit``.
Rows with the same seed share training data, initial weights, batches, dropout masks
and drawn labels, so that arms are compared pair by pair. Taught in deep dive 04a.
"""

import functools
import inspect
import itertools
import math
import reprlib
import warnings

import numpy as np
import pandas as pd
import torch

from . import check
from .datasets.noise import redraw
from .stacked import Stacked
from .training import DROPOUT, REDRAW, generator_of, logit_gap, passes, progress_bar

# What a row may set, as in ``training.fit``: the value it has otherwise, and its range.
SETTINGS = {
    "seed": (0, 0, 2**32 - 1), "eps": (0.0, "[0, 1]"), "lr": (2e-3, "[0, inf)"),
    "weight_decay": (0.0, "[0, inf)"), "l1": (0.0, "[0, inf)"),
    "dropout": (0.0, "[0, 1)"), "redrawn": (0.0, "[0, 1]"),
}  # fmt: skip
MEASURES = ("loss", "nll", "accuracy", "gap", "confidence")
# Of input, when all networks are evaluated. On a CPU more would leave its cache, and
# convolutions then take three times as long; a GPU is kept busy by so much more.
VALUES_AT_ONCE, ON_CUDA = 250_000, 16
CACHED_BYTES, CUDA_BYTES = 48e6, 2e9  # for the networks that are trained at once


def grid(**columns):
    """Every combination of the columns' values, one row each; the last varies fastest.

    columns : name to values or to one value: ``grid(eps=[0.0, 0.1], seed=range(20))``
    returns : pandas DataFrame; several are joined by ``pandas.concat``
    """
    plain = [v.tolist() if hasattr(v, "tolist") else v for v in columns.values()]
    lists = [v if pd.api.types.is_list_like(v) else [v] for v in plain]
    return pd.DataFrame(list(itertools.product(*lists)), columns=list(columns))


def smoothed_cross_entropy(logits, targets, eps):
    """Loss of each row of M networks, each with an eps of its own, in nats.

    logits, targets, eps : (M, B, K), (M, B) class indices, (M, 1)
    returns              : (M, B), as ``losses.label_smoothing_cross_entropy``
    """
    # Over the few classes, log_softmax is three times faster when they are not last.
    log_p = logits.mT.contiguous().log_softmax(1)  # (M, K, B)
    nll = -log_p.gather(1, targets.unsqueeze(1)).squeeze(1)
    return (1 - eps) * nll - eps * log_p.mean(1)


def fit_fleet(
    build, train, grid, *, evaluate=None, loss=smoothed_cross_entropy, steps=2000,
    batch_size=64, measure_every=None, progress=True,
):  # fmt: skip
    """Train the network of each row of a grid, all at once, with AdamW.

    build    : function of ``seed`` that makes a network with ``body`` and ``head``, as
               ``functools.partial(models.build, "mlp", (1, 8, 8))``
    train    : SixClass, or a function of columns of the grid that makes one, as
               ``lambda seed: datasets.shapes(600, seed=seed)``
    grid     : DataFrame or list of dicts, a row a network. Columns: seed, eps, lr,
               weight_decay, l1, dropout, redrawn, as in ``training.fit`` and by its
               defaults where empty; arguments of train, evaluate, loss; labels (text)
    evaluate : name to SixClass, or to such a function: measured besides "train"
    loss     : function (logits, targets, columns ...) to (M, B); each column of the
               grid that it names, and eps, comes as a tensor (M, 1)
    steps, batch_size, measure_every : of the whole fleet, measured ten times when None
    returns  : Fleet, also after an interrupt from the keyboard; a RuntimeWarning names
               networks whose loss is no longer a number
    """
    steps = check.whole(steps, "steps", 1)
    every = max(1, steps // 10) if measure_every is None else measure_every
    parts = dict(train=train, **(evaluate or {}))  # TypeError for a second "train"
    columns_only = functools.partial(loss, None, None)
    table = _read(grid, [*parts.values(), columns_only])
    columns = _arguments(columns_only, table)
    if table["eps"].any() and "eps" not in columns:
        raise ValueError("grid must not set eps for a loss that does not take eps.")
    sets = {name: _DataSets(part, table, name) for name, part in parts.items()}
    batch_size = check.whole(batch_size, "batch_size", 1, sets["train"].x.shape[1])
    seeds, which = np.unique(table["seed"], return_inverse=True)
    networks = [build(seed=int(seed)).to(sets["train"].x.device) for seed in seeds]
    fleet = Fleet(table, Stacked(networks, torch.as_tensor(which, device="cpu")), sets)
    _check_networks(fleet, networks, which)
    # Linux then keeps freed memory at hand: to get it anew takes a fifth of the time.
    torch.empty(32_000_000, dtype=torch.uint8, device="cpu")
    slices = _slices(fleet, batch_size)
    trainings = [_Training(fleet, s, loss, columns, batch_size) for s in slices]
    total = steps * len(trainings)
    ticks = iter(progress_bar(range(total), total, f"{len(table)} networks", progress))
    try:
        for stop in [0, *range(every, steps, every), steps]:
            for training in trainings:
                while training.step < stop:
                    training.update()
                    next(ticks)
                training.measure()
        next(ticks, None)  # past the end, or tqdm takes the bar for a broken-off one
    except KeyboardInterrupt:
        for training in trainings:
            training.measure()
        print(f"fit_fleet: interrupted at step {training.step} of {steps} or later.")
    if fleet.diverged:
        said = "The loss of some networks is no longer a number, {network: step}: "
        said += f"{reprlib.repr(fleet.diverged)}."
        warnings.warn(said, RuntimeWarning, stacklevel=2)
    return fleet


class Fleet:
    """A trained grid of M networks.

    grid     : DataFrame, a row a network, with every setting
    steps    : (T,) array of the steps that were measured
    history  : part to measure to (M, T) array: loss (as trained), nll (nats), accuracy,
               gap (nats), confidence; nan where not measured, or diverged
    diverged : network to the step at which its loss was no longer a number
    """

    def __init__(self, table, stack, sets):
        self.grid, self.diverged = table, {}
        self._stack, self._sets = stack, sets
        self._measured = {}  # (step, number of the part, first network) to a table

    def __len__(self):
        return len(self.grid)

    @property
    def steps(self):
        return np.unique([step for step, *_ in self._measured])

    @property
    def history(self):
        rows = pd.concat(self._measured.values())  # the index is the network
        return {
            part: {m: of_part.pivot(columns="step", values=m).values for m in MEASURES}
            for part, of_part in rows.groupby("part", sort=False)
        }

    def tidy(self):
        """All steps and parts: a tidy DataFrame, a row a network, step and part."""
        return pd.concat(dict(sorted(self._measured.items())), ignore_index=True)

    def table(self, part, step=None):
        """The grid with the measures of a part, at the last step of all when None."""
        tables = self.tidy().groupby(["part", "step"])
        networks = tables.size()[part]
        step = networks.index[networks == len(self)].max() if step is None else step
        return tables.get_group((part, step)).reset_index(drop=True)

    @torch.no_grad()
    def logits(self, inputs):
        """Logits (M, N, K) on a part, by name, or on inputs (N, ...) for all."""
        return torch.cat([self._stack.head(h) for h in self._features(inputs)], 1)

    def features(self, inputs):
        """Penultimate features (M, N, D) on a part, by name, or on inputs (N, ...)."""
        return torch.cat(list(self._features(inputs)), 1)

    def targets(self, part):
        """Labels (M, N) that each network has in a part."""
        return _of_each(self._sets[part].y, self._sets[part].which)

    def posterior(self, part):
        """Known p(class | input) of each network's part: (M, N, K), or None."""
        known = self._sets[part].posterior
        return None if known is None else _of_each(known, self._sets[part].which)

    def network(self, index):
        """Network ``index`` of the grid as a module of its own, with its weights."""
        return self._stack.unstack(index)

    @torch.no_grad()
    def _features(self, inputs, networks=slice(None)):
        """Features of a slice of the networks, some rows after others."""
        if isinstance(inputs, str):
            x, which = self._sets[inputs].x, self._sets[inputs].which[networks]
        else:
            x, which = inputs.unsqueeze(0), self.grid.index[networks]
        stack, rows = self._stack[networks], max(1, x.shape[1])
        at_once = VALUES_AT_ONCE * (ON_CUDA if x.is_cuda else 1)
        size = max(1, at_once // max(1, len(which) * math.prod(x.shape[2:])))
        # Piece by piece: all networks' inputs at once may be M data sets.
        for piece in x.split(rows if stack.mixes_rows else size, dim=1):
            yield stack.features(_of_each(piece, which))


class _Training:
    """The networks of a slice of the grid: ``update`` them, ``measure`` them."""

    def __init__(self, fleet, part, loss, columns, batch_size):
        self.fleet, self.part, self.step = fleet, part, 0
        self.stack, data = fleet._stack[part], fleet._sets["train"]
        self.parameters = self.stack.parameters()
        table, device = fleet.grid[part], data.x.device
        kind = self.parameters[0].dtype

        def column(values):
            return torch.tensor([[v] for v in values], dtype=kind, device=device)

        given = {name: column(values[part]) for name, values in columns.items()}
        self.loss = functools.partial(loss, **given)
        self.optimiser = _optimiser(self.parameters, table)
        # Of the table, not of the tensors: to ask those would wait for the device.
        used = [name for name in ("l1", "dropout", "redrawn") if table[name].any()]
        self.rates = {name: column(table[name]) for name in used}
        seeds, which = np.unique(table["seed"], return_inverse=True)
        seeds, rows = seeds.tolist(), data.x.shape[1]
        self.which = torch.as_tensor(which, device=device)
        orders = zip(*[passes(rows, batch_size, seed) for seed in seeds], strict=True)
        # (seeds, B) row numbers a step; moved to the device a pass at a time.
        self.batches = (rows for o in orders for rows in torch.stack(o, 1).to(device))
        self.masks_of = [generator_of(seed, DROPOUT) for seed in seeds]
        self.labels_of = [generator_of(seed, REDRAW) for seed in seeds]
        self.x, self.y = data.x.flatten(0, 1), data.y.flatten()
        self.first_row = data.which[part].unsqueeze(1) * rows
        self.broken = torch.full((len(table),), -1, device=device)  # step

    def update(self):
        """One step of every network."""
        rows = self.first_row + next(self.batches)[self.which]
        targets = self.y[rows]
        masks = self._dropout_factors if "dropout" in self.rates else None
        logits = self.stack.head(self.stack.features(self.x[rows], masks))
        if "redrawn" in self.rates:
            rate = self.rates["redrawn"].float()
            draws = self._draw(self.labels_of, targets.shape[1:])
            targets = redraw(targets, rate, draws, logits.shape[-1])
        loss = self.loss(logits, targets).mean(1)  # (M,)
        gradients = torch.autograd.grad(loss.sum(), self.parameters)
        # Fused AdamW takes the memory as it lies, and convolutions lay it otherwise.
        gradients = [gradient.contiguous() for gradient in gradients]
        if "l1" in self.rates:
            # Not in place: two weights may have been given one and the same gradient.
            gradients = [
                g + self.rates["l1"].view(-1, *[1] * (p.dim() - 1)) * p.detach().sign()
                for p, g in zip(self.parameters, gradients, strict=True)
            ]
        for group in self.optimiser.param_groups:
            for weight, gradient in zip(group["params"], gradients, strict=True):
                weight.grad = gradient[group["networks"]]
        self.optimiser.step()
        self.step += 1
        self._note_broken(loss.detach())

    @torch.no_grad()
    def measure(self):
        """Note the measures of all parts under the current step."""
        fleet, first = self.fleet, self.part.start
        for place, (name, data) in enumerate(fleet._sets.items()):
            features = fleet._features(name, self.part)
            logits = torch.cat([self.stack.head(h) for h in features], 1)
            targets = _of_each(data.y, data.which[self.part])
            found = _measures(logits, targets, self.loss)
            if name == "train":  # the first: what it finds holds for the others
                self._note_broken(found["loss"])
            columns = {"step": self.step, "part": name}
            for measure, values in found.items():
                values = values.cpu().masked_fill(self.broken.cpu() >= 0, np.nan)
                columns[measure] = values.double().numpy()
            table = pd.DataFrame(columns, fleet.grid.index[self.part])
            fleet._measured[self.step, place, first] = fleet.grid[self.part].join(table)
        steps = enumerate(self.broken.tolist(), start=first)
        fleet.diverged |= {network: step for network, step in steps if step >= 0}

    def _note_broken(self, loss):
        self.broken.masked_fill_(~loss.isfinite() & (self.broken < 0), self.step)

    def _draw(self, generators, shape):
        """Uniform numbers (M, *shape), the same for networks with the same seed."""
        draws = [torch.rand(shape, generator=g, device="cpu") for g in generators]
        return torch.stack(draws).to(self.which.device)[self.which]

    def _dropout_factors(self, shape):
        draws = self._draw(self.masks_of, shape)
        rate = self.rates["dropout"].view(-1, *[1] * len(shape))
        # Compared in float32, as a layer of its own compares with a Python number.
        return (draws >= rate.float()) / (1 - rate)


def _measures(logits, targets, loss):
    """The measures of M networks, each (M,); nan where logits are not finite."""
    # Stacked, so that a loss of another shape than (M, B) is refused.
    losses = loss(logits, targets), smoothed_cross_entropy(logits, targets, 0.0)
    found = dict(zip(("loss", "nll"), torch.stack(losses), strict=True)) | {
        "accuracy": check.exact(logits.argmax(-1) == targets),
        "gap": logit_gap(logits, targets),
        "confidence": logits.mT.contiguous().softmax(1).amax(1),
    }
    sound = logits.isfinite().all(-1).all(-1)
    found = {name: values.mean(1) for name, values in found.items()}
    return {k: v.masked_fill(~sound.to(v.device), np.nan) for k, v in found.items()}


def _optimiser(parameters, table):
    """AdamW over all networks: a group for each run of equal lr and weight decay."""
    settings = zip(table["lr"], table["weight_decay"], strict=True)
    groups, start = [], 0
    for (lr, decay), run in itertools.groupby(settings):
        networks = slice(start, start := start + len(list(run)))
        weights = [p.detach()[networks] for p in parameters]
        options = {"lr": lr, "weight_decay": decay, "networks": networks}
        groups.append({"params": weights, **options})
    return torch.optim.AdamW(groups, fused=True)


@torch.no_grad()
def _slices(fleet, batch_size):
    """Split the networks into as few equal slices as fit a CPU's cache or a GPU."""
    x = fleet._sets["train"].x[:1, :2]  # two rows: batch norm takes no single one
    most, values = CUDA_BYTES if x.is_cuda else CACHED_BYTES, x.numel()
    for layer in fleet._stack[:1].layers:
        x = layer(x, None)
        values += x.numel()
    weight, *_ = weights = fleet._stack.parameters()
    # Weight, gradient and its copy, two moments; activations and their gradients.
    numbers = 5 * sum(p[0].numel() for p in weights) + 4 * batch_size * (values // 2)
    size = max(1, int(most / (weight.element_size() * numbers)))
    count = -(-len(fleet) // size)
    bounds = [len(fleet) * k // count for k in range(count + 1)]
    return [slice(*pair) for pair in itertools.pairwise(bounds)]


def _read(given, users):
    """The grid, checked and filled in; ``users`` take its further columns."""
    table = pd.DataFrame(given).reset_index(drop=True)
    taken = {name for user in users for name in _defaults(user)} | set(SETTINGS)
    for name in [name for name in table if name not in taken]:
        if set(map(type, table[name].dropna())) != {str}:  # no label
            known = f"{', '.join(SETTINGS)}, what train, evaluate or loss take, or text"
            raise ValueError(f"grid may set {known}, and has the column {name!r}.")
    for name, (default, *limits) in SETTINGS.items():
        given = enumerate(_filled(table.get(name, [default] * len(table)), default))
        checked = check.whole if name == "seed" else check.real
        table[name] = [checked(v, f"grid, row {i}: {name}", *limits) for i, v in given]
    return table


def _defaults(function):
    """The arguments of a function with their defaults; none for anything else."""
    if not callable(function):
        return {}
    arguments = inspect.signature(function).parameters.values()
    if any(a.kind is a.VAR_KEYWORD for a in arguments):
        raise ValueError("train, evaluate and loss must name their columns, got **.")
    return {a.name: a.default for a in arguments if a.kind is not a.VAR_POSITIONAL}


def _arguments(function, table):
    """A function's arguments that the grid has or must have: a DataFrame."""
    given, missing = table[[]].copy(), inspect.Parameter.empty
    for name, default in _defaults(function).items():
        if name in table or default is missing:
            values = _filled(table.get(name, [None] * len(table)), default)
            if missing in values:
                raise ValueError(f"grid needs {name!r} in row {values.index(missing)}.")
            given[name] = values
    return given


def _filled(values, default):
    """The values of a column, with the default where there is none."""
    return [default if pd.isna(value) is True else value for value in values]


class _DataSets:
    """The data of every network of a grid, each different set stored once.

    given           : SixClass, or a function of columns of the grid that makes one
    x, y, posterior : all sets: (U, N, ...), (U, N), (U, N, K) or None
    which           : (M,) the set of each network
    """

    def __init__(self, given, table, name):
        make = given if callable(given) else lambda: given
        rows = _arguments(make, table).to_dict("index").values()  # in pandas 2.1 too
        arguments = pd.Series([tuple(row.items()) for row in rows], dtype=object)
        which, different = pd.factorize(arguments)
        sets = [make(**dict(key)) for key in different]
        lengths = sorted({len(data) for data in sets})
        if len(lengths) > 1 or lengths[0] == 0:
            raise ValueError(f"{name} needs rows, as many in every arm, got {lengths}.")
        self.x = torch.stack([data.x for data in sets])
        self.y = torch.stack([data.y for data in sets])
        known = all(data.posterior is not None for data in sets)
        self.posterior = torch.stack([d.posterior for d in sets]) if known else None
        self.which = torch.tensor(which, device=self.x.device)


def _of_each(values, which):
    """Values (U, ...) of each network: (M, ...), a view where all have one set."""
    if len(values) == 1:
        return values.expand(len(which), *values.shape[1:])
    return values[which]


@torch.no_grad()
def _check_networks(fleet, networks, which):
    """Raise an error when a network is not its head behind its body, or for a label."""
    if fleet.grid["dropout"].any() and not fleet._stack.has_dropout:
        raise ValueError("grid sets dropout for a network without models.Dropout.")
    x = fleet._sets["train"].x[:1, :2]
    same = functools.partial(torch.allclose, rtol=1e-3, atol=1e-4, equal_nan=True)
    # Weights are all that may differ from network to network: two are looked at.
    for row in {0, int(fleet.grid["seed"].argmax())}:
        stack, network = fleet._stack[row : row + 1], networks[which[row]]
        wanted = [network.train(mode)(x[0]) for mode in (False, True)]
        found = stack.head(stack.features(x))[0]
        if not all(z.shape == found.shape and same(z, found) for z in wanted):
            raise ValueError("build must make networks that are head(body(x)).")
    for name, data in fleet._sets.items():
        logits = found[:1].expand(*data.y.shape, -1)
        data.y = check.labels(data.y, logits, f"labels of {name}")
