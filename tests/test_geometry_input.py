"""Geometry of features: bad input is named, never answered with nan."""

import warnings

import numpy as np
import pytest
import torch

from lsr_utils import geometry

FEATURES = torch.randn(24, 5, generator=torch.Generator().manual_seed(0)).double()
TARGETS = torch.arange(24) % 6
WEIGHT = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)).double()
NAN, INF = float("nan"), float("inf")

OF_FEATURES = [
    geometry.class_means,
    geometry.scatter,
    geometry.class_separation,
    geometry.nc1,
    lambda h, y: geometry.self_duality(WEIGHT[:, : h.shape[-1]], h, y),
    lambda h, y: geometry.other_templates(WEIGHT[:, : h.shape[-1]], h, y),
]
of_features = pytest.mark.parametrize(
    "measure", OF_FEATURES,
    ids=["class_means", "scatter", "class_separation", "nc1", "self_duality", "others"],
)  # fmt: skip


def message(call, *arguments, error=ValueError, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    text = str(caught.value)
    assert type(caught.value) is error
    assert text.endswith(".") and "\n" not in text and len(text) < 200
    return text


def changed(tensor, place, value):
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


# -- the triple and its plane --------------------------------------------------------


@pytest.mark.parametrize(
    ("triple", "wrong"),
    [((0, 1, 6), 6), ((-1, 0, 1), -1), ((0, 1.5, 2), 1.5), ("012", "0")],
)
def test_a_triple_holds_classes(triple, wrong):
    assert message(geometry.template_plane, WEIGHT, triple) == (
        f"triple must be a whole number, 0 to 5, got {wrong!r}."
    )


@pytest.mark.parametrize("triple", [(0, 1), (0, 1, 2, 3), ()])
def test_a_triple_holds_three(triple):
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        geometry.template_plane(WEIGHT, triple)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, -2.0])
def test_collinear_templates_are_named(dtype, share):
    weight = WEIGHT.to(dtype, copy=True)
    weight[4] = share * weight[0] + (1 - share) * weight[2]
    sentence = "templates of (0, 2, 4) must span a plane, no line."
    assert message(geometry.template_plane, weight, (0, 2, 4)) == sentence
    fleet = torch.stack([WEIGHT.to(dtype), weight])
    assert message(geometry.template_plane, fleet, (0, 2, 4)) == sentence
    geometry.template_plane(weight, (0, 2, 5))  # another triple is none the worse


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e100])
@pytest.mark.parametrize(
    "carry", [lambda w: w, lambda w: w.numpy(), lambda w: w.double(),
              lambda w: w.tolist(), lambda w: w.double().numpy()],
    ids=["float32", "numpy", "double", "list", "numpy double"],
)  # fmt: skip
def test_a_line_drawn_in_float32_is_one_in_whatever_carries_it(carry, scale):
    for seed in range(20):
        w = torch.randn(2, 5, generator=torch.Generator().manual_seed(seed))
        line = torch.stack([w[0], w[0] + 0.1 * w[1], w[0] + 0.3 * w[1]])
        carried = carry(line if scale == 1.0 else line.double() * scale)
        for triple in [(0, 1, 2), (2, 0, 1), (1, 2, 0)]:
            assert "span a plane" in message(geometry.template_plane, carried, triple)


