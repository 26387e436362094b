"""What any smoothed cross-entropy must do.

Each test takes the loss as an argument, so that ``test_bug_hunt`` can hand it the
mistakes of notebook 02. A test gives the loss only the keywords that it is about, and
compares the loss with itself where it can: then it fails for the mistake in its name,
and for no other. A mistake that raises is a failed assertion too; a ``TypeError``
is not caught, because there the call is wrong and not the loss.
"""

import math

import numpy as np
import torch

LN_6 = math.log(6)


def value(loss_fn, *args, **options):
    """The loss as a float64 tensor; what it raises becomes a failed assertion."""
    try:
        loss = loss_fn(*args, **options)
    except (
        ArithmeticError,
        AssertionError,
        LookupError,
        RuntimeError,
        ValueError,
    ) as e:
        raise AssertionError(f"the loss raised {type(e).__name__}: {e}") from e
    return loss[0] if isinstance(loss, tuple) else loss.double()


def gradient(loss_fn, logits, *args, **options):
    """Gradient of the summed loss."""
    leaf = logits.detach().clone().requires_grad_()
    loss = value(loss_fn, leaf, *args, **options).sum()
    return value(torch.autograd.grad, loss, leaf)


def assert_same(actual, expected, message=""):
    """Equal shapes, and values equal to ten digits."""
    expected = torch.as_tensor(expected, dtype=torch.float64)
    assert actual.shape == expected.shape, (
        f"{message}: shape {tuple(actual.shape)} is not {tuple(expected.shape)}"
    )
    assert torch.allclose(actual.double(), expected, rtol=1e-10, atol=1e-12), (
        f"{message}: {actual.tolist()} is not {expected.tolist()}"
    )


