"""The fused loss on the CPU alone: compilers, threads, memory."""

import os
import platform
import subprocess
import sys
import threading
from unittest.mock import MagicMock, Mock

import pytest
import torch
from test_fused_edges import draw, gradient, needs_compiled

from lsr_utils import fused, measure
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused
from lsr_utils.fused import build, cpu, cuda
from lsr_utils.losses import LabelSmoothingCrossEntropy as Readable


def test_another_default_device_does_not_put_an_end_to_the_compiled_loss():
    needs_compiled()
    library = cpu._library()
    with torch.device("meta"):
        assert cpu._agrees(library)
        assert cuda._in_two(0.1) == pytest.approx((0.1, -1.49e-9), rel=1e-2)


def test_a_second_compilers_vectors_give_the_same(monkeypatch, tmp_path, capfd):
    needs_compiled()
    garbage = tmp_path / "garbage"  # writes what is no library
    garbage.write_text(
        "#!/bin/sh\necho Bad >&2\n"
        'for a; do [ "$last" = -o ] && echo no > "$a"; last="$a"; done\n'
    )
    garbage.chmod(0o755)
    monkeypatch.setenv("CXX", str(garbage))
    narrow = ["-march=x86-64"] if platform.machine() == "x86_64" else []
    monkeypatch.setattr(build, "FLAGS", (narrow,))
    library = build.library(lambda library: True)
    assert library is not None and capfd.readouterr() == ("", "")
    monkeypatch.setattr(cpu, "_library", lambda: library)
    for num_classes in (3, 17, 30, 257):
        for dtype in (torch.float32, torch.float64):
            z, y = draw(9, num_classes, dtype=dtype)
            _, right = gradient(Readable(0.2), z, y)
            for inplace in (False, True):
                _, ours = gradient(Fused(0.2, inplace=inplace), z, y)
                assert torch.allclose(ours, right, rtol=1e-5, atol=1e-8)


def test_a_thread_that_fails_is_no_loss_without_its_rows(monkeypatch):
    needs_compiled()
    monkeypatch.setattr(cpu, "SHARE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    rows = cpu._library().rows_float64

    def failing(*given):
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError("none left")
        return rows(*given)

    class Library:
        rows_float64 = failing
        shares = cpu._library().shares

    z, y = draw(30, 40)
    right, slope = gradient(Readable(), z, y)
    loss, ours = gradient(Fused(), z, y)  # in three threads
    assert torch.allclose(loss, right) and torch.allclose(ours, slope)
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "_library", lambda: Library)
        with pytest.raises(MemoryError, match="none left"):
            Fused()(z, y)
    with monkeypatch.context() as patch:
        no_thread = Mock(side_effect=RuntimeError("can't start new thread"))
        patch.setattr(threading.Thread, "start", no_thread)
        assert Fused()(z, y) == pytest.approx(right.item())


@pytest.mark.parametrize("recompute", [False, True])
def test_several_upstream_gradients_at_once_are_refused_in_a_sentence(recompute):
    z, y = draw(3, 6)
    loss_fn, each = Fused(reduction="none", recompute=recompute), torch.eye(3).double()
    leaf = z.clone().requires_grad_()
    rows = loss_fn(leaf * 1, y)
    refused = pytest.raises(RuntimeError, match="^the fused loss takes one upstream gr")
    with refused:
        torch.autograd.grad(rows, leaf, each, True, is_grads_batched=True)
    with refused:
        torch.func.vmap(lambda u: torch.autograd.grad(rows, leaf, u))(each)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_copy_made_for_its_layout_is_written_on(recompute):
    z, y = draw(64, 2000, dtype=torch.float32)
    z = z.t().contiguous().t().requires_grad_()
    before, loss_fn, found = z.detach().clone(), Fused(recompute=recompute), []

    def call():
        found[:] = torch.autograd.grad(loss_fn(z, y), z)

    assert measure.peak_bytes(call) < 1.3 * z.nbytes
    _, wanted = gradient(Readable(), before.double(), y)
    assert torch.allclose(found[0].double(), wanted, rtol=1e-4, atol=1e-8)
    assert torch.equal(z.detach(), before)


# In a process of its own
ALONE = """
import torch
from lsr_utils import fused
z = torch.zeros(3, 6, requires_grad=True)
fused.FusedLabelSmoothingCrossEntropy()(z, torch.tensor([0, 1, -100])).backward()
tiny = (torch.tensor(2e-38) / 4).item() > 0
print(fused.cpu.compiled(), tiny, f"{z.grad.abs().sum():.4f}")
"""


def test_a_compiler_told_to_be_fast_does_not_change_the_arithmetic(tmp_path):
    needs_compiled()
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "CXX": "c++ -ffast-math", "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.split() == ["True", "True", "1.5000"]
    assert not list(tmp_path.iterdir())


def test_without_a_compiler_there_is_no_library(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "'")
    assert build.library(lambda library: True) is None


def test_a_compiled_library_that_computes_nonsense_is_not_used(monkeypatch):
    needs_compiled()
    library = cpu._library()
    assert cpu._agrees(library)
    right = cpu._in_threads
    for few in (True, False):  # rows of few classes have code of their own

        def wrong(rows, logits, *job, few=few):
            nonsense = (logits.shape[1] <= cpu.FEW) == few
            return right(rows, logits.flip(1) if nonsense else logits, *job)

        monkeypatch.setattr(cpu, "_in_threads", wrong)
        assert not cpu._agrees(library)


def test_the_backend_is_chosen_by_what_is_asked_for():
    z, y = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)
    assert fused._backend(z, y, None) is cpu
    for logits, targets in ((z, z), (z.to("meta"), y.to("meta")), (z[:0], y[:0])):
        assert fused._backend(logits, targets, None) is None


KERNELS = ("short_rows", "long_row", "gradient_again", "rescale_rows")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("broken", KERNELS)
def test_a_kernel_that_does_not_compile_leaves_its_rows(monkeypatch, broken):
    """To the readable loss, there alone; as on a GPU that has few registers."""

    def launch(logits, *given, **options):
        if logits.dtype == torch.bfloat16:
            raise RuntimeError("not on this GPU")

    made = dict.fromkeys(KERNELS, MagicMock())
    made[broken] = Mock(__getitem__=lambda self, grid: launch)
    tl = Mock(float32=torch.float32, float64=torch.float64)
    monkeypatch.setattr(cuda, "kernel", Mock(**made, tl=tl, triton=True))
    cuda._works.cache_clear()
    wide = {"short_rows": 8, "long_row": 65_536}.get(broken, 64)
    for kind in ((torch.float32, 8), (torch.float32, 65_536), (torch.float64, 64)):
        assert cuda._works("cpu", *kind)
    if broken in ("short_rows", "long_row"):  # the other one still works
        assert cuda._works("cpu", torch.bfloat16, 65_544 - wide)
    says = f"not work for torch.bfloat16 and {wide} classes .RuntimeError.: the readabl"
    there = Mock(supports=lambda z: cuda._works("cpu", z.dtype, wide))
    monkeypatch.setattr(fused, "cpu", there)
    z, y = draw(3, 6, dtype=torch.bfloat16)
    with pytest.warns(UserWarning, match=says) as told:
        losses = [Fused()(z, y) for _ in range(3)]
    assert len(told) == 1 and losses == 3 * [Readable()(z, y)]
    cuda._works.cache_clear()
