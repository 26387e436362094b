"""Figures are compared by what they draw: `lsr_utils.drawn`, and nbval with it."""

import base64
import hashlib
import importlib.util
import io
import subprocess
import sys

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


def bars(heights, labels="abc"):
    return lambda axes: axes.bar(list(labels), heights)


def points(colours):
    return lambda axes: axes.scatter(x, x**2, c=colours)


def picture(array):
    return lambda axes: axes.imshow(array)


def words(*texts, x=0.5):
    def draw(axes):
        for k, text in enumerate(texts):
            axes.text(x, k / 4, text)
        axes.set_title("Accuracy rises")

    return draw


def spike(height):
    values = x.copy()
    values[7] = height
    return curves(first=values)


GRID = np.arange(9.0).reshape(3, 3)
CHANGES = {
    "two curves swapped": (curves(), curves(x, x**2)),
    "another colour": (curves(color="red"), curves(color="green")),
    "a curve moved": (curves(), curves(second=x * 0.9 + 0.05)),
    "one point moved": (spike(1.0), spike(0.6)),
    "a curve less": (curves(), lambda axes: axes.plot(x, x)),
    "a bar lower": (bars([1, 2, 3]), bars([1, 1.8, 3])),
    "bars named otherwise": (bars([1, 2, 3]), bars([1, 2, 3], "acb")),
    "points recoloured": (points(x), points(x[::-1])),
    "an image turned": (picture(GRID), picture(GRID.T)),
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
    assert not differences(picture(GRID), picture(GRID + 1e-3))


ODD = {
    "no axes": lambda: plt.figure(),
    "nothing but nan": lambda: plt.plot([np.nan] * 30),
    "no points": lambda: plt.scatter([], []),
    "infinite": lambda: plt.plot([1, np.inf, np.nan] * 9),
    "no axis": lambda: [plt.plot([1, 2]), plt.axis("off")],
    "contours": lambda: [plt.contour(GRID), plt.colorbar()],
    "three dimensions": lambda: plt.figure().add_subplot(projection="3d").plot(x, x, x),
    "polar": lambda: plt.figure().add_subplot(projection="polar").plot(x, x),
    "a hidden axes": lambda: plt.subplots(1, 2)[1][1].set_visible(False),
    "masked": lambda: plt.imshow(np.ma.masked_less(GRID, 4)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ODD)
def test_whatever_a_reader_draws_can_be_described(kind):
    plt.close("all")
    ODD[kind]()
    figure = plt.gcf()
    figure.savefig(io.BytesIO())
    lines = drawn(figure)
    plt.close("all")
    numbers = [line.partition(" | ")[2].split() for line in lines]
    assert all(-100 <= int(number) <= 1100 for line in numbers for number in line)


DRAWS = """
import matplotlib.pyplot as plt
import lsr_utils as lsr
figure, axes = plt.subplots(figsize=(3, 2))
axes.plot({values})
lsr.show(figure, "A line that {verb}.")
"""


def test_nbval_sees_a_figure_whose_code_changed_and_did_not_run_again(tmp_path):
    """The stored picture is of other values; the printed text is the same."""
    path = tmp_path / "drawing.ipynb"
    cell = nbformat.v4.new_code_cell(DRAWS.format(values="[1, 2, 3]", verb="rises"))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, path)
    execute = [sys.executable, ROOT / "tools" / "refresh.py", path]
    subprocess.run(execute, check=True, capture_output=True)

    notebook = nbformat.read(path, 4)
    output = notebook.cells[0].outputs[0]
    about = output.metadata["image/png"]
    png = base64.b64decode(output.data["image/png"])
    assert about.sha256 == hashlib.sha256(png).hexdigest()
    assert about.alt == "A line that rises."
    assert "A line that rises." in notebook.cells[0].outputs[1].data["text/html"]

    def verdict():
        nbformat.write(notebook, path)
        test = ["pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest", "--rootdir"]
        command = [sys.executable, "-m", *test, ROOT, "-c", "pyproject.toml", path]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert verdict().returncode == 0
    notebook.cells[0].source = DRAWS.format(values="[3, 2, 1]", verb="rises")
    done = verdict()
    assert done.returncode == 1 and "figure 1, Line2D" in done.stdout
