"""The one rule of what is folded in notebooks, decks and the site."""

import folding
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_files import notebook_paths, read

DRAW = "figure, axis = plt.subplots()\nrows = [1]\naxis.plot(rows)\nshow(figure, 'a')"


def folded(*sources, tags=()):
    """Whether each cell is folded; the tags are the first one's."""
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata.tags = list(tags)
    folding.fold(new_notebook(cells=cells))
    return [folding.is_folded(cell) for cell in cells]


@pytest.mark.parametrize(
    ("source", "tags", "wanted"),
    [
        ("x = 1", [], False),
        ("x = 1", ["hide-input"], True),
        ("x = 1", ["experiment"], True),
        ("x = 1", ["checks"], True),
        ("x = 1", ["simple:a.b", "nbval-ignore-output"], False),
        ("x = 1", ["experiment", "show-input"], False),
        (DRAW, [], True),
        (DRAW, ["show-input"], False),
        ("lsr.sliders.BarSliders({}, frame)", [], True),
        (DRAW + "\nx = 1", [], False),
        ("print(len(x))\n" + DRAW, [], False),
        ("claim('01-1', 'a', x > 1)\n" + DRAW, [], False),
        ("lsr.guess('a', guess, x)\n" + DRAW, [], False),
        ("show", [], False),
    ],
)
def test_one_cell(source, tags, wanted):
    assert folded(source, tags=tags) == [wanted]


@pytest.mark.parametrize(
    ("later", "wanted"),
    [
        (["print(rows)"], False),
        (["def f():\n    return rows"], False),
        (["[x for x in rows]"], False),
        (["rows += [2]"], False),
        (["rows[0] = 2"], False),
        (["for rows in rows:\n    pass"], False),
        (["rows = rows + [1]"], False),
        (["rows = [2]\nprint(rows)"], True),
        (["def f(rows):\n    return rows"], True),
        (["def f():\n    rows = 1\n    return rows"], True),
        (["[rows for rows in (1, 2)]"], True),
        (["show(plt.plot(rows), alt='a')"], True),  # what only draws may read it
        (["x = 1", "print(rows)"], False),
        (["rows = 1", "print(rows)"], True),
        (["def f():\n    rows = 1", "print(rows)"], False),
        (["print(table)"], False),
    ],
)
def test_a_cell_whose_names_are_read_later_does_not_only_draw(later, wanted):
    assert folded("table['x'] = 1\n" + DRAW, *later)[0] is wanted


def test_only_checks_have_a_covered_output_and_old_marks_go():
    cells = [new_code_cell("x = 1", metadata={"tags": [t]}) for t in ("checks", "a")]
    cells.append(new_markdown_cell("words"))
    for cell in cells:
        cell.metadata.jupyter = {"outputs_hidden": True, "source_hidden": True}
    folding.fold(new_notebook(cells=cells))
    assert [folding.has_covered_output(cell) for cell in cells] == [True, False, False]
    assert ["jupyter" in cell.metadata for cell in cells] == [True, False, False]


def test_the_course_folds_its_checks_and_its_drawing():
    cells = [cell for path in notebook_paths() for cell in read(path).cells]
    assert sum(map(folding.has_covered_output, cells)) >= 20
    drawn = [c for c in cells if folding.is_folded(c) and folding.draws(c.source)]
    assert len(drawn) >= 20
