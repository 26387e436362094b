"""Files that are kept for the next time: never half-written, never taken on trust."""

import contextlib
import errno
import os
import pathlib
import secrets
import sys
import time

import numpy as np

LAYOUT = 1  # of the stored arrays; another number makes every stored file anew
ABANDONED = 600  # seconds without a write, after which no process owns a file


def cache_folder():
    """Folder for downloaded data: ``LSR_DATA_HOME`` or a per-user cache folder.

    Only the path; nothing is made on disk.
    """
    if os.environ.get("LSR_DATA_HOME"):
        return pathlib.Path(os.path.expanduser(os.environ["LSR_DATA_HOME"]))
    try:
        home = pathlib.Path.home()
    except RuntimeError:  # a user without a home folder, as in some containers
        raise DownloadError(
            "The cache folder cannot be named without a home folder: name one in "
            "LSR_DATA_HOME."
        ) from None
    if sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "lsr_utils"


class DownloadError(OSError):
    """A file could be had from nowhere, or not be kept; one sentence says why."""


@contextlib.contextmanager
def replacing(path):
    """A file to write, which takes the place of ``path`` when all has gone well.

    Until then it has a name of its own, so that two processes can write the same file,
    and nobody reads half of it. After an error, or Ctrl-C, nothing is left of it.
    raises : DownloadError when the folder cannot be written or is full
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # once it has been renamed, there is none


def unwritten(path, error):
    """The system's error about a file in the cache folder, as a DownloadError."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DownloadError(
            f"No space is left for {path.name} in {path.parent}: make room there, or "
            "name another folder in LSR_DATA_HOME."
        )
    return DownloadError(
        f"{path.name} cannot be kept in {path.parent} ({error.strerror or error}): "
        "name a folder that can be written in LSR_DATA_HOME."
    )


def remove_abandoned(path):
    """Remove what processes that were killed left of ``path``.

    A process that is writing writes all the time, or gives up after seconds.
    """
    for left in path.parent.glob(f"{path.name}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


def write_arrays(name, variant, arrays):
    """Store the arrays of a data set in the cache folder.

    variant : where they come from, "official" or what replaces it
    """
    path = cache_folder() / f"{name}.npz"
    with replacing(path) as file:
        np.savez(file, layout=np.int64(LAYOUT), variant=np.str_(variant), **arrays)


def read_arrays(name, wanted):
    """Arrays that ``write_arrays`` stored, and their variant; (None, None) if not so.

    wanted : dict of name to (shape, dtype), as they have to be
    """
    path = cache_folder() / f"{name}.npz"
    try:
        # Each array has a checksum (CRC-32), compared once the array has been read.
        # (np.load would leave open a file of its own that turns out to be none.)
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            if stored["layout"] != LAYOUT:
                return None, None
            variant, arrays = (
                str(stored["variant"]),
                {key: stored[key] for key in wanted},
            )
        if not all(_fits(k, arrays[k], *form) for k, form in wanted.items()):
            return None, None
    except Exception:  # whatever is wrong with the file: it is made anew
        return None, None
    return arrays, variant


def _fits(key, array, shape, dtype):
    """Whether a stored array is what it must be; labels are those of six classes."""
    if array.shape != shape or not np.issubdtype(array.dtype, dtype):
        return False
    in_range = not key.startswith("y_") or set(np.unique(array)) <= set(range(6))
    return array.dtype.isnative and in_range
