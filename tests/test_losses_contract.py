"""Index targets: PyTorch, the definition, edges; for test_fused_contract as well."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

SHAPES = [(6,), (5, 6), (5, 1), (0, 6), (4, 6, 3), (2, 3, 2, 1, 2)]
REDUCTIONS = ("mean", "sum", "none")
EPSILONS = (0.0, 0.1, 1.0)
INF, NAN = math.inf, math.nan
BOTH = pytest.mark.parametrize("spread", ["all", "others"])


# The definition: numpy, float64, row by row; it shares no line with the package -------


def with_rows(array, class_axis):
    array = np.moveaxis(np.asarray(array, dtype=np.float64), class_axis, -1)
    return array.reshape(-1, array.shape[-1]), array.shape


def smoothed_row(q, eps, spread):
    receives = np.ones_like(q) if spread == "all" else 1 - q
    return (1 - eps) * q + eps * receives / receives.sum()


def loss_and_gradient(
    logits, targets, eps, reduction="mean", weight=None, spread="all"
):
    """Loss and its gradient for upstream 1 (for "none": of the sum of the rows)."""
    class_axis = min(1, np.ndim(logits) - 1)
    z, shape = with_rows(logits, class_axis)
    rows, num_classes = np.asarray(targets), z.shape[1]
    probabilities = np.issubdtype(rows.dtype, np.floating)
    rows = with_rows(rows, class_axis)[0] if probabilities else rows.reshape(-1)
    w = np.ones(num_classes) if weight is None else np.asarray(weight, np.float64)

    losses, gradients, shares = [], [], []
    for z_row, target in zip(z, rows, strict=True):
        if not probabilities and target == -100:
            losses.append(0.0)
            gradients.append(np.zeros(num_classes))
            shares.append(0.0)
            continue
        q = target if probabilities else np.eye(num_classes)[target]
        mass = w * smoothed_row(q, eps, spread)
        log_p = z_row - z_row.max()
        log_p = log_p - np.log(np.exp(log_p).sum())
        losses.append(-(mass * log_p).sum())
        gradients.append(mass.sum() * np.exp(log_p) - mass)
        shares.append(1.0 if probabilities else w[target])

    losses, gradients = np.array(losses), np.reshape(gradients, shape)
    gradients = np.moveaxis(gradients, -1, class_axis)
    if reduction == "none":
        return losses.reshape(shape[:-1]), gradients
    if reduction == "sum":
        return losses.sum(), gradients
    with np.errstate(invalid="ignore", divide="ignore"):
        return losses.sum() / np.sum(shares), gradients / np.sum(shares)


def draw_logits(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(shape, dtype=torch.float64, generator=generator)


def draw(*shape):
    return draw_logits(shape, seed=5) / 3


def draw_labels(shape):
    wanted = shape[:1] + shape[2:] if len(shape) > 1 else ()
    generator = torch.Generator().manual_seed(1)
    return torch.randint(shape[min(1, len(shape) - 1)], wanted, generator=generator)


def weights(shape):
    return None, draw_logits(shape[min(1, len(shape) - 1)], seed=3).abs() + 0.1


def value_and_gradients(loss_fn, *inputs):
    """Loss, and its gradient for an upstream gradient of 1, 2, 3, …"""
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    loss = loss_fn(*leaves)
    upstream = torch.arange(1.0, loss.numel() + 1, dtype=torch.float64)
    loss.backward(upstream.reshape(loss.shape))
    return [loss.detach(), *(leaf.grad for leaf in leaves if leaf.requires_grad)]


def value_and_gradient(logits, targets, *args, **options):
    leaf = logits.detach().clone().requires_grad_()
    loss = label_smoothing_cross_entropy(leaf, targets, *args, **options)
    loss.sum().backward()
    return loss.detach(), leaf.grad


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
        REDUCTIONS, weights(shape), EPSILONS, (-100, 2)
    ):
        labels = draw_labels(shape)
        labels.view(-1)[::3] = ignore_index
        options = {
            "weight": weight, "reduction": reduction, "ignore_index": ignore_index
        }  # fmt: skip
        found = value_and_gradients(
            LabelSmoothingCrossEntropy(eps, **options), logits, labels
        )
        if (labels == ignore_index).all() and reduction == "mean":
            # PyTorch: nan with a gradient of zero or nan, as the kernel has it.
            assert found[0].isnan() and (found[1] == 0).all(), f"{eps=} {options}"
            continue
        theirs = torch.nn.CrossEntropyLoss(label_smoothing=eps, **options)
        wanted = value_and_gradients(theirs, logits, labels)
        assert_equal(found, wanted, f"{eps=} {options}")


@BOTH
@pytest.mark.parametrize("shape", [(6,), (5, 2), (4, 6, 3)], ids=str)
def test_both_conventions_equal_their_definition(shape, spread):
    logits, targets = draw_logits(shape), draw_labels(shape)
    targets.view(-1)[1::3] = -100
    for eps, reduction, weight in itertools.product(
        EPSILONS, REDUCTIONS, weights(shape)
    ):
        how = {"eps": eps, "reduction": reduction, "weight": weight, "spread": spread}
        found = value_and_gradient(logits, targets, **how)
        for one, other in zip(
            found, loss_and_gradient(logits, targets, **how), strict=True
        ):
            np.testing.assert_allclose(one, other, 1e-10, 1e-12, err_msg=str(how))


@st.composite
def cases(draw):
    n, num_classes = draw(st.integers(1, 5)), draw(st.integers(2, 7))

    def row(of):
        return st.lists(of, min_size=num_classes, max_size=num_classes)

    number = st.floats(-1e4, 1e4, allow_subnormal=False)
    logits = draw(st.lists(row(number), min_size=n, max_size=n))
    labels = st.sampled_from([*range(num_classes), -100])
    targets = draw(st.lists(labels, min_size=n, max_size=n))
    weight = draw(st.none() | row(st.floats(0.01, 9)).map(np.array).map(torch.tensor))
    return torch.tensor(logits, dtype=torch.float64), torch.tensor(targets), weight


@given(
    cases(), st.floats(0, 1), st.sampled_from(REDUCTIONS),
    st.sampled_from(["all", "others"]),
)  # fmt: skip
def test_any_case_equals_its_definition(case, eps, reduction, spread):
    logits, targets, weight = case
    how = {"eps": eps, "reduction": reduction, "weight": weight, "spread": spread}
    loss, slope = value_and_gradient(logits, targets, **how)
    value, exact = loss_and_gradient(logits, targets, **how)
    if reduction == "mean" and (targets == -100).all():
        exact = np.zeros(logits.shape)  # the mean over nothing
    scale = 1e-10 * (1 + logits.abs().max().item())
    np.testing.assert_allclose(loss, value, 1e-10, scale)
    np.testing.assert_allclose(slope, exact, 1e-9, 1e-10)


@pytest.mark.parametrize("classes", [[0.0, 1, 0, 1, 1, 1], [-1.0, 1, 2, 1, 1, 1]])
def test_the_mean_over_classes_of_weight_0_is_nan_as_pytorch_has_it(classes):
    logits, targets = draw_logits((4, 6)), torch.tensor([2, 0, -100, 0])
    weight = torch.tensor(classes, dtype=torch.float64)
    for eps in EPSILONS:
        loss, slope = value_and_gradient(logits, targets, eps, weight=weight)
        assert loss.isnan() and slope[:2].isnan().all() and (slope[2] == 0).all()


@pytest.mark.parametrize("n", [0, 3])
def test_the_mean_over_nothing_is_nan_with_zero_gradient(n):
    z, y = draw(n, 6), torch.full((n,), -100)
    for weight in (None, draw(6).abs()):
        loss, slope = value_and_gradient(z, y, weight=weight)
        assert loss.isnan() and (slope == 0).all()
        total, slope = value_and_gradient(z, y, reduction="sum", weight=weight)
        assert total == 0 and (slope == 0).all()


def test_any_integer_dtype_names_a_class_or_the_ignored_one():
    z, y = draw(4, 6), torch.tensor([0, 5, 2, 7])
    for dtype in (torch.uint8, torch.int8, torch.int32, torch.uint16, torch.uint64):
        for ignored in (7, torch.tensor(7)):
            loss = label_smoothing_cross_entropy(z, y.to(dtype), ignore_index=ignored)
            assert loss == label_smoothing_cross_entropy(z[:3], y[:3])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_gives_a_float32_loss_and_a_half_gradient(dtype):
    z, y = draw(4, 50).to(dtype), torch.arange(4)
    weight = torch.linspace(0.5, 2, 50).to(dtype)
    soft = torch.nn.functional.one_hot(y, 50).to(dtype)
    for targets, reduction in itertools.product((y, soft), ("mean", "none")):
        loss, slope = value_and_gradient(z, targets, 0.1, reduction, weight=weight)
        assert loss.dtype == torch.float32 and slope.dtype == dtype
        wide = targets.double() if targets is soft else y
        value, exact = loss_and_gradient(
            z.double(), wide, 0.1, reduction, weight.double()
        )
        np.testing.assert_allclose(loss, value, rtol=1e-5)
        np.testing.assert_allclose(slope.double(), exact, rtol=1e-2, atol=1e-6)


@BOTH
def test_ignored_rows_give_exactly_zero_gradient_whatever_they_hold(spread):
    y = torch.tensor([0, -100, 2, -100])
    dirty = draw(4, 6)
    dirty[1], dirty[3], dirty[3, 2] = NAN, 0, INF
    for weight, eps, reduction in itertools.product(
        (None, draw(6).abs()), (0.0, 0.1, 1.0), ("mean", "none")
    ):
        options = {"weight": weight, "spread": spread, "reduction": reduction}
        loss, slope = value_and_gradient(dirty, y, eps, **options)
        clean, slope_clean = value_and_gradient(dirty[::2], y[::2], eps, **options)
        assert torch.equal(loss[::2] if reduction == "none" else loss, clean)
        assert torch.equal(slope[::2], slope_clean) and (slope[1::2] == 0).all()
    loss, _ = value_and_gradient(dirty, torch.tensor([0, 1, 2, 3]), 0.1, "none")
    assert loss[:2].isnan().tolist() == [False, True]  # in a live row it is not hidden


@pytest.mark.parametrize(
    "dtype, lowest, digits", [(torch.float32, -70, 1e-5), (torch.float64, -600, 1e-13)]
)
def test_the_least_probable_classes_keep_their_digits(dtype, lowest, digits):
    z = torch.linspace(lowest, 0, 4001, dtype=dtype).unsqueeze(0)
    _, slope = value_and_gradient(z, torch.tensor([4000]), 0.0, "sum")
    wanted = z.double().softmax(1)
    assert torch.allclose(slope[:, :-1].double(), wanted[:, :-1], rtol=digits, atol=0)


def masked(z, k):
    return z.index_fill(1, torch.tensor([k]), -INF)


@BOTH
@pytest.mark.parametrize("weighted", [False, True])
def test_a_masked_class_that_has_mass_costs_all_and_its_gradient_is_finite(
    weighted, spread
):
    weight = draw(6).abs() if weighted else None
    options = {"weight": weight, "spread": spread}
    z, y = draw(2, 6), torch.tensor([2, 2])
    z[0, 5] = -INF
    loss, slope = value_and_gradient(z, y, 0.1, "none", **options)
    assert loss[0] == INF and loss[1].isfinite() and slope.isfinite().all()
    each = 0.1 / (6 if spread == "all" else 5) * (weight[5] if weighted else 1)
    assert slope[0, 5] == pytest.approx(-float(each), abs=1e-15)  # p = 0 there
    wants_5 = torch.tensor([[0.5, 0, 0, 0, 0, 0.5]] * 2, dtype=torch.float64)
    for targets in (y + 3, wants_5):  # the true class
        loss, slope = value_and_gradient(z, targets, 0.0, "none", **options)
        assert loss[0] == INF and slope.isfinite().all()


def test_a_masked_class_costs_nothing_where_no_mass_is():
    z, y = draw(2, 6), torch.tensor([2, 0])
    for targets in (y, torch.eye(6, dtype=torch.float64)[y]):
        loss, slope = value_and_gradient(masked(z, 5), targets, eps=0.0)
        five, slope_five = value_and_gradient(z[:, :5], y, eps=0.0)
        assert loss == pytest.approx(five.item(), rel=1e-14)
        assert torch.allclose(slope[:, :5], slope_five) and (slope[:, 5] == 0).all()
    # A target of eps = 1 that goes to the others does not ask for the true class.
    loss, slope = value_and_gradient(
        masked(z, 2), y[:1].expand(2), 1.0, spread="others"
    )
    assert loss.isfinite() and slope.isfinite().all()


@BOTH
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_a_class_without_weight_may_be_masked(kind, spread):
    weight = torch.tensor([1.0, 1, 1, 1, 1, 0], dtype=torch.float64)
    options = {"reduction": "sum", "weight": weight, "spread": spread}
    far = draw(1, 6)
    far[0, 5] = -800.0  # as good as masked
    for true_class in (2, 5):
        y = torch.tensor([true_class])
        targets = y if kind == "labels" else torch.nn.functional.one_hot(y, 6).double()
        loss, slope = value_and_gradient(masked(far, 5), targets, 0.1, **options)
        near, slope_near = value_and_gradient(far, targets, 0.1, **options)
        assert loss == pytest.approx(near.item(), rel=1e-12) and loss.isfinite()
        assert torch.allclose(slope, slope_near, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("layout", ["strided", "transposed", "offset", "expanded"])
def test_memory_layout_does_not_matter_and_inputs_are_not_modified(layout):
    z, y, weight = draw(4, 6), torch.tensor([0, -100, 5, 2]), draw(6).abs()
    z = z[:1].expand(4, 6) if layout == "expanded" else z
    expected = value_and_gradient(z.contiguous(), y, weight=weight)
    leaf = {
        "strided": z.repeat_interleave(2, 0).repeat_interleave(3, 1)[::2, 1::3],
        "transposed": z.t().contiguous().t(),
        "offset": torch.cat([z.new_zeros(7), z.reshape(-1)])[7:].view(z.shape),
        "expanded": z,
    }[layout].requires_grad_()
    odd, odd_weight = (x.repeat_interleave(2)[::2] for x in (y, weight))
    before = [x.detach().clone() for x in (leaf, odd, odd_weight)]
    loss = label_smoothing_cross_entropy(leaf, odd, weight=odd_weight)
    loss.backward()
    assert torch.allclose(loss, expected[0], rtol=1e-14)
    assert torch.allclose(leaf.grad, expected[1], rtol=1e-14)
    for x, copied in zip((leaf, odd, odd_weight), before, strict=True):
        assert torch.equal(x.detach(), copied)


def test_the_module_and_its_copies_are_the_function_with_its_options_kept():
    z, y, weight = draw(4, 6), torch.tensor([0, 3, 255, 5]), draw(6).abs()
    options = {"ignore_index": 255, "spread": "others", "weight": weight}
    wanted = label_smoothing_cross_entropy(z, y, 0.3, "none", **options)
    module = LabelSmoothingCrossEntropy(0.3, "none", **options)
    for twin in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(z, y), wanted)
    assert torch.equal(module.state_dict()["weight"], weight)  # saved, and it moves
    assert module.to("meta").weight.device.type == "meta"
    assert not list(module.parameters())
    y[2] = -100
    tenth = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(z, y).item()
    module = LabelSmoothingCrossEntropy()
    assert module(z, y).item() == pytest.approx(tenth, rel=1e-14)
    module.eps, module.reduction = 0.3, "sum"  # a change counts, and is checked
    assert module(z, y) == label_smoothing_cross_entropy(z, y, 0.3, "sum")
    for name, bad in (("eps", NAN), ("reduction", "avg"), ("spread", "")):
        wrong = LabelSmoothingCrossEntropy()
        setattr(wrong, name, bad)
        with pytest.raises(ValueError, match=f"^{name} must "):
            wrong(z, y)
