"""The loss of classes on several ranks, beside PyTorch's on all logits in one place.

Cases are drawn here, run by ``sharded_worker`` in one set of processes for each number
of ranks, and judged here.
"""

import functools
import itertools
import math
import random

import pytest
import sharded_worker
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from lsr_utils.experiments.several_machines import on_ranks

REDUCTIONS = ("mean", "sum", "none")
PLAIN = ()
PLACED = [("classes",), ("rows",)]
ON_TWO_AXES = [("rows", "classes"), ("both", "classes"), ("classes", "classes")]
WAYS = {  # of writing the loss on a DTensor, and the tests that catch them
    "call_pytorch": {"runs"},
    "gather_everything": {"sends no logits"},
    "mean_of_log_softmax": {"gradient"},
    "smooth_over_own": {"value", "gradient", "row of the gradient sums to 0"},
    "right": set(),
}
REFUSED = {
    "overlap": "ValueError: the shards must hold each class once, and all ranks the",
    "gap": "ValueError: the shards must hold each class once, and all ranks the",
    "other targets": "ValueError: the shards must hold each class once, and all ranks",
    "other order": "ValueError: the shards must hold each class once, and all ranks",
    "beyond": "ValueError: classes[0] must be a whole number, 0 to 3, got 4",
    "none": "ValueError: logits must be a DTensor, or a plain tensor with classes=(st",
    "uneven": "ValueError: a DTensor must hold 3 classes here; others need classes=(",
    "sum to come": "ValueError: logits must be sharded or replicated, got P",
    "probabilities": "TypeError: targets must be class indices, got dtype torch.float",
}


def drawn(seed, form, reduction, weighted):
    """Arguments of ``sharded_worker.value_and_gradient``, drawn for this many ranks."""
    ranks, dice = int(seed[0]), random.Random(f"{seed} {form} {reduction} {weighted}")
    torch.manual_seed(dice.randrange(2**31))
    n, k = dice.choice([1, 2, 3, 5, 8]), dice.randint(1, 9)
    if reduction == "none" and "rows" in form:
        n = 2 * ranks  # each part as long as the others
    shapes = [(n, k), (n, k, 2)] + [(k,)] * ("rows" not in form)
    z = 3 * torch.randn(dice.choice(shapes), dtype=torch.float64)
    rows = z.movedim(min(1, z.dim() - 1), -1)[..., 0]
    ignore_index = dice.choice([-100, 2])
    y = torch.randint(k, rows.shape)
    if dice.random() < 0.6:
        y = y.where(torch.rand(rows.shape) < 0.7, ignore_index)
    if (y == ignore_index).all():
        y.view(-1)[0] = k - 1 if k != 3 else 0  # not the mean over nothing
    kind = dice.choice([torch.int64, torch.int32, torch.uint8])
    y = y.to(kind) if y.min() >= 0 else y
    options = {"eps": dice.choice([0, 0.1, 0.37, 1]), "reduction": reduction}
    options |= {"ignore_index": ignore_index}
    options |= {"weight": torch.rand(k, dtype=z.dtype) + 0.1} if weighted else {}
    up = torch.randn(rows.shape if reduction == "none" else (), dtype=z.dtype)
    cuts = sorted([0, k, *(dice.randint(0, k) for _ in range(ranks - 1))])
    sizes = [b - a for a, b in itertools.pairwise(cuts)] if form == PLAIN else ()
    return z, y, up, options, sizes, form


@functools.cache
def cases(ranks):
    forms = [PLAIN, *PLACED, *(ON_TWO_AXES if ranks % 2 == 0 else [])]
    kinds = itertools.product("abc", forms, REDUCTIONS, (False, True))
    return [drawn(f"{ranks}{kind}", *rest) for kind, *rest in kinds]


