"""The six animals of CIFAR-10, out of its official binary archive."""

import gzip
import tarfile
import zlib

import numpy as np

from .cache import read_arrays, write_arrays
from .downloads import fetch

ANIMALS = {2: "bird", 3: "cat", 4: "deer", 5: "dog", 6: "frog", 7: "horse"}
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
PARTS = {
    "train": [f"{FOLDER}/data_batch_{i}.bin" for i in range(1, 6)],
    "test": [f"{FOLDER}/test_batch.bin"],
}
RECORDS = 10_000  # photos of a file, one in ten of each class
RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes
OTHER_BYTES = 1_000_000  # more than the other files of the archive and its headers


DAMAGE = (
    tarfile.TarError, RecursionError, EOFError, zlib.error, gzip.BadGzipFile
)  # fmt: skip


def animals_arrays(part):
    """Photos and labels of a part, from the cache or else from the archive.

    returns : (N, 3, 32, 32) uint8 array, (N,) uint8 array of 0 to 5, variant
    """
    stored, variant = read_arrays("animals", animals_form(part))
    if stored is None:
        arrays, variant = read_archive(fetch(ARCHIVE)), "official"
        write_arrays("animals", variant, arrays)
        stored = arrays
    return stored[f"x_{part}"], stored[f"y_{part}"], variant


def animals_form(part):
    """Shapes and dtypes of the arrays of a part, as the cache must hold them."""
    n = len(PARTS[part]) * RECORDS * len(ANIMALS) // 10
    return {f"x_{part}": ((n, 3, 32, 32), np.uint8), f"y_{part}": ((n,), np.uint8)}


def read_archive(path):
    """Photos and labels of both parts, as a dict of arrays; nothing is unpacked.

    raises : ValueError in one sentence, when the archive is not what it must be
    """
    files = {}
    try:
        with gzip.open(path) as unpacked:
            bounded = _Bounded(unpacked, 6 * RECORDS * RECORD + OTHER_BYTES)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for member in archive:
                    name = _checked_name(member, files)
                    if name in PARTS["train"] + PARTS["test"]:
                        files[name] = _animals_of(archive.extractfile(member).read())
            while bounded.read(tarfile.RECORDSIZE):
                pass  # up to the checksum that the packed file ends in
    except DAMAGE as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"{path.name} is damaged: {reason}.") from error
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise ValueError(
            f"{path.name} is not the official archive: {reason}."
        ) from error
    arrays = {}
    for part, names in PARTS.items():
        if missing := [name for name in names if name not in files]:
            raise ValueError(f"{path.name} must hold {missing[0]}, which is missing.")
        arrays[f"x_{part}"] = np.concatenate([files[name][0] for name in names])
        arrays[f"y_{part}"] = np.concatenate([files[name][1] for name in names])
        wanted, got = animals_form(part)[f"y_{part}"][0][0], len(arrays[f"y_{part}"])
        if got != wanted:
            raise ValueError(
                f"{path.name} must hold {wanted} animals to {part}, got {got}."
            )
    return arrays


class _Bounded:
    """A file that refuses to give more than ``left`` bytes."""

    def __init__(self, file, left):
        self.file, self.left = file, left

    def read(self, size):
        block = self.file.read(min(size, self.left + 1))
        self.left -= len(block)
        if self.left < 0:
            raise ValueError("it unpacks to more than the six files.")
        return block


def _checked_name(member, seen):
    """Name of a member of the archive, once it is known to do no harm."""
    name = member.name.removeprefix("./")
    if member.isdir() and name.split("/") == [FOLDER]:
        return name
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise ValueError(f"{name!r} must be a regular file.")
    if name.split("/")[:-1] != [FOLDER]:
        raise ValueError(f"{name!r} must lie in the folder {FOLDER}.")
    if name.endswith(".bin") and member.size != RECORDS * RECORD:
        raise ValueError(
            f"{name!r} must have {RECORDS * RECORD} bytes, got {member.size}."
        )
    if not 0 <= member.size <= max(RECORDS * RECORD, OTHER_BYTES):
        raise ValueError("it unpacks to more than the six files.")
    if name in seen:
        raise ValueError(f"{name!r} is there twice.")
    return name


def _animals_of(content):
    """Photos and labels 0 to 5 of the animals in one of the six files."""
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        worst = int((labels > 9).argmax())
        raise ValueError(
            f"labels must lie in 0 ... 9, got {labels[worst]} in record {worst}."
        )
    kept = (labels >= min(ANIMALS)) & (labels <= max(ANIMALS))
    return records[kept, 1:].reshape(-1, 3, 32, 32), labels[kept] - min(ANIMALS)
