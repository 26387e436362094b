"""The layers of the networks in ``models`` that PyTorch does not have.

Those for text take word ids (N, L), 0 where a question is shorter than the longest, and
hand on word vectors (N, L, D), which are zero there.
"""

import torch
from torch import nn


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


class Residual(nn.Module):
    """Two convolutions with batch normalisation, added to what came in.

    He et al. 2016, figure 2. Where depth or size change, what came in passes a
    convolution of one pixel.
    """

    def __init__(self, fan_in, fan_out, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
            nn.ReLU(),
            nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or fan_in != fan_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(fan_in, fan_out, 1, stride, bias=False),
                nn.BatchNorm2d(fan_out),
            )

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class WordVectors(nn.Module):
    """A trained vector for each word: int64 ids (N, L) to (N, L, D), zero for id 0.

    Ids lie below ``num_words``. Vectors start as draws from N(0, 1 / D).
    """

    def __init__(self, num_words, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_words, width) / width**0.5)

    def forward(self, ids):
        # By a mask, and not by padding_idx: the weights of a fleet are stacked.
        there = (ids > 0).unsqueeze(-1)
        return nn.functional.embedding(ids, self.weight) * there


class MeanOverWords(nn.Module):
    """The mean of the vectors of the words that are there: (N, L, D) to (N, D).

    A word is there where its vector is not zero; without any the mean is zero.
    """

    def forward(self, vectors):
        there = (vectors != 0).any(-1).sum(-1, keepdim=True)
        return vectors.sum(-2) / there.clamp(min=1)


class Windows(nn.Module):
    """Each run of ``size`` words as one vector: (N, L, D) to (N, L - size + 1, size D).

    A linear layer behind it is a convolution over words.
    """

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, vectors):
        return vectors.unfold(-2, self.size, 1).transpose(-1, -2).flatten(-2)


class MaxOverWords(nn.Module):
    """The largest value of each unit over all places: (N, L, D) to (N, D).

    Places behind the end of a question count too: they answer with the bias.
    """

    def forward(self, values):
        return values.amax(-2)
