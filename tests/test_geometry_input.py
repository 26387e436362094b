"""Geometry of features: bad input is named, never answered with nan."""

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


def message(call, *arguments, **options):
    with pytest.raises(ValueError) as caught:
        call(*arguments, **options)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    return text


def changed(tensor, place, value):
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


# -- the triple and its plane --------------------------------------------------------


@pytest.mark.parametrize(
    "triple", [(0, 1), (0, 1, 2, 3), (), (0, 1, 1), (0, 1, 6), (-1, 0, 1), (0.0, 1, 2),
               3, None, "012", (0, 1, None)],
)  # fmt: skip
def test_three_different_classes_are_asked_for(triple):
    assert message(geometry.template_plane, WEIGHT, triple) == (
        f"triple must be three different classes of 0 ... 5, got {triple!r}."
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, -2.0])
def test_collinear_templates_are_named(dtype, share):
    weight = WEIGHT.to(dtype, copy=True)
    weight[4] = share * weight[0] + (1 - share) * weight[2]
    assert message(geometry.template_plane, weight, (0, 2, 4)) == (
        "the templates of classes (0, 2, 4) lie on one line: they span no plane."
    )
    fleet = torch.stack([WEIGHT.to(dtype), weight])
    assert "in network 1" in message(geometry.template_plane, fleet, (0, 2, 4))
    geometry.template_plane(weight, (0, 2, 5))  # another triple is none the worse


def test_equal_templates_are_named():
    assert "(1, 2, 3)" in message(
        geometry.template_plane, torch.ones(6, 5), (1, 2, 3), torch.zeros(6)
    )
    assert "(1, 2, 3)" in message(geometry.template_plane, torch.zeros(6, 5), (1, 2, 3))


def test_nearly_collinear_templates_still_span_a_plane():
    weight = changed(WEIGHT, 4, (WEIGHT[0] + WEIGHT[2]) / 2 + 1e-6 * WEIGHT[1])
    plane = geometry.template_plane(weight, (0, 2, 4))
    z = FEATURES @ weight.T
    found = plane.logit_differences(plane.project(FEATURES))
    wanted = torch.stack([z[:, 0] - z[:, 2], z[:, 0] - z[:, 4], z[:, 2] - z[:, 4]], -1)
    assert (found - wanted).abs().max() < 1e-12
    assert found.isfinite().all() and plane.centre.isfinite().all()


def test_a_width_of_one_is_refused_naming_the_triple():
    text = message(geometry.template_plane, torch.randn(6, 1), (0, 1, 2))
    assert text.startswith(
        "weight must have a width of at least 2, got 1 for the tripl"
    )
    assert "(0, 1, 2)" in text


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_templates_that_are_no_numbers_are_refused_naming_the_triple(bad):
    weight = changed(WEIGHT, (3, 1), bad)
    assert message(geometry.template_plane, weight, (0, 1, 2)) == (
        f"weight must be finite numbers, got {bad} in row 3 for the triple (0, 1, 2)."
    )
    assert "bias" in message(
        geometry.template_plane, WEIGHT, (0, 1, 2), torch.full((6,), bad)
    )


@pytest.mark.parametrize("shape", [(5,), (7,), (1,), (2, 6, 6), ()])
def test_a_bias_of_another_shape_is_refused(shape):
    assert "bias must" in message(
        geometry.template_plane, WEIGHT.expand(3, 6, 5), (0, 1, 2), torch.zeros(shape)
    )


@pytest.mark.parametrize("shape", [(5,), (6, 0), (0, 5), ()])
def test_a_weight_without_rows_is_refused(shape):
    assert "weight must have shape" in message(
        geometry.template_plane, torch.zeros(shape), (0, 1, 2)
    )


