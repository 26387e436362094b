"""What comes from npm: the pinned bytes and no others, once, from one registry."""

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
def registry(tmp_path, monkeypatch):
    """A registry that has one package, `thing`; `asked` lists what it was asked for."""
    import base64
    import hashlib

    content = packed(**{"thing.js": "1 + 1"})
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            found = self.path == "/thing/-/thing-1.2.3.tgz"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(served["content"] if found else b"")

        def log_message(self, *_):
            pass

    served = {"content": content}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setattr(npm, "PINNED", {"thing": ("1.2.3", digest)})
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", address)
    for name in ("NPM_CONFIG_REGISTRY", "LSR_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield address, served, asked
    server.shutdown()
    server.server_close()


def test_files_are_copied_with_their_licence_and_fetched_once(registry, tmp_path):
    _, _, asked = registry
    for _ in range(2):
        npm.copy("thing", ["thing.js"], tmp_path / "assets")
    assert (tmp_path / "assets" / "thing.js").read_text() == "1 + 1"
    assert (tmp_path / "assets" / "thing-LICENSE").read_text() == "free"
    assert asked == ["/thing/-/thing-1.2.3.tgz"]


def test_other_bytes_are_refused_and_not_kept(registry, tmp_path):
    _, served, _ = registry
    served["content"] = packed(**{"thing.js": "steal()"})
    with pytest.raises(npm.Unreachable, match="thing 1.2.3 is not what was published"):
        npm.copy("thing", ["thing.js"], tmp_path / "assets")
    assert not list((tmp_path / "cache").rglob("*.tgz"))
    assert not (tmp_path / "assets" / "thing.js").exists()


def test_a_file_that_was_damaged_in_the_cache_is_fetched_anew(registry):
    _, _, asked = registry
    path = npm.tarball("thing")
    path.write_bytes(path.read_bytes()[:-7])
    npm.tarball("thing")
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"npm_config_registry": CLOSED_PORT}, "refused"),
        ({"LSR_OFFLINE": "1"}, "LSR_OFFLINE=1 forbids it"),
        ({"npm_config_registry": "no address"}, "no address/thing"),
    ],
    ids=["no server", "offline", "nonsense"],
)
def test_out_of_reach_is_one_sentence(setting, words, registry, monkeypatch):
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(npm.Unreachable) as caught:
        npm.tarball("thing")
    said = str(caught.value)
    assert words in said and "npm_config_registry" in said
    assert said.endswith(".") and "\n" not in said


def test_a_package_that_the_registry_lacks(registry, monkeypatch):
    monkeypatch.setattr(npm, "PINNED", {"other": ("1.0.0", "x")})
    with pytest.raises(npm.Unreachable, match="it answered 404"):
        npm.tarball("other")


def test_the_registry_is_npms_own_setting(tmp_path, monkeypatch):
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    settings = tmp_path / "npmrc"
    monkeypatch.setenv("npm_config_userconfig", str(settings))
    assert npm.registry() == npm.REGISTRY
    settings.write_text("fund=false\nregistry = https://example.org/npm/\n")
    assert npm.registry() == "https://example.org/npm"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://example.org/other")
    assert npm.registry() == "https://example.org/other"
