"""Run an experiment that takes longer than a lecture, and store what it measured.

    python data/recorded/record.py noise [--seeds 20] [--out FILE]

An experiment is a function of that name in ``lsr_utils/experiments/NAME.py``, or in a
notebook's cells tagged "experiment": it takes the seeds and returns a dict of tables:
DataFrames, or dicts of columns. They are written to ``data/recorded/NAME.json`` with
where, when and by what they were made.
"""

import argparse
import ast
import functools
import hashlib
import importlib
import json
import pathlib
import sys

import nbformat
import pandas as pd
import torch
from provenance import ROOT, provenance

sys.path.insert(0, str(ROOT / "tests"))
from notebook_files import (  # noqa: E402
    by_number,
    cells_tagged,
    run_cells,
    without_docstring,
)

from lsr_utils import setup  # noqa: E402

# Name of the experiment to the notebook that holds it, and what it was trained on.
EXPERIMENTS = {
    "calibrated_shapes": (
        "08a",
        "shapes: 600 training images, 300 validation and 4000 test images for each "
        "seed (seeds 0 ..., + 1000, + 10000), 30 % morphs",
    ),
    "gains": (
        "04",
        "digits: forty splits, a seed each (the split's; + 100 for the search), 200 "
        "images for validation and the rest to test; gaussians and shapes: fresh draws "
        "a seed to train (seeds 0 ..., 100 to 104 for the search), 200 for validation "
        "(seed + 10000), 2000 to test (seed + 20000)",
    ),
    "advice": (
        "08",
        "digits: 500 to train, 200 for validation, 383 to test, a split a seed; "
        "gaussians (300, 2000, 30000 to train) and shapes (600): fresh draws a seed to "
        "train (seeds 0 ...), for validation (seed + 10000) and to test (seed + "
        "20000); questions: 346 to train and 80 for validation, a split a seed, 214 to "
        "test, common to all",
    ),
    "relatives": (
        "08b",
        "digits: 500 to train, 200 for validation, 383 to test, a split a seed; "
        "gaussians (300, 2000 to train): fresh draws a seed to train (seeds 0 ...), "
        "200 for validation (seed + 10000) and 2000 to test (seed + 20000)",
    ),
    "film": (
        "05",
        "digits: the 500 training and 383 test images of split 0, of three classes and "
        "of all six",
    ),
    "noise": (
        "07",
        "digits: forty splits, a seed each (the split's), 300 images to train, 200 for "
        "validation and the rest to test; gaussians and shapes: fresh draws a seed to "
        "train (300 and 600, seeds 0 ...), 200 for validation (seed + 10000), 2000 to "
        "test (seed + 20000), 30 % morphs among the shapes",
    ),
    "clusters_shapes": (
        "05a",
        "shapes: a training set a seed (seeds 0 ...), of 600 images, 30 % morphs, or "
        "of 2000 images, no morphs; 2000 test images of the kind (seed 10000) common "
        "to all networks",
    ),
    "words": (
        "09",
        "questions: 346 of the 426 training questions, 80 others to fit temperatures, "
        "the 214 test questions; one split",
    ),
    "trec": (
        "09a",
        "TREC: 4952 of the 5452 training questions, 500 others to fit temperatures and "
        "similarities, the 500 official test questions; one split",
    ),
    "distillation": (
        "05c",
        "digits: one split, 500 to train, 200 to choose, 383 to test; gaussians: 300 "
        "points a seed, 500 to choose (seed 20000), 4000 to test (seed 10000); shapes: "
        "600 images a seed, 500 to choose (seed 20000), 2000 to test (seed 10000)",
    ),
    "when_not_to": (
        "08c",
        "strings of five of ten symbols, to be copied or reversed: 2000 to train, "
        "drawn anew for each seed (seeds 0 ...), 1000 for validation (seed 10000) and "
        "1000 to test (seed 20000), common to all",
    ),
    "noisy_teachers": (
        "08c",
        "digits: one split, 500 to train, 200 to choose, 383 to test, 40 % of the "
        "training labels wrong, drawn anew for each seed; gaussians: 300 points a "
        "seed, 30 % of the labels wrong, 500 to choose (seed 20000), 4000 to test "
        "(seed 10000)",
    ),
}


def module_of(name):
    """The file of the package that holds an experiment, if one does."""
    return ROOT / "lsr_utils" / "experiments" / f"{name}.py"


def experiment_cells(name):
    """The cells that define an experiment, from its notebook; a module is one."""
    if module_of(name).is_file():
        source = module_of(name).read_text(encoding="utf-8")
        return [nbformat.v4.new_code_cell(source)]
    number, _ = EXPERIMENTS[name]
    return [cell for _, cell in cells_tagged(by_number(number), "experiment")]


def fingerprint(cells):
    """Of what the cells define; order, layout, comments, docstrings do not count."""
    definitions = (ast.FunctionDef, ast.ClassDef)
    texts = []
    for node in (node for cell in cells for node in ast.parse(cell.source).body):
        if isinstance(node, definitions):
            node = without_docstring(node)
        if isinstance(node, (*definitions, ast.Assign)):
            texts.append(repr(tree(node)))
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


def tree(node):
    """A syntax tree as tuples and lists, the same in every version of Python."""
    if isinstance(node, list):
        return [tree(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    # Later versions have more fields, which are empty here.
    fields = [(name, tree(value)) for name, value in ast.iter_fields(node)]
    return type(node).__name__, [pair for pair in fields if pair[1] not in (None, [])]


def plain(value):
    """Tables as dicts of columns, wherever they lie in a dict; rounded."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, pd.DataFrame):
        # nan is no JSON: what was not measured is null.
        columns = value.round(5).astype(object).where(value.notna(), None)
        return {name: columns[name].tolist() for name in columns}
    return value


def record(name, seeds, **options):
    """Run an experiment: its provenance and its tables, as one dict.

    options : of the experiment, to make it smaller
    """
    cells = experiment_cells(name)
    if module_of(name).is_file():
        names = vars(importlib.import_module(f"lsr_utils.experiments.{name}"))
        setup(device="cpu")
    else:
        names = run_cells(cells)  # sets threads and seeds, as the notebook does
    number, data = EXPERIMENTS[name]
    made = {
        "experiment": name,
        "notebook": number,
        "code": fingerprint(cells),
        "data": data,
        "seeds": seeds,
        **provenance(f"python data/recorded/record.py {name} --seeds {seeds}"),
        "threads": torch.get_num_threads(),
    }
    return {**made, **plain(names[name](range(seeds), **options))}


def as_text(made):
    """JSON with a column a line: compact, and readable in a diff."""
    write = functools.partial(json.dumps, ensure_ascii=False, allow_nan=False)
    lines = []
    for key, value in made.items():
        text = write(value)
        if isinstance(value, dict):
            columns = (f"  {write(k)}: {write(v)}" for k, v in value.items())
            text = "{\n" + ",\n".join(columns) + "\n }"
        lines.append(f" {write(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}.")
    out = options.out or ROOT / "data" / "recorded" / f"{options.name}.json"
    text = as_text(record(options.name, options.seeds))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    print(f"{out.name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
