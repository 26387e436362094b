"""The animals out of an archive in the official layout, and broken archives."""

import gzip
import io
import os
import tarfile

import numpy as np
import official_files as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsr_utils.datasets import photographs

NAMES = ["bird", "cat", "deer", "dog", "frog", "horse"]
FIRST = official.FILES[0]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(photographs, "RECORDS", official.RECORDS)


def read(tmp_path, content):
    path = tmp_path / photographs.ARCHIVE
    path.write_bytes(content)
    return {part: photographs.read_archive(path, part) for part in photographs.PARTS}


def complaint(tmp_path, content):
    with pytest.raises(ValueError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"{photographs.ARCHIVE} ") and message.endswith(".")
    assert "\n" not in message
    assert os.listdir(tmp_path) == [photographs.ARCHIVE]  # nothing is unpacked, ever
    return message


def test_the_six_animals_are_picked_and_numbered_in_order(tmp_path):
    arrays = read(tmp_path, official.archive(official.members()))
    assert list(photographs.ANIMALS.values()) == NAMES
    for part, files in (("train", range(5)), ("test", range(5, 6))):
        rows = [row for i in files for row in official.records(i)]
        kept = [row for row in rows if 2 <= row[0] <= 7]  # airplane is 0, truck 9
        x, y = arrays[part]
        assert x.shape == (len(kept), 3, 32, 32) and x.dtype == y.dtype == np.uint8
        assert y.tolist() == [row[0] - 2 for row in kept]
        for image, row in zip(x, kept, strict=True):
            for colour in range(3):
                for line in range(32):
                    start = 1 + 1024 * colour + 32 * line
                    np.testing.assert_array_equal(
                        image[colour, line], row[start : start + 32]
                    )


def test_the_files_are_joined_in_the_order_of_their_names(tmp_path):
    turned = official.archive(official.members()[::-1])
    straight = official.archive(official.members())
    for one, two in zip(
        read(tmp_path, turned).values(), read(tmp_path, straight).values(), strict=True
    ):
        assert np.array_equal(one[0], two[0]) and np.array_equal(one[1], two[1])


def test_an_archive_of_the_official_size_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(photographs, "RECORDS", 10_000)
    content = np.zeros((10_000, photographs.RECORD), dtype=np.uint8)
    content[:, 0] = np.arange(10_000) % 10
    content = content.tobytes()
    assert len(content) == 30_730_000
    path = tmp_path / photographs.ARCHIVE
    with tarfile.open(path, "w:gz", compresslevel=1) as made:
        for name in official.FILES:
            member, _ = official.regular(name, content)
            made.addfile(member, io.BytesIO(content))
    x, y = photographs.read_archive(path, "train")
    assert x.shape == (30_000, 3, 32, 32) and np.bincount(y).tolist() == [5_000] * 6
    _, y = photographs.read_archive(path, "test")
    assert np.bincount(y).tolist() == [1_000] * 6


# --- broken ones --------------------------------------------------------------------


@SHARED
@given(st.data())
def test_a_truncated_archive_is_refused(tmp_path, data):
    whole = official.archive(official.members())
    at = data.draw(st.integers(0, len(whole) - 2000))  # the test part comes last
    complaint(tmp_path, whole[:at])


@SHARED
@given(st.binary(max_size=300), st.booleans())
def test_what_is_no_archive_is_refused(tmp_path, content, packed):
    complaint(tmp_path, gzip.compress(content) if packed else content)


def test_an_archive_that_cannot_be_unpacked_is_refused(tmp_path):
    whole = official.archive(official.members())
    message = complaint(tmp_path, whole[:10] + b"\xff" * 20 + whole[30:])
    assert "is damaged: " in message and "Error -3 while decompressing" in message


@pytest.mark.parametrize("missing", official.FILES)
def test_a_missing_file_is_named(tmp_path, missing):
    every = [pair for pair in official.members() if pair[0].name != missing]
    message = complaint(tmp_path, official.archive(every))
    assert "must hold 61460 bytes in each of " in message and missing in message
    assert "61460" in message and " got [" in message and "0" in message


@pytest.mark.parametrize("size", [0, 61_459, 61_461])
def test_a_file_of_another_size_is_named(tmp_path, size):
    every = official.members()
    every[1] = official.regular(FIRST, bytes(size))
    assert f"got [{size}, 61460, " in complaint(tmp_path, official.archive(every))


def test_a_link_is_not_followed(tmp_path):
    every = official.members()
    every[1] = official.special(FIRST, tarfile.SYMTYPE, official.FILES[1])
    assert "got [0, 61460, " in complaint(tmp_path, official.archive(every))


def test_a_label_beyond_nine_is_named(tmp_path):
    content = official.records(0)
    content[7, 0] = 10
    every = official.members()
    every[1] = official.regular(FIRST, content.tobytes())
    message = complaint(tmp_path, official.archive(every))
    assert message == f"{photographs.ARCHIVE} must hold labels 0 to 9, got 10."
