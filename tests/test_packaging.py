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

CONDA_NAMES = {"torch": "pytorch"}
PLACES = [
    {"sys_platform": system, "os_name": name, "platform_system": platform}
    for system, name, platform in (
        ("linux", "posix", "Linux"),
        ("darwin", "posix", "Darwin"),
        ("win32", "nt", "Windows"),
    )
]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads(text("pyproject.toml"))


@pytest.fixture(scope="module")
def added(project):
    """What `site` needs, and the tests in a browser."""
    extras = project["project"]["optional-dependencies"]
    return {
        need.name: need for need in map(Requirement, extras["site"] + extras["browser"])
    }


@pytest.fixture(scope="module")
def requirements(project):
    extras = project["project"]["optional-dependencies"]
    assert list(extras) == ["test", "site", "browser", "kernel", "bench"]
    builds = project["build-system"]["requires"]
    listed = builds + project["project"]["dependencies"] + extras["test"]
    return {need.name: need for need in map(Requirement, listed)}


def pins(python, place):
    """The versions that constraints.txt gives in this place, by name."""
    environment = {
        **place,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_machine": "x86_64",
    }
    found = {}
    for line in text("constraints.txt").splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(environment):
            assert pin.name not in found, f"{pin.name} is pinned twice"
            (exact,) = pin.specifier
            assert exact.operator == "==", line
            found[pin.name] = Version(exact.version)
    return found


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place["sys_platform"])
@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_pin_every_requirement_within_its_range(
    python, place, requirements, added
):
    pinned = pins(python, place)
    for name, need in {**requirements, **added}.items():
        assert pinned[name] in need.specifier, f"{need} against {pinned[name]}"
    assert pinned["torch"] == Version("2.13.0")


def test_every_requirement_has_a_lower_bound_and_no_upper_one(requirements, added):
    for need in [*requirements.values(), *added.values()]:
        assert [part.operator for part in need.specifier] == [">="], str(need)


def test_what_is_optional_has_a_lower_bound_and_is_asked_for_on_linux_only(project):
    extras = project["project"]["optional-dependencies"]
    for need in map(Requirement, extras["kernel"] + extras["bench"]):
        assert [part.operator for part in need.specifier] == [">="], str(need)
        for place in PLACES:
            wanted = place["sys_platform"] == "linux"
            assert need.marker.evaluate(place) == wanted, str(need)
    assert set(extras["kernel"]) <= set(extras["bench"])


def test_every_file_of_the_package_is_installed(project):
    setuptools = project["tool"]["setuptools"]
    kinds = {p.suffix for p in (ROOT / "lsr_utils").rglob("*") if p.is_file()}
    assert kinds - {".pyc"} == {".py", ".cpp", ".js", ".mplstyle"}
    data = {"lsr_utils": ["*.js", "*.mplstyle"], "lsr_utils.fused": ["*.cpp"]}
    assert setuptools["package-data"] == data


def test_conda_lists_the_same_ranges(project, requirements):
    environment = yaml.safe_load(text("environment.yml"))
    assert environment["channels"] == ["conda-forge"]
    *specs, pip = environment["dependencies"]
    assert pip == {"pip": ["-e ."]}
    conda = {need.name: need.specifier for need in map(Requirement, specs)}
    assert str(conda.pop("python")) == project["project"]["requires-python"]
    assert str(conda.pop("pip")) == ""
    wanted = {
        CONDA_NAMES.get(name, name): need.specifier
        for name, need in requirements.items()
    }
    assert conda == wanted


def test_oldest_python_is_the_same_everywhere(project):
    assert project["project"]["requires-python"] == ">=3.10"
    assert "OLDEST = (3, 10)\n" in text("course.py")
    assert project["tool"]["ruff"]["target-version"] == "py310"


def test_citation():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "The label smoothing course authors"}]
    assert {"message", "title", "version", "license"} <= set(citation)


