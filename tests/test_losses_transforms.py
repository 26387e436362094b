"""Both losses in the hands of torch: traced, exported, compiled, mapped, on "meta"."""

import io
import warnings

import pytest
import torch
import torch.nn.functional as F
from test_losses_contract import BOTH, draw_labels, draw_logits, weights

from lsr_utils import losses
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy
from lsr_utils.losses import LabelSmoothingCrossEntropy, label_smoothing_cross_entropy


def draw_probabilities(shape):
    return draw_logits(shape, seed=2).softmax(min(1, len(shape) - 1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_that_rounding_keeps_from_one_are_taken(dtype):
    z = draw_logits((50, 1000)).float()
    q = z.flip(1).softmax(1).to(dtype)
    wanted = F.cross_entropy(z, q.float(), label_smoothing=0.1)
    loss = label_smoothing_cross_entropy(z, q)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=0)


@BOTH
@pytest.mark.parametrize("targets", [draw_labels, draw_probabilities])
def test_first_and_second_derivatives_are_right(targets, spread):
    y, leaf = targets((2, 3, 2)), draw_logits((2, 3, 2)).requires_grad_()
    if targets is draw_labels:
        y[0] = -100
    options = {"weight": weights((2, 3))[1], "spread": spread}
    for reduction in ("mean", "none"):
        loss_fn = LabelSmoothingCrossEntropy(0.2, reduction, **options)
        assert torch.autograd.gradgradcheck(lambda z, f=loss_fn: f(z, y), leaf)


# What torch.nn.CrossEntropyLoss can. Each is recorded of one batch and asked about
# another, and F.cross_entropy, never recorded, says what is right.


def case(shape, kind):
    """Logits, targets, and those of another batch with an ignored row."""
    z = draw_logits(shape).float()
    y = draw_labels(shape) if kind == "labels" else draw_probabilities(shape).float()
    if len(shape) == 1:
        return (z, y), (2 * z, y)
    more = torch.cat([y, y[:1]])
    if kind == "labels":
        more[-1] = -100
    return (z, y), (torch.cat([2 * z, z[:1]]), more)


def exported(loss_fn, given, strict=False):
    options = {"strict": strict, "dynamic_shapes": dynamic(given[0])}
    return torch.export.export(loss_fn, given, **options).module()


def dynamic(z):
    return None if z.dim() == 1 else ({0: torch.export.Dim.AUTO},) * 2


def to_onnx(loss_fn, given, dynamo=False):
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older exporter is older
        if dynamo:
            options = {"dynamic_shapes": dynamic(given[0]), "verbose": False}
            made = torch.onnx.export(loss_fn, given, dynamo=True, **options)
            model = made.model_proto
        else:
            names, axes = ["z", "y"], {0: "n"} if given[0].dim() > 1 else {}
            options = {"input_names": names, "dynamic_axes": dict.fromkeys(names, axes)}
            file = io.BytesIO()
            torch.onnx.export(loss_fn, given, file, dynamo=False, **options)
            model = onnx.load_from_string(file.getvalue())
    session, names = reference.ReferenceEvaluator(model), model.graph.input

    def run(*given):
        feed = {i.name: x.numpy() for i, x in zip(names, given, strict=True)}
        return torch.tensor(session.run(None, feed)[0])

    return run


def mapped(loss_fn, given):
    def second(*given):
        return torch.func.vmap(loss_fn)(*(torch.stack([x, x]) for x in given))[1]

    return second


WAYS = {
    "scripted": lambda loss_fn, given: torch.jit.script(loss_fn),
    "symbolic": lambda loss_fn, given: torch.fx.symbolic_trace(loss_fn),
    "traced": torch.jit.trace,
    "exported": exported,
    "exported strictly": lambda loss_fn, given: exported(loss_fn, given, True),
    "onnx": to_onnx,
    "onnx by dynamo": lambda loss_fn, given: to_onnx(loss_fn, given, True),
    "mapped": mapped,
}
EITHER = pytest.mark.parametrize(
    "loss", [LabelSmoothingCrossEntropy, FusedLabelSmoothingCrossEntropy]
)
KINDS = pytest.mark.parametrize("kind", ["labels", "probabilities"])


@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
@EITHER
@KINDS
@pytest.mark.parametrize("way", WAYS)
def test_it_can_be_recorded_as_pytorchs_own_can(way, kind, loss):
    for shape, reduction in (((3, 6, 2), "mean"), ((6,), "none")):
        weight = weights(shape)[1].float()
        given, others = case(shape, kind)
        options = {"weight": weight, "reduction": reduction}
        own = torch.nn.CrossEntropyLoss(label_smoothing=0.2, **options)
        try:
            found = WAYS[way](loss(0.2, **options), given)(*others)
        except Exception:
            if torch.__version__ >= (2, 11):
                raise
            with pytest.raises(Exception):  # noqa: B017
                WAYS[way](own, given)(*others)
            pytest.skip("this version of PyTorch cannot record its own either")
        torch.testing.assert_close(found, own(*others), rtol=1e-5, atol=1e-6)


@KINDS
@EITHER
def test_others_are_recorded_too_and_transforms_differentiate(loss, kind):
    (z, y), _ = case((5, 6), kind)
    own = loss(0.2, spread="others")
    for way in (torch.jit.trace, exported, to_onnx):
        torch.testing.assert_close(way(own, (z, y))(z, y), own(z, y))
    options = {"weight": weights((5, 6))[1], "reduction": "none"}
    rows = loss(0.2, **options)
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=0.2, **options)
    z, y = z.double(), y.double() if y.is_floating_point() else y
    exact = torch.autograd.functional.jacobian(lambda x: theirs(x, y), z)
    for transform in (torch.func.jacrev, torch.func.jacfwd):
        torch.testing.assert_close(transform(rows)(z, y), exact)


