"""Small files in exactly the layout of the official ones, as a test wants them."""

import io
import tarfile

import numpy as np

from lsr_utils.datasets import photographs, text

RECORDS = 20  # photos of each of the six files, instead of 10,000
FILES = [name for part in photographs.PARTS.values() for name in part]


def records(seed):
    """The content of one of the six files, labels and pixels: (RECORDS, 3073) bytes."""
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 256, (RECORDS, photographs.RECORD), dtype=np.uint8)
    content[:, 0] = rng.permutation(RECORDS) % 10
    return content


def archive():
    """The archive with its folder, six files and a text, as bytes."""
    contents = [(name, records(i).tobytes()) for i, name in enumerate(FILES)]
    contents.insert(1, ("cifar-10-batches-bin/batches.meta.txt", b"airplane\ncat\n"))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
        for name, content in reversed(contents):  # in no order of their names
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return file.getvalue()


def trec_lines(part, n):
    """``n`` lines of TREC, each question with its own number; bytes in Latin-1."""
    lines = []
    for i in range(n):
        coarse = text.COARSE[i % 6]
        lines.append(f"{coarse}:fine What is it that {part} asks in row {i} ?")
    lines[1] = "LOC:city Which city has a sister\xf0city \x85 with Los Angeles ?"
    return ("\n".join(lines) + "\n").encode("latin-1")
