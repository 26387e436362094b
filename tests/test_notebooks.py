"""Every notebook keeps the contract, which notices when one does not."""

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys

import contract
import matplotlib.pyplot as plt
import pytest
import seaborn as sns
import torch
from contract import code_cells
from exercise_files import exercise_paths
from nbformat.v4 import new_markdown_cell, new_output
from notebook_files import (
    ROOT,
    by_number,
    cells_tagged,
    definitions,
    notebook_paths,
    read,
    run_cells,
    without_docstring,
)
from prose_numbers import missing_numbers
from torch.testing import assert_close

import lsr_utils as lsr

LESSONS = [p for p in notebook_paths() if p.parent.name == "notebooks"]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_lesson_keeps_the_contract_and_its_numbers_stand_in_an_output(path):
    assert contract.problems(read(path), path.name[:2]) == []
    assert missing_numbers(read(path)) == []


def test_notebooks_of_another_package_are_refused(tmp_path):
    """A copy of the course, but Python finds the package of this one."""
    lesson = LESSONS[0].relative_to(ROOT)
    for name in ("conftest.py", "pyproject.toml", "tools/isolation.py", lesson):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "notebooks"],
        cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(tmp_path)),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Notebooks would import lsr_utils from" in done.stderr
    assert str(ROOT / "lsr_utils") in done.stderr


def test_claims_named_in_the_overview_exist():
    code = [cell for path in LESSONS for cell in code_cells(read(path))]
    made = {name for cell in code for name, _ in contract.claims(cell)}
    prose = "\n".join(cell.source for cell in contract.prose_cells(by_number("00")))
    named = set(re.findall(r"\b\d\d-\d+\b", prose))
    assert len(named) >= 10 and named <= made


# What is shown, and what the package does ----------------------------------------


def shown_cells(prefix):
    return [
        pytest.param(name, cell, id=name)
        for path in LESSONS
        for name, cell in cells_tagged(read(path), prefix)
    ]


@pytest.mark.parametrize(("name", "cell"), shown_cells("shown:"))
def test_shown_code_is_the_package_code(name, cell):
    module, function = name.split(".")
    package = {}
    for pattern in (f"{module}.py", f"{module}/*.py"):
        for path in (ROOT / "lsr_utils").glob(pattern):
            package |= definitions(path.read_text(encoding="utf-8"))
    shown = dict(definitions(cell.source))[function]
    trees = map(without_docstring, (shown, package[function]))
    assert len({ast.dump(tree) for tree in trees}) == 1


DRAW = torch.Generator().manual_seed(0)
Z = 2 * torch.randn(300, 6, generator=DRAW, dtype=torch.float64)
P, Y = Z.softmax(1), torch.randint(6, (300,), generator=DRAW)
HALF = torch.where(torch.arange(300) % 3 > 0, Z.argmax(1), Y)  # some are those of Z
SAME_CALLS = {  # what a notebook calls it, and arguments to call both with
    "targets.smooth_distribution": ("smooth", [(P, e) for e in (0.0, 0.1, 0.7, 1.0)]),
    "calibration.expected_calibration_error": ("ece", [(P, Y, n) for n in (2, 10, 15)]),
    "calibration.ece_floor": ("floor_of", [(P, n) for n in (10, 15)]),
    "calibration.fit_temperature": (
        "temperature_of",
        [(scale * Z, HALF) for scale in (0.5, 1.0, 3.0)],
    ),
}


def check_label_smoothing_cross_entropy(names):
    logits, targets = Z[:40], Y[:40].clone()
    targets[::7] = -100
    for how, weight in itertools.product(("mean", "sum", "none"), (None, P[0] + 0.5)):
        loss = names["LabelSmoothingCrossEntropy"](0.2, how, weight)
        expected = lsr.losses.label_smoothing_cross_entropy(
            logits, targets, 0.2, how, weight=weight
        )
        assert_close(loss(logits, targets), expected, rtol=0, atol=1e-12)


def check_fit(names):
    data = lsr.datasets.load("gaussians", n=200)
    models = [lsr.models.build("mlp", (2,), seed=3).double() for _ in range(2)]
    data = lsr.datasets.SixClass(data.x.double(), data.y, None, data.class_names)
    names["train_network"](models[0], data, eps=0.1, steps=60, seed=5)
    lsr.training.fit(models[1], data, eps=0.1, steps=60, seed=5, progress=False)
    for shown, package in zip(*(m.parameters() for m in models), strict=True):
        assert_close(shown, package, rtol=0, atol=1e-9)


def check_template_plane(names):
    for triple in ((0, 1, 2), (5, 0, 3)):
        origin, axes = names["plane_through"](Z[:6], triple)
        plane = lsr.geometry.template_plane(Z[:6], triple)
        assert_close(origin, plane.origin)
        # The same plane; the package also settles which way is right and up.
        assert_close(axes @ axes.T, plane.axes @ plane.axes.mT)
        assert_close(axes.abs(), plane.axes.abs())


