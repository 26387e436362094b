"""The contract notices when a notebook does not keep it: a fault of each kind."""

import base64
import hashlib

import contract
import folding
import pytest
import tidy
from contract import code_cells, unheld
from exercise_files import exercise_paths
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_files import read
from prose_numbers import missing_numbers

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(4)).decode()


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


def recorded_and_changed(notebook):
    tagged(contract.IGNORE)(notebook)
    code_cells(notebook)[1].metadata.recorded_with = [*tidy.digests(notebook)][3]
    edits("lsr.setup(", "x = lsr.setup(")(notebook)


def figure(notebook):
    """The first cell with a figure, and the output that holds it."""
    cell = next(filter(contract.figures, code_cells(notebook)))
    return cell, contract.figures(cell)[0]


def about(notebook):
    return figure(notebook)[1].metadata["image/png"]


def page():
    """A lecture for a room that keeps the contract."""
    data, told = {"image/png": PNG, "text/plain": "Figure: It rises & stops."}, {}
    told["alt"], told["drawn"] = "It rises & stops.", ["x 'step' [] 0 |"]
    told["sha256"] = hashlib.sha256(base64.b64decode(PNG)).hexdigest()
    words = "<details><summary>In words</summary>It rises &amp; stops.</details>"
    picture = new_output("display_data", data, metadata={"image/png": told})
    folded = new_output("display_data", {"text/html": words})
    claimed = new_output("stream", text="✓ 01-1  the sum is over 1\n")
    cells = [
        new_markdown_cell(
            "# 01 · The label\n\n**What replaces it?**\n\n*Needs* nothing · *Minutes* "
            "read 20 · *Device* CPU · *Before* [00](00_a.ipynb) · *Next* [02](02.ipynb)"
        ),
        new_code_cell("device = lsr.setup()"),
        new_markdown_cell("## 1. It moves\n\n**Guess.** Where to?"),
        new_code_cell("guess_place = None"),
        new_code_cell("lsr.guess('the place', guess_place, 'right')"),
        new_code_cell("my_sum = ...  # of one and one", metadata={"tags": ["fill-in"]}),
        new_code_cell("total = 2\ncheck('01', my_sum)", metadata={"tags": ["answer"]}),
        new_code_cell("lsr.show(draw(total), TEXT)", outputs=[picture, folded]),
        new_markdown_cell("**Figure 1.** A line."),
        new_markdown_cell("## 2. Where it fails: at zero"),
        *(new_markdown_cell(f"## {heading}") for heading in contract.ENDING),
        new_code_cell(
            'claim("01-1", "the sum is over 1", total > 1)',
            outputs=[claimed], metadata={"tags": ["checks"]},
        ),
    ]  # fmt: skip
    notebook = new_notebook(cells=cells, metadata=from_dict(tidy.METADATA))
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
    folding.fold(notebook)
    return notebook


def exercise():
    return read(exercise_paths("exercises")[1])  # of 01


def without(*words):
    """A fault: the cells that hold these words are not there."""

    def plant(notebook):
        cells = notebook.cells
        kept = [c for c in cells if not any(word in c.source for word in words)]
        assert len(kept) < len(cells)
        notebook.cells = kept

    return plant


