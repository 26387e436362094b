"""How tight classes lie, how far apart, and how near to neural collapse."""

from typing import NamedTuple

import torch

from .inputs import (
    TINY,
    Classes,
    centred_on_mean,
    check_leading,
    check_width,
    matrix,
    power_of_two,
    refuse,
)

EQUAL_MEANS = "features must differ from class to class, got equal class means"


def class_means(features, targets, num_classes=6):
    """Mean feature of each class: (..., N, D), (N,) or (..., N) to (..., K, D).

    num_classes : K; 6, as in the course, when not given
    raises      : as ``scatter``; here one sample of a class will do

    Taught in 05 section 7.
    """
    classes = Classes(features, targets, num_classes, least=1)
    return classes.means(classes.features) * classes.unit


class Scatter(NamedTuple):
    """Mean squared distances (...), and their scale-free ratio within / between."""

    within: torch.Tensor
    between: torch.Tensor
    ratio: torch.Tensor


def scatter(features, targets, num_classes=6):
    """How far features lie from their class mean, and class means from their centre.

    features    : (..., N, D) tensor, D at least 2
    targets     : (N,) or (..., N) class indices, at least two samples of every class
    num_classes : K; 6, as in the course, when not given
    returns     : Scatter: the traces of the within-class and between-class covariance
                  (Papyan, Han & Donoho 2020, section 2), and their ratio
    raises      : ValueError for features or targets, naming the class with too few
                  samples, and when all class means coincide; IndexError for a label
                  out of range; TypeError for what is no real number, or no label

    Taught in 05 section 4.
    """
    classes = Classes(features, targets, num_classes)
    within, between = classes.scatters(classes.features)
    refuse(between <= (TINY * classes.scale) ** 2, EQUAL_MEANS)
    unit = classes.unit[..., 0, 0]
    return Scatter(within * unit * unit, between * unit * unit, within / between)


def class_separation(features, targets, num_classes=6):
    """R^2 of the classes by cosine distance: 1 when each class has one direction.

    features, targets, num_classes : as in ``scatter``
    returns : (...) tensor, 1 - mean distance within classes / mean distance of all
              pairs, every class with equal weight; it is scale-free
    raises  : as ``scatter``; for a feature of length 0, naming its class, and when all
              features point in one direction

    Kornblith et al. 2021 (2010.16402), the index R^2 of class separation. On features
    of length 1 the mean cosine distance of two is their mean squared distance from
    the centre, so R^2 = between / (within + between). Taught in 05 section 4.
    """
    classes = Classes(features, targets, num_classes)
    features = classes.features / power_of_two(classes.features, -1)
    lengths = features.norm(dim=-1, keepdim=True)
    for k, members in enumerate(classes.one_hot.bool().unbind(-1)):
        wrong = (members & (lengths.squeeze(-1) == 0)).any(-1)
        refuse(
            wrong, f"features must not be 0, got a sample of class {k} with length 0"
        )
    within, between = classes.scatters(features / lengths)
    refuse(
        within + between <= TINY**2,
        "features must point in at least 2 directions, got the same for all",
    )
    return between / (within + between)


def nc1(features, targets, num_classes=6):
    """First sign of neural collapse: scatter within, in units of that between classes.

    features, targets, num_classes : as in ``scatter``
    returns : (...) tensor, trace(W B^+) / K with the within-class and between-class
              covariance W and B; 0 when every class is one point; scale-free, and of
              the K - 1 directions between class means alone
    raises  : as ``scatter``

    Papyan, Han & Donoho 2020, figure 6. Taught in 05 section 7.
    """
    classes = Classes(features, targets, num_classes)
    between = classes.scatters(classes.features)[1]
    refuse(between <= (TINY * classes.scale) ** 2, EQUAL_MEANS)
    # B = S S' / K with S (D, K - 1): class means in a basis that leaves out their mean.
    # Its own pseudo-inverse would square the condition.
    means = classes.means(classes.features)
    spread = means.mT @ _contrasts(means.shape[-2]).to(means)
    zero = torch.zeros_like(classes.scale)
    inverse = torch.linalg.pinv(spread, atol=TINY * classes.scale, rtol=zero)
    return classes.mean_of(
        (classes.deviations(classes.features) @ inverse.mT).square().sum(-1)
    )


class Spread(NamedTuple):
    """Standard deviation (...), and the scale-free ratio of it to the mean."""

    raw: torch.Tensor
    relative: torch.Tensor


