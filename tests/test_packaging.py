"""The files that say what is installed, how it is run and how it is cited."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest
import yaml
from course_copy import ROOT
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.version import Version

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


def test_no_requirement_has_an_upper_bound_and_triton_is_for_linux_alone():
    for need in [*INSTALLED.values(), *OPTIONAL.values()]:
        assert [part.operator for part in need.specifier] == [">="], str(need)
    for need in OPTIONAL.values():
        there = [need.marker.evaluate(place) for place in PLACES]
        assert there == [True, False, False], str(need)


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
    assert {"message", "title", "authors", "license"} <= set(citation)
    assert str(citation["version"]) == PROJECT["version"]
    assert f"version = {{{PROJECT['version']}}}" in text("README.md")


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


def test_the_cell_for_hosted_notebooks_installs_what_is_missing_and_only_that():
    (cell,) = re.findall(r"(?ms)^```python\n(.*?)^```", text("CONTRIBUTING.md"))
    run, asked = TransformerManager().transform_cell(cell), []
    shell = SimpleNamespace(run_line_magic=lambda *magic: asked.append(magic))
    names = {"get_ipython": lambda: shell}
    exec(run, names)
    assert names["lsr_utils"] and not asked
    exec(run.replace("import lsr_utils", "import lsr_utils.missing"), names)
    assert asked == [("pip", "install --quiet --no-deps ADDRESS")]
