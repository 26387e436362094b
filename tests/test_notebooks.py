"""Every notebook keeps the contract; what it shows is what the package does."""

import ast
import copy
import itertools
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import contract
import nbformat
import notebook_files
import pytest
import shape
import torch
from contract import code_cells
from notebook_files import LESSONS, ROOT, notebook_paths, number, read
from prose_numbers import missing_numbers
from torch.testing import assert_close

import lsr_utils as lsr


@pytest.mark.parametrize("path", LESSONS, ids=number)
def test_lesson_keeps_the_contract_and_its_numbers_stand_in_an_output(path):
    found = contract.problems(read(path), number(path))
    found += [f"cell {c}: {n} is in no output" for c, n in missing_numbers(read(path))]
    found += shape.problems(read(path), number(path))
    if found:
        pytest.fail("\n".join([path.name, *found]), pytrace=False)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a clone")
def test_the_list_names_every_notebook_that_git_keeps_and_no_number_stands_twice():
    """What notebooks/SHA256SUMS does not name counts as a reader's, and has no test."""
    command = ["git", "ls-files", "notebooks/*.ipynb"]
    kept = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    assert set(kept) == {p.relative_to(ROOT).as_posix() for p in notebook_paths()}
    assert len(set(map(number, LESSONS))) == len(LESSONS) > 0


def test_notebooks_of_another_package_are_refused(tmp_path):
    """A copy of the course, but Python finds the package of this one."""
    lesson = LESSONS[0].relative_to(ROOT)
    for name in ("conftest.py", "pyproject.toml", "tools/command.py", lesson):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "notebooks"]
    options = {"cwd": tmp_path, "capture_output": True, "text": True}
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=env, **options)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    wanted = f"Notebooks would import lsr_utils from {ROOT / 'lsr_utils'}"
    assert wanted in done.stderr


def test_what_is_not_compared_is_listed(pytestconfig, capsys):
    plugin = pytestconfig.pluginmanager.getplugin(str(ROOT / "conftest.py"))
    assert plugin.pytest_cmdline_main(Mock()) == 0  # with every option
    *lines, last = capsys.readouterr().out.splitlines()
    listed = [re.findall(r"^(\S+): .+\(cell (\S+)\)$", line) for line in lines]
    assert listed == [
        [(path.relative_to(ROOT).as_posix(), cell.id)]
        for path in notebook_paths()
        for cell in code_cells(read(path))
        if contract.IGNORE in notebook_files.tags(cell)
    ]
    assert re.fullmatch(rf"Outputs of {len(lines)} of \d+ cells are .+\.", last)


def test_claims_named_in_prose_exist():
    cells = [cell for path in LESSONS for cell in read(path).cells]
    made = {name for cell in cells for name, _ in contract.claims(cell)}
    prose = "\n".join(contract.prose(read(path)) for path in LESSONS)
    prose = re.sub(r"[Ee]xercises? \d\d-\d|\bto \d\d-\d+", "", prose)
    named = set(re.findall(r"(?<![\w/.-])\d\d[a-z]?-\d+(?![\w-])", prose))
    assert named and named - made == set()


# What is shown, and what the package does ----------------------------------------


def shown_cells(prefix):
    found = (notebook_files.cells_tagged(read(path), prefix) for path in LESSONS)
    return sum(found, [])


@pytest.mark.parametrize(("name", "cell"), shown_cells("shown:"))
def test_shown_code_is_the_package_code(name, cell):
    module, function = name.split(".")
    package = {}
    for pattern in (f"{module}.py", f"{module}/*.py"):
        for path in (ROOT / "lsr_utils").glob(pattern):
            package |= notebook_files.definitions(path.read_text(encoding="utf-8"))
    shown = dict(notebook_files.definitions(cell.source))[function]
    trees = map(notebook_files.without_docstring, (shown, package[function]))
    assert len({ast.dump(tree) for tree in trees}) == 1


DRAW = torch.Generator().manual_seed(0)
Z = 2 * torch.randn(300, 6, generator=DRAW, dtype=torch.float64)
P, Y = Z.softmax(1), torch.randint(6, (300,), generator=DRAW)
HALF = torch.where(torch.arange(300) % 3 > 0, Z.argmax(1), Y)  # some are those of Z
SAME_CALLS = {  # what a notebook calls it, and arguments to call both with
    "targets.smooth_distribution": ("smooth", [(P, e) for e in (0.0, 0.1, 0.7, 1.0)]),
    "calibration.expected_calibration_error": ("ece", [(P, Y, n) for n in (2, 10, 15)]),
    "calibration.ece_floor": ("floor_of", [(P, n) for n in (10, 15)]),
    "calibration.fit_temperature": ("temperature_of", [(Z / 2, HALF), (3 * Z, HALF)]),
}


def check_label_smoothing_cross_entropy(names):
    logits, targets = Z[:40], Y[:40].clone()
    package = lsr.losses.label_smoothing_cross_entropy
    targets[::7] = -100
    for how, weight in itertools.product(("mean", "sum", "none"), (None, P[0] + 0.5)):
        loss = names["LabelSmoothingCrossEntropy"](0.2, how, weight)
        expected = package(logits, targets, 0.2, how, weight=weight)
        assert_close(loss(logits, targets), expected, rtol=0, atol=1e-12)