FAULTS = {
    # what nbval passes
    "has count None, not 2": second(execution_count=None),
    "stores an error": stores("error", ename="E", evalue=""),
    "stores stderr": stores("stream", name="stderr", text="w"),
    "stores ['image/svg+xml']": stores("display_data", {"image/svg+xml": "1"}),
    "stores an absolute path: /home/me/a.npz": stores("stream", text="/home/me/a.npz"),
    "asks the network": stores("display_data", {"text/html": "<a href='//a.org/a'>"}),
    "a PNG that is none": lambda nb: figure(nb)[1].data.update({"image/png": "AA=="}),
    "the tag 'nbval-skip'": tagged("nbval-skip"),
    "speaks to nbval": second(source="# NBVAL_SKIP\nx = 1"),
    "in its code; use a tag": second(source="# PYTEST_VALIDATE_IGNORE_OUTPUT\nx = 1"),
    "ends in a semicolon": second(source="x = 1;"),
    "ignores the output": tagged(contract.IGNORE, 0, 3),
    # format
    "not a valid notebook": lambda nb: nb.metadata.update(kernelspec={}),
    "an id twice": lambda nb: nb.cells[3].update(id=nb.cells[4].id),
    "holds other metadata": lambda nb: nb.metadata.update(widgets={}),
    "(another kernel?": lambda nb: nb.metadata.kernelspec.update(name="venv"),
    "than the course's": lambda nb: nb.metadata.language_info.update(version="3.12.1"),
    "editor: ['vscode']": lambda nb: nb.cells[0].metadata.update(vscode={}),
    "stores metadata of an editor": lambda nb: figure(nb)[1].metadata.update(colab={}),
    "is larger than": stores("stream", text=contract.MAX_BYTES * "a"),
    "slide that are none": lambda nb: nb.cells[3].metadata.update(slides=[{"a": 1}]),
    "has 30 lines": lambda nb: code_cells(nb)[0].update(source="pass\n" * 30),
    "has 0 lines": second(source=""),
    "wider than": second(source="x = " + "1 + " * 30 + "1"),
    "names an absolute path": second(source="where = '/home/me/data.npz'"),
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
    "is called folded and is open": edits("**Guess.**", "This cell is folded."),
    "no cell follows": lambda nb: nb.cells.append(new_markdown_cell("Unfold it.")),
    # recordings, claims and guesses
    "recorded with other code": recorded_and_changed,
    "not hold": second(source='claim("01-1", "it is within 0.5 of 3", f < 0.7)'),
    "claim 01-9 should be 01-1": edits('"01-1"', '"01-9"'),
    "claim None should be": second(source='claim(f"01-{K}", "sentence", K == 6)'),
    "holds whatever": second(source='claim("01-1", "sentence", True)'),
    "not among the stored": lambda nb: code_cells(nb)[-1].outputs.clear(),
    "whose output is ignored": tagged(contract.IGNORE, 6),
    "no later cell compares": second(source="guess = None"),
    "before it was asked": second(source='lsr.guess("a", guess_5, 1)'),
}
PAGE_FAULTS = [  # of a lecture for a room
    ("with ['Needs', 'Minutes', 'Device', 'Next'], not", edits("*Before*", "")),
    ("question with ['Minutes', ", edits("*Needs* nothing", "*Needs* ")),
    ("ends with", edits("## References", "## Sources")),
    ("ends with", without("## Checks")),
    ("a section without a number, 'It moves'", edits("## 1. It moves", "## It moves")),
    ("no section 'Where it fails'", edits("Where it fails", "Limits")),
    ("answers nothing", without("my_sum = ...")),
    ("answer that checks {'my_sum'}", edits("check(", "print(")),
    ("answer that checks {'my_sum'}", edits(", my_sum", ", total")),
    ("answer that checks", edits("my_sum = ...", "my_sum = 3")),
    ("answer that checks", lambda nb: code_cells(nb)[4].metadata.pop("tags")),
    ("reads {'my_sum'}", edits("total > 1", "my_sum > 1")),
    ("makes no claim", without("claim(")),
    ("asks for no prediction", without("guess_place")),
]
EXERCISE_FAULTS = {
    "does not begin with": edits("Exercises:", "Tasks:"),
    "makes a claim": second(source='claim("01-1", "sentence", True)'),
    "stored without": lambda nb: code_cells(nb)[1].outputs.clear(),
    "has count None": second(execution_count=None),
    "has the sections": edits("## 01-2", "## 01-4"),
    "'★★ core · N minutes'": edits("★★ core · 20", "★★ core"),
    "no folded hint": edits("<details>", "<p>"),
    "checks ['01-9']": edits('check("01-1"', 'check("01-9"'),
    "without a rubric": edits("## 01-3", "## Mini-project\n\n## 01-3"),
    "no prose before it": lambda nb: nb.cells.insert(2, code_cells(nb)[0]),
    "more than 45": lambda nb: nb.cells.extend(9 * nb.cells),
}
KINDS = [(page, "01", None, *case) for case in [*FAULTS.items(), *PAGE_FAULTS]]
KINDS += [(exercise, "01", "exercises", *case) for case in EXERCISE_FAULTS.items()]


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize(("made", "of", "kind", "fault", "plant"), KINDS)
def test_a_fault_is_reported(made, of, kind, fault, plant):
    notebook = made()
    assert contract.problems(notebook, of, kind) == []
    plant(notebook)
    found = contract.problems(notebook, of, kind)
    assert any(fault in problem for problem in found), found


