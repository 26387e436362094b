"""What ``fit_fleet`` looks at before it trains: do networks and data fit together?"""

import copy
import functools

import torch


@torch.no_grad()
def check_networks(fleet, networks, which):
    """Raise ``ValueError`` when a network is not its head behind its body."""
    dtype = fleet._stack.parameters()[0].dtype
    for name, data in fleet._sets.items():  # whole numbers are for an embedding
        if data.x.is_floating_point() and data.x.dtype != dtype:
            raise ValueError(f"{name} must have inputs of {dtype}, got {data.x.dtype}.")
    if fleet.grid["dropout"].any() and not fleet._stack.has_dropout:
        raise ValueError(
            "grid must not set dropout for a network without models.Dropout."
        )
    # Weights are all that may differ from network to network: two are looked at.
    for row in {0, int(fleet.grid["seed"].argmax())}:
        _check_network(fleet, row, networks[which[row]])
    for name, data in fleet._sets.items():
        _check_part(fleet, name, data)


def _check_part(fleet, name, data):
    stack, x = fleet._stack[:1], data.x[:2]
    try:
        num_classes = stack.head(stack.features(x.unsqueeze(0))).shape[-1]
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{name} must have inputs that the network takes, got {x.dtype} of shape "
            f"{tuple(x.shape)}: {error}"
        ) from error
    low, high = data.y.min().item(), data.y.max().item()
    if data.y.dtype.is_floating_point or low < 0 or high >= num_classes:
        raise ValueError(
            f"{name} must have labels in 0 ... {num_classes - 1}, got {low} ... {high} "
            f"of {data.y.dtype}."
        )


def _check_network(fleet, row, network):
    x, stack = fleet._sets["train"].x[:2], fleet._stack[row : row + 1]
    network = copy.deepcopy(network).to(x.device)
    try:
        logits = [network.train(mode)(x) for mode in (True, False)]
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"build must make a network for inputs of {x.dtype} and shape "
            f"{tuple(x.shape)}, got {error}"
        ) from error
    try:
        stacked = stack.head(stack.features(x.unsqueeze(0)))[0]
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            "build must make a network of layers that run under torch.func.vmap, "
            f"without random numbers of their own, got {error}"
        ) from error
    near = functools.partial(torch.allclose, rtol=1e-3, atol=1e-4, equal_nan=True)
    if any(z.shape != stacked.shape or not near(z, stacked) for z in logits):
        raise ValueError(
            "build must make a network that is its head behind its body, in training "
            "as in evaluation, got one whose logits differ from head(body(x))."
        )