def check_fit(names):
    data = lsr.datasets.load("gaussians", n=200)
    models = [lsr.models.build("mlp", (2,), seed=3).double() for _ in range(2)]
    data = lsr.datasets.SixClass(data.x.double(), data.y, None, data.class_names)
    names["train_network"](models[0], data, eps=0.1, steps=60, seed=5)
    options = {"batch_size": 32, "seed": 5, "progress": False}
    lsr.training.fit(models[1], data, eps=0.1, steps=60, **options)
    for shown, package in zip(*(m.parameters() for m in models), strict=True):
        assert_close(shown, package, rtol=0, atol=1e-9)


def check_template_plane(names):
    """The cell is no function: it reads a fleet and binds the points of the plane."""
    weight, features = Z[:6], Z[6:40]
    network = SimpleNamespace(head=SimpleNamespace(weight=weight))
    fleet = SimpleNamespace(network=lambda _: network, features=lambda _: [0, features])
    exec(names["source"], names | (run := {"fleet": fleet}), run)
    points = lsr.geometry.template_plane(weight, (0, 1, 2)).project(features)
    # The package also settles which way is right and up.
    assert_close(run["xy"].abs(), points.abs())


@pytest.mark.parametrize(("name", "cell"), shown_cells("simple:"))
def test_simple_form_gives_the_numbers_of_the_package(name, cell):
    names = {"torch": torch, "lsr": lsr, "source": cell.source}
    for _, tree in notebook_files.definitions(cell.source):
        exec(compile(ast.Module([tree], type_ignores=[]), cell.id, "exec"), names)
    module, function = name.split(".")
    if name not in SAME_CALLS:
        globals()[f"check_{function}"](names)
    shown, calls = SAME_CALLS.get(name, ("", []))
    for arguments in calls:
        expected = getattr(getattr(lsr, module), function)(*arguments)
        ours = torch.as_tensor(names[shown](*arguments), dtype=torch.float64)
        assert_close(ours, torch.as_tensor(expected), rtol=0, atol=1e-8)


# The size of a page: shape ----------------------------------------------------------


def code(source, printed="", panels=0, tags=(), **jupyter):
    outputs = [nbformat.v4.new_output("stream", text=printed)]
    if panels:
        about = {"image/png": {"drawn": ["x 'step' [] 0 |", "y '' [] 0 |"] * panels}}
        data = {"image/png": "", "text/plain": "Figure"}
        outputs += [nbformat.v4.new_output("display_data", data, metadata=about)]
    metadata = {"tags": list(tags), "jupyter": jupyter}
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata)


prose = nbformat.v4.new_markdown_cell
NUMBERS = " ".join(map(str, range(10, 36)))  # 26 of them
TOO_MUCH = {
    "cells": [code("1")] * 17,
    "lines": [code("1\n" * 15)] * 11,
    "median": [code("1\n" * 7)] * 20,
    "longest": [code("1\n" * 16)],
    "words": [prose("word " * 1800)],
    "numbers in one": [code("1", NUMBERS)],
    "numbers": [code("1", NUMBERS[:60])] * 4 + [code("2", "1 " * 25)],
    "in a sentence": [prose("It is 1, 2, 3, 4, 5 or 6.")],
    "claims": [code("claim(1)")] * 6,
    "guesses": [code(f"guess_{k} = None") for k in range(4)],
    "fill-ins": [code(f"my_{k} = ...", tags=["fill-in"]) for k in range(3)],
    "folded lines": [code("1\n" * 201, source_hidden=True)],
    "figures": [code(f"z{k} = 1", panels=1) for k in range(4)],
    "panels": [code("z = 1", panels=4)],
    "binds K": [code("K = 2")],
    "a guess is compared with": [code('guess("it", None, 4)', "4")],
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_of_anything_is_named(what):
    notebook = notebook_files.by_number("01")
    notebook.cells += copy.deepcopy(TOO_MUCH[what])
    assert any(what in problem for problem in shape.problems(notebook, "01"))


def test_too_little_is_named_and_a_deep_dive_may_be_longer():
    notebook = notebook_files.by_number("01")
    del notebook.cells[1:]
    notebook.cells[0].source = "*New words*: " + ", ".join("abcdefg")
    said = " ".join(shape.problems(notebook, "01"))
    for words in ("for figures", "for guesses", "for first figure", "for new words"):
        assert words in said
    notebook.cells += [code("1\n" * 10)] * 24
    assert not list(shape.problems(notebook, "01a"))
    notebook.cells += [code("1\n" * 20)] * 5
    assert any("for lines" in problem for problem in shape.problems(notebook, "01a"))
    assert not list(shape.problems(notebook, "02b"))  # the kernel's page
    # Links, formulas and covered outputs are no numbers on the page.
    notebook.cells += [
        prose("See [03 §4](03_x.ipynb#4.-It), $1+2+3+4+5+6$, `1, 2, 3, 4, 5, 6`."),
        code("checks()", NUMBERS, outputs_hidden=True),
    ]
    assert shape.measured(notebook)["numbers"] == 0
    assert not list(shape.problems(notebook, "02b"))