def test_the_version_is_the_same_everywhere(project):
    version = project["project"]["version"]
    assert str(yaml.safe_load(text("CITATION.cff"))["version"]) == version


def test_both_licences_are_named(project):
    licence = text("LICENSE")
    for words in ("MIT License", "CC BY 4.0", "creativecommons.org/licenses/by/4.0"):
        assert words in licence
    assert project["project"]["license"] == "MIT AND CC-BY-4.0"


# -- README and CONTRIBUTING ---------------------------------------------------------


def commands():
    """Every line of their bash blocks, without its comment."""
    both = text("README.md") + text("CONTRIBUTING.md")
    blocks = re.findall(r"^```bash\n(.*?)^```", both, re.DOTALL | re.M)
    lines = [line for block in blocks for line in block.splitlines() if line]
    return [line.partition(" #")[0].rstrip() for line in lines]


# How to run what would not end by itself, or takes long: test_course.py asks a real
# server for its page, tests/browser and test_slides.py make slides and site.
SHORT = {
    "lab": ["--version"],
    "slides": ["--help"],
    "site": ["--help"],
    "test --only": ["units", "--version"],
}
NOT_HERE = {
    "conda": "takes conda, and a download",
    "export": "a variable of the reader's",
    "git": "takes the network",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = whole_course(tmp_path_factory.mktemp("as the README says"))
    assert course(folder, "refresh").returncode == 0
    return folder


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_readme_command_runs(command, copy):
    words = shlex.split(command, comments=True)
    if words[:2] != ["python3", "course.py"]:
        if words[0] in NOT_HERE:
            pytest.skip(NOT_HERE[words[0]])
        pytest.fail(f"say here how to run {words[0]} without a screen")
    if words[2:] == ["refresh"]:
        return  # was run to make the copy
    for name, arguments in SHORT.items():
        if words[2:][: len(name.split())] == name.split():
            words[2:] = [*name.split(), *arguments]
    result = course(copy, *words[2:])
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_test_command_compares_notebooks_with_what_is_stored(copy):
    path = copy / "notebooks" / "00_start_here.ipynb"
    stored = path.read_text(encoding="utf-8")
    try:
        path.write_text(stored.replace('"2"', '"3"'), encoding="utf-8")
        said = course(copy, "test", "-n", "0", "--only", "notebooks").stdout
        assert "Cell 0: Cell outputs differ" in said and "1 passed" in said
    finally:
        path.write_text(stored, encoding="utf-8")


def test_readme_gives_every_command_of_course_py():
    given = {shlex.split(line)[2] for line in commands() if "course.py" in line}
    assert given == set(COMMANDS)


def test_ci_runs_the_test_command_of_the_readme():
    lines = [
        line
        for line in text(".ci/run").splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]
    assert lines[-1] == "python3 course.py test"
    assert lines[-1] in commands()
    assert [line for line in lines if "course.py" in line] == lines[-1:]


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize("found", [True, False], ids=["chromium", "no chromium"])
def test_ci_goes_on_where_no_browser_can_be_installed(found, tmp_path):
    """With a PATH on which there is an apt that fails, and with one without."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name in ("bash", "dirname"):
        (stubs / name).symlink_to(shutil.which(name))
    said = {"python3": 'echo "python3 $*"', "apt-get": "echo fetching; exit 100"}
    if found:
        said["chromium"] = "exit 0"
    for name, body in said.items():
        (stubs / name).write_text(f"#!{shutil.which('bash')}\n{body}\n")
        (stubs / name).chmod(0o755)
    command = [stubs / "bash", tmp_path / ".ci" / "run"]
    env = {"PATH": str(stubs)}
    for _ in range(2):
        result = subprocess.run(command, env=env, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        *before, last = result.stdout.splitlines()
        assert last == "python3 course.py test"
        assert bool(before) != found  # it says that it goes without
        (stubs / "apt-get").unlink(missing_ok=True)