def edges():
    """Name: (arguments, on two ranks), for what the random cases do not reach."""
    z, y = torch.randn(4, 6, dtype=torch.float64), torch.tensor([0, 5, -100, 2])
    one, each, none = torch.tensor(1.0), torch.ones(4).double(), {"reduction": "none"}
    dirty, masked = z.clone(), z.clone()
    dirty[2], masked[:, 4] = math.nan, -math.inf
    weight = torch.tensor([1.0, 2, 1, 1, 0, 3], dtype=torch.float64)
    wide = torch.randn(4, 20_000).half()
    sizes = (4, 2)
    return {
        "half": (wide, y * 3000, one, {"ignore_index": -300_000}, (15_000, 5000)),
        "dirty": (dirty, y, each, none, sizes),
        "out of range": (z, torch.tensor([0, 6, -1, 2]), each, none, sizes),
        "nothing": (z, torch.full((4,), -100), one, {}, sizes),
        "no rows": (z[:0], y[:0], one, {}, sizes),
        "masked": (masked, y, each, none, sizes),
        "masked, no mass": (masked, y, each, {**none, "eps": 0.0}, sizes),
        "masked, no weight": (masked, y, each, {**none, "weight": weight}, sizes),
        "far": (z.float().round() + 2.0**23, y, one, {}, sizes),
    }


@functools.cache
def tasks(ranks):
    """Name or number of each task: the function of the worker, and its arguments."""
    found = {k: ("value_and_gradient", *c) for k, c in enumerate(cases(ranks))}
    if ranks == 2:
        torch.manual_seed(0)
        z, y = torch.randn(8, 13), torch.randint(13, (8,))
        found |= {k: ("value_and_gradient", *c) for k, c in edges().items()}
        found |= {way: ("judged", way, z, y) for way in WAYS}
        found["wide"] = "judged", "right", torch.randn(8, 1300), y
        found["twice"] = "twice", z, y, (9, 4)
        found |= {kind: ("refused", kind) for kind in REFUSED}
    return found


@functools.cache
def results(ranks):
    """What each rank found, by the names of the tasks."""
    found = on_ranks(ranks, sharded_worker.run, list(tasks(ranks).values()))
    return [dict(zip(tasks(ranks), said, strict=True)) for said in found]


def pytorch(z, y, up, options, *_):
    leaf = z.detach().double().requires_grad_()
    named = {"eps": 0.1, **options}
    named["label_smoothing"] = named.pop("eps")
    loss = F.cross_entropy(leaf, y.long(), **named)
    return loss.detach(), *torch.autograd.grad(loss, leaf, up.double())


def edge(name):
    """(arguments, the loss as each rank has it, the gradient of all classes)"""
    given = tasks(2)[name][1:]
    losses, slopes = zip(*(said[name] for said in results(2)), strict=True)
    assert_close(losses[0], losses[1], rtol=0, atol=0, equal_nan=True)
    return given, losses[0], torch.cat(slopes, 1)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_it_equals_pytorch_on_all_logits(ranks):
    assert len(cases(ranks)) >= 54  # 324 over all numbers of ranks
    for number, case in enumerate(cases(ranks)):
        said = [of_rank[number] for of_rank in results(ranks)]
        assert not any(isinstance(found, str) for found in said), (said, case)
        losses, slopes = zip(*said, strict=True)
        loss, slope = pytorch(*case)
        if case[-1] == PLAIN:
            slopes = [torch.cat(slopes, min(1, slope.dim() - 1))]
        for ours, theirs in [(x, loss) for x in losses] + [(x, slope) for x in slopes]:
            assert_close(
                ours, theirs, rtol=0, atol=1e-10, msg=lambda m, c=case: f"{m}{c}"
            )


def test_two_all_reduces_forward_none_backward_and_16_bytes_a_row():
    for name in ("right", "wide"):
        for said in results(2):
            _, _, counts, sizes = said[name]
            assert counts == [{"c10d.allreduce_": 2}, {}]
            assert sum(sizes) == 16 * 8 + 4  # the last: a check sum


@pytest.mark.parametrize("way", WAYS)
def test_each_wrong_way_is_caught_by_its_test(way):
    z, y = tasks(2)[way][2:]
    loss, slope = pytorch(z, y, torch.tensor(1.0), {})
    for said in (of_rank[way] for of_rank in results(2)):
        if isinstance(said, str):
            assert "mixed torch.Tensor and DTensor" in said
            assert WAYS[way] == {"runs"}
            continue
        found, gradient, counts, _ = said
        holds = {
            "runs": True,
            "value": abs(found - loss) < 1e-6,
            "gradient": (gradient - slope).abs().max() < 1e-6,
            "row of the gradient sums to 0": gradient.sum(1).abs().max() < 1e-6,
            "sends no logits": not any("gather" in name for c in counts for name in c),
        }
        assert {name for name, right in holds.items() if not right} == WAYS[way]
    if way == "smooth_over_own":  # the label's row sums to 1 + (ranks - 1) eps
        assert_close(-8 * gradient.sum(1), torch.full((8,), 0.1), rtol=0, atol=1e-6)


