"""What is tried on the pretended device: calls of the package, with data anywhere.

Each call takes ``at``, which puts a tensor somewhere, ``by``, which puts its partners
somewhere else in a mixed run, and returns tensors, arrays or numbers.
"""

import numpy as np

import lsr_utils as lsr
from lsr_utils import calibration as cal
from lsr_utils import datasets, plots, stats, targets
from lsr_utils import geometry as geo
from lsr_utils.experiments import your_data

torch = lsr.training.torch
EXACT = torch.float64
READABLE = lsr.losses.label_smoothing_cross_entropy
FUSED = lsr.fused.fused_label_smoothing_cross_entropy


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=EXACT, device="cpu")


LOGITS, LABELS = 3 * drawn(40, 6), (drawn(40, 6, seed=1)).argmax(1)
P = LOGITS.softmax(1)
FEATURES, WEIGHT = drawn(40, 5, seed=2), drawn(6, 5, seed=3)
WEIGHTS = drawn(6, seed=6).exp()
FLEET = drawn(3, 40, 6, seed=4)
MEASURES = [
    *(cal.accuracy, cal.nll, cal.brier_score, cal.brier_decomposition),
    *(cal.expected_calibration_error, cal.debiased_squared_error, cal.confidence_gap),
]
FEW = {"steps": 4, "batch_size": 20, "progress": False}
SHAPES = geo.scatter, geo.class_means, geo.class_separation, geo.nc1


def _loss(make, probabilities=False, weighted=False, **options):
    def call(at, by):
        leaf = at(LOGITS).requires_grad_()
        wanted = by(P.flip(0) if probabilities else LABELS)
        weight = by(WEIGHTS) if weighted else None
        loss = make(leaf, wanted, 0.1, weight=weight, **options)
        loss.sum().backward()
        return loss, leaf.grad

    return call


def _of_labels(function, rows):
    return lambda at, by: function(at(rows), by(LABELS))


def _data(at, n=60):
    return datasets.gaussians(n, seed=0).to(at(torch.zeros(1)).device)


def _build(seed):
    return lsr.models.build("mlp", (2,), seed=seed)


def _fit(at, by):
    model = _build(0).to(at(torch.zeros(1)).device)
    data = _data(at)
    more = {"dropout": 0.0, "redrawn": 0.2, "eps": 0.1, "validation": data}
    found = lsr.training.fit(model, data, **FEW, **more)
    return found[["loss", "accuracy"]].to_numpy()


def _fleet(at, by):
    table = lsr.fleet.grid(seed=range(2), eps=[0.0, 0.1], redrawn=0.1)
    test = {"test": _data(at, 30)}
    fleet = lsr.fleet.fit_fleet(_build, _data(at), table, evaluate=test, **FEW)
    features = fleet.features("test")
    return fleet.logits("test"), features, fleet.table("train")["loss"].to_numpy()


def _noise(at, by):
    noisy = datasets.noise.corrupt(_data(at), by(datasets.noise.symmetric_noise(0.3)))
    return noisy.y, noisy.posterior


def _plane(at, by):
    plane = geo.template_plane(at(WEIGHT), (0, 2, 5), by(drawn(6, seed=5)))
    return plane.project(by(FEATURES)), plane.templates, plane.centre


def _figure(at, by):
    plane = geo.template_plane(at(WEIGHT), (0, 1, 2))
    spots = {"a": {0.1: by(plane.project(at(FEATURES)))}}
    names = list("abcdef")
    labels = {"a": {0.1: by(LABELS)}}
    plots.template_plane({0.1: plane}, spots, labels, {0.1: "title"}, names)
    plots.image_grid(at(drawn(4, 1, 8, 8)), ["1", "2", "3", "4"])
    plots.reliability_diagram({"a": at(P)}, by(LABELS), posterior=by(P), resamples=10)
    return ()


CALLS = {
    "loss": _loss(READABLE),
    "loss, probabilities": _loss(READABLE, True),
    "loss, weights": _loss(READABLE, weighted=True),
    "loss, none": _loss(READABLE, reduction="none"),
    "fused": _loss(FUSED),
    "fused, weights": _loss(FUSED, weighted=True),
    "smooth_targets": lambda at, by: targets.smooth_targets(at(LABELS), 6, 0.1),
    "smooth_distribution": lambda at, by: targets.smooth_distribution(at(P), 0.1),
    "logit_gap": lambda at, by: lsr.training.logit_gap(at(LOGITS), by(LABELS)),
    "models": lambda at, by: _build(1).to(at(P).device)(_data(at).x),
    "fit": _fit,
    "fit_fleet": _fleet,
    "corrupt": _noise,
    "split": lambda at, by: [part.y for part in datasets.split(_data(at), (20, 30))],
    **{f.__name__: _of_labels(f, P) for f in MEASURES},
    **{f.__name__: _of_labels(f, FEATURES) for f in SHAPES},
    "true ece": lambda at, by: cal.true_calibration_error(at(P), by(P.flip(1))),
    "mce": lambda at, by: cal.maximum_calibration_error(at(P), by(LABELS), 4),
    "bins": lambda at, by: cal.reliability_bins(at(P), by(LABELS), 5, "quantile"),
    "chance": lambda at, by: cal.ece_floor(at(P), draws=20),
    "band": lambda at, by: cal.consistency_band(at(P), 5, resamples=20),
    "temperature": lambda at, by: cal.fit_temperature(at(FLEET), by(LABELS)),
    "tempered": lambda at, by: cal.with_temperature(at(LOGITS), by(P[0, 0] + 1)),
    "unsmoothed": lambda at, by: cal.unsmoothed(at(0.9 * P + 0.1 / 6), 0.1),
    "posterior": lambda at, by: datasets.gaussians_posterior(at(P[:, :2])),
    "summary": lambda at, by: cal.summary(at(P), by(LABELS), 5, resamples=9),
    "own data": lambda at, by: your_data.measured(at(LOGITS), by(LABELS))["gap"],
    "angles": lambda at, by: geo.equal_angles(at(WEIGHT)),
    "duality": lambda at, by: geo.self_duality(at(WEIGHT), by(FEATURES), by(LABELS)),
    "template_plane": _plane,
    "paired_difference": lambda at, by: [
        getattr(stats.paired_difference(at(P[:, 0]), by(P[:, 1])), name)
        for name in ("mean", "low", "high")
    ],
    "holm": lambda at, by: stats.holm(at(P[0])),
    "figures": _figure,
}


def values(result):
    """What a call returned as arrays of the CPU, however it is nested."""
    if isinstance(result, torch.Tensor):
        return [result.detach().cpu().numpy()]
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in values(part)]
    return [] if result is None else [np.asarray(result)]
