"""Where a loss can slip: precision, masks, ignored rows, memory layout, gradients.

``test_fused_contract`` runs all of this once more with the fused loss.
"""

import copy
import itertools
import math
import pickle

import pytest
import torch
from loss_oracle import loss_and_gradient

from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

INF, NAN = math.inf, math.nan
BOTH = pytest.mark.parametrize("spread", ["all", "others"])


def draw(*shape):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def masked(z, k):
    z = z.clone()
    z[:, k] = -INF
    return z


def value_and_gradient(logits, targets, *args, **options):
    leaf = logits.detach().clone().requires_grad_()
    loss = label_smoothing_cross_entropy(leaf, targets, *args, **options)
    loss.sum().backward()
    return loss.detach(), leaf.grad


def test_any_integer_dtype_names_a_class_or_the_ignored_one():
    z, y = draw(4, 6), torch.tensor([0, 5, 2, 7])
    for dtype in (torch.uint8, torch.int8, torch.int32, torch.uint16, torch.uint64):
        loss = label_smoothing_cross_entropy(z, y.to(dtype), ignore_index=7)
        assert loss == label_smoothing_cross_entropy(z[:3], y[:3])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_gives_a_float32_loss_and_a_half_gradient(dtype):
    z, y = draw(4, 50).to(dtype), torch.arange(4)
    weight = torch.linspace(0.5, 2, 50).to(dtype)
    soft = torch.nn.functional.one_hot(y, 50).to(dtype)
    for targets, reduction in itertools.product((y, soft), ("mean", "none")):
        loss, slope = value_and_gradient(z, targets, 0.1, reduction, weight=weight)
        assert loss.dtype == torch.float32 and slope.dtype == dtype
        as_numpy = targets.double().numpy() if targets is soft else y
        value, exact = loss_and_gradient(
            z.double(), as_numpy, 0.1, reduction, weight.double()
        )
        assert torch.allclose(loss.double(), torch.as_tensor(value), rtol=1e-5)
        exact = torch.as_tensor(exact)
        assert torch.allclose(slope.double(), exact, rtol=1e-2, atol=1e-6)


@BOTH
@pytest.mark.parametrize("rubbish", [NAN, INF])
def test_ignored_rows_give_exactly_zero_gradient_whatever_they_hold(rubbish, spread):
    y = torch.tensor([0, -100, 2, -100])
    dirty = draw(4, 6)
    dirty[1], dirty[3, 2] = rubbish, rubbish
    for weight, eps, reduction in itertools.product(
        (None, draw(6).abs()), (0.0, 0.1, 1.0), ("mean", "none")
    ):
        options = {"weight": weight, "spread": spread, "reduction": reduction}
        loss, slope = value_and_gradient(dirty, y, eps, **options)
        clean, slope_clean = value_and_gradient(dirty[::2], y[::2], eps, **options)
        assert torch.equal(loss[::2] if reduction == "none" else loss, clean)
        assert torch.equal(slope[::2], slope_clean) and (slope[1::2] == 0).all()


def test_nan_in_a_live_row_is_not_hidden():
    z = draw(3, 6)
    z[1, 4] = NAN
    loss = label_smoothing_cross_entropy(z, torch.arange(3), reduction="none")
    assert loss.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize(
    "dtype, lowest, digits", [(torch.float32, -70, 1e-5), (torch.float64, -600, 1e-13)]
)
def test_the_least_probable_classes_keep_their_digits(dtype, lowest, digits):
    z = torch.linspace(lowest, 0, 4001, dtype=dtype).unsqueeze(0)
    _, slope = value_and_gradient(z, torch.tensor([4000]), 0.0, "sum")
    wanted = z.double().softmax(1)
    assert torch.allclose(slope[:, :-1].double(), wanted[:, :-1], rtol=digits, atol=0)


# Masked classes: a logit of -inf ------------------------------------------------------


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
    loss, slope = value_and_gradient(masked(z, 5), y, eps=0.0)
    five, slope_five = value_and_gradient(z[:, :5], y, eps=0.0)
    assert loss == five and torch.equal(slope[:, :5], slope_five)
    assert (slope[:, 5] == 0).all()
    # A target of eps = 1 that goes to the others does not ask for the true class.
    loss, slope = value_and_gradient(
        masked(z, 2), y[:1].expand(2), 1.0, spread="others"
    )
    assert loss.isfinite() and slope.isfinite().all()


@BOTH
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("true_class", [2, 5])
def test_a_class_without_weight_may_be_masked(true_class, kind, spread):
    weight = torch.ones(6, dtype=torch.float64)
    weight[5] = 0.0
    y = torch.tensor([true_class])
    targets = y if kind == "labels" else torch.nn.functional.one_hot(y, 6).double()
    options = {"reduction": "sum", "weight": weight, "spread": spread}
    loss, slope = value_and_gradient(masked(draw(1, 6), 5), targets, 0.1, **options)
    far = draw(1, 6)
    far[0, 5] = -800.0  # as good as masked
    near, slope_near = value_and_gradient(far, targets, 0.1, **options)
    assert loss == pytest.approx(near.item(), rel=1e-12) and loss.isfinite()
    assert torch.allclose(slope, slope_near, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [0, 3])
