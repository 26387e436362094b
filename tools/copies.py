"""The reader's own copies of the notebooks, in a folder that git ignores.

Guesses and answers are written into the copies. So an update of the course finds its
own files unchanged, and what a reader wrote is never written over.
"""

import hashlib
import json

import command

GIVEN = ".given.json"  # in the folder: the digest of each copy when it was made


def give(files, source, folder):
    """Copy files below `source` that are not in the folder; renew untouched copies.

    Returns the names of copies that were left alone, though the course has a newer
    one, because their reader has changed them.
    """
    try:
        given = dict(json.loads((folder / GIVEN).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none, cut off, or something else
        given = {}
    left = []
    for path in files:
        name, new = path.relative_to(source).as_posix(), path.read_bytes()
        now = (folder / name).read_bytes() if (folder / name).exists() else new
        if now == new or digest(now) == given.get(name):
            command.renewed(folder / name, new)
            given[name] = digest(new)
        elif given.get(name) != digest(new):
            left.append(name)
    command.renewed(folder / GIVEN, json.dumps(given, indent=1).encode())
    return left


def digest(content):
    return hashlib.sha256(content).hexdigest()
