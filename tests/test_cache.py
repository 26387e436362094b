"""Arrays that are kept: read as they were written, or not at all."""

import errno
import os
import pathlib
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import names_in

from lsr_utils import cache as cache_module
from lsr_utils.cache import DownloadError, cache_folder, read_arrays, write_arrays

ARRAYS = {
    "x": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "texts": np.array(["one \xf0", "", "three"]),
}
WANTED = {"x": ((2, 3, 4), np.uint8), "texts": ((3,), np.str_)}
NOTHING = (None, None)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_back():
    arrays, variant = read_arrays("set", WANTED)
    assert arrays.keys() == WANTED.keys()
    for key, values in arrays.items():
        np.testing.assert_array_equal(values, ARRAYS[key])
    return variant


def test_what_was_written_is_read(cache):
    assert read_arrays("set", WANTED) == NOTHING
    write_arrays("set", "official", ARRAYS)
    assert read_back() == "official" and names_in(cache) == ["set.npz"]
    write_arrays("set", "a copy", ARRAYS)
    assert read_back() == "a copy" and names_in(cache) == ["set.npz"]
    assert read_arrays("set", {"x": WANTED["x"]})[0].keys() == {"x"}


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("x", ((2, 3, 5), np.uint8)), ("x", ((24,), np.uint8)),
        ("x", ((2, 3, 4), np.int64)), ("x", ((2, 3, 4), np.str_)),
        ("texts", ((3,), np.uint8)), ("texts", ((4,), np.str_)),
        ("y", ((3,), np.uint8)),
    ],
)  # fmt: skip
def test_arrays_of_another_form_are_not_taken(cache, key, form):
    write_arrays("set", "official", ARRAYS)
    assert read_arrays("set", {key: form}) == NOTHING


def test_another_layout_is_not_taken(cache, monkeypatch):
    write_arrays("set", "official", ARRAYS)
    monkeypatch.setattr(cache_module, "LAYOUT", cache_module.LAYOUT + 1)
    assert read_arrays("set", WANTED) == NOTHING


def whole(cache):
    write_arrays("set", "official", ARRAYS)
    return cache.joinpath("set.npz").read_bytes()


@SHARED
@given(st.integers(0, 10**9))
def test_a_file_cut_anywhere_is_not_taken(cache, at):
    content = whole(cache)
    cache.joinpath("set.npz").write_bytes(content[: at % len(content)])
    assert read_arrays("set", WANTED) == NOTHING


@SHARED
@given(st.integers(0, 10**9), st.integers(0, 255))
def test_a_changed_byte_changes_no_value(cache, at, value):
    content = bytearray(whole(cache))
    content[at % len(content)] = value
    cache.joinpath("set.npz").write_bytes(bytes(content))
    arrays, _ = read_arrays("set", WANTED)
    if arrays is not None:
        read_back()


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_a_foreign_file_is_not_taken_and_no_pickle_is_opened(
    cache, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    cache.mkdir()
    path = cache / "set.npz"
    objects = np.array([Trap()], dtype=object)
    for content in (b"", b"text", pickle.dumps(Trap()), b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        assert read_arrays("set", WANTED) == NOTHING
    np.savez(path, layout=cache_module.LAYOUT, variant="official", x=objects)
    assert read_arrays("set", {"x": ((1,), object)}) == NOTHING
    with path.open("wb") as file:
        np.save(file, ARRAYS["x"])
    assert read_arrays("set", WANTED) == NOTHING
    np.savez(path, **ARRAYS)  # without a layout
    assert read_arrays("set", WANTED) == NOTHING
    path.unlink()
    path.mkdir()
    assert read_arrays("set", WANTED) == NOTHING
    assert not os.path.exists("sprung")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up_leaves_the_old_file(cache, monkeypatch, step):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_arrays("set", "old", ARRAYS)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module.os, step, full)
        with pytest.raises(cache_module.DownloadError) as caught:
            write_arrays("set", "new", ARRAYS)
    assert str(caught.value) == (
        f"No space is left for set.npz in {cache}: make room there, or name another "
        "folder in LSR_DATA_HOME."
    )
    assert read_back() == "old" and names_in(cache) == ["set.npz"]


def test_labels_and_bytes_of_another_kind_are_not_believed(cache):
    wanted = {"y_train": ((3,), np.int64)}
    for good, labels in (
        (True, [0, 5, 2]),
        (False, [0, 6, 2]),
        (False, [0, -1, 2]),
    ):
        write_arrays("set", "official", {"y_train": np.array(labels)})
        found = read_arrays("set", wanted)
        assert found[1] == ("official" if good else None)
    write_arrays("set", "official", {"y_train": np.array([0, 5, 2], dtype=">i8")})
    assert read_arrays("set", wanted) == (None, None)


def test_without_a_home_folder_the_sentence_names_the_variable(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("LSR_DATA_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", no_home)
    with pytest.raises(DownloadError, match="^The cache folder cannot be named.*HOME"):
        cache_folder()
