"""What only the fused loss does: in place, a known scale, recomputing, refusals."""

import inspect
import itertools
import math
import os
import subprocess
import sys

import pytest
import torch

from lsr_utils import fused
from lsr_utils.fused import (
    FusedLabelSmoothingCrossEntropy,
    build,
    cpu,
    cuda,
    fused_label_smoothing_cross_entropy,
)
from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
MODES = ({}, {"inplace": True}, {"recompute": True}, {"scale": 512.0})
MODES += ({"inplace": True, "recompute": True},)
each_mode = pytest.mark.parametrize("mode", MODES, ids=str)


# test_fused_kernel runs this file once more, with the kernel by Triton's interpreter.
KERNEL = "LSR_TEST_KERNEL" in os.environ
CLASSES = [6, 17] if KERNEL else [1, 6, 16, 17, 300]  # kernel_checks draws more
only_on_the_cpu = pytest.mark.skipif(KERNEL, reason="of the CPU's ways alone")


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
        loss.backward(
            loss.new_full(loss.shape, upstream), retain_graph=k + 1 < backwards
        )
    return loss.detach(), leaf.grad


@each_mode
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("num_classes", CLASSES)
def test_every_mode_gives_the_numbers_of_the_readable_loss(num_classes, dtype, mode):
    z, y = draw(21, num_classes, dtype=dtype)
    y[::5] = -100
    weight = torch.linspace(0.5, 2, num_classes, dtype=torch.float64)
    digits = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 2e-3}
    digits = digits.get(dtype, 1e-2)
    for reduction, w, (upstream, backwards) in itertools.product(
        ("mean", "none"), (None, weight), ((1.0, 1), (512.0, 1), (-0.3, 2))
    ):
        options = {"weight": w, "reduction": reduction}
        ours = FusedLabelSmoothingCrossEntropy(0.1, **options, **mode)
        theirs = LabelSmoothingCrossEntropy(0.1, **options)
        loss, slope = gradient(ours, z, y, upstream, backwards)
        wanted, exact = gradient(theirs, z.double(), y, upstream, backwards)
        assert torch.allclose(loss.double(), wanted, rtol=min(digits, 1e-5))
        assert slope.dtype == dtype
        assert (slope.double() - exact).norm() <= digits * exact.norm(), (
            options,
            upstream,
        )
        assert (slope[::5] == 0).all()


@each_mode
@pytest.mark.parametrize("num_classes", CLASSES)
def test_a_bfloat16_gradient_is_the_float32_one_rounded_to_nearest(num_classes, mode):
    z, y = draw(21, num_classes, dtype=torch.bfloat16)
    loss_fn = FusedLabelSmoothingCrossEntropy(0.1, **mode)
    upstream = mode.get("scale", 1.0)  # another one would be a second rounding
    _, slope = gradient(loss_fn, z, y, upstream)
    _, exact = gradient(loss_fn, z.float(), y, upstream)
    assert torch.equal(slope, exact.bfloat16())


def test_gradients_are_right_by_finite_differences():
    z, y = draw(4, 5)
    y[1] = -100
    for mode, spread, reduction in itertools.product(
        ({}, {"recompute": True}), ("all", "others"), ("mean", "sum", "none")
    ):
        loss_fn = FusedLabelSmoothingCrossEntropy(
            0.2, reduction, weight=torch.rand(5).double() + 0.1, spread=spread, **mode
        )
        leaf = z.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, f=loss_fn: f(x, y), leaf)


