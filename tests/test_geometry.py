"""Geometry of features: against numpy written from the papers, and exact cases."""

import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from lsr_utils import geometry, models

TOLERANCE = {"rtol": 1e-8, "atol": 1e-8}


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


# -- the plane -----------------------------------------------------------------------


@hypothesis.given(
    width=st.integers(2, 200),
    num_classes=st.integers(3, 9),
    seed=st.integers(0, 10_000),
    bias=st.booleans(),
    name=st.sampled_from([torch.float32, torch.float64]),
    data=st.data(),
)
def test_logit_differences_are_linear_in_the_plane(
    width, num_classes, seed, bias, name, data
):
    triple = data.draw(st.permutations(range(num_classes)))[:3]
    generator = torch.Generator().manual_seed(seed)
    head = torch.nn.Linear(width, num_classes, bias=bias, dtype=name)
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    features = 2 * torch.randn(30, width, generator=generator, dtype=torch.float64)
    logits = head.double()(features).detach()
    plane = geometry.template_plane(head.weight, triple, head.bias)
    found = plane.logit_differences(plane.project(features))
    a, b, c = (logits[:, k] for k in triple)
    wanted = torch.stack([a - b, a - c, b - c], -1)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_plane_of_a_network_gives_its_own_logit_differences(name):
    model = models.build(name, (1, 8, 8), seed=3).double()
    x = torch.rand(25, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    plane = geometry.template_plane(model.head.weight, (5, 0, 3), model.head.bias)
    points, z = plane.project(model.features(x)), model(x).detach()
    wanted = torch.stack([z[:, 5] - z[:, 0], z[:, 5] - z[:, 3], z[:, 0] - z[:, 3]], -1)
    assert points.shape == (25, 2)
    assert (plane.logit_differences(points) - wanted).abs().max() < 1e-12


def test_the_plane_passes_through_its_templates_and_not_through_the_origin():
    features, _, weight, bias = random_case(0)
    plane = geometry.template_plane(weight, (0, 2, 4), bias)
    torch.testing.assert_close(plane.project(weight[[0, 2, 4]]), plane.templates)
    back = plane.origin + plane.templates @ plane.axes.T
    torch.testing.assert_close(back, weight[[0, 2, 4]])  # no template leaves the plane
    torch.testing.assert_close(plane.axes.T @ plane.axes, torch.eye(2).double())
    gap = plane.origin - plane.axes @ (plane.axes.T @ plane.origin)
    assert gap.norm() > 0.5  # how far the plane runs past the origin


@pytest.mark.parametrize("seed", range(5))
def test_b_lies_to_the_right_of_a_and_c_above_them(seed):
    _, _, weight, _ = random_case(seed, leading=(3,))
    a, b, c = geometry.template_plane(weight, (1, 5, 0)).templates.unbind(-2)
    assert (b[:, 0] > a[:, 0]).all() and (c[:, 1] > a[:, 1]).all()
    torch.testing.assert_close(a[:, 1], b[:, 1])
    torch.testing.assert_close((a + b + c).abs().max(), torch.tensor(0.0).double())


@pytest.mark.parametrize("seed", range(8))
def test_decision_lines_part_the_plane_as_the_largest_logit_does(seed):
    _, _, weight, bias = random_case(seed)
    plane = geometry.template_plane(weight, (2, 3, 1), bias)
    at_centre = plane.logit_differences(plane.centre.unsqueeze(0))
    assert at_centre.abs().max() < 1e-10
    torch.testing.assert_close(plane.directions.norm(dim=-1), torch.ones(3).double())
    points = plane.centre + 2.0 * plane.directions
    a_b, a_c, b_c = plane.logit_differences(points).unbind(-1)
    assert abs(a_b[0]) < 1e-10 and a_c[0] > 0 and b_c[0] > 0
    assert abs(a_c[1]) < 1e-10 and a_b[1] > 0 and b_c[1] < 0
    assert abs(b_c[2]) < 1e-10 and a_b[2] < 0 and a_c[2] < 0
    # A ray is at right angles to the side between its two templates.
    a, b, c = plane.templates
    sides = torch.stack([b - a, c - a, c - b])
    assert (sides * plane.directions).sum(-1).abs().max() < 1e-10


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("triple", [(2, 3, 1), (1, 2, 3), (4, 0, 5)])
def test_along_a_ray_its_two_classes_have_the_largest_logits(seed, triple):
    # The logits of the network itself, at points of the plane lifted to its features.
    _, _, weight, bias = random_case(seed, leading=(3,))
    if seed % 2:  # templates nearly in a row: a blunt corner
        weight[:, triple[1]] = weight[:, [triple[0], triple[2]]].mean(1) + (
            0.05 * weight[:, triple[1]]
        )
    plane = geometry.template_plane(weight, triple, bias)
    pairs = [(0, 1, 2), (0, 2, 1), (1, 2, 0)]
    for ray, (one, other, third) in enumerate(pairs):
        for far in (0.1, 2.0, 50.0):
            point = plane.centre + far * plane.directions[:, ray]
            lifted = plane.origin + (plane.axes @ point.unsqueeze(-1)).squeeze(-1)
            z = (weight @ lifted.unsqueeze(-1)).squeeze(-1) + bias
            z = z[:, list(triple)]
            torch.testing.assert_close(z[:, one], z[:, other])
            assert (z[:, third] < z[:, one]).all()


def test_a_fleet_has_the_planes_of_its_networks():
    features, _, weight, bias = random_case(4, leading=(2, 3))
    plane = geometry.template_plane(weight, (0, 1, 2), bias)
    points = plane.project(features)
    for m in np.ndindex(2, 3):
        alone = geometry.template_plane(weight[m], (0, 1, 2), bias[m])
        torch.testing.assert_close(points[m], alone.project(features[m]))
        for name in ("origin", "axes", "templates", "offsets", "centre", "directions"):
            torch.testing.assert_close(getattr(plane, name)[m], getattr(alone, name))
        torch.testing.assert_close(
            plane.logit_differences(points)[m],
            alone.logit_differences(alone.project(features[m])),
        )


# -- measures ------------------------------------------------------------------------


def in_numpy(features, targets, weight):
    """Every measure of one network, from the formulas of the papers, in loops."""
    h, y, w = features.numpy(), targets.numpy(), weight.numpy()
    classes = range(len(w))
    K, D = w.shape
    mu = np.stack([h[y == k].mean(0) for k in classes])
    centre = mu.mean(0)
    within = sum(np.cov(h[y == k].T, bias=True) for k in classes) / K
    between = sum(np.outer(m - centre, m - centre) for m in mu) / K

    def distance(a, b):  # mean over all pairs of the cosine distance, Kornblith et al.
        return np.mean([
            1 - p @ q / np.linalg.norm(p) / np.linalg.norm(q) for p in a for q in b
        ])  # fmt: skip

    d_within = np.mean([distance(h[y == k], h[y == k]) for k in classes])
    d_total = np.mean(
        [distance(h[y == j], h[y == k]) for j in classes for k in classes]
    )
    means, templates = mu - centre, w - w.mean(0)
    norms = np.linalg.norm(means, axis=1)
    pairs = [(j, k) for j in classes for k in classes if j != k]
    angles = [means[j] @ means[k] / norms[j] / norms[k] for j, k in pairs]
    unit = means / np.linalg.norm(means)
    squared = np.array([[sum((x - w[k]) ** 2) for k in classes] for x in h])
    others = np.array([
        [row[k] for k in classes if k != label]
        for row, label in zip(squared, y, strict=True)
    ])  # fmt: skip
    raw = others.std(axis=1)
    among, whole = (((d.T - d.mean(1)) ** 2).sum(0) for d in (others, squared))
    return {
        "within": np.trace(within),
        "between": np.trace(between),
        "ratio": np.trace(within) / np.trace(between),
        "separation": 1 - d_within / d_total,
        "nc1": np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / K,
        "norms": np.std(norms),
        "norms relative": np.std(norms) / np.mean(norms),
        "angles": np.mean([abs(c + 1 / (K - 1)) for c in angles]),
        "duality raw": np.linalg.norm(w - means) ** 2,
        "duality": np.linalg.norm(w / np.linalg.norm(w) - unit) ** 2,
        "duality centred": np.linalg.norm(templates / np.linalg.norm(templates) - unit)
        ** 2,
        "others": np.mean([raw[y == k].mean() for k in classes]),
        "others share": sum(among[y == k].mean() for k in classes)
        / sum(whole[y == k].mean() for k in classes),
    }


def measured(features, targets, weight):
    """The same from ``geometry``, for one network or a fleet."""
    K = weight.shape[-2]
    tight = geometry.scatter(features, targets, K)
    means = geometry.class_means(features, targets, K)
    norms = geometry.equal_norms(means)
    duality = geometry.self_duality(weight, features, targets)
    others = geometry.other_templates(weight, features, targets)
    centred = geometry.self_duality(weight, features, targets, centred=True)
    return {
        "within": tight.within,
        "between": tight.between,
        "ratio": tight.ratio,
        "separation": geometry.class_separation(features, targets, K),
        "nc1": geometry.nc1(features, targets, K),
        "norms": norms.raw,
        "norms relative": norms.relative,
        "angles": geometry.equal_angles(means),
        "duality raw": duality.raw,
        "duality": duality.relative,
        "duality centred": centred.relative,
        "others": others.raw,
        "others share": others.share,
    }


@pytest.mark.parametrize(
    ("width", "num_classes"), [(9, 6), (64, 6), (5, 6), (3, 6), (2, 3), (30, 4)]
)
def test_measures_agree_with_numpy(width, num_classes):
    features, targets, weight, _ = random_case(1, (4,), 60, width, num_classes)
    found = measured(features, targets, weight)
    for m in range(4):
        wanted = in_numpy(features[m], targets[m], weight[m])
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name][m], value, err_msg=name, **TOLERANCE)


