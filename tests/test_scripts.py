"""ESLint reads every script of sliders, decks and site; it comes from npm, pinned."""

import json
import shutil
import subprocess

import npm
import pytest
from command import Problem
from course_copy import ROOT

from lsr_utils import sliders

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
SCRIPTS = {
    name: sliders._SHARED.replace("PAINT", paint) for name, paint in KINDS.items()
} | {
    path.name: path.read_text("utf-8") for path in sorted(ROOT.glob("tools/*/**/*.js"))
}  # fmt: skip


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
