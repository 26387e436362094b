"""Cross-entropy with label smoothing: the loss to read.

Values and gradients are those of ``torch.nn.CrossEntropyLoss(label_smoothing=eps)``;
where that class is known to slip (deep dive 02a shows where), this one does not:

* eps outside [0, 1] or nan is refused when the loss is made, not ignored;
* float16 and bfloat16 logits are summed, and the loss returned, in float32;
* ignored rows get exactly zero gradient, whatever they hold;
* a class with no target mass or no weight adds 0, also where its logit is -inf;
* probability targets that are no distributions are refused.
"""

import inspect
from functools import partial

import torch
from torch.overrides import handle_torch_function

from . import check
from .targets import SPREADS, check_spread, mixed

OPTIONS = "eps", "reduction", "weight", "ignore_index", "spread", "check_targets"
REDUCTIONS = ("mean", "sum", "none")
INT64 = -(2**63), 2**63 - 1


def _spelled_out(whole, function):
    """For ``help``: the arguments of ``whole`` instead of ``*args, **options``."""
    both = (inspect.signature(f).parameters.values() for f in (function, whole))
    stars = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    named = [p for part in both for p in part if p.kind not in stars]
    function.__signature__ = inspect.Signature(sorted(named, key=lambda p: p.kind))
    return function


class LabelSmoothingCrossEntropy(torch.nn.Module):
    """Cross-entropy between smoothed targets and softmax(logits), in nats.

    eps           : share of the target moved off the true class, in [0, 1]
    reduction     : "mean", "sum" or "none"
    weight        : (K,) tensor, one factor a class, or None
    ignore_index  : rows with this target add nothing; index targets only
    spread        : "all" (eps / K, as PyTorch) or "others" (eps / (K - 1))
    check_targets : True: wrong targets raise on CUDA too, which waits for the device

    Szegedy et al. 2016, section 7. Taught in notebook 02.
    """

    def __init__(
        self, eps=0.1, reduction="mean", *, weight=None, ignore_index=-100,
        spread="all", check_targets=False,
    ):  # fmt: skip
        super().__init__()
        self.eps = check.real(eps, "eps", "[0, 1]")
        self.reduction = check.one_of(reduction, "reduction", REDUCTIONS)
        self.ignore_index = check.whole(ignore_index, "ignore_index", *INT64)
        self.spread = check.one_of(spread, "spread", SPREADS)
        self.check_targets = bool(check_targets)
        self.register_buffer("weight", _check_weight(weight))

    @torch.jit.ignore  # a scripted network calls it in Python, and cannot be saved
    def forward(self, logits, targets):
        """The loss of a batch.

        logits  : (N, K), (N, K, d1, ...) or (K,), floating point
        targets : class indices (N,), (N, d1, ...) or (), any integer dtype;
                  or probabilities of the shape of ``logits``
        returns : a scalar, or with reduction "none" a loss a row; float32 for half
                  precision. "mean" divides by the summed weights of the true classes,
                  or of probability targets by the rows; over nothing it is nan
        raises  : TypeError, ValueError, or IndexError for a class out of range. Where
                  no value is looked at (on CUDA unless ``check_targets``, in
                  ``torch.compile`` and ``vmap``), the loss of such a row is nan, its
                  gradient zero; wrong probabilities are taken as they are
        """
        if isinstance(logits, torch.fx.Proxy):
            options = {name: getattr(self, name) for name in OPTIONS}
            return label_smoothing_cross_entropy(logits, targets, **options)
        if not torch.jit.is_tracing():  # there a shape is a tensor
            _check_inputs(logits, targets, self)
        class_axis = min(1, logits.dim() - 1)
        logits = logits.movedim(class_axis, -1)  # (..., K), the classes last
        if logits.dtype not in (torch.float32, torch.float64):
            logits = logits.float()  # a sum over K half-precision terms can overflow
        weight = None if self.weight is None else self.weight.to(logits.dtype)
        if targets.is_floating_point():
            targets = targets.movedim(class_axis, -1).to(logits.dtype)
            smoothed = mixed(targets, self.eps, self.spread)
            coefficients = smoothed if weight is None else smoothed * weight
            rows = -_times(coefficients, logits.log_softmax(-1)).sum(-1)
            share = torch.ones_like(rows)
        else:
            rows, share = _rows_from_indices(logits, targets, weight, self)
        if self.reduction != "mean":
            return rows if self.reduction == "none" else rows.sum()
        total = share.sum()  # 0 where nothing counts; PyTorch's quotient is nan there
        return rows.sum() / total.masked_fill(total == 0, torch.nan)

    def extra_repr(self):
        weight = None if self.weight is None else tuple(self.weight.shape)
        shown = f"eps={self.eps}, reduction={self.reduction!r}, weight={weight}, "
        return shown + f"ignore_index={self.ignore_index}, spread={self.spread!r}"


@partial(_spelled_out, LabelSmoothingCrossEntropy)
def label_smoothing_cross_entropy(logits, targets, *args, **options):
    """``LabelSmoothingCrossEntropy`` as a function: its options follow the targets.

    ``torch.jit.script`` takes the class only: it knows no functions with ``**options``.
    """
    if isinstance(logits, torch.fx.Proxy):  # symbolic_trace: one node of its graph
        own, given = label_smoothing_cross_entropy, ((logits,), logits, targets)
        return handle_torch_function(own, *given, *args, **options)
    return LabelSmoothingCrossEntropy(*args, **options)(logits, targets)