@KINDS
@EITHER
def test_one_compiled_loss_serves_every_eps(loss, kind):
    from torch._dynamo.testing import CompileCounter  # counts the graphs

    def function(z, y, eps, weight):
        return loss(eps, weight=weight)(z, y)

    for shape in ((5, 6), (6,)):
        given, weight = case(shape, kind)[0], weights(shape)[1].float()
        torch._dynamo.reset()
        graphs = CompileCounter()
        compiled = torch.compile(function, fullgraph=True, backend=graphs)
        for eps in (0.1, 0.2, 0.3):
            found = compiled(*given, eps, weight)
            wanted = F.cross_entropy(*given, weight, label_smoothing=eps)
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0)
        assert graphs.frame_count <= 2


@KINDS
@EITHER
def test_tensors_without_memory_have_a_loss_without_memory(loss, kind):
    for shape in ((5, 6), (3, 6, 2), (6,)):
        (z, y), weight = case(shape, kind)[0], weights(shape)[1].float()
        wanted = F.cross_entropy(z, y, weight, reduction="none", label_smoothing=0.2)
        leaf = z.to("meta").requires_grad_()
        rows = loss(0.2, "none", weight=weight.to("meta"))(leaf, y.to("meta"))
        rows.sum().backward()
        for one, other in ((rows, wanted), (leaf.grad, z)):
            assert one.shape == other.shape and one.dtype == other.dtype
            assert one.device.type == "meta"


def test_mapped_a_label_out_of_range_is_nan():
    z, y = draw_logits((3, 4, 6)), torch.arange(12).reshape(3, 4) % 6
    y[1, 2] = 6
    for function in (label_smoothing_cross_entropy, FusedLabelSmoothingCrossEntropy()):
        rows = torch.func.vmap(function)(z, y)
        assert rows.isnan().tolist() == [False, True, False]


class OnCuda(torch.Tensor):
    device = property(lambda self: torch.device("cuda", 0))


def check_the_cuda_contract(to_cuda):
    z, y = map(to_cuda, (torch.randn(4, 6), torch.tensor([0, 6, -1, -100])))
    rows = label_smoothing_cross_entropy(z, y, reduction="none")
    assert rows.isnan().tolist() == [False, True, True, False] and rows[3] == 0
    clean = label_smoothing_cross_entropy(z[:1], y[:1])
    assert torch.allclose(rows[:1].mean(), clean)
    assert LabelSmoothingCrossEntropy()(z, y).isnan()
    no_distribution = to_cuda(torch.full((4, 6), 0.5))
    assert LabelSmoothingCrossEntropy()(z, no_distribution).isfinite()
    checking = LabelSmoothingCrossEntropy(check_targets=True)
    with pytest.raises(ValueError, match="^targets must sum to 1 in each row, got 3"):
        checking(z, no_distribution)
    with pytest.raises(IndexError, match=r"^targets must lie in 0 ... 5 .*, got 6\.$"):
        checking(z, y)
    assert checking(z[:1], y[:1]) == clean


def test_on_cuda_a_label_out_of_range_makes_its_row_nan(monkeypatch):
    check_the_cuda_contract(lambda tensor: tensor.clone().as_subclass(OnCuda))
    asked = []
    monkeypatch.setattr(losses, "_raise_out_of_range", lambda *a: asked.append(a))
    z, y = torch.zeros(1, 6), torch.tensor([0])
    label_smoothing_cross_entropy(z.as_subclass(OnCuda), y.as_subclass(OnCuda))
    assert not asked  # not even looked at: that would wait for the device
    label_smoothing_cross_entropy(z, y)
    assert asked


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_real_gpu_the_loss_is_the_same_and_nothing_waits_for_it():
    check_the_cuda_contract(lambda tensor: tensor.to("cuda"))
    z, y, weight = torch.randn(64, 6), torch.arange(64) % 6, torch.rand(6)
    y[::7] = -100
    wanted = label_smoothing_cross_entropy(z, y, weight=weight)
    z, y, weight = z.cuda().requires_grad_(), y.cuda(), weight.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = label_smoothing_cross_entropy(z, y, weight=weight)
        loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.allclose(loss.cpu(), wanted, rtol=1e-5)