def test_features_that_do_not_fit_the_plane_are_refused():
    plane = geometry.template_plane(WEIGHT, (0, 1, 2))
    text = message(plane.project, FEATURES[:, :3])
    assert text == "features must have the width 5 here, got 3."
    assert "got nan in row 2" in message(plane.project, changed(FEATURES, (2, 0), NAN))
    fleet = geometry.template_plane(WEIGHT + torch.zeros(3, 1, 1), (0, 1, 2))
    assert "leading axes" in message(fleet.project, FEATURES.expand(2, 24, 5))


# -- classes -------------------------------------------------------------------------


@of_features
def test_a_class_without_a_sample_is_named(measure):
    targets = torch.where(TARGETS == 3, 0, TARGETS)
    assert message(measure, FEATURES, targets) in (
        "class 3 must have at least 2 samples, got 0.",
        "class 3 must have at least 1 sample, got 0.",
    )


@pytest.mark.parametrize(
    "measure", [geometry.scatter, geometry.class_separation, geometry.nc1]
)
def test_a_class_with_one_sample_is_named(measure):
    targets = torch.cat([torch.arange(6), torch.arange(18) % 5])
    text = "class 5 must have at least 2 samples, got 1"
    assert message(measure, FEATURES, targets) == f"{text}."
    fleet = FEATURES.expand(2, 3, 24, 5)
    several = TARGETS.repeat(2, 3, 1)
    several[1, 2] = targets
    assert message(measure, fleet, several) == f"{text} in network (1, 2)."


@pytest.mark.parametrize("bad", [-1, 6, 100, -100])
@of_features
def test_a_label_out_of_range_is_named(measure, bad):
    assert message(measure, FEATURES, changed(TARGETS, 3, bad)) == (
        f"targets must lie in 0 ... 5, got {bad}."
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.complex64])
def test_labels_of_another_kind_are_refused(dtype):
    assert f"got dtype {dtype}" in message(
        geometry.scatter, FEATURES, TARGETS.to(dtype)
    )


@pytest.mark.parametrize("shape", [(23,), (24, 1), (2, 24), ()])
def test_labels_of_another_shape_are_refused(shape):
    text = message(geometry.scatter, FEATURES, torch.zeros(shape, dtype=torch.long))
    assert text.startswith("targets must have shape (24,) or (24,)")


@pytest.mark.parametrize("count", [1, 0, -3, 2.5, "6", None, True, NAN])
def test_a_number_of_classes_that_is_none_is_named(count):
    assert message(geometry.scatter, FEATURES, TARGETS, count) == (
        f"num_classes must be a whole number, at least 2, got {count!r}."
    )


@pytest.mark.parametrize("rows", [1, 2])
def test_angles_need_three_classes(rows):
    for measure in (geometry.cosines, geometry.equal_angles):
        assert message(measure, WEIGHT[:rows]) == (
            f"vectors must be at least 3 classes to have angles to compare, got {rows}."
        )
    targets = torch.arange(24) % rows
    with pytest.raises(ValueError, match="at least"):
        geometry.other_templates(WEIGHT[:rows], FEATURES, targets)


# -- features ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@of_features
def test_features_that_are_no_numbers_name_row_and_class(measure, bad):
    text = f"features must be finite numbers, got {bad} in row 10"
    one = changed(FEATURES, (10, 3), bad)
    assert message(measure, one, TARGETS).startswith(text)
    fleet = FEATURES.expand(4, 24, 5).clone()
    fleet[2, 10, 0] = bad
    assert message(measure, fleet, TARGETS).startswith(f"{text} in network 2")
    if measure in OF_FEATURES[:4]:
        assert message(measure, one, TARGETS) == f"{text}, a sample of class 4."


@of_features
def test_a_width_of_one_is_refused(measure):
    assert "must have a width of at least 2, got 1" in message(
        measure, FEATURES[:, :1], TARGETS
    )


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e8, -3.7])
@pytest.mark.parametrize("measure", OF_FEATURES[1:5])
def test_constant_features_have_no_ratio(measure, constant):
    features = torch.full((24, 5), constant, dtype=torch.float64)
    assert "must" in message(measure, features, TARGETS)
    fleet = torch.stack([FEATURES, features])
    assert "network 1" in message(measure, fleet, TARGETS)


