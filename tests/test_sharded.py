"""The loss of classes on several ranks, beside PyTorch's on all logits in one place."""

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

FORMS = [(), ("classes",), ("rows",)]  # plain tensors; axes of a DTensor's mesh
ON_TWO_AXES = [("rows", "classes"), ("both", "classes"), ("classes", "classes")]
DISAGREE = "ValueError: shards must hold each class once, and all ranks the same ta"
REFUSED = {
    **dict.fromkeys("overlap hole total targets order".split(), DISAGREE),
    **dict.fromkeys(["distant", "last_row", "ignored"], DISAGREE),
    "plain": "ValueError: targets must be a plain tensor, as logits are, got (Rep",
    "number": "ValueError: logits must have shape (N, K), (N, K, d1, ...) or (K,), got",
    "beyond": "ValueError: classes[0] must be a whole number, 0 to 3, got 4",
    "none": "ValueError: logits must be a DTensor, or a plain tensor with classes=(st",
    "uneven": "ValueError: a DTensor must hold 3 classes here; others need classes=(",
    "sum to come": "ValueError: logits must be sharded or replicated, got P",
    "second derivative": "RuntimeError: trying to differentiate twice",
    "probabilities": "TypeError: targets must be class indices, got dtype torch.float",
}


def drawn(ranks, kind, form, reduction, weighted):
    """Arguments of ``sharded_worker.value_and_gradient``, drawn for this many ranks."""
    dice = random.Random(f"{ranks} {kind} {form} {reduction} {weighted}")
    torch.manual_seed(dice.randrange(2**31))
    n, k = dice.choice([1, 2, 3, 5, 8]), dice.randint(1, 9)
    if reduction == "none" and "rows" in form:
        n = 2 * ranks  # all parts alike
    shapes = [(n, k), (n, k, 2)] + [(k,)] * ("rows" not in form)
    z = 3 * torch.randn(dice.choice(shapes), dtype=torch.float64)
    rows = z.movedim(min(1, z.dim() - 1), -1)[..., 0]
    ignored = dice.choice([-100, 2])
    y = torch.randint(k, rows.shape)
    y = y.where(torch.rand(rows.shape) < dice.choice([0.7, 1]), ignored)
    y.view(-1)[0] = k - 1 if k != 3 else 0  # not the mean over nothing
    dtype = dice.choice([torch.int64, torch.int32, torch.uint8])
    options = {"eps": dice.choice([0, 0.1, 0.37, 1]), "reduction": reduction}
    options |= {"weight": torch.rand(k, dtype=z.dtype) + 0.1} if weighted else {}
    up = torch.randn(rows.shape if reduction == "none" else (), dtype=z.dtype)
    cuts = sorted([0, k, *(dice.randint(0, k) for _ in range(ranks - 1))])
    sizes = () if form else [b - a for a, b in itertools.pairwise(cuts)]
    y = y.to(dtype) if y.min() >= 0 else y
    return z, y, up, {**options, "ignore_index": ignored}, sizes, form


@functools.cache
def cases(ranks):
    forms = [*FORMS, *(ON_TWO_AXES if ranks % 2 == 0 else [])]
    kinds = itertools.product("abc", forms, ("mean", "sum", "none"), (False, True))
    return {kind: drawn(ranks, *kind) for kind in kinds}


def edges():
    """Name: (arguments, on two ranks), for what the random cases do not reach."""
    z, y = torch.randn(4, 6, dtype=torch.float64), torch.tensor([0, 5, -100, 2])
    one, each, none = torch.tensor(1.0), torch.ones(4).double(), {"reduction": "none"}
    dirty, masked = z.clone(), z.clone()
    dirty[2], masked[:, 4] = math.nan, -math.inf
    weight = torch.tensor([1.0, 2, 1, 1, 0, 3], dtype=torch.float64)
    found = {
        "dirty": (dirty, y, each, none),
        "unknown": (z, torch.tensor([0, 6, -1, 2]), each, none),
        "nothing": (z, torch.full((4,), -100), one, {}),
        "no rows": (z[:0], y[:0], one, {}),
        "masked": (masked, y, each, none),
        "no mass": (masked, y, each, {**none, "eps": 0.0}),
        "no weight": (masked, y, each, {**none, "weight": weight}),
        "far": (z.float().round() + 2.0**23, y, one, {}),
    }
    found = {name: (*given, (4, 2)) for name, given in found.items()}
    y, wide = y.where(y >= 0, 19_999), torch.randn(4, 20_000).half()
    return {**found, "half": (wide, y, one, {}, (15_000, 5000))}


