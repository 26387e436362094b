"""The files that say what is installed, how it is run and how it is cited."""

import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from course_copy import ROOT, course, whole_course
from packaging.requirements import Requirement
from packaging.version import Version

from course import COMMANDS

# Python 3.10 is the oldest that the course runs on, so tomllib may be missing.
try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

PLACES = [
    {"sys_platform": system, "os_name": name, "platform_system": platform}
    for system, name, platform in (
        ("linux", "posix", "Linux"),
        ("darwin", "posix", "Darwin"),
        ("win32", "nt", "Windows"),
    )
]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


TOML = tomllib.loads(text("pyproject.toml"))
PROJECT = TOML["project"]
EXTRAS = PROJECT["optional-dependencies"]


def needs(*lists):
    return {need.name: need for need in map(Requirement, sum(lists, []))}


BASE = needs(TOML["build-system"]["requires"], PROJECT["dependencies"], EXTRAS["test"])
INSTALLED = {**BASE, **needs(EXTRAS["site"], EXTRAS["browser"])}
OPTIONAL = needs(EXTRAS["kernel"], EXTRAS["bench"])


def pins(python, place):
    """The versions that constraints.txt gives in this place, by name."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"implementation_name": "cpython", "platform_machine": "x86_64"}
    found = {}
    for line in text("constraints.txt").splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate({**environment, **place}):
            assert pin.name not in found, f"{pin.name} is pinned twice"
            (exact,) = pin.specifier
            assert exact.operator == "==", line
            found[pin.name] = Version(exact.version)
    return found


@pytest.mark.parametrize("python", ("3.10", "3.11", "3.12", "3.13"))
def test_constraints_pin_every_requirement_within_its_range(python):
    for place in PLACES:
        pinned = pins(python, place)
        for name, need in INSTALLED.items():
            assert pinned[name] in need.specifier, f"{need} against {pinned[name]}"
        assert pinned["torch"] == Version("2.13.0")


def test_every_requirement_has_a_lower_bound_and_no_upper_one():
    for need in [*INSTALLED.values(), *OPTIONAL.values()]:
        assert [part.operator for part in need.specifier] == [">="], str(need)
    for need in OPTIONAL.values():
        there = [need.marker.evaluate(place) for place in PLACES]
        assert there == [True, False, False], str(need)  # on Linux alone
    assert set(EXTRAS) == {"test", "site", "browser", "kernel", "bench"}
    assert set(EXTRAS["kernel"]) <= set(EXTRAS["bench"])


def test_conda_lists_the_same_ranges():
    environment = yaml.safe_load(text("environment.yml"))
    assert environment["channels"] == ["conda-forge"]
    *specs, pip = environment["dependencies"]
    assert pip == {"pip": ["-e ."]}
    conda = {need.name: need.specifier for need in map(Requirement, specs)}
    assert str(conda.pop("python")) == PROJECT["requires-python"]
    assert str(conda.pop("pip")) == ""
    conda["torch"] = conda.pop("pytorch")
    assert conda == {name: need.specifier for name, need in BASE.items()}


def test_python_version_licence_and_citation_are_the_same_everywhere():
    assert PROJECT["requires-python"] == ">=3.10"
    assert "OLDEST = (3, 10)\n" in text("course.py")
    assert TOML["tool"]["ruff"]["target-version"] == "py310"
    citation = yaml.safe_load(text("CITATION.cff"))
    assert str(citation["version"]) == PROJECT["version"]
    assert {"message", "title", "authors", "license"} <= set(citation)
    assert PROJECT["license"] == "MIT AND CC-BY-4.0"
    for words in ("MIT License", "CC BY 4.0", "creativecommons.org/licenses/by/4.0"):
        assert words in text("LICENSE")
    data = TOML["tool"]["setuptools"]["package-data"]
    assert data.pop("lsr_utils.data")  # tests/test_wheel.py looks inside
    assert data == {"lsr_utils": ["*.js", "*.mplstyle"], "lsr_utils.fused": ["*.cpp"]}


# -- README and CONTRIBUTING ---------------------------------------------------------

BLOCKS = re.findall(
    r"(?ms)^```bash\n(.*?)^```", text("README.md") + text("CONTRIBUTING.md")
)
LINES = sorted(
    {line.partition(" #")[0].rstrip() for line in "".join(BLOCKS).split("\n")}
)
OURS = [line for line in LINES if line.startswith("python3 course.py ")]
# How to run what would not end by itself, or takes long: test_course.py asks a real
# server for its page, tests/browser and test_slides.py make slides and site.
SHORT = {
    "lab": ["--version"],
    "slides": ["--help"],
    "site": ["--help"],
    "test --only": ["units", "--version"],
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = whole_course(tmp_path_factory.mktemp("as the README says"))
    assert course(folder, "refresh").returncode == 0
    return folder


@pytest.mark.parametrize("command", OURS)
def test_readme_command_runs(command, copy):
    words = shlex.split(command, comments=True)[2:]
    for name, arguments in SHORT.items():
        if words[: len(name.split())] == name.split():
            words = [*name.split(), *arguments]
    result = course(copy, *words)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_test_command_compares_notebooks_with_what_is_stored(copy):
    path = copy / "notebooks" / "00_one_picture.ipynb"
    stored = path.read_text(encoding="utf-8")
    try:
        path.write_text(stored.replace('"2"', '"3"'), encoding="utf-8")
        said = course(copy, "test", "-n", "0", "--only", "notebooks").stdout
        assert "Cell 0: Cell outputs differ" in said and "1 passed" in said
    finally:
        path.write_text(stored, encoding="utf-8")


def test_readme_gives_every_command_of_course_py_and_ci_runs_its_test():
    assert {shlex.split(line)[2] for line in OURS} == set(COMMANDS)
    others = {line.split()[0] for line in LINES if line and line not in OURS}
    assert others <= {"conda", "export", "git", "cd"}
    last = text(".ci/run").splitlines()[-1]
    assert last == "python3 course.py test" and last in OURS
    assert text(".ci/run").count("course.py") == 1


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_ci_goes_on_where_no_browser_can_be_installed(tmp_path):
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name))
    said = {"python3": 'echo "python3 $*"', "apt-get": "echo fetching; exit 100"}
    for name, body in said.items():
        (tmp_path / name).write_text(f"#!{shutil.which('bash')}\n{body}\n")
        (tmp_path / name).chmod(0o755)
    command = [tmp_path / "bash", ROOT / ".ci" / "run"]
    said = subprocess.check_output(command, env={"PATH": str(tmp_path)}, text=True)
    assert said.splitlines()[1:] == ["python3 course.py test"] and "No Chrom" in said
