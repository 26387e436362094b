"""What importing the package does: little, in one direction, and nothing else."""

import ast
import io
import json
import pathlib
import subprocess
import sys
import tokenize

import pytest

import lsr_utils

PACKAGE = pathlib.Path(lsr_utils.__file__).parent
# A module may import those before it, never one after it (design, section 2).
ORDER = [
    "check", "targets", "losses", "datasets", "models", "training", "stacked", "fleet",
    "stats", "calibration", "geometry", "measure", "recorded", "style", "plots",
    "sliders", "notebook", "exercises", "fused",
]  # fmt: skip
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)
MODULES += sorted(path for path in PACKAGE.glob("*.py") if path.name != "__init__.py")
NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip
HEAVY = (
    "matplotlib", "pandas", "seaborn", "sklearn", "scipy", "sympy", "IPython", "pooch",
    "requests",
)  # fmt: skip

QUIET = """
import json, os, random, sys
import numpy as np
import torch

def state():
    numpy_state = np.random.get_state()[1].tolist()
    return [random.getstate(), numpy_state, torch.get_rng_state().tolist(),
            torch.get_num_threads(), torch.get_default_dtype(), dict(os.environ)]

before, loaded = state(), set(sys.modules)
import {name}
new = sorted(set(sys.modules) - loaded)
print(json.dumps([before == state(), new, os.listdir()]))
"""


def imported(name, folder):
    """What ``import name`` leaves behind after ``import torch``, in a new process."""
    path = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", path + QUIET.replace("{name}", name)],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_importing_the_package_adds_little_to_torch(tmp_path):
    unchanged, new, files = imported("lsr_utils", tmp_path)
    assert unchanged and files == []
    assert not {name.split(".")[0] for name in new} & set(HEAVY)
    ours = [name for name in new if name.startswith("lsr_utils")]
    assert ours == ["lsr_utils", "lsr_utils.check", "lsr_utils.notebook"]
    assert len(new) <= len(ours) + 3


def test_importing_the_datasets_leaves_what_is_slow_for_later(tmp_path):
    _, new, _ = imported("lsr_utils.datasets", tmp_path)
    assert not {name.split(".")[0] for name in new} & set(HEAVY)


def test_importing_every_module_seeds_and_writes_nothing(tmp_path):
    every = {dotted(path) for path in MODULES}
    unchanged, new, files = imported(", ".join(sorted(every)), tmp_path)
    assert unchanged and files == []
    assert every <= set(new)


def dotted(path):
    """lsr_utils/plots/data.py as lsr_utils.plots.data."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def topic(path):
    """The module, or the package of several files, that a file belongs to."""
    return dotted(path).split(".")[1]


def imports_of(path):
    """Topics that a file imports from, at its top or inside a function."""
    inside = len(path.relative_to(PACKAGE).parts)  # dots that lead to lsr_utils
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= inside, f"{path.name} reaches beyond the package"
            if node.level < inside:
                continue  # another file of the same topic
            if node.module:
                yield node.module.split(".")[0]
            else:
                yield from (alias.name for alias in node.names)
        else:
            absolute = ast.unparse(node) if isinstance(node, ast.Import) else ""
            assert "lsr_utils" not in absolute, f"{path.name}: {absolute}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_module_imports_only_those_above_it(path):
    assert topic(path) in ORDER, "a new module: give it its place in ORDER"
    above = ORDER[: ORDER.index(topic(path))]
    assert set(imports_of(path)) <= set(above)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_module_stays_readable_and_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{node.name} has no docstring"


def lines_of_code(text):
    """Lines that hold code: not blank, not only a comment, not in a docstring."""
    places = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            places.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            places.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(places)


def test_the_whole_package_stays_small():
    text = 'x = """a\nb"""\n\ndef f():\n    """Doc.\n\n    More."""\n    # why\n'
    text += "    y = 1  # z\n"
    assert lines_of_code(text) == 4
    code = [lines_of_code(path.read_text(encoding="utf-8")) for path in MODULES]
    assert sum(code) <= 6000


def test_submodules_come_when_first_used_and_unknown_names_do_not():
    assert lsr_utils.targets.target_values(0.0, 6) == (1.0, 0.0)
    assert set(map(topic, MODULES)) <= set(dir(lsr_utils))
    with pytest.raises(AttributeError, match="'lsr_utils' has no attribute 'loses'"):
        _ = lsr_utils.loses
    for name in lsr_utils.__all__:
        assert getattr(lsr_utils, name) is not None
