"""The animals out of an archive in the official layout; hostile and broken archives."""

import gzip
import io
import os
import tarfile

import numpy as np
import official_files as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsr_utils import photos

NAMES = ["bird", "cat", "deer", "dog", "frog", "horse"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(photos, "RECORDS", official.RECORDS)


def read(tmp_path, content):
    path = tmp_path / photos.ARCHIVE
    path.write_bytes(content)
    return photos.read_archive(path)


def complaint(tmp_path, content):
    with pytest.raises(ValueError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert message.startswith(f"{photos.ARCHIVE} ") and message.endswith(".")
    assert "\n" not in message and not message.endswith("..")
    assert os.listdir(tmp_path) == [photos.ARCHIVE]  # nothing is unpacked, ever
    return message


def test_the_six_animals_are_picked_and_numbered_in_order(tmp_path):
    arrays = read(tmp_path, official.archive(official.members()))
    assert list(photos.ANIMALS.values()) == NAMES
    for part, files in (("train", range(5)), ("test", range(5, 6))):
        rows = [row for i in files for row in official.records(i)]
        kept = [row for row in rows if 2 <= row[0] <= 7]  # airplane is 0, truck 9
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        assert x.shape == (len(kept), 3, 32, 32) and x.dtype == y.dtype == np.uint8
        assert y.tolist() == [row[0] - 2 for row in kept]
        for image, row in zip(x, kept, strict=True):
            for colour in range(3):
                for line in range(32):
                    start = 1 + 1024 * colour + 32 * line
                    np.testing.assert_array_equal(
                        image[colour, line], row[start : start + 32]
                    )


def test_an_archive_of_the_official_size_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "RECORDS", 10_000)
    content = np.zeros((10_000, photos.RECORD), dtype=np.uint8)
    content[:, 0] = np.arange(10_000) % 10
    content = content.tobytes()
    assert len(content) == 30_730_000
    path = tmp_path / photos.ARCHIVE
    with tarfile.open(path, "w:gz", compresslevel=1) as made:
        for name in official.FILES:
            member, _ = official.regular(name, content)
            made.addfile(member, io.BytesIO(content))
    arrays = photos.read_archive(path)
    assert arrays["x_train"].shape == (30_000, 3, 32, 32)
    assert np.bincount(arrays["y_train"]).tolist() == [5_000] * 6
    assert np.bincount(arrays["y_test"]).tolist() == [1_000] * 6


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_other_writers_of_archives_are_read(tmp_path, form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=form) as made:
        for member, content in official.members():
            member.name = f"./{member.name}"
            member.mtime, member.uname = 1244567890, "somebody"
            made.addfile(member, io.BytesIO(content))
    assert len(read(tmp_path, file.getvalue())["y_test"]) == 12


# -- hostile members -----------------------------------------------------------------

IN = photos.FOLDER
FIRST = official.FILES[0]
REGULAR, INSIDE = "must be a regular file", f"must lie in the folder {IN}"
HOSTILE = {
    "up": (official.regular(f"{IN}/../../out.bin", b"x"), INSIDE),
    "up at once": (official.regular("../out.bin", b"x"), INSIDE),
    "absolute": (official.regular("/etc/out", b"x"), INSIDE),
    "a drive": (official.regular("C:\\out", b"x"), INSIDE),
    "elsewhere": (official.regular("other/out", b"x"), INSIDE),
    "deeper": (official.regular(f"{IN}/more/out", b"x"), INSIDE),
    "a folder": (official.special("/tmp", tarfile.DIRTYPE), REGULAR),
    "a symbolic link": (official.special(f"{IN}/a", tarfile.SYMTYPE, "/etc"), REGULAR),
    "a hard link": (official.special(f"{IN}/a", tarfile.LNKTYPE, FIRST), REGULAR),
    "a device": (official.special(f"{IN}/a", tarfile.CHRTYPE), REGULAR),
    "a disk": (official.special(f"{IN}/a", tarfile.BLKTYPE), REGULAR),
    "a pipe": (official.special(f"{IN}/a", tarfile.FIFOTYPE), REGULAR),
    "a link for a file": (
        official.special(FIRST, tarfile.SYMTYPE, "/etc/passwd"),
        REGULAR,
    ),
    "twice": (official.regular(FIRST, official.records(0).tobytes()), "is there twice"),
    "a byte more": (official.regular(FIRST, b"x" * 61_461), "must have 61460 bytes"),
    "a byte less": (official.regular(FIRST, b"x" * 61_459), "must have 61460 bytes"),
    "empty": (official.regular(FIRST, b""), "must have 61460 bytes, got 0"),
}


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_member_is_refused(tmp_path, kind, place):
    member, reason = HOSTILE[kind]
    rest = official.members()
    every = [member, *rest] if place == "first" else [*rest, member]
    message = complaint(tmp_path, official.archive(every))
    assert message.startswith(f"{photos.ARCHIVE} is not the official archive: ")
    assert reason in message


def test_a_sparse_file_is_refused(tmp_path):
    member, content = official.regular(FIRST, official.records(0).tobytes())
    member.pax_headers = {"GNU.sparse.map": "0,10", "GNU.sparse.size": "61460"}
    every = [(member, content), *official.members()]
    assert REGULAR in complaint(tmp_path, official.archive(every))


def test_further_small_files_are_not_read(tmp_path):
    more = official.regular(f"{IN}/notes", b"whatever")
    every = [more, *official.members()]
    assert len(read(tmp_path, official.archive(every))["y_train"]) == 60


def test_a_bomb_is_refused_before_it_goes_off(tmp_path, monkeypatch):
    """Much that is small when packed: no more is unpacked than the files can have."""
    most = 6 * photos.RECORDS * photos.RECORD + photos.OTHER_BYTES
    bomb = official.regular(f"{IN}/readme.html", bytes(50_000_000))
    content = official.archive([bomb, *official.members()])
    assert len(content) < 1_000_000
    unpacked, original = [0], gzip.GzipFile.read

    def counted(self, size=-1):
        block = original(self, size)
        unpacked[0] += len(block)
        return block

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    assert "unpacks to more than the six files" in complaint(tmp_path, content)
    assert unpacked[0] <= most + 1


def test_a_header_that_claims_much_is_refused(tmp_path):
    """An extended header is read whole: its length must not be believed."""
    member = tarfile.TarInfo("././@PaxHeader")
    member.type, member.size = tarfile.XHDTYPE, 10**11
    packed = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(20_000_000))
    assert "unpacks to more" in complaint(tmp_path, packed)


