"""Generated tasks, digits, parts and label noise: they are what they say."""

import math

import matplotlib.path
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, multivariate_normal
from sklearn.datasets import load_digits

from lsr_utils import datasets
from lsr_utils.datasets import generated, noise

DRAWN = pytest.mark.parametrize("draw", [datasets.gaussians, datasets.shapes])


@pytest.fixture
def small(monkeypatch):
    """Images of 4 x 4 pixels: enough where only labels are looked at."""
    monkeypatch.setattr(generated, "SIZE", 4)


def same(one, other):
    return torch.equal(one.x, other.x) and torch.equal(one.y, other.y)


@pytest.mark.parametrize("name", ["digits", "gaussians", "shapes"])
def test_every_task_has_the_same_form(name):
    data = datasets.load(name)
    n, y = len(data), data.y
    assert data.x.dtype == torch.float32 and data.x.isfinite().all()
    assert y.shape == (n,) and y.dtype == torch.int64 and set(y.tolist()) == {*range(6)}
    if data.posterior is not None:
        assert data.posterior.shape == (n, 6) and (data.posterior >= 0).all()
        assert torch.allclose(data.posterior.sum(1), torch.ones(n).double())
        part = data[data.y == 2]
        assert torch.equal(part.posterior, data.posterior[data.y == 2])
    for rows in (torch.tensor([3, 1]), data.y == 2, slice(10, 20)):
        assert same(data[rows], datasets.SixClass(data.x[rows], data.y[rows], None, ()))
    if name == "digits":
        raw = load_digits()
        rows = raw.target < 6
        assert data.x.shape == (1083, 1, 8, 8)
        np.testing.assert_array_equal(16 * data.x[:, 0], raw.images[rows])
        np.testing.assert_array_equal(data.y, raw.target[rows])


@DRAWN
def test_the_seed_alone_decides_the_draw(draw):
    np.random.seed(7)  # noqa: NPY002
    wanted = np.random.RandomState(7).random()
    before = torch.get_rng_state()
    one, other = draw(200, seed=3), draw(200, seed=4)
    assert same(one, draw(200, seed=3))
    assert not torch.equal(one.x, other.x) and not torch.equal(one.y, other.y)
    assert torch.equal(before, torch.get_rng_state())
    assert np.random.random() == wanted  # noqa: NPY002


@DRAWN
def test_labels_follow_the_posterior(draw, small):
    data = draw(6000, seed=0)
    posterior, y = data.posterior.numpy(), data.y.numpy()
    # Classes that are drawn uniformly, and as often as the posterior says.
    assert chisquare(np.bincount(y, minlength=6)).pvalue > 1e-3
    # The share of right labels among the rows that give a class a probability p is p.
    p, hit = posterior.ravel(), (np.eye(6)[y]).ravel()
    for low, high in ((0.02, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.98)):
        rows = (p > low) & (p < high)
        spread = math.sqrt((p[rows] * (1 - p[rows])).sum())
        assert rows.sum() > 100
        assert abs(hit[rows].sum() - p[rows].sum()) < 4 * spread


def test_the_posterior_of_the_gaussians_is_bayes_rule():
    data = datasets.gaussians(12_000, seed=1)
    angle = np.deg2rad([0, 60, 120, 180, 240, 300])
    centres = 2.45 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    density = np.stack([multivariate_normal(m).pdf(data.x) for m in centres], axis=1)
    bayes = density / density.sum(1, keepdims=True)
    np.testing.assert_allclose(data.posterior, bayes, atol=1e-12)
    image = data.x[:400].reshape(20, 20, 2)
    assert datasets.gaussians_posterior(image).shape == (20, 20, 6)
    for k, centre in enumerate(datasets.gaussian_means()):
        cloud = data.x[data.y == k].numpy()
        np.testing.assert_allclose(cloud.mean(0), centre, atol=0.1)


