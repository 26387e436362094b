"""Label noise: its matrices, labels corrupted once, labels drawn anew in each step."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lsr_utils import datasets
from lsr_utils.datasets import noise

RATES = st.floats(0, 1)


def message(function, *arguments, **options):
    with pytest.raises(ValueError) as caught:
        function(*arguments, **options)
    return str(caught.value)


# --- matrices -----------------------------------------------------------------------


@given(RATES, st.integers(2, 9))
def test_symmetric_noise_spreads_its_rate_over_the_others(rate, num_classes):
    transition = noise.symmetric_noise(rate, num_classes)
    assert transition.shape == (num_classes, num_classes)
    assert transition.dtype == torch.float64
    for a in range(num_classes):
        for b in range(num_classes):
            wanted = 1 - rate if a == b else rate / (num_classes - 1)
            assert transition[a, b].item() == pytest.approx(wanted, abs=1e-15)


def test_symmetric_noise_has_six_classes_unless_told():
    assert noise.symmetric_noise(0.3).shape == (6, 6)
    assert noise.pair_noise(0.3, []).equal(torch.eye(6, dtype=torch.float64))


def test_pair_noise_takes_one_class_for_another():
    found = noise.pair_noise(0.3, ((0, 1), (1, 0), (3, 5)))
    wanted = torch.eye(6, dtype=torch.float64)
    wanted[0, 0], wanted[0, 1] = 0.7, 0.3
    wanted[1, 0], wanted[1, 1] = 0.3, 0.7
    wanted[3, 3], wanted[3, 5] = 0.7, 0.3
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-15)
    two = noise.pair_noise(1 / 2, [(2, 0), (2, 1)], num_classes=3)
    assert two[2].tolist() == [0.5, 0.5, 0.0]
    three = noise.pair_noise(0.1 + 0.7 / 3, [(3, b) for b in (0, 1, 2)], 4)
    assert three.min() >= 0 and three[3, 3] == pytest.approx(0, abs=1e-12)


PAIRS = "pairs must hold two different classes of 0 ... 5 each, got "


@pytest.mark.parametrize("pair", [(1, 1), (-1, 0), (0, -6)])
def test_a_pair_that_is_no_confusion_is_named(pair):
    assert message(noise.pair_noise, 0.1, [pair]) == f"{PAIRS}{pair}."


def test_rates_that_leave_nothing_of_a_class_are_refused_by_corrupt():
    too_much = noise.pair_noise(0.6, [(0, 1), (0, 2)])
    wanted = "transition must sum to 1 in each row, got 1.2000."
    assert message(noise.corrupt, labels(12), too_much) == wanted


@pytest.mark.parametrize("rate", [-0.1, 1.2, math.nan, math.inf])
def test_a_rate_outside_its_range_is_named(rate):
    wanted = f"rate must lie in [0, 1], got {rate!r}."
    assert message(noise.symmetric_noise, rate) == wanted
    assert message(noise.pair_noise, rate, [(0, 1)]) == wanted


# --- labels corrupted once ----------------------------------------------------------


def labels(n=60_000):
    y = torch.arange(n) % 6
    posterior = torch.eye(6, dtype=torch.float64)[y]
    return datasets.SixClass(torch.randn(n, 1), y, posterior, tuple("abcdef"))


@pytest.mark.parametrize(
    "transition",
    [
        noise.symmetric_noise(0.4),
        noise.symmetric_noise(1),
        noise.pair_noise(0.3, ((0, 1), (1, 0), (5, 2))),
        torch.eye(6, dtype=torch.float64).roll(1, 1),
    ],
)
def test_labels_are_drawn_from_the_row_of_their_class(transition):
    clean = labels()
    noisy = noise.corrupt(clean, transition, seed=3)
    counts = torch.zeros(6, 6).index_put_(
        (clean.y, noisy.y), torch.ones(len(clean)), accumulate=True
    )
    share = (counts / 10_000).double()
    error = 5 * (transition * (1 - transition) / 10_000).sqrt()  # five sigma
    assert ((share - transition).abs() <= error + 1e-12).all()
    assert noisy.x is clean.x and noisy.class_names == clean.class_names
    torch.testing.assert_close(noisy.posterior, transition[clean.y])


def test_the_posterior_is_that_of_the_noisy_label():
    clean = datasets.gaussians(50)
    transition = noise.pair_noise(0.3, ((0, 1), (4, 2)))
    found = noise.corrupt(clean, transition).posterior.numpy()
    wanted = clean.posterior.numpy() @ transition.numpy()
    assert found == pytest.approx(wanted, abs=1e-15)
    unknown = datasets.SixClass(clean.x, clean.y, None, clean.class_names)
    assert noise.corrupt(unknown, transition).posterior is None


@given(RATES, RATES, st.integers(0, 10**9), st.booleans())
def test_a_higher_rate_corrupts_more_labels_never_others(one, two, seed, symmetric):
    low, high = sorted((one, two))
    clean = labels(300)

    def corrupted(rate):
        pairs = noise.pair_noise(rate, ((0, 1), (2, 3)))
        transition = noise.symmetric_noise(rate) if symmetric else pairs
        return noise.corrupt(clean, transition, seed).y != clean.y

    assert not (corrupted(low) & ~corrupted(high)).any()
    if high == 0:
        assert not corrupted(high).any()


@given(st.integers(0, 10**6))
def test_that_holds_between_any_two_kinds_of_noise(seed):
    generator = torch.Generator().manual_seed(seed)
    one, two = torch.rand(2, 6, 6, generator=generator, dtype=torch.float64) ** 4
    one, two = (t / t.sum(1, keepdim=True) for t in (one, two))
    clean = labels(300)
    changed = [noise.corrupt(clean, t, seed).y != clean.y for t in (one, two)]
    smaller = (two.diagonal() < one.diagonal())[clean.y]
    assert not (changed[0] & ~changed[1])[smaller].any()
    assert not (changed[1] & ~changed[0])[~smaller].any()


def test_the_seed_decides_the_draw_and_the_data_are_left_alone():
    clean = labels(500)
    before, state = clean.y.clone(), torch.get_rng_state()
    half = noise.symmetric_noise(0.5)
    one, two, other = (noise.corrupt(clean, half, seed=s).y for s in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(noise.corrupt(clean, half).y, noise.corrupt(clean, half, 0).y)
    assert torch.equal(clean.y, before) and torch.equal(state, torch.get_rng_state())
    as_lists = noise.corrupt(clean, half.tolist(), seed=1)
    assert torch.equal(as_lists.y, one)


@pytest.mark.parametrize(
    ("transition", "wanted"),
    [
        (torch.eye(5), "transition must have shape (6, 6), got (5, 5)."),
        (
            1.2 * torch.eye(6) - 0.2 / 6,
            "transition must lie in [0, 1] (a softmax of logits does), got 1.167.",
        ),
        (
            torch.full((6, 6), math.nan),
            "transition must lie in [0, 1] (a softmax of logits does), got nan.",
        ),
        (0.9 * torch.eye(6), "transition must sum to 1 in each row, got 0.9000."),
    ],
)
def test_a_matrix_that_is_no_transition_matrix_is_named(transition, wanted):
    assert message(noise.corrupt, datasets.gaussians(20), transition) == wanted


def test_a_bad_seed_is_named():
    wanted = "seed must be a whole number, 0 to 4294967295, got -1."
    eye = torch.eye(6)
    assert message(noise.corrupt, datasets.gaussians(20), eye, seed=-1) == wanted


def test_the_draw_does_not_depend_on_the_default_device():
    clean, half = labels(500), noise.symmetric_noise(0.5)
    wanted = noise.corrupt(clean, half, seed=1).y
    with torch.device("meta"):  # as torch.set_default_device does
        assert torch.equal(noise.corrupt(clean, half, seed=1).y, wanted)


# --- labels drawn anew --------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.2, 0.75, 1.0])
def test_redrawn_labels_are_others_each_alike(rate):
    targets = torch.arange(60_000) % 6
    draws = torch.rand(60_000, generator=torch.Generator().manual_seed(1))
    found = noise.redraw(targets, rate, draws)
    shift = (found - targets) % 6
    share = torch.bincount(shift, minlength=6) / 60_000
    assert share[0].item() == pytest.approx(1 - rate, abs=0.01)
    assert share[1:].tolist() == pytest.approx(5 * [rate / 5], abs=0.01)
    assert torch.equal(shift != 0, draws < rate)  # another class, never the same
    assert found.dtype == torch.int64


@given(
    st.floats(0, 1, width=32),
    st.integers(2, 7),
    st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=1, max_size=8),
)
def test_redrawn_labels_are_classes_whatever_is_drawn(rate, num_classes, draws):
    draws = torch.tensor(draws, dtype=torch.float32)
    just_below = torch.nextafter(torch.tensor(rate), torch.tensor(-1.0)).clamp_min(0)
    draws = torch.cat([draws, just_below.view(1)])
    targets = torch.arange(len(draws)) % num_classes
    found = noise.redraw(targets, rate, draws, num_classes)
    assert found.min() >= 0 and found.max() < num_classes
    assert torch.equal(found != targets, draws < rate)
    column = torch.tensor([[0.0], [rate], [1.0]])
    rows = noise.redraw(targets.expand(3, -1), column, draws, num_classes)
    assert torch.equal(rows[0], targets) and torch.equal(rows[1], found)
    assert (rows[2] != targets).all()


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.7, 1.0, 1e-30, 1e-45])
def test_the_largest_draw_below_the_rate_is_the_last_class(rate):
    below = torch.nextafter(torch.tensor([rate]), torch.tensor([0.0]))
    assert noise.redraw(torch.tensor([2]), rate, below).item() in (1, 3)
    last = {1e-45: 3}.get(rate, 1)  # 1e-45: the only draw below it is 0
    assert noise.redraw(torch.tensor([2]), rate, below).item() == last
    assert noise.redraw(torch.tensor([2]), rate, 0 * below).item() == 3
