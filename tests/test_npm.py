"""What comes from npm: the pinned bytes and no others, once, from one registry.

One of them, ESLint, reads every script of sliders, decks and site.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile

import loopback
import npm
import pytest
from command import Problem
from course_copy import CLOSED_PORT, ROOT

from lsr_utils import sliders


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


LINT = """
const [path, scripts, names, rules] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const {Linter} = require(path);
const globals = Object.fromEntries(names.map(name => [name, false]));
const config = {languageOptions: {sourceType: 'script', globals}, rules: {}};
for (const rule of rules) config.rules[rule] = 2;
// Not every kind of slider uses all that they share.
config.rules['no-unused-vars'] = [2, {varsIgnorePattern: '^(RED|box|grid)$'}];
for (const [name, text] of Object.entries(scripts))
  for (const {line, ruleId, message} of new Linter().verify(text, config))
    console.log(`${name}:${line} ${ruleId}: ${message}`);
"""
NAMES = "window document location addEventListener matchMedia setInterval Event atob"
RULES = """
eqeqeq no-const-assign no-constant-condition no-dupe-keys no-fallthrough no-redeclare
no-self-compare no-shadow no-undef no-unreachable no-unused-expressions
no-useless-assignment no-useless-escape no-var prefer-const use-isnan valid-typeof
"""
KINDS = {"bars": sliders._BARS, "points": sliders._POINTS, "gap": sliders._GAP}
SCRIPTS = {kind: sliders._SHARED.replace("PAINT", p) for kind, p in KINDS.items()}
SCRIPTS |= {p.name: p.read_text("utf-8") for p in ROOT.glob("tools/*/**/*.js")}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    if not shutil.which("node"):
        pytest.skip("no node for scripts")
    folder = tmp_path_factory.mktemp("eslint")
    try:
        npm.copy("eslint-linter-browserify", ["linter.cjs"], folder)
    except Problem as reason:
        pytest.skip(str(reason))

    def found(scripts):
        names = [*NAMES.split(), "Reveal", "RevealNotes", "MathJax"]
        given = [str(folder / "linter.cjs"), scripts, names, RULES.split()]
        command = ["node", "-e", LINT]
        options = {"input": json.dumps(given), "encoding": "utf-8", "check": True}
        return subprocess.run(command, stdout=-1, **options).stdout.splitlines()

    return found


def test_scripts_have_no_fault_that_the_linter_knows(complaints):
    assert len(SCRIPTS) == 5 and complaints(SCRIPTS) == []


def test_a_fault_is_noticed(complaints):
    faulty = {"bars": SCRIPTS["bars"].replace("highlight} = data", "high} = data")}
    found = " ".join(complaints(faulty))
    assert "bars:" in found and "no-undef: 'highlight'" in found
    assert "no-unused-vars: 'high'" in found
