"""Checkers: right answers pass, open ones are told apart, nothing ever raises."""

import itertools
import math
import pathlib
import re
import sys
import urllib.parse
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from contract import prose_cells
from exercise_files import answers, exercise_paths, fill_ins
from notebook_files import ROOT, by_number, read
from scipy import stats

from lsr_utils.exercises import EXERCISES, check, engine, verdict

every_exercise = pytest.mark.parametrize("name", EXERCISES)


@pytest.fixture(scope="module")
def given():
    """What the notebooks hand to ``check``: {"solutions": {name: answer}, ...}."""
    found = fill_ins()
    for kind in found:
        for path in exercise_paths(kind):
            found[kind] |= answers(path)
    return found


def wants_function(name):
    return hasattr(EXERCISES[name], "cases")


@every_exercise
def test_the_solution_is_right_and_the_stub_not_done(name, given, capsys):
    check(name, given["solutions"][name])
    assert capsys.readouterr().out.startswith(f"✓ Exercise {name}: right: ")
    for value in (given["exercises"][name], None, ..., [None], (1.0, ...)):
        assert verdict(name, value) == f"○ Exercise {name}: nothing written yet."
    if wants_function(name):
        assert "; is a `return` missing?" in verdict(name, lambda *_: None)


@every_exercise
def test_every_misconception_is_told_apart_and_says_where_it_is_answered(name):
    exercise = EXERCISES[name]
    said = engine.sentences(exercise)
    assert list(said) == ["right", *engine.misconceptions(exercise)]
    assert len(set(said.values())) == len(said)
    asked = name.split()[0] if "-" in name else name  # an exercise of several parts
    parts = [other for other in EXERCISES if other.split()[0] == asked] or [name]
    planted = [part for part, *_ in PLANTED if part in parts]
    own = [key for part in parts for key in engine.misconceptions(EXERCISES[part])]
    assert len(own) + len(planted) >= 3
    for key, wrong in engine.misconceptions(exercise).items():
        ((number, section),) = re.findall(r"\((\d\d[a-z]?)\.(\d+)\)", said[key])
        prose = "\n".join(cell.source for cell in prose_cells(by_number(number)))
        assert f"\n## {section}. " in prose
        if not isinstance(wrong, engine.sign):
            sentence = said[key].replace(
                f"{number}.{section}", f"{number}, section {section}"
            )
            line, *shown = verdict(name, wrong).splitlines()
            assert line == f"✗ Exercise {name}: not yet: {sentence}"
            assert [row[:8] for row in shown if wants_function(name)][1:] in (
                [],
                ["- given:", "- came: ", "- wanted"],
            )


def converted(value, convert):
    if isinstance(value, tuple):
        return tuple(converted(part, convert) for part in value)
    return value if isinstance(value, str) else convert(torch.as_tensor(value).detach())


CLOTHES = {
    "with a gradient": lambda v: v.double().requires_grad_(),
    "numpy": np.asarray,
    "float32": torch.Tensor.float,
    "pandas": lambda v: pd.Series(v.numpy()) if v.ndim == 1 else v.tolist(),
    "list of tensors": lambda v: list(v) if v.ndim else v,
    "one element": torch.atleast_1d,
}


@every_exercise
def test_a_right_answer_passes_whatever_its_type(name, given):
    right = given["solutions"][name]
    for clothes, convert in CLOTHES.items():

        def answer(*case, convert=convert):
            return converted(right(*case) if case else right, convert)

        line = verdict(name, answer if wants_function(name) else answer())
        assert line.startswith(f"✓ Exercise {name}: right: "), clothes
    if isinstance(right, float):
        assert "take the quotation marks away" in verdict(name, repr(right))


class Evil:
    """Raises at every touch."""

    def _raise(self, *_, **__):
        raise RuntimeError("touched")

    __bool__ = __eq__ = __float__ = __len__ = __iter__ = __repr__ = __str__ = _raise
    __getattr__ = __array__ = __hash__ = __index__ = _raise


class EvilError(Exception):
    __str__ = Evil._raise


def recursion(*_):
    return recursion()


LOOP = []
LOOP.append(LOOP)
VALUES = [
    "abc", math.nan, True, 10**400, Evil(), [Evil()] * 4, itertools.count(), LOOP,
    [0.0] * 1_000_000, torch.zeros(1).expand(10**6, 10**6),
    np.broadcast_to(0.0, (10**6, 10**6)), torch.ones(3, dtype=torch.bfloat16),
    torch.ones(4, dtype=torch.complex64), torch.empty(4, device="meta"),
    np.array([None, "a"], dtype=object),
]  # fmt: skip
FUNCTIONS = [
    lambda *_: (_ for _ in ()).throw(EvilError()),
    lambda *_: sys.exit(3),
    recursion,
    lambda: 1,
    lambda *case: [a.resize_(0) for a in case if torch.is_tensor(a)],
    lambda *_: (yield 1),
    lambda *case: case,
    torch.nn.Linear(2, 2),
]


