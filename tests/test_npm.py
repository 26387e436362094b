"""What comes from npm: the pinned bytes and no others, once, from one registry."""

import hashlib
import io
import tarfile

import loopback
import npm
import pytest
from command import Problem
from course_copy import CLOSED_PORT


def packed(text):
    """A tarball as npm publishes it, with a licence."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (("LICENSE", "free"), ("thing.js", text)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return made.getvalue()


@pytest.fixture
def registry(cache, monkeypatch):
    """A registry that has one package, `thing`."""
    content = packed("1 + 1")
    pin = {"version": "1.2.3", "sha512": hashlib.sha512(content).hexdigest()}
    monkeypatch.setattr(npm, "PINNED", {"thing": pin, "other": pin})
    with loopback.Server() as server:
        monkeypatch.setenv("npm_config_registry", server.url)
        server.answer = lambda asked: loopback.give(
            asked, content, status=200 if "thing" in asked.path else 404
        )
        yield server


def test_files_and_licence_are_copied_and_fetched_once(registry, tmp_path, cache):
    for _ in range(2):
        npm.copy("thing", ["thing.js"], tmp_path / "assets")
    assert (tmp_path / "assets" / "thing.js").read_text() == "1 + 1"
    assert (tmp_path / "assets" / "thing-LICENSE").read_text() == "free"
    assert registry.asked == ["/thing/-/thing-1.2.3.tgz"]
    kept = cache / "npm" / "thing-1.2.3.tgz"
    kept.write_bytes(kept.read_bytes()[:-7])  # damaged: fetched anew
    npm.copy("thing", ["thing.js"], tmp_path / "assets")
    assert len(registry.asked) == 2


@pytest.mark.parametrize("why", ["404", "hash of downloaded file", "ConnectionError"])
def test_not_to_be_had_is_one_sentence(registry, tmp_path, monkeypatch, why):
    name = "other" if why == "404" else "thing"
    if why.startswith("hash"):
        registry.answer = lambda asked: loopback.give(asked, packed("steal()"))
    if why.startswith("Conn"):
        monkeypatch.setenv("npm_config_registry", CLOSED_PORT)
    with pytest.raises(Problem, match=rf"{name}-1\.2\.3\.tgz.*{why}.*npm_config_reg"):
        npm.copy(name, ["thing.js"], tmp_path / "assets")
    assert not list(tmp_path.rglob("*.tgz")) and not list(tmp_path.rglob("*.js"))
