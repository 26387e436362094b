"""The readable loss's own tests, with the fused loss in its place.

Each runs with every way in which the fused loss can work on a CPU: compiled, by torch
operations, and with two numbers a row kept instead of the gradient. Where Triton is,
``test_fused_kernel`` runs this file with the kernel, by Triton's interpreter.
"""

import os

import pytest
import test_fused_edges
import test_losses_contract as contract
import torch
from test_losses import *  # noqa: F403
from test_losses_contract import *  # noqa: F403

from lsr_utils import fused, losses
from lsr_utils.fused import cpu, cuda

KERNEL = "LSR_TEST_KERNEL" in os.environ
WAYS = ["kernel"] if KERNEL else ["compiled", "torch", "recomputed"]


@pytest.fixture(autouse=True, scope="module", params=WAYS)
def way(request):
    recompute = "recomputed" in request.param or None

    class Fused(fused.FusedLabelSmoothingCrossEntropy):
        def __init__(self, *args, **options):
            super().__init__(*args, recompute=recompute, **options)

    def function(logits, targets, *args, **options):
        return Fused(*args, **options)(logits, targets)

    with pytest.MonkeyPatch.context() as patch:
        if KERNEL:
            patch.setattr(fused, "cpu", cuda)
        elif request.param == "torch":
            patch.setattr(cpu, "_library", lambda: None)
        elif request.param == "compiled":
            test_fused_edges.needs_compiled()
        Fused.__module__, Fused.__qualname__ = __name__, "Fused"
        patch.setitem(globals(), "Fused", Fused)  # pickle finds it by its name
        patch.setattr(contract, "LabelSmoothingCrossEntropy", Fused)
        patch.setattr(contract, "label_smoothing_cross_entropy", function)
        yield request.param


@pytest.fixture
def loss_fn():
    return contract.label_smoothing_cross_entropy


def test_it_is_the_fused_loss_that_answers(monkeypatch, loss_fn):
    asked = []
    monkeypatch.setattr(losses, "_rows_from_indices", lambda *a: asked.append(a))
    z = torch.zeros(3, 6, requires_grad=True)
    loss_fn(z, torch.tensor([0, 5, 2])).backward()
    assert not asked and z.grad is not None