@every_exercise
def test_nothing_raises_and_nothing_wrong_passes(name):
    returned = [lambda *_, value=value: value for value in VALUES]
    answers = VALUES + FUNCTIONS + (returned if wants_function(name) else [])
    for number, answer in enumerate(answers):
        said = verdict(name, answer)
        assert said.startswith(f"✗ Exercise {name}: not yet: "), number
        assert said.count("\n") <= 4 and len(said) < 900, number


def test_an_unknown_exercise_is_answered_with_those_that_exist():
    for name in ("99-9", "", None, 3, [], Evil(), "01-2"):
        assert "They are 00-1, " in verdict(name, 1.0)


def test_ctrl_c_stops_a_function_and_writing_into_arguments_is_caught(given):
    with pytest.raises(KeyboardInterrupt):
        verdict("01-1", Mock(side_effect=KeyboardInterrupt))

    def writes(z, *rest):
        result = given["solutions"]["02-1 loss"](z, *rest)
        z.mul_(2)
        return result

    assert "changes its arguments" in verdict("02-1 loss", writes)


# Wrong answers, as a reader would write them ------------------------------------------


def times_nan(z, y, eps, upstream=None):
    live, k = y != -100, z.shape[1]
    q = (1 - eps) * F.one_hot(y.clamp(min=0), k) + eps / k
    per_row = live / live.sum() if upstream is None else upstream * live
    return (z.softmax(1) - q) * per_row[:, None]


def right_of(name):
    return EXERCISES[name].right


def smoothed(z, y, allowed, eps):
    z = torch.where(allowed, z, -math.inf)
    return F.cross_entropy(z, y, label_smoothing=eps, reduction="none")


def times_inf(z, y, allowed, eps):
    q = eps * allowed / allowed.sum(1, keepdim=True) + (1 - eps) * F.one_hot(y, 6)
    return -(q * torch.where(allowed, z, -math.inf).log_softmax(1)).sum(1)


def nll_in_full(z, y, eps, how):
    log_p = z.log_softmax(1)
    return F.nll_loss(log_p, y, reduction=how) - eps * log_p.mean()


def bare(z, y, eps, how):
    rows = -(1 - eps) * z.gather(1, y[:, None]).squeeze(1) - eps * z.mean(1)
    return {"mean": rows.mean(), "sum": rows.sum(), "none": rows}[how]


def against_torch(loss, z, y):
    torchs = F.cross_entropy(z, y, label_smoothing=0.1, reduction="none")
    return (loss(z, y, "none") - torchs).abs().max()


def weighted_means(parts, eps):
    counts = torch.tensor([(y != -100).sum() for _, y in parts])
    means = [F.cross_entropy(*part, label_smoothing=eps) for part in parts]
    return (torch.stack(means) * counts).sum() / counts.sum()


def gaps(confidence, correct, bins):
    bins = stats.binned_statistic(
        1 - confidence, [confidence, correct], bins=bins, range=(0, 1)
    )
    return bins.statistic[1] - bins.statistic[0]


def merged(a, b):
    m = max(a[0], b[0])
    s = sum(x[1] * np.exp(np.subtract(x[0], m)) for x in (a, b))
    t = sum(x[2] + x[3] * np.subtract(x[0], m) for x in (a, b))
    return m, s, t, a[3] + b[3]


def mean_of_means(z, y, eps, rows, mean=torch.nanmean):
    chunks = zip(z.split(rows), y.split(rows), strict=True)
    found = [F.cross_entropy(*chunk, label_smoothing=eps) for chunk in chunks]
    return mean(torch.stack(found))


