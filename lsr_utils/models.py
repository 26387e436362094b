"""The few small networks of the course. Each returns logits, and features on request.

``model(x)`` gives logits (N, 6); ``model.features(x)`` gives the penultimate layer
(N, D), the input of the last linear layer ``model.head``.
"""

import math

import torch
from torch import nn

from .targets import check_count, check_seed


class Dropout(nn.Module):
    """Dropout that is told its rate and where its random numbers come from.

    It does nothing until ``training.fit`` or ``fleet.fit_fleet`` set ``rate`` and
    ``generator`` for the time of a training. Two networks trained with the same seed
    then drop by the same uniform numbers, whatever their rates. What is kept is
    divided by 1 - rate. Srivastava et al. 2014 (JMLR 15), section 10.
    """

    rate, generator = 0.0, None

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        draws = torch.rand(x.shape, generator=self.generator).to(x.device)
        return x * (draws >= self.rate) / (1 - self.rate)


class MLP(nn.Module):
    """Fully connected network with ReLU and dropout: any input shape, flattened.

    input_shape : shape of one input, e.g. (1, 8, 8)
    widths      : units of each hidden layer; the last is the feature width D
    """

    def __init__(self, input_shape, num_classes=6, widths=(64, 32)):
        super().__init__()
        sizes = [math.prod(input_shape), *widths]
        layers = [nn.Flatten()]
        for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU(), Dropout()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(sizes[-1], num_classes)

    def features(self, x):
        """Penultimate features: (N, ...) to (N, D)."""
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


class CNN(nn.Module):
    """Two convolutions, each pooled to half the size, and one hidden layer.

    ReLU comes after the pooling: the same function as before it, on a quarter of the
    values.

    input_shape : (channels, height, width), height and width at least 4
    channels    : filters of the two convolutions
    width       : units of the hidden layer, the feature width D
    """

    def __init__(self, input_shape, num_classes=6, channels=(8, 16), width=64):
        super().__init__()
        depth, height, wide = input_shape
        first, second = channels
        self.body = nn.Sequential(
            nn.Conv2d(depth, first, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * (height // 4) * (wide // 4), width),
            nn.ReLU(),
            Dropout(),
        )
        self.head = nn.Linear(width, num_classes)

    def features(self, x):
        """Penultimate features: (N, C, H, W) to (N, D)."""
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


MODELS = {"mlp": MLP, "cnn": CNN}


def build(name, input_shape, num_classes=6, *, seed=0, **options):
    """Make a network with reproducible initial weights.

    name        : "mlp" or "cnn"
    input_shape : shape of one input, e.g. ``data.x.shape[1:]``
    seed        : of the initial weights; the global random state is left alone
    options     : of the network, e.g. ``widths=(128, 64)``
    raises      : ValueError for an unknown name or an input shape that does not fit

    Taught in 03 section 2.
    """
    if not isinstance(name, str) or name not in MODELS:
        known = ", ".join(repr(model) for model in MODELS)
        raise ValueError(f"name must be one of {known}, got {name!r}.")
    input_shape = _check_sizes(input_shape, "input_shape")
    num_classes = check_count(num_classes, "num_classes")
    seed = check_seed(seed)
    if "widths" in options:
        options["widths"] = _check_sizes(options["widths"], "widths")
    if name == "cnn" and (len(input_shape) != 3 or min(input_shape[1:]) < 4):
        raise ValueError(
            "input_shape must be (channels, height, width) with at least 4 x 4 pixels "
            f"for a 'cnn', got {input_shape}."
        )
    with torch.random.fork_rng(devices=[]):
        # Of the CPU alone: torch.manual_seed would reseed the GPUs for good.
        torch.default_generator.manual_seed(seed)
        return MODELS[name](input_shape, num_classes, **options)


def _check_sizes(sizes, name):
    try:
        return tuple(check_count(size, name) for size in sizes)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be whole numbers, at least 1 each, as (1, 8, 8), "
            f"got {sizes!r}."
        ) from None