@each_mode
def test_a_second_derivative_is_refused_not_silently_zero(mode):
    z, y = draw(3, 6)
    leaf = z.requires_grad_()
    loss = FusedLabelSmoothingCrossEntropy(**mode)(leaf * 1, y)
    (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(
        RuntimeError, match="no second derivative: use lsr_utils.losses"
    ):
        (slope.pow(2).sum() + leaf.sum()).backward()


@each_mode
def test_a_hessian_is_refused_not_silently_zero(mode):
    z, y = draw(3, 6)
    loss_fn = FusedLabelSmoothingCrossEntropy(**mode)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.functional.hessian(lambda x: loss_fn(x * 1, y), z)
    leaf, factor = z.clone().requires_grad_(), torch.ones((), requires_grad=True)
    loss = factor * loss_fn(leaf * 1, y)
    (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(slope.sum(), factor)


def test_a_graph_made_for_other_reasons_still_gives_the_gradient():
    z, y = draw(3, 6)
    leaf = z.requires_grad_()
    loss = FusedLabelSmoothingCrossEntropy()(leaf, y) + (leaf**2).sum()
    (slope,) = torch.autograd.grad(loss, leaf, create_graph=True)
    expected = label_smoothing_cross_entropy(leaf, y) + (leaf**2).sum()
    (wanted,) = torch.autograd.grad(expected, leaf)
    assert torch.allclose(slope, wanted)


@each_mode
def test_results_of_an_earlier_backward_stay_as_they_were(mode):
    z, y = draw(4, 6)
    leaf = z.requires_grad_()
    loss = FusedLabelSmoothingCrossEntropy(**mode)(leaf * 1, y)
    (first,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    copied = first.clone()
    (second,) = torch.autograd.grad(7 * loss, leaf, retain_graph=True)
    (third,) = torch.autograd.grad(-2 * loss, leaf)
    assert torch.equal(first, copied)
    assert torch.allclose(second, 7 * first) and torch.allclose(third, -2 * first)


@pytest.mark.parametrize("mode", [{}, {"recompute": True}, {"scale": 3.0}], ids=str)
def test_two_losses_on_one_tensor_add_their_gradients(mode):
    z, y = draw(5, 6)
    leaf, twin = z.clone().requires_grad_(), z.clone().requires_grad_()
    logits, other = leaf * 1, y.flip(0)
    ours = FusedLabelSmoothingCrossEntropy(**mode)
    (ours(logits, y) + 3 * ours(logits, other)).backward()
    theirs = LabelSmoothingCrossEntropy()
    (theirs(twin, y) + 3 * theirs(twin, other)).backward()
    assert torch.allclose(leaf.grad, twin.grad, rtol=1e-12)


# In place ---------------------------------------------------------------------------


def test_in_place_the_gradient_takes_the_memory_of_the_logits():
    z, y = draw(4, 6, dtype=torch.float32)
    leaf = z.requires_grad_()
    logits = leaf * 1
    FusedLabelSmoothingCrossEntropy(inplace=True)(logits, y).backward()
    assert torch.equal(logits, leaf.grad)


def test_only_in_place_are_the_logits_modified():
    for mode in MODES:
        for shape in ((4, 6), (4, 40), (2, 6, 3)):
            z, y = draw(*shape)
            y = y if len(shape) == 2 else y.unsqueeze(1).expand(2, 3)
            leaf = z.clone().requires_grad_()
            if mode.get("inplace"):
                continue
            (2 * FusedLabelSmoothingCrossEntropy(**mode)(leaf, y)).backward()
            assert torch.equal(leaf.detach(), z)


def test_in_place_without_a_gradient_nothing_is_written():
    z, y = draw(4, 6)
    before = z.clone()
    loss_fn = FusedLabelSmoothingCrossEntropy(inplace=True)
    loss_fn(z, y)
    with torch.no_grad():
        loss_fn(z.requires_grad_(), y)
    assert torch.equal(z, before)


@pytest.mark.parametrize(
    "view", [lambda z: z, lambda z: z[:3], lambda z: z.view(-1, 3)]
)
def test_in_place_on_a_leaf_is_refused(view):
    z = torch.zeros(4, 6, requires_grad=True)
    logits = view(z)
    y = torch.zeros(len(logits), dtype=torch.int64)
    with pytest.raises(ValueError, match="^inplace=True would overwrite a leaf .* got"):
        FusedLabelSmoothingCrossEntropy(inplace=True)(logits, y)
    assert (z == 0).all()


@pytest.mark.parametrize(
    "view",
    [
        lambda z: z[:, ::2],
        lambda z: z.t(),
        lambda z: z[:1].expand(4, 6),
        lambda z: z.view(2, 6, 2),
        lambda z: z[:, :4],
    ],
)
def test_in_place_on_logits_that_are_not_contiguous_is_refused(view):
    logits = view(torch.zeros(4, 6, requires_grad=True) * 1)
    shape = logits.shape[:1] + logits.shape[2:]
    y = torch.zeros(shape, dtype=torch.int64)
    with pytest.raises(
        ValueError, match="^inplace=True needs contiguous logits .* got"
    ):
        FusedLabelSmoothingCrossEntropy(inplace=True)(logits, y)


@each_mode
def test_autograd_notices_that_logits_were_overwritten(mode):
    z, y = draw(4, 6)
    logits = z.requires_grad_().exp()  # its backward pass needs its own output
    loss = FusedLabelSmoothingCrossEntropy(**mode)(logits, y)
    if not mode.get("inplace"):
        loss.backward()
    elif not mode.get("recompute"):  # that one overwrites in the backward pass
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
    else:
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


@pytest.mark.parametrize("mode", [{"inplace": True}, {"recompute": True}], ids=str)
def test_logits_changed_between_the_passes_are_noticed(mode):
    z, y = draw(4, 6)
    logits = z.requires_grad_() * 1
    loss = FusedLabelSmoothingCrossEntropy(**mode)(logits, y)
    logits.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# A scale ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scale", [0.0, math.nan, math.inf, 1e300, 1e-50, "1", None, True]
)
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match="^scale must be a number other than 0 that"):
        FusedLabelSmoothingCrossEntropy(scale=scale)
    loss_fn = FusedLabelSmoothingCrossEntropy()
    loss_fn.scale = scale
    with pytest.raises(ValueError, match="^scale must be a number other than 0 that"):
        loss_fn(*draw(3, 6))


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
    for mode, reduction in itertools.product(MODES, ("mean", "sum", "none")):
        for bad in (math.inf, math.nan):
            loss_fn = FusedLabelSmoothingCrossEntropy(0.1, reduction, **mode)
            _, slope = gradient(loss_fn, z, y, bad)
            assert (slope[1] == 0).all() and not slope[0].isfinite().any()


# Where it hands over to the readable loss ---------------------------------------------


def test_gradients_for_weights_and_for_probabilities_come_from_the_readable_loss():
    z, y = draw(4, 6)
    weight = torch.rand(6).double().requires_grad_()
    for targets in (y, z.softmax(1).requires_grad_()):
        leaves = [x for x in (weight, targets) if x.requires_grad]
        ours = fused_label_smoothing_cross_entropy(z, targets, weight=weight)
        theirs = label_smoothing_cross_entropy(z, targets, weight=weight)
        for one, other in zip(
            torch.autograd.grad(ours, leaves),
            torch.autograd.grad(theirs, leaves),
            strict=True,
        ):
            assert torch.equal(one, other)


def test_views_with_a_negative_bit_are_read_as_they_mean():
    z, y = draw(4, 6)
    negative = torch.complex(torch.zeros_like(z), -z).conj().imag
    assert negative.is_neg()
    ours = fused_label_smoothing_cross_entropy(negative, y)
    assert ours == pytest.approx(label_smoothing_cross_entropy(z, y).item())


def test_nothing_and_no_classes():
    none = torch.zeros(0, 6, requires_grad=True)
    y = torch.zeros(0, dtype=torch.int64)
    loss = FusedLabelSmoothingCrossEntropy(inplace=True)(none * 1, y)
    loss.backward()
    assert loss.isnan() and none.grad.shape == (0, 6)
    with pytest.raises(ValueError, match="with K at least 1, got \\(3, 0\\)"):
        FusedLabelSmoothingCrossEntropy()(torch.zeros(3, 0), y)


def test_two_devices_are_named():
    with pytest.raises(ValueError, match="on one device, got cpu and meta"):
        FusedLabelSmoothingCrossEntropy()(
            torch.zeros(3, 6), torch.zeros(3, device="meta").long()
        )


def test_its_arguments_can_be_read_and_no_others_are_taken():
    options = "eps=0.1, reduction='mean', *, inplace=False, scale=1.0, recompute=None"
    options += ", weight=None, ignore_index=-100, spread='all', check_targets=False"
    module, function = (
        FusedLabelSmoothingCrossEntropy,
        fused_label_smoothing_cross_entropy,
    )
    assert str(inspect.signature(module)) == f"({options})"
    assert str(inspect.signature(function)) == f"(logits, targets, {options})"
    z, y = draw(3, 6)
    for call in (lambda *a, **k: function(z, y, *a, **k), module):
        with pytest.raises(TypeError, match="unexpected keyword argument 'smoothing'"):
            call(smoothing=0.1)
        with pytest.raises(TypeError, match="positional arguments"):
            call(0.1, "mean", None)


@each_mode
def test_an_option_that_is_changed_before_the_backward_pass_does_not_count(mode):
    z, y = draw(4, 6)
    loss_fn = FusedLabelSmoothingCrossEntropy(0.1, **mode)
    _, wanted = gradient(loss_fn, z, y, 3.0)
    leaf = z.clone().requires_grad_()
    loss = loss_fn(leaf * 1, y)
    loss_fn.eps, loss_fn.scale, loss_fn.spread = 0.9, 7.0, "others"
    (3 * loss).backward()
    assert torch.equal(leaf.grad, wanted)


def test_it_says_what_it_is():
    assert repr(FusedLabelSmoothingCrossEntropy(inplace=True)) == (
        "FusedLabelSmoothingCrossEntropy(eps=0.1, reduction='mean', weight=None, "
        "ignore_index=-100, spread='all', inplace=True, scale=1, recompute=None)"
    )


@only_on_the_cpu
def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(cpu, "SHARE", 1)
    z, y = draw(37, 50)
    alone = gradient(FusedLabelSmoothingCrossEntropy(), z, y)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    together = gradient(FusedLabelSmoothingCrossEntropy(), z, y)
    assert torch.allclose(alone[0], together[0], rtol=1e-15)
    assert torch.equal(alone[1], together[1])


@only_on_the_cpu  # the interpreter would take minutes
def test_a_network_trains_alike():
    from lsr_utils import datasets, models

    data = datasets.load("gaussians", n=300)
    curves = []
    for loss_fn in (
        LabelSmoothingCrossEntropy(),
        FusedLabelSmoothingCrossEntropy(inplace=True),
    ):
        model = models.build("mlp", (2,), seed=0).double()
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        curve = []
        for _ in range(150):
            loss = loss_fn(model(data.x.double()), data.y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            curve.append(loss.item())
        curves.append(curve)
    assert curves[0][0] - curves[0][-1] > 0.5  # it learns
    assert max(abs(a - b) for a, b in zip(*curves, strict=True)) < 1e-9


# Without a compiler -------------------------------------------------------------------

ALONE = """
import torch
from lsr_utils import fused
z = torch.zeros(3, 6, requires_grad=True)
fused.FusedLabelSmoothingCrossEntropy()(z, torch.tensor([0, 1, -100])).backward()
print(fused.cpu.compiled(), f"{z.grad.abs().sum():.4f}")
"""


@only_on_the_cpu
@pytest.mark.parametrize(
    "surroundings",
    [
        {"PATH": ""},
        {"CXX": "false", "PATH": ""},
        {"CXX": "'", "PATH": ""},
        {"TMPDIR": "there-is-no-such-folder", "PATH": ""},
    ],
    ids=str,
)
def test_without_a_compiler_it_works_all_the_same(way, surroundings, tmp_path):
    if way == "compiled":
        pytest.skip("a process of its own knows nothing of the way")
    env = {**os.environ, **surroundings, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.split() == ["False", "1.5000"]
    assert not list(tmp_path.iterdir())


@only_on_the_cpu
def test_a_compiled_library_that_computes_nonsense_is_not_used(monkeypatch):
    library = cpu._library()
    if library is None:  # the other way; without a compiler the fixture skips
        pytest.skip("there is no library to doubt")
    assert cpu._agrees(library)
    source = build.SOURCE.read_text(encoding="utf-8")
    assert "T(how.eps) / receivers" in source
    monkeypatch.setattr(cpu, "_in_threads", lambda rows, *job: 0.0)
    assert not cpu._agrees(library)


@only_on_the_cpu
def test_the_backend_is_chosen_by_what_is_asked_for():
    z, y = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)
    assert fused._backend(z, y, None) is cpu
    for logits, targets in ((z, z), (z.to("meta"), y.to("meta")), (z[:0], y[:0])):
        assert fused._backend(logits, targets, None) is None
