"""The grid of a fleet: one row a network, and what the columns of a row mean."""

import inspect
import itertools

import numpy as np
import torch

from .datasets import SixClass
from .targets import check_eps, check_rate, check_seed
from .training import check_dropout, check_penalty


def _check_lr(value):
    check_penalty(value, "lr")


# What a row may set, as in ``training.fit``: the value it has otherwise, and a check.
SETTINGS = {
    "seed": (0, check_seed),
    "eps": (0.0, check_eps),
    "lr": (2e-3, _check_lr),
    "weight_decay": (0.0, lambda value: check_penalty(value, "weight_decay")),
    "l1": (0.0, lambda value: check_penalty(value, "l1")),
    "dropout": (0.0, check_dropout),
    "redrawn": (0.0, lambda value: check_rate(value, "redrawn")),
}
OF_THE_WHOLE_FLEET = ("steps", "batch_size", "measure_every")
MEASURES = ("loss", "nll", "accuracy", "gap", "confidence")
ADDED = ("step", "part", *MEASURES)  # columns that ``Fleet.table`` adds


def grid(**columns):
    """Every combination of the columns' values, one row each; the last varies fastest.

    columns : name to a list of values or to one value, as in
              ``grid(eps=[0.0, 0.1], seed=range(20))``
    returns : pandas DataFrame; several are joined by ``pandas.concat``
    """
    import pandas as pd

    plain = [v.tolist() if hasattr(v, "tolist") else v for v in columns.values()]
    lists = [
        [v] if isinstance(v, str) or not hasattr(v, "__iter__") else list(v)
        for v in plain
    ]
    return pd.DataFrame(list(itertools.product(*lists)), columns=list(columns))


def read_grid(given, users, loss):
    """The grid with every setting filled in, checked.

    given   : DataFrame or list of dicts
    users   : functions whose arguments may name further columns, ``loss`` among them
    loss    : the function that must take ``eps`` where the grid sets it
    returns : DataFrame with rows 0 ... M - 1
    raises  : TypeError or ValueError, naming the column, its value and the row
    """
    import pandas as pd

    try:
        table = pd.DataFrame(given).reset_index(drop=True)
    except (TypeError, ValueError):
        raise TypeError(
            f"grid must be a DataFrame or a list of dicts, got {given!r}."
        ) from None
    if not len(table):
        raise ValueError("grid must have at least 1 row, got 0.")
    taken = {name for user in users for name in columns_of(user)}
    if not table.columns.is_unique:
        raise ValueError(f"grid must have each column once, got {list(table)}.")
    for name in table.columns:
        if name in ADDED:
            raise ValueError(
                f"grid must not have the column {name!r}, which the tables of a fleet "
                "add. Call it otherwise."
            )
        if name in OF_THE_WHOLE_FLEET:
            raise ValueError(
                f"grid must not have the column {name!r}: all networks of a fleet take "
                "the same batches together. Call fit_fleet once for each value."
            )
        values = table[name].dropna()
        is_label = len(values) and all(isinstance(v, str) for v in values)
        if name not in SETTINGS and name not in taken and not is_label:
            raise ValueError(
                f"grid has the column {name!r}, which nothing takes: the settings are "
                f"{', '.join(SETTINGS)}; others must be arguments of train, evaluate "
                "or loss, or be text."
            )
    for name, (default, check) in SETTINGS.items():
        values = table[name] if name in table else [default] * len(table)
        values = [default if _is_empty(v) else _plain(v) for v in values]
        for row, value in enumerate(values):
            try:
                check(value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"grid, row {row}: {error}") from None
        table[name] = [int(v) if name == "seed" else float(v) for v in values]
    if table["eps"].any() and "eps" not in columns_of(loss):
        raise ValueError("grid must not set eps for a loss that does not take eps.")
    return table


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _is_empty(value):
    import pandas as pd

    return pd.api.types.is_scalar(value) and pd.isna(value)


