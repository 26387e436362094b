"""The small networks of the course: ``model(x)`` gives logits (N, 6).

``model.features(x)`` gives the penultimate layer (N, D), the input of ``model.head``.
"""

import math

import torch
from torch import nn

from . import check


class Dropout(nn.Module):
    """Dropout that is told its rate and where its random numbers come from.

    ``training.fit`` and ``fleet.fit_fleet`` set ``rate`` and ``generator`` for the time
    of a training. Networks of the same seed then drop by the same uniform numbers,
    whatever their rates. Srivastava et al. 2014 (JMLR 15), section 10.
    """

    rate, generator = 0.0, None

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        draws = torch.rand(x.shape, generator=self.generator, device="cpu").to(x.device)
        return x * (draws >= self.rate) / (1 - self.rate)


class WordVectors(nn.Module):
    """A vector for each word: int64 ids (N, L) to (N, L, D), zero for padding, id 0."""

    def __init__(self, num_words, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_words, width) / width**0.5)

    def forward(self, ids):
        # By a mask, and not by padding_idx: the weights of a fleet are stacked.
        there = (ids > 0).unsqueeze(-1)
        return nn.functional.embedding(ids, self.weight) * there


class MeanOverWords(nn.Module):
    """The mean of the vectors that are not zero: (N, L, D) to (N, D)."""

    def forward(self, vectors):
        there = (vectors != 0).any(-1).sum(-1, keepdim=True)
        return vectors.sum(-2) / there.clamp(min=1)


class Windows(nn.Module):
    """Runs of ``size`` words as one vector: (N, L, D) to (N, L - size + 1, size D)."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, vectors):
        return vectors.unfold(-2, self.size, 1).transpose(-1, -2).flatten(-2)


class MaxOverWords(nn.Module):
    """The largest value of each unit over all places: (N, L, D) to (N, D)."""

    def forward(self, values):
        return values.amax(-2)  # behind the end of a question it is the bias


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
    """Two convolutions, each pooled to half the size, and one hidden layer: D = 64.

    input_shape : (channels, height, width), height and width at least 4
    """

    def __init__(self, input_shape, num_classes=6):
        super().__init__()
        depth, height, width = input_shape
        layers = []
        for channels in ((depth, 8), (8, 16)):
            # ReLU after the pooling: the same function, on a quarter of the values.
            halved = nn.Conv2d(*channels, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()
            layers += halved
        hidden = nn.Linear(16 * (height // 4) * (width // 4), 64)
        self.body = nn.Sequential(*layers, nn.Flatten(), hidden, nn.ReLU(), Dropout())
        self.head = nn.Linear(64, num_classes)


class Bag(_Network):
    """The mean of a question's word vectors, and a hidden layer: D = 32.

    input_shape : (L,), ids of L words, each below ``num_words``
    source      : Joulin et al. 2017, section 2, there without a hidden layer
    """

    def __init__(self, input_shape, num_classes=6, *, num_words):
        super().__init__()
        words = [WordVectors(num_words, 32), MeanOverWords(), Dropout()]
        self.body = nn.Sequential(*words, nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, num_classes)


class WordCNN(_Network):
    """A convolution over runs of three words, and the largest value of each filter.

    input_shape : (L,), ids of L words, at least 3, each below ``num_words``
    source      : Kim 2014, section 2, with one window size; D = 64
    """

    def __init__(self, input_shape, num_classes=6, *, num_words):
        super().__init__()
        runs = [WordVectors(num_words, 32), Windows(3), nn.Linear(3 * 32, 64)]
        self.body = nn.Sequential(*runs, nn.ReLU(), MaxOverWords(), Dropout())
        self.head = nn.Linear(64, num_classes)


MODELS = {"mlp": MLP, "cnn": CNN, "bag": Bag, "wordcnn": WordCNN}


def build(name, input_shape, num_classes=6, *, seed=0, **options):
    """Make a network with reproducible initial weights.

    name        : "mlp", "cnn", "bag" or "wordcnn"
    input_shape : shape of one input, e.g. ``data.x.shape[1:]``
    seed        : of the initial weights; the global random state is left alone
    options     : of the network, e.g. ``widths=(128, 64)``. Taught in notebook 03.
    """
    network = MODELS[check.one_of(name, "name", MODELS)]
    num_classes = check.whole(num_classes, "num_classes", 1)
    # On the CPU, whatever the default device: the same weights everywhere. And the CPU
    # alone is seeded: torch.manual_seed would reseed the GPUs for good.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(check.seed(seed))
        model = network(input_shape, num_classes, **options)
    return model.to(torch.get_default_device())
