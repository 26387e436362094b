"""Downloads: fetched once, checked, refused in one sentence; nothing half-written.

A server on this machine stands in for the official one.
"""

import concurrent.futures
import errno
import os
import pathlib
import sys
import threading
import time
from unittest.mock import Mock

import pooch
import pytest
from loopback import CONTENT, NAME, give, names_in, register

from lsr_utils.datasets import cache_folder, downloads

WRONG = CONTENT[:-1] + b"!"


def fetched():
    return downloads.fetch(NAME).read_bytes()


def refusal():
    with pytest.raises(downloads.DownloadError) as caught:
        downloads.fetch(NAME)
    message = str(caught.value)
    assert isinstance(caught.value, OSError)
    assert message.endswith(".") and "\n" not in message
    return message


def missing(handler):
    give(handler, b"", status=404)


def right(handler):
    give(handler, CONTENT)


@pytest.mark.parametrize("no_bar", ["", "1"])
def test_a_file_is_fetched_once_and_kept(server, cache, monkeypatch, no_bar):
    monkeypatch.setenv("TQDM_DISABLE", no_bar)
    made = Mock(wraps=pooch.HTTPDownloader)
    monkeypatch.setattr(pooch, "HTTPDownloader", made)
    assert downloads.fetch(NAME) == cache / NAME
    assert server.asked == [f"/{NAME}"] and names_in(cache) == [NAME]
    assert made.call_args.kwargs["progressbar"] == (not no_bar)
    if os.name == "posix":  # other users may read it
        assert cache.joinpath(NAME).stat().st_mode & 0o777 == 0o644
    monkeypatch.setenv("LSR_OFFLINE", "1")
    assert fetched() == CONTENT and server.asked == [f"/{NAME}"]


def test_a_copy_that_was_damaged_is_fetched_anew(server, cache):
    cache.mkdir()
    cache.joinpath(NAME).write_bytes(WRONG)
    server.answer = missing
    assert f"into {cache}: the copy there is another file, its SHA-256" in refusal()
    server.answer = right
    assert fetched() == CONTENT and server.asked == [f"/{NAME}"] * 2


def test_a_mirror_is_asked_first_and_each_official_address(server, monkeypatch):
    _, digest = downloads.FILES[NAME]
    places = [f"{server.url}/old", server.url]
    monkeypatch.setitem(downloads.FILES, NAME, (places, digest))
    monkeypatch.setenv("LSR_DATA_MIRROR", f"{server.url}/mirror/")
    server.answer = lambda h: right(h) if h.path == f"/{NAME}" else missing(h)
    wanted = [f"/mirror/{NAME}", f"/old/{NAME}", f"/{NAME}"]
    assert fetched() == CONTENT and server.asked == wanted


@pytest.mark.parametrize("there", [None, WRONG, CONTENT])
def test_a_mirror_folder_comes_first(server, cache, monkeypatch, tmp_path, there):
    """If it has the right file."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    if there is not None:
        mirror.joinpath(NAME).write_bytes(there)
    monkeypatch.setenv("LSR_DATA_MIRROR", str(mirror))
    assert fetched() == CONTENT and names_in(cache) == [NAME]
    assert server.asked == ([] if there == CONTENT else [f"/{NAME}"])
    assert names_in(mirror) == ([] if there is None else [NAME])


def test_two_who_ask_at_once_both_get_the_file(server, cache):
    both = threading.Barrier(2, timeout=60)

    def together(handler):
        both.wait()  # neither is done before the other has asked
        right(handler)

    server.answer = together
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = [pool.submit(fetched) for _ in range(2)]
        assert [f.result(timeout=60) for f in found] == [CONTENT, CONTENT]
    assert names_in(cache) == [NAME]


def half(handler, seconds=0):
    give(handler, CONTENT[:100_000], len(CONTENT))
    time.sleep(seconds)


FAULTS = {
    "not there": (missing, "answers HTTP 404"),
    "another file": (lambda h: give(h, WRONG), "gives another file: its SHA-256 diff"),
    "cut off": (half, "fails (ChunkedEncodingError)"),
    "cut off, no length": (lambda h: give(h, CONTENT[:9], False), "gives another file"),
    "silent": (lambda h: time.sleep(1), "fails (ReadTimeout)"),
    "stalled": (lambda h: half(h, 1), "fails (ConnectionError)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_server_leaves_nothing(server, cache, monkeypatch, fault):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    server.answer, reason = FAULTS[fault]
    assert f"{server.url}/{NAME} {reason}" in refusal()
    assert names_in(cache) == []
    server.answer = right
    assert fetched() == CONTENT


def test_a_refusal_says_why_and_how_to_go_on(server, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    assert "fails (LSR_OFFLINE is set)" in refusal() and server.asked == []
    monkeypatch.delenv("LSR_OFFLINE")
    server.answer = missing
    monkeypatch.setenv("LSR_DATA_MIRROR", str(tmp_path))
    assert refusal() == (
        f"{NAME} could not be downloaded into {cache}: {tmp_path}/{NAME} fails (No "
        f"such file or directory); {server.url}/{NAME} answers HTTP 404; copy the file "
        "there by hand (LSR_DATA_HOME names another folder), or go on with 'digits', "
        "'gaussians', 'shapes' or 'questions', which need no download."
    )
    register(monkeypatch, "http://127.0.0.1:9")  # where nobody listens
    assert f"127.0.0.1:9/{NAME} fails (ConnectionError)" in refusal()
    assert names_in(cache) == []


def test_a_folder_that_cannot_be_made_is_told(server, monkeypatch, tmp_path):
    tmp_path.joinpath("file").write_text("no folder")
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "file" / "folder"))
    message = refusal()
    assert "fails (Not a directory)" in message and "LSR_DATA_HOME names" in message


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_what_stops_at_the_end_leaves_nothing(server, cache, monkeypatch, fault):
    monkeypatch.setattr(downloads.os, "chmod", Mock(side_effect=fault))
    with pytest.raises(type(fault)):
        downloads.fetch(NAME)
    assert names_in(cache) == []


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LSR_DATA_HOME", "~/data")
    assert cache_folder() == pathlib.Path.home() / "data"
    monkeypatch.setenv("LSR_DATA_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "lsr_utils"
