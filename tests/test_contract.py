"""The contract notices when a notebook does not keep it: a fault of each kind."""

import contract
import pytest
from contract import code_cells, unheld
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_files import by_number, exercise_paths, read
from prose_numbers import missing_numbers


def edits(old, new):
    def plant(notebook):
        found = [cell for cell in notebook.cells if old in cell.source]
        assert found
        for cell in found:
            cell.source = cell.source.replace(old, new)

    return plant


def without(words):
    """A fault: the cells that hold these words are not there."""

    def plant(notebook):
        kept = [cell for cell in notebook.cells if words not in cell.source]
        assert len(kept) < len(notebook.cells)
        notebook.cells = kept

    return plant


def third(**changes):
    return lambda notebook: code_cells(notebook)[2].update(changes)


def tagged(tag, first=1, step=99):
    def plant(notebook):
        for cell in code_cells(notebook)[first::step]:
            cell.metadata.tags = [tag]

    return plant


def stores(*arguments, **options):
    output = new_output(*arguments, **options)
    return lambda notebook: code_cells(notebook)[2].outputs.append(output)


def figure(notebook):
    """The first cell with a figure, and the output that holds it."""
    cell = next(filter(contract.figures, code_cells(notebook)))
    return cell, contract.figures(cell)[0]


def about(notebook):
    return figure(notebook)[1].metadata["image/png"]


FAULTS = {
    # what nbval passes
    "has count None, not 3": third(execution_count=None),
    "stores an error": stores("error", ename="E", evalue=""),
    "stores stderr": stores("stream", name="stderr", text="w"),
    "stores ['image/svg+xml']": stores("display_data", {"image/svg+xml": "1"}),
    "stores an absolute path: /home/me/a.npz": stores("stream", text="/home/me/a.npz"),
    "asks the network": stores("display_data", {"text/html": "<a href='//a.org/a'>"}),
    "a PNG that is none": lambda nb: figure(nb)[1].data.update({"image/png": "AA=="}),
    "the tag 'nbval-skip'": tagged("nbval-skip"),
    "speaks to nbval": third(source="# NBVAL_SKIP\nx = 1"),
    "ends in a semicolon": third(source="x = 1;"),
    "ignores the output": tagged(contract.IGNORE, 0, 3),
    # format
    "not a valid notebook": lambda nb: nb.metadata.update(kernelspec={}),
    "an id twice": lambda nb: nb.cells[3].update(id=nb.cells[4].id),
    "holds other metadata": lambda nb: nb.metadata.update(widgets={}),
    "editor: ['vscode']": lambda nb: nb.cells[0].metadata.update(vscode={}),
    "stores metadata of an editor": lambda nb: figure(nb)[1].metadata.update(colab={}),
    "is larger than": stores("stream", text=contract.MAX_BYTES * "a"),
    "has 30 lines": lambda nb: code_cells(nb)[0].update(source="pass\n" * 30),
    "names an absolute path": third(source="where = '/home/me/data.npz'"),
    # anatomy
    "does not begin with '# 01 · '": edits("# 01 · ", "# 02 · "),
    "no question": edits("?**", "**"),
    "not call lsr.setup": edits("lsr.setup(", "print("),
    "numbers its sections": edits("## 2. ", "## 7. "),
    "has no alternative text": lambda nb: about(nb).pop("alt"),
    "text that is not text/plain": lambda nb: figure(nb)[1].data.pop("text/plain"),
    "not the words under it": lambda nb: figure(nb)[0].outputs.pop(),
    "is another picture": lambda nb: about(nb).update(sha256="0"),
    "than the one that was drawn": lambda nb: about(nb).pop("sha256"),
    "not say what is drawn": lambda nb: about(nb).pop("drawn"),
    "no '**Figure 1.**'": edits("**Figure 1.**", "Figure 1."),
    # folds
    "not folded as": lambda nb: figure(nb)[0].metadata.pop("jupyter"),
    "checks and claims nothing": tagged("checks"),
    "covers a figure": lambda nb: figure(nb)[0].metadata.update(tags=["checks"]),
    # recordings, claims and guesses
    "recorded with other code": edits("lsr.setup(", "x = lsr.setup("),
    "not hold": third(source='claim("01-1", "it is within 0.5 of 3", f < 0.7)'),
    "claim 01-9 should be 01-1": edits('"01-1"', '"01-9"'),
    "claim None should be": third(source='claim(f"01-{K}", "sentence", K == 6)'),
    "holds whatever": third(source='claim("01-1", "sentence", True)'),
    "not among the stored": lambda nb: code_cells(nb)[-1].outputs.clear(),
    "whose output is ignored": tagged(contract.IGNORE, -1),
    "no later cell compares": third(source="guess = None"),
    "before it was asked": third(source='lsr.guess("a", guess_5, 1)'),
}
PAGE_FAULTS = [  # of a lecture for a room
    ("with ['Needs', 'Minutes', 'Device', 'Next'], not", edits("*Before*", "")),
    ("ends with", edits("## References", "## Sources")),
    ("a section without a number, 'A. ", edits("## 1. ", "## A. ")),
    ("no section 'Where it fails'", edits("Where it fails", "Limits")),
    ("answers nothing", without("my_row = ...")),
    ("answer that checks {'my_row'}", edits('check("01 row', 'print("01 row')),
    ("answer that checks {'my_row'}", edits(", my_row", ", row")),
    ("answer that checks", tagged("hide-input", 5)),
    ("reads {'my_row'}", edits("(), row.numpy()", "(), my_row")),
    ("makes no claim", without("claim(")),
    ("asks for no prediction", without("guess_")),
]
EXERCISE_FAULTS = {
    "does not begin with": edits("Exercises:", "Tasks:"),
    "stored without": lambda nb: code_cells(nb)[1].outputs.clear(),
    "has the sections": edits("## 01-2", "## 01-4"),
    "'★★ core · N minutes'": edits("★★ core · 20", "★★ core"),
    "no folded hint": edits("<details>", "<p>"),
    "checks ['01-2', '01-3', '01-9']": edits('check("01-1"', 'check("01-9"'),
    "without a rubric": edits("## 01-3", "## Mini-project\n\n## 01-3"),
}
KINDS = [("01", None, *case) for case in [*FAULTS.items(), *PAGE_FAULTS]]
KINDS += [("01", "exercises", *case) for case in EXERCISE_FAULTS.items()]


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize(("of", "kind", "fault", "plant"), KINDS)
def test_a_fault_is_reported(of, kind, fault, plant):
    notebook = read(exercise_paths(kind)[1]) if kind else by_number(of)
    plant(notebook)
    found = contract.problems(notebook, of, kind)
    assert any(fault in problem for problem in found), found


