"""Cross-entropy with label smoothing: the loss to read.

Values and gradients are those of ``torch.nn.CrossEntropyLoss(label_smoothing=eps)``;
where that class is known to slip (notebook 02 shows where), this one does not:

* eps outside [0, 1] or nan is refused when the loss is made, not ignored;
* float16 and bfloat16 logits are summed, and the loss returned, in float32;
* ignored rows get exactly zero gradient, whatever they hold;
* a class with no target mass or no weight adds 0, also where its logit is -inf.

Taught in 02 section 1 to 5.
"""

import torch

from .targets import check_eps, check_spread, smooth_distribution

REDUCTIONS = ("mean", "sum", "none")


class LabelSmoothingCrossEntropy(torch.nn.Module):
    """Cross-entropy against smoothed targets, as a module.

    eps           : share of the target moved off the true class, in [0, 1]
    reduction     : "mean", "sum" or "none"
    weight        : (K,) tensor, one factor a class, or None
    ignore_index  : rows with this target add nothing; index targets only
    spread        : "all" (eps / K, as PyTorch) or "others" (eps / (K - 1))
    check_targets : True: a target out of range raises on CUDA too, at the price
                    of waiting for the device; on the CPU it always raises
    raises        : TypeError or ValueError, naming the argument and its value

    Call it with ``(logits, targets)`` as in ``label_smoothing_cross_entropy``.
    Szegedy et al. 2016, section 7. Taught in 02 section 5.
    """

    def __init__(
        self,
        eps=0.1,
        reduction="mean",
        *,
        weight=None,
        ignore_index=-100,
        spread="all",
        check_targets=False,
    ):
        super().__init__()
        self.eps = check_eps(eps)
        self.reduction = _check_reduction(reduction)
        check_spread(spread)
        self.spread = spread
        self.ignore_index = _check_ignore_index(ignore_index)
        self.check_targets = bool(check_targets)
        self.register_buffer("weight", _check_weight(weight))

    def forward(self, logits, targets):
        return label_smoothing_cross_entropy(
            logits,
            targets,
            self.eps,
            self.reduction,
            weight=self.weight,
            ignore_index=self.ignore_index,
            spread=self.spread,
            check_targets=self.check_targets,
        )

    def extra_repr(self):
        weight = None if self.weight is None else tuple(self.weight.shape)
        return (
            f"eps={self.eps}, reduction={self.reduction!r}, weight={weight}, "
            f"ignore_index={self.ignore_index}, spread={self.spread!r}"
        )


def label_smoothing_cross_entropy(
    logits,
    targets,
    eps=0.1,
    reduction="mean",
    *,
    weight=None,
    ignore_index=-100,
    spread="all",
    check_targets=False,
):
    """Cross-entropy between smoothed targets and softmax(logits), in nats.

    logits  : (N, K), (N, K, d1, ...) or (K,), floating point
    targets : class indices (N,), (N, d1, ...) or (), any integer dtype;
              or probabilities of the shape of ``logits``
    returns : a scalar, or with reduction "none" one loss a row: (N,), (N, d1, ...)
              or (); float32 for half-precision logits
    raises  : TypeError, ValueError, or IndexError for a class out of range.
              On CUDA, where a check would wait for the device, such a row's loss
              is nan, its gradient zero, unless ``check_targets`` is True; so it is
              under ``torch.compile`` and ``torch.func.vmap``, where no value can
              be looked at.

    "mean" divides by the summed weights of the rows' true classes, or with
    probability targets by the number of rows, as PyTorch does; the mean over
    nothing, or over classes of weight 0, is nan. Szegedy et al. 2016,
    section 7. Taught in 02 section 1 to 4.
    """
    eps = check_eps(eps)
    _check_reduction(reduction)
    ignore_index = _check_ignore_index(ignore_index)
    _check_logits(logits)
    class_axis = min(1, logits.dim() - 1)
    num_classes = logits.shape[class_axis]
    check_spread(spread, eps, num_classes)
    weight = _check_weight(weight, logits, num_classes)
    _check_same_device(logits, targets)

    logits = logits.movedim(class_axis, -1)  # (..., K), the classes last
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()  # a sum over K half-precision terms can overflow
    weight = None if weight is None else weight.to(logits.dtype)

    if targets.is_floating_point():
        _check_probability_targets(logits, targets, class_axis, ignore_index)
        targets = targets.movedim(class_axis, -1).to(logits.dtype)
        rows, share = _rows_from_probabilities(logits, targets, eps, weight, spread)
    else:
        _check_index_targets(logits, targets)
        targets = _as_int64(targets)
        live = targets != ignore_index
        in_range = (targets >= 0) & (targets < num_classes)
        if check_targets or targets.device.type == "cpu":
            _raise_out_of_range(targets, live & ~in_range, num_classes)
        safe_targets = targets.where(live & in_range, 0)
        rows, share = _rows_from_indices(
            logits, safe_targets, live, eps, weight, spread
        )
        rows = rows.where(in_range | ~live, torch.nan)

    if reduction == "none":
        return rows
    if reduction == "sum":
        return rows.sum()
    total = share.sum()  # 0 where nothing counts; PyTorch's quotient is nan there
    return rows.sum() / total.where(total != 0, torch.nan)


