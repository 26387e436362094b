"""Cross-entropy with label smoothing: the loss to use.

The same numbers as ``lsr_utils.losses``, from one read of the logits and one write of
the gradient: no matrix of soft targets, no log-probabilities kept for later. On the
CPU it is compiled where there is a C++ compiler, on CUDA it is a Triton kernel where
Triton is installed. Where neither is there, or what is asked for lies outside of what
they do (probability targets, a map over models, a graph for a compiler), the readable
loss answers.

Taught in 08 section 4 to 6.
"""

from typing import NamedTuple

import torch
from torch.autograd import forward_ad as fwAD

from . import fused_cpu, losses
from .fused_checks import check_inplace, check_scale
from .losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy
from .targets import check_eps, check_spread

# Whether a backward pass may be repeated (retain_graph=True, create_graph=True); where
# torch does not say, it may.
_graph_is_kept = getattr(
    torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True
)
PLAIN = (torch.Tensor, torch.nn.Parameter)


class FusedLabelSmoothingCrossEntropy(LabelSmoothingCrossEntropy):
    """``losses.LabelSmoothingCrossEntropy``, with fewer trips through memory.

    inplace   : True: the gradient takes the place of the logits, so that none needs
                memory of its own. What the logits held is lost
    scale     : the upstream gradient that is coming, where it is known, as with loss
                scaling. If another one comes, that costs a pass over the gradient more
                and, in half precision, a second rounding; in float16 a scale far too
                small or too large loses the gradient
    recompute : True: keep two numbers a row and read the logits again in the backward
                pass: fewer bytes on a GPU where the upstream gradient is not known
                beforehand, slower on a CPU. None: only for float16, whose gradients
                would vanish before they are scaled
    raises    : as the readable class; RuntimeError for a second derivative, or for
                several upstream gradients at once

    Taught in 08 section 4 to 6.
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
        inplace=False,
        scale=1.0,
        recompute=None,
    ):
        super().__init__(
            eps,
            reduction,
            weight=weight,
            ignore_index=ignore_index,
            spread=spread,
            check_targets=check_targets,
        )
        self.inplace = bool(inplace)
        self.scale = check_scale(scale)
        self.recompute = None if recompute is None else bool(recompute)

    def forward(self, logits, targets):
        return fused_label_smoothing_cross_entropy(
            logits,
            targets,
            self.eps,
            self.reduction,
            weight=self.weight,
            ignore_index=self.ignore_index,
            spread=self.spread,
            check_targets=self.check_targets,
            inplace=self.inplace,
            scale=self.scale,
            recompute=self.recompute,
        )

    def extra_repr(self):
        return (
            f"{super().extra_repr()}, inplace={self.inplace}, scale={self.scale:g}, "
            f"recompute={self.recompute}"
        )


def fused_label_smoothing_cross_entropy(
    logits,
    targets,
    eps=0.1,
    reduction="mean",
    *,
    weight=None,
    ignore_index=-100,
    spread="all",
    check_targets=False,
    inplace=False,
    scale=1.0,
    recompute=None,
):
    """``losses.label_smoothing_cross_entropy``, fused: see the class for the options.

    raises : as the readable function; ValueError for logits that cannot be written
             in place, RuntimeError for a second derivative

    Taught in 08 section 4 to 6.
    """
    scale = check_scale(scale)
    differentiable = (
        torch.is_grad_enabled()
        and isinstance(logits, torch.Tensor)
        and logits.requires_grad
    )
    if inplace and differentiable:
        check_inplace(logits)
    backend = _backend(logits, targets, weight)
    if backend is None:
        return label_smoothing_cross_entropy(
            logits,
            targets,
            eps,
            reduction,
            weight=weight,
            ignore_index=ignore_index,
            spread=spread,
            check_targets=check_targets,
        )
    eps = check_eps(eps)
    losses._check_reduction(reduction)
    ignore_index = losses._check_ignore_index(ignore_index)
    losses._check_logits(logits)
    class_axis = min(1, logits.dim() - 1)
    num_classes = logits.shape[class_axis]
    check_spread(spread, eps, num_classes)
    weight = losses._check_weight(weight, logits, num_classes)

    moved = logits if logits.dim() == 2 else logits.movedim(class_axis, -1)
    losses._check_index_targets(moved, targets)
    targets = losses._as_int64(targets).reshape(-1).contiguous()
    on_cpu = logits.device.type == "cpu"  # nothing waits for a look at the targets
    if not backend.CHECKS_TARGETS and (check_targets or on_cpu):
        live = targets != ignore_index
        bad = live & ((targets < 0) | (targets >= num_classes))
        losses._raise_out_of_range(targets, bad, num_classes)
    if weight is not None:
        wide = torch.promote_types(logits.dtype, torch.float32)
        weight = weight.detach().to(wide).contiguous().resolve_neg()
    rows = moved if logits.dim() == 2 else moved.reshape(-1, num_classes)
    if rows.stride(1) != 1 and num_classes > 1:
        rows = rows.contiguous()
    if recompute is None:
        recompute = logits.dtype == torch.float16 and scale == 1
    # A copy made for its layout is ours to write on.
    own = differentiable and rows.data_ptr() != logits.data_ptr()
    anchor = None
    if differentiable:  # no rows of the logits, yet made from them
        anchor = rows.index_select(0, targets.new_empty(0))
    how = _How(
        eps,
        reduction,
        ignore_index,
        spread,
        scale,
        inplace or own,
        recompute,
        differentiable,  # under no_grad torch still says that a gradient is needed
        anchor,
        backend,
    )
    loss = _FusedCrossEntropy.apply(rows, targets, weight, how)
    return loss.view(moved.shape[:-1]) if reduction == "none" else loss


class _How(NamedTuple):
    eps: float
    reduction: str
    ignore_index: int
    spread: str
    scale: float
    inplace: bool
    recompute: bool
    differentiable: bool
    anchor: torch.Tensor | None
    backend: object


class _FusedCrossEntropy(torch.autograd.Function):
    """Rows of logits (N, K) and targets (N,) to their loss."""

    @staticmethod
    def forward(ctx, rows, targets, weight, how):
        slope = None
        if how.differentiable and not how.recompute:
            slope = rows.detach() if how.inplace else rows.new_empty(rows.shape)
        loss, kept = how.backend.forward(rows, targets, weight, how, slope)
        if slope is not None and how.inplace:
            torch.autograd.graph.increment_version(rows)
        ctx.how, ctx.kept = how, kept
        if how.differentiable:
            # What is kept on ctx itself would be copied on its way out.
            if slope is not None:
                ctx.save_for_backward(slope, targets)
            else:
                ctx.save_for_backward(rows, targets, weight)
        return loss

    @staticmethod
    def backward(ctx, upstream):
        if _is_batched(upstream):
            raise RuntimeError(
                "the fused loss takes one upstream gradient at a time: for several at "
                "once (is_grads_batched=True, vectorize=True) use "
                "lsr_utils.losses.LabelSmoothingCrossEntropy."
            )
        upstream = upstream.resolve_neg()  # what is computed reads its memory
        if not torch.is_grad_enabled():
            return _gradient(ctx, upstream), None, None, None
        with torch.no_grad():  # create_graph=True
            slope = _gradient(ctx, upstream)
        # Through the anchor the logits are found, and with them this refusal: without
        # it torch would take the second derivative for zero.
        slope = _NoSecondDerivative.apply(slope, upstream, ctx.how.anchor)
        return slope, None, None, None


def _is_batched(tensor):
    """Whether it stands for several at once, in either of torch's ways."""
    ways = torch._C._functorch
    return ways.is_legacy_batchedtensor(tensor) or ways.is_batchedtensor(tensor)


