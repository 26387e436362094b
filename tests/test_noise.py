"""Label noise: its matrices, labels corrupted once, labels drawn anew in each step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr_utils import datasets
from lsr_utils.datasets import noise

RATES = st.floats(0, 1)


def labels(n):
    y = torch.arange(n) % 6
    posterior = torch.eye(6, dtype=torch.float64)[y]
    return datasets.SixClass(torch.randn(n, 1), y, posterior, tuple("abcdef"))


# --- matrices -----------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_symmetric_noise_spreads_its_rate_over_the_others(rate):
    for num_classes in (2, 6):
        own = torch.eye(num_classes, dtype=torch.float64)
        wanted = own * (1 - rate) + (1 - own) * rate / (num_classes - 1)
        found = noise.symmetric_noise(rate, num_classes)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-15)
    assert noise.symmetric_noise(rate).equal(found)


def test_pair_noise_takes_one_class_for_another():
    found = noise.pair_noise(0.3, ((0, 1), (1, 0), (3, 5)))
    wanted = torch.eye(6, dtype=torch.float64)
    wanted[[0, 1, 3]] *= 0.7
    wanted[[0, 1, 3], [1, 0, 5]] = 0.3
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-15)
    two = noise.pair_noise(1 / 2, [(2, 0), (2, 1)], num_classes=3)
    assert two[2].tolist() == [0.5, 0.5, 0.0]
    three = noise.pair_noise(0.1 + 0.7 / 3, [(3, b) for b in (0, 1, 2)], 4)
    assert three.min() >= 0 and three[3, 3] == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match=r"a row of rates, got \[\(0, 1\), \(0, 2\)\]"):
        noise.pair_noise(0.6, [(0, 1), (0, 2)])


# --- labels corrupted once ----------------------------------------------------------


@pytest.mark.parametrize(
    "transition",
    [
        noise.symmetric_noise(0.4),
        noise.pair_noise(0.3, ((0, 1), (1, 0), (5, 2))),
        torch.eye(6, dtype=torch.float64).roll(1, 1),
    ],
)
def test_labels_are_drawn_from_the_row_of_their_class(transition):
    clean = labels(60_000)
    noisy = noise.corrupt(clean, transition, seed=3)
    counts = torch.bincount(6 * clean.y + noisy.y, minlength=36).view(6, 6)
    share = counts.double() / 10_000
    error = 5 * (transition * (1 - transition) / 10_000).sqrt()  # five sigma
    assert ((share - transition).abs() <= error + 1e-12).all()
    assert noisy.x is clean.x and noisy.class_names == clean.class_names
    torch.testing.assert_close(noisy.posterior, transition[clean.y])


def test_the_posterior_is_that_of_the_noisy_label():
    clean = datasets.gaussians(50)
    transition = noise.pair_noise(0.3, ((0, 1), (4, 2)))
    found = noise.corrupt(clean, transition).posterior
    torch.testing.assert_close(found, clean.posterior @ transition)
    unknown = datasets.SixClass(clean.x, clean.y, None, clean.class_names)
    assert noise.corrupt(unknown, transition).posterior is None


@settings(max_examples=30)
@given(RATES, RATES, st.integers(0, 10**6))
def test_more_noise_corrupts_more_labels_never_others(one, two, seed):
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.rand(2, 6, 6, generator=generator, dtype=torch.float64) ** 4
    pairs = ((0, 1), (2, 3))
    clean = labels(300)
    for first, second in (
        kinds / kinds.sum(-1, keepdim=True),  # any two kinds of noise
        (noise.symmetric_noise(one), noise.symmetric_noise(two)),
        (noise.pair_noise(one, pairs), noise.pair_noise(two, pairs)),
    ):
        a, b = (noise.corrupt(clean, t, seed).y != clean.y for t in (first, second))
        first, second = (t.diagonal()[clean.y] for t in (first, second))
        assert not (a & ~b)[second <= first].any()
        assert not (b & ~a)[first <= second].any()
        assert not a[first == 1].any()


def test_the_seed_alone_decides_the_draw_and_the_data_are_left_alone():
    clean = labels(500)
    before, state = clean.y.clone(), torch.get_rng_state()
    half = noise.symmetric_noise(0.5)
    one, two, other = (noise.corrupt(clean, half, seed=s).y for s in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(noise.corrupt(clean, half).y, noise.corrupt(clean, half, 0).y)
    assert torch.equal(clean.y, before) and torch.equal(state, torch.get_rng_state())
    assert torch.equal(noise.corrupt(clean, half.tolist(), seed=1).y, one)
    with torch.device("meta"):  # as torch.set_default_device does
        assert torch.equal(noise.corrupt(clean, half, seed=1).y, one)


# --- labels drawn anew --------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.2, 1.0])
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
