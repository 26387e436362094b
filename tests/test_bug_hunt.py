"""The broken losses of notebook 02 fail the tests of ``test_losses`` that it names."""

import ast
import re

import pytest
import test_losses
import torch
from contract import code_cells
from notebook_files import by_number, cells_tagged, definitions, run_cells

NOTEBOOK = by_number("02")
BROKEN = dict(cells_tagged(NOTEBOOK, "bug:"))
NOT_OF_STEP_4 = {  # what the notebook adds to it later
    "test_only_ignore_index_is_ignored",
    "test_half_precision_is_summed_in_float32",
    "test_class_shards_add_up",
}


@pytest.fixture(scope="module")
def shown():
    """What the notebook defines, its compiled loss left as it is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda function, **_: function)
        return run_cells([cell for _, cell in cells_tagged(NOTEBOOK, "benchmark")])


@pytest.mark.parametrize("test", BROKEN)
def test_named_test_catches_the_broken_loss(test, shown):
    (name, tree), *_ = definitions(BROKEN[test].source)
    names = dict(shown)
    exec(compile(ast.Module([tree], type_ignores=[]), test, "exec"), names)
    with pytest.raises(AssertionError):
        getattr(test_losses, test)(names[name])


def test_the_hunt_names_ten_tests_which_the_loss_of_step_4_passes(shown):
    source = "\n".join(cell.source for cell in code_cells(NOTEBOOK))
    hunted = re.findall(r'"(test_\w+)"', source)
    assert len(hunted) == 10
    for test in hunted:
        if test not in NOT_OF_STEP_4:
            getattr(test_losses, test)(shown["step_4"])
        assert callable(getattr(test_losses, test))
    with pytest.raises(AssertionError):  # bug 8, the log of softmax
        test_losses.test_large_logits_stay_finite(shown["step_1"])
