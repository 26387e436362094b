"""The three official files, downloaded when asked for and checked before they are read.

``LSR_DATA_HOME`` names the folder that keeps them, ``LSR_DATA_MIRROR`` a folder or URL
that is asked before the official one. ``LSR_OFFLINE=1`` asks no network.
"""

import os
import pathlib
import shutil

import numpy as np

TIMEOUT = 30  # seconds without any data
COGCOMP = ("https://cogcomp.seas.upenn.edu/Data/QA/QC", "http://cogcomp.org/Data/QA/QC")
PLACES = {"cifar-10-binary.tar.gz": ["https://www.cs.toronto.edu/~kriz"]}
REGISTRY = """
cifar-10-binary.tar.gz c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd
train_5500.label 9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3
TREC_10.label 033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e
"""  # as pooch writes one: each file and its SHA-256
FILES = dict(line.split() for line in REGISTRY.strip().splitlines())
FILES = {name: (PLACES.get(name, COGCOMP), digest) for name, digest in FILES.items()}
DAMAGED = "the copy there is another file, its SHA-256 differs; "
OFF = ("", "0", "false", "no", "off")  # values of LSR_OFFLINE that do not mean it


class DownloadError(OSError):
    """A file cannot be downloaded or kept; one sentence says why."""


def shipped(name):
    """Path of a file or folder that comes with the course, in its folder ``data``."""
    package = pathlib.Path(__file__).resolve().parents[1]
    # A wheel holds the data inside the package; a checkout, beside it.
    inside = package / "data"
    return (inside if inside.exists() else package.parent / "data") / name


def cache_folder():
    """Path of the folder for downloaded data: ``LSR_DATA_HOME`` or one of the user."""
    import pooch  # slow to import, with requests: only when asked for

    home = os.environ.get("LSR_DATA_HOME") or pooch.os_cache("lsr_utils")
    return pathlib.Path(home).expanduser()


def fetch(name):
    """Path of an official file in the cache folder, downloaded if it is not there."""
    import pooch

    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough
    (places, digest), folder, reasons = FILES[name], cache_folder(), []
    for place in filter(None, [os.environ.get("LSR_DATA_MIRROR"), *places]):
        source = f"{place.rstrip('/')}/{name}"
        try:
            found = pooch.retrieve(source, digest, name, folder, downloader=_download)
            return pathlib.Path(found)
        except (OSError, ValueError) as error:
            reasons.append(f"{source} {_reason(error)}")
    raise DownloadError(
        f"{name} could not be downloaded into {folder}: "
        f"{DAMAGED * folder.joinpath(name).exists()}{'; '.join(reasons)}; copy the "
        "file there by hand (LSR_DATA_HOME names another folder), or go on with "
        "'digits', 'gaussians', 'shapes' or 'questions', which need no download."
    )


def _download(source, output_file, _):
    """Copy a file to ``output_file``, which pooch checks and then renames."""
    import pooch

    if "://" not in (source := source.removeprefix("file://")):
        shutil.copyfile(os.path.expanduser(source), output_file)
    elif os.environ.get("LSR_OFFLINE", "").strip().lower() not in OFF:
        raise OSError(None, "LSR_OFFLINE is set")
    else:
        bar = os.environ.get("TQDM_DISABLE", "0") in ("", "0")
        pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)(source, output_file, _)
    os.chmod(output_file, 0o644)  # pooch's temporary files are for one user alone


def _reason(error):
    """Why a source did not give the file, in a few words that follow its name."""
    import requests

    if isinstance(error, requests.HTTPError):
        return f"answers HTTP {str(error)[:3]}"
    if isinstance(error, OSError):  # with a name such as ConnectionError
        return f"fails ({getattr(error, 'strerror', None) or type(error).__name__})"
    return "gives another file: its SHA-256 differs"


def stand_in(task, part):
    """A copy by ``data/recorded/import_data.py``: inputs, labels, its name, or None."""
    path = cache_folder() / f"{task}-copy.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return stored[f"x_{part}"], stored[f"y_{part}"], str(stored["variant"])
    return None
