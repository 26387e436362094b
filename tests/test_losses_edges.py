"""Where a loss can slip: precision, masks, ignored rows, memory layout, gradients."""

import copy
import inspect
import itertools
import math
import pickle

import pytest
import torch
from loss_oracle import loss_and_gradient

from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

INF, NAN = math.inf, math.nan
INTEGERS = (
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.uint16, torch.uint32, torch.uint64,
)  # fmt: skip
HALVES = (torch.float16, torch.bfloat16)
BOTH = pytest.mark.parametrize("spread", ["all", "others"])


def draw(*shape):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def value_and_gradient(logits, targets, *args, **options):
    leaf = logits.detach().clone().requires_grad_()
    loss = label_smoothing_cross_entropy(leaf, targets, *args, **options)
    loss.sum().backward()
    return loss.detach(), leaf.grad


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_any_integer_dtype_names_a_class(dtype):
    z, y = draw(3, 6), torch.tensor([0, 5, 2])
    loss = label_smoothing_cross_entropy(z, y.to(dtype))
    assert loss == torch.nn.functional.cross_entropy(z, y, label_smoothing=0.1)


def test_an_unsigned_label_can_mean_ignore():
    z = draw(3, 6)
    loss = label_smoothing_cross_entropy(
        z, torch.tensor([0, 255, 2], dtype=torch.uint8), ignore_index=255
    )
    assert loss == label_smoothing_cross_entropy(z[::2], torch.tensor([0, 2]))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_half_precision_gives_a_float32_loss_and_a_half_gradient(dtype, reduction):
    z, y = draw(4, 50).to(dtype), torch.arange(4)
    weight = torch.linspace(0.5, 2, 50).to(dtype)
    for targets in (y, torch.nn.functional.one_hot(y, 50).to(dtype)):
        loss, slope = value_and_gradient(z, targets, 0.1, reduction, weight=weight)
        assert loss.dtype == torch.float32 and slope.dtype == dtype
        value, exact = loss_and_gradient(
            z.double().numpy(), targets.double().numpy() if targets.ndim > 1 else y,
            0.1, reduction, weight.double().numpy(),
        )  # fmt: skip
        assert torch.allclose(loss.double(), torch.as_tensor(value), rtol=1e-5)
        exact = torch.as_tensor(exact)
        assert torch.allclose(slope.double(), exact, rtol=1e-2, atol=1e-6)


def test_where_pytorch_overflows_in_float16_this_loss_does_not():
    z, y = draw(4, 20_000).half(), torch.arange(4)
    theirs = torch.nn.functional.cross_entropy(z, y, label_smoothing=0.1)
    ours, slope = value_and_gradient(z, y)
    assert theirs.isinf() and ours.isfinite() and slope.isfinite().all()


@BOTH
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("rubbish", [NAN, INF, -INF])
def test_ignored_rows_give_exactly_zero_gradient_whatever_they_hold(
    rubbish, reduction, spread
):
    y = torch.tensor([0, -100, 2, -100])
    dirty = draw(4, 6)
    dirty[1] = rubbish
    dirty[3, 2] = rubbish
    for weight, eps in itertools.product((None, draw(6).abs()), (0.0, 0.1, 1.0)):
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
    y = torch.tensor([4000])
    _, slope = value_and_gradient(z, y, 0.0, "sum")
    wanted = z.double().softmax(1)
    assert torch.allclose(slope[:, :-1].double(), wanted[:, :-1], rtol=digits, atol=0)


@BOTH
def test_a_masked_class_gives_infinite_loss_and_finite_gradient(spread):
    z = draw(2, 6)
    z[0, 5] = -INF
    loss, slope = value_and_gradient(
        z, torch.tensor([2, 2]), 0.1, "none", spread=spread
    )
    other = 0.1 / 6 if spread == "all" else 0.1 / 5
    assert loss[0] == INF and loss[1].isfinite() and slope.isfinite().all()
    assert slope[0, 5] == pytest.approx(-other, abs=1e-15)  # p = 0 there


@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_a_masked_class_with_mass_and_weight_is_never_excused(eps):
    z, weight = draw(1, 6), draw(6).abs()
    z[0, 5] = -INF
    wants_5 = torch.tensor([[0.5, 0, 0, 0, 0, 0.5]], dtype=torch.float64)
    for targets, factor in itertools.product(
        (torch.tensor([5]), wants_5), (None, weight)
    ):
        loss, slope = value_and_gradient(z, targets, eps, "sum", weight=factor)
        assert loss == INF and slope.isfinite().all()
    loss, _ = value_and_gradient(z, torch.tensor([0]), 0.1, weight=weight)
    assert loss == INF


