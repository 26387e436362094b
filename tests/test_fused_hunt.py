"""The fused loss on the CPU alone: compilers, threads, memory, who answers."""

import os
import pathlib
import platform
import subprocess
import sys
import threading

import pytest
import torch
from test_fused_edges import draw, gradient, needs_compiled
from torch.autograd import forward_ad

from lsr_utils import fused, measure
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused
from lsr_utils.fused import build, cpu, cuda
from lsr_utils.losses import LabelSmoothingCrossEntropy as Readable

sys.path.insert(0, str(pathlib.Path(__file__).parent / "benchmarks"))
import fused_ways  # noqa: E402


@pytest.mark.parametrize("keep", [False, True])
def test_an_upstream_gradient_a_row_needs_no_copies_of_its_own(keep):
    z, y = draw(64, 20_000, dtype=torch.bfloat16)
    slope = z.clone()
    upstream = torch.linspace(-1, 1, 64)
    how = Fused(0.1, "none")

    def call():
        cpu.rescale(slope, y, how, upstream, keep)

    assert measure.peak_bytes(call) < (keep + 0.5) * z.nbytes


def test_another_default_device_does_not_put_an_end_to_the_compiled_loss():
    needs_compiled()
    library = cpu._library()
    with torch.device("meta"):
        assert cpu._agrees(library)
        assert cuda._in_two(0.1) == pytest.approx((0.1, -1.49e-9), rel=1e-2)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="-march=x86-64")
def test_narrow_vectors_give_the_same_as_wide_ones(monkeypatch):
    needs_compiled()
    monkeypatch.setattr(build, "FLAGS", (["-march=x86-64"],))
    narrow = build.library(lambda library: True)
    monkeypatch.setattr(cpu, "_library", lambda: narrow)
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
    right = Readable()(z, y)
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "_library", lambda: Library)
        with pytest.raises(MemoryError, match="none left"):
            Fused()(z, y)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        assert Fused()(z, y) == pytest.approx(right.item())


def _no_thread(thread):
    raise RuntimeError("can't start new thread")


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(cpu, "SHARE", 1)
    z, y = draw(37, 50)
    alone = gradient(Fused(), z, y)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    together = gradient(Fused(), z, y)
    assert torch.allclose(alone[0], together[0], rtol=1e-15)
    assert torch.equal(alone[1], together[1])


def test_a_tracer_sees_a_graph_and_fake_tensors_are_not_read():
    from torch.fx.experimental.proxy_tensor import make_fx

    z, y = draw(4, 6)
    graph = make_fx(lambda x: Fused()(x, y))(z)
    assert graph(2 * z) == pytest.approx(Readable()(2 * z, y).item())
    zero = torch._efficientzerotensor((4, 6))
    assert Fused()(zero, y) == pytest.approx(Readable()(zero * 1, y).item())


def test_forward_derivatives_come_from_the_readable_loss():
    z, y = draw(4, 6)
    tangents = []
    for loss_fn in (Fused(), Readable()):
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(z, torch.ones_like(z).cumsum(1))
            tangents.append(forward_ad.unpack_dual(loss_fn(dual, y)).tangent)
    assert torch.allclose(*tangents)


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
    one_by_one = torch.autograd.functional.jacobian(lambda x: loss_fn(x * 1, y), z)
    wanted = torch.autograd.functional.jacobian(
        lambda x: Readable(reduction="none")(x, y), z
    )
    assert torch.allclose(one_by_one, wanted, rtol=1e-6)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_copy_made_for_its_layout_is_written_on(recompute):
    z, y = draw(64, 2000, dtype=torch.float32)
    z = z.t().contiguous().t().requires_grad_()
    loss_fn = Fused(recompute=recompute)
    copies = (
        measure.peak_bytes(lambda: loss_fn(fused_ways.Given.apply(z), y).backward())
        / z.nbytes
    )
    assert copies < 1.3
    leaf = z.detach().clone().requires_grad_()
    before = leaf.detach().clone()
    loss_fn(leaf, y).backward()
    _, wanted = gradient(Readable(), z.detach().double(), y)
    assert torch.allclose(leaf.grad.double(), wanted, rtol=1e-4, atol=1e-8)
    assert torch.equal(leaf.detach(), before)


# In a process of its own, by other compilers or by none -------------------------------

ALONE = """
import torch
from lsr_utils import fused
z = torch.zeros(3, 6, requires_grad=True)
fused.FusedLabelSmoothingCrossEntropy()(z, torch.tensor([0, 1, -100])).backward()
tiny = (torch.tensor(2e-38) / 4).item() > 0
print(fused.cpu.compiled(), tiny, f"{z.grad.abs().sum():.4f}")
"""


def alone(folder, **variables):
    env = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ALONE]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("kind", ["garbage", "c++ -ffast-math"])
def test_where_one_compiler_does_not_do_the_next_is_tried(kind, tmp_path):
    needs_compiled()
    script = tmp_path / "garbage"
    script.write_text(
        '#!/bin/sh\nfor a; do [ "$last" = -o ] && echo no > "$a"; last="$a"; done\n'
    )
    script.chmod(0o755)
    compiler = str(script) if kind == "garbage" else kind
    assert alone(tmp_path, CXX=compiler) == ["True", "True", "1.5000"]


@pytest.mark.parametrize("more", [{"CXX": "'"}, {"TMPDIR": "there-is-none"}], ids=str)
def test_without_a_compiler_it_works_all_the_same(more, tmp_path):
    assert alone(tmp_path, PATH="", **more) == ["False", "True", "1.5000"]
    assert not list(tmp_path.iterdir())


def test_a_compiled_library_that_computes_nonsense_is_not_used(monkeypatch):
    needs_compiled()
    library = cpu._library()
    assert cpu._agrees(library)
    monkeypatch.setattr(cpu, "_in_threads", lambda rows, *job: 0.0)
    assert not cpu._agrees(library)


def test_the_backend_is_chosen_by_what_is_asked_for():
    z, y = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)
    assert fused._backend(z, y, None) is cpu
    for logits, targets in ((z, z), (z.to("meta"), y.to("meta")), (z[:0], y[:0])):
        assert fused._backend(logits, targets, None) is None


def test_one_kernel_that_works_does_not_speak_for_the_others(monkeypatch):
    """As on a GPU without bfloat16: only there the readable loss takes over."""

    def forward(logits, targets, weight, how, slope):
        if logits.dtype == torch.bfloat16 or logits.shape[1] > cuda.LONGEST:
            raise RuntimeError("not on this GPU")

    monkeypatch.setattr(cuda, "forward", forward)
    cuda._works.cache_clear()
    assert cuda._works("cpu", torch.float32, 8)
    for dtype, num_classes in ((torch.bfloat16, 8), (torch.float32, 65_536)):
        with pytest.warns(UserWarning, match=f"not work for {dtype} and {num_classes}"):
            assert not cuda._works("cpu", dtype, num_classes)
    cuda._works.cache_clear()