def test_the_mean_over_nothing_is_nan_with_zero_gradient(n):
    z, y = draw(n, 6), torch.full((n,), -100)
    for weight in (None, draw(6).abs()):
        loss, slope = value_and_gradient(z, y, weight=weight)
        assert loss.isnan() and (slope == 0).all()
        total, slope = value_and_gradient(z, y, reduction="sum", weight=weight)
        assert total == 0 and (slope == 0).all()


# Memory, autograd, the module --------------------------------------------------------


def layouts(z):
    wide = torch.zeros(2 * z.shape[0], 3 * z.shape[1] + 1, dtype=z.dtype)
    strided = wide[::2, 1::3]
    strided.copy_(z)
    offset = torch.zeros(7 + z.numel(), dtype=z.dtype)[7:].view(z.shape)
    offset.copy_(z)
    return {"strided": strided, "transposed": z.t().contiguous().t(), "offset": offset}


@pytest.mark.parametrize("layout", ["strided", "transposed", "offset"])
def test_memory_layout_does_not_matter_and_inputs_are_not_modified(layout):
    z, y, weight = draw(4, 6), torch.tensor([0, -100, 5, 2]), draw(6).abs()
    expected = value_and_gradient(z, y, weight=weight)
    leaf = layouts(z)[layout].requires_grad_()
    odd, odd_weight = (x.repeat_interleave(2)[::2] for x in (y, weight))
    before = [x.detach().clone() for x in (leaf, odd, odd_weight)]
    loss = label_smoothing_cross_entropy(leaf, odd, weight=odd_weight)
    loss.backward()
    assert torch.allclose(loss, expected[0], rtol=1e-14)
    assert torch.allclose(leaf.grad, expected[1], rtol=1e-14)
    for x, copied in zip((leaf, odd, odd_weight), before, strict=True):
        assert torch.equal(x.detach(), copied)


def test_expanded_inputs_work():
    z, y = draw(1, 6), torch.tensor([2])
    loss, slope = value_and_gradient(z, y)
    leaf = z.clone().requires_grad_()
    label_smoothing_cross_entropy(leaf.expand(5, 6), y.expand(5)).backward()
    assert torch.allclose(leaf.grad, slope, rtol=1e-14)
    weight = torch.ones(1, dtype=torch.float64).expand(6)
    assert label_smoothing_cross_entropy(z, y, weight=weight) == loss


def test_backward_passes_add_up_and_scale_with_the_upstream_gradient():
    y = torch.arange(4)
    _, slope = value_and_gradient(draw(4, 6), y)
    leaf = draw(4, 6).requires_grad_()
    loss = label_smoothing_cross_entropy(leaf, y)
    (-2.5 * loss).backward(retain_graph=True)
    assert torch.allclose(leaf.grad, -2.5 * slope, rtol=1e-14)
    loss.backward()
    assert torch.allclose(leaf.grad, -1.5 * slope, rtol=1e-14)


def test_by_default_it_is_pytorch_with_a_tenth():
    z, y = draw(4, 6), torch.tensor([0, 3, -100, 5])
    wanted = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(z, y)
    assert LabelSmoothingCrossEntropy()(z, y) == pytest.approx(wanted.item(), rel=1e-14)
    assert label_smoothing_cross_entropy(z, y) == LabelSmoothingCrossEntropy()(z, y)


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


def test_an_option_that_is_changed_later_counts_and_is_checked():
    z, y = draw(3, 6), torch.arange(3)
    loss_fn = LabelSmoothingCrossEntropy(0.1)
    loss_fn.eps, loss_fn.reduction = 0.3, "sum"
    assert loss_fn(z, y) == label_smoothing_cross_entropy(z, y, 0.3, "sum")
    for name, bad in (("eps", NAN), ("eps", 1.5), ("reduction", "avg"), ("spread", "")):
        wrong = LabelSmoothingCrossEntropy()
        setattr(wrong, name, bad)
        with pytest.raises(ValueError, match=f"^{name} must "):
            wrong(z, y)


@pytest.mark.parametrize("label", [-1, 6, 255])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_a_label_out_of_range_raises_on_the_cpu(label, shape):
    y = torch.zeros(shape, dtype=torch.int64)
    y.view(-1)[-1] = label
    z = torch.zeros(y.shape[:1] + (6,) + y.shape[1:])
    with pytest.raises(IndexError, match=rf"in 0 ... 5 or equal .*, got {label}\.$"):
        LabelSmoothingCrossEntropy()(z, y)


def test_any_integer_can_be_the_ignored_one():
    for ignore_index in (-1, 6, 255, torch.tensor(8)):
        y = torch.tensor([0, int(ignore_index), 2])
        z = torch.zeros(3, 6)
        loss = label_smoothing_cross_entropy(z, y, ignore_index=ignore_index)
        assert loss == pytest.approx(math.log(6))
