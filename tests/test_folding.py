"""The one rule of what is folded in notebooks, decks and the site."""

import folding
import nbformat
import pytest
from notebook_files import notebook_paths, read

DRAW = (
    "figure, axes = plt.subplots()\nrows = [1]\naxes.plot(rows)\nshow(figure, alt='a')"
)


def folded(*sources, tags=()):
    """Whether each cell is folded; the tags are the first one's."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata.tags = list(tags)
    notebook = nbformat.v4.new_notebook(cells=cells)
    folding.fold(notebook)
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
        ("print(rows)", False),
        ("def f():\n    return rows", False),
        ("[x for x in rows]", False),
        ("rows += [2]", False),
        ("rows[0] = 2", False),
        ("for rows in rows:\n    pass", True),  # a loop is taken to bind it first
        ("rows = rows + [1]", False),
        ("rows = [2]\nprint(rows)", True),
        ("for rows in (1, 2):\n    print(rows)", True),
        ("def f(rows):\n    return rows", True),
        ("def f():\n    rows = 1\n    return rows", True),
        ("[rows for rows in (1, 2)]", True),
        (DRAW, True),
        ("show(plt.plot(rows), alt='a')", True),  # what only draws may read it
    ],
)
def test_a_cell_whose_names_are_read_later_does_not_only_draw(later, wanted):
    assert folded(DRAW, later)[0] is wanted


def test_a_name_is_followed_past_cells_that_do_not_bind_it():
    assert folded(DRAW, "x = 1", "print(rows)")[0] is False
    assert folded(DRAW, "rows = 1", "print(rows)")[0] is True
    assert folded(DRAW, "def f():\n    rows = 1", "print(rows)")[0] is False


def test_what_sets_an_item_of_a_table_that_is_read_later_does_not_only_draw():
    sets = "table['x'] = 1\n" + DRAW
    assert folded(sets, "print(table)") == [False, False]
    assert folded(sets, "print(1)") == [True, False]


def test_only_checks_have_a_covered_output_and_old_marks_go():
    cells = [nbformat.v4.new_code_cell("x = 1") for _ in range(3)]
    cells.append(nbformat.v4.new_markdown_cell("words"))
    for cell in cells:
        cell.metadata.jupyter = {"outputs_hidden": True, "source_hidden": True}
    cells[0].metadata.tags = ["checks"]
    cells[1].metadata.tags = ["experiment"]
    folding.fold(nbformat.v4.new_notebook(cells=cells))
    assert [folding.has_covered_output(c) for c in cells] == [True, False, False, False]
    assert [folding.is_folded(c) for c in cells] == [True, True, False, False]
    assert ["jupyter" in c.metadata for c in cells] == [True, True, False, False]


def test_the_course_folds_its_checks_and_its_drawing():
    cells = [cell for path in notebook_paths() for cell in read(path).cells]
    covered = [c for c in cells if folding.has_covered_output(c)]
    assert len(covered) >= 20
    drawn = [c for c in cells if folding.is_folded(c) and folding.draws(c.source)]
    assert len(drawn) >= 20
