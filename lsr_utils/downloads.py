"""The three files that are fetched on request, each checked before anything reads it.

``LSR_DATA_MIRROR`` (a folder or a URL) is looked at first, then the official source.
With ``LSR_OFFLINE=1`` nothing is asked of the network.
"""

import contextlib
import hashlib
import http.client
import os
import pathlib
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple

from .cache import cache_folder, replacing

BLOCK = 1 << 16
TIMEOUT = 30  # seconds without any data
SLOWEST = 5_000  # bytes a second, on average, once TIMEOUT has passed


class Source(NamedTuple):
    """An official file: its size and SHA-256, and where it is."""

    bytes: int
    sha256: str
    urls: tuple


SOURCES = {
    "cifar-10-binary.tar.gz": Source(
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9dddda3db29a59bca1dd",
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    ),
    "train_5500.label": Source(
        335_858,
        "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
        (
            "https://cogcomp.seas.upenn.edu/Data/QA/QC/train_5500.label",
            "http://cogcomp.org/Data/QA/QC/train_5500.label",
        ),
    ),
    "TREC_10.label": Source(
        23_354,
        "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
        (
            "https://cogcomp.seas.upenn.edu/Data/QA/QC/TREC_10.label",
            "http://cogcomp.org/Data/QA/QC/TREC_10.label",
        ),
    ),
}


class DownloadError(OSError):
    """A file could be had from nowhere, or could not be kept; one sentence says why."""


class _Refused(Exception):
    """Why one place did not give the file."""


def fetch(name):
    """Path of an official file in the cache folder, fetched if need be, and checked.

    name   : a key of ``SOURCES``
    raises : DownloadError in one sentence: which file, from where, into which folder,
             and how to go on without it
    """
    source, path, reasons = SOURCES[name], cache_folder() / name, []
    try:
        if path.exists():
            got = _sha256(path)
            if got == source.sha256:
                return path
            path.unlink()
            reasons.append(f"the copy there had SHA-256 {got} and was removed")
        for place in _places(name):
            try:
                with replacing(path) as file:
                    _copy(place, file, name)
                return path
            except _Refused as reason:
                reasons.append(f"{place}: {reason}")
    except OSError as error:
        raise DownloadError(str(error)) from error
    raise DownloadError(_failure(name, reasons))


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _places(name):
    """Where to look, one after another: paths and URLs."""
    mirror, places = os.environ.get("LSR_DATA_MIRROR", ""), list(SOURCES[name].urls)
    if "://" in mirror:
        places.insert(0, f"{mirror.rstrip('/')}/{name}")
    if _offline():
        places = []
    if mirror and "://" not in mirror:
        places.insert(0, pathlib.Path(mirror).expanduser() / name)
    return places


def _offline():
    return os.environ.get("LSR_OFFLINE", "") not in ("", "0")


def _failure(name, reasons):
    source = SOURCES[name]
    if _offline():
        reasons = [*reasons, f"LSR_OFFLINE is set, so not asked: {source.urls[0]}"]
    return (
        f"{name} ({source.bytes:,} bytes) could not be fetched into {cache_folder()} "
        f"({'; '.join(reasons)}): copy it there yourself, or name a folder or URL that "
        "has it in LSR_DATA_MIRROR, or go on with 'digits', 'shapes' or 'questions', "
        "which need no download."
    )


def _copy(place, file, name):
    """Write to ``file`` what a place gives, if that is the official file."""
    from tqdm.auto import tqdm  # slow to import: only when there is something to show

    source, size, digest = SOURCES[name], 0, hashlib.sha256()
    with tqdm(total=source.bytes, desc=name, unit="B", unit_scale=True) as bar:
        # One byte more than there should be shows that it is another file.
        for block in _blocks(place, source.bytes + 1):
            size += len(block)
            if size > source.bytes:
                raise _Refused(f"gives more than {source.bytes:,} bytes")
            file.write(block)
            digest.update(block)
            bar.update(len(block))
    if size < source.bytes:
        raise _Refused(f"ended after {size:,} of {source.bytes:,} bytes")
    if digest.hexdigest() != source.sha256:
        raise _Refused(
            f"has SHA-256 {digest.hexdigest()}, the official file has {source.sha256}"
        )


def _blocks(place, most):
    """What a place gives, in blocks, up to ``most`` bytes."""
    start, size = time.monotonic(), 0
    try:
        with _opened(place) as stream:
            # read1 returns what is there; read would wait until the block is full.
            while block := stream.read1(min(BLOCK, most - size)):
                yield block
                size += len(block)
                if time.monotonic() - start > TIMEOUT + size / SLOWEST:
                    raise _Refused(f"is too slow: {size:,} bytes in {TIMEOUT} seconds")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Refused(_reason(error)) from error


def _opened(place):
    if isinstance(place, pathlib.Path):
        return open(place, "rb")
    request = urllib.request.Request(place, headers={"User-Agent": "lsr_utils"})
    return contextlib.closing(urllib.request.urlopen(request, timeout=TIMEOUT))


def _reason(error):
    """Why a place gave nothing, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if 300 <= error.code < 400:
            return f"HTTP {error.code}, redirects without an end"
        return f"HTTP {error.code} {http.client.responses.get(error.code, '')}".strip()
    cause = getattr(error, "reason", error)  # what is wrapped in a URLError
    if isinstance(cause, socket.gaierror):
        return "the host was not found (no network?)"
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT} seconds"
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())
