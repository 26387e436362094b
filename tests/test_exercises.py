"""Exercises come from their solutions, keep the contract, and say what is done."""

import command
import contract
import exercises as tool
import nbformat
import pytest
from exercise_files import exercise_paths
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_files import ROOT, read, tags
from prose_numbers import missing_numbers

from lsr_utils.exercises import EXERCISES

BOTH = [(kind, p) for kind in ("solutions", "exercises") for p in exercise_paths(kind)]


@pytest.mark.parametrize(("kind", "path"), BOTH, ids=[path.stem for _, path in BOTH])
def test_notebook_keeps_the_contract(kind, path):
    notebook = read(path)
    assert contract.problems(notebook, path.name.partition("_")[0], kind) == []
    title, *rest = notebook.cells
    notebook.cells = [title] + [
        cell for cell in rest if cell.cell_type == "code" or "solution" in tags(cell)
    ]
    assert missing_numbers(notebook) == []  # in the prose of a solution


def test_exercises_are_those_of_the_solutions_byte_for_byte():
    folder, stubs = ROOT / "notebooks", exercise_paths("exercises")
    assert all(map(tool.is_stub, stubs)), "an answer is written in"
    assert tool.stale(folder) == [], "run `python3 course.py refresh`"
    pairs = tool.sources(folder)
    assert list(pairs) == stubs != []
    assert list(pairs.values()) == exercise_paths("solutions")
    asked = {
        call.args[0].value
        for path in [*stubs, *command.lectures(ROOT)]
        for cell in contract.code_cells(read(path))
        for call in contract.calls(cell, "check")
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
    "# solution\nx = 1\n# end\n# end\nprint(x)": "pairs",
    "# solution\nx = 1\n# end": "assigns nothing",
}


def test_stubs_and_what_is_no_solution(tmp_path):
    assert {code: tool.stub(code) for code in STUBS} == STUBS
    source = tmp_path / "01_x_solutions.ipynb"
    for code, words in MALFORMED.items():
        nbformat.write(new_notebook(cells=[new_code_cell(code)]), source)
        with pytest.raises(command.Problem, match=f"01_x_solutions.*{words}"):
            tool.derived(source, tmp_path / "none.ipynb")


def test_deriving_again_keeps_the_outputs_of_code_that_is_the_same(tmp_path):
    source, target = tmp_path / "solution.ipynb", tmp_path / "exercise.ipynb"
    cells = [
        new_markdown_cell("# 01 · Solutions: x"),
        new_code_cell("# solution\nx = 1\n# end\nprint(x)"),
        new_code_cell("y = 2"),
        new_markdown_cell("Why.", metadata={"tags": ["solution"]}),
    ]
    nbformat.write(new_notebook(cells=cells), source)
    made = tool.derived(source, target)
    sources = [cell.source for cell in made.cells]
    assert sources == ["# 01 · Exercises: x", "x = ...\nprint(x)", "y = 2"]
    made.cells[1].execution_count, made.cells[2].execution_count = 1, 2
    nbformat.write(made, target)
    assert tool.is_stub(target) and tool.derived(source, target) == made
    cells[2].source = "y = 3"
    nbformat.write(new_notebook(cells=cells), source)
    again = tool.derived(source, target).cells
    assert [cell.get("execution_count") for cell in again] == [None, 1, None]
