"""Every notebook keeps the contract, and shows what the package does."""

import ast
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

import lsr_utils as lsr

LESSONS = [p for p in notebook_paths() if p.parent.name == "notebooks"]
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])


@every_lesson
def test_lesson_keeps_the_contract(path):
    assert contract.problems(read(path), path.name[:2]) == []


@every_lesson
def test_every_number_in_prose_stands_in_an_output(path):
    assert missing_numbers(read(path)) == []


def test_notebooks_of_another_package_are_refused(tmp_path):
    """A copy of the course, but Python finds the package of this one."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "notebooks").mkdir()
    for name in ("conftest.py", "pyproject.toml", "tools/isolation.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copy(LESSONS[0], tmp_path / "notebooks")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "notebooks"]
    env = dict(os.environ, PYTHONPATH=str(tmp_path))
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Notebooks would import lsr_utils from" in done.stderr
    assert str(ROOT / "lsr_utils") in done.stderr


def test_claims_named_in_the_overview_exist():
    made = {
        name
        for path in LESSONS
        for cell in contract.code_cells(read(path))
        for name, _ in contract.claims(cell)
    }
    prose = "\n".join(cell.source for cell in contract.prose_cells(by_number("00")))
    named = set(re.findall(r"\b\d\d-\d+\b", prose))
    assert len(named) >= 10
    assert named <= made


# What is shown, and what the package does ----------------------------------------


def shown_cells(prefix):
    return [
        pytest.param(name, cell, id=name)
        for path in LESSONS
        for name, cell in cells_tagged(read(path), prefix)
    ]


def files_of(module):
    """The files of a module of the package, or of a package of several files."""
    folder = ROOT / "lsr_utils"
    return sorted([*folder.glob(f"{module}.py"), *folder.glob(f"{module}/*.py")])


@pytest.mark.parametrize(("name", "cell"), shown_cells("shown:"))
def test_shown_code_is_the_package_code(name, cell):
    module, function = name.split(".")
    texts = (path.read_text(encoding="utf-8") for path in files_of(module))
    package = dict(pair for text in texts for pair in definitions(text))[function]
    shown = dict(definitions(cell.source))[function]
    assert ast.dump(without_docstring(shown)) == ast.dump(without_docstring(package))


def check_smooth_distribution(names):
    rows = torch.rand(50, 6, dtype=torch.float64).softmax(1)
    for eps in (0.0, 0.1, 0.7, 1.0):
        expected = lsr.targets.smooth_distribution(rows, eps)
        torch.testing.assert_close(names["smooth"](rows, eps), expected)


def check_label_smoothing_cross_entropy(names):
    logits = torch.randn(40, 6, 3, dtype=torch.float64)
    targets = torch.randint(6, (40, 3))
    targets[::7] = -100
    weight = torch.rand(6, dtype=torch.float64) + 0.5
    for reduction in ("mean", "sum", "none"):
        ours = names["step_4"](logits, targets, 0.2, reduction, weight)
        expected = lsr.losses.label_smoothing_cross_entropy(
            logits, targets, 0.2, reduction, weight=weight
        )
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


def check_fit(names):
    data = lsr.datasets.load("gaussians", n=200)
    models = [lsr.models.build("mlp", (2,), seed=3).double() for _ in range(2)]
    data = lsr.datasets.SixClass(data.x.double(), data.y, None, data.class_names)
    names["train_network"](models[0], data, eps=0.1, steps=60, seed=5)
    lsr.training.fit(models[1], data, eps=0.1, steps=60, seed=5, progress=False)
    for shown, package in zip(*(m.parameters() for m in models), strict=True):
        torch.testing.assert_close(shown, package, rtol=0, atol=1e-9)


def random_rows(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(300, 6, generator=generator, dtype=torch.float64)
    return logits, torch.randint(6, (300,), generator=generator)


def check_expected_calibration_error(names):
    logits, y = random_rows()
    for bins in (2, 10, 15):
        expected = lsr.calibration.expected_calibration_error(
            logits.softmax(1), y, bins
        )
        assert abs(names["ece"](logits.softmax(1), y, bins) - expected) < 1e-12


def check_ece_floor(names):
    p = random_rows()[0].softmax(1)
    for bins in (10, 15):
        expected = lsr.calibration.ece_floor(p, bins)
        assert abs(names["floor_of"](p, bins) - expected) < 1e-9


def check_fit_temperature(names):
    logits, _ = random_rows(1)
    for scale in (0.5, 1.0, 3.0):  # some labels are those of the logits, some not
        y = torch.where(torch.arange(300) % 3 > 0, logits.argmax(1), random_rows(2)[1])
        expected = lsr.calibration.fit_temperature(scale * logits, y)
        assert abs(names["temperature_of"](scale * logits, y) - expected) < 1e-8


def check_template_plane(names):
    weight = torch.randn(6, 9, dtype=torch.float64)
    for triple in ((0, 1, 2), (5, 0, 3)):
        origin, axes = names["plane_through"](weight, triple)
        plane = lsr.geometry.template_plane(weight, triple)
        torch.testing.assert_close(origin, plane.origin)
        # The same plane; the package also settles which way is right and up.
        torch.testing.assert_close(axes @ axes.T, plane.axes @ plane.axes.mT)
        torch.testing.assert_close(axes.abs(), plane.axes.abs())


SIMPLE_FORMS = {
    "calibration.expected_calibration_error": check_expected_calibration_error,
    "calibration.ece_floor": check_ece_floor,
    "calibration.fit_temperature": check_fit_temperature,
    "targets.smooth_distribution": check_smooth_distribution,
    "losses.label_smoothing_cross_entropy": check_label_smoothing_cross_entropy,
    "training.fit": check_fit,
    "geometry.template_plane": check_template_plane,
}


@pytest.mark.parametrize(("name", "cell"), shown_cells("simple:"))
def test_simple_form_gives_the_numbers_of_the_package(name, cell):
    names = {"torch": torch, "lsr": lsr}
    for _, tree in definitions(cell.source):
        module = ast.Module([tree], type_ignores=[])
        exec(compile(module, cell.id, "exec"), names)
    SIMPLE_FORMS[name](names)


def taught():
    for path in sorted((ROOT / "lsr_utils").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for words in re.findall(r"Taught\s+in\s+(\d\d\s+section[^.]*)\.", text):
            number, *sections = re.findall(r"\d+", words)
            yield pytest.param(number, sections[-1], id=f"{path.stem} {words}")


@pytest.mark.parametrize(("number", "section"), taught())
def test_docstrings_name_a_section_that_exists(number, section):
    prose = "\n".join(cell.source for cell in contract.prose_cells(by_number(number)))
    assert f"\n## {section}. " in prose


# What figures show that a notebook draws itself ------------------------------------


@pytest.mark.usefixtures("course_style")
def test_no_bar_of_the_smoothed_targets_is_cut_off():
    cells = contract.code_cells(by_number("01"))
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
    code = "\n".join(cell.source for cell in contract.code_cells(by_number("05")))
    (band,) = re.findall(r"^band = (.*)$", code, re.MULTILINE)
    band, values = ast.literal_eval(band), [k**2 for k in range(101)]
    _, axis = plt.subplots()
    sns.lineplot(x=[0] * 101 + [1] * 101, y=[*values, *values], ax=axis, **band)
    heights = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (5**2, 95**2)
    (line,) = axis.lines
    assert line.get_ydata() == pytest.approx([sum(values) / 101] * 2)