@functools.cache
def tasks(ranks):
    """Name: the function of the worker, and its arguments."""
    torch.manual_seed(0)
    found = cases(ranks) | (edges() if ranks == 2 else {})
    found = {name: ("value_and_gradient", *given) for name, given in found.items()}
    if ranks == 2:
        found["gathered"] = ("gathered",)
    kinds = {2: REFUSED, 3: ["targets", "total"]}.get(ranks, [])
    found |= {kind: ("refused", kind) for kind in kinds}
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
    """(arguments, the loss, the same on both ranks, the gradient of all classes)"""
    losses, slopes = zip(*(said[name] for said in results(2)), strict=True)
    assert_close(losses[0], losses[1], rtol=0, atol=0, equal_nan=True)
    return tasks(2)[name][1:], losses[0], torch.cat(slopes, 1)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_it_equals_pytorch_on_all_logits(ranks):
    assert len(cases(ranks)) == (54, 108)[ranks % 2 == 0]
    for name, case in cases(ranks).items():
        losses, slopes = zip(*(said[name] for said in results(ranks)), strict=True)
        loss, slope = pytorch(*case)
        if case[-1] == ():
            slopes = [torch.cat(slopes, min(1, slope.dim() - 1))]
        for ours, theirs in [(x, loss) for x in losses] + [(x, slope) for x in slopes]:
            assert_close(ours, theirs, rtol=0, atol=1e-10, msg=str(case))


def test_half_precision_is_summed_in_float32_and_far_logits_keep_their_digits():
    kinds = ("half", torch.float16, 1e-2), ("far", torch.float32, 1e-5)
    for name, kind, rtol in kinds:
        given, loss, slope = edge(name)
        value, exact = pytorch(*given)
        assert loss.dtype == torch.float32 and slope.dtype == kind
        assert abs(loss / value - 1) < 1e-5
        assert_close(slope.double(), exact, rtol=rtol, atol=1e-7)


def test_ignored_rows_have_no_gradient_whatever_they_hold_and_unknown_ones_are_nan():
    (z, *rest), *found = edge("dirty")
    assert_close(tuple(found), pytorch(z.nan_to_num(), *rest), rtol=0, atol=1e-12)
    assert found[0][2] == 0 and (found[1][2] == 0).all()
    _, loss, slope = edge("unknown")
    assert loss.isnan().tolist() == [False, True, True, False]
    assert (slope[1:3] == 0).all() and (slope[::3] != 0).all()
    for _, loss, slope in map(edge, ("nothing", "no rows")):
        assert loss.isnan() and (slope == 0).all()


def test_a_masked_class_costs_all_unless_nothing_asks_for_it():
    _, loss, slope = edge("masked")
    assert loss.tolist() == [math.inf, math.inf, 0, math.inf]
    assert slope.isfinite().all() and abs(slope[0, 4] + 0.1 / 6) < 1e-15
    for (z, *rest), *found in map(edge, ("no mass", "no weight")):
        near = pytorch(z.clamp(min=-1e4), *rest)  # as good as masked
        assert_close(tuple(found), near, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_call_is_refused_on_every_rank(kind):
    for of_rank in results(2) + results(3):
        assert of_rank.get(kind, REFUSED[kind]).startswith(REFUSED[kind])


def test_collectives_are_counted_once_with_the_bytes_that_they_hand_a_rank():
    calls = ["all_gather_into_tensor", "allreduce_"]
    assert [of_rank["gathered"] for of_rank in results(2)] == [(96, calls)] * 2


ENDS = {
    "die": "rank 1 ended with exit code 3",
    "differ": "ended with exit code 1: .*",
    "sleep": "rank 0 ended with exit code 1: .*[Tt]ime",
}


@pytest.mark.parametrize("how", ENDS)
def test_a_rank_that_dies_differs_or_hangs_ends_in_an_error(how):
    with pytest.raises(RuntimeError, match=ENDS[how]):
        on_ranks(3, sharded_worker.fail, how, seconds=60 if how == "die" else 16)


@pytest.mark.parametrize("ranks, axes", [(2, 1), (3, 1), (4, 2)])
def test_training_follows_the_same_curve_on_one_process_and_on_several(ranks, axes):
    jobs = [("train", 200, torch.float64), ("train", 200, torch.float32)]
    truth = torch.stack(sharded_worker.run(jobs)).double()
    assert truth[0, 0] > 3.5 and truth[0, -20:].mean() < 2  # it learns
    for said in on_ranks(ranks, sharded_worker.run, [(*job, axes) for job in jobs]):
        if "no attribute 'record_event'" in str(said[0]):
            pytest.skip("FSDP2 of this PyTorch needs a GPU")
        exact, single = (torch.stack(said) - truth).abs()
        assert exact.max() < 1e-10
        assert single[:20].max() < 1e-5 and single.max() < 2e-3
