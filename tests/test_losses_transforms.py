"""The loss under torch's own transforms, where no single value can be looked at."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy
from lsr_utils.targets import smooth_targets


def batch(models=3, rows=4, classes=6):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(models, rows, classes, generator=generator, dtype=torch.float64)
    return z, torch.randint(classes, (models, rows), generator=generator)


def test_it_maps_over_many_models_at_once():
    z, y = batch()
    grads = torch.func.vmap(torch.func.grad(label_smoothing_cross_entropy))(z, y)
    for one_z, one_y, grad in zip(z, y, grads, strict=True):
        leaf = one_z.clone().requires_grad_()
        F.cross_entropy(leaf, one_y, label_smoothing=0.1).backward()
        torch.testing.assert_close(grad, leaf.grad, rtol=0, atol=1e-12)


def test_under_a_map_a_class_out_of_range_gives_nan_not_a_number():
    z, y = batch()
    y[1, 2] = 6
    losses = torch.func.vmap(label_smoothing_cross_entropy)(z, y)
    assert losses.isnan().tolist() == [False, True, False]


def test_it_is_one_graph_for_the_compiler():
    z, y = batch()
    loss_fn = LabelSmoothingCrossEntropy(0.1, weight=torch.rand(6).double())
    compiled = torch.compile(loss_fn, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(z[0], y[0]), loss_fn(z[0], y[0]))


@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_compiled_function_serves_every_eps(kind, weighted):
    from torch._dynamo.testing import CompileCounter  # counts the graphs

    z, targets = (x[0] for x in batch())
    targets = z.flip(0).softmax(1) if kind == "probabilities" else targets
    weight = torch.rand(6).double() if weighted else None
    torch._dynamo.reset()
    graphs = CompileCounter()
    function = label_smoothing_cross_entropy
    compiled = torch.compile(function, fullgraph=True, backend=graphs)
    for eps in (0.1, 0.2, 0.3):
        found = compiled(z, targets, eps, weight=weight)
        wanted = function(z, targets, eps, weight=weight)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    assert graphs.frame_count <= 2


@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
@pytest.mark.parametrize("spread", ["all", "others"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_it_can_be_traced(reduction, spread):
    z, y = torch.randn(8, 6), torch.zeros(8).long()
    loss_fn = LabelSmoothingCrossEntropy(0.1, reduction, spread=spread)
    traced = torch.jit.trace(loss_fn, (z, y))
    other, labels = torch.randn(5, 6), torch.tensor([0, 5, -100, 2, 3])
    torch.testing.assert_close(traced(other, labels), loss_fn(other, labels))
    if spread == "all":
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=0.1, reduction=reduction)
        torch.testing.assert_close(traced(other, labels), theirs(other, labels))
        q = z.softmax(1)
        traced = torch.jit.trace(loss_fn, (z, q))
        torch.testing.assert_close(traced(2 * z, q), theirs(2 * z, q))


def test_it_can_be_exported():
    z, y = (x[0] for x in batch())
    loss_fn = LabelSmoothingCrossEntropy(0.1, weight=torch.rand(6).double())
    for targets in (y, z.softmax(1)):
        exported = torch.export.export(loss_fn, (z, targets)).module()
        torch.testing.assert_close(exported(2 * z, targets), loss_fn(2 * z, targets))


@pytest.mark.parametrize("target", [2**64 - 100, 2**63 + 1])
def test_huge_unsigned_targets_are_out_of_range_not_ignored(target):
    z, _ = batch()
    y = torch.tensor([0, 1, 2, target], dtype=torch.uint64)
    with pytest.raises(IndexError, match="^targets must lie in 0 ... 5 or equal"):
        label_smoothing_cross_entropy(z[0], y)


@pytest.mark.parametrize(
    "eps", [True, torch.tensor(True), np.True_, torch.tensor(0.1, requires_grad=True)]
)
def test_an_eps_that_hides_a_mistake_is_refused(eps):
    with pytest.raises(TypeError, match="^eps must be a number in"):
        LabelSmoothingCrossEntropy(eps)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"ignore_index": 2**70}, ValueError),
        ({"reduction": torch.ones(2)}, ValueError),
        ({"spread": torch.ones(2)}, ValueError),
    ],
)
def test_options_of_another_kind_are_named(option, error):
    (name,) = option
    with pytest.raises(error, match=f"^{name} must"):
        LabelSmoothingCrossEntropy(0.1, **option)


def test_probabilities_cannot_be_whole_numbers():
    with pytest.raises(TypeError, match="^dtype must be floating point, got torch.int"):
        smooth_targets(torch.tensor([1]), 3, 0.1, dtype=torch.int64)
