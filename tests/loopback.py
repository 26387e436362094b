"""A server on this machine that stands in for the official sources, and bad ones."""

import contextlib
import hashlib
import http.server
import threading

from lsr_utils.datasets import downloads

NAME = "TREC_10.label"  # of the table; what it holds is up to the test
CONTENT = bytes(range(256)) * 1200  # 307,200 bytes: more than one block


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        # The reader may be gone before the answer is.
        with contextlib.suppress(ConnectionError):
            self.server.answer(self)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def Server():
    """Answers every request by ``answer(handler)``; counts them."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.asked = True, []
        server.answer = lambda handler: give(handler, CONTENT)
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def give(handler, content, length=None, status=200):
    """Send a whole answer; ``length`` is what it claims, False for not a word."""
    handler.send_response(status)
    if length is not False:
        claimed = len(content) if length is None else length
        handler.send_header("Content-Length", str(claimed))
    handler.end_headers()
    handler.wfile.write(content)


def register(monkeypatch, url, content=CONTENT, name=NAME):
    """Make ``content`` the official file of that name, and ``url`` its place."""
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(downloads.FILES, name, ([url], digest))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