def test_half_precision_is_summed_in_float32():
    given, loss, slope = edge("half")
    value, exact = pytorch(*given)
    assert loss.dtype == torch.float32 and slope.dtype == torch.float16
    assert abs(loss / value - 1) < 1e-5
    assert_close(slope.double(), exact, rtol=1e-2, atol=1e-7)


def test_ignored_rows_have_no_gradient_whatever_they_hold_and_unknown_ones_are_nan():
    (z, y, up, options, _), loss, slope = edge("dirty")
    value, exact = pytorch(z.nan_to_num(), y, up, options)
    assert_close((loss, slope), (value, exact), rtol=0, atol=1e-12)
    assert loss[2] == 0 and (slope[2] == 0).all()
    _, loss, slope = edge("out of range")
    assert loss.isnan().tolist() == [False, True, True, False]
    assert (slope[1:3] == 0).all() and (slope[::3] != 0).all()
    for name in ("nothing", "no rows"):
        _, loss, slope = edge(name)
        assert loss.isnan() and (slope == 0).all()


def test_a_masked_class_costs_all_unless_nothing_asks_for_it():
    given, loss, slope = edge("masked")
    assert loss.isinf().tolist() == [True, True, False, True] and loss[0] > 0
    assert_close(slope[::3, 4], torch.full((2,), -0.1 / 6).double())
    assert slope.isfinite().all()
    for name in ("masked, no mass", "masked, no weight"):
        (z, y, up, options, _), loss, slope = edge(name)
        near = z.clamp(min=-1e4)  # as good as masked
        assert_close((loss, slope), pytorch(near, y, up, options), rtol=0, atol=1e-9)


def test_logits_far_from_zero_keep_their_digits():
    given, loss, slope = edge("far")
    assert_close((loss.double(), slope.double()), pytorch(*given), rtol=1e-5, atol=1e-7)


def test_a_second_backward_pass_works_and_a_second_derivative_is_refused():
    z, y, sizes = tasks(2)["twice"][1:]
    for said, part in zip(results(2), z.split(sizes, 1), strict=True):
        first, second, leaf, problem = said["twice"]
        assert torch.equal(first, second) and torch.equal(leaf, part)
        assert "once_differentiable" in problem


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_call_is_refused_on_every_rank(kind):
    for said in results(2):
        assert said[kind].startswith(REFUSED[kind]), said[kind]


@pytest.mark.parametrize(
    "job, says, seconds",
    [("die", "rank 1 ended with exit code 3", 60), ("mismatch", "ended with", 60),
     ("hang", "rank 1 did not end within 10 s", 10)],
)  # fmt: skip
def test_a_rank_that_dies_differs_or_hangs_ends_in_an_error(job, says, seconds):
    with pytest.raises(RuntimeError, match=says):
        on_ranks(2, getattr(sharded_worker, job), seconds=seconds)


@pytest.mark.parametrize("ranks, axes", [(2, 1), (3, 1), (4, 2)])
def test_training_follows_the_same_curve_on_one_process_and_on_several(ranks, axes):
    steps, kinds = 200, (torch.float64, torch.float32)
    jobs = [("train", steps, dtype) for dtype in kinds]
    alone = sharded_worker.run(jobs)
    for said in on_ranks(ranks, sharded_worker.run, [(*job, axes) for job in jobs]):
        for (curve, truth), dtype in zip(
            zip(said, alone, strict=True), kinds, strict=True
        ):
            off = (curve - truth).abs()
            assert truth[0] > 3.5 and truth[-20:].mean() < 2  # it learns
            if dtype == torch.float64:
                assert off.max() < 1e-10
            else:
                assert off[:20].max() < 1e-5 and off.max() < 2e-3
