"""Exercises come from their solutions, and keep the contract.

Their checkers: right answers pass, open ones are told apart, nothing ever raises.
"""

import contextlib
import io
import itertools
import math
import pathlib
import re
import sys
import urllib.parse
from unittest.mock import Mock

import contract
import exercises as tool
import folding
import nbformat
import notebook_files
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from command import Problem
from nbformat.v4 import new_code_cell, new_notebook
from notebook_files import ROOT, calls, code_cells, exercise_paths, read, tags
from prose_numbers import missing_numbers

from lsr_utils.exercises import EXERCISES, check, engine, verdict

BOTH = [(kind, p) for kind in ("solutions", "exercises") for p in exercise_paths(kind)]


@pytest.mark.parametrize(("kind", "path"), BOTH, ids=[path.stem for _, path in BOTH])
def test_notebook_keeps_the_contract(kind, path):
    notebook = read(path)
    assert contract.problems(notebook, path.name.partition("_")[0], kind) == []
    title, *rest = notebook.cells
    kept = [c for c in rest if c.cell_type == "code" or "solution" in tags(c)]
    notebook.cells = [title, *kept]
    assert missing_numbers(notebook) == []  # in the prose of a solution


def test_exercises_are_those_of_the_solutions_byte_for_byte():
    folder, stubs = ROOT / "notebooks", exercise_paths("exercises")
    assert all(map(tool.is_stub, stubs)), "an answer is written in"
    assert tool.stale(folder) == [], "run `python3 course.py refresh`"
    both = stubs, exercise_paths("solutions")
    assert tool.sources(folder) == dict(zip(*both, strict=True)) != {}
    asked = {
        call.args[0].value
        for path in [*stubs, *notebook_files.LESSONS]
        for cell in code_cells(read(path))
        for call in calls(cell, "check")
    }
    assert asked == set(EXERCISES)


STUBS = {
    'def f(x):\n    """Doc."""\n    # solution\n    return 1\n    # end\nf(1)':
        'def f(x):\n    """Doc."""\n    raise NotImplementedError\nf(1)',
    "# solution: a number\nhelp = 2\na, b = help, 3\n# end\ncheck('1', [a, b])":
        "a = ...  # a number\nb = ...  # a number\ncheck('1', [a, b])",
    "if x:\n    # solution: one line\n    y = 1\n    # end\nz = 1":
        "if x:\n    raise NotImplementedError  # one line\nz = 1",
    "x = 1\nprint(x)": "x = 1\nprint(x)",
}  # fmt: skip
MALFORMED = {
    "# solution\nx = 1": "pairs",
    "x = 1\n# end": "pairs",
    "# solution\nx = 1\n# solution\ny = 1\n# end\nprint(x, y)": "pairs",
    "# solution\nx = 1\n# end": "assigns nothing",
}


def test_stubs_and_what_is_no_solution(tmp_path):
    assert {code: tool.stub(code) for code in STUBS} == STUBS
    source = tmp_path / "01_x_solutions.ipynb"
    for code, words in MALFORMED.items():
        nbformat.write(new_notebook(cells=[new_code_cell(code)]), source)
        with pytest.raises(Problem, match=f"01_x_solutions.*{words}"):
            tool.derived(source, tmp_path / "none.ipynb")


# Checkers ------------------------------------------------------------------------


def answers(path):
    """What a notebook hands to ``check``, as {name: answer}, by running its cells."""
    found, dtype = {}, torch.get_default_dtype()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.ExitStack() as after:
        after.callback(torch.set_default_dtype, dtype)
        names = {"__name__": "__main__"}
        for cell in read(path).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"<{path.name} {cell.id}>", "exec"), names)
            if "check" in names:  # from the set-up cell on, listen instead
                names["check"] = found.__setitem__
    return found


def _needed(cells, asking):
    """Of all cells, those that ask and those whose names they read."""
    needed, names = [], set()
    for cell in reversed(cells):
        bound, read = folding.names(cell.source)
        if cell in asking or bound & names:
            needed, names = [cell, *needed], names - bound | read
    return needed


def fill_ins():
    """Of the lines to fill in: right is what the cell after binds first."""
    found = {"solutions": {}, "exercises": {}}
    for path in notebook_files.LESSONS:
        cells = code_cells(read(path))
        asking = [c for c in cells if "answer" in tags(c) and calls(c, "check")]
        names = notebook_files.run_cells(_needed(cells, asking))
        for cell in asking:
            (call,), (right, *_) = calls(cell, "check"), folding.names(cell.source)[0]
            name, line = call.args[0].value, call.args[1].id
            found["solutions"][name] = names[right]
            found["exercises"][name] = names[line]
    return found


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
        prose = notebook_files.prose(notebook_files.by_number(number))
        assert f"\n## {section}. " in prose
        if not isinstance(wrong, engine.sign):
            place = f"{number}.{section}", f"{number}, section {section}"
            sentence = said[key].replace(*place)
            line, *shown = verdict(name, wrong).splitlines()
            assert line == f"✗ Exercise {name}: not yet: {sentence}"
            lines = [row[:8] for row in shown if wants_function(name)][1:]
            assert lines in ([], ["- given:", "- came: ", "- wanted"])


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


def recursion(*case):
    return recursion(*case)  # called without it, CPython 3.13.0 would go on (gh-132744)


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