PLANTED = [
    ("00-1", "B", "nothing is drawn at random"),
    ("00-2", 0, "this is not it"),
    ("00-3", [5, 4, 6, 8], "another order"),
    ("00-3", (4, 6, 5, 3), "whether accuracy rises"),
    ("00-3", [8, 6, 3, 4], "features of a class"),
    ("00-3", [7, 8, 5, 4], "how a confidence is measured"),
    ("01 row", torch.full((6,), 1 / 6), "this is not it"),
    ("01 row", [0.1, 0.1, 0.9, 0.1, 0.1, 0.1], "more than 1"),
    ("01 gap", 0.9167 / 0.0167, "ratio of the two"),
    ("01-1", lambda eps, k: eps - eps / k, "the way back"),
    (
        "01-1",
        lambda eps, k: eps * k,
        "`eps = 0.1, k = 6` (2 of 3 other cases are right)",
    ),
    ("01-2 row", [0.05, 0.05, 0.8, 0.05], "not a distribution"),
    ("01-2 floor", 0.138, "the term of the true class"),
    ("01-3 excess", [0.029, -0.371], "one floor away from both"),
    ("01-3 gaps", [3.2256, 3.2256], "both numbers are the same"),
    ("01-3 gaps", [2.1745, 5.0039], "one-hot loss"),
    ("01-3 gaps", [math.log(55), 5.0039], "where the loss is least"),
    ("02 rows", torch.tensor(1.2), "a single number; wanted: a row of 8 numbers"),
    ("02 grad", torch.zeros(8, 6), "this is not it"),
    ("02a masked", smoothed, "infinite"),
    ("02a masked", lambda *case: smoothed(*case[:3], 0.0), "ε is not used"),
    ("02a masked", times_inf, "0 · (−∞)"),
    ("02-1 eps", lambda eps, k: eps / k, "came: `0.0166667`\n- wanted: `0.0909091`"),
    ("02-1 loss", bare, "Is a log_softmax missing"),
    ("02-1 loss", nll_in_full, "still the copied class"),
    ("02-2", against_torch, "compares with PyTorch's"),
    ("02-3", weighted_means, "0/0 = nan"),
    ("03 gap", lambda z, t: t - (z.sum(1) - t), "summed up"),
    ("03-1 gap", 2.0037, "the gap does not halve"),
    ("03-1 half", 0.2, "does not halve when"),
    ("03-2 causes", "aaa", "need not be wrong"),
    ("03-2 gap", math.log(20), "Smooth the"),
    ("03-3", lambda curves, eps: [curve[-1] for curve in curves], "heights as trained"),
    ("03-3 order", [0.1, 0.2, 0.4, 0.0], "the nearest is right"),
    ("04 half", lambda d: 1.96 * d.std(ddof=1) / len(d) ** 0.5, "1.96 is the normal"),
    ("04 half", lambda d: 2 * d.std(ddof=1) / len(d) ** 0.5, "1.96 is the normal"),
    ("04 best", lambda nll: nll.argmax(1), "*largest* NLL"),
    ("04-1 follows", "a", "may overlap while"),
    ("04-1 follows", "B", "higher mean"),
    ("04-1 interval", (0.612, 0.788), "Student's t"),
    ("04-1 interval", (0.589, 0.811), "ddof=1"),
    ("04-2 speaks", "b", "the same for all twenty"),
    ("04-2 speaks", "C", "one more pair"),
    ("04-3 fair", "a", "number of tries"),
    ("04-3 fair", "C", "smoothing had five"),
    ("07-1 clicks", 0.36, "upside down"),
    ("07 roll", lambda y, dice, drawn, eps: y.where(dice < eps, drawn), "*above* ε"),
    ("07 corrected", lambda p_y, a: -((1 - a) * p_y).log(), "add a/K"),
    ("07 corrected", lambda p_y, a: -p_y.log(), "plain NLL"),
    ("07-1 noise", "A", "no dice are rolled"),
    ("07-2 confidence", 1 - 0.14 + 0.14 / 6, "*adds* to it"),
    ("07-2 confidence", 0.8, "noise alone"),
    ("07-2 eps", lambda total, alpha: total - alpha, "Divide the kept shares"),
    ("07-3 stop", "c", "falls to the end"),
    (
        "07-3",
        lambda z, y, t: -(z.softmax(1) @ t)[range(len(y)), y].log(),
        "take its mean",
    ),
    ("05 spread", lambda own: own.var(0).sum(), "n − 1"),
    (
        "05 spread",
        lambda own: (own - own.mean(0)).square().mean(),
        "*sum* over them",
    ),
    ("05-1 panels", "Q", "nearer still"),
    ("05-2 side", "cannot tell", "linear in the plane"),
    ("05-3 maps", "ab", "dense and loose"),
    ("05a angles", lambda means: 0.2 + F.cosine_similarity(*means[:2], 0), "came"),
    ("06-1", lambda *case: abs(gaps(*case)).mean(), "nan: an empty bin"),
    ("06 ece", lambda share, conf, acc: abs(acc - conf).mean(), "by its share"),
    ("06 ece", lambda share, conf, acc: abs(share @ (acc - conf)), "cancel"),
    ("06 softened", lambda z, T: torch.softmax(z * T, 1), "surer here"),
    ("06 softened", lambda z, T: torch.softmax(z, 1) / T, "no longer sum to 1"),
    ("06-2 follows", "B", "no sign"),
    ("06-3 changes", "a", "largest logit"),
    ("06-3", lambda z, y: 100.0, "ran to an end"),
    ("08 price", lambda eps, acc, K: eps * (acc - 1 / 6), "this is not it"),
    ("08 regret", lambda nll: (nll.T - nll.min(axis=1)).T.mean(), "The worst one"),
    ("08-1", 0.04, "the size is right, the sign is not"),
    ("08-1", -0.04 / 0.6, "this is not it"),
    ("08-2 smooth", "A", "pay the price or more"),
    ("08-2 left", 5, "the size is right, the sign is not"),
    ("08-3", lambda teacher, student: int(teacher.mean(0).argmax()), "best *teacher*"),
    ("09 factor", lambda hard, smoothed: smoothed / hard, "hard by smoothed"),
    ("09-1 follows", "B", "Look at chance"),
    ("09-1 rows", 400, "one standard deviation"),
    ("09-2", lambda gap, k: 0.1, "does not transfer"),
    ("09-3", lambda p, eps: right_of("09-3")(p, eps) * len(p), "sum over the rows"),
    ("02b-1 moved", 8 * 4096 * 32_000 / 1e9, "as in float32"),
    ("02b-2", merged, "0 · (−∞)"),
    ("02b-3", lambda z, y, lse, u, eps: times_nan(z, y, eps, u), "0 · nan"),
    ("02b-3 chunks", mean_of_means, "a mean of means"),
    ("02b-3 chunks", lambda *case: mean_of_means(*case, torch.mean), "mean is 0 / 0"),
    # What can go wrong anywhere.
    ("01 gap", -math.log(55), "perhaps the size is right, the sign is not"),
    ("01 gap", math.log10(55), "a logarithm to base 10"),
    ("01-2 floor", 0.8476, "in bits"),
    ("01-2 floor", "0,5875", "take the quotation marks away"),
    ("07-1 clicks", (0, 25), "a point, not a comma"),
    ("07-2 eps", lambda *case: 100 * right_of("07-2 eps")(*case), "in per cent"),
    ("01-2 eps", lambda c, k: (1 - c) * k / (k - 1) / 2, "exactly half"),
    ("01-2 row", [0.05, "0.05", 0.85, 0.05], "in which number 2 is a text, '0.05'"),
    ("01 row", [1.667, 1.667, 91.67, 1.667, 1.667, 1.667], "in per cent"),
    ("00-1", 4, "one letter is wanted in quotation marks"),
    ("03-2 causes", "db", "there are 2 here"),
    ("04 half", lambda d: 0 * d.mean() / 0, "a number is nan"),
    ("05 spread", lambda h: h.nope, "it ends in `AttributeError: 'Tensor' object has"),
    (
        "05 spread",
        lambda own: right_of("05 spread")(own) * len(own),
        "divide by the 7",
    ),
    ("06 softened", lambda *case: right_of("06 softened")(*case).mT, "wrong axis"),
    ("02-1 loss", lambda *case: right_of("02-1 loss")(*case) + 0.5, "always +0.5 off"),
    ("03 gap", lambda z, true: right_of("03 gap")(z, true)[:, None], "another shape"),
    ("03 gap", lambda z, true: true[:, None] - z.mean(1), "(N, N)"),
]


