"""The animals out of an archive in the official layout."""

import io
import tarfile

import numpy as np
import official_files as official

from lsr_utils.datasets import photographs

NAMES = ["bird", "cat", "deer", "dog", "frog", "horse"]


def read(tmp_path, content):
    path = tmp_path / photographs.ARCHIVE
    path.write_bytes(content)
    return {part: photographs.read_archive(path, part) for part in photographs.PARTS}


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


def test_an_archive_of_the_official_size_is_read(tmp_path):
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


def test_nothing_is_unpacked(tmp_path):
    read(tmp_path, official.archive(official.members()))
    assert [path.name for path in tmp_path.iterdir()] == [photographs.ARCHIVE]