def _rows_from_indices(logits, targets, weight, how):
    """Loss of each row, its share in the mean: two (...); ``how`` holds the options."""
    num_classes = logits.shape[-1]
    targets = _as_int64(targets)
    live = targets != how.ignore_index
    in_range = (targets >= 0) & (targets < num_classes)
    if _readable(targets, how):
        _raise_out_of_range(targets, live & ~in_range, num_classes)
    # Masking the logits, not the loss: 0 * nan is nan in the gradient too.
    log_p = logits.masked_fill(~live.unsqueeze(-1), 0.0).log_softmax(-1)
    index = targets.masked_fill(~(live & in_range), 0)
    rows, share = _rows_from_log_p(log_p, index, live, weight, how)
    return rows.masked_fill(live & ~in_range, torch.nan), share


def _rows_from_log_p(log_p, targets, live, weight, how):
    """The same from log-probabilities and targets that all name a class."""
    index, last = targets.unsqueeze(-1), log_p.dim() - 1  # ONNX's evaluator knows no -1
    nll = -log_p.gather(last, index).squeeze(-1)
    share = torch.ones_like(nll) if weight is None else weight[index].squeeze(-1)
    share = share.masked_fill(~live, 0.0)
    # Where a coefficient is 0 its term may be infinite: it is left out.
    rows = (1 - how.eps) * _times(share, nll) if how.eps < 1 else 0.0
    if how.eps > 0:
        receivers, others = log_p.shape[-1], log_p
        if how.spread == "others":
            receivers, others = receivers - 1, log_p.scatter(last, index, 0.0)
        uniform = -(others if weight is None else _times(weight, others)).sum(-1)
        rows = rows + how.eps / receivers * uniform.masked_fill(~live, 0.0)
    return rows, share


def _times(coefficient, term):
    """coefficient * term with 0 * inf = 0, in the value and in the gradient."""
    return coefficient * term.masked_fill((coefficient == 0) & term.isinf(), 0.0)


def _as_int64(targets):
    """Class indices of any integer dtype as int64."""
    if targets.dtype != torch.uint64:
        return targets.long()
    # From 2**63 on the bits read as a negative number, perhaps as ignore_index.
    return targets.view(torch.int64).where(targets.view(torch.int64) >= 0, INT64[1])


def _check_floating(tensor, name):
    if not torch.is_tensor(tensor) or not tensor.is_floating_point():
        got = tensor.dtype if torch.is_tensor(tensor) else type(tensor)
        raise TypeError(f"{name} must be a floating-point tensor, got {got}.")


def _check_weight(weight, num_classes="K"):
    if weight is not None:
        _check_floating(weight, "weight")
        if weight.dim() != 1 or num_classes not in ("K", len(weight)):
            must = f"weight must have shape ({num_classes},), one factor a class"
            raise ValueError(f"{must}, got {tuple(weight.shape)}.")
    return weight


def _check_inputs(logits, targets, how):
    """Refuse a batch that would give a wrong number, or an error that says little."""
    _check_floating(logits, "logits")
    shape, weight = tuple(logits.shape), how.weight
    class_axis = min(1, len(shape) - 1)
    must = "logits must have shape (N, K), (N, K, d1, ...) or (K,) with K at least 1"
    check.that(shape and shape[class_axis], must, shape)
    check.real(how.eps, "eps", "[0, 1]")  # once more: options may be set later
    check.one_of(how.reduction, "reduction", REDUCTIONS)
    check.whole(how.ignore_index, "ignore_index", *INT64)
    check_spread(how.spread, how.eps, shape[class_axis])
    _check_weight(weight, shape[class_axis])
    if not isinstance(targets, torch.Tensor):
        raise TypeError(f"targets must be a tensor, got {type(targets)}.")
    for name, tensor in (("weight", weight), ("targets", targets)):
        if tensor is not None and tensor.device != logits.device:
            got = f"{logits.device} and {tensor.device}"
            raise ValueError(f"logits and {name} must be on one device, got {got}.")
    if targets.dtype == torch.bool or targets.is_complex():
        must = "targets must be class indices (any integer dtype) or probabilities "
        raise TypeError(f"{must}(floating point), got dtype {targets.dtype}.")
    kind, wanted = "probabilities", shape
    if not targets.is_floating_point():
        kind, wanted = "class indices", shape[:class_axis] + shape[class_axis + 1 :]
        kind += ", not one-hot rows (make those float)," * (targets.shape == shape)
    if targets.shape != wanted:
        raise ValueError(
            f"targets of dtype {targets.dtype} are {kind} and must have shape {wanted} "
            f"for logits of shape {shape}, got {tuple(targets.shape)}."
        )
    if not targets.is_floating_point():
        return
    must = "ignore_index needs targets that are class indices"
    got = f"ignore_index={how.ignore_index} with probabilities"
    check.that(how.ignore_index < 0, must, got)
    if targets.numel() and _readable(targets, how):
        check.probabilities(targets.movedim(class_axis, -1), "targets")


def _readable(targets, how):
    """Whether values may be looked at: no device is waited for, no graph recorded."""
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return not recorded and (how.check_targets or targets.device.type == "cpu")


def _raise_out_of_range(targets, bad, num_classes):
    must = f"targets must lie in 0 ... {num_classes - 1} or equal ignore_index"
    check.every(~bad, targets, must, kind=IndexError)
