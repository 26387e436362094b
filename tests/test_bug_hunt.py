"""Mistakes shown in deep dive 02a are caught by the tests that it names."""

import pytest
import test_losses
from contract import code_cells
from notebook_files import ROOT, cells_tagged, definitions, read, run_cells

NOTEBOOK = read(ROOT / "notebooks" / "deep" / "02_bug_hunt.ipynb")
TAGGED = cells_tagged(NOTEBOOK, "bug:")
BROKEN = [(test, definitions(cell.source)[0][0]) for test, cell in TAGGED]
OF_ONE_RANK = "test_class_shards_add_up"  # a loss of shards, and a value, not a test


@pytest.fixture(scope="module")
def shown():
    """What the page defines."""
    return run_cells(code_cells(NOTEBOOK))


@pytest.mark.parametrize(("test", "bug"), BROKEN)
def test_named_test_catches_the_broken_loss(test, bug, shown):
    with pytest.raises(AssertionError):
        getattr(test_losses, test)(shown[bug])


def test_nine_suspects_and_a_tenth_are_caught_by_the_tests_of_the_package():
    assert len({bug for test, bug in BROKEN if test != OF_ONE_RANK}) == 10


@pytest.mark.parametrize("test", sorted({test for test, _ in BROKEN} - {OF_ONE_RANK}))
def test_the_right_loss_passes(test, shown):
    getattr(test_losses, test)(shown["right"])
