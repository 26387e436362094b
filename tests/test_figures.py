"""Figures are compared by what they draw: `lsr_utils.drawn`, and nbval with it."""

import importlib.util
import io
import subprocess
import sys

import course_copy
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from notebook_files import ROOT

from lsr_utils.drawn import drawn

# The course's own conftest.py, which pytest knows by another name in each folder.
spec = importlib.util.spec_from_file_location("nbval_too", ROOT / "conftest.py")
nbval_too = importlib.util.module_from_spec(spec)
spec.loader.exec_module(nbval_too)

x = np.linspace(0, 1, 60)


def differences(draw, other):
    """What the comparison says of two figures, each drawn by a function of its axes."""
    lines = []
    for function in (draw, other):
        figure, axes = plt.subplots()
        function(axes)
        figure.savefig(io.BytesIO())
        lines.append(drawn(figure))
        plt.close(figure)
    return nbval_too.figure_differences(lines[:1], lines[1:])


def curves(first=x**2, second=x, **options):
    def draw(axes):
        axes.plot(x, first, label="hard", **options)
        axes.plot(x, second, label="smoothed")
        axes.legend()

    return draw


def calls(name, *arguments, **options):
    return lambda axes: getattr(axes, name)(*arguments, **options)


def words(*texts, x=0.5):
    return lambda axes: [axes.text(x, k / 4, text) for k, text in enumerate(texts)]


SPIKE = np.eye(60)[7]
GRID = np.arange(9.0).reshape(3, 3)
CHANGES = {
    "two curves swapped": (curves(), curves(x, x**2)),
    "another colour": (curves(color="red"), curves(color="green")),
    "a curve moved": (curves(), curves(second=x * 0.9 + 0.05)),
    "one point moved": (curves(SPIKE), curves(0.6 * SPIKE)),
    "a curve less": (curves(), calls("plot", x, x)),
    "a bar lower": (calls("bar", [1, 2], [1, 2]), calls("bar", [1, 2], [1, 1.8])),
    "bars named otherwise": (calls("bar", "ab", [1, 2]), calls("bar", "ac", [1, 2])),
    "points recoloured": (calls("scatter", x, x, c=x), calls("scatter", x, x, c=-x)),
    "an image turned": (calls("imshow", GRID), calls("imshow", GRID.T)),
    "another scale": (curves(), lambda axes: [curves()(axes), axes.set_yscale("log")]),
    "other ticks": (curves(), lambda axes: [curves()(axes), axes.set_ylim(-1, 2)]),
    "words swapped": (words("hard", "smoothed"), words("smoothed", "hard")),
    "a word moved": (words("hard"), words("hard", x=0.8)),
    "a number in a word": (words("ECE 4.3"), words("ECE 4.4")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_is_drawn_is_seen(change):
    before, after = CHANGES[change]
    assert not differences(before, before)
    assert differences(before, after)


def test_rounding_is_no_change():
    noise = np.random.default_rng(0).normal(0, 2e-3, 60)
    assert not differences(curves(), curves(second=x + noise))
    assert not differences(calls("imshow", GRID), calls("imshow", GRID + 1e-3))


ODD = {
    "no axes": lambda: plt.figure(),
    "nothing but nan": lambda: plt.plot([np.nan] * 30),
    "no axis": lambda: [plt.plot([1, 2]), plt.axis("off")],
    "contours": lambda: [plt.contour(GRID), plt.colorbar()],
    "three dimensions": lambda: plt.figure().add_subplot(projection="3d").plot(x, x, x),
    "masked": lambda: plt.imshow(np.ma.masked_less(GRID, 4)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ODD)
def test_whatever_a_reader_draws_can_be_described(kind):
    plt.close("all")
    ODD[kind]()
    plt.gcf().savefig(io.BytesIO())
    lines = drawn(plt.gcf())
    plt.close("all")
    numbers = [line.partition(" | ")[2].split() for line in lines]
    assert all(-100 <= int(number) <= 1100 for line in numbers for number in line)


DRAWS = """
import matplotlib.pyplot as plt
import lsr_utils as lsr
figure, axes = plt.subplots(figsize=(3, 2))
axes.plot([1, 2, 3])
lsr.show(figure, "A line that rises.")
"""


def test_nbval_sees_a_figure_whose_code_changed_and_did_not_run_again(tmp_path):
    """The stored picture is of other values; the printed text is the same."""
    path = course_copy.notebook(tmp_path / "drawing.ipynb", DRAWS)
    execute = [sys.executable, ROOT / "tools" / "refresh.py", path]
    subprocess.run(execute, check=True, capture_output=True)

    notebook = nbformat.read(path, 4)
    notebook.cells[0].source = DRAWS.replace("[1, 2, 3]", "[3, 2, 1]")
    nbformat.write(notebook, path)
    test = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest"]
    test = [sys.executable, *test, "--rootdir", ROOT, "-c", "pyproject.toml", path]
    done = subprocess.run(test, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "figure 1, Line2D" in done.stdout
