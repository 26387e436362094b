"""The six animals of CIFAR-10, out of its official binary archive."""

import tarfile
import zlib

import numpy as np
import torch

from .. import check
from .downloads import fetch, stand_in
from .sixclass import SixClass

ANIMALS = {2: "bird", 3: "cat", 4: "deer", 5: "dog", 6: "frog", 7: "horse"}
ARCHIVE = "cifar-10-binary.tar.gz"
PARTS = {
    "train": [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)],
    "test": ["cifar-10-batches-bin/test_batch.bin"],
}
RECORDS = 10_000  # photographs in a file, one in ten of each class
RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes
MEAN, STD = (0.488, 0.466, 0.400), (0.236, 0.232, 0.241)


def animals(part="train"):
    """Photographs of six animals: 30,000 to train, 6,000 to test, x (N, 3, 32, 32).

    part : "train" or "test"

    The birds, cats, deer, dogs, frogs and horses of CIFAR-10 (Krizhevsky 2009). Pixels
    in [0, 1], less (0.488, 0.466, 0.400), over (0.236, 0.232, 0.241): the mean and the
    standard deviation of red, green and blue over the training part, rounded.
    Downloaded (170 MB) and kept; ``variant`` is "official", or names what replaces it.
    """
    check.one_of(part, "part", PARTS)
    found = stand_in("animals", part)
    images, labels, variant = found or (*read_archive(fetch(ARCHIVE), part), "official")
    x, y = torch.from_numpy(images).float(), torch.from_numpy(labels).long()
    mean, std = (255 * torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    x = x.sub_(mean).div_(std)
    return SixClass(x, y, None, tuple(ANIMALS.values()), variant=variant)


def read_archive(path, part):
    """Photographs and labels of a part: (N, 3, 32, 32) and (N,) arrays of bytes.

    Nothing is unpacked on disk.
    raises : ValueError in one sentence, when the archive is not what it must be
    """
    files = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name in PARTS[part]:
                    files[member.name] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} is damaged: {error}.") from error
    sizes = [len(files.get(name, "")) for name in PARTS[part]]
    if set(sizes) != {RECORDS * RECORD}:
        raise ValueError(
            f"{path.name} must hold {RECORDS * RECORD} bytes in each of "
            f"{', '.join(PARTS[part])}, got {sizes}."
        )
    content = b"".join(files[name] for name in PARTS[part])
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        raise ValueError(f"{path.name} must hold labels 0 to 9, got {labels.max()}.")
    kept = np.isin(labels, list(ANIMALS))
    return records[kept, 1:].reshape(-1, 3, 32, 32), labels[kept] - min(ANIMALS)
