"""Bins, errors and scores against torchmetrics, scikit-learn, plain loops and laws."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from torchmetrics.classification import MulticlassCalibrationError

from lsr_utils import calibration as c
from lsr_utils import datasets
from lsr_utils.targets import smooth_distribution

POSTERIOR = datasets.gaussians(3000, seed=3).posterior
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
STRATEGIES = st.sampled_from(["uniform", "quantile"])
each_strategy = pytest.mark.parametrize("strategy", ["uniform", "quantile"])
TERMS = ("score", "uncertainty", "resolution", "reliability", "within")
NUMBERS = [
    c.expected_calibration_error, c.debiased_squared_error,
    c.confidence_gap, c.accuracy, c.brier_score, c.nll,
    partial(c.maximum_calibration_error, min_count=1),
]  # fmt: skip
TABLES = [c.reliability_bins, c.brier_decomposition]


def close(number):
    return pytest.approx(number, abs=1e-12)


def simulated(shape, num_classes=6, seed=0, dtype=torch.float32, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(*shape, num_classes, generator=generator, dtype=dtype)
    labels = torch.randint(num_classes, shape[-1:], generator=generator)
    return (scale * logits).softmax(-1), labels


def in_bins(values, bins, strategy="uniform"):
    edge_dtype, values = values.dtype, values.double().numpy()
    ranked, below, masks = np.sort(values), -np.inf, []
    for b in range(1, bins + 1):
        if strategy == "uniform":
            edge = torch.tensor(b / bins, dtype=edge_dtype).item()
        else:
            edge = ranked[-(-b * len(values) // bins) - 1]  # rank ceil(b N / B)
        masks.append((values > below) & (values <= (edge if b < bins else np.inf)))
        below = max(below, edge)
    return masks


def bin_table(p, y, bins, strategy="uniform"):
    confidence = p.double().numpy().max(1)
    correct = p.double().numpy().argmax(1) == np.asarray(y)
    masks = in_bins(p.amax(1), bins, strategy)
    found = [
        (m.sum(), confidence[m].mean(), correct[m].mean()) for m in masks if any(m)
    ]
    return np.array(found).T


def ece_by_hand(p, y, bins, strategy="uniform"):
    """Guo et al. 2017, eq. 3."""
    count, confidence, accuracy = bin_table(p, y, bins, strategy)
    return (count / count.sum() * abs(accuracy - confidence)).sum()


def debiased_by_hand(p, y, bins, strategy="uniform"):
    """Kumar, Liang, Ma 2019, section 5, without the bins of one row."""
    total = rows = 0.0
    for n, confidence, accuracy in bin_table(p, y, bins, strategy).T:
        if n > 1:
            chance = accuracy * (1 - accuracy) / (n - 1)
            total, rows = total + n * ((accuracy - confidence) ** 2 - chance), rows + n
    return total / rows


def decomposition_by_hand(p, y, bins, strategy):
    values, one_hot = p.double().numpy(), np.eye(p.shape[1])[np.asarray(y)]
    overall, predicted = one_hot.mean(0), values.argmax(1)
    resolution = reliability = 0.0
    for mask in in_bins(p.amax(1), bins, strategy):
        for k in range(p.shape[1]):
            group = mask & (predicted == k)
            if group.any():
                outcome, forecast = one_hot[group].mean(0), values[group].mean(0)
                share = group.mean()
                resolution += share * ((outcome - overall) ** 2).sum()
                reliability += share * ((outcome - forecast) ** 2).sum()
    return (overall * (1 - overall)).sum(), resolution, reliability


@st.composite
def rows_on_edges(draw):
    """Probabilities (N, 25), labels, bins: confidences on and off edges, and tied."""
    bins = draw(st.integers(1, 20))
    on_edge = st.integers(1, bins).map(lambda edge: edge / bins)
    level = st.floats(0.04, 1) | on_edge.filter(lambda c: c >= 0.04)
    confidence = np.array(draw(st.lists(level, min_size=1, max_size=24)))
    p = np.repeat((1 - confidence)[:, None] / 24, 25, axis=1)
    p[:, 3] = confidence  # 3 is predicted
    labels = st.lists(st.sampled_from([3, 4]), min_size=len(p), max_size=len(p))
    p = torch.tensor(p, dtype=draw(st.sampled_from(DTYPES)))
    return p, torch.tensor(draw(labels)), bins


@pytest.mark.parametrize("num_classes", [2, 6])
def test_ece_and_mce_are_those_of_torchmetrics(num_classes):
    for bins in (7, 15):
        p, y = simulated((500,), num_classes, seed=bins)
        theirs = partial(MulticlassCalibrationError, num_classes, bins)
        ours = c.expected_calibration_error(p, y, bins)
        assert ours.dtype == torch.float64 and ours.shape == ()
        assert ours.item() == pytest.approx(theirs(norm="l1")(p, y).item(), abs=1e-6)
        ours = c.maximum_calibration_error(p, y, bins, min_count=1).item()
        assert ours == pytest.approx(theirs(norm="max")(p, y).item(), abs=1e-5)


# 7 / 13 times 13 is more than 7 in float32.
@example((torch.tensor([[7 / 13, 6 / 13]]), torch.tensor([0]), 13), "uniform")
@given(rows_on_edges(), STRATEGIES)
def test_bins_and_errors_are_those_of_a_plain_loop(case, strategy):
    p, y, bins = case
    found = c.reliability_bins(p, y, bins, strategy)
    assert found.count.tolist() == [m.sum() for m in in_bins(p.amax(1), bins, strategy)]
    kept = found.count > 0
    count, confidence, accuracy = bin_table(p, y, bins, strategy)
    assert found.confidence[kept].numpy() == close(confidence)
    assert found.accuracy[kept].numpy() == close(accuracy)
    assert found.confidence.isnan().equal(~kept) and found.gap.isnan().equal(~kept)
    assert found.edges.shape == (bins + 1,) and (found.edges.diff() >= 0).all()
    assert found.edges[0] == 0 and found.edges[-1] == 1
    ece = c.expected_calibration_error(p, y, bins, strategy).item()
    assert ece == close(ece_by_hand(p, y, bins, strategy))
    fullest = int(count.max())
    for least in {1, fullest}:
        mce = c.maximum_calibration_error(p, y, bins, strategy, min_count=least)
        assert mce.item() == close(abs(accuracy - confidence)[count >= least].max())
    square = c.debiased_squared_error(p, y, bins, strategy)
    if fullest > 1:
        assert square.item() == close(debiased_by_hand(p, y, bins, strategy))
    else:  # of no bin is anything known without chance
        assert square.isnan()


def test_the_gap_is_confidence_minus_accuracy_with_its_sign():
    p = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    for y, right in (([0, 1, 0, 1], 1), ([0, 0, 1, 0], 4)):  # too sure, too modest
        gap = c.confidence_gap(p, torch.tensor(y)).item()
        assert gap == pytest.approx((0.9 + 0.7 + 0.8 + 0.5 - right) / 4, abs=1e-7)


@pytest.mark.parametrize("own_targets", [False, True])
def test_each_network_of_a_fleet_has_its_own_numbers(own_targets):
    p, y = simulated((2, 3, 40))
    p[0, 0] = 1 / 6  # one group of the decompositions
    p = p.transpose(0, 1)  # and its memory need not be in order
    if own_targets:
        y = torch.randint(6, (3, 2, 40), generator=torch.Generator().manual_seed(1))
    for function in (*NUMBERS, *TABLES):
        found = function(p, y)
        for i, j in np.ndindex(3, 2):
            alone = function(p[i, j].clone(), y[i, j] if own_targets else y)
            pair = (found, alone) if isinstance(found, tuple) else ([found], [alone])
            for ours, one in zip(*pair, strict=True):
                assert np.allclose(ours[i, j], one, rtol=0, atol=1e-14, equal_nan=True)


@each_strategy
def test_smoothing_costs_what_the_law_says_and_the_posterior_nothing(strategy):
    assert c.true_calibration_error(POSTERIOR, POSTERIOR, 15, strategy) == 0
    # Exact for any bins: every row is under-confident, and no two of them cancel.
    p = torch.stack([smooth_distribution(POSTERIOR, eps) for eps in (0.05, 0.4)])
    law = [(eps * (POSTERIOR.amax(-1) - 1 / 6)).mean().item() for eps in (0.05, 0.4)]
    for bins, known in ((1, POSTERIOR), (15, POSTERIOR.expand(2, -1, -1))):
        found = c.true_calibration_error(p, known, bins, strategy)
        assert found.tolist() == close(law)


def test_the_truth_is_that_of_the_predicted_class_be_it_not_the_best():
    p = torch.tensor([[0.8, 0.2], [0.3, 0.7]])
    posterior = torch.tensor([[0.1, 0.9], [0.4, 0.6]])  # the first answer is wrong
    table = c.true_reliability_bins(p, posterior, 1)
    assert table.accuracy.item() == pytest.approx(0.35)
    assert c.true_calibration_error(p, posterior).item() == pytest.approx(0.4)


def expected_squared_error(confidence, truth, bins):
    confidence, truth = torch.tensor([confidence, truth], dtype=torch.float64)
    p = torch.stack([confidence, 1 - confidence], -1)
    y = torch.tensor(list(itertools.product([0, 1], repeat=len(p))))
    chance = torch.where(y == 0, truth, 1 - truth).prod(-1)
    found = c.debiased_squared_error(p.expand(len(y), -1, -1), y, bins)
    return (chance * found).sum().item()


def test_the_debiased_square_is_without_bias():
    confidence = [0.9] * 5 + [0.6] * 4 + [0.72]  # the last is alone in its bin
    assert expected_squared_error(confidence, confidence, 10) == close(0)
    truth = [0.7] * 5 + [0.9] * 4 + [0.3]
    wanted = (5 * 0.2**2 + 4 * 0.3**2) / 9
    assert expected_squared_error(confidence, truth, 10) == close(wanted)


@pytest.mark.parametrize("num_classes", [2, 100])
def test_scores_are_those_of_scikit_learn(num_classes):
    p, y = simulated((300,), num_classes)
    theirs = p.double() / p.double().sum(-1, keepdim=True)
    one_hot = torch.nn.functional.one_hot(y, num_classes)
    brier = num_classes * mean_squared_error(one_hot, theirs)
    assert c.brier_score(p, y).item() == pytest.approx(brier, abs=1e-7)
    wanted = log_loss(y, theirs, labels=range(num_classes))
    assert c.nll(p, y).item() == pytest.approx(wanted, abs=1e-6)
    assert c.accuracy(p, y).item() == accuracy_score(y, p.argmax(-1))


@given(rows_on_edges(), STRATEGIES)
def test_each_term_is_that_of_a_plain_loop(case, strategy):
    p, y, bins = case
    turned = torch.arange(len(y)) % 2  # every other row predicts class 4
    p = torch.where(turned.bool().unsqueeze(-1), p.roll(1, -1), p)
    y = y + turned
    squared = (p.double() - torch.eye(25)[y]).square().sum(-1).mean()
    found = c.brier_decomposition(p, y, bins, strategy)
    wanted = decomposition_by_hand(p, y, bins, strategy)
    terms = [getattr(found, name).item() for name in TERMS]
    assert terms[:4] == pytest.approx([squared.item(), *wanted], abs=1e-12)
    assert terms[1] - terms[2] + terms[3] + terms[4] == close(terms[0])


def test_every_function_looks_at_what_it_is_given():
    p, y = simulated((20,), 2)
    with_labels = [*NUMBERS, *TABLES, partial(c.bootstrap, c.nll), c.summary]
    with_posterior = [c.true_calibration_error, c.true_reliability_bins]
    alone = [c.ece_floor, c.consistency_band, partial(c.unsmoothed, eps=0.1)]
    for what, function, *rest in [
        *(("probabilities", f, p.log(), y) for f in with_labels),
        *(("probabilities", f, p.log()) for f in alone),
        *(("probabilities", f, p.log(), p) for f in with_posterior),
        *(("posterior", f, p, p.log()) for f in with_posterior),
        *(("targets", f, p, y[:-1]) for f in with_labels),
    ]:
        with pytest.raises(ValueError, match=f"^{what} must"):
            function(*rest)


def test_arrays_lists_gradients_and_memory_out_of_order_make_no_difference():
    def everything(p, y):
        found = [f(p, y) for f in NUMBERS]
        found += [c.ece_floor(p, draws=5), c.true_calibration_error(p, p)]
        assert not any(number.requires_grad for number in found)
        return torch.stack(found)

    p, y = simulated((30,), dtype=torch.float64)
    wanted = everything(p, y)
    read_only = p.numpy().copy()
    read_only.flags.writeable = False
    turned = p.flip(-1).numpy()[:, ::-1]
    swapped, leaf = p.numpy().astype(">f8"), p.clone().requires_grad_()
    for same in (read_only, p.tolist(), leaf, turned, swapped, [*leaf]):
        assert everything(same, y).equal(wanted)
    for same in (y.to(torch.uint8), y.numpy().astype(object), y.tolist()):
        assert everything(p, same).equal(wanted)
