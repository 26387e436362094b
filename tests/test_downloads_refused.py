"""What the downloader says when a file cannot be had or kept, and what it leaves."""

import errno
import hashlib
import io
import os
import socket
import time

import pytest
from loopback import CONTENT, NAME, fetched, give, names_in, refusal

from lsr_utils import cache as cache_module
from lsr_utils import downloads


def answers(server, cache, answer, timeout=downloads.TIMEOUT):
    """The refusal of an answer; then nothing is left, and a good answer is taken."""
    server.answer = answer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "TIMEOUT", timeout)
        message = refusal()
    assert names_in(cache) == []
    server.answer = lambda handler: give(handler, CONTENT)
    assert fetched() == CONTENT
    return message


def test_a_refusal_says_what_from_where_to_where_and_how_to_go_on(server, cache):
    message = answers(server, cache, lambda handler: give(handler, b"", status=404))
    assert message == (
        f"{NAME} (307,200 bytes) could not be fetched into {cache}: "
        f"{server.url}/{NAME} answered HTTP 404 Not Found; copy it there yourself, or "
        "name a folder or URL that has it in LSR_DATA_MIRROR, or go on with 'digits', "
        "'shapes' or 'questions', which need no download."
    )


def test_the_wrong_checksum_is_told_beside_the_right_one(server, cache):
    wrong = CONTENT[:-1] + b"!"
    message = answers(server, cache, lambda handler: give(handler, wrong))
    got, allowed = (hashlib.sha256(text).hexdigest() for text in (wrong, CONTENT))
    assert f"has another file: SHA-256 {got}, must be {allowed};" in message


@pytest.mark.parametrize("length", [None, False, 10**12])
def test_no_more_is_written_than_the_file_has(server, cache, monkeypatch, length):
    sizes, unlink = [], os.unlink

    def measured(path):
        sizes.append(os.stat(path).st_size)
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(cache_module.os, "unlink", measured)
        server.answer = lambda handler: give(handler, CONTENT * 9, length)
        assert "gave more than 307,200 bytes;" in refusal()
    assert len(sizes) == 1 and sizes[0] <= len(CONTENT)
    assert names_in(cache) == []


def test_what_comes_after_the_length_that_was_claimed_is_not_read(server):
    server.answer = lambda handler: give(handler, CONTENT * 9, len(CONTENT))
    assert fetched() == CONTENT


def test_a_length_that_is_too_small_is_told(server, cache):
    message = answers(server, cache, lambda handler: give(handler, CONTENT, 1000))
    assert "ended after 1,000 of 307,200 bytes;" in message


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_status_that_is_no_success_is_told(server, cache, status):
    message = answers(server, cache, lambda handler: give(handler, b"", status=status))
    assert f"answered HTTP {status} " in message


def test_redirects_in_a_circle_are_told(server, cache):
    def circle(handler):
        handler.send_response(302)
        handler.send_header("Location", handler.path)
        handler.end_headers()

    assert "gave nothing but redirects (HTTP 302)" in answers(server, cache, circle)
    assert len(server.asked) < 20


def test_a_redirect_to_a_file_is_not_followed(server, cache, tmp_path):
    tmp_path.joinpath("secret").write_bytes(CONTENT)

    def to_file(handler):
        handler.send_response(302)
        handler.send_header("Location", tmp_path.joinpath("secret").as_uri())
        handler.end_headers()

    assert "gave nothing but redirects" in answers(server, cache, to_file)