@pytest.mark.parametrize("measure", [geometry.scatter, geometry.nc1])
def test_classes_with_one_mean_have_no_ratio(measure):
    half = FEATURES[:12]
    features = torch.cat([half, -half])
    targets = torch.arange(12).repeat(2) % 6
    assert message(measure, features, targets) == (
        "features must differ from class to class, got equal class means."
    )


def test_features_of_length_zero_have_no_angle_and_name_the_class():
    assert message(geometry.class_separation, changed(FEATURES, 9, 0.0), TARGETS) == (
        "features must not be 0, got a sample of class 3 that is."
    )


def test_features_of_one_direction_have_no_separation():
    features = torch.arange(1, 25)[:, None] * torch.tensor([1.0, 2, 3, 4, 5])
    assert message(geometry.class_separation, features, TARGETS) == (
        "features must not all have one direction, got such."
    )


def test_vectors_without_length_or_direction_are_refused():
    same = torch.full((6, 5), 0.3)
    assert message(geometry.equal_norms, same) == "vectors must differ, got equal ones."
    assert "class 0" in message(geometry.cosines, same)
    rest = WEIGHT - WEIGHT.mean(0)
    middle = torch.cat([rest[:2], torch.zeros(1, 5), rest[2:]]) + 7
    assert message(geometry.cosines, middle) == (
        "class 2 must differ from the mean of all, got that mean."
    )
    zero = torch.zeros(6, 5)
    assert "weight" in message(geometry.self_duality, zero, FEATURES, TARGETS)
    alike = torch.full((6, 5), 0.3)
    assert "weight" in message(
        geometry.self_duality, alike, FEATURES, TARGETS, centred=True
    )


def test_shapes_that_do_not_go_together_are_refused():
    for measure in (geometry.self_duality, geometry.other_templates):
        assert "width" in message(measure, WEIGHT[:, :4], FEATURES, TARGETS)
        three, two = WEIGHT.expand(3, 6, 5), FEATURES.expand(2, 24, 5)
        assert "leading axes" in message(measure, three, two, TARGETS)
    assert "shape" in message(geometry.scatter, FEATURES[0], TARGETS)
    assert "shape" in message(geometry.scatter, FEATURES[:0], TARGETS[:0])


@pytest.mark.parametrize("bad", ["features", None, object(), [["a"]]])
def test_what_is_no_tensor_is_refused(bad):
    assert "features must be a tensor" in message(geometry.scatter, bad, TARGETS)
    assert "targets must be a tensor" in message(geometry.scatter, FEATURES, bad)
    plane = geometry.template_plane
    assert "weight must be a tensor" in message(plane, bad, (0, 1, 2))
    if bad is not None:
        assert "bias must be a tensor" in message(plane, WEIGHT, (0, 1, 2), bad)


def test_points_that_are_no_pairs_are_refused():
    plane = geometry.template_plane(WEIGHT, (0, 1, 2))
    assert "shape" in message(plane.logit_differences, torch.zeros(3))
    assert "width 2" in message(plane.logit_differences, torch.zeros(4, 3))
    nan = torch.full((4, 2), NAN)
    assert "got nan in row 0" in message(plane.logit_differences, nan)


def test_numbers_that_are_not_real_or_too_large_are_refused():
    assert "real" in message(geometry.scatter, FEATURES + 1j, TARGETS)
    assert "real" in message(geometry.scatter, FEATURES > 0, TARGETS)
    assert "small enough" in message(geometry.scatter, FEATURES * 1e200, TARGETS)


def test_points_of_one_class_are_no_error():
    centres = WEIGHT[TARGETS]
    assert geometry.scatter(centres, TARGETS).ratio < 1e-25
    assert geometry.nc1(centres, TARGETS) < 1e-20
