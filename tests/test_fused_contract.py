"""The readable loss's own tests, with the fused loss in its place.

Every test of ``test_losses*`` is collected here once more and runs with each way in
which the fused loss can work on a CPU: compiled, by torch operations, and with two
numbers a row kept instead of the gradient. ``test_fused_kernel`` runs this file in a
process of its own with the Triton kernel, by Triton's interpreter.
"""

import os

import pytest
import test_fused_edges
import test_losses
import test_losses_contract
import test_losses_edges
import test_losses_input
import test_losses_transforms
from test_losses import *  # noqa: F403
from test_losses_contract import *  # noqa: F403
from test_losses_edges import *  # noqa: F403
from test_losses_input import *  # noqa: F403
from test_losses_transforms import *  # noqa: F403

from lsr_utils import fused, losses
from lsr_utils.fused import cpu, cuda

MODULES = (
    test_losses_contract, test_losses_edges, test_losses_input, test_losses_transforms
)  # fmt: skip
KERNEL = "LSR_TEST_KERNEL" in os.environ
WAYS = ["kernel"] if KERNEL else ["compiled", "torch", "recomputed"]

# What only the readable loss does; test_fused_edges has the counterparts.
NOT_HERE = {
    "test_first_and_second_derivatives_are_right",  # second ones are refused
    "test_it_says_what_it_is",  # it has another name
    "test_its_arguments_can_be_read_and_no_others_are_taken",  # it has more
    "test_on_cuda_a_label_out_of_range_makes_its_row_nan",  # watches the readable one
}
for name in NOT_HERE:
    del globals()[name]


@pytest.fixture(autouse=True, scope="module", params=WAYS)
def way(request):
    """Put the fused loss where the tests find the readable one."""
    recompute = "recomputed" in request.param or None

    class Fused(fused.FusedLabelSmoothingCrossEntropy):
        def __init__(self, *args, **options):
            super().__init__(*args, recompute=recompute, **options)

    def function(*args, **options):
        return fused.fused_label_smoothing_cross_entropy(
            *args, recompute=recompute, **options
        )

    with pytest.MonkeyPatch.context() as patch:
        if KERNEL:
            patch.setattr(fused, "cpu", cuda)
        elif request.param == "torch":
            patch.setattr(cpu, "_library", lambda: None)
        elif request.param == "compiled":
            test_fused_edges.needs_compiled()
        Fused.__module__, Fused.__qualname__ = __name__, "Fused"
        patch.setitem(globals(), "Fused", Fused)  # pickle finds it by its name
        for module in MODULES:
            if hasattr(module, "LabelSmoothingCrossEntropy"):
                patch.setattr(module, "LabelSmoothingCrossEntropy", Fused)
            if hasattr(module, "label_smoothing_cross_entropy"):
                patch.setattr(module, "label_smoothing_cross_entropy", function)
        yield request.param


@pytest.fixture
def loss_fn():
    return test_losses_edges.label_smoothing_cross_entropy


@pytest.fixture
def sharded_loss_fn():
    def whole(shards, targets, eps=0.1):
        return test_losses_edges.label_smoothing_cross_entropy(
            torch.cat(shards, 1),  # noqa: F405
            targets,
            eps,
        )

    return whole


def test_every_test_of_the_readable_loss_is_here():
    for module in (test_losses, *MODULES):
        missing = {n for n in vars(module) if n.startswith("test_")} - set(globals())
        assert missing <= NOT_HERE


def test_it_is_the_fused_loss_that_answers(monkeypatch):
    asked = []
    monkeypatch.setattr(losses, "_rows_from_indices", lambda *a: asked.append(a))
    z = torch.zeros(3, 6, requires_grad=True)  # noqa: F405
    loss_fn = test_losses_edges.LabelSmoothingCrossEntropy()
    loss_fn(z, torch.tensor([0, 5, 2])).backward()  # noqa: F405
    assert not asked and z.grad is not None