def _gradient(ctx, upstream):
    how, keep = ctx.how, _graph_is_kept()
    if not how.recompute:
        slope, targets = ctx.saved_tensors
        return how.backend.rescale(slope, targets, how, upstream, keep)
    rows, targets, weight = ctx.saved_tensors
    overwrite = how.inplace and not keep
    slope = rows.detach() if overwrite else rows.new_empty(rows.shape)
    given = rows, targets, weight, how, ctx.kept, upstream
    how.backend.backward(*given, slope)
    if overwrite:
        torch.autograd.graph.increment_version(rows)
    return slope


class _NoSecondDerivative(torch.autograd.Function):
    """A gradient that refuses to be differentiated, instead of passing for constant."""

    @staticmethod
    def forward(ctx, gradient, *origins):
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx, upstream):
        raise RuntimeError(
            "the fused loss has no second derivative: "
            "use lsr_utils.losses.LabelSmoothingCrossEntropy for one."
        )


def _backend(logits, targets, weight):
    """The module that computes this loss, or None for the readable one."""
    if type(logits) not in PLAIN or type(targets) not in PLAIN or not logits.numel():
        return None
    special = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if special or torch._C._are_functorch_transforms_active():
        return None
    # Whoever watches or replaces torch's operations must see some.
    if torch._C._len_torch_dispatch_stack() or fwAD._current_level >= 0:
        return None
    if targets.is_floating_point() or logits.device != targets.device:
        return None
    if weight is not None and (
        type(weight) not in (*PLAIN, torch.nn.Buffer) or weight.requires_grad
    ):
        return None
    if logits.layout != torch.strided or logits.is_neg() or logits._is_zerotensor():
        return None
    if logits.device.type == "cpu":
        return fused_cpu if fused_cpu.supports(logits) else None
    if logits.device.type == "cuda":
        from . import fused_cuda

        return fused_cuda if fused_cuda.supports(logits) else None
    return None