def test_measures_agree_with_numpy_where_classes_are_nearly_points():
    features, targets, weight, _ = random_case(2)
    means = geometry.class_means(features, targets)
    features = means[targets] + 1e-3 * (features - means[targets])
    found, wanted = (
        measured(features, targets, weight),
        in_numpy(*(features, targets, weight)),
    )
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-8, err_msg=name)


def test_scale_free_measures_do_not_hear_a_change_of_scale():
    features, targets, weight, _ = random_case(3)
    before, after = (measured(s * features, targets, s * weight) for s in (1, 1000.0))
    raw = {"within": 1e6, "between": 1e6, "norms": 1e3, "duality raw": 1e6,
           "others": 1e6}  # fmt: skip
    for name in before:
        wanted = before[name] * raw.get(name, 1)
        torch.testing.assert_close(after[name], wanted, rtol=1e-9, atol=0)
    # NC1 is even free of a scale for each direction.
    skewed = geometry.nc1(features * torch.logspace(-1, 1, 9), targets)
    wide = geometry.nc1(features[:, :5] * torch.logspace(-3, 3, 5), targets)
    torch.testing.assert_close(wide, geometry.nc1(features[:, :5], targets))
    assert skewed > 0


@pytest.mark.parametrize("scale", [1e-60, 1e-30, 1e30, 1e60])
def test_tiny_and_huge_features_have_the_same_ratios(scale):
    features, targets, weight, bias = random_case(3, leading=(2,))
    before = measured(features, targets, weight)
    fleet = torch.stack([features[0], scale * features[1]])  # each by its own scale
    heads = torch.stack([weight[0], scale * weight[1]])
    after = measured(fleet, targets, heads)
    squared = {"within", "between", "duality raw", "others"}
    for name in before:
        power = 2 if name in squared else 1 if name == "norms" else 0
        wanted = before[name] * torch.tensor([1, scale**power], dtype=torch.float64)
        torch.testing.assert_close(after[name], wanted, rtol=1e-9, atol=0)
    means = geometry.class_means(scale * features, targets) / scale
    torch.testing.assert_close(means, geometry.class_means(features, targets))
    plane = geometry.template_plane(weight, (0, 1, 2), bias)
    other = geometry.template_plane(scale * weight, (0, 1, 2))
    torch.testing.assert_close(other.directions, plane.directions)
    torch.testing.assert_close(other.axes, plane.axes)
    torch.testing.assert_close(other.templates / scale, plane.templates)
    straight = geometry.template_plane(weight, (0, 1, 2)).centre
    torch.testing.assert_close(other.centre / scale, straight)
    # With a bias in the same proportion the lines cross at the same logits.
    other = geometry.template_plane(scale * weight, (0, 1, 2), scale**2 * bias)
    torch.testing.assert_close(other.centre / scale, plane.centre)