def test_what_a_deep_dive_and_the_first_page_may_do_without():
    deep = page()
    without("guess_place")(deep)
    edits("01 ·", "01a ·")(deep)
    edits('"01-1"', '"01a-1"')(deep)
    door = page()
    without("claim(", "Checks", "Where it fails")(door)
    edits("01 ·", "00 ·")(door)
    code_cells(deep)[-1].outputs[0].text = "✓ 01a-1  the sum is over 1\n"
    for notebook, name in ((deep, "01a"), (door, "00")):
        for count, cell in enumerate(code_cells(notebook), start=1):
            cell.execution_count = count
        assert contract.problems(notebook, name) == []
        assert len(contract.problems(notebook, "01")) > 1


def test_a_function_of_the_page_may_check_a_line_too():
    notebook = page()
    edits("my_sum = ...  # of one and one", "def my_sum(a):\n    return ...")(notebook)
    edits("device =", "def try_out(mine): pass\n\n\ndevice =")(notebook)
    edits("check('01', my_sum)", "try_out(my_sum)")(notebook)
    assert contract.problems(notebook, "01") == []


def test_a_picture_that_is_not_compared_may_be_older_and_not_other():
    notebook = page()
    cell, picture = figure(notebook)
    cell.metadata["tags"] = [contract.IGNORE]
    cell.outputs.pop()
    del about(notebook)["sha256"], about(notebook)["drawn"], picture.data["text/plain"]
    assert list(contract._pictures(notebook)) == []
    about(notebook)["sha256"] = "0"
    picture.data["text/plain"] = "Figure: A cat."
    assert len(list(contract._pictures(notebook))) == 2


CLAIMS = {  # a sentence and its condition: what the condition does not hold
    ("the loss is within 0.1 of ln 55", "abs(a - b) < 0.1"): [],
    ("the loss is within 0.1 of ln 55", "abs(a - b) < 0.2"): ["within 0.1"],
    ("the loss is within 0.1 of ln 55", 'len("abc") == 3'): ["within 0.1"],
    ("the mean is below 95 %", "mean < 0.95"): [],
    ("over half of them, by at least a point", "low > 0.01 and n > 0.5"): [],
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


@pytest.mark.parametrize("text", [*WITHOUT, *WITH])
def test_a_number_without_an_output_is_reported(text):
    notebook = page()
    stores("stream", text="0.91667 of 55 in 1000")(notebook)
    cell = notebook.cells[8]
    cell.source += f"\n\nIt is {text}."
    wanted = [cell.id] if text in WITHOUT else []
    assert [place for place, _ in missing_numbers(notebook)] == wanted


def test_a_figure_in_words_is_no_evidence():
    notebook = page()
    notebook.cells[8].source += " It ends at 4.0073."
    words = figure(notebook)[0].outputs[1].data
    words["text/html"] = words["text/html"].replace("stops.", "stops at 4.0073.")
    assert missing_numbers(notebook) == [(notebook.cells[8].id, "4.0073")]
    words["text/html"] += "<table><td>4.0073</td></table>"
    assert missing_numbers(notebook) == []
