"""The six animals of CIFAR-10, out of its official binary archive."""

import tarfile

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
RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes
MEAN, STD = (0.488, 0.466, 0.400), (0.236, 0.232, 0.241)  # of the training part


def animals(part="train"):
    """Photographs of six animals: 30,000 to train, 6,000 to test, x (N, 3, 32, 32).

    The birds, cats, deer, dogs, frogs and horses of CIFAR-10 (Krizhevsky 2009). Pixels
    in [0, 1], less ``MEAN``, over ``STD`` of red, green and blue.
    """
    check.one_of(part, "part", PARTS)
    found = stand_in("animals", part)
    images, labels, variant = found or (*read_archive(fetch(ARCHIVE), part), "official")
    mean, std = (255 * torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    x = torch.from_numpy(images).float().sub_(mean).div_(std)
    y, names = torch.from_numpy(labels).long(), tuple(ANIMALS.values())
    return SixClass(x, y, None, names, variant=variant)


def read_archive(path, part):
    """Photographs and labels of a part: (N, 3, 32, 32) and (N,) arrays of bytes."""
    # ``fetch`` has compared the archive with its SHA-256. Nothing is unpacked on disk.
    with tarfile.open(path, "r:gz") as archive:
        content = b"".join(archive.extractfile(name).read() for name in PARTS[part])
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    records = records[np.isin(records[:, 0], list(ANIMALS))]
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0] - min(ANIMALS)
