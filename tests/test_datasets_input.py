"""Bad input to the tasks."""

import math

import pytest

from lsr_utils import datasets


def message_of(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_task_is_named_with_those_there_are():
    for unknown in ("digit", None, 3):
        message = message_of(ValueError, datasets.load, unknown)
        known = "'digits', 'gaussians', 'shapes', 'questions', 'animals' or 'trec'"
        assert message == f"name must be {known}, got {unknown!r}."


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="size"):
        datasets.load("digits", size=20)


@pytest.mark.parametrize("draw", [datasets.gaussians, datasets.shapes])
@pytest.mark.parametrize("bad", [0, -5, 2.5, "10", None, True, math.nan])
def test_a_bad_number_of_points_is_named(draw, bad):
    message = message_of(ValueError, draw, bad)
    assert message == f"n must be a whole number, at least 1, got {bad!r}."


@pytest.mark.parametrize("draw", [datasets.gaussians, datasets.shapes])
@pytest.mark.parametrize("bad", [-1, 0.5, "a", None])
def test_a_bad_seed_is_named(draw, bad):
    message = message_of(ValueError, draw, 10, seed=bad)
    assert message == f"seed must be a whole number, 0 to 4294967295, got {bad!r}."


@pytest.mark.parametrize("bad", [1.5, -0.1, math.nan])
def test_a_bad_share_of_morphs_is_named(bad):
    message = message_of(ValueError, datasets.shapes, 10, ambiguous=bad)
    assert message == f"ambiguous must lie in [0, 1], got {bad}."


def test_bad_sizes_of_a_split_are_named():
    data = datasets.gaussians(100)
    message = message_of(ValueError, datasets.split, data, (60, 41))
    assert message == "sum of sizes must be a whole number, 0 to 100, got 101."
    message = message_of(ValueError, datasets.split, data, (60, 5))
    assert message == "sizes must be a whole number, at least 6, got 5."
    message = message_of(ValueError, datasets.split, data, (9,), seed=-1)
    assert message == "seed must be a whole number, 0 to 4294967295, got -1."
