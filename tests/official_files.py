"""Small files in exactly the layout of the official ones, as a test wants them."""

import io
import tarfile

import numpy as np

from lsr_utils.datasets import photographs, text

RECORDS = 20  # photos of each of the six files, instead of 10,000
FOLDER = "cifar-10-batches-bin"
FILES = [name for part in photographs.PARTS.values() for name in part]


def records(seed, labels=None):
    """The content of one of the six files, labels and pixels: (RECORDS, 3073) bytes."""
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 256, (RECORDS, photographs.RECORD), dtype=np.uint8)
    content[:, 0] = rng.permutation(RECORDS) % 10 if labels is None else labels
    return content


def regular(name, content):
    """A regular file, as a member of an archive and its content."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def special(name, kind, link=""):
    """A link, a device or a folder, likewise."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b""


def members():
    """What the official archive holds, in its order, as (member, content)."""
    folder = special(FOLDER, tarfile.DIRTYPE)
    batches = [regular(name, records(i).tobytes()) for i, name in enumerate(FILES)]
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    meta = regular(f"{FOLDER}/batches.meta.txt", "\n".join(names).encode())
    readme = regular(f"{FOLDER}/readme.html", b"<html></html>")
    return [folder, *batches[:1], meta, *batches[1:], readme]


def archive(members, mode="w:gz"):
    """An archive of these members, as bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as made:
        for member, content in members:
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
