"""The three files that are fetched on request, each checked before anything reads it.

``LSR_DATA_MIRROR`` (a folder or a URL) is looked at first, then the official source.
With ``LSR_OFFLINE=1`` nothing is asked of the network.
"""

import contextlib
import hashlib
import http.client
import os
import pathlib
import queue
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple

from .cache import DownloadError, cache_folder, replacing, unwritten

BLOCK = 1 << 16
TIMEOUT = 30  # seconds without any data
SLOWEST = 1_000  # bytes a second, on average over TIMEOUT
OFF = ("", "0", "false", "no", "off")  # values of LSR_OFFLINE that do not mean it


class Source(NamedTuple):
    """An official file: its size and SHA-256, and where it is."""

    bytes: int
    sha256: str
    urls: tuple


SOURCES = {
    "cifar-10-binary.tar.gz": Source(
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
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


class _Refused(Exception):
    """Why one place did not give the file."""


def fetch(name):
    """Path of an official file in the cache folder, fetched if need be, and checked.

    name   : a key of ``SOURCES``
    raises : DownloadError in one sentence: which file, from where, into which folder,
             and how to go on without it
    """
    path, reasons = cache_folder() / name, []
    offline = os.environ.get("LSR_OFFLINE", "").strip().lower() not in OFF
    try:
        if path.exists():
            before = path.lstat()
            if _is_official(path):
                return path
            if os.path.samestat(before, path.lstat()):
                path.unlink(missing_ok=True)
                reasons.append(
                    "the copy there was not the official file and is removed"
                )
            elif _is_official(path):
                return path
    except FileNotFoundError:
        pass  # another process has removed the same bad copy
    except OSError as error:
        raise unwritten(path, error) from error
    for place in _places(name):
        if offline and isinstance(place, str):
            reasons.append(f"{place} was not asked, as LSR_OFFLINE is set")
            continue
        try:
            with replacing(path) as file:
                _copy(place, file, name)
            return path
        except _Refused as reason:
            reasons.append(f"{place} {reason}")
        except DownloadError:
            # Windows does not let a file be replaced that another process reads.
            if not (path.exists() and _is_official(path)):
                raise
            return path
    raise DownloadError(_failure(name, reasons))


def _is_official(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest() == SOURCES[path.name].sha256


def _places(name):
    """Where to look, one after another: a path or a URL each."""
    mirror, official = os.environ.get("LSR_DATA_MIRROR", ""), SOURCES[name].urls
    if not mirror:
        return official
    if "://" in mirror:
        return (f"{mirror.rstrip('/')}/{name}", *official)
    return (pathlib.Path(os.path.expanduser(mirror)) / name, *official)


def _failure(name, reasons):
    return (
        f"{name} ({SOURCES[name].bytes:,} bytes) could not be fetched into "
        f"{cache_folder()}: {'; '.join(reasons)}; copy it there yourself, or name a "
        "folder or URL that has it in LSR_DATA_MIRROR, or go on with 'digits', "
        "'shapes' or 'questions', which need no download."
    )


def _copy(place, file, name):
    """Write to ``file`` what a place gives, if that is the official file."""
    from tqdm.auto import tqdm  # slow to import: only when there is something to show

    source, size, digest = SOURCES[name], 0, hashlib.sha256()
    # The delay: no bar for a place that has nothing, nor for a file that comes at once.
    form = {"desc": name, "unit": "B", "unit_scale": True, "delay": 0.5}
    # tqdm itself reads this variable once, when it is imported.
    form["disable"] = os.environ.get("TQDM_DISABLE", "") not in ("", "0")
    with (
        contextlib.closing(_blocks(place)) as blocks,
        tqdm(total=source.bytes, **form) as bar,
    ):
        for block in blocks:
            size += len(block)
            if size > source.bytes:
                raise _Refused(f"gave more than {source.bytes:,} bytes")
            file.write(block)
            digest.update(block)
            bar.update(len(block))
    if size < source.bytes:
        raise _Refused(f"ended after {size:,} of {source.bytes:,} bytes")
    if digest.hexdigest() != source.sha256:
        raise _Refused(
            f"has another file: SHA-256 {digest.hexdigest()}, must be {source.sha256}"
        )


def _blocks(place):
    """What a place gives, in blocks; refused when none comes for TIMEOUT seconds.

    Read by a thread: a timeout of the socket ends no answer whose headers trickle.
    """
    given, gone = queue.Queue(maxsize=4), threading.Event()

    def read():
        try:
            with contextlib.closing(_timed(place)) as blocks:
                for block in blocks:
                    while not gone.is_set():
                        with contextlib.suppress(queue.Full):
                            given.put(block, timeout=0.1)
                            break
                    if gone.is_set():
                        return
            given.put(b"")
        except BaseException as error:
            given.put(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            try:
                block = given.get(timeout=TIMEOUT + 1)
            except queue.Empty:
                raise _Refused(f"gave nothing for {TIMEOUT} seconds") from None
            if isinstance(block, BaseException):
                raise block
            if not block:
                return
            yield block
    finally:
        gone.set()


def _timed(place):
    """What a place gives, in blocks, as long as it comes fast enough."""
    size, seen, until = 0, 0, time.monotonic() + TIMEOUT
    try:
        with _opened(place) as stream:
            # read1 returns what is there; read would wait until the block is full.
            while block := stream.read1(BLOCK):
                yield block
                size += len(block)
                if time.monotonic() > until:
                    if size - seen < SLOWEST * TIMEOUT:
                        raise _Refused(
                            f"is too slow: {size - seen:,} bytes in {TIMEOUT} seconds"
                        )
                    seen, until = size, time.monotonic() + TIMEOUT
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Refused(_reason(error)) from error


def _opened(place):
    if isinstance(place, pathlib.Path):
        if place.exists() and not place.is_file():
            raise _Refused("is not a regular file")
        return open(place, "rb")
    request = urllib.request.Request(place, headers={"User-Agent": "lsr_utils"})
    return contextlib.closing(urllib.request.urlopen(request, timeout=TIMEOUT))


def _reason(error):
    """Why a place gave nothing, in a few words that go on from its name."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if 300 <= error.code < 400:
            return f"gave nothing but redirects (HTTP {error.code})"
        words = http.client.responses.get(error.code, "")
        return f"answered HTTP {error.code} {words}".rstrip()
    cause = getattr(error, "reason", error)  # what is wrapped in a URLError
    if isinstance(cause, socket.gaierror):
        return "was not found (is there a network?)"
    if isinstance(cause, TimeoutError):
        return f"gave no answer for {TIMEOUT} seconds"
    text = getattr(cause, "strerror", None) or cause or type(cause).__name__
    return f"failed: {' '.join(str(text).split()) or type(error).__name__}"
