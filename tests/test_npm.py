"""What comes from npm: the pinned bytes and no others, once, from one registry."""

import hashlib
import http.server
import io
import sys
import tarfile
import threading

import pytest
from course_copy import CLOSED_PORT, ROOT

sys.path.insert(0, str(ROOT / "tools"))

import npm  # noqa: E402


def packed(**files):
    """A tarball as npm publishes it, with a licence."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in {"LICENSE": "free", **files}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A registry that has one package, `thing`; what it gives, what it was asked."""
    served = {"content": packed(**{"thing.js": "1 + 1"}), "asked": []}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            served["asked"].append(self.path)
            found = self.path == "/thing/-/thing-1.2.3.tgz"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(served["content"] if found else b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    digest = hashlib.sha512(served["content"]).hexdigest()
    pins = {"thing": {"version": "1.2.3", "sha512": digest}}
    monkeypatch.setattr(npm, "PINNED", {**pins, "other": pins["thing"]})
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "cache"))
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setenv("npm_config_registry", address)
    monkeypatch.setenv("no_proxy", "*")
    yield served
    server.shutdown()
    server.server_close()


def test_files_are_copied_with_their_licence_and_fetched_once(served, tmp_path):
    for _ in range(2):
        npm.copy("thing", ["thing.js"], tmp_path / "assets")
    assert (tmp_path / "assets" / "thing.js").read_text() == "1 + 1"
    assert (tmp_path / "assets" / "thing-LICENSE").read_text() == "free"
    assert served["asked"] == ["/thing/-/thing-1.2.3.tgz"]
    kept = tmp_path / "cache" / "npm" / "thing-1.2.3.tgz"
    kept.write_bytes(kept.read_bytes()[:-7])  # damaged: fetched anew
    npm.copy("thing", ["thing.js"], tmp_path / "assets")
    assert len(served["asked"]) == 2


def steal(served):
    served["content"] = packed(**{"thing.js": "steal()"})


@pytest.mark.parametrize(
    ("name", "registry", "change", "words"),
    [
        ("thing", None, steal, "hash of downloaded file"),
        ("other", None, None, "404"),
        ("thing", CLOSED_PORT, None, "ConnectionError"),
        ("thing", "no address", None, "Unrecognized URL protocol"),
    ],
)
def test_not_to_be_had_is_one_sentence(
    name, registry, change, words, served, tmp_path, monkeypatch
):
    if change:
        change(served)
    if registry:
        monkeypatch.setenv("npm_config_registry", registry)
    with pytest.raises(npm.Unreachable) as caught:
        npm.copy(name, ["thing.js"], tmp_path / "assets")
    said = str(caught.value)
    assert f"{name}-1.2.3.tgz" in said and "npm_config_registry" in said
    assert words in said, said
    assert said.endswith(".") and "\n" not in said
    assert not list(tmp_path.rglob("*.tgz")) and not list(tmp_path.rglob("*.js"))


def test_what_is_pinned():
    assert {"reveal.js", "mathjax"} <= set(npm.PINNED)
    assert all(len(bytes.fromhex(pin["sha512"])) == 64 for pin in npm.PINNED.values())