def equal_norms(vectors):
    """Second sign of neural collapse: are class means (or templates) equally long?

    vectors : (..., K, D), one a class; the mean of the K is subtracted from each
    returns : Spread of their K lengths, 0 when all are equal
    raises  : ValueError for vectors that are not finite or all the same

    Papyan, Han & Donoho 2020, figure 2: relative, of class means less their mean (that
    of all samples, the same when classes are equally large), but of templates as they
    are. To subtract the mean from templates too, which no softmax can see, is ours.
    Taught in 05 section 7.
    """
    vectors = matrix(vectors, "vectors")
    unit = power_of_two(vectors)
    vectors = vectors / unit
    lengths = centred_on_mean(vectors).norm(dim=-1)
    scale = vectors.norm(dim=-1).amax(-1)
    refuse(lengths.amax(-1) <= TINY * scale, "vectors must differ, got equal ones")
    raw = lengths.std(-1, correction=0)
    return Spread(raw * unit[..., 0, 0], raw / lengths.mean(-1))


def cosines(vectors):
    """Cosines of the angles between class means (or templates): (..., K, K).

    vectors : (..., K, D), one a class, K at least 3; the mean of the K is subtracted
              from each
    raises  : ValueError for vectors that are not finite, for fewer than three, and for
              a vector that is the common mean, naming its class

    In a simplex all are -1 / (K - 1), beside the ones on the diagonal.
    Papyan, Han & Donoho 2020, figure 3: of class means less their mean, but of
    templates as they are. To subtract the mean from templates too is ours. Taught in 05
    section 7.
    """
    vectors = matrix(vectors, "vectors")
    if vectors.shape[-2] < 3:
        raise ValueError(
            "vectors must be at least 3 classes to have angles to compare, got "
            f"{vectors.shape[-2]}."
        )
    vectors = vectors / power_of_two(vectors)
    centred = centred_on_mean(vectors)
    lengths = centred.norm(dim=-1, keepdim=True)
    scale = vectors.norm(dim=-1).amax(-1)
    for k, length in enumerate(lengths.squeeze(-1).unbind(-1)):
        wrong = length <= TINY * scale
        refuse(wrong, f"vectors must differ from their mean, got class {k} equal to it")
    return (centred / lengths) @ (centred / lengths).mT


def equal_angles(vectors):
    """Second sign of neural collapse: are all angles those of a simplex?

    vectors : as in ``cosines``
    returns : (...) tensor, mean over pairs of |cosine + 1 / (K - 1)|; scale-free
    raises  : as ``cosines``

    Papyan, Han & Donoho 2020, figure 4; for templates with the change that ``cosines``
    tells of. Taught in 05 section 7.
    """
    found = cosines(vectors)
    num_classes = found.shape[-1]
    above, left = torch.triu_indices(num_classes, num_classes, 1)
    return (found[..., above, left] + 1 / (num_classes - 1)).abs().mean(-1)


class Duality(NamedTuple):
    """Squared distance (...) of templates from class means, raw and scale-free."""

    raw: torch.Tensor
    relative: torch.Tensor


def self_duality(weight, features, targets, centred=False):
    """Third sign of neural collapse: do the templates point where the class means do?

    weight   : (..., K, D) of the last layer
    features, targets : as in ``scatter``; one sample of a class will do
    centred  : subtract the templates' mean, which no softmax can see; False is as
               published
    returns  : Duality, squared Frobenius distances of the (K, D) templates from the
               class means less their mean; relative: each scaled to norm 1 first, so
               that 0 is the same shape, 2 is at right angles, 4 is the opposite
    raises   : as ``scatter`` for features and targets, ValueError for weight, and where
               one has no norm

    Papyan, Han & Donoho 2020, figure 5. Taught in 05 section 7.
    """
    weight = matrix(weight, "weight")
    classes = Classes(features, targets, weight.shape[-2], 1, "the rows of weight")
    check_width(weight, classes.features.shape[-1], "weight")
    check_leading(weight, classes.features)
    means, unit = centred_on_mean(classes.means(classes.features)), power_of_two(weight)
    templates = weight / unit
    size = templates.norm(dim=-1).amax(-1)
    templates = centred_on_mean(templates) if centred else templates
    lengths = [t.flatten(-2).norm(dim=-1) for t in (templates, means)]
    refuse(
        lengths[0] <= TINY * size,
        "weight must have rows that differ when centred, got equal ones"
        if centred
        else "weight must have a row that is not 0, got 0 in all",
    )
    refuse(lengths[1] <= TINY * classes.scale, EQUAL_MEANS)
    raw = (templates * unit - means * classes.unit).square().sum((-2, -1))
    templates, means = (
        t / length[..., None, None]
        for t, length in zip((templates, means), lengths, strict=True)
    )
    return Duality(raw, (templates - means).square().sum((-2, -1)))


def _contrasts(num_classes):
    """An orthonormal basis (K, K - 1) of what is left when the mean is taken out."""
    without_mean = torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes
    return torch.linalg.svd(without_mean)[0][:, :-1]
