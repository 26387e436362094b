"""Checkers: right answers pass, open ones are "not done yet", nothing ever raises."""

import itertools
import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from contract import prose_cells
from exercise_files import answers, exercise_paths
from notebook_files import by_number

from lsr_utils.exercises import EXERCISES, check, engine, verdict

every_exercise = pytest.mark.parametrize("name", EXERCISES)


@pytest.fixture(scope="module")
def solved():
    return {
        k: v for path in exercise_paths("solutions") for k, v in answers(path).items()
    }


@pytest.fixture(scope="module")
def still_open():
    return {
        k: v for path in exercise_paths("exercises") for k, v in answers(path).items()
    }


def wants_function(name):
    return hasattr(EXERCISES[name], "cases")


@every_exercise
def test_the_solution_is_right_and_the_stub_not_done(name, solved, still_open, capsys):
    assert verdict(name, solved[name]).startswith(f"Exercise {name}: right: ")
    assert verdict(name, still_open[name]) == f"Exercise {name}: not done yet."
    check(name, solved[name])
    assert capsys.readouterr().out == verdict(name, solved[name]) + "\n"


@every_exercise
def test_every_misconception_has_a_sentence_that_says_where_it_is_answered(name):
    exercise = EXERCISES[name]
    said = engine.sentences(exercise)
    assert list(said) == ["right", *engine.misconceptions(exercise)]
    assert len(set(said.values())) == len(said)
    for wrong in engine.misconceptions(exercise):
        ((number, section),) = re.findall(r"\((\d\d) section (\d+)", said[wrong])
        prose = "\n".join(cell.source for cell in prose_cells(by_number(number)))
        assert f"\n## {section}. " in prose


@every_exercise
def test_every_misconception_is_told_apart(name):
    exercise = EXERCISES[name]
    for key, wrong in engine.misconceptions(exercise).items():
        if not isinstance(wrong, engine.sign):
            expected = f"Exercise {name}: not yet: {engine.sentences(exercise)[key]}"
            assert verdict(name, wrong) == expected


# The same answer in other clothes --------------------------------------------------


def converted(value, convert):
    if isinstance(value, tuple):
        return tuple(converted(part, convert) for part in value)
    if isinstance(value, (str, bool)):
        return value
    return convert(value)


def as_list(value):
    return torch.as_tensor(value).tolist()


CLOTHES = {
    "tensor": torch.as_tensor,
    "with a gradient": lambda v: torch.as_tensor(v, dtype=float).requires_grad_(),
    "numpy": lambda v: np.asarray(torch.as_tensor(v)),
    "list": as_list,
    "float32": lambda v: torch.as_tensor(v).float(),
    "pandas": lambda v: pd.Series(as_list(v)) if np.ndim(v) == 1 else as_list(v),
    "list of tensors": lambda v: list(torch.as_tensor(v)) if np.ndim(v) else v,
    "one element": lambda v: v if np.ndim(v) else torch.as_tensor([v]),
}


@every_exercise
@pytest.mark.parametrize("clothes", CLOTHES)
def test_a_right_answer_passes_whatever_its_type(name, clothes, solved):
    convert, answer = CLOTHES[clothes], solved[name]
    if not wants_function(name):
        answer = converted(answer, convert)
    else:

        def answer(*case):
            return converted(solved[name](*case), lambda v: convert(detached(v)))

    assert verdict(name, answer).startswith(f"Exercise {name}: right: ")


def detached(value):
    return value.detach() if isinstance(value, torch.Tensor) else value


@every_exercise
def test_a_number_written_as_text_is_no_number(name):
    if not wants_function(name) and isinstance(EXERCISES[name].right, float):
        line = verdict(name, repr(EXERCISES[name].right))
        assert "where a number is wanted" in line


# Whatever it gets ------------------------------------------------------------------


class Evil:
    """Raises at every touch."""

    def _raise(self, *_, **__):
        raise RuntimeError("touched")

    __bool__ = __eq__ = __float__ = __len__ = __iter__ = __repr__ = __str__ = _raise
    __getattr__ = __array__ = __hash__ = __index__ = _raise


