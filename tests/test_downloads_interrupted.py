"""Downloads that stop half-way, and two at once: nothing half-written is ever read."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import CONTENT, NAME, fetched, give, names_in, refusal

from lsr_utils import cache as cache_module
from lsr_utils import downloads

# One server and one folder for all examples, which clear up after themselves.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# The same as a test's own process: the table, then the file.
FETCH = """
import hashlib, sys
from lsr_utils import downloads
name, url, size, sha256 = sys.argv[1:]
downloads.SOURCES[name] = downloads.Source(int(size), sha256, (url,))
content = downloads.fetch(name).read_bytes()
print(hashlib.sha256(content).hexdigest())
"""


def process(server):
    """``fetch`` in a process of its own, which prints the checksum of what it reads."""
    official = downloads.SOURCES[NAME]
    arguments = (NAME, f"{server.url}/{NAME}", str(official.bytes), official.sha256)
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, *arguments],
        cwd=os.path.dirname(os.path.dirname(downloads.__file__)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@SHARED
@given(st.integers(0, len(CONTENT) - 1), st.booleans())
def test_a_download_cut_at_any_byte_leaves_nothing_and_starts_again(
    server, cache, at, says_length
):
    length = len(CONTENT) if says_length else False
    server.answer = lambda handler: give(handler, CONTENT[:at], length)
    assert f"ended after {at:,} of {len(CONTENT):,} bytes" in refusal()
    assert names_in(cache) == []
    server.answer = lambda handler: give(handler, CONTENT)
    assert fetched() == CONTENT and names_in(cache) == [NAME]
    cache.joinpath(NAME).unlink()


@SHARED
@given(at=st.integers(0, 5))
def test_ctrl_c_at_any_block_leaves_nothing(server, cache, at):
    def interrupted(place):
        for number, block in enumerate(blocks(place)):
            if number == at:
                raise KeyboardInterrupt
            yield block
        raise KeyboardInterrupt

    blocks = downloads._blocks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "_blocks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            downloads.fetch(NAME)
    assert names_in(cache) == []
    assert fetched() == CONTENT
    cache.joinpath(NAME).unlink()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_ctrl_c_while_the_file_is_put_in_place_leaves_nothing(
    server, cache, monkeypatch, step
):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cache_module.os, step, interrupted)
        downloads.fetch(NAME)
    assert names_in(cache) == []
    assert fetched() == CONTENT


def test_a_file_is_on_the_disk_before_it_has_its_name(server, cache, monkeypatch):
    seen = []
    synced, replaced = os.fsync, os.replace

    def fsync(handle):
        seen.append(("fsync", os.fstat(handle).st_size, names_in(cache) == [NAME]))
        synced(handle)

    def replace(source, target):
        seen.append(("replace", os.stat(source).st_size, target.name == NAME))
        replaced(source, target)

    monkeypatch.setattr(cache_module.os, "fsync", fsync)
    monkeypatch.setattr(cache_module.os, "replace", replace)
    downloads.fetch(NAME)
    assert seen == [("fsync", len(CONTENT), False), ("replace", len(CONTENT), True)]


def test_a_process_killed_half_way_harms_nobody(server, cache):
    half, done = threading.Event(), threading.Event()

    def stuck(handler):
        give(handler, CONTENT[:200_000], len(CONTENT))
        half.set()
        done.wait(60)

    server.answer = stuck
    killed = process(server)
    try:
        assert half.wait(60)
        while not any(cache.glob("*.part")):  # until the file is there
            assert killed.poll() is None, killed.stderr.read()
            time.sleep(0.01)
    finally:
        killed.kill()
        killed.communicate()
        done.set()
    (left,) = names_in(cache)
    assert left.startswith(f"{NAME}.") and left.endswith(".part")
    server.answer = lambda handler: give(handler, CONTENT)
    assert fetched() == CONTENT
    # It may belong to somebody who is still writing: it goes when it has grown old.
    assert names_in(cache) == [NAME, left]
    old = time.time() - cache_module.ABANDONED - 1
    os.utime(cache / left, (old, old))
    cache.joinpath(NAME).unlink()
    assert fetched() == CONTENT and names_in(cache) == [NAME]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_process_that_is_interrupted_takes_its_file_along(server, cache):
    done = threading.Event()

    def stuck(handler):
        give(handler, CONTENT[:200_000], len(CONTENT))
        done.wait(60)

    server.answer = stuck
    stopped = process(server)
    try:
        while not any(cache.glob("*.part")):
            assert stopped.poll() is None, stopped.stderr.read()
            time.sleep(0.01)
        stopped.send_signal(signal.SIGINT)
        _, errors = stopped.communicate(timeout=60)
    finally:
        stopped.kill()
        done.set()
    assert "KeyboardInterrupt" in errors and names_in(cache) == []


def test_several_processes_at_once_all_read_the_whole_file(server, cache):
    together = threading.Barrier(4, timeout=60)

    def slowly(handler):
        together.wait()  # until all four are writing
        for start in range(0, len(CONTENT), 30_000):
            handler.wfile.write(CONTENT[start : start + 30_000])
            time.sleep(0.01)

    def answer(handler):
        give(handler, b"", len(CONTENT))
        slowly(handler)

    server.answer = answer
    processes = [process(server) for _ in range(4)]
    results = [one.communicate(timeout=120) for one in processes]
    wanted = downloads.SOURCES[NAME].sha256
    assert [out.strip() for out, _ in results] == [wanted] * 4, results
    assert names_in(cache) == [NAME] and fetched() == CONTENT


def test_a_file_in_use_that_cannot_be_replaced_is_taken(server, cache, monkeypatch):
    def in_use(source, target):
        target.write_bytes(CONTENT)  # what another process has just put there
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(cache_module.os, "replace", in_use)
    assert fetched() == CONTENT and names_in(cache) == [NAME]