def test_one_tiny_sample_has_a_direction_all_the_same():
    features, targets, _, _ = random_case(3)
    wanted = geometry.class_separation(features, targets)
    features[4] *= 1e-100
    torch.testing.assert_close(geometry.class_separation(features, targets), wanted)


def test_a_rotation_changes_nothing():
    features, targets, weight, _ = random_case(5)
    turn = torch.linalg.qr(torch.randn(9, 9, dtype=torch.float64))[0]
    before = measured(features, targets, weight)
    after = measured(features @ turn, targets, weight @ turn)
    for name in before:
        torch.testing.assert_close(after[name], before[name])


def simplex(num_classes=6, width=8):
    corners = torch.zeros(num_classes, width, dtype=torch.float64)
    corners[:, :num_classes] = torch.eye(num_classes)
    turn = torch.linalg.qr(torch.randn(width, width, dtype=torch.float64))[0]
    return (corners - corners.mean(0)) @ turn


def test_a_collapsed_network_has_every_measure_at_its_end():
    corners, targets = simplex(), torch.arange(24) % 6
    shift = torch.randn(8, dtype=torch.float64)
    features = 5 * corners[targets] + shift
    found = measured(features, targets, 2 * corners)
    for name in ("within", "ratio", "nc1", "norms", "angles", "duality"):
        assert abs(found[name]) < 1e-12, name
    assert geometry.class_separation(5 * corners[targets], targets) == pytest.approx(1)
    cosines = geometry.cosines(corners)
    wanted = torch.full((6, 6), -0.2, dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(cosines, wanted)
    # Every feature is equally far from the templates of the other classes.
    others = geometry.other_templates(2 * corners, 5 * corners[targets], targets)
    assert others.raw < 1e-12 and others.share < 1e-12


def test_known_small_cases():
    features = torch.tensor([[1.0, 0], [3, 0], [0, 2], [0, 4]]).double()
    targets = torch.tensor([0, 0, 1, 1])
    tight = geometry.scatter(features, targets, 2)
    assert [t.item() for t in tight] == pytest.approx([1.0, 13 / 4, 4 / 13])
    assert geometry.class_separation(features, targets, 2) == pytest.approx(1.0)
    opposite = geometry.self_duality(
        torch.tensor([[-1.0, 1.5], [1.0, -1.5]]), features, targets
    )
    assert opposite.relative == pytest.approx(4.0)
    aside = geometry.self_duality(torch.eye(2), features, targets)
    same = geometry.self_duality(torch.eye(2) * 2, features, targets, centred=True)
    assert aside.relative == pytest.approx(2 - 5 / math.sqrt(13))
    assert same.relative == pytest.approx(2 - 5 / math.sqrt(6.5))
    norms = geometry.equal_norms(torch.tensor([[4.0, 0], [-2, 0], [-2, 0]]))
    assert (norms.raw, norms.relative) == pytest.approx(
        (math.sqrt(8 / 9), math.sqrt(8 / 9) / (8 / 3))
    )


def test_every_class_counts_alike_however_many_samples_it_has():
    features, targets, weight, _ = random_case(6)
    more = torch.cat(
        [torch.arange(len(targets)), *[(targets == 2).nonzero()[:, 0]] * 3]
    )
    before = measured(features, targets, weight)
    after = measured(features[more], targets[more], weight)
    for name in before:
        torch.testing.assert_close(after[name], before[name])


def test_shared_targets_and_a_shared_template_go_with_a_fleet():
    features, _, weight, bias = random_case(7, leading=(3,))
    targets = torch.arange(40) % 6
    found = measured(features, targets, weight)
    shared = geometry.template_plane(weight[1], (0, 1, 2), bias[1]).project(features)
    for m in range(3):
        alone = measured(features[m], targets, weight[m])
        for name in found:
            torch.testing.assert_close(found[name][m], alone[name])
    single = geometry.template_plane(weight[1], (0, 1, 2), bias[1])
    torch.testing.assert_close(shared[2], single.project(features[2]))


def test_inputs_are_left_alone_and_need_no_gradient():
    features, targets, weight, bias = random_case(8)
    features, weight = (
        features.float().requires_grad_(),
        weight.float().requires_grad_(),
    )
    copies = features.clone(), targets.clone(), weight.clone()
    found = measured(features, targets, weight)
    plane = geometry.template_plane(weight, (0, 1, 2), bias)
    assert all(value.dtype == torch.float64 for value in found.values())
    assert not any(value.requires_grad for value in found.values())
    assert not plane.project(features).requires_grad
    for before, now in zip(copies, (features, targets, weight), strict=True):
        assert torch.equal(before, now)


def test_another_default_device_changes_nothing():
    features, targets, weight, bias = random_case(9)

    def everything():
        plane = geometry.template_plane(weight, (0, 1, 2), bias)
        return [*measured(features, targets, weight).values(), plane.project(features)]

    here = everything()
    with torch.device("meta"):  # where a tensor has no numbers
        there = everything()
    for one, other in zip(here, there, strict=True):
        assert one.equal(other)
