"""The downloader where all goes well in the end; loopback stands in for the world."""

import os
import time

import pytest
from loopback import CONTENT, NAME, fetched, give, names_in

from lsr_utils import downloads


def test_a_file_is_fetched_once_and_kept_under_its_own_name(server, cache):
    assert downloads.fetch(NAME) == cache / NAME
    assert fetched() == CONTENT
    assert server.asked == [f"/{NAME}"]
    assert names_in(cache) == [NAME]


def test_a_file_that_others_may_read_stays_so(server, cache):
    mask = os.umask(0o022)
    try:
        downloads.fetch(NAME)
    finally:
        os.umask(mask)
    if os.name == "posix":
        assert cache.joinpath(NAME).stat().st_mode & 0o777 == 0o644


def test_a_copy_that_lies_in_the_cache_is_taken_without_the_network(server, cache):
    cache.mkdir()
    cache.joinpath(NAME).write_bytes(CONTENT)
    assert fetched() == CONTENT and server.asked == []


def test_a_copy_that_was_damaged_is_fetched_anew(server, cache):
    cache.mkdir()
    cache.joinpath(NAME).write_bytes(CONTENT[:-1] + b"!")
    assert fetched() == CONTENT and server.asked == [f"/{NAME}"]


def test_an_answer_without_a_length_is_taken(server):
    server.answer = lambda handler: give(handler, CONTENT, length=False)
    assert fetched() == CONTENT


def test_an_answer_in_chunks_is_taken(server):
    def chunked(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(CONTENT), 50_000):
            piece = CONTENT[start : start + 50_000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    server.answer = chunked
    assert fetched() == CONTENT


def test_a_redirect_is_followed(server):
    def moved(handler):
        if handler.path != "/elsewhere":
            handler.send_response(302)
            handler.send_header("Location", "/elsewhere")
            handler.end_headers()
        else:
            give(handler, CONTENT)

    server.answer = moved
    assert fetched() == CONTENT and server.asked == [f"/{NAME}", "/elsewhere"]


def test_the_second_official_address_is_asked_when_the_first_fails(server, monkeypatch):
    official = downloads.SOURCES[NAME]
    both = (f"{server.url}/old", *official.urls)
    monkeypatch.setitem(downloads.SOURCES, NAME, official._replace(urls=both))
    server.answer = lambda handler: (
        give(handler, b"", status=404) if handler.path == "/old" else
        give(handler, CONTENT)
    )  # fmt: skip
    assert fetched() == CONTENT and server.asked == ["/old", f"/{NAME}"]


@pytest.mark.parametrize("then", ["removes it", "puts the right one there"])
def test_a_bad_copy_that_another_process_mends_meanwhile(
    then, server, cache, monkeypatch
):
    cache.mkdir()
    (cache / NAME).write_bytes(b"half")
    look, asked = downloads._is_official, []

    def slow(path):
        asked.append(path)
        found = look(path)
        if len(asked) == 1 and then == "removes it":
            path.unlink()
        elif len(asked) == 1:
            path.with_name("new").write_bytes(CONTENT)
            path.with_name("new").replace(path)
        return found

    monkeypatch.setattr(downloads, "_is_official", slow)
    assert fetched() == CONTENT
    assert server.asked == ([f"/{NAME}"] if then == "removes it" else [])


# -- mirrors -------------------------------------------------------------------------


def test_a_mirror_folder_comes_first_and_is_left_as_it_is(
    server, cache, monkeypatch, tmp_path
):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    mirror.joinpath(NAME).write_bytes(CONTENT)
    monkeypatch.setenv("LSR_DATA_MIRROR", str(mirror))
    assert fetched() == CONTENT and server.asked == []
    assert names_in(mirror) == [NAME] and names_in(cache) == [NAME]


def test_a_mirror_url_comes_first(server, monkeypatch):
    monkeypatch.setenv("LSR_DATA_MIRROR", f"{server.url}/mirror/")
    assert fetched() == CONTENT and server.asked == [f"/mirror/{NAME}"]


@pytest.mark.parametrize("there", [None, b"another file", CONTENT[:-1] + b"!"])
def test_a_mirror_without_the_right_file_is_passed_over(
    server, monkeypatch, tmp_path, there
):
    if there is not None:
        tmp_path.joinpath(NAME).write_bytes(there)
    monkeypatch.setenv("LSR_DATA_MIRROR", str(tmp_path))
    assert fetched() == CONTENT and server.asked == [f"/{NAME}"]
    if there is not None:
        assert tmp_path.joinpath(NAME).read_bytes() == there


def test_offline_takes_from_a_mirror_folder(server, monkeypatch, tmp_path):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    monkeypatch.setenv("LSR_DATA_MIRROR", str(tmp_path))
    tmp_path.joinpath(NAME).write_bytes(CONTENT)
    assert fetched() == CONTENT and server.asked == []


@pytest.mark.parametrize("value", ["", "0"])
def test_offline_can_be_switched_off(server, monkeypatch, value):
    monkeypatch.setenv("LSR_OFFLINE", value)
    assert fetched() == CONTENT


# -- the bar -------------------------------------------------------------------------


def test_a_bar_shows_how_far_it_is(server, monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE")

    def slowly(handler):
        give(handler, CONTENT[:200_000], len(CONTENT))
        time.sleep(0.6)  # a bar is shown after half a second
        handler.wfile.write(CONTENT[200_000:])

    server.answer = slowly
    fetched()
    shown = capsys.readouterr().err
    assert f"{NAME}: 100%" in shown and "307k/307k" in shown


def test_the_bar_is_silent_when_told(server, capsys):
    fetched()
    assert capsys.readouterr() == ("", "")
