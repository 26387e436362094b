"""What importing the package does: little, in one direction, and nothing else."""

import ast
import collections
import json
import pathlib
import subprocess
import sys

import pytest

import lsr_utils

PACKAGE = pathlib.Path(lsr_utils.__file__).parent
# A module may import those before it, never one after it (design, section 2).
ORDER = [
    "check", "targets", "losses", "datasets", "models", "training", "stacked", "fleet",
    "stats", "calibration", "geometry", "measure", "recorded", "style", "plots",
    "sliders", "drawn", "notebook", "experiments", "exercises", "fused",
    "sharded",
]  # fmt: skip
TEXTS = {
    path.relative_to(PACKAGE): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}
HEAVY = {
    "matplotlib", "pandas", "seaborn", "sklearn", "scipy", "sympy", "IPython", "pooch",
    "requests",
}  # fmt: skip
QUIET = """
import json, os, random, sys
import numpy as np
import torch

def state():
    numpy_state = np.random.get_state()[1].tolist()
    return [random.getstate(), numpy_state, torch.get_rng_state().tolist(),
            torch.get_num_threads(), torch.get_default_dtype(), dict(os.environ)]

before, loaded = state(), set(sys.modules)
news = []
for names in sys.argv[1:]:
    exec(f"import {names}")
    news.append(sorted(set(sys.modules) - loaded))
print(json.dumps([before == state(), news, os.listdir()]))
"""


def topic(path):
    """The module, or the package of several files, that a file belongs to."""
    return path.parts[0].removesuffix(".py")


def test_importing_adds_little_to_torch_and_seeds_and_writes_nothing(tmp_path):
    every = {
        ".".join(["lsr_utils", *path.with_suffix("").parts]).removesuffix(".__init__")
        for path in TEXTS
    }
    steps = ["lsr_utils", "lsr_utils.datasets", ", ".join(sorted(every))]
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{QUIET}"
    command = [sys.executable, "-c", code, *steps]
    options = {"capture_output": True, "text": True, "check": True}
    done = subprocess.run(command, cwd=tmp_path, **options)
    unchanged, (first, datasets, all_of_it), files = json.loads(done.stdout)
    assert unchanged and files == [] and done.stderr == ""
    ours = [name for name in first if name.startswith("lsr_utils")]
    assert ours == ["lsr_utils", "lsr_utils.check", "lsr_utils.notebook"]
    assert len(first) <= len(ours) + 3
    assert not {name.split(".")[0] for name in datasets} & HEAVY
    assert every <= set(all_of_it)


def imports_of(path):
    for node in ast.walk(ast.parse(TEXTS[path])):
        if isinstance(node, ast.ImportFrom) and node.level:
            # As many dots as lead to lsr_utils; fewer: a file of the same topic.
            assert node.level <= len(path.parts), "it reaches beyond the package"
            if node.level == len(path.parts):
                names = [alias.name for alias in node.names]
                yield from [node.module.split(".")[0]] if node.module else names
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            assert "lsr_utils" not in ast.unparse(node)


@pytest.mark.parametrize("path", TEXTS, ids=str)
def test_a_module_says_what_it_is_and_imports_only_those_above_it(path):
    assert topic(path) in ORDER, "a new module: give it its place in ORDER"
    assert set(imports_of(path)) <= set(ORDER[: ORDER.index(topic(path))])
    assert len(TEXTS[path].splitlines()) <= 500
    tree = ast.parse(TEXTS[path])
    public = [f for f in tree.body if isinstance(f, ast.FunctionDef)]
    public = [f for f in public if not f.name.startswith("_")]
    assert all(map(ast.get_docstring, [tree, *public]))


MOST = {  # lines, with those of deep dives 08b and 08c
    "exercises": 1960, "experiments": 1280, "fused": 1300, "sharded": 190, "core": 3900
}  # fmt: skip


def test_the_package_stays_small():
    lines = collections.Counter()
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".js"):
            folder = topic(path.relative_to(PACKAGE))
            count = len(path.read_text(encoding="utf-8").splitlines())
            lines[folder if folder in MOST else "core"] += count
    over = {name: lines[name] for name, most in MOST.items() if lines[name] > most}
    assert not over, f"{over} lines, more than {MOST}: cut as many, or raise MOST"


USUAL = {
    "seed": 0, "n": 2000, "n_bins": 15, "strategy": "uniform", "draws": 1000,
    "resamples": 1000, "level": 0.95, "num_classes": 6, "spread": "all",
    "reduction": "mean", "ignore_index": -100, "steps": 2000, "batch_size": 64,
    "lr": 2e-3, "weight_decay": 0.0, "l1": 0.0, "redrawn": 0.0, "widths": (64, 32),
}  # fmt: skip


@pytest.mark.parametrize(
    "path", [p for p in TEXTS if topic(p) not in ORDER[18:]], ids=str
)
def test_what_an_argument_is_unless_a_caller_says_otherwise(path):
    for function in ast.walk(ast.parse(TEXTS[path])):
        if isinstance(function, ast.FunctionDef) and "_check" not in function.name:
            given = function.args
            pairs = [*zip(given.args[::-1], given.defaults[::-1], strict=False)]
            pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
            for name, value in pairs:
                if value is not None and name.arg in USUAL:
                    assert ast.literal_eval(value) == USUAL[name.arg], function.name


def test_submodules_come_when_first_used():
    assert lsr_utils.targets.target_values(0.0, 6) == (1.0, 0.0)
    assert set(map(topic, TEXTS)) <= set(dir(lsr_utils))
    with pytest.raises(AttributeError, match="'lsr_utils' has no attribute 'loses'"):
        _ = lsr_utils.loses
    for name in lsr_utils.__all__:
        assert getattr(lsr_utils, name) is not None
