"""Groups of tests, each of which can run alone; and how notebooks are tested.

They run under the variables under which `course.py refresh` ran them.
"""

import functools
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nbval.kernel
import pytest
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

import command  # noqa: E402

TOLERANCE = 10  # thousandths of an axes, or of a colour
GROUPS = ("units", "kernels", "notebooks", "browser")


def group(path):
    """The group of a test file: kernels are those of the fused loss."""
    path = Path(path)
    if path.suffix == ".ipynb":
        return "notebooks"
    if path.parent.name == "browser":
        return "browser"
    return "kernels" if path.name.startswith("test_fused") else "units"


def pytest_addoption(parser):
    parser.addoption("--only", choices=GROUPS, help="run this group of tests alone")
    told = "list the cells whose outputs are not compared, and run nothing"
    parser.addoption("--uncompared", action="store_true", help=told)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if config.getoption("uncompared"):
        print(*uncompared(), sep="\n")
        return pytest.ExitCode.OK


def uncompared():
    """Lines: the notebook, heading and cell of each output that nbval leaves out."""
    lines, cells = [], 0
    for path in command.files(ROOT, "*.ipynb"):
        heading = ""
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                headings = re.findall(r"(?m)^##? (.+)", "".join(cell["source"]))
                heading = [heading, *headings][-1]
            elif "nbval-ignore-output" in cell["metadata"].get("tags", []):
                name = path.relative_to(ROOT).as_posix()
                lines.append(f"{name}: {heading} (cell {cell['id']})")
            cells += cell["cell_type"] == "code"
    what = "they hold times, or depend on the hardware"
    return [
        *lines,
        f"Outputs of {len(lines)} of {cells} cells are not compared: {what}.",
    ]


def pytest_ignore_collect(collection_path, config):
    only = config.getoption("only")
    if only and collection_path.is_file() and group(collection_path) != only:
        return True
    if collection_path in foreign():
        return True


@functools.cache
def foreign():
    """Notebooks in notebooks/ that are a reader's: copies and scratch files."""
    found = {*ROOT.glob("notebooks/**/*.ipynb")}
    return sorted(found.difference(command.files(ROOT, "*.ipynb")))


def pytest_report_header():
    return "To find all tests takes up to a minute."


def pytest_terminal_summary(terminalreporter):
    """Say how long each group took, with its fixtures."""
    seconds = Counter()
    for report in sum(terminalreporter.stats.values(), []):
        if hasattr(report, "duration"):
            seconds[group(report.nodeid.partition("::")[0])] += report.duration
    times = [f"{name} {seconds[name]:.0f} s" for name in GROUPS if name in seconds]
    terminalreporter.write_line(f"Time in tests: {', '.join(times)}.")
    names = [path.relative_to(ROOT).as_posix() for path in foreign()]
    if names := [name for name in names if ".ipynb_checkpoints" not in name]:
        terminalreporter.write_line(
            f"Not tested, as {command.LIST} does not list them: {', '.join(names)}. "
            "(`course.py refresh PATH` makes one the course's.)"
        )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    command.isolate(folder.name)
    nbval.kernel.RunningKernel.execute_cell_input = execute_as_jupyter_does
    IPyNbCell.compare_outputs = compare_figures_too


def pytest_collection_modifyitems(items):
    """Kernels get no PYTHONPATH: refuse to test another package than this one."""
    if not any(item.path.suffix == ".ipynb" for item in items):
        return
    ask = "import importlib.util as u; print(u.find_spec('lsr_utils').origin)"
    command = [sys.executable, "-c", ask]
    found = subprocess.run(
        command, cwd=ROOT / "notebooks", capture_output=True, text=True
    ).stdout.strip()
    if not found or ROOT not in Path(found).resolve().parents:
        raise pytest.UsageError(
            f"Notebooks would import lsr_utils from {found or 'nowhere'}, not from "
            "this folder: run `python3 course.py test`, or `pip install -e .` here."
        )


def execute_as_jupyter_does(kernel, cell_input, allow_stdin=None):
    """nbval keeps no history, and IPython then shows a value that ends in `;`."""
    return kernel.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)


compare_texts = IPyNbCell.compare_outputs


def compare_figures_too(cell, test, ref, skip_compare=None):
    """nbval skips pictures: compare what `lsr.show` says was drawn."""
    same = compare_texts(cell, test, ref, skip_compare)
    if same:
        cell.comparison_traceback += figure_differences(drawings(ref), drawings(test))
    return same and not cell.comparison_traceback


def drawings(outputs):
    """The lines on each figure in the outputs of a cell."""
    about = (output.get("metadata", {}).get("image/png") for output in outputs)
    return [picture.get("drawn", []) for picture in about if picture]


def figure_differences(stored, new):
    """What differs in the figures, one sentence each; numbers by more than TOLERANCE.

    A line is "what is drawn, how many | numbers", in thousandths of its axes.
    """
    found = []
    if len(stored) != len(new):
        found.append(f"{len(stored)} figures are stored, {len(new)} were drawn")
    for number, (old, lines) in enumerate(zip(stored, new), start=1):  # noqa: B905
        if len(old) != len(lines):
            found.append(f"figure {number} draws {len(lines)} things, not {len(old)}")
        for before, after in zip(old, lines):  # noqa: B905
            (what, _, a), (now, _, b) = before.partition(" | "), after.partition(" | ")
            pairs = zip(a.split(), b.split())  # noqa: B905
            if what != now or len(a.split()) != len(b.split()):
                found.append(f"figure {number} draws {now!r}, stored is {what!r}")
            elif any(abs(int(x) - int(y)) > TOLERANCE for x, y in pairs):
                found.append(f"figure {number}, {what}: {b}, stored is {a}")
    return found