def draw(*shape, seed=0):
    return torch.randn(
        shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


def smoothed(true_class, eps, num_classes=6):
    target = torch.full((1, num_classes), eps / num_classes, dtype=torch.float64)
    target[0, true_class] += 1 - eps
    return target


def test_target_mass_sums_to_one(loss_fn):
    for eps in (0.1, 0.4):
        # Every log p is -ln 6 here, so the loss is ln 6 times the mass of the target,
        # and the gradient is that mass over 6, minus the target.
        z, y = draw(1, 6) * 0, torch.tensor([2])
        mass = value(loss_fn, z, y, eps=eps).sum() / LN_6
        assert_same(mass, 1.0, f"mass of the target at {eps=}")
        target = mass / 6 - gradient(loss_fn, z, y, eps=eps)
        assert_same(target, smoothed(2, eps), f"target at {eps=}")
        at_minimum = gradient(loss_fn, smoothed(2, eps).log(), y, eps=eps)
        assert_same(at_minimum, np.zeros((1, 6)), f"gradient at the minimum, {eps=}")


def test_sum_reduction_scales_with_rows(loss_fn):
    z, y = draw(8, 6), torch.arange(8) % 6
    alone = [
        value(loss_fn, z[i : i + 1], y[i : i + 1], eps=0.1, reduction="sum")
        for i in range(8)
    ]
    together = value(loss_fn, z, y, eps=0.1, reduction="sum")
    assert_same(together, sum(alone), "sum over the rows")
    assert_same(value(loss_fn, z, y, eps=0.1) * 8, sum(alone), "8 times the mean")


def test_none_reduction_is_per_row(loss_fn):
    z, y = draw(5, 6), torch.arange(5)
    rows = value(loss_fn, z, y, eps=0.1, reduction="none")
    alone = [value(loss_fn, z[i : i + 1], y[i : i + 1], eps=0.1) for i in range(5)]
    assert_same(rows, torch.stack(alone).reshape(5), "rows and rows alone")


def test_weights_reach_every_class(loss_fn):
    z, y = draw(1, 6), torch.tensor([2])
    weight = torch.ones(6, dtype=torch.float64)
    plain = value(loss_fn, z, y, eps=0.1, reduction="sum", weight=weight)
    twice = value(loss_fn, z, y, eps=0.1, reduction="sum", weight=2 * weight)
    assert_same(twice, 2 * plain, "weights of 2")
    log_p = z.log_softmax(1)[0]
    for other in (0, 1, 3, 4, 5):
        heavier = weight.clone()
        heavier[other] += 1
        more = value(loss_fn, z, y, eps=0.1, reduction="sum", weight=heavier)
        wanted = -0.1 / 6 * log_p[other]
        assert_same(more - plain, wanted, f"what weight adds on class {other}")


def test_weighted_mean_divides_by_the_weights_of_the_true_classes(loss_fn):
    z, y = draw(4, 6), torch.tensor([0, 2, 2, 5])
    weight = torch.tensor([1.0, 2, 3, 4, 5, 6], dtype=torch.float64)
    total = value(loss_fn, z, y, eps=0.1, reduction="sum", weight=weight)
    mean = value(loss_fn, z, y, eps=0.1, reduction="mean", weight=weight)
    assert_same(mean, total / (1 + 3 + 3 + 6), "weighted mean")


def test_ignored_rows_add_nothing(loss_fn):
    z, y = draw(6, 6), torch.tensor([0, -100, 2, 3, -100, 5])
    live = y != -100
    for reduction in ("mean", "sum"):
        options = {"eps": 0.1, "reduction": reduction}
        everything = value(loss_fn, z, y, **options)
        alone = value(loss_fn, z[live], y[live], **options)
        assert_same(everything, alone, f"{reduction} with ignored rows")
        slope = gradient(loss_fn, z, y, **options)
        assert (slope[~live] == 0).all(), f"ignored rows have the gradient {slope}"
    rows = value(loss_fn, z, y, eps=0.1, reduction="none")
    assert (rows[~live] == 0).all(), f"ignored rows have the loss {rows}"


def test_large_logits_stay_finite(loss_fn):
    z = torch.zeros(1, 6, dtype=torch.float64)
    z[0, 2] = 1000.0
    y = torch.tensor([2])
    # p is one-hot to all digits: only the eps / 6 of the others is paid, 1000 each.
    assert_same(value(loss_fn, z, y, eps=0.1), 0.1 / 6 * 5 * 1000, "loss at a gap 1000")
    for shift in (-1e4, 1e4):
        near = draw(3, 6)
        moved = value(loss_fn, near + shift, torch.arange(3), eps=0.1)
        here = value(loss_fn, near, torch.arange(3), eps=0.1)
        assert abs(moved - here) < 1e-9, f"a shift by {shift} moved the loss"
    slope = gradient(loss_fn, z, y, eps=0.1)
    assert slope.isfinite().all(), f"gradient {slope}"


def test_class_axis_is_one(loss_fn):
    generator = torch.Generator().manual_seed(0)
    for shape in ((4, 6, 6), (2, 6, 6, 6), (2, 6, 3, 4)):
        z = draw(*shape)
        y = torch.randint(6, (shape[0], *shape[2:]), generator=generator)
        flat = value(loss_fn, z.movedim(1, -1).reshape(-1, 6), y.reshape(-1), eps=0.1)
        assert_same(value(loss_fn, z, y, eps=0.1), flat, f"logits of shape {shape}")


def test_half_precision_is_summed_in_float32(loss_fn):
    y = torch.arange(4)
    for dtype in (torch.float16, torch.bfloat16):
        z = draw(4, 20_000).to(dtype)  # the sum of log p is about -200,000 a row
        for reduction in ("mean", "sum"):
            options = {"eps": 0.1, "reduction": reduction}
            loss = value(loss_fn, z, y, **options)
            truth = value(loss_fn, z.double(), y, **options)
            assert abs(loss / truth - 1) < 1e-5, f"{loss} for {truth} in {dtype}"


def test_only_ignore_index_is_ignored(loss_fn):
    z = draw(3, 6)
    for unknown in (-1, -99, -101, 6):
        try:
            loss = loss_fn(z, torch.tensor([0, unknown, 2]), eps=0.1)
        except (IndexError, RuntimeError):
            continue  # refused
        assert loss.isnan().all(), f"the label {unknown} gave the loss {loss}"


def test_class_shards_add_up(sharded_loss_fn):
    z, y = draw(8, 6), torch.arange(8) % 6
    whole = value(sharded_loss_fn, [z], y, eps=0.1)
    for sizes in ((3, 3), (1, 5), (2, 2, 2), (4, 1, 1)):
        sharded = value(sharded_loss_fn, list(z.split(sizes, dim=1)), y, eps=0.1)
        assert_same(sharded, whole, f"classes in shards of {sizes}")