def columns_of(function):
    """The columns that a function may take: its arguments, with their defaults.

    Anything that is no function takes none.
    """
    if not callable(function):
        return {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    arguments = inspect.signature(function).parameters.values()
    return {a.name: a.default for a in arguments if a.kind in named}


def arguments_of(function, table):
    """What a function is given in each row of the grid: a list of M dicts.

    An argument that is no column of the grid is left to its default.
    raises : ValueError where a row has no value and the function no default
    """
    rows = [{} for _ in range(len(table))]
    for name, default in columns_of(function).items():
        if name not in table and default is not inspect.Parameter.empty:
            continue
        values = table[name] if name in table else [np.nan] * len(table)
        for number, (row, value) in enumerate(zip(rows, values, strict=True)):
            value = _plain(value)
            if _is_empty(value):
                value = default
            if value is inspect.Parameter.empty:
                raise ValueError(
                    f"grid must have a value of {name!r} in row {number}, which a "
                    "function takes, got none."
                )
            row[name] = value
    return rows


def check_evaluate(evaluate):
    """Its parts, or ``TypeError`` or ``ValueError`` where they are no new parts."""
    evaluate = {} if evaluate is None else evaluate
    if not isinstance(evaluate, dict) or not all(isinstance(k, str) for k in evaluate):
        raise TypeError(
            'evaluate must be a dict of names, as {"test": data}, got '
            f"{type(evaluate).__name__}."
        )
    if "train" in evaluate:
        raise ValueError("evaluate must not have the part 'train', which is there.")
    return evaluate


class DataSets:
    """The data of every network of a grid, each different set stored once.

    given  : SixClass, or a function of columns of the grid that makes one
    table  : the grid
    name   : of the part, for messages
    x, y   : all sets one after another: (U * rows, ...), (U * rows,)
    which  : (M,) the set of each network
    raises : TypeError or ValueError for sets that do not fit together
    """

    def __init__(self, given, table, name, device=None):
        if not callable(given):
            given, table = (lambda data=given: data), table[[]]
        kinds = {a.kind for a in inspect.signature(given).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD in kinds:
            raise ValueError(
                f"{name} must name the columns that it takes, as in lambda seed: ..., "
                "got a function of any (**), which would be given none."
            )
        arguments = [tuple(row.items()) for row in arguments_of(given, table)]
        try:
            place = {key: k for k, key in enumerate(dict.fromkeys(arguments))}
        except TypeError:
            raise TypeError(
                f"grid must have numbers, text or tuples in the columns that {name} "
                f"takes, got {arguments[0]!r}."
            ) from None
        sets = [given(**dict(key)) for key in place]
        for data in sets:
            if not isinstance(data, SixClass):
                raise TypeError(
                    f"{name} must be a SixClass or a function that makes one, "
                    f"got {type(data).__name__}."
                )
        lengths = sorted({len(data) for data in sets})
        if len(lengths) > 1 or lengths[0] == 0:
            raise ValueError(
                f"{name} must have the same number of rows, at least 1, in every arm, "
                f"or their batches would differ: got {lengths}. Call fit_fleet once "
                "for each size."
            )
        kinds = {(tuple(data.x.shape), data.x.dtype) for data in sets}
        if len(kinds) > 1:
            raise ValueError(
                f"{name} must have inputs of one shape and dtype in every arm, got "
                f"{sorted(map(str, kinds))}."
            )
        self.rows = lengths[0]
        self.x = torch.cat([data.x for data in sets]).to(device or sets[0].x.device)
        self.y = torch.cat([data.y for data in sets]).to(self.x.device)
        if not self.y.is_floating_point():
            self.y = self.y.long()  # that is what gather takes
        known = all(data.posterior is not None for data in sets)
        self.posterior = torch.cat([d.posterior for d in sets]) if known else None
        if known:
            self.posterior = self.posterior.to(self.x.device)
        which = torch.tensor([place[key] for key in arguments])
        self.which = which.to(self.x.device)

    def of_networks(self, values, networks=slice(None), rows=slice(None)):
        """``x``, ``y`` or ``posterior`` of each network: (M, rows, ...).

        A view, not a copy, where all networks have one set.
        """
        values = values.unflatten(0, (-1, self.rows))[:, rows]
        which = self.which[networks]
        if len(values) == 1:
            return values.expand(len(which), *values.shape[1:])
        return values[which.to(values.device)]