def right_of(name):
    return EXERCISES[name].right


def smoothed(z, y, allowed, eps):
    z = torch.where(allowed, z, -math.inf)
    return F.cross_entropy(z, y, label_smoothing=eps, reduction="none")


def merged(a, b):
    m = max(a[0], b[0])
    s = sum(x[1] * np.exp(np.subtract(x[0], m)) for x in (a, b))
    t = sum(x[2] + x[3] * np.subtract(x[0], m) for x in (a, b))
    return m, s, t, a[3] + b[3]


def mean_of_means(z, y, eps, rows):
    chunks = zip(z.split(rows), y.split(rows), strict=True)
    found = [F.cross_entropy(*chunk, label_smoothing=eps) for chunk in chunks]
    return torch.stack(found).nanmean()


def bare(z, y, eps, how):
    rows = -(1 - eps) * z.gather(1, y[:, None]).squeeze(1) - eps * z.mean(1)
    return {"mean": rows.mean(), "sum": rows.sum(), "none": rows}[how]


PLANTED = [
    ("01 row", [0.1, 0.1, 0.9, 0.1, 0.1, 0.1], "more than 1"),
    ("02-1 loss", bare, "Is a log_softmax missing"),
    ("04 half", lambda d: 2 * d.std(ddof=1) / len(d) ** 0.5, "1.96 is the normal"),
    ("01-1", lambda eps, k: eps * k, "k = 6` (2 of 3 other cases are right)"),
    ("02 rows", torch.tensor(1.2), "a single number; wanted: a row of 8 numbers"),
    ("02 grad", torch.zeros(8, 6), "this is not it"),
    ("02a masked", smoothed, "infinite"),
    ("02-1 eps", lambda eps, k: eps / k, "came: `0.0166667`\n- wanted: `0.0909091`"),
    ("05-1 panels", "Q", "nearer still"),
    ("05-2 side", "cannot tell", "linear in the plane"),
    ("07 roll", lambda y, dice, drawn, eps: y.where(dice < eps, drawn), "*above* ε"),
    ("02b-2", merged, "0 · (−∞)"),
    ("02b-3 chunks", mean_of_means, "a mean of means"),
    ("08b-1 eps", -0.2, "the size is right, the sign is not"),
    ("08b-1 logit", lambda eps: -right_of("08b-1 logit")(eps), "the sign is not"),
    ("08b-2", lambda *case: right_of("08b-2")(*case).mean(), "came"),
    ("08b-3", lambda p, y: 100 * right_of("08b-3")(p, y), "in per cent"),
    # What can go wrong anywhere.
    ("01 row", [0.0169, 0.0165, 0.9, 0.017, 0.0165, 0.0165], "within 3 %"),
    ("01 row", [0.0167, 0.0167, 0.5, 0.0167, 0.0167, 0.0167], "5 of 6 numbers are"),
    ("01 row", [-1 / 60, 1 / 60, 55 / 60, *3 * [1 / 60]], "have the wrong sign"),
    ("03 gap", lambda z, true: 1.7 * right_of("03 gap")(z, true), "always 1.7 times"),
    ("00-3", [5, 4, 6, 8], "another order"),
    ("01 gap", -math.log(55), "perhaps the size is right, the sign is not"),
    ("01 gap", math.log10(55), "a logarithm to base 10"),
    ("01-2 floor", 0.8476, "in bits"),
    ("01-2 floor", "0,5875", "take the quotation marks away"),
    ("07-1 clicks", (0, 25), "a point, not a comma"),
    ("07-2 eps", lambda *case: 100 * right_of("07-2 eps")(*case), "in per cent"),
    ("01-2 eps", lambda c, k: (1 - c) * k / (k - 1) / 2, "exactly half"),
    ("01-2 row", [0.05, 0.05, 0.8, 0.05], "not a distribution"),
    ("01-2 row", [0.05, "0.05", 0.85, 0.05], "in which number 2 is a text, '0.05'"),
    ("01 row", [1.667, 1.667, 91.67, 1.667, 1.667, 1.667], "in per cent"),
    ("00-1", 4, "one letter is wanted in quotation marks"),
    ("03-2 causes", "db", "there are 2 here"),
    ("04 half", lambda d: 0 * d.mean() / 0, "a number is nan"),
    ("05 spread", lambda h: h.nope, "it ends in `AttributeError: 'Tensor' object has"),
    ("05 spread", lambda h: right_of("05 spread")(h) * len(h), "divide by the 7"),
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
    for name in ("01-1", "02a masked", "02b-3 chunks"):
        sentence = verdict(name, lambda *_: "?").splitlines()[0]
        path, anchor = re.search(r"\]\((\.\./\S+)#([^)\s]+)\)", sentence).groups()
        lesson = read(pathlib.Path(path))
        assert lesson.cells[0].source.startswith(f"# {name[:2]}")
        heading = urllib.parse.unquote(anchor).replace("-", " ")
        assert f"## {heading}" in notebook_files.prose(lesson).replace("-", " ")


def test_in_a_notebook_the_links_of_a_verdict_are_links(monkeypatch):
    sent = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: sent.append(data))
    check("00-1", "a")
    check("00-1", "d")
    ((_, said), (_, plain)) = sent[0].items()
    assert len(sent) == 1 and said == plain == verdict("00-1", "a")
