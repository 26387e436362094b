"""Lectures and deep dives have the size that a room can follow: tests/shape.py."""

import copy

import nbformat
import pytest
import shape
from notebook_files import LESSONS, number, read


@pytest.mark.parametrize("path", LESSONS, ids=number)
def test_a_page_is_as_long_as_its_room_allows(path):
    assert not list(shape.problems(read(path), number(path)))


def code(source, printed="", *outputs, tags=(), **jupyter):
    outputs = [nbformat.v4.new_output("stream", text=printed), *outputs]
    metadata = {"tags": list(tags), "jupyter": jupyter}
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata)


def picture(panels=1):
    about = {"image/png": {"drawn": ["x 'step' [] 0 |", "y '' [] 0 |"] * panels}}
    data = {"image/png": "", "text/plain": "Figure"}
    return nbformat.v4.new_output("display_data", data, metadata=about)


prose = nbformat.v4.new_markdown_cell


def lecture():
    """A page that has all and too much of nothing."""
    cells = [
        prose("# 01 · The label\n\n*New words*: gap, floor"),
        code("import lsr_utils as lsr\n\ndevice = lsr.setup()", "torch 2.13"),
        code("x = 1\nlsr.show(x)", "", picture()),
        prose("**Figure 1.** It falls from 3 to 1.5."),
        code("guess_it = None  # 1 or 4"),
        code('lsr.guess("it", guess_it, 4)', "4", outputs_hidden=True),
        code("y = 2\nlsr.show(y)", "", picture()),
    ]
    return nbformat.v4.new_notebook(cells=cells)


NUMBERS = " ".join(map(str, range(10, 36)))  # 26 of them
TOO_MUCH = {
    "cells": [code("1")] * 17,
    "lines": [code("1\n" * 15)] * 11,
    "median": [code("1\n" * 7)] * 4,
    "longest": [code("1\n" * 16)],
    "words": [prose("word " * 1800)],
    "numbers in one": [code("1", NUMBERS)],
    "numbers": [code("1", NUMBERS[:60])] * 4 + [code("2", "1 " * 25)],
    "in a sentence": [prose("It is 1, 2, 3, 4, 5 or 6.")],
    "claims": [code("claim(1)")] * 6,
    "guesses": [code(f"guess_{k} = None") for k in range(4)],
    "fill-ins": [code(f"my_{k} = ...", tags=["fill-in"]) for k in range(3)],
    "folded lines": [code("1\n" * 201, source_hidden=True)],
    "figures": [code(f"z{k} = 1", "", picture()) for k in range(4)],
    "panels": [code("z = 1", "", picture(4))],
    "binds x": [code("x = 2")],
    "a guess is compared with": [code('guess("it", None, 4)', "4")],
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_of_anything_is_named(what):
    notebook = lecture()
    assert not list(shape.problems(notebook, "01"))
    notebook.cells += copy.deepcopy(TOO_MUCH[what])
    assert any(what in problem for problem in shape.problems(notebook, "01"))


def test_too_little_is_named_too():
    notebook = lecture()
    del notebook.cells[2:]
    said = " ".join(shape.problems(notebook, "01"))
    for words in ("0 for figures", "0 for guesses", "99 for first figure"):
        assert words in said
    notebook.cells[0].source += ", " + ", ".join("abcdefg")
    assert any("9 for new words" in p for p in shape.problems(notebook, "01"))
    # A deep dive may be longer.
    notebook = lecture()
    notebook.cells += [code("1\n" * 10)] * 20
    assert not list(shape.problems(notebook, "01a"))
    notebook.cells += [code("1\n" * 20)] * 7
    assert any("for lines" in problem for problem in shape.problems(notebook, "01a"))
    assert not list(shape.problems(notebook, "02b"))  # the kernel's page


def test_links_formulas_and_covered_outputs_are_no_numbers_on_the_page():
    notebook = lecture()
    notebook.cells += [
        prose("See [03 §4](03_x.ipynb#4.-It), $1+2+3+4+5+6$, `1, 2, 3, 4, 5, 6`."),
        code("checks()", NUMBERS, outputs_hidden=True),
    ]
    assert not list(shape.problems(notebook, "01"))
