"""Bad input to the tasks, and where they are kept."""

import math
import pathlib
import sys

import pytest
import torch

from lsr_utils import datasets


def message_of(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_task_is_named_with_those_there_are():
    for unknown in ("digit", None, 3):
        message = message_of(ValueError, datasets.load, unknown)
        known = "'digits', 'gaussians', 'shapes', 'questions', 'animals', 'trec'"
        assert message == f"name must be one of {known}, got {unknown!r}."


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
    assert message == f"seed must be a whole number, at least 0, got {bad!r}."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ambiguous": 1.5}, "ambiguous must be a share in [0, 1], got 1.5."),
        ({"ambiguous": -0.1}, "ambiguous must be a share in [0, 1], got -0.1."),
        ({"ambiguous": math.nan}, "ambiguous must be a share in [0, 1], got nan."),
        ({"noise": -1}, "noise must be finite and at least 0, got -1."),
        ({"noise": math.nan}, "noise must be finite and at least 0, got nan."),
        ({"noise": math.inf}, "noise must be finite and at least 0, got inf."),
        ({"size": 3}, "size must be a whole number, at least 4, got 3."),
        ({"size": 8.5}, "size must be a whole number, at least 4, got 8.5."),
    ],
)
def test_a_bad_option_of_the_shapes_is_named(options, message):
    assert message_of(ValueError, datasets.shapes, 10, **options) == message


def test_bad_sizes_of_a_split_are_named():
    data = datasets.gaussians(100)
    message = message_of(ValueError, datasets.split, data, (60, 41))
    assert message == "sizes must sum to at most 100 rows, got [60, 41] = 101."
    message = message_of(ValueError, datasets.split, data, (60, 5))
    assert message == "sizes must be a whole number, at least 6, got 5."


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "here and there"))
    assert datasets.cache_folder() == tmp_path / "here and there"
    monkeypatch.setenv("LSR_DATA_HOME", "~/data")
    assert datasets.cache_folder() == pathlib.Path.home() / "data"
    assert not (tmp_path / "here and there").exists()


@pytest.mark.parametrize(
    ("platform", "variable", "default"),
    [
        ("linux", "XDG_CACHE_HOME", ".cache"),
        ("win32", "LOCALAPPDATA", "AppData/Local"),
        ("darwin", None, "Library/Caches"),
    ],
)
def test_the_cache_folder_is_where_the_system_keeps_caches(
    monkeypatch, tmp_path, platform, variable, default
):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("LSR_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, "")
    assert datasets.cache_folder() == pathlib.Path.home() / default / "lsr_utils"
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
        assert datasets.cache_folder() == tmp_path / "lsr_utils"


def test_recorded_runs_lie_in_the_repository():
    folder = datasets.recorded_folder()
    root = pathlib.Path(__file__).resolve().parents[1]
    assert folder.parts[-2:] == ("data", "recorded") and folder.is_relative_to(root)


def test_a_class_too_rare_to_divide_is_named():
    data = datasets.SixClass(
        torch.zeros(31, 1), torch.tensor([0] * 30 + [1]), None, tuple("abcdef")
    )
    with pytest.raises(ValueError, match="^sizes must leave every class at least 2"):
        datasets.split(data, (10, 10))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.load(["digits"]), "^name must be one of"),
        (lambda: datasets.split(datasets.digits(), 500), "^sizes must be a tuple"),
        (lambda: datasets.split(datasets.digits(), (9,), seed=-1), "^seed must be"),
        (lambda: datasets.shapes(6, ambiguous="a"), "^ambiguous must be a share"),
        (lambda: datasets.shapes(6, noise=None), "^noise must be finite"),
    ],
)
def test_arguments_of_another_kind_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
