"""An answer that comes a byte at a time ends in a sentence, wherever it trickles."""

import socket
import threading
import time

import pytest
from loopback import NAME

from lsr_utils import downloads

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def dripping():
    """Start a server that sends a beginning at once, and the rest drop by drop."""
    stop, sockets = threading.Event(), []

    def start(beginning, drop):
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(beginning)
                while not stop.wait(0.02):
                    try:
                        connection.sendall(drop)
                    except OSError:
                        return

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    stop.set()
    for listening in sockets:
        listening.close()


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"", b"H"),
        (HEAD, b"x"),
        (HEAD, b"A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x"),
    ],
    ids=["status", "header byte", "header line", "continue", "chunk extension"],
)
def test_a_drip_is_refused(beginning, drop, dripping, cache, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    monkeypatch.setenv("LSR_DATA_MIRROR", dripping(beginning, drop))
    source = downloads.SOURCES[NAME]._replace(urls=())
    monkeypatch.setitem(downloads.SOURCES, NAME, source)
    began = time.monotonic()
    with pytest.raises(downloads.DownloadError, match="could not be fetched into"):
        downloads.fetch(NAME)
    assert time.monotonic() - began < 60  # it used to wait for ever