def _rows_from_indices(logits, targets, live, eps, weight, spread):
    """Loss of each row and its share in the mean, for class indices: two (...)."""
    # Masking the logits, not the loss: 0 * nan is nan in the gradient too.
    log_p = logits.masked_fill(~live.unsqueeze(-1), 0.0).log_softmax(-1)
    return _rows_from_log_p(log_p, targets, live, eps, weight, spread)


def _rows_from_log_p(log_p, targets, live, eps, weight, spread):
    index = targets.unsqueeze(-1)
    nll = -log_p.gather(-1, index).squeeze(-1)
    share = torch.ones_like(nll) if weight is None else weight[targets]
    share = share.where(live, 0.0)
    rows = 0.0
    if eps < 1:  # where a coefficient is 0 its term may be infinite: leave it out
        rows = (1 - eps) * _times(share, nll)
    if eps > 0:
        others = log_p if spread == "all" else log_p.scatter(-1, index, 0.0)
        receivers = log_p.shape[-1] - (spread == "others")
        uniform = -_weighted(others, weight).sum(-1)
        rows = rows + eps / receivers * uniform.where(live, 0.0)
    return rows, share


def _rows_from_probabilities(logits, targets, eps, weight, spread):
    """Loss of each row and its share in the mean, for probabilities: two (...)."""
    smoothed = smooth_distribution(targets, eps, spread)
    coefficients = smoothed if weight is None else smoothed * weight
    rows = -_times(coefficients, logits.log_softmax(-1)).sum(-1)
    return rows, torch.ones_like(rows)


def _weighted(log_p, weight):
    return log_p if weight is None else _times(weight, log_p)


def _times(coefficient, term):
    """coefficient * term with 0 * inf = 0, in the value and in the gradient."""
    return coefficient * term.masked_fill((coefficient == 0) & term.isinf(), 0.0)


def _check_reduction(reduction):
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}."
        )
    return reduction


def _check_ignore_index(ignore_index):
    try:
        value = int(ignore_index.__index__())
    except (AttributeError, TypeError):
        raise TypeError(
            f"ignore_index must be an integer, got {ignore_index!r}."
        ) from None
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"ignore_index must fit into 64 bits, got {value}.")
    return value


def _check_weight(weight, logits=None, num_classes=None):
    if weight is None:
        return None
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        kind = weight.dtype if isinstance(weight, torch.Tensor) else type(weight)
        raise TypeError(f"weight must be a floating-point tensor or None, got {kind}.")
    if weight.dim() != 1 or num_classes not in (None, len(weight)):
        wanted = "(K,)" if num_classes is None else f"({num_classes},)"
        raise ValueError(
            f"weight must have shape {wanted}, one factor a class, "
            f"got {tuple(weight.shape)}."
        )
    if logits is not None:
        _check_same_device(logits, weight, "weight")
    return weight


def _check_logits(logits):
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, torch.Tensor) else type(logits)
        raise TypeError(f"logits must be a floating-point tensor, got {kind}.")
    if logits.dim() == 0 or logits.shape[min(1, logits.dim() - 1)] == 0:
        raise ValueError(
            "logits must have shape (N, K), (N, K, d1, ...) or (K,) with K at least 1, "
            f"got {tuple(logits.shape)}."
        )


def _check_same_device(logits, other, name="targets"):
    if not isinstance(other, torch.Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(other)}.")
    if logits.device != other.device:
        raise ValueError(
            f"logits and {name} must be on one device, "
            f"got {logits.device} and {other.device}."
        )


def _check_probability_targets(logits, targets, class_axis, ignore_index):
    wanted = tuple(logits.movedim(-1, class_axis).shape)
    if tuple(targets.shape) != wanted:
        raise ValueError(
            f"targets of dtype {targets.dtype} are probabilities and must have the "
            f"shape of the logits, {wanted}, got {tuple(targets.shape)}."
        )
    if ignore_index >= 0:
        raise ValueError(
            "ignore_index needs targets that are class indices, "
            f"got ignore_index={ignore_index} with probabilities."
        )


def _check_index_targets(logits, targets):
    if targets.dtype == torch.bool or targets.is_complex():
        raise TypeError(
            "targets must be class indices (any integer dtype) or probabilities "
            f"(floating point), got dtype {targets.dtype}."
        )
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            f"targets must have the shape of the logits without the class axis, "
            f"{tuple(logits.shape[:-1])}, got {tuple(targets.shape)}."
        )


def _as_int64(targets):
    if targets.dtype != torch.uint64:
        return targets.long()
    # From 2**63 on the bits read as a negative number, perhaps as ignore_index.
    bits = targets.view(torch.int64)
    return bits.where(bits >= 0, torch.iinfo(torch.int64).max)


def _raise_out_of_range(targets, bad, num_classes):
    if torch.compiler.is_compiling():
        return
    try:
        found = bool(bad.any())
    except RuntimeError:  # under vmap no single value can be looked at
        return
    if found:
        raise IndexError(
            f"targets must lie in 0 ... {num_classes - 1} or equal ignore_index, "
            f"got {targets[bad][0].item()}."
        )
