"""The one rule of what is folded in notebooks, decks and the site."""

import folding
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DRAW = "figure, axis = plt.subplots()\nrows = [1]\naxis.plot(rows)\nshow(figure, 'a')"


def folded(*sources, tags=()):
    """Whether each cell is folded; the tags are the first one's."""
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata.tags = list(tags)
    folding.fold(new_notebook(cells=cells))
    return [folding.is_folded(cell) for cell in cells]


FOLDED = [
    *(("x = 1", tags) for tags in (["hide-input"], ["experiment"], ["checks"])),
    *((DRAW, []), ("lsr.sliders.BarSliders({}, frame)", [])),
]
OPEN = [
    ("x = 1", ["simple:a.b", "nbval-ignore-output"]),
    *(("x = 1", ["experiment", "show-input"]), (DRAW, ["show-input"]), ("show", [])),
    *((DRAW + "\nx = 1", []), ("print(len(x))\n" + DRAW, [])),
    ("claim('01-1', 'a', x > 1)\n" + DRAW, []),
    ("lsr.guess('a', guess, x)\n" + DRAW, []),
]


@pytest.mark.parametrize(("source", "tags"), FOLDED + OPEN)
def test_one_cell(source, tags):
    assert folded(source, tags=tags) == [(source, tags) in FOLDED]


READ = [  # by later cells: what draws `rows` is open
    *(["print(rows)"], ["def f():\n    return rows"], ["[x for x in rows]"]),
    *(["rows += [2]"], ["rows[0] = 2"], ["rows = rows + [1]"], ["print(table)"]),
    ["for rows in rows:\n    pass"],
    *(["x = 1", "print(rows)"], ["def f():\n    rows = 1", "print(rows)"]),
]
UNREAD = [
    ["show(plt.plot(rows), alt='a')"],  # what only draws may read it
    *(["rows = [2]\nprint(rows)"], ["rows = 1", "print(rows)"]),
    *(["def f(rows):\n    return rows"], ["def f():\n    rows = 1\n    return rows"]),
    ["[rows for rows in (1, 2)]"],
]


@pytest.mark.parametrize("later", READ + UNREAD)
def test_a_cell_whose_names_are_read_later_does_not_only_draw(later):
    assert folded("table['x'] = 1\n" + DRAW, *later)[0] is (later in UNREAD)


def test_only_checks_have_a_covered_output_and_old_marks_go():
    cells = [new_code_cell("x = 1", metadata={"tags": [t]}) for t in ("checks", "a")]
    cells.append(new_markdown_cell("words"))
    for cell in cells:
        cell.metadata.jupyter = {"outputs_hidden": True, "source_hidden": True}
    folding.fold(new_notebook(cells=cells))
    assert [folding.has_covered_output(cell) for cell in cells] == [True, False, False]
    assert ["jupyter" in cell.metadata for cell in cells] == [True, False, False]
