"""Files that are kept for the next time: never half-written, never taken on trust."""

import contextlib
import errno
import os
import pathlib
import secrets
import sys
import time
import zipfile

import numpy as np

LAYOUT = 1  # of the stored arrays; another number makes every stored file anew
ABANDONED = 600  # seconds without a write, after which no process owns a file


def cache_folder():
    """Folder for downloaded data: ``LSR_DATA_HOME`` or a per-user cache folder.

    Only the path; nothing is made on disk.
    """
    if os.environ.get("LSR_DATA_HOME"):
        return pathlib.Path(os.environ["LSR_DATA_HOME"]).expanduser()
    home = pathlib.Path.home()
    if sys.platform == "win32":
        base = pathlib.Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "lsr_utils"


@contextlib.contextmanager
def replacing(path):
    """A file to write, which takes the place of ``path`` when all has gone well.

    Until then it has a name of its own, so that two processes can write the same file,
    and nobody reads half of it. After an error, or Ctrl-C, nothing is left of it.
    raises : OSError in one sentence when the folder cannot be written or is full
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        if error.errno is None:  # not the system's: a sentence of our own
            raise
        raise OSError(f"{path.name} {_unwritten(error)} {path.parent}.") from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _unwritten(error):
    """Why a file was not written, up to the name of its folder."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "was not written: no space is left for it in"
    reason = error.strerror or error
    return f"cannot be written ({reason}); set LSR_DATA_HOME to another folder than"


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
        # Each array has a checksum (CRC-32), which is compared when it has been read.
        with np.load(path, allow_pickle=False) as stored:
            if stored["layout"] != LAYOUT:
                return None, None
            variant, arrays = str(stored["variant"]), {k: stored[k] for k in wanted}
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError, LookupError, EOFError, MemoryError, RuntimeError):
        return None, None
    except (zipfile.BadZipFile, zipfile.LargeZipFile):
        return None, None
    fits = all(
        arrays[key].shape == shape and np.issubdtype(arrays[key].dtype, dtype)
        for key, (shape, dtype) in wanted.items()
    )
    return (arrays, variant) if fits else (None, None)