class EvilError(Exception):
    def __str__(self):
        raise RuntimeError("touched")


def recursion():
    return recursion()


def endless_list():
    loop = []
    loop.append(loop)
    return loop


VALUES = {
    "text": "abc",
    "empty text": "",
    "nan": float("nan"),
    "inf": float("inf"),
    "minus inf": -float("inf"),
    "bool": True,
    "complex": 1 + 1j,
    "huge integer": 10**400,
    "object": object(),
    "class": dict,
    "evil": Evil(),
    "generator": (k for k in range(3)),
    "endless": itertools.count(),
    "dict": {"a": 1},
    "set": {1, 2},
    "bytes": b"1",
    "empty list": [],
    "nested": [[1, 2], [3]],
    "list in itself": endless_list(),
    "list of evil": [Evil()] * 4,
    "long list": [0.0] * 1_000_000,
    "huge view": np.broadcast_to(0.0, (10**6, 10**6)),
    "huge expanded": torch.zeros(1).expand(10**6, 10**6),
    "empty tensor": torch.empty(0),
    "bfloat16": torch.ones(3, dtype=torch.bfloat16),
    "complex tensor": torch.ones(4, dtype=torch.complex64),
    "sparse": torch.eye(4).to_sparse(),
    "meta": torch.empty(4, device="meta"),
    "object array": np.array([None, "a"], dtype=object),
    "text array": np.array(["a", "b"]),
    "frame": pd.DataFrame({"a": [1]}),
    "not implemented": NotImplemented,
    "module": np,
}
FUNCTIONS = {
    "raises": lambda *_: 1 / 0,
    "raises evil": lambda *_: (_ for _ in ()).throw(EvilError()),
    "exits": lambda *_: sys.exit(3),
    "generator exit": lambda *_: (_ for _ in ()).throw(GeneratorExit()),
    "recursion": lambda *_: recursion(),
    "no arguments": lambda: 1,
    "wrong axis": lambda x, *_: [x[:, 7] for _ in range(3)],
    "clears": lambda *case: [a.zero_() for a in case if isinstance(a, torch.Tensor)],
    "resizes": lambda *case: [
        a.resize_(0) for a in case if isinstance(a, torch.Tensor)
    ],
    "generator function": lambda *_: (yield 1),
    "arguments back": lambda *case: case,
    "class itself": dict,
    "builtin": len,
    "network": torch.nn.Linear(2, 2),
}


def returning(value):
    return lambda *_: value


@every_exercise
@pytest.mark.parametrize("kind", [*VALUES, *FUNCTIONS, "function of each value"])
def test_nothing_raises_and_nothing_wrong_passes(name, kind):
    if kind in VALUES:
        given = [VALUES[kind]]
    elif kind in FUNCTIONS:
        given = [FUNCTIONS[kind]]
    else:
        given = [returning(value) for value in VALUES.values()]
    for answer in given:
        line = verdict(name, answer)
        assert line.startswith(f"Exercise {name}: not yet: ")
        assert "\n" not in line and len(line) < 400


@every_exercise
@pytest.mark.parametrize("value", [None, ..., [None], (1.0, ...)])
def test_open_answers_are_not_done(name, value):
    assert verdict(name, value) == f"Exercise {name}: not done yet."
    if wants_function(name):
        line = verdict(name, returning(None))
        assert (
            line == f"Exercise {name}: not yet: it returns None; is a `return` missing?"
        )


def test_an_unknown_exercise_is_answered_with_those_that_exist():
    for name in ("99-9", "", None, 3, [], Evil(), "01-2"):
        assert "They are 01-1, " in verdict(name, 1.0)


def test_ctrl_c_stops_a_function_that_does_not_end():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict("01-1", interrupted)


def test_a_right_function_that_writes_into_its_arguments_is_caught(solved):
    def writes(q, p):
        result = solved["01-3"](q, p)
        q.mul_(2)
        return result

    assert "changes its arguments" in verdict("01-3", writes)
