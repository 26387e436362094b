"""The reader's own copies of the notebooks, in a folder that git ignores.

Guesses and answers are written into the copies. So an update of the course finds its
own files unchanged, and what a reader wrote is never written over.
"""

import hashlib
import json
import os
import shutil

GIVEN = ".given.json"  # in the folder: the digest of each copy when it was made


def give(files, source, folder):
    """Copy files of the course that are not in the folder; renew untouched copies.

    files   : paths below the folder `source`
    returns : the names of copies that were left alone, though the course has a newer
              one, because their reader has changed them
    """
    try:
        given = dict(json.loads((folder / GIVEN).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none, cut off, or something else
        given = {}
    left = []
    for path in files:
        name = path.relative_to(source).as_posix()
        copy, new = folder / name, digest(path)
        now = digest(copy) if copy.exists() else None
        if now in (None, given.get(name), new):
            if now != new:
                write(copy, lambda there, path=path: shutil.copyfile(path, there))
            given[name] = new
        elif given.get(name) != new:
            left.append(name)
    text = json.dumps(given, indent=1)
    write(folder / GIVEN, lambda there: there.write_text(text, "utf-8"))
    return left


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path, make):
    """Replace the file in one step, so that an interruption leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    try:
        make(new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