@pytest.mark.parametrize(("name", "answer", "words"), PLANTED)
def test_a_wrong_answer_is_named(name, answer, words):
    said = verdict(name, answer)
    assert said.startswith(f"✗ Exercise {name}: not yet: ") and words in said


def divided(eps, k):
    nothing = 0
    return eps / nothing


def test_what_came_is_shown_with_the_line_and_a_link_to_the_section(monkeypatch):
    bare = verdict("01-1", divided)
    monkeypatch.chdir(ROOT / "notebooks" / "exercises")
    first, _, given, line = verdict("01-1", divided).splitlines()
    assert "it ends in `ZeroDivisionError: " in first and "([01, section 3](" in first
    assert given == "- given: `eps = 0.1, k = 6`"
    assert line.endswith("of the cell, `return eps / nothing`")
    assert "(01, section 3)" in bare and bare.splitlines()[1:] == ["", given, line]
    for name, number in (
        ("01-1", "01"),
        ("02a masked", "02a"),
        ("02b-3 chunks", "02b"),
    ):
        sentence = verdict(name, lambda *_: "?").splitlines()[0]
        path, anchor = re.search(r"\]\((\.\./\S+)#([^)\s]+)\)", sentence).groups()
        lesson = read(pathlib.Path(path))
        assert lesson.cells[0].source.startswith(f"# {number[:2]}")
        heading = urllib.parse.unquote(anchor).replace("-", " ")
        prose = [cell.source.replace("-", " ") for cell in prose_cells(lesson)]
        assert any(f"## {heading}" in text for text in prose)


def test_in_a_notebook_the_links_of_a_verdict_are_links(monkeypatch):
    sent = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: sent.append(data))
    check("00-1", "a")
    check("00-1", "d")
    ((_, said), (_, plain)) = sent[0].items()
    assert len(sent) == 1 and said == plain == verdict("00-1", "a")
