"""The ways to compute the loss that ``fused_loss.py`` measures, and what they are."""

import torch
import torch.nn.functional as F

from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused

EPS, UPSTREAM = 0.1, 0.37
CHUNK = 2**25  # logits that are held in float64 at a time


class Given(torch.autograd.Function):
    """Logits as a network would hand them over: computed, and nobody's leaf."""

    @staticmethod
    def forward(ctx, logits):
        return logits.detach()

    @staticmethod
    def backward(ctx, gradient):
        return None


def timms_form(logits, targets):
    """Label smoothing as in timm, written out."""
    log_p = F.log_softmax(logits, dim=-1)
    nll = -log_p.gather(dim=-1, index=targets.unsqueeze(1)).squeeze(1)
    return ((1 - EPS) * nll + EPS * -log_p.mean(dim=-1)).mean()


def pytorch(logits, targets):
    return F.cross_entropy(logits, targets, label_smoothing=EPS)


def ways(device):
    """Every way to compute the loss that can be had here, and what cannot."""
    found = {
        "fused": Fused(EPS),
        "fused, in place": Fused(EPS, inplace=True),
        "fused, recomputed": Fused(EPS, recompute=True),
        "fused, scale known": Fused(EPS, scale=UPSTREAM),
        "fused, in place, recomputed": Fused(EPS, inplace=True, recompute=True),
        "PyTorch": pytorch,
        "timm's form": timms_form,
    }
    missing = {}
    if device == "cpu":
        return found, missing | {"Liger, flash-attn": "run on a GPU only"}
    try:
        from liger_kernel.transformers import LigerCrossEntropyLoss

        found["Liger"] = LigerCrossEntropyLoss(label_smoothing=EPS)
    except Exception as problem:
        missing["Liger"] = type(problem).__name__
    try:
        from flash_attn.ops.triton.cross_entropy import cross_entropy_loss

        found["flash-attn"] = lambda z, y: cross_entropy_loss(
            z, y, label_smoothing=EPS, inplace_backward=True
        )[0].mean()
    except Exception as problem:
        missing["flash-attn"] = type(problem).__name__
    return found, missing


def compiled():
    """torch.compile's forms, made anew: after many sizes it would be eager again."""
    torch._dynamo.reset()
    for name in ("fail_on_recompile_limit_hit", "fail_on_cache_limit_hit"):
        if hasattr(torch._dynamo.config, name):  # the older one in older versions
            setattr(torch._dynamo.config, name, True)
    forms = {"PyTorch": pytorch, "timm's form": timms_form}
    return {
        f"torch.compile, {name}": torch.compile(form, dynamic=False)
        for name, form in forms.items()
    }


def step(loss_fn, logits, targets, upstream):
    loss = loss_fn(Given.apply(logits), targets)
    loss.backward(upstream.to(loss.dtype))


def check(found, device, n, num_classes, dtype):
    """All compute the same; returns the kinds of error of those that fail, by name."""
    failed = {}
    z = torch.randn(n, num_classes, device=device).to(dtype)
    y = torch.randint(num_classes, (n,), device=device)
    for name, loss_fn in found.items():
        leaf = z.clone().requires_grad_()
        try:
            loss = loss_fn(leaf * 1, y)
            loss.backward()
        except Exception as problem:  # no compiler, or a peer that is not for this
            failed[name] = type(problem).__name__
            continue
        expected, off = from_float64(z, y, leaf.grad)
        if not off < 3e-2 or not abs(loss.item() / expected - 1) < 3e-2:
            raise SystemExit(f"{name} computes another loss at {n} x {num_classes}.")
    return failed


def from_float64(z, y, slope):
    """The mean loss in float64, and how far off a gradient is; some rows at a time."""
    total = off = size = 0.0
    step = max(1, CHUNK // z.shape[1])
    for begin in range(0, len(z), step):
        rows = slice(begin, begin + step)
        twin = z[rows].double().requires_grad_()
        loss = F.cross_entropy(twin, y[rows], label_smoothing=EPS, reduction="sum")
        (exact,) = torch.autograd.grad(loss / len(z), twin)
        total += loss.item() / len(z)
        off += (slope[rows].double() - exact).square().sum().item()
        size += exact.square().sum().item()
    return total, (off / size) ** 0.5