@pytest.mark.parametrize(
    "text", [b"no HTTP at all\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b""]
)
def test_an_answer_that_is_no_http_is_told(server, cache, text):
    assert f"{NAME} failed: " in answers(
        server, cache, lambda handler: handler.wfile.write(text)
    )


def test_an_answer_in_broken_chunks_is_told(server, cache):
    def broken(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nabcde\r\nzz\r\n")

    assert f"{NAME} failed: " in answers(server, cache, broken)


def test_a_server_that_says_nothing_is_given_up(server, cache):
    message = answers(server, cache, lambda handler: time.sleep(2), timeout=0.3)
    assert "gave no answer for 0.3 seconds;" in message


def test_a_server_that_stops_half_way_is_given_up(server, cache):
    def half(handler):
        give(handler, CONTENT[:100_000], len(CONTENT))
        time.sleep(2)

    message = answers(server, cache, half, timeout=0.3)
    assert "gave no answer for 0.3 seconds;" in message


def test_a_server_that_trickles_is_given_up(server, cache):
    def trickle(handler):
        give(handler, CONTENT[:100_000], len(CONTENT))  # and then, byte by byte:
        for start in range(100_000, 100_100):
            handler.wfile.write(CONTENT[start : start + 1])
            time.sleep(0.05)

    assert "is too slow: " in answers(server, cache, trickle, timeout=0.5)


def test_a_server_that_is_slow_but_steady_is_waited_for(server, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 1)

    def steady(handler):
        give(handler, CONTENT[:-8_000], len(CONTENT))
        for start in range(len(CONTENT) - 8_000, len(CONTENT), 400):
            time.sleep(0.1)  # 4,000 bytes a second, for two seconds
            handler.wfile.write(CONTENT[start : start + 400])

    server.answer = steady
    assert fetched() == CONTENT


def point_to(monkeypatch, url):
    official = downloads.SOURCES[NAME]
    monkeypatch.setitem(downloads.SOURCES, NAME, official._replace(urls=(url,)))


def test_a_refused_connection_is_told(server, cache, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        point_to(monkeypatch, f"http://127.0.0.1:{taken.getsockname()[1]}/{NAME}")
        message = refusal()
    assert f"{NAME} failed: " in message and "refused" in message
    assert names_in(cache) == []


def test_a_host_that_is_not_found_is_told(server, cache, monkeypatch):
    def no_network(*args, **options):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_network)
        message = refusal()
    assert f"{server.url}/{NAME} was not found (is there a network?);" in message
    assert names_in(cache) == [] and fetched() == CONTENT


@pytest.mark.parametrize("bad", ["gopher://x", "http://", "http://[", "http://h:x"])
def test_a_mirror_that_is_no_address_is_told(server, monkeypatch, bad):
    monkeypatch.setenv("LSR_DATA_MIRROR", bad)
    server.answer = lambda handler: give(handler, b"", status=404)
    assert f"{bad.rstrip('/')}/{NAME} failed: " in refusal()


def test_a_mirror_folder_without_the_file_is_told(server, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("LSR_DATA_MIRROR", str(tmp_path))
    message = answers(server, cache, lambda handler: give(handler, b"", status=404))
    assert f"{tmp_path / NAME} failed: No such file or directory;" in message
    assert "answered HTTP 404" in message


@pytest.mark.parametrize("mirror", [None, "url"])
def test_offline_asks_nobody_and_says_how_to_go_on(server, cache, monkeypatch, mirror):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    if mirror:
        monkeypatch.setenv("LSR_DATA_MIRROR", f"{server.url}/mirror")
    message = refusal()
    assert server.asked == [] and not cache.exists()
    assert f"{server.url}/{NAME} was not asked, as LSR_OFFLINE is set" in message
    assert str(cache) in message and "copy it there yourself" in message


def test_a_wrong_copy_in_the_cache_is_told_and_removed(server, cache, monkeypatch):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    cache.mkdir()
    cache.joinpath(NAME).write_bytes(b"a copy made by hand, of another file")
    assert "the copy there was not the official file and is removed;" in refusal()
    assert names_in(cache) == []


# -- the disk ------------------------------------------------------------------------


class FullDisk(io.FileIO):
    """A file on a disk with room for ``room`` bytes."""

    room = 100_000

    def write(self, block):
        if self.tell() + len(block) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(block)


def test_a_full_disk_is_told(server, cache, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "open", FullDisk, raising=False)
        assert refusal() == (
            f"No space is left for {NAME} in {cache}: make room there, or name another "
            "folder in LSR_DATA_HOME."
        )
    assert names_in(cache) == [] and fetched() == CONTENT


def test_a_disk_that_is_full_at_the_last_moment_is_told(server, cache, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(cache_module.os, "fsync", full)
        assert refusal() == (
            f"No space is left for {NAME} in {cache}: make room there, or name another "
            "folder in LSR_DATA_HOME."
        )
    assert names_in(cache) == [] and fetched() == CONTENT


def test_a_folder_that_cannot_be_made_is_told(server, cache, monkeypatch):
    cache.write_text("a file where the folder should be")
    message = refusal()
    assert message.startswith(f"{NAME} cannot be kept in {cache} (")
    assert message.endswith(": name a folder that can be written in LSR_DATA_HOME.")
    assert server.asked == []


def test_a_folder_that_cannot_be_written_is_told(server, cache, monkeypatch):
    cache.mkdir()

    def read_only(path, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(cache_module, "open", read_only, raising=False)
    assert f"cannot be kept in {cache} (Permission denied)" in refusal()
    assert server.asked == [] and names_in(cache) == []


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_without_the_right_to_write_is_told(server, cache):
    cache.mkdir(mode=0o500)
    try:
        assert f"cannot be kept in {cache} (Permission denied)" in refusal()
    finally:
        cache.chmod(0o700)


def test_a_folder_in_place_of_the_file_is_told(server, cache):
    cache.joinpath(NAME).mkdir(parents=True)
    assert f"{NAME} cannot be kept in {cache} (" in refusal()