def test_outlines_are_as_symmetric_wide_and_large_as_their_names_say():
    rng, wide = np.random.default_rng, (1, 2, 2**0.5, 1.236, 2.381, 2.088)
    for k, turns in enumerate((1, 3, 4, 5, 5, 4)):
        radius, pure = generated.RADII[k], (np.full(500, k), np.zeros(500, int))
        np.testing.assert_allclose(np.roll(radius, 720 // turns), radius, atol=1e-9)
        assert radius.max() / radius.min() == pytest.approx(wide[k], rel=0.01)
        ink = generated.draw_outlines(*pure, np.ones(500), 20, rng(0))
        assert 4 * ink.mean() == pytest.approx(0.87, rel=0.05)  # pi E(scale^2)
        other = generated.draw_outlines(*pure[::-1], np.zeros(500), 20, rng(0))
        np.testing.assert_allclose(ink, other, atol=1e-12)
        mean = ink.mean(0)  # a tip up, turned to either side alike
        assert abs(mean - mean[:, ::-1]).max() < 0.2
        assert mean[2, 8:12].sum() > mean[17, 8:12].sum() - 0.1


def test_an_outline_lies_where_its_position_scale_and_angle_say():
    six, rng, side = np.arange(6), np.random.default_rng, 200
    ink = generated.draw_outlines(six, six, np.ones(6), side, rng(3))
    draw, around = rng(3), np.deg2rad(np.arange(0, 360, 0.5))[:, None]
    centre, scale = draw.uniform(-0.15, 0.15, (2, 6)), draw.uniform(0.45, 0.6, 6)
    turned = around - np.pi / 2 - draw.uniform(-np.pi / 6, np.pi / 6, 6)
    rim = np.stack([np.cos(turned), np.sin(turned)], -1) * generated.RADII.T[..., None]
    at = np.stack(np.meshgrid(*2 * [(np.arange(side) + 0.5) * 2 / side - 1]), -1)
    for k in six:
        rows = matplotlib.path.Path(scale[k] * rim[:, k] + centre[:, k])
        inside = rows.contains_points(at.reshape(-1, 2)).reshape(side, side)
        assert (abs(ink[k] - inside) > 0.6).mean() < 0.003, k
    small = generated.draw_outlines(six, six, np.ones(6), 20, rng(3))
    assert small[0].sum() / 100 == pytest.approx(np.pi * scale[0] ** 2, rel=0.01)


def test_parts_are_disjoint_random_and_in_proportion():
    data, sizes = datasets.digits(), (500, 200, 380)
    numbered = datasets.SixClass(torch.arange(1083), data.y, None, data.class_names)
    parts = datasets.split(numbered, sizes, seed=0)
    assert [len(part) for part in parts] == list(sizes)
    rows = torch.cat([part.x for part in parts])
    assert len(rows.unique()) == sum(sizes)
    share = torch.bincount(data.y).double() / 1083
    for part in parts:
        assert torch.equal(part.y, data.y[part.x])
        counts = torch.bincount(part.y, minlength=6)
        assert (counts - share * len(part)).abs().max() < 3
        assert not torch.equal(part.x, part.x.sort().values)
    again = datasets.split(numbered, sizes)
    other = datasets.split(numbered, sizes, seed=1)
    for one, two, three in zip(parts, again, other, strict=True):
        assert torch.equal(one.x, two.x) and not torch.equal(one.x, three.x)
    (half,) = datasets.split(labels(12), (6,))  # six are left: one of each class
    assert half.y.sort().values.tolist() == [*range(6)]
    assert len(datasets.SixClass(half.x, half.y + 200, None, ())) == 6


def labels(n):
    y = torch.arange(n) % 6
    posterior = torch.eye(6, dtype=torch.float64)[y]
    return datasets.SixClass(torch.randn(n, 1), y, posterior, tuple("abcdef"))


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_symmetric_noise_spreads_its_rate_over_the_others(rate):
    own = torch.eye(6, dtype=torch.float64)
    wanted = own * (1 - rate) + (1 - own) * rate / 5
    found = noise.symmetric_noise(rate)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-15)


def test_pair_noise_takes_one_class_for_another():
    found = noise.pair_noise(0.3, ((0, 1), (1, 0), (3, 5)))
    wanted = torch.eye(6, dtype=torch.float64)
    wanted[[0, 1, 3]] *= 0.7
    wanted[[0, 1, 3], [1, 0, 5]] = 0.3
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-15)
    with pytest.raises(ValueError, match=r"a row of rates, got \[\(0, 1\), \(0, 2\)\]"):
        noise.pair_noise(0.6, [(0, 1), (0, 2)])


TURNED = torch.eye(6, dtype=torch.float64).roll(1, 1)


@pytest.mark.parametrize("transition", [noise.symmetric_noise(0.4), TURNED])
def test_labels_are_drawn_from_the_row_of_their_class(transition):
    clean = labels(60_000)
    noisy = noise.corrupt(clean, transition, seed=3)
    counts = torch.bincount(6 * clean.y + noisy.y, minlength=36).view(6, 6)
    share = counts.double() / 10_000
    error = 5 * (transition * (1 - transition) / 10_000).sqrt()  # five sigma
    assert ((share - transition).abs() <= error + 1e-12).all()
    assert noisy.x is clean.x and noisy.class_names == clean.class_names
    assert clean.y.equal(torch.arange(60_000) % 6)  # left alone
    state = torch.get_rng_state()
    assert noisy.y.equal(noise.corrupt(clean, transition.tolist(), seed=3).y)
    assert torch.equal(state, torch.get_rng_state())
    few = datasets.gaussians(50)
    found = noise.corrupt(few, transition).posterior
    torch.testing.assert_close(found, few.posterior @ transition)
    unknown = datasets.SixClass(few.x, few.y, None, few.class_names)
    assert noise.corrupt(unknown, transition).posterior is None


@settings(max_examples=30)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**6))
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
