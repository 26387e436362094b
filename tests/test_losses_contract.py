"""Index targets: the loss against PyTorch's, and against its definition.

``test_fused_contract`` runs all of this once more with the fused loss.
"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_oracle import loss_and_gradient

from lsr_utils.losses import LabelSmoothingCrossEntropy

SHAPES = [(6,), (5, 6), (5, 1), (0, 6), (4, 6, 3), (2, 3, 2, 1, 2)]
REDUCTIONS = ("mean", "sum", "none")
EPSILONS = (0.0, 0.1, 1.0)


def class_axis(shape):
    return min(1, len(shape) - 1)


def draw_logits(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(shape, dtype=torch.float64, generator=generator)


def draw_labels(shape):
    wanted = shape[:1] + shape[2:] if len(shape) > 1 else ()
    generator = torch.Generator().manual_seed(1)
    return torch.randint(shape[class_axis(shape)], wanted, generator=generator)


def weights(shape):
    """No weight, and one for the classes of such logits."""
    return None, draw_logits(shape[class_axis(shape)], seed=3).abs() + 0.1


def value_and_gradients(loss_fn, *inputs):
    """Loss, and its gradient for an upstream gradient of 1, 2, 3, …"""
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    loss = loss_fn(*leaves)
    upstream = torch.arange(1.0, loss.numel() + 1, dtype=torch.float64)
    loss.backward(upstream.reshape(loss.shape))
    return [loss.detach(), *(leaf.grad for leaf in leaves if leaf.requires_grad)]


def assert_equal(ours, theirs, message):
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape, message
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10, equal_nan=True), (
            f"{message}: {one} is not {other}"
        )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_labels_it_equals_pytorch(shape):
    logits = draw_logits(shape)
    for reduction, weight, eps, ignore_index in itertools.product(
        REDUCTIONS, weights(shape), EPSILONS, (-100, 2, 255)
    ):
        labels = draw_labels(shape)
        labels.view(-1)[::3] = ignore_index
        options = {
            "weight": weight, "reduction": reduction, "ignore_index": ignore_index
        }  # fmt: skip
        ours = LabelSmoothingCrossEntropy(eps, **options)
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=eps, **options)
        if (labels == ignore_index).all() and reduction == "mean":
            # PyTorch: nan with a gradient of zero or nan, as the kernel has it.
            loss, slope = value_and_gradients(ours, logits, labels)
            assert loss.isnan() and (slope == 0).all(), f"{eps=} {ignore_index=}"
            continue
        assert_equal(
            value_and_gradients(ours, logits, labels),
            value_and_gradients(theirs, logits, labels),
            f"{eps=} {options}",
        )


@pytest.mark.parametrize("spread", ["all", "others"])
@pytest.mark.parametrize("shape", [(6,), (5, 2), (4, 6, 3)], ids=str)
def test_both_conventions_equal_their_definition(shape, spread):
    logits, targets = draw_logits(shape), draw_labels(shape)
    targets.view(-1)[1::3] = -100
    for eps, reduction, weight in itertools.product(
        EPSILONS, REDUCTIONS, weights(shape)
    ):
        loss_fn = LabelSmoothingCrossEntropy(
            eps, reduction, weight=weight, spread=spread
        )
        leaf = logits.clone().requires_grad_()
        loss = loss_fn(leaf, targets)
        loss.sum().backward()
        value, slope = loss_and_gradient(
            logits, targets, eps, reduction, weight, spread=spread
        )
        message = f"{eps=} {reduction=} weighted={weight is not None}"
        np.testing.assert_allclose(loss.detach(), value, 1e-10, 1e-12, err_msg=message)
        np.testing.assert_allclose(leaf.grad, slope, 1e-10, 1e-12, err_msg=message)


@st.composite
def cases(draw):
    """Logits of any size up to ±1e4, targets, and weights or None."""
    n, num_classes = draw(st.integers(1, 5)), draw(st.integers(2, 7))

    def row(of):
        return st.lists(of, min_size=num_classes, max_size=num_classes)

    number = st.floats(-1e4, 1e4, allow_subnormal=False)
    logits = draw(st.lists(row(number), min_size=n, max_size=n))
    labels = st.sampled_from([*range(num_classes), -100])
    targets = draw(st.lists(labels, min_size=n, max_size=n))
    return (
        np.array(logits),
        np.array(targets),
        draw(st.none() | row(st.floats(0.01, 9))),
    )


@given(
    cases(), st.floats(0, 1), st.sampled_from(REDUCTIONS),
    st.sampled_from(["all", "others"]),
)  # fmt: skip
def test_any_case_equals_its_definition(case, eps, reduction, spread):
    logits, targets, weight = case
    tensor = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    leaf = torch.tensor(logits, requires_grad=True)
    loss = LabelSmoothingCrossEntropy(eps, reduction, weight=tensor, spread=spread)(
        leaf, torch.tensor(targets)
    )
    loss.sum().backward()
    value, slope = loss_and_gradient(
        logits, targets, eps, reduction, weight, spread=spread
    )
    if reduction == "mean" and (targets == -100).all():
        slope = np.zeros_like(logits)  # the mean over nothing
    scale = 1e-10 * (1 + np.abs(logits).max())
    np.testing.assert_allclose(loss.detach(), value, 1e-10, scale)
    np.testing.assert_allclose(leaf.grad, slope, 1e-9, 1e-10)


@pytest.mark.parametrize("classes", [[0.0, 1, 0, 1, 1, 1], [-1.0, 1, 2, 1, 1, 1]])
def test_the_mean_over_classes_of_weight_0_is_nan_as_pytorch_has_it(classes):
    logits, targets = draw_logits((4, 6)), torch.tensor([2, 0, -100, 0])
    weight = torch.tensor(classes, dtype=torch.float64)
    for eps in EPSILONS:
        loss, slope = value_and_gradients(
            lambda z, e=eps: LabelSmoothingCrossEntropy(e, weight=weight)(z, targets),
            logits,
        )
        assert loss.isnan() and slope[:2].isnan().all() and (slope[2] == 0).all()


@given(st.floats(0, 1), st.lists(st.floats(-50, 50), min_size=2, max_size=8))
def test_the_loss_never_falls_below_the_entropy_of_its_target(eps, row):
    loss = LabelSmoothingCrossEntropy(eps)(
        torch.tensor([row]).double(), torch.tensor([0])
    )
    target = np.full(len(row), eps / len(row))
    target[0] += 1 - eps
    assert loss >= -(target[target > 0] * np.log(target[target > 0])).sum() - 1e-12
