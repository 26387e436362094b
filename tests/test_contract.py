"""The contract notices when a notebook does not keep it: a fault of each kind."""

import contract
import pytest
from contract import code_cells
from exercise_files import exercise_paths
from nbformat.v4 import new_markdown_cell, new_output
from notebook_files import by_number, read
from prose_numbers import missing_numbers


def edits(old, new):
    def plant(notebook):
        found = [cell for cell in notebook.cells if old in cell.source]
        assert found
        for cell in found:
            cell.source = cell.source.replace(old, new)

    return plant


def second(**changes):
    return lambda notebook: code_cells(notebook)[1].update(changes)


def tagged(tag, first=1, step=99):
    def plant(notebook):
        for cell in code_cells(notebook)[first::step]:
            cell.metadata.tags = [tag]

    return plant


def stores(*arguments, **options):
    output = new_output(*arguments, **options)
    return lambda notebook: code_cells(notebook)[2].outputs.append(output)


def shows(kind, data="1"):
    return stores("display_data", {kind: data})


def prints(text):
    return stores("stream", name="stdout", text=text)


def figure(notebook):
    """The first cell with a figure, and the output that holds it."""
    cell = next(filter(contract.figures, code_cells(notebook)))
    return cell, contract.figures(cell)[0]


def claiming(notebook):
    return next(cell for cell in code_cells(notebook) if any(contract.claims(cell)))


WIDGET = "application/vnd.jupyter.widget-view+json"
FAULTS = {
    # what nbval passes
    "has count None, not 2": second(execution_count=None),
    "stores an error": stores("error", ename="E", evalue=""),
    "stores stderr": stores("stream", name="stderr", text="w"),
    "stores ['image/svg+xml']": shows("image/svg+xml"),
    f"stores ['{WIDGET}']": shows(WIDGET, {}),
    "stores ['application/javascript']": shows("application/javascript"),
    "stores an absolute path: /home/me/data.npz": prints("read /home/me/data.npz"),
    "asks the network": shows("text/html", "<script src='https://cdn.org/a.js'>"),
    "a PNG that is none": lambda nb: figure(nb)[1].data.update({"image/png": "AA=="}),
    "the tag 'nbval-skip'": tagged("nbval-skip"),
    "speaks to nbval": second(source="# NBVAL_SKIP\nx = 1"),
    "ends in a semicolon": second(source="x = 1;"),
    "ignores the output": tagged(contract.IGNORE, 0, 3),
    # format
    "not a valid notebook": lambda nb: nb.metadata.update(kernelspec={}),
    "an id twice": lambda nb: nb.cells[3].update(id=nb.cells[4].id),
    "widget state": lambda nb: nb.metadata.update(widgets={}),
    "is larger than": prints(contract.MAX_BYTES * "a"),
    "no slide type": lambda nb: nb.cells[3].metadata.pop("slideshow"),
    "more than 45": lambda nb: nb.cells.extend(3 * nb.cells[:-3]),
    "has 30 lines": second(source="pass\n" * 30),
    "has 0 lines": second(source=""),
    "wider than": second(source="x = " + "1 + " * 30 + "1"),
    "names an absolute path": second(source="where = '/home/me/data.npz'"),
    "no prose before it": lambda nb: nb.cells.pop(3),
    # anatomy
    "does not begin with '# 01 · '": edits("# 01 · ", "# 02 · "),
    "no question": edits("?**", "**"),
    "a card with": edits("| **Needs** |", "| Needs |"),
    "'read N, run under 1'": edits("| read 40", "| read 4"),
    "not call lsr.setup": edits("lsr.setup(", "print("),
    "numbers its sections": edits("## 2. ", "## 7. "),
    "not with Recap, Exercises, References": lambda nb: nb.cells.pop(),
    "no section 'Where it fails'": edits("Where it fails", "Limits"),
    "three bullets": edits("\n- ", "\n* "),
    "table of symbols": edits("| symbol |", "| sign |"),
    "without alternative": lambda nb: figure(nb)[1].metadata.clear(),
    "no '**Figure 1.**'": edits("**Figure 1.**", "Figure 1."),
    # folds
    "not folded as": lambda nb: figure(nb)[0].metadata.pop("jupyter"),
    "checks and claims nothing": tagged("checks"),
    "covers a figure": lambda nb: figure(nb)[0].metadata.update(tags=["checks"]),
    "is called folded and is open": lambda nb: nb.cells[3].update(
        source="The cell below is folded."
    ),
    "no cell follows": edits("## References", "## References\nUnfold the cell."),
    # claims and guesses
    "claim 01-9 should be 01-1": edits('"01-1"', '"01-9"'),
    "claim None should be": second(source='claim(f"01-{K}", "sentence", K == 6)'),
    "holds whatever": second(source='claim("01-1", "sentence", True)'),
    "not among the stored": lambda nb: claiming(nb).outputs.clear(),
    "whose output is ignored": lambda nb: claiming(nb).metadata.update(
        tags=[contract.IGNORE]
    ),
    "makes no claim": edits("claim(", "print("),
    "no later cell compares": second(source="guess = None"),
    "before it was asked": second(source='lsr.guess("a", guess_5, 1)'),
    "asks for no prediction": lambda nb: [
        cell.update(source="x = 1") for cell in code_cells(nb) if "guess" in cell.source
    ],
}
EXERCISE_FAULTS = {
    "does not begin with": edits("Exercises:", "Tasks:"),
    "makes a claim": second(source='claim("01-1", "sentence", True)'),
    "stored without": lambda nb: code_cells(nb)[1].outputs.clear(),
    "has count None": second(execution_count=None),
    "has the sections": edits("## 01-2", "## 01-4"),
    "'★★ core · N minutes'": edits("★★ core · 20", "★★ core"),
    "no folded hint": edits("<details>", "<p>"),
    "checks ['01-9']": edits('check("01-1"', 'check("01-9"'),
    "without a rubric": lambda nb: nb.cells.append(
        new_markdown_cell("## Mini-project\n\nDo something.")
    ),
}


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_lesson_is_reported(fault):
    notebook = by_number("01")
    FAULTS[fault](notebook)
    assert any(fault in problem for problem in contract.problems(notebook, "01"))


@pytest.mark.parametrize("fault", EXERCISE_FAULTS)
def test_a_fault_of_an_exercise_is_reported(fault):
    notebook = read(exercise_paths("exercises")[0])
    EXERCISE_FAULTS[fault](notebook)
    problems = contract.problems(notebook, "01", "exercises")
    assert any(fault in problem for problem in problems)


WITHOUT = ["0.918", "4.0074", "97.3 %", "$\\ln 56$", "1,001", "77", "3.7e-5"]
WITH = ["0.9167", "92 %", "notebook 77", "ln 55", "1,000"]


@pytest.mark.parametrize("text", [*WITHOUT, *WITH])
def test_a_number_without_an_output_is_reported(text):
    notebook = by_number("01")
    cell = notebook.cells[5]
    cell.source += f"\n\nIt is {text}."
    wanted = [cell.id] if text in WITHOUT else []
    assert [place for place, _ in missing_numbers(notebook)] == wanted
