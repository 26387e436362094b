"""The form that every six-class task has, and how to split one."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from .. import check


@dataclass(frozen=True)
class SixClass:
    """Inputs and labels of a six-class task."""

    x: torch.Tensor  # (N, ...) float32, or (N, L) int64 token ids of texts
    y: torch.Tensor  # (N,) classes 0 to 5 of any integer type, kept as int64
    posterior: torch.Tensor | None  # (N, 6) float64, p(class | origin of x), if known
    class_names: tuple  # six strings
    texts: np.ndarray | None = None  # (N,) strings that x encodes
    vocabulary: tuple | None = None  # their words by id, "<pad>" and "<unk>" first
    variant: str | None = None  # of downloaded data, "official" or what replaces it

    def __post_init__(self):
        y = check.classes(self.y, 2**63 - 1, "labels")
        fits = y.dim() < 2 and y.shape == self.x.shape[: y.dim()]
        shapes = f"{tuple(y.shape)} for x {tuple(self.x.shape)}"
        check.that(fits, "y must hold one class for each row of x", shapes)
        object.__setattr__(self, "y", y)  # as int64, which PyTorch wants for indexing

    def __len__(self):
        return len(self.y)

    def __getitem__(self, rows):
        """The same task restricted to ``rows`` (indices, a mask or a slice)."""
        part = {name: tensor[rows] for name, tensor in self._tensors()}
        if self.texts is not None:
            rows = rows.cpu().numpy() if isinstance(rows, torch.Tensor) else rows
            part["texts"] = self.texts[rows]
        return replace(self, **part)

    def to(self, device):
        """The same task on ``device``; a posterior stays where there is no float64."""
        stays = "posterior" * (torch.device(device).type in check.NO_FLOAT64)
        moved = {k: t.to(device) for k, t in self._tensors() if k != stays}
        return replace(self, **moved)

    def _tensors(self):
        return [(k, v) for k, v in vars(self).items() if isinstance(v, torch.Tensor)]


def split(data, sizes, seed=0):
    """Disjoint random parts, a SixClass each, with the classes in proportion.

    sizes : number of rows of each part, at least 6, e.g. (500, 200, 383)
    """
    from sklearn.model_selection import train_test_split

    sizes = [check.whole(size, "sizes", least=6) for size in sizes]
    if sum(sizes) > len(data):
        raise ValueError(f"sizes must sum to at most {len(data)}, got {sum(sizes)}.")
    rest, labels, parts = np.arange(len(data)), data.y.cpu().numpy(), []
    for size in sizes:
        if len(rest) - size < 6:  # what is left is too small to hold every class
            part, rest = np.split(np.random.default_rng(seed).permutation(rest), [size])
        else:
            part, rest = train_test_split(
                rest, train_size=size, stratify=labels[rest], random_state=seed
            )
        parts.append(data[torch.as_tensor(part)])
    return parts
