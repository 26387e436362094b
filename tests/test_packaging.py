"""The files that say what is installed, how it is run and how it is cited."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy
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
    {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
    {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
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
    assert data.pop("lsr_utils.data")  # the wheel says the rest
    assert data == {"lsr_utils": ["*.js", "*.mplstyle"], "lsr_utils.fused": ["*.cpp"]}


# -- The wheel: all that its functions read, without the checkout --------------------

READS = """
import pathlib
import lsr_utils as lsr
from lsr_utils import datasets, fused, plots, recorded, sliders, style

here = pathlib.Path(lsr.__file__).parent
assert here.parent.name == "installed", here
assert len(datasets.load("questions").y) > 100
for table in here.glob("data/recorded/*.json"):
    assert recorded.run(table.stem)
assert len(recorded.networks("animals").grid) > 1
style.use()
shown = sliders.BarSliders({"a": [1]}, lambda a: ([1.0], {}), {"a": 1}, "key")
assert "<script" in shown._repr_mimebundle_()["text/html"]
assert (here / "fused" / "cpu.cpp").stat().st_size
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source, ignored = folder / "source", shutil.ignore_patterns("__pycache__")
    for name in ("lsr_utils", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "pip wheel --no-deps --no-build-isolation --no-index --quiet".split()
    command = [sys.executable, "-m", *build, "--wheel-dir", folder, source]
    subprocess.run(command, capture_output=True, cwd=folder, check=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_what_the_package_reads_is_inside(wheel, tmp_path):
    wheel.extractall(tmp_path / "installed")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", READS]
    subprocess.run(command, cwd=tmp_path, env=env, check=True)


def test_every_module_is_inside_and_nothing_else(wheel):
    names = wheel.namelist()
    ours = {p.relative_to(ROOT).as_posix() for p in (ROOT / "lsr_utils").rglob("*.py")}
    assert ours == {name for name in names if name.endswith(".py")}
    folders = {name.split("/")[0] for name in names}
    assert folders == {"lsr_utils", next(f for f in folders if "dist-info" in f)}
    kinds = {name.rpartition(".")[2] for name in names if name.startswith("lsr_utils/")}
    assert kinds == {"py", "js", "cpp", "mplstyle", "md", "csv", "json", "npz"}


def test_the_cell_for_hosted_notebooks_installs_what_is_missing_and_only_that(
    wheel, tmp_path
):
    (cell,) = re.findall(r"(?ms)^```python\n(.*?)^```", text("CONTRIBUTING.md"))
    script, hosted = tmp_path / "cell.ipy", tmp_path / "hosted"
    cell = cell.replace("ADDRESS", wheel.filename)
    script.write_text(f"{cell}{cell}print(lsr_utils.__file__)\n")
    venv.create(hosted)  # all that the course needs is there, but not the course
    python = venv.EnvBuilder().ensure_directories(hosted).env_exe
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    place = subprocess.check_output(where, text=True).strip()
    rest = Path(numpy.__file__).parents[1]  # whose .pth files are not read here
    Path(place, "rest.pth").write_text(str(rest))
    command = [python, "-m", "IPython", "--no-banner", script]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env |= {"PIP_NO_INDEX": "1", "IPYTHONDIR": str(tmp_path), "PIP_NO_CACHE_DIR": "1"}
    *notes, place = subprocess.check_output(
        command, cwd=tmp_path, env=env, text=True
    ).splitlines()
    assert Path(place).is_relative_to(hosted)
    assert "".join(notes).count("restart the kernel") == 1  # %pip's, the first time


# -- README and CONTRIBUTING ---------------------------------------------------------

BOTH = text("README.md") + text("CONTRIBUTING.md")
BLOCKS = "".join(re.findall(r"(?ms)^```bash\n(.*?)^```", BOTH))
LINES = sorted({line.partition(" #")[0].rstrip() for line in BLOCKS.split("\n")})
OURS = [line for line in LINES if line.startswith("python3 course.py ")]
# How to run what would not end by itself, or takes long: test_course.py asks a real
# server for its page, tests/browser and test_slides.py make slides and site.
SHORT = {"lab": ["--version"], "slides": ["--help"], "site": ["--help"]}
SHORT["test --only"] = ["units", "--version"]


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
    stored = path.read_bytes()
    path.write_bytes(stored.replace(b'"2"', b'"3"'))
    said = course(copy, "test", "-n", "0", "--only", "notebooks").stdout
    path.write_bytes(stored)
    assert "Cell 0: Cell outputs differ" in said and "1 passed" in said


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
