"""Index targets: PyTorch, the definition, edges; for test_fused_contract as well."""

import copy
import math
import os
import pickle

import numpy as np
import pytest
import torch

from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy

CASES = int(os.environ.get("LSR_TEST_CASES", 400))
# How far off the loss and the gradient may be, by the dtype of the logits.
DIGITS = {torch.float64: (1e-11, 1e-9), torch.float32: (1e-5, 1e-4)}
DIGITS |= {torch.float16: (1e-5, 2e-3), torch.bfloat16: (1e-5, 1e-2)}
REDUCTIONS = ("mean", "sum", "none")
EPSILONS = (0.0, 0.1, 1.0)
INF, NAN = math.inf, math.nan
BOTH = pytest.mark.parametrize("spread", ["all", "others"])


# The definition: numpy, float64, row by row; it shares no line with the package -------


def with_rows(array, class_axis):
    array = np.moveaxis(np.asarray(array, dtype=np.float64), class_axis, -1)
    return array.reshape(-1, array.shape[-1]), array.shape


def smoothed_row(q, eps, spread):
    if eps == 0:
        return q
    receives = np.ones_like(q) if spread == "all" else 1 - q
    return (1 - eps) * q + eps * receives / (len(q) - (spread == "others"))


def loss_and_gradient(
    logits, targets, eps, reduction="mean", weight=None, spread="all", ignored=-100
):
    """Loss and its gradient for upstream 1 (for "none": of the sum of the rows)."""
    class_axis = min(1, np.ndim(logits) - 1)
    z, shape = with_rows(logits, class_axis)
    rows, num_classes = np.asarray(targets), z.shape[1]
    probabilities = np.issubdtype(rows.dtype, np.floating)
    rows = with_rows(rows, class_axis)[0] if probabilities else rows.reshape(-1)
    w = np.ones(num_classes) if weight is None else np.asarray(weight, np.float64)

    losses, gradients, shares = np.zeros(len(z)), np.zeros(z.shape), np.zeros(len(z))
    live = np.array([probabilities or target != ignored for target in rows], dtype=bool)
    for row in live.nonzero()[0]:
        z_row, target = z[row], rows[row]
        q = target if probabilities else np.eye(num_classes)[target]
        mass = w * smoothed_row(q, eps, spread)
        log_p = z_row - z_row.max()
        log_p = log_p - np.log(np.exp(log_p).sum())
        losses[row] = -(mass[mass != 0] * log_p[mass != 0]).sum()
        gradients[row] = mass.sum() * np.exp(log_p) - mass
        shares[row] = 1.0 if probabilities else w[target]

    total = shares.sum() or math.nan if reduction == "mean" else 1.0  # PyTorch's 0 / 0
    gradients[live] /= total
    gradients = np.moveaxis(gradients.reshape(shape), -1, class_axis)
    if reduction == "none":
        return losses.reshape(shape[:-1]), gradients
    return losses.sum() / total, gradients


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


def value_and_gradient(logits, targets, *args, **options):
    leaf = logits.detach().clone().requires_grad_()
    loss = label_smoothing_cross_entropy(leaf, targets, *args, **options)
    loss.sum().backward()
    return loss.detach(), leaf.grad


# Cases of every kind that the losses take ---------------------------------------------


def laid_out(x, kind):
    """The same numbers, elsewhere in memory."""
    if x.dim() == 0 or kind == "plain":
        return x
    if kind == "expanded":
        return x[:1].expand(x.shape)
    if kind == "transposed":
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    return x.repeat_interleave(3, -1)[..., 1::3]