@pytest.mark.parametrize("triple", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("apart", [1.0, 1e-3])
def test_the_height_of_a_triangle_decides_whether_it_is_a_line(triple, apart):
    # Longest template 1, sides of about `apart`, smallest height 1e-6 of the longest.
    for height, is_thin in ((0.9e-6, True), (1.1e-6, False)):
        weight = np.array([[1 - apart, 0], [1 - apart / 2, height], [1, 0]])
        if is_thin:
            assert "span a plane" in message(geometry.template_plane, weight, triple)
        else:
            plane = geometry.template_plane(weight, triple)
            assert (plane.directions.norm(dim=-1) - 1).abs().max() < 1e-12


def test_equal_templates_are_named():
    assert "(1, 2, 3)" in message(
        geometry.template_plane, torch.ones(6, 5), (1, 2, 3), torch.zeros(6)
    )
    assert "(1, 2, 3)" in message(geometry.template_plane, torch.zeros(6, 5), (1, 2, 3))
    assert "(1, 2, 1)" in message(geometry.template_plane, WEIGHT, (1, 2, 1))


def test_nearly_collinear_templates_still_span_a_plane():
    weight = changed(WEIGHT, 4, (WEIGHT[0] + WEIGHT[2]) / 2 + 1e-5 * WEIGHT[1])
    plane = geometry.template_plane(weight, (0, 2, 4))
    z = FEATURES @ weight.T
    found = plane.logit_differences(plane.project(FEATURES))
    wanted = torch.stack([z[:, 0] - z[:, 2], z[:, 0] - z[:, 4], z[:, 2] - z[:, 4]], -1)
    assert (found - wanted).abs().max() < 1e-12
    assert found.isfinite().all() and plane.centre.isfinite().all()


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_templates_that_are_no_numbers_have_no_plane(bad):
    plane = geometry.template_plane(changed(WEIGHT, (1, 1), bad), (0, 1, 2))
    assert plane.project(FEATURES).isnan().all()


@pytest.mark.parametrize("width", [5, 7, 1])
def test_a_bias_of_another_layer_is_refused(width):
    found = message(geometry.template_plane, WEIGHT, (0, 1, 2), torch.zeros(width))
    assert found == f"bias must have width 6, got {width}."


@pytest.mark.parametrize("width", [1, 3])
def test_features_of_another_width_are_refused(width):
    plane = geometry.template_plane(WEIGHT, (0, 1, 2))
    found = message(plane.project, FEATURES[:, :width])
    assert found == f"features must have width 5, got {width}."
    found = message(geometry.self_duality, WEIGHT[:, :width], FEATURES, TARGETS)
    assert found == f"weight must have width 5, got {width}."


# -- classes -------------------------------------------------------------------------


@of_features
def test_a_class_without_a_sample_is_named(measure):
    targets = torch.where(TARGETS == 3, 0, TARGETS)
    least = 2 if measure in OF_FEATURES[1:4] else 1
    assert message(measure, FEATURES, targets) == (
        f"targets must have at least {least} samples of each of 6 classes, got 0 of "
        "class 3."
    )


@pytest.mark.parametrize(
    "measure", [geometry.scatter, geometry.class_separation, geometry.nc1]
)
def test_a_class_with_one_sample_is_named(measure):
    targets = torch.cat([torch.arange(6), torch.arange(18) % 5])
    text = (
        "targets must have at least 2 samples of each of 6 classes, got 1 of class 5."
    )
    assert message(measure, FEATURES, targets) == text
    several = TARGETS.repeat(2, 3, 1)
    several[1, 2] = targets
    assert message(measure, FEATURES.expand(2, 3, 24, 5), several) == text


@pytest.mark.parametrize("bad", [-1, 6, 100, -100])
@of_features
def test_a_label_out_of_range_is_named(measure, bad):
    targets = changed(TARGETS, 3, bad)
    assert message(measure, FEATURES, targets, error=IndexError) == (
        f"targets must lie in 0 ... 5, got {bad}."
    )


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bool, torch.complex64, torch.complex128]
)
@of_features
def test_labels_of_another_kind_are_refused(measure, dtype):
    text = message(measure, FEATURES, TARGETS.to(dtype), error=TypeError)
    assert text.startswith("targets must be") and f"got dtype {dtype}" in text


@pytest.mark.parametrize("shape", [(23,), (24, 1), (2, 24), ()])
def test_labels_of_another_shape_are_refused(shape):
    targets = torch.zeros(shape, dtype=torch.long)
    assert message(geometry.scatter, FEATURES, targets) == (
        f"targets must have shape (24,), got {shape}."
    )
    if shape != (2, 24):
        assert message(geometry.scatter, FEATURES.expand(2, 24, 5), targets) == (
            f"targets must have shape (24,) or (2, 24), got {shape}."
        )


@of_features
def test_numpy_that_is_reversed_or_read_only_does_as_well(measure):
    features, targets = FEATURES.numpy()[::-1], TARGETS.numpy()[::-1]
    locked = FEATURES.numpy().copy(), TARGETS.numpy().copy()
    for array in locked:
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, same = measure(features, targets), measure(*locked)
    for value, also in (
        zip(found, same, strict=True) if isinstance(found, tuple) else [(found, same)]
    ):
        torch.testing.assert_close(value, also)


