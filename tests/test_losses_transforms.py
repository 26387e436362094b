"""What only the readable loss does: probability targets, torch's transforms, CUDA."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_losses_contract import (
    BOTH,
    EPSILONS,
    REDUCTIONS,
    assert_equal,
    draw_labels,
    draw_logits,
    loss_and_gradient,
    value_and_gradients,
    weights,
)

from lsr_utils import losses
from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy


def draw_probabilities(shape):
    return draw_logits(shape, seed=2).softmax(min(1, len(shape) - 1))


@pytest.mark.parametrize("shape", [(6,), (0, 6), (2, 3, 2, 2)], ids=str)
def test_with_probabilities_it_equals_pytorch(shape):
    given = draw_logits(shape), draw_probabilities(shape)
    for reduction, weight, eps in itertools.product(
        REDUCTIONS, weights(shape), EPSILONS
    ):
        options = {"weight": weight, "reduction": reduction}
        ours = LabelSmoothingCrossEntropy(eps, **options)
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=eps, **options)
        # Gradients of both: also the targets can come out of a network.
        found = value_and_gradients(ours, *given)
        assert_equal(found, value_and_gradients(theirs, *given), f"{eps=} {options}")


def test_with_probabilities_the_others_convention_equals_its_definition():
    z, q = draw_logits((4, 6, 3)), draw_probabilities((4, 6, 3))
    for eps, reduction, weight in itertools.product(
        EPSILONS, REDUCTIONS, weights(z.shape)
    ):
        options = {"weight": weight, "spread": "others"}
        loss = label_smoothing_cross_entropy(z, q, eps, reduction, **options)
        value, _ = loss_and_gradient(z, q, eps, reduction, **options)
        np.testing.assert_allclose(loss, value, 1e-10, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_that_rounding_keeps_from_one_are_taken(dtype):
    z = draw_logits((50, 1000)).float()
    q = z.flip(1).softmax(1).to(dtype)
    wanted = F.cross_entropy(z, q.float(), label_smoothing=0.1)
    loss = label_smoothing_cross_entropy(z, q)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=0)


@BOTH
@pytest.mark.parametrize("targets", [draw_labels, draw_probabilities])
def test_first_and_second_derivatives_are_right(targets, spread):
    y, leaf = targets((2, 3, 2)), draw_logits((2, 3, 2)).requires_grad_()
    if targets is draw_labels:
        y[0] = -100
    options = {"weight": weights((2, 3))[1], "spread": spread}
    for reduction in ("mean", "none"):
        loss_fn = LabelSmoothingCrossEntropy(0.2, reduction, **options)
        assert torch.autograd.gradgradcheck(lambda z, f=loss_fn: f(z, y), leaf)


Z, Y = draw_logits((3, 4, 6)), torch.arange(12).reshape(3, 4) % 6


def test_it_maps_over_many_models_at_once():
    z, y = Z, Y.clone()
    grads = torch.func.vmap(torch.func.grad(label_smoothing_cross_entropy))(z, y)
    for one_z, one_y, grad in zip(z, y, grads, strict=True):
        leaf = one_z.clone().requires_grad_()
        F.cross_entropy(leaf, one_y, label_smoothing=0.1).backward()
        torch.testing.assert_close(grad, leaf.grad, rtol=0, atol=1e-12)
    y[1, 2] = 6  # out of range: nan, not a number
    rows = torch.func.vmap(label_smoothing_cross_entropy)(z, y)
    assert rows.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_one_compiled_function_serves_every_eps(kind):
    from torch._dynamo.testing import CompileCounter  # counts the graphs

    z, targets = Z[0], Z[1].softmax(1) if kind == "probabilities" else Y[0]
    options = {"weight": weights((4, 6))[1]}
    torch._dynamo.reset()
    graphs, function = CompileCounter(), label_smoothing_cross_entropy
    compiled = torch.compile(function, fullgraph=True, backend=graphs)
    for eps in (0.1, 0.2, 0.3):
        found = compiled(z, targets, eps, **options)
        wanted = function(z, targets, eps, **options)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    assert graphs.frame_count <= 2


@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
@BOTH
def test_it_can_be_traced_and_exported(spread):
    z, y = Z[0], Y[0].clone()
    loss_fn = LabelSmoothingCrossEntropy(0.1, weight=weights((4, 6))[1], spread=spread)
    for targets in (y, z.softmax(1)):
        exported = torch.export.export(loss_fn, (z, targets)).module()
        torch.testing.assert_close(exported(2 * z, targets), loss_fn(2 * z, targets))
    traced, y[2] = torch.jit.trace(loss_fn, (z, y)), -100
    torch.testing.assert_close(traced(z[:3], y[:3]), loss_fn(z[:3], y[:3]))


class OnCuda(torch.Tensor):
    device = property(lambda self: torch.device("cuda", 0))


def check_the_cuda_contract(to_cuda):
    z, y = map(to_cuda, (torch.randn(4, 6), torch.tensor([0, 6, -1, -100])))
    rows = label_smoothing_cross_entropy(z, y, reduction="none")
    assert rows.isnan().tolist() == [False, True, True, False] and rows[3] == 0
    clean = label_smoothing_cross_entropy(z[:1], y[:1])
    assert torch.allclose(rows[:1].mean(), clean)
    assert LabelSmoothingCrossEntropy()(z, y).isnan()
    no_distribution = to_cuda(torch.full((4, 6), 0.5))
    assert LabelSmoothingCrossEntropy()(z, no_distribution).isfinite()
    checking = LabelSmoothingCrossEntropy(check_targets=True)
    with pytest.raises(ValueError, match="^targets must sum to 1 in each row, got 3"):
        checking(z, no_distribution)
    with pytest.raises(IndexError, match=r"^targets must lie in 0 ... 5 .*, got 6\.$"):
        checking(z, y)
    assert checking(z[:1], y[:1]) == clean


def test_on_cuda_a_label_out_of_range_makes_its_row_nan(monkeypatch):
    check_the_cuda_contract(lambda tensor: tensor.clone().as_subclass(OnCuda))
    asked = []
    monkeypatch.setattr(losses, "_raise_out_of_range", lambda *a: asked.append(a))
    z, y = torch.zeros(1, 6), torch.tensor([0])
    label_smoothing_cross_entropy(z.as_subclass(OnCuda), y.as_subclass(OnCuda))
    assert not asked  # not even looked at: that would wait for the device
    label_smoothing_cross_entropy(z, y)
    assert asked


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_real_gpu_the_loss_is_the_same_and_nothing_waits_for_it():
    check_the_cuda_contract(lambda tensor: tensor.to("cuda"))
    z, y, weight = torch.randn(64, 6), torch.arange(64) % 6, torch.rand(6)
    y[::7] = -100
    wanted = label_smoothing_cross_entropy(z, y, weight=weight)
    z, y, weight = z.cuda().requires_grad_(), y.cuda(), weight.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = label_smoothing_cross_entropy(z, y, weight=weight)
        loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.allclose(loss.cpu(), wanted, rtol=1e-5)
