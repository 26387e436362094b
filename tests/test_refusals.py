"""What the package refuses: a call, the exception, and what its one sentence says.

A refusal stands here where the error would otherwise be silent.
"""

import functools
import re

import pytest
import torch

import lsr_utils as lsr
from lsr_utils import calibration as cal
from lsr_utils import check, datasets, fleet, models, sliders, stats, targets, training
from lsr_utils import geometry as geo
from lsr_utils.datasets import noise
from lsr_utils.fused import FusedLabelSmoothingCrossEntropy as Fused
from lsr_utils.losses import LabelSmoothingCrossEntropy as Loss
from lsr_utils.stats import paired_difference as paired

NAN = float("nan")
P = torch.full((4, 6), 1 / 6)  # probabilities of four rows
Y = torch.tensor([0, 1, 2, 3])
NO_SHARES = torch.tensor([[3.0, -1, -1]])
ONE_HOT = torch.eye(6)[:4]
ALMOST = torch.tensor([2**64 - 100], dtype=torch.uint64)  # its bits read as -100
SMOOTH = targets.smooth_targets
MIXED = functools.partial(targets.smooth_distribution, eps=0.1)
CLOUDS = datasets.gaussians(100)
MLP = functools.partial(models.build, "mlp", (2,), widths=(4,))
FIT = functools.partial(training.fit, MLP(), CLOUDS, steps=2, progress=False)
DRY = functools.partial(training.fit, torch.nn.Linear(2, 6), CLOUDS)
SIX = functools.partial(datasets.SixClass, CLOUDS.x, posterior=None, class_names=())
FLEET_OF = functools.partial(fleet.fit_fleet, MLP, steps=2, progress=False)
GROW = functools.partial(FLEET_OF, CLOUDS)
PLAIN = MLP()
PLAIN.body = PLAIN.body[:-1]  # without dropout
OF_PLAIN = functools.partial(fleet.fit_fleet, lambda seed: PLAIN, CLOUDS)
SEEDS, GROWING = [{"seed": 0}, {"seed": 1}], lambda seed: CLOUDS[: 12 + seed]
SEVEN = {"test": datasets.SixClass(P[:, :2], Y + 3, None, ())}
W = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))  # templates
H = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))  # features
Z = torch.arange(12) % 6  # their classes
SAME = torch.full((6, 5), 0.3)


def bars(key="a", height=1.0):
    return sliders.BarSliders({"ε": [0.1]}, lambda _: ([height], {}), {"ε": 0.1}, key)


def points(names="ab", **changes):
    frame = {"points": [[0, 1]], "groups": [0], "marks": [[1, 0]], "mark_groups": [1]}
    frame |= {"centre": [0, 0], "rays": [[1, 0]], "readout": {}} | changes
    controls, start = {"ε": [0.1]}, {"ε": 0.1}
    return sliders.PointSliders(controls, lambda _: frame, start, "a", names)


