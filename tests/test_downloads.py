"""Downloads: fetched once, checked, refused in one sentence; nothing half-written.

A server on this machine stands in for the official one.
"""

import errno
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import CONTENT, NAME, fetched, give, names_in, refusal, register

from lsr_utils.datasets import cache_folder, downloads

WRONG = CONTENT[:-1] + b"!"

# --- the file comes -----------------------------------------------------------------


def test_a_file_is_fetched_once_and_kept_under_its_own_name(server, cache):
    assert downloads.fetch(NAME) == cache / NAME
    assert fetched() == CONTENT
    assert server.asked == [f"/{NAME}"] and names_in(cache) == [NAME]


@pytest.mark.skipif(os.name != "posix", reason="only there a file has a mode")
def test_other_users_may_read_what_was_downloaded(server, cache):
    downloads.fetch(NAME)
    assert cache.joinpath(NAME).stat().st_mode & 0o777 == 0o644


def test_a_copy_that_lies_in_the_cache_is_taken_without_the_network(
    server, cache, monkeypatch
):
    cache.mkdir()
    cache.joinpath(NAME).write_bytes(CONTENT)
    monkeypatch.setenv("LSR_OFFLINE", "1")
    assert fetched() == CONTENT and server.asked == []


def test_a_copy_that_was_damaged_is_fetched_anew(server, cache):
    cache.mkdir()
    cache.joinpath(NAME).write_bytes(WRONG)
    server.answer = lambda handler: give(handler, b"", status=404)
    assert f"into {cache}: the copy there is another file, its SHA-256" in refusal()
    server.answer = lambda handler: give(handler, CONTENT)
    assert fetched() == CONTENT and server.asked == [f"/{NAME}"] * 2


def test_the_second_official_address_is_asked_when_the_first_fails(server, monkeypatch):
    _, digest = downloads.FILES[NAME]
    places = [f"{server.url}/old", server.url]
    monkeypatch.setitem(downloads.FILES, NAME, (places, digest))
    server.answer = lambda handler: (
        give(handler, b"", status=404) if handler.path == f"/old/{NAME}" else
        give(handler, CONTENT)
    )  # fmt: skip
    assert fetched() == CONTENT and server.asked == [f"/old/{NAME}", f"/{NAME}"]


def test_a_mirror_folder_comes_first_and_is_left_as_it_is(
    server, cache, monkeypatch, tmp_path
):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    mirror.joinpath(NAME).write_bytes(CONTENT)
    monkeypatch.setenv("LSR_DATA_MIRROR", str(mirror))
    monkeypatch.setenv("LSR_OFFLINE", "1")
    assert fetched() == CONTENT and server.asked == []
    assert names_in(mirror) == [NAME] and names_in(cache) == [NAME]


def test_a_mirror_url_comes_first(server, monkeypatch):
    monkeypatch.setenv("LSR_DATA_MIRROR", f"{server.url}/mirror/")
    assert fetched() == CONTENT and server.asked == [f"/mirror/{NAME}"]


@pytest.mark.parametrize("there", [None, WRONG])
def test_a_mirror_without_the_right_file_is_passed_over(
    server, monkeypatch, tmp_path, there
):
    if there is not None:
        tmp_path.joinpath(NAME).write_bytes(there)
    monkeypatch.setenv("LSR_DATA_MIRROR", str(tmp_path))
    assert fetched() == CONTENT and server.asked == [f"/{NAME}"]


@pytest.mark.parametrize("value", ["", "0"])
def test_offline_can_be_switched_off(server, monkeypatch, value):
    monkeypatch.setenv("LSR_OFFLINE", value)
    assert fetched() == CONTENT


def test_a_bar_shows_how_far_it_is_unless_told(server, cache, monkeypatch, capsys):
    fetched()
    assert capsys.readouterr() == ("", "")
    cache.joinpath(NAME).unlink()
    monkeypatch.delenv("TQDM_DISABLE")
    fetched()
    assert "100%" in capsys.readouterr().err


FETCH = """
import hashlib, sys
from lsr_utils.datasets import downloads
name, url, digest = sys.argv[1:]
downloads.FILES[name] = ([url], digest)
print(hashlib.sha256(downloads.fetch(name).read_bytes()).hexdigest())
"""


def test_two_processes_at_once_both_get_the_file(server, cache):
    both = threading.Barrier(2, timeout=60)

    def together(handler):
        both.wait()  # neither is done before the other has asked
        give(handler, CONTENT)

    server.answer = together
    (url,), digest = downloads.FILES[NAME]
    root = pathlib.Path(downloads.__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, NAME, url, digest],
            cwd=root, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    found = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert found == [digest, digest] and names_in(cache) == [NAME]


# --- the file does not come ---------------------------------------------------------


def half(handler):
    give(handler, CONTENT[:100_000], len(CONTENT))


def stalled(handler):
    half(handler)
    time.sleep(1)


