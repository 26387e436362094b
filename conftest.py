"""Notebooks are tested under the variables under which `course.py refresh` ran them."""

import sys
import tempfile
from pathlib import Path

import nbval.kernel
import pytest

sys.path.insert(0, str(Path(__file__).parent / "tools"))

from isolation import isolate  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    isolate(folder.name)
    nbval.kernel.RunningKernel.execute_cell_input = execute_as_jupyter_does


def execute_as_jupyter_does(kernel, cell_input, allow_stdin=None):
    """nbval keeps no history, and IPython then shows a value that ends in `;`."""
    return kernel.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)
