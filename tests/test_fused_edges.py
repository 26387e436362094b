"""What only the fused loss does: in place, a known scale, recomputing, refusals."""

import contextlib
import itertools
import math
import os

import pytest
import torch

from lsr_utils import fused
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy, build, cpu, cuda
from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
DIGITS = dict(zip(DTYPES, (2e-5, 1e-12, 2e-3, 1e-2), strict=True))
MODES = ({}, {"inplace": True}, {"recompute": True}, {"scale": 512.0})
MODES += ({"inplace": True, "recompute": True},)
each_mode = pytest.mark.parametrize("mode", MODES, ids=str)


# test_fused_kernel runs this file once more, with the kernel by Triton's interpreter.
KERNEL = "LSR_TEST_KERNEL" in os.environ
CLASSES = [17] if KERNEL else [1, 6, 16, 17, 300]  # kernel_checks draws more


@pytest.fixture(autouse=True, params=["kernel"] if KERNEL else ["compiled", "torch"])
def way(request, monkeypatch):
    if request.param == "kernel":
        monkeypatch.setattr(fused, "cpu", cuda)
    elif request.param == "torch":
        monkeypatch.setattr(cpu, "_library", lambda: None)
    else:
        needs_compiled()
    return request.param


def needs_compiled():
    """Skip without a compiler; with one, a library that is refused is a failure."""
    if not list(build.commands()) or os.name != "posix":
        pytest.skip("no C++ compiler")
    assert cpu.compiled()


def draw(*shape, dtype=torch.float64, seed=5):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(shape, dtype=torch.float64, generator=generator)
    return (3 * z).to(dtype), torch.randint(shape[1], (shape[0],), generator=generator)


def gradient(loss_fn, z, y, upstream=1.0, backwards=1):
    """Gradient at a leaf before the logits, after some backward passes."""
    leaf = z.detach().clone().requires_grad_()
    loss = loss_fn(leaf * 1, y)  # logits that were computed, as a network's are
    for k in range(backwards):
        more = {"retain_graph": k + 1 < backwards}
        of_rows = upstream * torch.linspace(1, 2, loss.numel()).to(loss)
        loss.backward(of_rows.view_as(loss), **more)
    return loss.detach(), leaf.grad


@each_mode
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_mode_gives_the_numbers_of_the_readable_loss(dtype, mode):
    digits = DIGITS[dtype]
    for num_classes, reduction, weighted, (upstream, backwards) in itertools.product(
        CLASSES, ("mean", "none"), (False, True), ((1.0, 1), (512.0, 1), (-0.3, 2))
    ):
        z, y = draw(21, num_classes, dtype=dtype)
        y[::5] = -100
        w = torch.linspace(0.5, 2, num_classes).double() if weighted else None
        options = {"weight": w, "reduction": reduction}
        ours = FusedLabelSmoothingCrossEntropy(0.1, **options, **mode)
        theirs = LabelSmoothingCrossEntropy(0.1, **options)
        loss, slope = gradient(ours, z, y, upstream, backwards)
        wanted, exact = gradient(theirs, z.double(), y, upstream, backwards)
        assert torch.allclose(loss.double(), wanted, rtol=min(digits, 1e-5))
        assert slope.dtype == dtype
        off = (slope.double() - exact).norm()
        assert off <= digits * exact.norm(), (num_classes, options, upstream)
        assert (slope[::5] == 0).all()


@pytest.mark.skipif(KERNEL, reason="Triton's interpreter cuts bfloat16 off")
@each_mode
def test_a_bfloat16_gradient_is_the_float32_one_rounded_to_nearest(mode):
    loss_fn = FusedLabelSmoothingCrossEntropy(0.1, **mode)
    upstream = mode.get("scale", 1.0)  # another one would be a second rounding
    for num_classes in CLASSES:
        z, y = draw(21, num_classes, dtype=torch.bfloat16)
        _, slope = gradient(loss_fn, z, y, upstream)
        _, exact = gradient(loss_fn, z.float(), y, upstream)
        assert torch.equal(slope, exact.bfloat16())


