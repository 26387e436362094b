"""Mutants: package or notebook with one mistake, and the tests that notice it.

    python tests/mutants.py                      every mutant, in some minutes
    python tests/mutants.py --only stats-ddof holm-order

In ``mutants.json`` ``file``, ``find`` (which occurs once in it) and ``replace`` say how
to break the package, ``tests`` which tests or notebooks to ask first: if they pass, all
other unit tests of the package are asked.

Exit status: 0 when nine in ten are killed; 1 when not; 2 when one cannot be made.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutants.json"
FOLDERS = ("lsr_utils", "tests", "data", "notebooks", "tools")
SHARE = 0.9  # of the mutants that must be killed
PATIENCE = 1800  # seconds, for one run of pytest

# A plugin of pytest in every copy. The course's conftest drops PYTHONPATH: it is set
# after that, so that kernels and other processes import the copy too.
PROOF = """
import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    os.environ["PYTHONPATH"] = str(HERE)
    import lsr_utils

    if not pathlib.Path(lsr_utils.__file__).resolve().is_relative_to(HERE):
        pytest.exit(f"{lsr_utils.__file__} is not the copy", 97)
"""


class Broken(Exception):
    """A mutant that cannot be made, or tests that cannot judge one."""


def mutants():
    """The list, with texts of several lines joined: a list of dicts."""
    found = json.loads(LIST.read_text(encoding="utf-8"))
    for mutant in found:
        for name, value in mutant.items():
            if isinstance(value, list) and name != "tests":
                mutant[name] = "\n".join(value)
    return found


def mutated(mutant):
    """The text of the mutant's file with the mistake in it."""
    text = (ROOT / mutant["file"]).read_text(encoding="utf-8")
    broken = text.replace(mutant["find"], mutant["replace"])
    if text.count(mutant["find"]) != 1 or broken == text:
        raise Broken(f"{mutant['id']}: find is not once in its file, or not replaced")
    if missing := [test for test in mutant["tests"] if not (ROOT / test).is_file()]:
        raise Broken(f"{mutant['id']}: there is no {missing[0]}")
    if mutant["file"].endswith(".py"):
        compile(broken, mutant["file"], "exec")
    return broken


class Copy:
    """A copy of the checkout, to be broken."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, self.root / name, ignore=ignored)
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy2(path, self.root)
        (self.root / "mutant_proof.py").write_text(PROOF, encoding="utf-8")

    def failing(self, tests, *options):
        """Ids of the tests that fail, or what else went wrong, as a list of texts."""
        command = [
            sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE",
            "-p", "mutant_proof", "-p", "no:cacheprovider", "-p", "no:xdist",
            *options, *tests,
        ]  # fmt: skip
        more = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        options = {"cwd": self.root, "env": {**os.environ, **more}}
        try:
            options |= {"capture_output": True, "text": True, "timeout": PATIENCE}
            done = subprocess.run(command, **options)
        except subprocess.TimeoutExpired:
            return ["time-out"]
        status = done.returncode
        found = re.findall(r"(?m)^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout)
        if status > 1 and not (status == 2 and found):
            raise Broken(f"pytest failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return found or ([f"a crash (exit status {status})"] if status else [])

    def passing(self, *tests):
        """Options that leave out those of these tests that fail without a fault."""
        failing = self.failing(tests)
        for test in failing:
            print(f"left out, as it fails without a fault: {test}", flush=True)
        return [option for test in failing for option in ("--deselect", test)]

    def judged(self, name, text, rounds):
        """The first test that notices this text of a file; rounds: (tests, options)."""
        path = self.root / name
        before = path.read_bytes()
        path.write_text(text, encoding="utf-8")
        runs = (self.failing(tests, "-x", *left) for tests, left in rounds)
        try:
            return next((found[0] for found in runs if found), None)
        finally:
            path.write_bytes(before)


def run(chosen):
    """Judge the mutants: {id: outcome}, printed as they come."""
    outcomes = {}

    def judge(mutant, rounds):
        start = time.monotonic()
        try:
            test = copy.judged(mutant["file"], mutated(mutant), rounds)
            outcome = f"killed by {test}" if test else "SURVIVED"
        except Broken as reason:
            outcome = f"broken: {reason}"
        taken = time.monotonic() - start
        print(f"{mutant['id']}: {outcome} ({taken:.0f} s)", flush=True)
        outcomes[mutant["id"]] = outcome.split()[0].strip(":")

    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(folder)
        left_out = copy.passing(*sorted({t for m in chosen for t in m["tests"]}))
        for mutant in chosen:
            judge(mutant, [([test], left_out) for test in mutant["tests"]])
        if left := [m for m in chosen if outcomes[m["id"]] == "SURVIVED"]:
            print(f"all unit tests are asked about {len(left)}", flush=True)
            tests = [f"tests/{p.name}" for p in (ROOT / "tests").glob("test_*.py")]
            every = sorted(tests), copy.passing(*tests)
            for mutant in left:
                judge(mutant, [every])
    return outcomes


def summary(chosen, outcomes):
    """Print killed of all; return the exit status."""
    killed = [*outcomes.values()].count("killed")
    print(f"{killed} of {len(chosen)} killed")
    return 2 if "broken" in outcomes.values() else int(killed < SHARE * len(chosen))


def possible(mutant):
    """Whether the mutant can be judged here; it says why not."""
    if (needs := mutant.get("needs")) and importlib.util.find_spec(needs) is None:
        return print(f"{mutant['id']}: skipped, it needs {needs}")
    return True


def main():
    known = {mutant["id"]: mutant for mutant in mutants()}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    more = {"choices": known, "metavar": "ID", "default": list(known)}
    parser.add_argument("--only", nargs="+", help="these mutants alone", **more)
    options = parser.parse_args()
    chosen = [known[name] for name in options.only if possible(known[name])]
    try:
        [mutated(mutant) for mutant in chosen]
    except (Broken, OSError, SyntaxError) as reason:
        print(reason)
        return 2
    # A background job may ignore Ctrl-C, and so would the tests that send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return summary(chosen, run(chosen)) if chosen else 0


if __name__ == "__main__":
    sys.exit(main())
