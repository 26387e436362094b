"""Cross-entropy with label smoothing: the loss to use.

The same numbers as ``lsr_utils.losses``, from one read of the logits and one write of
the gradient: no matrix of soft targets, no log-probabilities kept for later. On the
CPU it is compiled C++ where there is a compiler; on CUDA it is a Triton kernel where
Triton is installed. Elsewhere, and for what these cannot do (probability targets, a map
over models, a graph for a compiler), the readable loss answers.

Taught in deep dive 02b.
"""

from functools import partial
from types import SimpleNamespace

import torch
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function

from .. import check, losses
from ..losses import LabelSmoothingCrossEntropy, _spelled_out
from . import cpu, cuda

PLAIN = (torch.Tensor, torch.nn.Parameter)
FLOAT32 = torch.finfo(torch.float32)

# Private, because PyTorch has no public way to ask:
# whether a backward pass may be repeated (retain_graph=True, create_graph=True),
_graph_is_kept = torch._C._autograd._get_current_graph_task_keep_graph
# whether a tensor stands for several at once, in either of two ways,
_is_legacy_batched = torch._C._functorch.is_legacy_batchedtensor
_is_batched = torch._C._functorch.is_batchedtensor
# whether vmap, grad or another transform of torch.func is at work,
_is_transforming = torch._C._are_functorch_transforms_active
# whether something watches or replaces PyTorch's operations (make_fx, fake tensors).
_watchers = torch._C._len_torch_dispatch_stack


@partial(_spelled_out, LabelSmoothingCrossEntropy)
class FusedLabelSmoothingCrossEntropy(LabelSmoothingCrossEntropy):
    """``losses.LabelSmoothingCrossEntropy``, with fewer trips through memory.

    Its options, and three more:

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
    raises    : as the readable class; ValueError for logits that cannot be written in
                place; RuntimeError for a second derivative, or for several upstream
                gradients at once

    Taught in deep dive 02b.
    """

    def __init__(self, *args, inplace=False, scale=1.0, recompute=None, **options):
        super().__init__(*args, **options)
        self.inplace = bool(inplace)
        self.scale = _check_scale(scale)
        self.recompute = None if recompute is None else bool(recompute)

    @torch.jit.ignore
    def forward(self, logits, targets):
        """The loss of a batch; inputs and result as in the readable class."""
        differentiable = (
            torch.is_grad_enabled()
            and isinstance(logits, torch.Tensor)
            and logits.requires_grad
        )
        if self.inplace and differentiable:
            _check_inplace(logits)
        weight = self.weight
        backend = _backend(logits, targets, weight)
        if backend is None or isinstance(self, torch.jit.ScriptModule):
            return LabelSmoothingCrossEntropy.forward(self, logits, targets)
        # The options as they are now: they may change before the backward pass.
        how = SimpleNamespace(**vars(self), weight=weight, backend=backend)
        losses._check_inputs(logits, targets, how)
        how.eps, how.ignore_index = float(how.eps), int(how.ignore_index)
        how.scale = _check_scale(how.scale)  # it may have been set later
        rows, num_classes = logits, logits.shape[min(1, logits.dim() - 1)]
        targets = losses._as_int64(targets)
        if logits.dim() != 2:
            rows = logits.movedim(min(1, logits.dim() - 1), -1).reshape(-1, num_classes)
        if rows.stride(1) != 1 and num_classes > 1:
            rows = rows.contiguous()
        shape = targets.shape  # of the losses
        if targets.dim() != 1 or not targets.is_contiguous():
            targets = targets.reshape(-1).contiguous()
        # On the CPU nothing waits for a look at the targets.
        if not backend.CHECKS_TARGETS and (how.check_targets or logits.is_cpu):
            live = targets != how.ignore_index
            bad = live & ((targets < 0) | (targets >= num_classes))
            losses._raise_out_of_range(targets, bad, num_classes)
        if weight is not None:
            wide = torch.promote_types(logits.dtype, torch.float32)
            how.weight = weight.detach().to(wide).contiguous().resolve_neg()

        how.differentiable = differentiable  # ctx says True under no_grad as well
        if how.recompute is None:
            how.recompute = logits.dtype == torch.float16 and how.scale == 1
        # A copy made for its layout is ours to write on.
        own = rows is not logits and rows.data_ptr() != logits.data_ptr()
        how.inplace = how.inplace or (differentiable and own)
        if differentiable:  # no rows of the logits, yet made from them
            how.anchor = rows.index_select(0, targets.new_empty(0))
        loss = _FusedCrossEntropy.apply(rows, targets, how)
        return loss.view(shape) if how.reduction == "none" else loss

    def extra_repr(self):
        return (
            f"{super().extra_repr()}, inplace={self.inplace}, scale={self.scale:g}, "
            f"recompute={self.recompute}"
        )


