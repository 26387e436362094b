"""What the fused loss refuses beyond what the readable one does."""

import math

import torch

SMALLEST, LARGEST = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max


def check_scale(scale):
    """The scale as a float; ValueError for one that the kernels cannot divide by."""
    try:
        value = math.nan if isinstance(scale, (str, bool)) else float(scale)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        value = math.nan
    if not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(
            f"scale must be a number other than 0 that float32 can hold, got {scale!r}."
        )
    return value


def check_inplace(logits):
    """Refuse to overwrite what somebody still needs, or what has no room of its own."""
    base = logits._base if logits._is_view() else logits
    for tensor in (base, logits):  # a view of something else may be a leaf of its own
        if tensor.is_leaf and tensor.requires_grad:
            raise ValueError(
                "inplace=True would overwrite a leaf that requires grad: pass logits "
                "that were computed from it, got a leaf of shape "
                f"{tuple(tensor.shape)}."
            )
    axis = min(1, logits.dim() - 1)
    if not logits.movedim(axis, -1).is_contiguous():
        raise ValueError(
            "inplace=True needs contiguous logits with the classes last in memory, "
            f"got shape {tuple(logits.shape)} with strides {logits.stride()}."
        )