# -- broken ones ---------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_archive_is_refused(tmp_path, data):
    whole = official.archive(official.members())
    at = data.draw(st.integers(0, len(whole) - 1))
    complaint(tmp_path, whole[:at])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9))
def test_an_archive_truncated_before_it_was_packed_is_refused(tmp_path, at):
    whole = gzip.decompress(official.archive(official.members()))
    end = 512 + 6 * (512 + 61_952)  # of the last photos
    complaint(tmp_path, gzip.compress(whole[: at % end], 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9), st.integers(0, 255))
def test_a_damaged_archive_is_refused(tmp_path, at, value):
    whole = bytearray(official.archive(official.members()))
    at = 10 + at % (len(whole) - 10)  # the packed file's own header says little
    if whole[at] != value:
        whole[at] = value
        complaint(tmp_path, bytes(whole))


def test_an_archive_that_cannot_be_unpacked_is_refused(tmp_path):
    whole = official.archive(official.members())
    message = complaint(tmp_path, whole[:10] + b"\xff" * 20 + whole[30:])
    assert "is damaged: " in message and "Error -3 while decompressing" in message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans())
def test_what_is_no_archive_is_refused(tmp_path, content, packed):
    complaint(tmp_path, gzip.compress(content) if packed else content)


@pytest.mark.parametrize("missing", official.FILES)
def test_a_missing_file_is_named(tmp_path, missing):
    every = [pair for pair in official.members() if pair[0].name != missing]
    message = complaint(tmp_path, official.archive(every))
    assert message == f"{photos.ARCHIVE} must hold {missing}, which is missing."


def test_a_label_beyond_nine_is_named(tmp_path):
    content = official.records(0)
    content[7, 0] = 10
    every = official.members()
    every[1] = official.regular(FIRST, content.tobytes())
    message = complaint(tmp_path, official.archive(every))
    assert "labels must lie in 0 ... 9, got 10 in record 7" in message


def test_too_few_animals_are_named(tmp_path):
    every = official.members()
    every[1] = official.regular(FIRST, official.records(0, labels=0).tobytes())
    message = complaint(tmp_path, official.archive(every))
    assert "must hold 60 animals to train, got 48" in message