CLAIMS = {  # a sentence and its condition: what the condition does not hold
    ("the loss is within 0.1 of ln 55", "abs(a - b) < 0.1"): [],
    ("the loss is within 0.1 of ln 55", "abs(a - b) < 0.2"): ["within 0.1"],
    ("the mean is below 95 %", "mean < 0.95"): [],
    ("over half of them, by at least a point", "low > 0.01"): ["over half"],
    ("equal to 1e-5", "a.allclose(b, atol=1e-5)"): [],
    ("beyond 10,000 classes", "k > 10_000"): [],
    ("from ε = 0.1 to 0.4", 'rows.query("eps in (0.1, 0.4)").all()'): [],
    ("at most -0.3", "worst <= LEAST"): ["at most -0.3"],
    ("over 3 and above 2", "x > 2"): ["over 3"],
    ("20 seeds of 4", "True in found"): [],
}


@pytest.mark.parametrize(("sentence", "condition"), CLAIMS)
def test_numbers_of_a_claim_stand_in_its_condition_or_in_the_code(sentence, condition):
    made = f'claim("01-1", {sentence!r}, {condition})\nclaim("01-2", "", 0.1)'
    cell = new_code_cell(made)
    wanted = CLAIMS[sentence, condition]
    assert [said for _, said in unheld(cell)] == wanted
    if wanted:  # unless code beside it has them
        cell.source += "\nLEAST = -0.3, 0.1, 3, 0.5"
        assert list(unheld(cell)) == []


WITHOUT = ["0.918", "4.0074", "97.3 %", "$\\ln 56$", "1,001", "77", "3.7e-5"]
WITH = ["0.9167", "92 %", "notebook 77", "lecture 77a", "ln 55", "1,000"]
WITH += ["[77](77_a.ipynb), see [78a](deep/78_a.ipynb)", "77b-12", "deep dives 77, 78a"]


def says(text, shown=""):
    """A notebook that prints some numbers, shows this HTML, and says this."""
    page = new_output("display_data", {"text/html": shown})
    outputs = [new_output("stream", text="0.91667 of 55 in 1000"), page]
    prose = new_markdown_cell("# 01"), new_markdown_cell(text)
    return new_notebook(cells=[new_code_cell("", outputs=outputs), *prose])


@pytest.mark.parametrize("text", [*WITHOUT, *WITH])
def test_a_number_without_an_output_is_reported(text):
    assert bool(missing_numbers(says(f"It is {text}."))) == (text in WITHOUT)


def test_a_figure_in_words_is_no_evidence():
    words = "<details>It ends at 4.0073.</details>"
    ((_, number),) = missing_numbers(says("At 4.0073.", words))
    assert number == "4.0073"
    assert missing_numbers(says("At 4.0073.", f"{words}<td>4.0073</td>")) == []