def test_a_masked_class_costs_nothing_without_smoothing():
    z = draw(2, 6)
    z[:, 5] = -INF
    y = torch.tensor([2, 0])
    loss, slope = value_and_gradient(z, y, eps=0.0)
    five, slope_five = value_and_gradient(z[:, :5], y, eps=0.0)
    assert loss == five and torch.equal(slope[:, :5], slope_five)
    assert (slope[:, 5] == 0).all()


def test_a_masked_true_class_gives_infinite_loss_and_finite_gradient():
    z = draw(1, 6)
    z[0, 2] = -INF
    loss, slope = value_and_gradient(z, torch.tensor([2]))
    assert loss == INF and slope.isfinite().all()
    # Without it among the receivers of eps, a target of eps = 1 does not ask for it.
    loss, slope = value_and_gradient(z, torch.tensor([2]), 1.0, spread="others")
    assert loss.isfinite() and slope.isfinite().all()


@BOTH
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
@pytest.mark.parametrize("true_class", [2, 5])
def test_a_class_without_weight_may_be_masked(true_class, kind, spread):
    z, weight = draw(1, 6), torch.ones(6, dtype=torch.float64)
    weight[5] = 0.0
    y = torch.tensor([true_class])
    targets = y if kind == "labels" else torch.nn.functional.one_hot(y, 6).double()
    masked = z.clone()
    masked[0, 5] = -INF
    options = {"reduction": "sum", "weight": weight, "spread": spread}
    loss, slope = value_and_gradient(masked, targets, 0.1, **options)
    far = z.clone()
    far[0, 5] = -800.0  # as good as masked
    near, slope_near = value_and_gradient(far, targets, 0.1, **options)
    assert loss == pytest.approx(near.item(), rel=1e-12) and loss.isfinite()
    assert torch.allclose(slope, slope_near, rtol=1e-12, atol=1e-15)


def test_a_class_without_probability_may_be_masked():
    z = draw(1, 6)
    z[0, 5] = -INF
    target = torch.tensor([[0.02, 0.02, 0.92, 0.02, 0.02, 0.0]], dtype=torch.float64)
    loss, slope = value_and_gradient(z, target, eps=0.0)
    five, slope_five = value_and_gradient(z[:, :5], target[:, :5], eps=0.0)
    assert loss == pytest.approx(five.item(), rel=1e-12)
    assert torch.allclose(slope[:, :5], slope_five) and slope[0, 5] == 0


@pytest.mark.parametrize("n", [0, 3])
def test_the_mean_over_nothing_is_nan_with_zero_gradient(n):
    z, y = draw(n, 6), torch.full((n,), -100)
    for weight in (None, draw(6).abs()):
        loss, slope = value_and_gradient(z, y, weight=weight)
        assert loss.isnan() and (slope == 0).all()
        total, slope = value_and_gradient(z, y, reduction="sum", weight=weight)
        assert total == 0 and (slope == 0).all()


def layouts(z):
    wide = torch.zeros(2 * z.shape[0], 3 * z.shape[1] + 1, dtype=z.dtype)
    strided = wide[::2, 1::3]
    strided.copy_(z)
    transposed = z.t().contiguous().t()
    storage = torch.zeros(7 + z.numel(), dtype=z.dtype)
    offset = storage[7:].view(z.shape)
    offset.copy_(z)
    return {"strided": strided, "transposed": transposed, "offset": offset}


@pytest.mark.parametrize("layout", ["strided", "transposed", "offset"])
def test_memory_layout_does_not_matter_and_inputs_are_not_modified(layout):
    z, y = draw(4, 6), torch.tensor([0, -100, 5, 2])
    q, weight = draw(4, 6).softmax(1), draw(6).abs()
    for targets in (y, q):
        expected = value_and_gradient(z, targets, weight=weight)
        leaf = layouts(z)[layout].requires_grad_()
        odd = layouts(q)[layout] if targets is q else y.repeat_interleave(2)[::2]
        odd_weight = weight.repeat_interleave(2)[::2]
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


def test_the_upstream_gradient_scales_the_gradient():
    z, y = draw(4, 6), torch.arange(4)
    _, slope = value_and_gradient(z, y)
    leaf = z.clone().requires_grad_()
    (-2.5 * label_smoothing_cross_entropy(leaf, y)).backward()
    assert torch.allclose(leaf.grad, -2.5 * slope, rtol=1e-14)


