"""The package under CUDA's rules about devices, on a CPU: no real device is needed."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import torch

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
pytestmark = pytest.mark.skipif(not COMPILER, reason="no C++ compiler (g++, or CXX)")


@pytest.fixture(scope="session")
def backend(tmp_path_factory):
    """The compiled library that tells PyTorch of a device."""
    made = tmp_path_factory.mktemp("pretended") / "backend.so"
    torch_at = pathlib.Path(torch.__file__).parent
    include, lib = torch_at / "include", torch_at / "lib"
    call = [
        *(COMPILER, "-shared", "-fPIC", "-O0", "-std=c++20", HERE / "backend.cpp"),
        *("-o", made, f"-I{include}", f"-I{include / 'torch/csrc/api/include'}"),
        *(f"-L{lib}", f"-Wl,-rpath,{lib}", "-lc10", "-ltorch_cpu"),
    ]
    built = subprocess.run(call, capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"the compiler refuses: {built.stderr.splitlines()[0][:200]}")
    return made


@pytest.fixture
def run(backend):
    """Run tried.py on the device; returns what it printed last."""

    def called(*arguments, kind="cuda"):
        env = {**os.environ, "PRETENDED_BACKEND": str(backend), "MPLBACKEND": "agg"}
        env |= {"PRETENDED_KIND": kind, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
        env |= {"OMP_NUM_THREADS": "1", "LSR_DEVICE": "", "TRITON_INTERPRET": "1"}
        call = [sys.executable, HERE / "tried.py", *arguments]
        done = subprocess.run(call, env=env, capture_output=True, text=True, cwd=HERE)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.splitlines()[-1]

    return called


MODES = {"cuda": ("device", "cpu", "mixed", "default"), "mps": ("device", "mixed")}


@pytest.mark.parametrize(("kind", "modes"), MODES.items())
def test_every_call_gives_the_cpus_values_or_one_sentence(kind, modes, run):
    """And no host waits for a loss; "mps" is a device without float64."""
    assert json.loads(run(*modes, kind=kind)) == {m: {} for m in modes}


def test_the_kernels_of_the_fused_loss_give_them_too(run):
    pytest.importorskip("triton")
    assert json.loads(run("kernels")) == {"kernels": {}}


def test_the_code_of_lectures_runs(run):
    names = "02_the_loss", "05_three_clouds"
    paths = [str(ROOT / "notebooks" / f"{name}.ipynb") for name in names]
    assert json.loads(run(*paths)) == dict.fromkeys(paths, "cuda")
