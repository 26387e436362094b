"""What the loss says of bad input: one sentence with the argument and its value."""

import math

import numpy as np
import pytest
import torch

from lsr_utils import losses
from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

Z = torch.zeros(3, 6)
Y = torch.tensor([0, 1, 2])
Q = torch.full((3, 6), 1 / 6)


def message_of(error, call, *args, **options):
    """The message of the error that the call raises: one sentence, one line."""
    with pytest.raises(error) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert type(caught.value) is error
    assert message.endswith(".") and "\n" not in message
    return message


OPTIONS = [
    (ValueError, {"eps": math.nan}, "eps must lie in [0, 1], got nan."),
    (ValueError, {"eps": -0.1}, "eps must lie in [0, 1], got -0.1."),
    (ValueError, {"eps": 1.5}, "eps must lie in [0, 1], got 1.5."),
    (ValueError, {"eps": math.inf}, "eps must lie in [0, 1], got inf."),
    (TypeError, {"eps": "0.1"}, "eps must be a number in [0, 1], got '0.1'."),
    (TypeError, {"eps": None}, "eps must be a number in [0, 1], got None."),
    (
        ValueError,
        {"reduction": "avg"},
        "reduction must be 'mean', 'sum' or 'none', got 'avg'.",
    ),
    (
        ValueError,
        {"reduction": None},
        "reduction must be 'mean', 'sum' or 'none', got None.",
    ),
    (ValueError, {"spread": "rest"}, "spread must be 'all' or 'others', got 'rest'."),
    (
        ValueError,
        {"ignore_index": 255.5},
        "ignore_index must be a whole number, -9223372036854775808 to "
        "9223372036854775807, got 255.5.",
    ),
    (
        ValueError,
        {"ignore_index": None},
        "ignore_index must be a whole number, -9223372036854775808 to "
        "9223372036854775807, got None.",
    ),
    (
        TypeError,
        {"weight": [1.0] * 6},
        "weight must be a floating-point tensor, got <class 'list'>.",
    ),
    (
        TypeError,
        {"weight": torch.ones(6).long()},
        "weight must be a floating-point tensor, got torch.int64.",
    ),
]


@pytest.mark.parametrize(("error", "options", "message"), OPTIONS)
def test_a_bad_option_is_named(error, options, message):
    assert message_of(error, LabelSmoothingCrossEntropy, **options) == message
    function = label_smoothing_cross_entropy
    assert message_of(error, function, Z, Y, **options) == message


def test_a_weight_of_the_wrong_shape_is_named():
    message = message_of(
        ValueError, LabelSmoothingCrossEntropy, weight=torch.ones(2, 3)
    )
    assert message == "weight must have shape (K,), one factor a class, got (2, 3)."
    function = label_smoothing_cross_entropy
    for targets in (Y, Q):
        message = message_of(ValueError, function, Z, targets, weight=torch.ones(5))
        assert message == "weight must have shape (6,), one factor a class, got (5,)."


INPUTS = [
    (
        TypeError,
        (Z.long(), Y),
        "logits must be a floating-point tensor, got torch.int64.",
    ),
    (TypeError, (Z.cfloat(), Y), "got torch.complex64."),
    (TypeError, (Z.numpy(), Y), "logits must be a floating-point tensor, got <class"),
    (ValueError, (torch.tensor(1.0), Y[0]), "or (K,) with K at least 1, got ()."),
    (ValueError, (torch.zeros(3, 0), Y), "with K at least 1, got (3, 0)."),
    (
        TypeError,
        (Z, Y.numpy()),
        "targets must be a tensor, got <class 'numpy.ndarray'>.",
    ),
    (TypeError, (Z, [0, 1, 2]), "targets must be a tensor, got <class 'list'>."),
    (TypeError, (Z, Y > 0), "targets must be class indices (any integer dtype) or"),
    (TypeError, (Z, Q.cfloat()), "(floating point), got dtype torch.complex64."),
    (ValueError, (Z, Y[:2]), "are class indices and must have shape (3,) for"),
    (ValueError, (Z, Y[:, None]), "are class indices and must have shape (3,) for"),
    (ValueError, (Z, Z.long()), "are class indices and must have shape (3,) for"),
    (ValueError, (Z[0], Y[:1]), "are class indices and must have shape () for"),
    (
        ValueError,
        (torch.zeros(2, 6, 3), Y[:2]),
        "are class indices and must have shape (2, 3) for",
    ),
    (
        ValueError,
        (Z, Y.float()),
        "targets of dtype torch.float32 are probabilities and must have shape (3, 6) "
        "for logits of shape (3, 6), got (3,).",
    ),
    (
        ValueError,
        (torch.zeros(2, 6, 3), torch.zeros(2, 3, 6)),
        "(2, 6, 3), got (2, 3, 6)",
    ),
    (
        ValueError,
        (Z, Y.to("meta")),
        "logits and targets must be on one device, got cpu",
    ),
]


@pytest.mark.parametrize(("error", "inputs", "message"), INPUTS)
def test_a_bad_input_is_named(error, inputs, message):
    assert message in message_of(error, label_smoothing_cross_entropy, *inputs)


def test_a_weight_on_another_device_is_named():
    message = message_of(
        ValueError, label_smoothing_cross_entropy, Z, Y, weight=torch.ones(6).to("meta")
    )
    assert message == "logits and weight must be on one device, got cpu and meta."


