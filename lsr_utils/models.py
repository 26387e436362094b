"""The few small networks of the course. Each returns logits, and features on request.

``model(x)`` gives logits (N, 6); ``model.features(x)`` gives the penultimate layer
(N, D), the input of the last linear layer ``model.head``.
"""

import math

import torch
from torch import nn

from .layers import (
    Dropout,
    MaxOverWords,
    MeanOverWords,
    Residual,
    Windows,
    WordVectors,
)
from .targets import check_count, check_seed


class _Network(nn.Module):
    """A body that gives the penultimate features, and a linear head behind it."""

    def features(self, x):
        """Penultimate features: (N, ...) to (N, D)."""
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


class MLP(_Network):
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


class CNN(_Network):
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


class ResNet(_Network):
    """Small residual network for colour images, with batch normalisation.

    A convolution, then a stage for each width; every stage but the first halves the
    size. The feature width D is the last width. He et al. 2016, section 4.2.

    input_shape : (channels, height, width)
    widths      : channels of each stage
    blocks      : residual blocks of each stage
    stride      : of the first convolution; 2 makes everything four times cheaper
    """

    def __init__(
        self, input_shape, num_classes=6, widths=(64, 128, 256), blocks=1, stride=1
    ):
        super().__init__()
        depth = input_shape[0]
        layers = [
            nn.Conv2d(depth, widths[0], 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        fan_in = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                halves = stage > 0 and block == 0
                layers.append(Residual(fan_in, width, 2 if halves else 1))
                fan_in = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(widths[-1], num_classes)


class Bag(_Network):
    """Bag of embeddings: the mean of a question's word vectors, and a hidden layer.

    The order of the words is lost. Joulin et al. 2017, section 2, with a hidden layer.

    input_shape : (L,), ids of L words
    num_words   : of the vocabulary
    vectors     : width of the word vectors
    width       : units of the hidden layer, the feature width D
    """

    def __init__(self, input_shape, num_classes=6, *, num_words, vectors=32, width=32):
        super().__init__()
        self.body = nn.Sequential(
            WordVectors(num_words, vectors),
            MeanOverWords(),
            Dropout(),
            nn.Linear(vectors, width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, num_classes)


class WordCNN(_Network):
    """A convolution over runs of words, and the largest answer of each filter.

    Kim 2014, section 2, with one window size.

    input_shape : (L,), ids of L words
    num_words   : of the vocabulary
    vectors     : width of the word vectors
    window      : words that a filter sees at once
    width       : filters, the feature width D
    """

    def __init__(
        self,
        input_shape,
        num_classes=6,
        *,
        num_words,
        vectors=32,
        window=3,
        width=64,
    ):
        super().__init__()
        self.body = nn.Sequential(
            WordVectors(num_words, vectors),
            Windows(window),
            nn.Linear(window * vectors, width),
            nn.ReLU(),
            MaxOverWords(),
            Dropout(),
        )
        self.head = nn.Linear(width, num_classes)


COUNTS = {"num_words", "vectors", "window", "width", "blocks", "stride"}
# What an input must look like, and how short its last axes may be.
INPUTS = {
    "cnn": ("(channels, height, width) with at least 4 x 4 pixels", 3, 4),
    "resnet": ("(channels, height, width)", 3, 1),
    "bag": ("(words,)", 1, 1),
    "wordcnn": ("(words,), not less than window,", 1, 3),  # its window, unless told
}
MODELS = {"mlp": MLP, "cnn": CNN, "resnet": ResNet, "bag": Bag, "wordcnn": WordCNN}


def build(name, input_shape, num_classes=6, *, seed=0, **options):
    """Make a network with reproducible initial weights.

    name        : "mlp", "cnn", "resnet", "bag" or "wordcnn"
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
    for option in COUNTS & options.keys():
        options[option] = check_count(options[option], option)
    if "widths" in options:
        options["widths"] = _check_sizes(options["widths"], "widths")
    if name in ("bag", "wordcnn") and "num_words" not in options:
        raise ValueError(
            f"num_words must be given for a {name!r}, len(data.vocabulary), got none."
        )
    if name == "resnet" and not options.get("widths", True):
        raise ValueError("widths must name at least one stage for a 'resnet', got ().")
    if name in INPUTS:
        wanted, axes, least = INPUTS[name]
        if name == "wordcnn":
            least = options.get("window", least)
        if len(input_shape) != axes or min(input_shape[-2:]) < least:
            raise ValueError(
                f"input_shape must be {wanted} for a {name!r}, got {input_shape}."
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