@pytest.mark.parametrize(("name", "cell"), shown_cells("simple:"))
def test_simple_form_gives_the_numbers_of_the_package(name, cell):
    names = {"torch": torch, "lsr": lsr}
    for _, tree in definitions(cell.source):
        exec(compile(ast.Module([tree], type_ignores=[]), cell.id, "exec"), names)
    module, function = name.split(".")
    if name not in SAME_CALLS:
        globals()[f"check_{function}"](names)
    shown, calls = SAME_CALLS.get(name, ("", []))
    for arguments in calls:
        expected = getattr(getattr(lsr, module), function)(*arguments)
        ours = torch.as_tensor(names[shown](*arguments), dtype=torch.float64)
        assert_close(ours, torch.as_tensor(expected), rtol=0, atol=1e-8)


def test_docstrings_name_a_section_that_exists():
    for path in sorted((ROOT / "lsr_utils").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for words in re.findall(r"Taught\s+in\s+(\d\d\s+section[^.]*)\.", text):
            number, *sections = re.findall(r"\d+", words)
            cells = contract.prose_cells(by_number(number))
            wanted = f"## {sections[-1]}. "
            assert any(wanted in cell.source for cell in cells), f"{path.name} {words}"


# What figures show that a notebook draws itself ------------------------------------


@pytest.mark.usefixtures("course_style")
def test_no_bar_of_the_smoothed_targets_is_cut_off():
    cells = code_cells(by_number("01"))
    last = next(k for k, cell in enumerate(cells) if "barplot" in cell.source)
    with torch.random.fork_rng():
        names = run_cells(cells[: last + 1])
    assert len(names["pictured"]) == len(names["axes"]) == 3
    for axis, row in zip(names["axes"], names["pictured"], strict=True):
        low, high = axis.get_ylim()
        assert [bar.get_height() for bar in axis.patches] == pytest.approx(list(row))
        assert low <= min(row) and max(row) < high


@pytest.mark.usefixtures("course_style")
def test_bands_over_networks_hold_the_middle_nine_tenths():
    code = "\n".join(cell.source for cell in code_cells(by_number("05")))
    (band,) = re.findall(r"^band = (.*)$", code, re.MULTILINE)
    band, values = ast.literal_eval(band), [k**2 for k in range(101)]
    _, axis = plt.subplots()
    sns.lineplot(x=[0] * 101 + [1] * 101, y=[*values, *values], ax=axis, **band)
    heights = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (5**2, 95**2)
    assert axis.lines[0].get_ydata() == pytest.approx([sum(values) / 101] * 2)


# The contract itself: a planted fault of each kind is reported ---------------------


def edits(old, new):
    def plant(notebook):
        found = [cell for cell in notebook.cells if old in cell.source]
        assert found
        for cell in found:
            cell.source = cell.source.replace(old, new)

    return plant


def second(**changes):
    return lambda notebook: code_cells(notebook)[1].update(changes)


def tagged(tag, first=1, step=99):
    def plant(notebook):
        for cell in code_cells(notebook)[first::step]:
            cell.metadata.tags = [tag]

    return plant


def stores(*arguments, **options):
    output = new_output(*arguments, **options)
    return lambda notebook: code_cells(notebook)[2].outputs.append(output)


def shows(kind, data="1"):
    return stores("display_data", {kind: data})


def prints(text):
    return stores("stream", name="stdout", text=text)


def figure(notebook):
    """The first cell with a figure, and the output that holds it."""
    cell = next(filter(contract.figures, code_cells(notebook)))
    return cell, contract.figures(cell)[0]


def claiming(notebook):
    return next(cell for cell in code_cells(notebook) if any(contract.claims(cell)))


WIDGET = "application/vnd.jupyter.widget-view+json"
FAULTS = {
    # what nbval passes
    "has count None, not 2": second(execution_count=None),
    "stores an error": stores("error", ename="E", evalue=""),
    "stores stderr": stores("stream", name="stderr", text="w"),
    "stores ['image/svg+xml']": shows("image/svg+xml"),
    f"stores ['{WIDGET}']": shows(WIDGET, {}),
    "stores ['application/javascript']": shows("application/javascript"),
    "stores an absolute path: /home/me/data.npz": prints("read /home/me/data.npz"),
    "asks the network": shows("text/html", "<script src='https://cdn.org/a.js'>"),
    "a PNG that is none": lambda nb: figure(nb)[1].data.update({"image/png": "AA=="}),
    "the tag 'nbval-skip'": tagged("nbval-skip"),
    "speaks to nbval": second(source="# NBVAL_SKIP\nx = 1"),
    "ends in a semicolon": second(source="x = 1;"),
    "ignores the output": tagged(contract.IGNORE, 0, 3),
    # format
    "not a valid notebook": lambda nb: nb.metadata.update(kernelspec={}),
    "an id twice": lambda nb: nb.cells[3].update(id=nb.cells[4].id),
    "widget state": lambda nb: nb.metadata.update(widgets={}),
    "is larger than": prints(contract.MAX_BYTES * "a"),
    "no slide type": lambda nb: nb.cells[3].metadata.pop("slideshow"),
    "more than 45": lambda nb: nb.cells.extend(3 * nb.cells[:-3]),
    "has 30 lines": second(source="pass\n" * 30),
    "has 0 lines": second(source=""),
    "wider than": second(source="x = " + "1 + " * 30 + "1"),
    "names an absolute path": second(source="where = '/home/me/data.npz'"),
    "no prose before it": lambda nb: nb.cells.pop(3),
    # anatomy
    "does not begin with '# 01 · '": edits("# 01 · ", "# 02 · "),
    "no question": edits("?**", "**"),
    "a card with": edits("| **Needs** |", "| Needs |"),
    "'read N, run under 1'": edits("| read 40", "| read 4"),
    "not call lsr.setup": edits("lsr.setup(", "print("),
    "numbers its sections": edits("## 2. ", "## 7. "),
    "not with Recap, Exercises, References": lambda nb: nb.cells.pop(),
    "no section 'Where it fails'": edits("Where it fails", "Limits"),
    "three bullets": edits("\n- ", "\n* "),
    "table of symbols": edits("| symbol |", "| sign |"),
    "without alternative": lambda nb: figure(nb)[1].metadata.clear(),
    "no '**Figure 1.**'": edits("**Figure 1.**", "Figure 1."),
    # folds
    "not folded as": lambda nb: figure(nb)[0].metadata.pop("jupyter"),
    "checks and claims nothing": tagged("checks"),
    "covers a figure": lambda nb: figure(nb)[0].metadata.update(tags=["checks"]),
    "is called folded and is open": lambda nb: nb.cells[3].update(
        source="The cell below is folded."
    ),
    "no cell follows": edits("## References", "## References\nUnfold the cell."),
    # claims and guesses
    "claim 01-9 should be 01-1": edits('"01-1"', '"01-9"'),
    "claim None should be": second(source='claim(f"01-{K}", "sentence", K == 6)'),
    "holds whatever": second(source='claim("01-1", "sentence", True)'),
    "not among the stored": lambda nb: claiming(nb).outputs.clear(),
    "whose output is ignored": lambda nb: claiming(nb).metadata.update(
        tags=[contract.IGNORE]
    ),
    "makes no claim": edits("claim(", "print("),
    "no later cell compares": second(source="guess = None"),
    "before it was asked": second(source='lsr.guess("a", guess_5, 1)'),
    "asks for no prediction": lambda nb: [
        cell.update(source="x = 1") for cell in code_cells(nb) if "guess" in cell.source
    ],
}
EXERCISE_FAULTS = {
    "does not begin with": edits("Exercises:", "Tasks:"),
    "makes a claim": second(source='claim("01-1", "sentence", True)'),
    "stored without": lambda nb: code_cells(nb)[1].outputs.clear(),
    "has count None": second(execution_count=None),
    "has the sections": edits("## 01-2", "## 01-4"),
    "'★★ core · N minutes'": edits("★★ core · 20", "★★ core"),
    "no folded hint": edits("<details>", "<p>"),
    "checks ['01-9']": edits('check("01-1"', 'check("01-9"'),
    "without a rubric": lambda nb: nb.cells.append(
        new_markdown_cell("## Mini-project\n\nDo something.")
    ),
}


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_lesson_is_reported(fault):
    notebook = by_number("01")
    FAULTS[fault](notebook)
    assert any(fault in problem for problem in contract.problems(notebook, "01"))


@pytest.mark.parametrize("fault", EXERCISE_FAULTS)
def test_a_fault_of_an_exercise_is_reported(fault):
    notebook = read(exercise_paths("exercises")[0])
    EXERCISE_FAULTS[fault](notebook)
    problems = contract.problems(notebook, "01", "exercises")
    assert any(fault in problem for problem in problems)


WITHOUT = ["0.918", "4.0074", "97.3 %", "$\\ln 56$", "1,001", "77", "3.7e-5"]
WITH = ["0.9167", "92 %", "notebook 77", "ln 55", "1,000"]


@pytest.mark.parametrize("text", [*WITHOUT, *WITH])
def test_a_number_without_an_output_is_reported(text):
    notebook = by_number("01")
    cell = notebook.cells[5]
    cell.source += f"\n\nIt is {text}."
    wanted = [cell.id] if text in WITHOUT else []
    assert [place for place, _ in missing_numbers(notebook)] == wanted