ROWS = [
    # check
    (lambda: check.real("0.1", "eps", "[0, 1]"), TypeError, "eps must be a number in"),
    (lambda: check.real(True, "eps", "[0, 1]"), TypeError, "got True"),
    (lambda: check.real(1.0, "dropout", "[0, 1)"), ValueError, "[0, 1), got 1.0"),
    # targets
    (lambda: targets.target_values(NAN, 6), ValueError, "eps must lie in [0, 1], got"),
    (lambda: MIXED([3.0, -1, -1]), ValueError, "(a softmax of logits does), got 3"),
    (lambda: targets.minimum_loss(0.1, 0), ValueError, "at least 1, got 0"),
    (lambda: targets.target_values(0.1, 1, "others"), ValueError, "at least 2 classes"),
    (lambda: SMOOTH([0], 2.5, 0.1), ValueError, "at least 1, got 2.5"),
    (lambda: targets.convert_eps(0.1, 6, "b"), ValueError, "'others', got 'b'"),
    (lambda: targets.convert_eps(0.9, 6, "all"), ValueError, "no counterpart: 1.0800"),
    (lambda: SMOOTH([6], 6, 0.1), IndexError, "0 ... 5, got 6"),
    (lambda: SMOOTH([0.5], 6, 0.1), TypeError, "got dtype torch.float"),
    (lambda: SMOOTH([True], 6, 0.1), TypeError, "got dtype torch.bool"),
    (lambda: SMOOTH([1], 6, 0.1, dtype=torch.int64), TypeError, "dtype must be floati"),
    # losses
    (lambda: Loss(NAN), ValueError, "eps must lie in [0, 1], got nan"),
    (lambda: Loss(torch.ones((), requires_grad=True)), TypeError, "eps must be a num"),
    (lambda: Loss(0.1, "avg"), ValueError, "'mean', 'sum' or 'none', got 'avg'"),
    (lambda: Loss(spread="rest"), ValueError, "'all' or 'others', got 'rest'"),
    (lambda: Loss(ignore_index=255.5), ValueError, "9223372036854775807, got 255.5"),
    (lambda: Loss(weight=torch.ones(6).long()), TypeError, "tensor, got torch.int64"),
    (lambda: Loss(weight=torch.ones(5))(P, Y), ValueError, "shape (6,), one factor"),
    (lambda: Loss(weight=torch.ones(1))(P, P), ValueError, "class, got (1,)"),
    (lambda: Loss()(P.long(), Y), TypeError, "logits must be a floating-point tensor"),
    (lambda: Loss()(P, Y > 0), TypeError, "floating point), got dtype torch.bool"),
    (lambda: Loss()(P, Y[:2]), ValueError, "are class indices and must have sh"),
    (lambda: Loss()(P, ONE_HOT.long()), ValueError, "not one-hot rows (make those flo"),
    (lambda: Loss()(P[:1, :3], NO_SHARES), ValueError, "of logits does), got 3"),
    (lambda: Loss()(P, Y.float()), ValueError, "are probabilities and must hav"),
    (lambda: Loss(ignore_index=0)(P, P), ValueError, "got ignore_index=0 with probabi"),
    (lambda: Loss()(P, 3 * ONE_HOT), ValueError, "lie in [0, 1] (a softmax of logits"),
    (lambda: Loss()(P, 0.9 * P), ValueError, "sum to 1 in each row, got 0.9000"),
    (lambda: Loss()(P, Y + 3), IndexError, "0 ... 5 or equal ignore_index, got 6"),
    (lambda: Loss()(P[:1], ALMOST), IndexError, "0 ... 5 or equal ignore_index, got"),
    # fused
    (lambda: Fused(scale=torch.ones((), requires_grad=True)), ValueError, "scale must"),
    (lambda: Fused(scale=1e300), ValueError, "that float32 can hold, got 1e+300"),
    (lambda: Fused()(P, 0.9 * P), ValueError, "sum to 1 in each row, got 0.9000"),
    (lambda: Fused()(P, Y - 1), IndexError, "0 ... 5 or equal ignore_index, got -1"),
    # datasets
    (lambda: datasets.shapes(9, ambiguous=1.5), ValueError, "lie in [0, 1], got 1.5"),
    (lambda: SIX(CLOUDS.y > 2), TypeError, "class indices, got dtype torch.bool"),
    (lambda: SIX(CLOUDS.y[:60]), ValueError, "one class for each row of x, got (60,)"),
    (lambda: SIX(CLOUDS.x.long() * 0), ValueError, "class for each row of x, got (100"),
    (lambda: datasets.split(CLOUDS, (60, 5)), ValueError, "at least 6, got 5"),
    (lambda: noise.pair_noise(0.1, [(1, 1)]), ValueError, "got (1, 1)"),
    (lambda: noise.corrupt(CLOUDS, 2 * torch.eye(6)), ValueError, "transition must li"),
    (lambda: noise.corrupt(CLOUDS, torch.eye(6) / 2), ValueError, "sum to 1 in each r"),
    # models, recorded, measure
    (lambda: lsr.measure.peak_bytes(int, "meta"), ValueError, "'cuda', got 'meta'"),
    # training
    (lambda: training.batches(9, 0, 1), ValueError, "1 to 9, got 0"),
    (lambda: FIT(eps=1.5), ValueError, "eps must lie in [0, 1], got 1.5"),
    (lambda: FIT(l1=NAN), ValueError, "l1 must lie in [0, inf), got nan"),
    (lambda: FIT(redrawn=1.5), ValueError, "redrawn must lie in [0, 1], got 1.5"),
    (lambda: FIT(dropout=1), ValueError, "dropout must lie in [0, 1), got 1"),
    (lambda: DRY(dropout=0.2), ValueError, "dropout is 0.2 for a network without mod"),
    # fleet
    (lambda: GROW([{}, {"eps": 1.5}]), ValueError, "grid, row 1: eps must lie in [0, "),
    (lambda: GROW([{"seed": 1.5}]), ValueError, "seed must be a whole number, 0 to 42"),
    (lambda: FLEET_OF(GROWING, SEEDS), ValueError, "in every arm, got [12, 13]"),
    (lambda: GROW([{}], batch_size=101), ValueError, "1 to 100, got 101"),
    (lambda: GROW([{"eps": 1}], loss=lambda z, y: z), ValueError, "not take eps"),
    (lambda: FLEET_OF(lambda **n: 0, [{}]), ValueError, "must name their columns, got"),
    (lambda: OF_PLAIN([{"dropout": 0.1}]), ValueError, "grid sets dropout for a netw"),
    (lambda: GROW([{}], evaluate=SEVEN), IndexError, "labels of test must lie in 0 .."),
    # stats
    (lambda: paired([1, 2], [1, 2, 3]), ValueError, "at least 2, got 2 and 3"),
    (lambda: paired([1, NAN], [1, 2]), ValueError, "treated must be finite, got nan"),
    (lambda: paired([1, 2], [2, 1], level=95), ValueError, "lie in (0, 1), got 95"),
    (lambda: paired([1, 2], [2, 4], test_share=0), ValueError, "(0, inf), got 0"),
    (lambda: stats.holm([0.2, 1.2]), ValueError, "must lie in [0, 1], got 1.2"),
    (lambda: stats.holm([0.2, NAN]), ValueError, "p_values must be finite, got nan"),
    # calibration
    (lambda: cal.nll(P / 2, Y), ValueError, "must sum to 1 in each row, got 0.5000"),
    (lambda: cal.nll(P, Y + 3), IndexError, "must lie in 0 ... 5, got 6"),
    (lambda: cal.true_calibration_error(P, P[:1]), ValueError, "got (1, 6)"),
    (lambda: cal.fit_temperature(P, Y), ValueError, "got probabilities"),
    (lambda: cal.with_temperature(P, 2), ValueError, "must come from before the soft"),
    (lambda: cal.with_temperature(9 * P, 0.0), ValueError, "one or (), got 0.0"),
    (lambda: cal.reliability_bins(P, Y, 0), ValueError, "n_bins must be a whole numbe"),
    (lambda: cal.ece_floor(P, draws=0), ValueError, "number, at least 1, got 0"),
    # Of no bin the largest distance would be 0.
    (lambda: cal.maximum_calibration_error(P, Y), ValueError, "1 to 4, got 10"),
    (lambda: cal.summary(P, Y), ValueError, "n_bins must be a whole number, 1 to 3"),
    (lambda: cal.unsmoothed(P, 1), ValueError, "eps must lie in [0, 0.999999], got 1"),
    (lambda: cal.unsmoothed(P, 0.1, least=0.2), ValueError, "must lie in [0, 0.16666"),
    # geometry
    (lambda: geo.template_plane(W, (-1, 0, 1)), ValueError, "triple must be a whole"),
    (lambda: models.build("mlp", (2,), num_classes=0), ValueError, "at least 1, got 0"),
    (lambda: noise.symmetric_noise(0.1, 0), ValueError, "at least 2, got 0"),
    (lambda: lsr.plots.reliability_diagram(P[None], Y), ValueError, "be (N, K) or a"),
    (lambda: geo.template_plane(W, (0, 1, 2), W[0, :1]), ValueError, "have width 6, g"),
    (lambda: geo.self_duality(W[:, :1], H, Z), ValueError, "weight must have width 5"),
    (lambda: geo.self_duality(0 * W, H, Z), ValueError, "templates and class means"),
    (lambda: geo.self_duality(SAME, H, Z, True), ValueError, "templates and class me"),
    (lambda: geo.other_templates(SAME, H, Z), ValueError, "templates must differ, got"),
    (lambda: geo.scatter(H, Z[:1]), ValueError, "(..., N, K), here (12, 6), got (1,)"),
    (lambda: geo.cosines(SAME), ValueError, "vectors must differ from their mean"),
    (lambda: geo.cosines(0 * W), ValueError, "vectors must differ from their mean"),
    # sliders
    (lambda: bars(key="a b"), ValueError, "letters, digits, - or _, got 'a b'"),
    (lambda: bars(height=NAN), ValueError, "frame must give finite bars, got [nan]"),
    (lambda: points(points=[[NAN, 0]]), ValueError, "must give finite points, got {}"),
    (lambda: points(groups=[2]), ValueError, "must give named groups, got 2"),
    # notebook
    (lambda: lsr.show(None, alt="  "), ValueError, "alt must describe the figure, got"),
    (lambda: lsr.claim("01-1", "a", NAN), TypeError, "one bool in claim 01-1, got nan"),
    (lambda: lsr.claim("01-1", "a", Y > 0), TypeError, "got [False, True, True, True]"),
    (lambda: lsr.claim("a", "01-1", True), TypeError, "an id like '01-4', a sentence"),
    (lambda: lsr.claim("01-1", "a", True, ""), ValueError, "'harm' or 'rival', got ''"),
]


@pytest.mark.parametrize(("call", "kind", "says"), ROWS)
def test_refused_in_one_sentence(call, kind, says):
    with pytest.raises(kind, match=re.escape(says)) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.rstrip().endswith((".", ")"))
