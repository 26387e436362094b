"""The Triton kernels, by Triton's interpreter in a process of its own, or on a GPU.

``TRITON_INTERPRET`` must be set before Triton is imported, and would shadow a real GPU.
"""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import torch

TESTS = pathlib.Path(__file__).parent
BENCHMARKS = str(TESTS / "benchmarks")
sys.path.insert(0, BENCHMARKS)
import fused_interpreter  # noqa: E402

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="needs Triton, which has wheels for Linux only: pip install -e .[kernel]",
)


def in_a_process(*command, **variables):
    env = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    env.update(variables, PYTHONPATH=os.pathsep.join([str(TESTS.parent), *sys.path]))
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=TESTS.parent, env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def interpreted(*command):
    more = {"LSR_TEST_KERNEL": "1", "CUDA_VISIBLE_DEVICES": ""}
    return in_a_process(*command, TRITON_INTERPRET="1", **more)


def lines(output):
    return [json.loads(line) for line in output.splitlines()]


@needs_triton
def test_the_kernels_pass_the_tests_of_the_readable_and_of_the_fused_loss():
    files = [TESTS / f"test_fused_{name}.py" for name in ("contract", "edges")]
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore", "--no-header"]
    output = interpreted("-m", "pytest", *files, *options)
    assert int(re.search(r"(\d+) passed", output)[1]) >= 55, output


@needs_triton
def test_the_kernels_are_right_on_chosen_cases():
    results = lines(interpreted(TESTS / "kernel_edges.py"))
    assert all(line["right"] for line in results) and len(results) == 23


@needs_triton
def test_broken_kernels_are_caught():
    few = ["--break", "--cases", 10]  # each slip is found by one of ten
    results = lines(interpreted(TESTS / "kernel_checks.py", *few))
    assert all(line["failed"] for line in results) and len(results) == 14


def test_stored_results_of_the_interpreter_are_all_right():
    record = json.loads(fused_interpreter.OUT.read_text(encoding="utf-8"))
    assert record.keys() >= {"device", "triton", "date", "commit", "command"}
    assert record["programs"] == fused_interpreter.digests(), (
        "a program or a kernel is newer than its stored results: "
        f"{fused_interpreter.__doc__.splitlines()[2].strip()}"
    )
    assert all(line["right"] for line in record["cases"]) and len(record["cases"]) == 31


def test_without_triton_a_changed_program_is_refused_and_the_others_are_read():
    names, source = fused_interpreter.shown(), fused_interpreter.programs()
    names["found"] = False
    run = names["by_interpreter"]
    stored = json.loads(fused_interpreter.OUT.read_text(encoding="utf-8"))
    for name, program in source.items():
        assert run(name, program) == run(name, None) == stored[name]
        with pytest.raises(RuntimeError, match=f"'{name}' was changed; it needs Trit"):
            run(name, program + " ")


@needs_triton
def test_stored_results_of_the_interpreter_are_those_of_this_code():
    record = json.loads(fused_interpreter.OUT.read_text(encoding="utf-8"))
    for name, rows in fused_interpreter.results().items():  # 31 random cases
        same = ("shape", "content", "mode", "right", "case")
        for one, other in zip(rows, record[name], strict=True):
            assert [one.get(k) for k in same] == [other.get(k) for k in same]
    wanted = [0.7361397743, 4.9774823189]  # by PyTorch, in double precision
    assert record["simple"][0]["losses"] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@needs_triton
def test_on_a_real_gpu_the_kernels_are_right_and_nothing_waits_for_them():
    for program in ("kernel_edges.py", "kernel_checks.py"):
        in_a_process(TESTS / program, "--device", "cuda", "--cases", 24)
    code = f"import sys; sys.path.insert(0, {BENCHMARKS!r}); import fused_loss"
    in_a_process("-c", f"{code}; fused_loss.never_waits()")