def test_a_reversed_or_read_only_plane_is_the_same_plane():
    locked = WEIGHT.numpy().copy()
    locked.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plane = geometry.template_plane(locked, (0, 1, 2), np.zeros(6)[::-1])
        turned = geometry.template_plane(WEIGHT.numpy()[::-1], (5, 4, 3))
        points = plane.project(FEATURES.numpy()[::-1])
    torch.testing.assert_close(plane.templates, turned.templates)
    torch.testing.assert_close(points, plane.project(FEATURES.flip(0)))


# -- features ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@of_features
def test_features_that_are_no_numbers_give_no_number(measure, bad):
    try:
        found = measure(changed(FEATURES, (10, 3), bad), TARGETS)
    except RuntimeError:  # of torch.linalg
        return
    for value in found if isinstance(found, tuple) else [found]:
        assert value.isfinite().logical_not().any()


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e8, -3.7])
@pytest.mark.parametrize("measure", OF_FEATURES[1:5])
def test_constant_features_have_no_ratio(measure, constant):
    features = torch.full((24, 5), constant, dtype=torch.float64)
    assert "must" in message(measure, features, TARGETS)
    fleet = torch.stack([FEATURES, features])
    assert "must" in message(measure, fleet, TARGETS)


@pytest.mark.parametrize("measure", [geometry.scatter, geometry.nc1])
def test_classes_with_one_mean_have_no_ratio(measure):
    half = FEATURES[:12]
    features = torch.cat([half, -half])
    targets = torch.arange(12).repeat(2) % 6
    assert message(measure, features, targets) == (
        "class means must differ, got equal ones."
    )


def test_features_of_length_zero_have_no_angle():
    assert message(geometry.class_separation, changed(FEATURES, 9, 0.0), TARGETS) == (
        "features must be longer than 0."
    )


def test_features_of_one_direction_have_no_separation():
    features = torch.arange(1, 25)[:, None] * torch.tensor([1.0, 2, 3, 4, 5])
    assert message(geometry.class_separation, features, TARGETS) == (
        "class means must differ, got equal ones."
    )


def test_vectors_without_length_or_direction_are_refused():
    same = torch.full((6, 5), 0.3)
    assert message(geometry.equal_norms, same) == "vectors must differ, got equal ones."
    text = "vectors must differ from their mean."
    assert message(geometry.cosines, same) == text
    rest = WEIGHT - WEIGHT.mean(0)
    middle = torch.cat([rest[:2], torch.zeros(1, 5), rest[2:]]) + 7
    assert message(geometry.cosines, middle) == text
    text = "templates and class means must differ, got equal ones."
    for alike in (torch.zeros(6, 5), torch.full((6, 5), 0.3)):
        found = message(geometry.self_duality, alike, FEATURES, TARGETS, centred=True)
        assert found == text
        found = message(geometry.other_templates, alike, FEATURES, TARGETS)
        assert found == "templates must differ, got equal ones."
    zero = torch.zeros(6, 5)
    assert message(geometry.self_duality, zero, FEATURES, TARGETS) == text


@pytest.mark.parametrize(
    "bad",
    ["features" * 99, None, object(), [["a"]], np.full((60, 60), "a"), [[1], [1, 2]]],
    ids=["text", "None", "object", "nested", "array", "ragged"],
)
def test_what_is_no_tensor_is_refused(bad):
    def refused(name, call, *arguments):
        text = message(call, *arguments, error=TypeError)
        assert text.startswith(f"{name} must be a tensor of numbers, got ")

    refused("features", geometry.scatter, bad, TARGETS)
    refused("targets", geometry.scatter, FEATURES, bad)
    refused("weight", geometry.template_plane, bad, (0, 1, 2))
    refused("vectors", geometry.cosines, bad)
    if bad is not None:
        refused("bias", geometry.template_plane, WEIGHT, (0, 1, 2), bad)


def test_points_of_one_class_are_no_error():
    centres = WEIGHT[TARGETS]
    assert geometry.scatter(centres, TARGETS).ratio < 1e-25
    assert geometry.nc1(centres, TARGETS) < 1e-20