def a_case(seed):
    """Logits, targets and options, drawn from all that there are."""
    rng = np.random.default_rng(seed)
    num_classes = int(rng.choice([1, 2, 3, 6, 16, 17, 40]))
    n, *more = rng.integers(0, 6), *rng.integers(1, 4, rng.integers(0, 3))
    shape = (num_classes,) if rng.random() < 0.1 else (n, num_classes, *more)
    class_axis, dtype = min(1, len(shape) - 1), rng.choice(list(DIGITS))
    wide = torch.promote_types(dtype, torch.float32)
    layouts = ["plain"] * 3 + ["expanded", "transposed", "strided"]

    def layout(x):
        return laid_out(x, rng.choice(layouts)).detach()

    z = torch.tensor(rng.normal(0, rng.choice([1, 3, 30]), shape)).to(dtype)
    if rng.random() < 0.3:  # masked classes, never the first
        z.movedim(class_axis, -1)[..., 1 + rng.integers(num_classes) :] = -INF
    z = layout(z)
    options = {
        "eps": rng.choice([0.0, 1e-3, 0.1, rng.random(), 1.0]),
        "reduction": str(rng.choice(REDUCTIONS)),
        "spread": str(rng.choice(["all", "others"])) if num_classes > 1 else "all",
    }
    if rng.random() < 0.5:
        w = rng.uniform(0, 2, num_classes) * (rng.random(num_classes) < 0.8)
        options["weight"] = layout(torch.tensor(w, dtype=wide))
    if rng.random() < 0.3:
        q = torch.tensor(rng.gamma(0.3, size=shape) + 1e-9, dtype=wide)
        q = q / q.sum(class_axis, keepdim=True)
        if rng.random() < 0.5:  # one-hot rows
            q = (q == q.amax(class_axis, keepdim=True)).to(wide)
        return z, layout(q) if len(shape) > 1 else q, options
    labels = torch.tensor(rng.integers(num_classes, size=z.select(class_axis, 0).shape))
    options["ignore_index"] = int(rng.choice([-100, -1, 2, 99]))
    labels[torch.tensor(rng.random(labels.shape) < 0.3)] = options["ignore_index"]
    kinds = [torch.int64, torch.int32, torch.int16, torch.int8]
    kinds += [torch.uint8, torch.uint64] * (options["ignore_index"] >= 0)
    labels = layout(labels.to(rng.choice(kinds)))
    if z.is_contiguous() and rng.random() < 0.5:  # whatever they hold
        z.movedim(class_axis, -1)[labels.long() == options["ignore_index"]] = NAN
    return z, labels, options


def test_any_case_equals_its_definition():
    for seed in range(CASES):
        z, y, options = a_case(seed)
        given = [z, y, options.get("weight", z)]
        before = [x.clone() for x in given]
        loss = label_smoothing_cross_entropy(z.requires_grad_(), y, **options)
        loss.sum().backward()
        for x, same in zip(given, before, strict=True):  # nobody wrote on them
            assert torch.equal(x.nan_to_num(7.0), same.nan_to_num(7.0)), seed
        ignored = options.pop("ignore_index", -100)
        exact = [x.detach().double() if x.is_floating_point() else x for x in (z, y)]
        wanted, slope = loss_and_gradient(*exact, **options, ignored=ignored)
        told, (loss_digits, digits) = f"case {seed}: {options}", DIGITS[z.dtype]
        largest = max(z.detach()[z.isfinite()].abs().tolist(), default=0)
        of_weights = 2 * z.shape[min(1, z.dim() - 1)]
        least = loss_digits * (1 + largest) * of_weights
        np.testing.assert_allclose(
            loss.detach(), wanted, loss_digits, least, True, told
        )
        assert loss.dtype == torch.promote_types(z.dtype, torch.float32)
        assert z.grad.dtype == z.dtype
        found, least = z.grad.double(), loss_digits / 10 * of_weights
        if not np.isnan(wanted).any():  # the mean over nothing
            np.testing.assert_allclose(found, slope, digits, least, True, told)
        if not y.is_floating_point():
            rows = found.movedim(min(1, z.dim() - 1), -1)
            assert (rows[y.long() == ignored] == 0).all(), told


@pytest.mark.parametrize("classes", [[0.0, 1, 0, 1, 1, 1], [-1.0, 1, 2, 1, 1, 1]])
def test_the_mean_over_classes_of_weight_0_is_nan_as_pytorch_has_it(classes):
    logits, targets = draw_logits((4, 6)), torch.tensor([2, 0, -100, 0])
    weight = torch.tensor(classes, dtype=torch.float64)
    for eps in EPSILONS:
        loss, slope = value_and_gradient(logits, targets, eps, weight=weight)
        assert loss.isnan() and slope[:2].isnan().all() and (slope[2] == 0).all()


@pytest.mark.parametrize(
    "dtype, lowest, digits", [(torch.float32, -70, 1e-5), (torch.float64, -600, 1e-13)]
)
def test_the_least_probable_classes_keep_their_digits(dtype, lowest, digits):
    z = torch.linspace(lowest, 0, 4001, dtype=dtype).unsqueeze(0)
    _, slope = value_and_gradient(z, torch.tensor([4000]), 0.0, "sum")
    wanted = z.double().softmax(1)
    assert torch.allclose(slope[:, :-1].double(), wanted[:, :-1], rtol=digits, atol=0)


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
    y[2], module = -100, LabelSmoothingCrossEntropy()
    module.eps, module.reduction = np.array(0.3), "sum"  # a change counts
    module.ignore_index = -100.0
    assert module(z, y) == label_smoothing_cross_entropy(z, y, 0.3, "sum")
    module.eps = NAN
    with pytest.raises(ValueError, match="^eps must "):
        module(z, y)
