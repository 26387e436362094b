"""The mistakes shown in notebook 02 are caught by the tests that it names.

Each broken loss is taken from the notebook itself and given to the named test of
``test_losses.py``, which has to fail; the notebook's own loss has to pass.
"""

import ast
import functools
import re

import pytest
import test_losses
from contract import code_cells
from notebook_files import by_number, cells_tagged, definitions, run_cells

NOTEBOOK = by_number("02")
BROKEN = cells_tagged(NOTEBOOK, "bug:")


@functools.cache  # one of the cells compiles: not while tests are only collected
def shown():
    return run_cells([cell for _, cell in cells_tagged(NOTEBOOK, "benchmark")])


def broken_loss(cell):
    names = dict(shown())
    (name, tree), *_ = definitions(cell.source)
    exec(compile(ast.Module([tree], type_ignores=[]), cell.id, "exec"), names)
    return names[name]


@pytest.mark.parametrize(("test", "cell"), BROKEN, ids=[test for test, _ in BROKEN])
def test_named_test_catches_the_broken_loss(test, cell):
    with pytest.raises(AssertionError):
        getattr(test_losses, test)(broken_loss(cell))


def test_the_log_of_softmax_of_bug_8_is_caught():
    with pytest.raises(AssertionError):
        test_losses.test_large_logits_stay_finite(shown()["step_1"])


def hunted():
    source = "\n".join(cell.source for cell in code_cells(NOTEBOOK))
    return re.findall(r'"(test_\w+)"', source)


def test_the_hunt_names_ten_tests_that_exist():
    assert len(hunted()) == 10
    for test in hunted():
        assert callable(getattr(test_losses, test))


@pytest.mark.parametrize(
    "test",
    [
        "test_target_mass_sums_to_one",
        "test_sum_reduction_scales_with_rows",
        "test_none_reduction_is_per_row",
        "test_weights_reach_every_class",
        "test_ignored_rows_add_nothing",
        "test_large_logits_stay_finite",
        "test_class_axis_is_one",
    ],
)
def test_the_loss_of_step_4_passes(test):
    getattr(test_losses, test)(shown()["step_4"])