def test_probabilities_cannot_be_ignored_by_index():
    message = message_of(ValueError, LabelSmoothingCrossEntropy(ignore_index=0), Z, Q)
    assert message == (
        "ignore_index needs targets that are class indices, "
        "got ignore_index=0 with probabilities."
    )
    for below_all_classes in (-1, -100):
        assert LabelSmoothingCrossEntropy(ignore_index=below_all_classes)(Z, Q) > 0


LOGITS = torch.tensor([[1.0, 0, 0]])
NO_DISTRIBUTIONS = [  # each would give a loss that looks like one
    ([3.0, -1, -1], "targets must lie in [0, 1] (a softmax of logits does), got 3."),
    (
        [-0.5, 0.5, 1],
        "targets must lie in [0, 1] (a softmax of logits does), got -0.5.",
    ),
    ([1.0, 0, 1], "targets must sum to 1 in each row, got 2.0000."),
    ([0.3, 0.3, 0.3], "targets must sum to 1 in each row, got 0.9000."),
    ([90.0, 5, 5], "targets must lie in [0, 1] (a softmax of logits does), got 90."),
    (
        [math.nan, 0, 1],
        "targets must lie in [0, 1] (a softmax of logits does), got nan.",
    ),
]


@pytest.mark.parametrize(("row", "message"), NO_DISTRIBUTIONS)
def test_probability_targets_that_are_none_are_named(row, message):
    bad = torch.tensor([row])
    for z, q in ((LOGITS, bad), (LOGITS[0], bad[0]), (LOGITS.mT[None], bad.mT[None])):
        assert message_of(ValueError, label_smoothing_cross_entropy, z, q) == message


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_that_rounding_keeps_from_one_are_taken(dtype):
    z = torch.randn(50, 1000, generator=torch.Generator().manual_seed(0))
    q = z.flip(1).softmax(1).to(dtype)
    loss = label_smoothing_cross_entropy(z, q)
    wanted = torch.nn.functional.cross_entropy(z, q.float(), label_smoothing=0.1)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=0)


def test_the_others_convention_needs_others():
    one = torch.zeros(3, 1)
    function = label_smoothing_cross_entropy
    message = message_of(ValueError, function, one, Y * 0, 0.1, spread="others")
    assert message == "spread='others' needs at least 2 classes, got num_classes=1."
    assert function(one, Y * 0, 0.0, spread="others") == 0


@pytest.mark.parametrize("label", [-1, -99, 6, 255])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_a_label_out_of_range_raises_on_the_cpu(label, shape):
    y = torch.zeros(shape, dtype=torch.int64)
    y.view(-1)[-1] = label
    z = torch.zeros(y.shape[:1] + (6,) + y.shape[1:])
    for reduction in ("mean", "sum", "none"):
        message = message_of(
            IndexError, LabelSmoothingCrossEntropy(0.1, reduction), z, y
        )
        wanted = f"targets must lie in 0 ... 5 or equal ignore_index, got {label}."
        assert message == wanted


def test_any_integer_can_be_the_ignored_one():
    for ignore_index in (-1, 6, 255, np.int64(7), torch.tensor(8)):
        y = torch.tensor([0, int(ignore_index), 2])
        loss = label_smoothing_cross_entropy(Z, y, ignore_index=ignore_index)
        assert loss == pytest.approx(math.log(6))


class OnCuda(torch.Tensor):
    """A tensor on the CPU that says it is on CUDA."""

    device = property(lambda self: torch.device("cuda", 0))


def pretend(*tensors):
    return [tensor.clone().as_subclass(OnCuda) for tensor in tensors]


def check_the_cuda_contract(to_cuda):
    z, y = to_cuda(torch.randn(4, 6), torch.tensor([0, 6, -1, -100]))
    rows = label_smoothing_cross_entropy(z, y, reduction="none")
    assert rows.isnan().tolist() == [False, True, True, False] and rows[3] == 0
    clean = label_smoothing_cross_entropy(z[:1], y[:1])
    assert torch.allclose(rows[:1].mean(), clean)
    for reduction in ("mean", "sum"):
        assert label_smoothing_cross_entropy(z, y, 0.1, reduction).isnan()
    assert LabelSmoothingCrossEntropy()(z, y).isnan()
    (no_distribution,) = to_cuda(torch.full((4, 6), 0.5))
    assert LabelSmoothingCrossEntropy()(z, no_distribution).isfinite()
    checking = LabelSmoothingCrossEntropy(check_targets=True)
    with pytest.raises(ValueError, match="^targets must sum to 1 in each row, got 3"):
        checking(z, no_distribution)
    message = message_of(IndexError, checking, z, y)
    assert message == "targets must lie in 0 ... 5 or equal ignore_index, got 6."
    assert checking(z[:1], y[:1]) == clean


def test_on_cuda_a_label_out_of_range_makes_its_row_nan(monkeypatch):
    check_the_cuda_contract(pretend)
    asked = []
    monkeypatch.setattr(losses, "_raise_out_of_range", lambda *a: asked.append(a))
    label_smoothing_cross_entropy(*pretend(Z, Y))
    assert not asked  # not even looked at: that would wait for the device
    label_smoothing_cross_entropy(Z, Y)
    assert asked


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_real_gpu_a_label_out_of_range_makes_its_row_nan():
    check_the_cuda_contract(lambda *tensors: [x.to("cuda") for x in tensors])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_real_gpu_the_loss_is_the_same_and_nothing_waits_for_it():
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


def test_on_the_meta_device_only_the_shape_is_computed():
    z, y = torch.zeros(3, 6, 4, device="meta"), torch.zeros(3, 4, device="meta").long()
    assert label_smoothing_cross_entropy(z, y, reduction="none").shape == (3, 4)
