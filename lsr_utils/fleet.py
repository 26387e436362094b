"""A whole grid of networks trained at once: ``fit_fleet``.

Each row of the grid is one network, its columns are arguments of ``training.fit``.
Rows with the same seed share training data, initial weights, batches, dropout masks
and drawn labels, so that arms are compared pair by pair.
"""

import functools
import itertools
import warnings

import numpy as np
import torch

from .fleet_checks import check_networks
from .fleet_training import (
    Training,
    chunks_within,
    portions_of,
    row_slices,
    smoothed_cross_entropy,
)
from .grids import MEASURES, DataSets, arguments_of, check_evaluate, grid, read_grid
from .stacked import Stacked
from .targets import check_count
from .training import check_batch_size, progress_bar

__all__ = ["Fleet", "fit_fleet", "grid", "smoothed_cross_entropy"]


def fit_fleet(
    build,
    train,
    grid,
    *,
    evaluate=None,
    loss=smoothed_cross_entropy,
    steps=2000,
    batch_size=64,
    measure_every=None,
    device=None,
    memory=2e9,
    progress=True,
):
    """Train the network of each row of a grid, all at once, with AdamW.

    build    : function of ``seed`` that makes a network with ``body`` and ``head``, as
               ``functools.partial(models.build, "mlp", (1, 8, 8))``
    train    : SixClass, or a function of columns of the grid that makes one, as
               ``lambda seed: datasets.shapes(600, seed=seed)``
    grid     : DataFrame or list of dicts, a row a network. Columns: seed, eps, lr,
               weight_decay, l1, dropout, redrawn, as in ``training.fit``; whatever
               ``train``, ``evaluate`` or ``loss`` ask for; text, which only labels.
               An empty place (nan) has the default of ``fit``. Rows with equal lr and
               weight_decay are updated together where they are neighbours
    evaluate : name to SixClass, or to such a function: measured besides "train"
    loss     : function (logits, targets, columns ...) to (M, B); each column of the
               grid that it names, and eps, comes as a tensor (M, 1)
    steps, batch_size, measure_every : one for the whole fleet; measured ten times when
               measure_every is None
    device   : where to train; where the data are when None
    memory   : bytes to train with, beside all weights and data; a larger grid is
               trained in chunks, and says so
    returns  : Fleet, also when interrupted from the keyboard
    raises   : TypeError or ValueError, naming the argument and its value. Networks
               whose loss stops being a number are named in a RuntimeWarning, with the
               step; the others do not notice

    Taught in 03 section 5.
    """
    steps = check_count(steps, "steps")
    measure_every = max(1, steps // 10) if measure_every is None else measure_every
    measure_every = check_count(measure_every, "measure_every")
    parts = {"train": train, **check_evaluate(evaluate)}
    columns_only = functools.partial(loss, None, None)
    table = read_grid(grid, [*parts.values(), columns_only], columns_only)
    sets = {name: DataSets(part, table, name, device) for name, part in parts.items()}
    check_batch_size(batch_size, sets["train"].rows)
    arguments = arguments_of(columns_only, table)

    seeds, which = np.unique(table["seed"], return_inverse=True)
    networks = [build(seed=int(seed)) for seed in seeds]
    stack = Stacked(networks, torch.as_tensor(which)).to(sets["train"].x.device)
    fleet = Fleet(table, stack, sets)
    check_networks(fleet, networks, which)
    # Linux then keeps memory that is freed, up to twice as much, and every step has it
    # at hand; to be given it anew, page by page, takes up to a fifth of the time.
    torch.empty(32_000_000, dtype=torch.uint8, device="cpu")
    chunks = chunks_within(fleet, memory, batch_size)
    portions = [portions_of(fleet, chunk, batch_size) for chunk in chunks]
    total = steps * sum(map(len, portions))
    ticks = progress_bar(range(total), total, f"{len(table)} networks", progress)
    ticks = iter(ticks)
    for chunk, slices in zip(chunks, portions, strict=True):
        trainings = []
        try:
            for part in slices:
                made = Training(fleet, part, loss, arguments[part], batch_size)
                trainings.append(made)
            _train(trainings, steps, measure_every, ticks)
        except KeyboardInterrupt:
            if not trainings and not len(fleet.steps):
                raise  # there is nothing to return
            fleet.interrupted = True
            for training in trainings:
                training.measure()
            _say_interrupted(trainings, steps, chunk, len(table))
            break
    else:
        next(ticks, None)  # past the end, or tqdm takes the bar for a broken-off one
    _warn_of_divergence(fleet)
    return fleet


class Fleet:
    """A trained grid of M networks.

    grid        : DataFrame, a row a network, with every setting
    steps       : (T,) array of the steps that were measured
    history     : part to measure to (M, T) array: loss (as trained), nll (nats),
                  accuracy, gap (nats), confidence; nan where a network was not
                  measured or had diverged
    diverged    : network to the step at which its loss was no longer a number
    interrupted : whether training ended early; networks that were not reached are then
                  untrained, and have no history
    """

    def __init__(self, table, stack, sets):
        self.grid, self.diverged, self.interrupted = table, {}, False
        self._stack, self._sets = stack, sets
        self._measured = {}  # step to part to measure to (M,) array
        self._present = {}  # step to (M,) array: which networks were measured

    def __len__(self):
        return len(self.grid)

    @property
    def steps(self):
        return np.array(sorted(self._measured))

    @property
    def history(self):
        return {
            part: {
                name: np.stack(
                    [self._measured[step][part][name] for step in self.steps], axis=1
                )
                for name in MEASURES
            }
            for part in self._sets
        }

    def table(self, part, step=None):
        """The grid with the measures of a part: a tidy DataFrame, a row a network.

        step   : a measured step; when None the last at which all networks were (after
                 an interrupt not all are trained alike), or the last of any
        raises : ValueError for a part or a step that was not measured
        """
        self._check_part(part)
        if step is None:
            whole = [s for s in self.steps if self._present[s].all()]
            step = whole[-1] if whole else self.steps[-1]
        if step not in self._measured:
            raise ValueError(
                f"step must be one of {self.steps.tolist()}, got {step!r}."
            )
        return self.grid.assign(step=step, part=part, **self._measured[step][part])

    def tidy(self):
        """All parts and steps: a tidy DataFrame, a row a network, part and step."""
        import pandas as pd

        tables = [self.table(p, s) for s in self.steps for p in self._sets]
        return pd.concat(tables, ignore_index=True)

    def logits(self, inputs):
        """Logits (M, N, K) on a part, by name, or on inputs (N, ...) for all."""
        with torch.no_grad():
            return torch.cat([self._stack.head(h) for h in self._features(inputs)], 1)

    def features(self, inputs):
        """Penultimate features (M, N, D) on a part, by name, or on inputs (N, ...)."""
        return torch.cat(list(self._features(inputs)), 1)

    def targets(self, part):
        """Labels (M, N) that each network has in a part."""
        self._check_part(part)
        return self._sets[part].of_networks(self._sets[part].y)

    def posterior(self, part):
        """Known p(class | input) of each network's part: (M, N, K), or None."""
        self._check_part(part)
        known = self._sets[part].posterior
        return None if known is None else self._sets[part].of_networks(known)

    def network(self, index):
        """Network ``index`` of the grid as a module of its own, with its weights."""
        if index not in range(-len(self), len(self)):
            raise IndexError(f"index must lie in 0 ... {len(self) - 1}, got {index}.")
        return self._stack.unstack(index)

    @torch.no_grad()
    def _features(self, inputs):
        if isinstance(inputs, str):
            self._check_part(inputs)
            data = self._sets[inputs]
            x, rows = data.x, data.rows
            piece = functools.partial(data.of_networks, x, slice(None))
        elif isinstance(inputs, torch.Tensor):
            x, rows = inputs, len(inputs)

            def piece(rows):
                return inputs[rows].expand(len(self), -1, *inputs.shape[1:])

        else:
            raise TypeError(
                "inputs must be the name of a part or a tensor, got "
                f"{type(inputs).__name__}."
            )
        for part in row_slices((len(self), rows), x, self._stack):
            yield self._stack.features(piece(part))

    def _check_part(self, part):
        if part not in self._sets:
            known = ", ".join(repr(name) for name in self._sets)
            raise ValueError(f"part must be one of {known}, got {part!r}.")


def _train(trainings, steps, measure_every, ticks):
    """All steps of some portions, which take turns from measurement to measurement."""
    for training in trainings:
        training.measure()
    for first in range(0, steps, measure_every):
        for training in trainings:
            for _ in range(min(measure_every, steps - first)):
                training.update()
                next(ticks)
            training.measure()


def _say_interrupted(trainings, steps, chunk, networks):
    done = sorted({training.step for training in trainings}) or [0]
    done = " to ".join(str(step) for step in {done[0]: 0, done[-1]: 0})
    before = f", those before all {steps} steps" * (chunk.start > 0)
    after = ", those after no step and no history" * (chunk.stop < networks)
    print(
        f"fit_fleet: interrupted. Networks {chunk.start} to {chunk.stop - 1} of "
        f"{networks} have {done} of {steps} steps{before}{after}."
    )


def _warn_of_divergence(fleet):
    if not fleet.diverged:
        return
    named = [
        f"network {k} (seed {fleet.grid.seed[k]}, eps {fleet.grid.eps[k]:g}, lr "
        f"{fleet.grid.lr[k]:g}) at step {step}"
        for k, step in itertools.islice(sorted(fleet.diverged.items()), 3)
    ]
    more = len(fleet.diverged) - len(named)
    named += [f"and {more} more (see diverged)"] * (more > 0)
    warnings.warn(
        f"The loss is no longer a number in {', '.join(named)}. The other "
        f"{len(fleet) - len(fleet.diverged)} of {len(fleet)} networks are not "
        "affected.",
        RuntimeWarning,
        stacklevel=3,
    )
