"""The form that every six-class task has, and how to divide one."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from .targets import check_count


@dataclass(frozen=True)
class SixClass:
    """Inputs and labels of a six-class task.

    x           : (N, ...) float32 tensor, or (N, L) int64 token ids of texts
    y           : (N,) int64 tensor, classes 0 to 5
    posterior   : (N, 6) float64 tensor of p(class | what generated x), or None
                  where nobody knows it
    class_names : six strings
    texts       : (N,) array of strings that x encodes, or None
    vocabulary  : the words by their id in x, "<pad>" and "<unk>" first, or None
    variant     : of data from elsewhere, "official" or what replaces it, or None
    """

    x: torch.Tensor
    y: torch.Tensor
    posterior: torch.Tensor | None
    class_names: tuple
    texts: np.ndarray | None = None
    vocabulary: tuple | None = None
    variant: str | None = None

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        """The same task restricted to ``rows`` (indices, a mask or a slice)."""
        of_texts = rows.cpu().numpy() if isinstance(rows, torch.Tensor) else rows
        return replace(
            self,
            x=self.x[rows],
            y=self.y[rows],
            posterior=None if self.posterior is None else self.posterior[rows],
            texts=None if self.texts is None else self.texts[of_texts],
        )

    def to(self, device):
        """The same task with its tensors on ``device``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors = {k: v for k, v in values.items() if isinstance(v, torch.Tensor)}
        return replace(self, **{k: v.to(device) for k, v in tensors.items()})


def split(data, sizes, seed=0):
    """Disjoint random parts of a data set, each with the classes in proportion.

    data    : SixClass
    sizes   : number of rows of each part, e.g. (500, 200, 383)
    seed    : of the split
    returns : a SixClass for each size
    raises  : ValueError when a size is below 6, when they sum to more than len(data),
              or when a class has too few rows to be in every part
    """
    from sklearn.model_selection import train_test_split

    if not isinstance(sizes, (tuple, list)):
        raise ValueError(f"sizes must be a tuple such as (500, 200), got {sizes!r}.")
    sizes = [check_count(size, "sizes", least=6) for size in sizes]
    seed = check_count(seed, "seed", least=0)
    if sum(sizes) > len(data):
        raise ValueError(
            f"sizes must sum to at most {len(data)} rows, got {sizes} = {sum(sizes)}."
        )
    rest, labels, parts = np.arange(len(data)), data.y.cpu().numpy(), []
    for size in sizes:
        if len(rest) - size < 6:  # what is left is too small to hold every class
            rest = np.random.default_rng(seed).permutation(rest)
            part, rest = rest[:size], rest[size:]
        else:
            counts = np.bincount(labels[rest])
            if counts[counts > 0].min() < 2:
                raise ValueError(
                    f"sizes must leave every class at least 2 rows to divide, got "
                    f"{sizes} for classes of {np.bincount(labels).tolist()} rows."
                )
            part, rest = train_test_split(
                rest, train_size=size, stratify=labels[rest], random_state=seed
            )
        parts.append(data[torch.as_tensor(part)])
    return parts
