"""What a hostile review of the fused loss found: each was wrong once."""

import os
import platform
import subprocess
import sys
import threading

import pytest
import torch
from test_fused_edges import draw, gradient, needs_compiled
from torch.autograd import forward_ad

from lsr_utils import measure
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused
from lsr_utils.fused import build, cpu, cuda
from lsr_utils.losses import LabelSmoothingCrossEntropy as Readable


def test_in_place_on_a_leaf_that_is_a_view_of_something_else_is_refused():
    z = torch.zeros(24).view(4, 6).requires_grad_()
    with pytest.raises(
        ValueError, match="^inplace=True would overwrite a leaf .* 6\\)"
    ):
        Fused(inplace=True)(z, torch.tensor([0, 1, 2, 3]))
    assert (z == 0).all()


@pytest.mark.parametrize("recompute", [False, True])
def test_an_upstream_gradient_or_weight_with_a_negative_bit_keeps_its_sign(recompute):
    z, y = draw(4, 6)
    two, weight = torch.tensor(-2.0).double(), -torch.arange(1.0, 7).double()
    negative = torch.complex(0 * two, two).conj().imag
    weight = torch.complex(0 * weight, weight).conj().imag
    assert negative.is_neg() and negative == 2 and weight.is_neg()
    slopes = []
    for loss_fn in (Fused(weight=weight, recompute=recompute), Readable(weight=weight)):
        leaf = z.clone().requires_grad_()
        loss_fn(leaf, y).backward(negative)
        slopes.append(leaf.grad)
    assert torch.allclose(*slopes, rtol=1e-6)


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


def test_few_elements_are_not_shared_out_to_many_threads(monkeypatch):
    needs_compiled()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    started = []
    start = threading.Thread.start
    monkeypatch.setattr(
        threading.Thread, "start", lambda thread: started.append(1) or start(thread)
    )
    Fused()(*draw(256, 1024))
    assert len(started) == 1


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
    loss_fn = Fused(reduction="none", recompute=recompute)
    leaf = z.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="^the fused loss takes one upstream grad"):
        rows = loss_fn(leaf * 1, y)
        torch.autograd.grad(rows, leaf, torch.eye(3).double(), is_grads_batched=True)
    with pytest.raises(RuntimeError, match="use lsr_utils.losses.LabelSmoothing"):
        torch.autograd.functional.jacobian(
            lambda x: loss_fn(x * 1, y), z, vectorize=True
        )
    with pytest.raises(RuntimeError, match="takes one upstream gradient at a time"):
        rows = loss_fn(leaf * 1, y)
        torch.func.vmap(lambda u: torch.autograd.grad(rows, leaf, u))(
            torch.eye(3).double()
        )
    one_by_one = torch.autograd.functional.jacobian(lambda x: loss_fn(x * 1, y), z)
    wanted = torch.autograd.functional.jacobian(
        lambda x: Readable(reduction="none")(x, y), z, vectorize=True
    )
    assert torch.allclose(one_by_one, wanted, rtol=1e-6)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_copy_made_for_its_layout_is_written_on(recompute):
    z, y = draw(64, 2000, dtype=torch.float32)
    z = z.t().contiguous().t().requires_grad_()
    given = torch.autograd.Function

    class Given(given):
        forward = staticmethod(lambda ctx, x: x.detach())
        backward = staticmethod(lambda ctx, g: None)

    loss_fn = Fused(recompute=recompute)
    copies = (
        measure.peak_bytes(lambda: loss_fn(Given.apply(z), y).backward()) / z.nbytes
    )
    assert copies < 1.3
    leaf = z.detach().clone().requires_grad_()
    before = leaf.detach().clone()
    loss_fn(leaf, y).backward()
    _, wanted = gradient(Readable(), z.detach().double(), y)
    assert torch.allclose(leaf.grad.double(), wanted, rtol=1e-4, atol=1e-8)
    assert torch.equal(leaf.detach(), before)


COMPILED = """
import torch
from lsr_utils.fused import cpu
tiny = torch.tensor(2e-38)
print(cpu.compiled(), (tiny / 4).item() > 0)
"""


@pytest.mark.parametrize("kind", ["true", "garbage", "quote", "fast"])
def test_where_one_compiler_does_not_do_the_next_is_tried(kind, tmp_path):
    needs_compiled()
    names = {"true": "true", "quote": "'", "fast": "c++ -ffast-math"}
    script = tmp_path / "garbage"
    script.write_text(
        '#!/bin/sh\nfor a; do [ "$last" = -o ] && echo no > "$a"; last="$a"; done\n'
    )
    script.chmod(0o755)
    env = {**os.environ, "CXX": names.get(kind, str(script))}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], env=env, capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


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
