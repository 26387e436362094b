"""Exercises come from their solutions, keep the contract, and say what is done."""

import copy
import re

import contract
import exercises as tool
import nbformat
import pytest
from contract import exercise_problems
from exercise_files import exercise_paths
from notebook_files import ROOT, read, tags
from prose_numbers import missing_numbers

from lsr_utils.exercises import EXERCISES

BOTH = [(kind, p) for kind in ("solutions", "exercises") for p in exercise_paths(kind)]
every = pytest.mark.parametrize(
    ("kind", "path"), BOTH, ids=[path.stem for _, path in BOTH]
)


@every
def test_notebook_keeps_the_contract(kind, path):
    assert exercise_problems(read(path), path.name[:2], kind) == []


@every
def test_links_between_files_lead_somewhere(kind, path):
    prose = "\n".join(cell.source for cell in contract.prose_cells(read(path)))
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", prose):
        assert (path.parent / target).is_file(), target


@pytest.mark.parametrize("path", exercise_paths("solutions"), ids=lambda p: p.stem[:2])
def test_every_number_in_a_solutions_prose_stands_in_an_output(path):
    notebook = read(path)
    title, *rest = notebook.cells
    notebook.cells = [title] + [
        cell for cell in rest if cell.cell_type == "code" or "solution" in tags(cell)
    ]
    assert missing_numbers(notebook) == []


def test_exercises_are_those_of_the_solutions_byte_for_byte():
    folder = ROOT / "notebooks"
    assert all(map(tool.is_stub, exercise_paths("exercises"))), (
        "an answer is written in"
    )
    assert tool.stale(folder) == [], "run `python3 course.py refresh`"
    pairs = tool.sources(folder)
    assert list(pairs) == exercise_paths("exercises") != []
    assert list(pairs.values()) == exercise_paths("solutions")


def test_every_exercise_of_the_package_is_asked_and_no_other():
    asked = {
        call.args[0].value
        for path in exercise_paths("exercises")
        for cell in contract.code_cells(read(path))
        for call in contract.calls(cell, "check")
    }
    assert asked == set(EXERCISES)


# The stubs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            'def f(x):\n    """Doc."""\n    # solution\n    return 1\n    # end\nf(1)',
            'def f(x):\n    """Doc."""\n    raise NotImplementedError\nf(1)',
        ),
        (
            "# solution: a number\nhelp = 2\na, b = help, 3\n# end\ncheck('1', [a, b])",
            "a = ...  # a number\nb = ...  # a number\ncheck('1', [a, b])",
        ),
        (
            "if x:\n    # solution: one line\n    y = 1\n    # end\nz = 1",
            "if x:\n    raise NotImplementedError  # one line\nz = 1",
        ),
        ("x = 1\nprint(x)", "x = 1\nprint(x)"),
    ],
)
def test_stub(code, expected):
    assert tool.stub(code) == expected


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("# solution\nx = 1", "pairs"),
        ("x = 1\n# end", "pairs"),
        ("# solution\nx = 1\n# solution\ny = 1\n# end\nprint(x, y)", "pairs"),
        ("# solution\nx = 1\n# end\n# end\nprint(x)", "pairs"),
        ("# solution\nx = 1\n# end", "assigns nothing"),
    ],
)
def test_a_malformed_solution_is_refused(code, words, tmp_path):
    source = tmp_path / "01_x_solutions.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, source)
    with pytest.raises(tool.Malformed, match=f"01_x_solutions.*{words}"):
        tool.derived(source, tmp_path / "none.ipynb")


def test_deriving_again_keeps_the_outputs_of_code_that_is_the_same(tmp_path):
    source, target = tmp_path / "solution.ipynb", tmp_path / "exercise.ipynb"
    cells = [
        nbformat.v4.new_markdown_cell("# 01 · Solutions: x"),
        nbformat.v4.new_code_cell("# solution\nx = 1\n# end\nprint(x)"),
        nbformat.v4.new_code_cell("y = 2"),
        nbformat.v4.new_markdown_cell("Why.", metadata={"tags": ["solution"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    made = tool.derived(source, target)
    assert [cell.source for cell in made.cells] == [
        "# 01 · Exercises: x", "x = ...\nprint(x)", "y = 2",
    ]  # fmt: skip
    for count, cell in enumerate(made.cells[1:], start=1):
        cell.execution_count = count
    nbformat.write(made, target)
    assert tool.is_stub(target) and tool.derived(source, target) == made
    cells[2].source = "y = 3"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    counts = [
        cell.get("execution_count") for cell in tool.derived(source, target).cells
    ]
    assert counts == [None, 1, None]


# The contract: a planted fault of each kind is reported ----------------------------


def edit(cell, old, new):
    assert old in cell.source
    cell.source = cell.source.replace(old, new)


def edit_somewhere(notebook, old, new):
    edit(next(cell for cell in notebook.cells if old in cell.source), old, new)


FAULTS = {
    "does not begin with": lambda nb: edit(nb.cells[0], "Exercises:", "Tasks:"),
    "makes a claim": lambda nb: edit(nb.cells[1], "torch.set", "claim(1)\ntorch.set"),
    "stored without": lambda nb: contract.code_cells(nb)[1].outputs.clear(),
    "count None": lambda nb: contract.code_cells(nb)[1].update(execution_count=None),
    "has the sections": lambda nb: edit_somewhere(nb, "## 01-2", "## 01-4"),
    "'★★ core · N minutes'": lambda nb: edit_somewhere(nb, "★★ core · 20", "★★ core"),
    "no folded hint": lambda nb: edit_somewhere(nb, "<details>", "<p>"),
    "checks ['01-9']": lambda nb: edit_somewhere(nb, 'check("01-1"', 'check("01-9"'),
    "without a rubric": lambda nb: nb.cells.append(
        nbformat.v4.new_markdown_cell("## Mini-project\n\nDo something.")
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_contract_reports(fault):
    (path,) = (p for p in exercise_paths("exercises") if p.name.startswith("01"))
    notebook = copy.deepcopy(read(path))
    FAULTS[fault](notebook)
    problems = exercise_problems(notebook, "01", "exercises")
    assert any(fault in problem for problem in problems)