@partial(_spelled_out, FusedLabelSmoothingCrossEntropy)
def fused_label_smoothing_cross_entropy(logits, targets, *args, **options):
    """``FusedLabelSmoothingCrossEntropy`` as a function: its options come last.

    Taught in deep dive 02b.
    """
    if isinstance(logits, torch.fx.Proxy):
        given = (logits,), logits, targets
        return handle_torch_function(
            fused_label_smoothing_cross_entropy, *given, *args, **options
        )
    return FusedLabelSmoothingCrossEntropy(*args, **options)(logits, targets)


class _FusedCrossEntropy(torch.autograd.Function):
    """Rows of logits (N, K) and targets (N,) to their loss."""

    @staticmethod
    def forward(ctx, rows, targets, how):
        slope = None
        if how.differentiable and not how.recompute:
            slope = _room(rows, how.inplace)
        loss, how.kept = how.backend.forward(rows, targets, how.weight, how, slope)
        if slope is not None and how.inplace:
            torch.autograd.graph.increment_version(rows)
        ctx.how = how
        # What is kept on ctx itself would be copied on its way out.
        if slope is not None:
            ctx.save_for_backward(slope, targets)
        elif how.differentiable:
            ctx.save_for_backward(rows, targets, how.weight)
        return loss

    @staticmethod
    def backward(ctx, upstream):
        if _is_legacy_batched(upstream) or _is_batched(upstream):
            raise RuntimeError(
                "the fused loss takes one upstream gradient at a time: for several at "
                "once (is_grads_batched=True, vectorize=True) use "
                "lsr_utils.losses.LabelSmoothingCrossEntropy."
            )
        upstream = upstream.resolve_neg()  # what is computed reads its memory
        if not torch.is_grad_enabled():
            return _gradient(ctx, upstream), None, None
        with torch.no_grad():  # create_graph=True
            slope = _gradient(ctx, upstream)
        # Through the anchor the logits are found, and with them this refusal: without
        # it torch would take the second derivative for zero.
        slope = _NoSecondDerivative.apply(slope, upstream, ctx.how.anchor)
        return slope, None, None


def _gradient(ctx, upstream):
    how, keep = ctx.how, _graph_is_kept()
    if not how.recompute:
        slope, targets = ctx.saved_tensors
        return how.backend.rescale(slope, targets, how, upstream, keep)
    rows, targets, weight = ctx.saved_tensors
    overwrite = how.inplace and not keep
    slope = _room(rows, overwrite)
    how.backend.backward(rows, targets, weight, how, how.kept, upstream, slope)
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


def _room(rows, overwrite):
    """Where the gradient of the rows is written."""
    if overwrite:
        return rows.detach()
    return torch.empty_like(rows, memory_format=torch.contiguous_format)


def _backend(logits, targets, weight):
    """The module that computes this loss, or None for the readable one."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return None
    if _is_transforming() or _watchers():
        return None
    if type(logits) not in PLAIN or type(targets) not in PLAIN:
        return None
    if logits.dim() == 0 or logits.numel() == 0:
        return None
    if targets.is_floating_point() or targets.device != logits.device:
        return None
    if weight is not None and (
        type(weight) not in (*PLAIN, torch.nn.Buffer) or weight.requires_grad
    ):
        return None
    for tensor in (logits, weight):  # a derivative that goes forwards
        if tensor is not None and forward_ad.unpack_dual(tensor).tangent is not None:
            return None
    if logits.layout != torch.strided or logits.is_neg():
        return None
    if logits._is_zerotensor():  # private: PyTorch's own zeros without memory
        return None
    backend = cpu if logits.is_cpu else cuda if logits.is_cuda else None
    return backend if backend is not None and backend.supports(logits) else None


def _check_scale(scale):
    """The scale as a float; ValueError for one that the kernels cannot divide by."""
    value = scale if type(scale) is float else check._as_float(scale)
    if value is None or not FLOAT32.tiny <= abs(value) <= FLOAT32.max:
        raise ValueError(
            f"scale must be a number other than 0 that float32 can hold, got {scale!r}."
        )
    return value


def _check_inplace(logits):
    """Refuse to overwrite what somebody still needs, or what has no room of its own."""
    base = logits._base if logits._is_view() else logits  # private: there is no other
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
