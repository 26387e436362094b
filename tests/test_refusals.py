"""What the package refuses, in one table: a call, and the sentence that it ends in.

A refusal stands here where the error would otherwise be silent. Each row is a function
without arguments, the kind of exception, and what its message says: the argument, its
value, what is allowed.
"""

import re

import pytest
import torch

from lsr_utils import check, targets
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused
from lsr_utils.losses import LabelSmoothingCrossEntropy as Loss

NAN = float("nan")
P = torch.full((4, 6), 1 / 6)  # probabilities of four rows
Y = torch.tensor([0, 1, 2, 3])
ONE_HOT = torch.eye(6)[:4]

CHECK = [
    (lambda: check.real("0.1", "eps", "[0, 1]"), TypeError, "eps must be a number in"),
    (lambda: check.real(True, "eps", "[0, 1]"), TypeError, "got True"),
    (lambda: check.real(NAN, "eps", "[0, 1]"), ValueError, "[0, 1], got nan"),
    (lambda: check.real(1.0, "dropout", "[0, 1)"), ValueError, "[0, 1), got 1.0"),
    (lambda: check.whole(2.5, "n_bins", 1), ValueError, "at least 1, got 2.5"),
    (lambda: check.whole(True, "n_bins", 1), ValueError, "at least 1, got True"),
    (lambda: check.seed(2**32), ValueError, "0 to 4294967295, got 4294967296"),
    (lambda: check.one_of("al", "spread", ("all", "others")), ValueError, "got 'al'"),
]
TARGETS = [
    (lambda: targets.target_values(NAN, 6), ValueError, "eps must lie in [0, 1], got"),
    (lambda: targets.minimum_loss(-0.5, 6), ValueError, "[0, 1], got -0.5"),
    (lambda: targets.optimal_gap(10**400, 6), ValueError, "[0, 1], got 1000"),
    (lambda: targets.smooth_distribution(P, 1.01), ValueError, "[0, 1], got 1.01"),
    (lambda: targets.smooth_distribution(P, 0.1, "b"), ValueError, "'others', got 'b'"),
    (lambda: targets.target_values(0.1, 1, "others"), ValueError, "at least 2 classes"),
    (lambda: targets.optimal_gap(0.1, 1), ValueError, "number, at least 2, got 1"),
    (lambda: targets.smooth_targets([0], 2.5, 0.1), ValueError, "at least 1, got 2.5"),
    (lambda: targets.convert_eps(0.1, 6, "b"), ValueError, "'others', got 'b'"),
    (
        lambda: targets.convert_eps(0.9, 6, "all"),
        ValueError,
        "is 1.0800 of all, over 1",
    ),
    (lambda: targets.smooth_targets([6], 6, 0.1), IndexError, "0 ... 5, got 6"),
    (lambda: targets.smooth_targets([-1], 6, 0.1), IndexError, "0 ... 5, got -1"),
    (lambda: targets.smooth_targets([0.5], 6, 0.1), TypeError, "got dtype torch.float"),
    (lambda: targets.smooth_targets([True], 6, 0.1), TypeError, "got dtype torch.bool"),
    (
        lambda: targets.smooth_targets([1], 6, 0.1, dtype=torch.int64),
        TypeError,
        "dtype must be floating point, got torch.int64",
    ),
]
LOSSES = [
    (lambda: Loss(NAN), ValueError, "eps must lie in [0, 1], got nan"),
    (lambda: Loss(1.5), ValueError, "eps must lie in [0, 1], got 1.5"),
    (lambda: Loss(torch.tensor(True)), TypeError, "eps must be a number in [0, 1]"),
    (lambda: Loss(torch.ones((), requires_grad=True)), TypeError, "eps must be a num"),
    (lambda: Loss(0.1, "avg"), ValueError, "'mean', 'sum' or 'none', got 'avg'"),
    (lambda: Loss(spread="rest"), ValueError, "'all' or 'others', got 'rest'"),
    (lambda: Loss(ignore_index=2**70), ValueError, "ignore_index must be a whole"),
    (lambda: Loss(ignore_index=255.5), ValueError, "9223372036854775807, got 255.5"),
    (lambda: Loss(weight=[1.0] * 6), TypeError, "weight must be a floating-point"),
    (lambda: Loss(weight=torch.ones(6).long()), TypeError, "tensor, got torch.int64"),
    (lambda: Loss(weight=torch.ones(2, 3)), ValueError, "shape (K,), one factor a cla"),
    (lambda: Loss(weight=torch.ones(5))(P, Y), ValueError, "shape (6,), one factor"),
    (lambda: Loss(weight=torch.ones(1))(P, P), ValueError, "class, got (1,)"),
    (lambda: Loss(spread="others")(P[:, :1], Y * 0), ValueError, "at least 2 classes"),
    (lambda: Loss()(P.long(), Y), TypeError, "logits must be a floating-point tensor"),
    (lambda: Loss()(P.cfloat(), Y), TypeError, "got torch.complex64"),
    (lambda: Loss()(P[:, :0], Y), ValueError, "with K at least 1, got (4, 0)"),
    (lambda: Loss()(P, Y.tolist()), TypeError, "targets must be a tensor, got <class"),
    (lambda: Loss()(P, Y > 0), TypeError, "floating point), got dtype torch.bool"),
    (lambda: Loss()(P, Y[:2]), ValueError, "are class indices and must have sh"),
    (lambda: Loss()(P, Y[:, None]), ValueError, "(4, 6), got (4, 1)"),
    (lambda: Loss()(P, Y.float()), ValueError, "are probabilities and must hav"),
    (lambda: Loss()(P, Y.to("meta")), ValueError, "on one device, got cpu and meta"),
    (lambda: Loss(ignore_index=0)(P, P), ValueError, "got ignore_index=0 with probabi"),
    (lambda: Loss()(P, 3 * ONE_HOT), ValueError, "lie in [0, 1] (a softmax of logits"),
    (lambda: Loss()(P, ONE_HOT - P), ValueError, "lie in [0, 1] (a softmax of logits"),
    (lambda: Loss()(P, NAN * P), ValueError, "a softmax of logits does), got nan"),
    (lambda: Loss()(P, 0.9 * P), ValueError, "sum to 1 in each row, got 0.9000"),
    (lambda: Loss()(P, Y + 3), IndexError, "0 ... 5 or equal ignore_index, got 6"),
    (  # its bits would read as -100
        lambda: Loss()(P[:1], torch.tensor([2**64 - 100], dtype=torch.uint64)),
        IndexError,
        "0 ... 5 or equal ignore_index, got",
    ),
]
FUSED = [
    (lambda: Fused(scale=0.0), ValueError, "scale must be a number other than 0 that"),
    (lambda: Fused(scale=1e300), ValueError, "that float32 can hold, got 1e+300"),
    (lambda: Fused(scale=NAN), ValueError, "that float32 can hold, got nan"),
    (lambda: Fused(eps=1.5), ValueError, "eps must lie in [0, 1], got 1.5"),
    (lambda: Fused()(P, 0.9 * P), ValueError, "sum to 1 in each row, got 0.9000"),
    (lambda: Fused()(P, Y - 1), IndexError, "0 ... 5 or equal ignore_index, got -1"),
    (lambda: Fused()(P, Y.to("meta")), ValueError, "one device, got cpu and meta"),
]
DATASETS = []
MODELS = []
TRAINING = []
FLEET = []
STATS = []
CALIBRATION = []
GEOMETRY = []
PLOTS = []
SLIDERS = []
NOTEBOOK = []

ROWS = [
    pytest.param(*row, id=f"{part}: {row[2]}")
    for part, rows in sorted(globals().items())
    if part.isupper() and isinstance(rows, list) and part != "ROWS"
    for row in rows
]


@pytest.mark.parametrize(("call", "kind", "says"), ROWS)
def test_refused_in_one_sentence(call, kind, says):
    with pytest.raises(kind, match=re.escape(says)) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.rstrip().endswith((".", ")"))