@each_mode
def test_a_second_derivative_is_refused_not_silently_zero(mode):
    z, y = draw(3, 6)
    loss_fn = FusedLabelSmoothingCrossEntropy(**mode)
    refused = pytest.raises(RuntimeError, match="no second derivative: use lsr_utils.l")
    leaf, factor = z.clone().requires_grad_(), torch.ones((), requires_grad=True)
    for wanted in (leaf, factor):
        loss = factor * loss_fn(leaf * 1, y)
        (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
        with refused:
            torch.autograd.grad(slope.pow(2).sum() + leaf.sum(), wanted)
    leaf = z.clone().requires_grad_()  # a graph that is made for other reasons
    loss = loss_fn(leaf * 1, y) + (leaf**2).sum()
    (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
    (plain,) = torch.autograd.grad(loss_fn(leaf * 1, y), leaf)
    assert torch.allclose(slope, plain + 2 * leaf)


@each_mode
def test_results_of_an_earlier_backward_stay_as_they_were(mode):
    z, y = draw(4, 6)
    leaf = z.requires_grad_()
    loss = FusedLabelSmoothingCrossEntropy(**mode)(leaf * 1, y)
    (first,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    copied = first.clone()
    (second,) = torch.autograd.grad(7 * loss, leaf, retain_graph=True)
    (third,) = torch.autograd.grad(2 * loss, leaf)
    assert torch.equal(first, copied)
    assert torch.allclose(second, 7 * first) and torch.allclose(third, 2 * first)


@each_mode
def test_autograd_notices_that_logits_are_overwritten(mode):
    z, y = draw(4, 6)
    leaf, loss_fn = z.requires_grad_(), FusedLabelSmoothingCrossEntropy(**mode)
    noticed = pytest.raises(RuntimeError, match="modified by an inplace operation")
    loss = loss_fn(leaf.exp(), y)  # whose backward pass needs its own output
    with noticed if mode.get("inplace") else contextlib.nullcontext():
        loss.backward()
    logits = leaf * 1
    loss = loss_fn(logits, y)
    logits.detach().add_(1)
    if mode.keys() & {"inplace", "recompute"}:
        with noticed:
            loss.backward()


def test_in_place_without_a_gradient_and_else_nothing_is_written():
    z, y = draw(4, 40)
    leaf = z.clone().requires_grad_()
    logits = leaf * 1
    FusedLabelSmoothingCrossEntropy(inplace=True)(logits, y).backward()
    assert torch.equal(logits, leaf.grad)  # in the memory of the logits
    row = z[0].requires_grad_() * 1
    FusedLabelSmoothingCrossEntropy(inplace=True)(row, y[0]).backward()
    before, loss_fn = z.clone(), FusedLabelSmoothingCrossEntropy(inplace=True)
    loss_fn(z, y)
    with torch.no_grad():
        loss_fn(z.requires_grad_(), y)
    for mode in ({}, {"recompute": True}, {"scale": 512.0}):
        (2 * FusedLabelSmoothingCrossEntropy(**mode)(z, y)).backward()
    assert torch.equal(z, before)


def test_in_place_on_a_leaf_or_on_scattered_logits_is_refused():
    y = torch.zeros(4, dtype=torch.int64)
    for view in (
        lambda z: z,
        lambda z: z.view(4, 6),
        lambda z: z.detach().view(4, 6).requires_grad_(),  # a leaf of its own
        lambda z: (z * 1)[:, ::2],
        lambda z: (z * 1)[:1].expand(4, 6),
    ):
        logits = view(torch.zeros(4, 6, requires_grad=True))
        refused = "^inplace=True (would overwrite a leaf|needs contiguous log).* got "
        with pytest.raises(ValueError, match=refused):
            FusedLabelSmoothingCrossEntropy(inplace=True)(logits, y)
        assert (logits == 0).all()


def test_loss_scaling_in_float16_keeps_small_gradients():
    z, y = draw(64, 3000, dtype=torch.float16)
    z -= 8 * (torch.arange(3000) % 2).half()
    for mode in ({}, {"scale": 2.0**16}, {"recompute": True}):
        ours = FusedLabelSmoothingCrossEntropy(eps=0.0, **mode)
        _, slope = gradient(ours, z, y, 2.0**16)
        _, exact = gradient(LabelSmoothingCrossEntropy(0.0), z, y, 2.0**16)
        assert torch.allclose(slope, exact, rtol=2e-3, atol=1e-6), mode
        assert (slope[:, 1::2] != 0).sum() > 80_000


def test_an_infinite_upstream_gradient_leaves_ignored_rows_at_zero():
    z, y = draw(4, 6)
    y[1] = -100
    for mode, reduction in itertools.product(MODES, ("mean", "none")):
        for bad in (math.inf, math.nan):
            loss_fn = FusedLabelSmoothingCrossEntropy(0.1, reduction, **mode)
            _, slope = gradient(loss_fn, z, y, bad)
            assert (slope[1] == 0).all() and not slope[0].isfinite().any()


def test_gradients_for_weights_and_for_probabilities_come_from_the_readable_loss():
    z, y = draw(4, 6)
    weight = torch.rand(6).double().requires_grad_()
    for targets in (y, z.softmax(1).requires_grad_()):
        leaves = [x for x in (weight, targets) if x.requires_grad]
        ours = fused.fused_label_smoothing_cross_entropy(z, targets, weight=weight)
        theirs = label_smoothing_cross_entropy(z, targets, weight=weight)
        slopes = (torch.autograd.grad(loss, leaves) for loss in (ours, theirs))
        for one, other in zip(*slopes, strict=True):
            assert torch.equal(one, other)