FAULTS = {
    "not there": (lambda h: give(h, b"", status=404), "answers HTTP 404"),
    "broken": (lambda h: give(h, b"", status=503), "answers HTTP 503"),
    "another file": (lambda h: give(h, WRONG), "gives another file: its SHA-256 diff"),
    "cut off": (half, "breaks off"),
    "cut off, no length": (lambda h: give(h, CONTENT[:9], False), "gives another file"),
    "silent": (lambda h: time.sleep(1), "gives nothing for 0.3 seconds"),
    "stalled": (stalled, "gives nothing for 0.3 seconds"),
    "no HTTP": (lambda h: h.wfile.write(b"what?\r\n\r\n"), "gives no answer (Conn"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_server_is_told_and_leaves_nothing(
    server, cache, monkeypatch, fault
):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    server.answer, reason = FAULTS[fault]
    assert f"{server.url}/{NAME} {reason}" in refusal()
    assert names_in(cache) == []
    server.answer = lambda handler: give(handler, CONTENT)
    assert fetched() == CONTENT


def test_a_refusal_says_what_why_to_where_and_how_to_go_on(server, cache):
    server.answer = lambda handler: give(handler, b"", status=404)
    assert refusal() == (
        f"{NAME} could not be downloaded into {cache}: {server.url}/{NAME} answers "
        "HTTP 404; copy the file there by hand (LSR_DATA_HOME names another folder), "
        "or go on with 'digits', 'shapes' or 'questions', which need no download."
    )


def test_a_refusal_names_every_place_that_was_asked(server, monkeypatch, tmp_path):
    server.answer = lambda handler: give(handler, b"", status=404)
    monkeypatch.setenv("LSR_DATA_MIRROR", str(tmp_path))
    message = refusal()
    assert (
        f"{tmp_path}/{NAME} fails (No such file or directory); {server.url}" in message
    )
    assert isinstance(pytest.raises(OSError, downloads.fetch, NAME).value, OSError)


def test_nothing_that_listens_is_told(server, cache, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    register(monkeypatch, url)
    assert (
        f"{url}/{NAME} gives no answer (ConnectionError, is there a network?)"
        in refusal()
    )
    assert names_in(cache) == []


def test_a_mirror_of_an_unknown_kind_is_told(server, monkeypatch):
    server.answer = lambda handler: give(handler, b"", status=404)
    monkeypatch.setenv("LSR_DATA_MIRROR", "gopher://here")
    assert f"gopher://here/{NAME} fails (InvalidSchema);" in refusal()


def test_offline_asks_nothing_and_says_so(server, monkeypatch):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    assert "fails (LSR_OFFLINE is set)" in refusal() and server.asked == []


def test_a_folder_that_cannot_be_made_is_told(server, monkeypatch, tmp_path):
    tmp_path.joinpath("file").write_text("no folder")
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "file" / "folder"))
    message = refusal()
    assert "fails (Not a directory)" in message and "LSR_DATA_HOME names" in message


def test_a_folder_that_cannot_be_written_is_told(server, cache):
    cache.mkdir(mode=0o555)
    if os.access(cache, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert "fails (PermissionError)" in refusal() and names_in(cache) == []


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_what_stops_at_the_last_moment_leaves_nothing(
    server, cache, monkeypatch, fault
):
    def stop(*_):
        assert len(names_in(cache)) == 1  # the temporary file, complete
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(downloads.os, "chmod", stop)
        with pytest.raises(type(fault)):
            downloads.fetch(NAME)
    assert names_in(cache) == []
    assert fetched() == CONTENT


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(CONTENT) - 1), st.booleans())
def test_a_download_cut_at_any_byte_leaves_nothing_and_starts_again(
    server, cache, at, says_length
):
    length = len(CONTENT) if says_length else False
    server.answer = lambda handler: give(handler, CONTENT[:at], length)
    refusal()
    assert names_in(cache) == []
    server.answer = lambda handler: give(handler, CONTENT)
    assert fetched() == CONTENT and names_in(cache) == [NAME]
    cache.joinpath(NAME).unlink()


# --- where and what -----------------------------------------------------------------


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "here and there"))
    assert cache_folder() == tmp_path / "here and there"
    monkeypatch.setenv("LSR_DATA_HOME", "~/data")
    assert cache_folder() == pathlib.Path.home() / "data"
    monkeypatch.setenv("LSR_DATA_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name.lower() in ("lsr_utils", "cache")
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "lsr_utils"
    assert names_in(tmp_path) == []


def test_the_official_files_are_those_of_the_sources():
    questions = "https://cogcomp.seas.upenn.edu/Data/QA/QC"
    assert {name: (p[0], digest) for name, (p, digest) in downloads.FILES.items()} == {
        "cifar-10-binary.tar.gz": (
            "https://www.cs.toronto.edu/~kriz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        "train_5500.label": (
            questions,
            "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
        ),
        "TREC_10.label": (
            questions,
            "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
        ),
    }
