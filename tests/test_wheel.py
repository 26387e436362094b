"""A wheel of the package holds all that its functions read, without the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from notebook_files import ROOT

PARTS = ("lsr_utils", "data", "pyproject.toml", "README.md", "LICENSE")
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
print("all there")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    build = "pip wheel --no-deps --no-build-isolation --no-index --quiet".split()
    command = [sys.executable, "-m", *build, "--wheel-dir", folder, source]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_what_the_package_reads_is_inside(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", READS]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.stdout == "all there\n", done.stderr


def test_every_module_is_inside_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    ours = {p.relative_to(ROOT).as_posix() for p in (ROOT / "lsr_utils").rglob("*.py")}
    assert ours == {name for name in names if name.endswith(".py")}
    folders = {name.split("/")[0] for name in names}
    assert folders == {"lsr_utils", next(f for f in folders if "dist-info" in f)}
    kinds = {name.rpartition(".")[2] for name in names if name.startswith("lsr_utils/")}
    assert kinds == {"py", "js", "cpp", "mplstyle", "md", "csv", "json", "npz"}