def test_backward_twice_with_retain_graph_doubles_the_gradient():
    leaf, y = draw(4, 6).requires_grad_(), torch.arange(4)
    loss = label_smoothing_cross_entropy(leaf, y)
    loss.backward(retain_graph=True)
    once = leaf.grad.clone()
    loss.backward()
    assert torch.equal(leaf.grad, 2 * once)


def test_the_module_is_the_function_with_its_options_kept():
    z, y, weight = draw(4, 6), torch.tensor([0, 3, 255, 5]), draw(6).abs()
    for reduction, spread in itertools.product(
        ("mean", "sum", "none"), ("all", "others")
    ):
        options = {"ignore_index": 255, "spread": spread, "weight": weight}
        module = LabelSmoothingCrossEntropy(0.3, reduction, **options)
        function = label_smoothing_cross_entropy(z, y, 0.3, reduction, **options)
        assert torch.equal(module(z, y), function)


def test_by_default_it_is_pytorch_with_a_tenth():
    z, y = draw(4, 6), torch.tensor([0, 3, -100, 5])
    wanted = torch.nn.CrossEntropyLoss(label_smoothing=0.1)(z, y)
    assert LabelSmoothingCrossEntropy()(z, y) == pytest.approx(wanted.item(), rel=1e-14)
    assert label_smoothing_cross_entropy(z, y) == LabelSmoothingCrossEntropy()(z, y)


def test_the_weight_is_a_buffer_that_moves_and_is_saved():
    weight = torch.tensor([1.0, 2, 3])
    module = LabelSmoothingCrossEntropy(0.1, weight=weight)
    assert not list(module.parameters())
    assert torch.equal(module.state_dict()["weight"], weight)
    assert module.to(torch.float64).weight.dtype == torch.float64
    assert module.to("meta").weight.device.type == "meta"
    other = LabelSmoothingCrossEntropy(0.1, weight=torch.zeros(3))
    other.load_state_dict({"weight": weight})
    assert torch.equal(other.weight, weight)
    assert not LabelSmoothingCrossEntropy(0.1).state_dict()


@pytest.mark.parametrize("dtype", [torch.float64, *HALVES], ids=str)
def test_a_weight_of_another_precision_is_converted(dtype):
    z, y = draw(3, 3).float(), torch.arange(3)
    weight = torch.tensor([1.0, 2, 4])  # exact in every dtype
    loss = label_smoothing_cross_entropy(z, y, weight=weight.to(dtype))
    assert loss.dtype == torch.float32
    assert loss == label_smoothing_cross_entropy(z, y, weight=weight)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_gives_the_same_loss(copied):
    z, y = draw(3, 3), torch.tensor([0, 2, 7])
    module = LabelSmoothingCrossEntropy(
        0.3, "none", weight=torch.rand(3), ignore_index=7, spread="others"
    )
    twin = copied(module)
    assert torch.equal(twin(z, y), module(z, y)) and twin.weight is not module.weight


def test_its_arguments_can_be_read_and_no_others_are_taken():
    options = "eps=0.1, reduction='mean', *, weight=None, ignore_index=-100"
    options += ", spread='all', check_targets=False"
    module, function = LabelSmoothingCrossEntropy, label_smoothing_cross_entropy
    assert str(inspect.signature(module)) == f"({options})"
    assert str(inspect.signature(function)) == f"(logits, targets, {options})"
    z, y = draw(3, 6), torch.arange(3)
    for call in (lambda *a, **k: function(z, y, *a, **k), module):
        with pytest.raises(TypeError, match="unexpected keyword argument 'smoothing'"):
            call(smoothing=0.1)
        with pytest.raises(TypeError, match="positional arguments"):
            call(0.1, "mean", None)


def test_an_option_that_is_changed_later_counts():
    z, y = draw(3, 6), torch.arange(3)
    loss_fn = LabelSmoothingCrossEntropy(0.1)
    loss_fn.eps, loss_fn.reduction = 0.3, "sum"
    assert loss_fn(z, y) == label_smoothing_cross_entropy(z, y, 0.3, "sum")
    for name, bad in (("eps", NAN), ("eps", 1.5), ("reduction", "avg"), ("spread", "")):
        with pytest.raises(ValueError, match=f"^{name} must "):
            wrong = LabelSmoothingCrossEntropy()
            setattr(wrong, name, bad)
            wrong(z, y)


def test_it_says_what_it_is():
    module = LabelSmoothingCrossEntropy(
        0.2, "sum", weight=torch.ones(6), ignore_index=0, spread="others"
    )
    assert repr(module) == (
        "LabelSmoothingCrossEntropy(eps=0.2, reduction='sum', weight=(6,), "
        "ignore_index=0, spread='others')"
    )
