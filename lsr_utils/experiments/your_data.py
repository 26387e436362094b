"""Gap, diagram, price, advice for the logits of any K classes. Taught in 09."""

import textwrap

import matplotlib.pyplot as plt
import seaborn as sns

from .. import calibration, check, style, targets, training
from ..plots.reliability import CHANCE, INK, draw_diagram


def measured(logits, labels):
    """Of logits (N, K), labels (N,): over, half, price in points, T, ...: a dict."""
    z = check.finite(logits, "logits").cpu()
    y, p = check.labels(labels, z), z.softmax(-1)
    by_chance = (p.amax(-1) * (1 - p.amax(-1))).mean() / len(y)  # variance of conf−acc
    above = max(0, calibration.accuracy(p, y).item() - 1 / p.shape[1])
    return {
        "y": y, "p": p, "gap": training.logit_gap(z, y),
        "nll": -z.log_softmax(1)[range(len(y)), y],
        "T": calibration.fit_temperature(z, y).item(),
        "over": 100 * calibration.confidence_gap(p, y).item(),
        "half": 196 * by_chance.sqrt().item(),
        "price": {e: 100 * e * above for e in (0.05, 0.1)},
    }  # fmt: skip


def advice(m, other=None):
    """The steps of lecture 08, as far as ``measured`` carries them: sentences."""
    over, half, (small, large) = m["over"], m["half"], m["price"].values()
    eps = "ε = 0, 0.05 and 0.1" if over > large / 2 else "ε = 0 and 0.05"
    found = f"Too sure by {over:.1f} points: try {eps}, in five pairs."
    if abs(over) <= half:
        found = f"conf − acc is within chance, ±{half:.1f} points: ε = 0."
    elif over <= small / 2:
        found = "Too modest, or smoothing would make it so: ε = 0."
    said = ["Stop early, with weight decay.", found]
    if other:
        d = other["nll"] - m["nll"]
        ends = f"{d.mean():+.2f} ± {1.96 * d.std() / len(d) ** 0.5:.2f}"
        said += [f"NLL, second less first: {ends}".replace("-", "−") + ", one pair."]
    said += [f"Then a temperature ({m['T']:.2f} on these rows): fit it on others."]
    said += ["Ranked, refused, shifted, masked, a teacher? Check that first."]
    return [*said, f"{half:.1f} points may be chance: {len(m['y'])} rows, one seed."]


def panels(logits, labels, smoothed=None):
    """Four panels; smoothed: of a second network on the same rows. A Figure."""
    m, *others = (measured(z, labels) for z in (logits, smoothed) if z is not None)
    figure, ((gap, diagram), (price, words)) = plt.subplots(2, 2, figsize=(9.0, 5.0))
    sns.histplot(x=m["gap"], stat="percent", color=CHANCE, lw=0, ax=gap)
    marks = [("now", m["over"], "o", INK)]
    for e, points in m["price"].items():
        asked, color = targets.optimal_gap(e, m["p"].shape[1]), style.EPS_COLORS[e]
        gap.axvline(asked, color=color, label=f"ε = {e:g} asks for {asked:.1f}")
        marks += [(f"ε = {e:g}: at most", m["over"] - points, "<", color)]
    price.axvspan(-m["half"], m["half"], color=CHANCE)
    marks += [
        ("the second", other["over"], "s", style.CLASS_COLORS[0]) for other in others
    ]
    for name, at, marker, color in marks:
        price.plot(at, name, marker, ms=10, color=color)
    draw_diagram(diagram, m["p"], m["y"], n_bins=10)
    gap.set(title=f"Gap: {m['gap'].mean():.1f} on average", xlabel="logit gap")
    gap.set(ylabel="rows (%)", ylim=(0, 1.4 * gap.get_ylim()[1]))
    diagram.set(title="Diagram", xlabel="confidence", ylabel="accuracy")
    diagram.set(xlim=(0, 1), ylim=(0, 1.35), yticks=[0, 0.5, 1])
    price.set(title="Price", xlabel="conf − acc (points); grey: chance alone")
    price.invert_yaxis()
    said = (textwrap.fill(f"• {line}", 42) for line in advice(m, *others))
    words.text(0, 1, "\n".join(said), va="top")
    words.set_title("Advice")
    words.set_axis_off()
    gap.legend(frameon=True, edgecolor="none", framealpha=1)
    return figure
