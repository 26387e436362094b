"""Confidence mended after training: by a temperature, or by undoing the smoothing."""

import math

import torch

from ..targets import check_eps, check_rate, check_spread
from .rows import (
    checked_logits,
    checked_numbers,
    checked_probabilities,
    checked_targets,
)

REACH = 1000.0  # temperatures looked at: from 1 / REACH to REACH times the scale
HALVINGS = 50


def fit_temperature(logits, targets):
    """The temperature T at which softmax(logits / T) has the least NLL.

    Fit it on validation data, and apply it to others with ``with_temperature``.

    logits  : (..., N, K) tensor; leading axes are networks, each with a temperature
              of its own
    targets : (N,) or (..., N) tensor of class indices
    returns : (...) float64 tensor, in proportion to the logits: it is looked for from
              a thousandth to a thousand times their scale, the mean distance of a logit
              from the largest of its row. At the upper end logits are worse than none.
              1 where all logits of each row are equal, and T changes nothing
    raises  : ValueError (shapes, logits not finite, or probabilities), TypeError or
              IndexError (targets)

    Where no label has a logit below another's, as when every row is right, NLL falls
    as long as T does. A row then counts as right with probability (N + 1) / (N + 2),
    the target of Platt 1999, section 2.2, and the temperature is a finite one.

    Guo et al. 2017, section 4.2. The NLL is convex in 1 / T: its slope is halved to 0.
    Taught in 06 section 7.
    """
    z = checked_logits(logits)
    z = z - z.amax(-1, keepdim=True)
    scale = -z.mean((-2, -1))
    flat = scale == 0
    z = z / torch.where(flat, 1.0, scale)[..., None, None]
    *leading, rows, num_classes = z.shape
    targets = checked_targets(targets, z)
    of_target = z.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    wanted = of_target.mean(-1)
    if num_classes > 1:
        of_others = (z.sum(-1) - of_target) / (num_classes - 1)
        pulled = ((rows + 1) * of_target + of_others) / (rows + 2)
        no_error = (of_target == 0).all(-1)
        wanted = torch.where(no_error, pulled.mean(-1), wanted)
    high = z.new_full(leading, math.log(REACH))  # of log(scale / T)
    low = -high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        p = (z * middle.exp()[..., None, None]).softmax(-1)
        rises = (p * z).sum(-1).mean(-1) > wanted  # the slope of the NLL in 1 / T
        low, high = torch.where(rises, low, middle), torch.where(rises, middle, high)
    return torch.where(flat, 1.0, scale * (-middle).exp())


def with_temperature(logits, temperature):
    """Probabilities softmax(logits / T).

    logits      : (..., N, K) tensor
    temperature : number above 0, or (...) tensor, one a network
    returns     : (..., N, K) float64 tensor
    raises      : ValueError (logits, temperature), TypeError (no numbers)
    """
    z = checked_logits(logits)
    temperature = checked_numbers(temperature, "temperature").to(z)
    if not ((temperature > 0) & temperature.isfinite()).all():
        raise ValueError(
            f"temperature must be a finite number above 0, got {temperature.tolist()}."
        )
    if temperature.dim() and temperature.shape != z.shape[:-2]:
        raise ValueError(
            f"temperature must be a number or have shape {tuple(z.shape[:-2])}, got "
            f"{tuple(temperature.shape)}."
        )
    z = z - z.amax(-1, keepdim=True)  # so that no quotient is inf
    return (z / temperature[..., None, None]).softmax(-1)


def unsmoothed(probabilities, eps, spread="all", *, least=0.0):
    """The distributions of which these are the smoothed ones: affine, no temperature.

    probabilities : (..., N, K) tensor
    eps, spread   : of the smoothing, as in ``targets.smooth_distribution``
    least         : in [0, 1 / K]. A network may go below eps / K, where no smoothed
                    distribution is, and the inverse below 0: what is less than
                    ``least`` is raised to it, then the row divided by its sum. With
                    0 a target there has an infinite NLL
    returns       : (..., N, K) float64 tensor, (p - eps / K) / (1 - eps) where not cut
    raises        : ValueError (probabilities, spread, least, eps; eps of 1, or what
                    amounts to 1 within 1e-6, leaves nothing to recover)

    Taught in 06 section 8.
    """
    p = checked_probabilities(probabilities).double()
    p = p / p.sum(-1, keepdim=True)
    eps, num_classes = check_eps(eps), p.shape[-1]
    check_spread(spread, eps, num_classes)
    most = 1.0  # where every class gets the same
    if spread == "others" and eps > 0:
        most = (num_classes - 1) / num_classes
    moved = eps / most
    if moved > 1 - 1e-6:
        raise ValueError(
            f"eps must be below {most:.4g}, where all classes get the same, got {eps}."
        )
    if check_rate(least, "least") > 1 / num_classes:
        raise ValueError(
            f"least must lie in [0, 1 / K] = [0, {1 / num_classes:.4g}], got {least!r}."
        )
    p = ((p - moved / num_classes) / (1 - moved)).clamp(min=float(least))
    return p / p.sum(-1, keepdim=True)
