"""The loss against PyTorch's, and against its definition, over all of its options."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_oracle import loss_and_gradient

from lsr_utils.losses import LabelSmoothingCrossEntropy

SHAPES = [
    (6,), (1,), (5, 6), (1, 6), (5, 1), (0, 6), (4, 6, 3), (4, 6, 0), (3, 6, 2, 4),
    (2, 3, 2, 1, 2),
]  # fmt: skip
REDUCTIONS = ("mean", "sum", "none")
EPSILONS = (0.0, 1e-6, 0.1, 1.0)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def draw_logits(shape, seed=0):
    return 3 * torch.randn(shape, dtype=torch.float64, generator=generator(seed))


def draw_labels(shape, seed=1):
    wanted = shape[:1] + shape[2:] if len(shape) > 1 else ()
    return torch.randint(
        shape[min(1, len(shape) - 1)], wanted, generator=generator(seed)
    )


def draw_probabilities(shape, seed=2):
    axis = min(1, len(shape) - 1)
    return torch.rand(shape, dtype=torch.float64, generator=generator(seed)).softmax(
        axis
    )


def draw_weight(num_classes, seed=3):
    return torch.rand(num_classes, dtype=torch.float64, generator=generator(seed)) + 0.1


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_labels_it_equals_pytorch(shape, reduction, weighted):
    logits, labels = draw_logits(shape), draw_labels(shape)
    num_classes = shape[min(1, len(shape) - 1)]
    weight = draw_weight(num_classes) if weighted else None
    for eps, ignore_index in itertools.product(EPSILONS, (-100, 0, 2, 255, -1)):
        marked = labels.clone()
        marked.view(-1)[::3] = ignore_index
        options = {
            "weight": weight, "reduction": reduction, "ignore_index": ignore_index
        }  # fmt: skip
        ours = LabelSmoothingCrossEntropy(eps, **options)
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=eps, **options)
        if (marked == ignore_index).all() and reduction == "mean":
            # PyTorch: nan with a gradient of zero or nan, as the kernel has it.
            loss, slope = value_and_gradients(ours, logits, marked)
            assert loss.isnan() and (slope == 0).all(), f"{eps=} {ignore_index=}"
            assert theirs(logits, marked).isnan()
            continue
        assert_equal(
            value_and_gradients(ours, logits, marked),
            value_and_gradients(theirs, logits, marked),
            f"{eps=} {ignore_index=}",
        )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_probabilities_it_equals_pytorch(shape, reduction, weighted):
    logits, probabilities = draw_logits(shape), draw_probabilities(shape)
    num_classes = shape[min(1, len(shape) - 1)]
    weight = draw_weight(num_classes) if weighted else None
    for eps in EPSILONS:
        options = {"weight": weight, "reduction": reduction}
        ours = LabelSmoothingCrossEntropy(eps, **options)
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=eps, **options)
        # Gradients of both: also the targets can come out of a network.
        assert_equal(
            value_and_gradients(ours, logits, probabilities),
            value_and_gradients(theirs, logits, probabilities),
            f"{eps=}",
        )


@pytest.mark.parametrize("spread", ["all", "others"])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("shape", [(6,), (5, 2), (5, 6), (4, 6, 3), (2, 3, 2, 2)])
def test_both_conventions_equal_their_definition(shape, kind, spread):
    logits = draw_logits(shape)
    draw_targets = draw_labels if kind == "labels" else draw_probabilities
    targets = draw_targets(shape)
    if kind == "labels":
        targets.view(-1)[1::3] = -100
    num_classes = shape[min(1, len(shape) - 1)]
    for eps, reduction, weight in itertools.product(
        EPSILONS, REDUCTIONS, (None, draw_weight(num_classes))
    ):
        loss_fn = LabelSmoothingCrossEntropy(
            eps, reduction, weight=weight, spread=spread
        )
        leaf = logits.clone().requires_grad_()
        loss = loss_fn(leaf, targets)
        loss.sum().backward()
        value, slope = loss_and_gradient(
            logits.numpy(), targets.numpy(), eps, reduction,
            None if weight is None else weight.numpy(), spread=spread,
        )  # fmt: skip
        message = f"{eps=} {reduction=} weighted={weight is not None}"
        np.testing.assert_allclose(loss.detach(), value, 1e-10, 1e-12, err_msg=message)
        np.testing.assert_allclose(leaf.grad, slope, 1e-10, 1e-12, err_msg=message)


@st.composite
def cases(draw):
    """Logits of any size up to ±1e4, targets, and options."""
    n, num_classes = draw(st.integers(1, 5)), draw(st.integers(2, 7))
    number = st.floats(-1e4, 1e4, allow_subnormal=False)
    rows = st.lists(number, min_size=num_classes, max_size=num_classes)
    logits = draw(st.lists(rows, min_size=n, max_size=n))
    labels = st.sampled_from([*range(num_classes), -100])
    targets = draw(st.lists(labels, min_size=n, max_size=n))
    weights = st.floats(0.01, 100)
    weight = draw(
        st.none() | st.lists(weights, min_size=num_classes, max_size=num_classes)
    )
    return np.array(logits), np.array(targets), weight


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


@pytest.mark.parametrize("eps", EPSILONS)
def test_the_mean_over_classes_of_weight_0_is_nan_as_pytorch_has_it(eps):
    logits, targets = draw_logits((4, 6)), torch.tensor([2, 0, -100, 0])
    for classes in ([0.0, 1, 0, 1, 1, 1], [-1.0, 1, 2, 1, 1, 1]):  # one sums to 0
        weight = torch.tensor(classes, dtype=torch.float64)
        options = {"weight": weight, "reduction": "mean"}
        found, wanted = (
            value_and_gradients(lambda z, f=kind: f(z, targets), logits)
            for kind in (
                LabelSmoothingCrossEntropy(eps, **options),
                torch.nn.CrossEntropyLoss(label_smoothing=eps, **options),
            )
        )
        if classes[0] == 0:  # else PyTorch divides something by nothing: inf
            assert_equal(found, wanted, classes)
        assert found[0].isnan() and found[1][:2].isnan().all()
        assert (found[1][2] == 0).all()


@pytest.mark.parametrize("spread", ["all", "others"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_first_and_second_derivatives_are_right(reduction, spread):
    for draw_targets, shape in itertools.product(
        (draw_labels, draw_probabilities), ((3, 4), (2, 3, 2))
    ):
        targets = draw_targets(shape)
        if draw_targets is draw_labels:
            targets[0] = -100
        loss_fn = LabelSmoothingCrossEntropy(
            0.2, reduction, weight=draw_weight(shape[1]), spread=spread
        )
        leaf = draw_logits(shape).requires_grad_()
        assert torch.autograd.gradcheck(lambda z, f=loss_fn, y=targets: f(z, y), leaf)
        assert torch.autograd.gradgradcheck(
            lambda z, f=loss_fn, y=targets: f(z, y), leaf
        )


@given(st.floats(0, 1), st.integers(2, 8), st.data())
def test_the_loss_never_falls_below_the_entropy_of_its_target(eps, num_classes, data):
    from scipy.stats import entropy

    number = st.floats(-50, 50)
    row = data.draw(st.lists(number, min_size=num_classes, max_size=num_classes))
    logits = torch.tensor([row], dtype=torch.float64)
    loss = LabelSmoothingCrossEntropy(eps)(logits, torch.tensor([0]))
    target = np.full(num_classes, eps / num_classes)
    target[0] += 1 - eps
    assert loss >= entropy(target) - 1e-12
