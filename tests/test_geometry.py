"""Geometry of features: against numpy written from the papers, and exact cases."""

import itertools
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from lsr_utils import geometry


def random_case(seed, leading=(), rows=40, width=9, num_classes=6):
    """Features, targets (each class twice or more), weight and bias."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([
        np.repeat(np.arange(num_classes), 2),
        rng.integers(0, num_classes, rows - 2 * num_classes),
    ])  # fmt: skip
    targets = np.stack([rng.permutation(targets) for _ in range(math.prod(leading))])
    targets = targets.reshape(*leading, rows)
    centres = 3 * rng.standard_normal((*leading, num_classes, width))
    features = np.take_along_axis(centres, targets[..., None], -2)
    features = features + 0.7 * rng.standard_normal(features.shape) + 1.5
    weight = rng.standard_normal((*leading, num_classes, width))
    bias = rng.standard_normal((*leading, num_classes))
    return [torch.as_tensor(a) for a in (features, targets, weight, bias)]


def differences(z, triple):
    return torch.stack([z[:, j] - z[:, k] for j, k in pairs(triple)], -1)


def pairs(triple):
    return itertools.combinations(triple, 2)


SEEDS, DTYPES = st.integers(0, 10_000), st.sampled_from([torch.float32, torch.float64])


@hypothesis.settings(max_examples=30)
@hypothesis.given(st.integers(2, 200), st.permutations(range(6)), SEEDS, DTYPES)
def test_logit_differences_are_linear_in_the_plane(width, classes, seed, dtype):
    triple, num_classes, bias = classes[:3], max(classes[:3]) + 1, seed % 2 == 0
    generator = torch.Generator().manual_seed(seed)
    head = torch.nn.Linear(width, num_classes, bias=bias, dtype=dtype)
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    features = 2 * torch.randn(30, width, generator=generator, dtype=torch.float64)
    plane = geometry.template_plane(head.weight, triple, head.bias)
    found = plane.logit_differences(plane.project(features))
    wanted = differences(head.double()(features).detach(), triple)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("triple", "blunt"), [((4, 0, 5), False), ((1, 2, 3), True)])
def test_along_a_ray_its_two_classes_have_the_largest_logits(triple, blunt):
    # The logits of the network itself, at points of the plane lifted to its features.
    _, _, weight, bias = random_case(1, leading=(8,))
    if blunt:  # templates nearly in a row
        middle = weight[:, [triple[0], triple[2]]].mean(1)
        weight[:, triple[1]] = middle + 0.05 * weight[:, triple[1]]
    plane = geometry.template_plane(weight, triple, bias)
    assert (plane.directions.norm(dim=-1) - 1).abs().max() < 1e-12
    for ray, (one, other) in enumerate(pairs(range(3))):
        for far in (0.1, 2.0, 50.0):
            point = plane.centre + far * plane.directions[:, ray]
            lifted = plane.origin + (plane.axes @ point.unsqueeze(-1)).squeeze(-1)
            z = ((weight @ lifted.unsqueeze(-1)).squeeze(-1) + bias)[:, list(triple)]
            torch.testing.assert_close(z[:, one], z[:, other])
            assert (z[:, 3 - one - other] < z[:, one]).all()
    a, b, c = plane.templates.unbind(-2)  # b to the right of a, and c above them
    assert (b[:, 0] > a[:, 0]).all() and (c[:, 1] > a[:, 1]).all()
    assert (a - b)[:, 1].abs().max() < 1e-12 and (a + b + c).abs().max() < 1e-12
    back = plane.origin.unsqueeze(-2) + plane.templates @ plane.axes.mT
    torch.testing.assert_close(back, weight[:, list(triple)])  # none leaves the plane
    at_centre = plane.logit_differences(plane.centre.unsqueeze(-2))
    assert at_centre.abs().max() < 1e-9  # all three are equal there


def test_a_fleet_has_the_planes_of_its_networks():
    features, _, weight, bias = random_case(4, leading=(2, 4))
    plane = geometry.template_plane(weight, (0, 1, 2), bias)
    points = plane.project(features)
    for m in np.ndindex(2, 4):
        alone = geometry.template_plane(weight[m], (0, 1, 2), bias[m])
        torch.testing.assert_close(points[m], alone.project(features[m]))
        torch.testing.assert_close(plane.directions[m], alone.directions)
    # One plane for the features of many networks.
    torch.testing.assert_close(alone.project(features)[m], points[m])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_collinear_templates_have_no_plane(dtype):
    weight = random_case(2)[2].to(dtype)
    line = weight.clone()
    line[4] = 0.3 * weight[0] + 0.7 * weight[2]
    for wrong in (line, torch.stack([weight, line])):
        with pytest.raises(ValueError, match=r"of \(0, 2, 4\) must span a plane"):
            geometry.template_plane(wrong, (0, 2, 4))
    for other in (line, line.double() / 1e4):  # another triple is none the worse
        geometry.template_plane(other, (0, 2, 5))


def in_numpy(features, targets, weight):
    h, y, w = features.numpy(), targets.numpy(), weight.numpy()
    K, classes = len(w), range(len(w))
    mu = np.stack([h[y == k].mean(0) for k in classes])
    centre = mu.mean(0)
    within = sum(np.cov(h[y == k].T, bias=True) for k in classes) / K
    between = sum(np.outer(m - centre, m - centre) for m in mu) / K

    def distance(a, b):  # mean over all pairs of the cosine distance, Kornblith et al.
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return np.mean([1 - p @ q for p in a for q in b])

    members = [h[y == k] for k in classes]
    d_within = np.mean([distance(a, a) for a in members])
    d_total = np.mean([distance(a, b) for a in members for b in members])
    means, templates = mu - centre, w - w.mean(0)
    norms = np.linalg.norm(means, axis=1)
    pairs = itertools.permutations(classes, 2)
    angles = [means[j] @ means[k] / norms[j] / norms[k] for j, k in pairs]

    unit, head, centred = (a / np.linalg.norm(a) for a in (means, w, templates))
    squared = np.array([[sum((x - w[k]) ** 2) for k in classes] for x in h])
    others = squared[y[:, None] != classes].reshape(len(y), -1)
    raw = others.std(axis=1)
    among, whole = (((d.T - d.mean(1)) ** 2).sum(0) for d in (others, squared))
    return {
        "within": np.trace(within),
        "between": np.trace(between),
        "ratio": np.trace(within) / np.trace(between),
        "separation": 1 - d_within / d_total,
        "nc1": np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / K,
        "angles": np.mean([abs(c + 1 / (K - 1)) for c in angles]),
        "duality raw": np.linalg.norm(w - means) ** 2,
        "duality": np.linalg.norm(head - unit) ** 2,
        "duality centred": np.linalg.norm(centred - unit) ** 2,
        "others": np.mean([raw[y == k].mean() for k in classes]),
        "others share": sum(among[y == k].mean() for k in classes)
        / sum(whole[y == k].mean() for k in classes),
    }


def measured(features, targets, weight):
    """The same from ``geometry``, for one network or a fleet."""
    K = weight.shape[-2]
    tight = geometry.scatter(features, targets, K)._asdict()
    means = geometry.class_means(features, targets, K)
    duality = geometry.self_duality(weight, features, targets)
    others = geometry.other_templates(weight, features, targets)
    centred = geometry.self_duality(weight, features, targets, centred=True)
    return tight | {
        "separation": geometry.class_separation(features, targets, K),
        "nc1": geometry.nc1(features, targets, K),
        "angles": geometry.equal_angles(means),
        "duality raw": duality.raw,
        "duality": duality.relative,
        "duality centred": centred.relative,
        "others": others.raw,
        "others share": others.share,
    }


@pytest.mark.parametrize(
    ("width", "num_classes", "spread"),
    [(9, 6, 1), (9, 6, 1e-3), (64, 6, 1), (3, 6, 1), (2, 3, 1)],
)
def test_measures_agree_with_numpy(width, num_classes, spread):
    features, targets, weight, _ = random_case(1, (2,), 60, width, num_classes)
    means = geometry.class_means(features, targets, num_classes)
    means = torch.take_along_dim(means, targets[..., None], -2)
    features = means + spread * (features - means)  # classes that are nearly points
    found = measured(features, targets, weight)
    for m in range(2):
        wanted = in_numpy(features[m], targets[m], weight[m])
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            assert found[name][m].item() == pytest.approx(value, rel=1e-8), name


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_tiny_and_huge_features_have_the_same_ratios(scale):
    features, targets, weight, _ = random_case(3, leading=(2,))
    before = measured(features, targets, weight)
    fleet = torch.stack([features[0], scale * features[1]])  # each by its own scale
    heads = torch.stack([weight[0], scale * weight[1]])
    after = measured(fleet, targets, heads)
    squared = {"within", "between", "duality raw", "others"}
    for name in before:
        power = 2 if name in squared else 0
        wanted = before[name] * torch.tensor([1, scale**power], dtype=torch.float64)
        torch.testing.assert_close(after[name], wanted, rtol=1e-9, atol=0)


def test_a_collapsed_network_has_every_measure_at_its_end():
    corners, targets = torch.eye(6, 8).double(), torch.arange(24) % 6
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))[0]
    corners = (corners - corners.mean(0)) @ turn
    found = measured(5 * corners[targets] + turn[0], targets, 2 * corners)
    for name in ("within", "ratio", "nc1", "angles", "duality"):
        assert abs(found[name]) < 1e-12, name
    assert geometry.class_separation(5 * corners[targets], targets) == pytest.approx(1)
    wanted = torch.full((6, 6), -0.2, dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(geometry.cosines(corners), wanted)


@pytest.mark.filterwarnings("error")
def test_inputs_are_left_alone_whatever_they_are():
    features, targets, weight, _ = random_case(8)
    wanted = measured(features, targets, weight)
    locked = [t.numpy().copy() for t in (features, targets, weight)]
    for array in locked:
        array.flags.writeable = False
    turned = features.numpy()[::-1], targets.numpy()[::-1], weight
    carrying = features.clone().requires_grad_(), targets, weight.requires_grad_()
    fleet = features.expand(2, -1, -1), targets, weight.expand(2, -1, -1)
    for case in (locked, turned, carrying, fleet):
        for name, value in measured(*case).items():
            assert value.dtype == torch.float64 and not value.requires_grad
            torch.testing.assert_close(value, wanted[name].expand(value.shape))
    geometry.template_plane(locked[2], (0, 1, 2), np.zeros(6)[::-1])


MEASURES = [
    geometry.scatter,
    geometry.class_separation,
    geometry.nc1,
    lambda h, y: geometry.self_duality(torch.eye(6, h.shape[-1]), h, y),
    lambda h, y: geometry.other_templates(torch.eye(6, h.shape[-1]), h, y),
]


@pytest.mark.parametrize("measure", MEASURES)
def test_what_cannot_be_measured_gives_no_number(measure):
    features, targets, _, _ = random_case(6)
    for wrong, error in [(6, IndexError), (0, ValueError)]:
        labels = torch.where(targets == 3, wrong, targets)  # or class 3 has no sample
        with pytest.raises(error, match="targets must"):
            measure(features, labels)
    labels = torch.cat([torch.arange(6), torch.arange(34) % 5])
    if measure in MEASURES[:3]:  # a class of one sample has no spread
        with pytest.raises(ValueError, match="at least 2 samples .* got 1 of class 5"):
            measure(features, labels)
    for constant in (0.1, 1e8) if measure in MEASURES[:4] else ():
        same = torch.full_like(features, constant)
        with pytest.raises(ValueError, match="must"):
            measure(torch.stack([features, same]), targets)
    features[10, 3] = math.nan
    with pytest.raises(ValueError, match="features must be finite, got"):
        measure(features, targets)
