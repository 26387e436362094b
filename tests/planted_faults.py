"""Faults planted in notebooks, one at a time, and the tests that name them.

    python tests/planted_faults.py             every fault, in some minutes
    python tests/planted_faults.py --only "two cells swapped" "alt text gone"

Each fault is put into a copy of the checkout, into the first notebook that has a place
for it. Then the tests of notebooks run there: the contract and its neighbours, and
nbval on that notebook. Exit status: 0 when each is caught by a test that passes
without it.
"""

import argparse
import copy
import json
import re
import sys
import tempfile

import nbformat
from mutants import Copy
from notebook_files import ROOT, notebook_paths, tags

TESTS = "notebooks claims links readme exercises folding shape guide".split()
TESTS = [f"tests/test_{name}.py" for name in TESTS]
FAULTS = {}


def fault(place):
    """Register a fault: a function of a notebook that breaks it, or says False."""

    def register(function):
        FAULTS[function.__name__.replace("_", " ")] = (place, function)
        return function

    return register


lecture = fault("notebooks")
exercise = fault("notebooks/exercises")
solution = fault("notebooks/solutions")


def code(notebook, wanted=lambda cell: True):
    """The first code cell that is wanted, and is compared by nbval."""
    compared = (c for c in notebook.cells if c.cell_type == "code" and checked(c))
    return next((cell for cell in compared if wanted(cell)), None)


def checked(cell):
    return "nbval-ignore-output" not in tags(cell)


def with_output(notebook, wanted):
    for cell in notebook.cells:
        for output in cell.get("outputs", []) if checked(cell) else []:
            if wanted(output):
                return cell, output
    return None, None


def printed(notebook):
    def says_a_number(output):
        text = output.get("text", "")
        return re.search(r"\d", text) and "torch" not in text and "✓" not in text

    return with_output(notebook, says_a_number)


def pictures(notebook):
    found = (o for c in notebook.cells for o in c.get("outputs", []) if checked(c))
    return [output for output in found if "image/png" in output.get("data", {})]


SHOWS = r"(?m)^((?:lsr\.)?show\(\s*(\w+),)"


def shows(cell):
    """The name of the figure that a cell shows, or None."""
    found = re.search(SHOWS, cell.source)
    return found and found[2]


def claims(notebook):
    return [c for c in notebook.cells if "claim(" in c.source and c.cell_type == "code"]


def prose(notebook, pattern):
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(pattern, cell.source):
            return cell
    return None


def replaced(cell, pattern, text):
    """Change a cell's source; False where the pattern changes nothing."""
    before = cell.source if cell else ""
    after = re.sub(pattern, text, before, count=1)
    if before == after:
        return False
    cell.source = after


# -- outputs -------------------------------------------------------------------------


@lecture
def a_number_in_an_output_changed(notebook):
    _, output = printed(notebook)
    if not output:
        return False
    digit = re.search(r"\d", output.text)[0]
    output.text = output.text.replace(digit, str((int(digit) + 1) % 10), 1)


@lecture
def an_output_deleted(notebook):
    cell, output = printed(notebook)
    if not output:
        return False
    cell.outputs.remove(output)


@lecture
def an_output_added(notebook):
    code(notebook, lambda cell: not cell.outputs).outputs = [
        nbformat.v4.new_output("stream", text="all is well\n")
    ]


@lecture
def a_number_in_a_table_changed(notebook):
    def table(output):
        return "<td>" in output.get("data", {}).get("text/html", "")

    _, output = with_output(notebook, table)
    if not output:
        return False
    output.data["text/html"] = re.sub(r"<td>[^<]*", "<td>0.5", output.data["text/html"])


@lecture
def an_error_stored(notebook):
    error = {"ename": "ValueError", "evalue": "", "traceback": []}
    code(notebook).outputs = [nbformat.v4.new_output("error", **error)]


@lecture
def a_warning_stored(notebook):
    text = {"name": "stderr", "text": "UserWarning: deprecated\n"}
    code(notebook).outputs.append(nbformat.v4.new_output("stream", **text))


@lecture
def a_path_of_a_machine_stored(notebook):
    _, output = printed(notebook)
    if not output:
        return False
    output.text += "read from /home/me/data/questions.csv\n"


@lecture
def an_svg_stored(notebook):
    data = {"image/svg+xml": "<svg/>", "text/plain": ""}
    code(notebook).outputs.append(nbformat.v4.new_output("display_data", data))


@lecture
def a_widget_stored(notebook):
    data = {
        "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
        "text/plain": "  0%|          | 0/1500",
    }
    code(notebook).outputs.append(nbformat.v4.new_output("display_data", data))


# -- figures -------------------------------------------------------------------------


@lecture
def a_picture_replaced(notebook):
    found = pictures(notebook)
    if len(found) < 2:
        return False
    found[0].data["image/png"] = found[1].data["image/png"]


@lecture
def a_whole_figure_replaced(notebook):
    """Picture, digest and words of another figure: only a run can tell."""
    found = pictures(notebook)
    if len(found) < 2:
        return False
    found[0].data["image/png"] = found[1].data["image/png"]
    alt = found[0].metadata["image/png"]["alt"]
    found[0].metadata = copy.deepcopy(found[1].metadata)
    found[0].metadata["image/png"]["alt"] = alt


@lecture
def a_picture_that_is_none(notebook):
    if not pictures(notebook):
        return False
    pictures(notebook)[0].data["image/png"] = "bm8gcGljdHVyZQ==\n"


@lecture
def a_figure_deleted(notebook):
    cell, output = with_output(notebook, lambda o: "image/png" in o.get("data", {}))
    if not output:
        return False
    cell.outputs.remove(output)


def before_showing(notebook, line):
    """Code that changes the figure of a cell, which does not run again."""
    cell = code(notebook, shows)
    if cell is None:
        return False
    added = line.format(shows(cell))
    cell.source = re.sub(
        r"(?m)^lsr\.show\(", f"{added}\nlsr.show(", cell.source, count=1
    )


@lecture
def an_axis_turned_in_code_that_did_not_run(notebook):
    return before_showing(notebook, "[axes.invert_yaxis() for axes in {}.axes]")


@lecture
def a_title_changed_in_code_that_did_not_run(notebook):
    return before_showing(notebook, "{}.axes[0].set_title('Another title')")


@lecture
def curves_moved_in_code_that_did_not_run(notebook):
    line = "[line.set_ydata([y * 0.8 for y in line.get_ydata()])"
    return before_showing(notebook, line + " for a in {}.axes for line in a.lines]")


@lecture
def a_curve_recoloured_in_the_stored_digest(notebook):
    for output in pictures(notebook):
        lines = output.metadata["image/png"].get("drawn", [])
        for k, line in enumerate(lines):
            if line.startswith("Line2D") and line.endswith(" 0 0 0"):
                lines[k] = line[: -len(" 0 0 0")] + " 900 0 0"
                return None
    return False


@lecture
def the_digest_of_a_figure_gone(notebook):
    if not pictures(notebook):
        return False
    del pictures(notebook)[0].metadata["image/png"]["drawn"]


@lecture
def alt_text_changed(notebook):
    if not pictures(notebook):
        return False
    pictures(notebook)[0].metadata["image/png"]["alt"] = "A cat."


@lecture
def alt_text_gone(notebook):
    if not pictures(notebook):
        return False
    del pictures(notebook)[0].metadata["image/png"]["alt"]


@lecture
def the_words_under_a_figure_changed(notebook):
    def words(output):
        return "<details" in output.get("data", {}).get("text/html", "")

    _, output = with_output(notebook, words)
    if not output:
        return False
    output.data["text/html"] = output.data["text/html"].replace(
        "</summary>", "</summary>No "
    )


@lecture
def a_figure_numbered_wrongly(notebook):
    return replaced(prose(notebook, r"\*\*Figure 1\."), "Figure 1", "Figure 9")


# -- execution -----------------------------------------------------------------------


@lecture
def a_cell_that_was_never_run(notebook):
    cell = code(notebook, lambda cell: cell.outputs)
    cell.execution_count, cell.outputs = None, []


@lecture
def all_outputs_stripped(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []


@lecture
def two_cells_swapped(notebook):
    first, second = [k for k, c in enumerate(notebook.cells) if c.cell_type == "code"][
        1:3
    ]
    cells = notebook.cells
    cells[first], cells[second] = cells[second], cells[first]


@lecture
def a_cell_run_twice(notebook):
    cell = code(notebook, lambda cell: cell.execution_count == 2)
    cell.execution_count = 7


@lecture
def code_changed_and_not_run(notebook):
    cell, output = printed(notebook)
    if not output:
        return False
    cell.source += "\nprint('one more line')"


@lecture
def a_recording_older_than_its_code(notebook):
    ignored = [c for c in notebook.cells if "recorded_with" in c.metadata]
    if not ignored:
        return False
    ignored[0].source += "\n2 + 2"


# -- metadata ------------------------------------------------------------------------


@lecture
def a_private_kernel(notebook):
    notebook.metadata.kernelspec.name = "my-venv"


@lecture
def the_version_of_a_kernel(notebook):
    notebook.metadata.language_info["version"] = "3.12.1"


@lecture
def foreign_metadata_of_a_cell(notebook):
    notebook.cells[0].metadata["vscode"] = {"languageId": "python"}


@lecture
def widget_state(notebook):
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


@lecture
def an_id_twice(notebook):
    notebook.cells[1].id = notebook.cells[0].id


@lecture
def a_folded_cell_unfolded(notebook):
    folded = [c for c in notebook.cells if c.metadata.get("jupyter")]
    if not folded:
        return False
    del folded[0].metadata["jupyter"]


@lecture
def an_open_cell_folded(notebook):
    cell = code(notebook, lambda cell: "jupyter" not in cell.metadata)
    cell.metadata["jupyter"] = {"source_hidden": True}


@lecture
def a_tag_that_skips_a_cell(notebook):
    cell = code(notebook, lambda cell: cell.outputs)
    cell.metadata["tags"] = [*tags(cell), "nbval-skip"]


@lecture
def an_output_ignored_by_a_comment(notebook):
    cell, output = printed(notebook)
    if not output:
        return False
    cell.source = "# PYTEST_VALIDATE_IGNORE_OUTPUT\n" + cell.source
    output.text = "0.5\n"


@lecture
def an_output_ignored_by_a_newer_comment(notebook):
    cell, output = printed(notebook)
    if not output:
        return False
    cell.source = "# NBVAL_IGNORE_OUTPUT\n" + cell.source
    output.text = "0.5\n"


# -- claims --------------------------------------------------------------------------

CONDITION = (
    r"claim\(\s*(\"[^\"]+\"),\s*((?:\"[^\"]+\"\s*)+),[^()]*(?:\([^()]*\)[^()]*)*\)"
)


@lecture
def a_claim_that_holds_whatever_happens(notebook):
    return replaced(claims(notebook)[0], CONDITION, r"claim(\1, \2, True)")


@lecture
def a_condition_weakened_to_a_count(notebook):
    for cell in claims(notebook):
        found = re.search(CONDITION, cell.source)
        if found and re.search(r"(?:over|under|within|to) \d", found[2]):
            weak = rf'claim({found[1]}, {found[2]}, len("abc") == 3)'
            cell.source = cell.source.replace(found[0], weak)
            return None
    return False


@lecture
def a_claim_turned_false(notebook):
    cell = claims(notebook)[0]
    return replaced(
        cell, r"(claim\(\s*\"[^\"]+\",\s*(?:\"[^\"]+\"\s*)+,\s*)", r"\1not "
    )


@lecture
def a_claim_numbered_wrongly(notebook):
    return replaced(claims(notebook)[0], r"claim\((\s*)\"(\w+)-1\"", r'claim(\1"\2-77"')


@lecture
def a_claim_that_says_more(notebook):
    """The sentence changes in the cell and its output; the ledger has the old one."""
    cell = claims(notebook)[0]
    words = re.search(CONDITION, cell.source)
    if not words:
        return False
    for output in cell.outputs:
        output.text = re.sub(r"(?m)^(✓ \S+  .*)$", r"\1, always", output.text, count=1)
    return replaced(
        cell, r'(claim\(\s*"[^"]+",\s*(?:"[^"]+"\s*)*"[^"]+)"', r'\1, always"'
    )


# -- prose ---------------------------------------------------------------------------


@lecture
def a_link_to_a_file_that_is_not_there(notebook):
    return replaced(prose(notebook, r"\.ipynb\)"), r"\.ipynb\)", "_old.ipynb)")


@lecture
def a_link_to_a_heading_that_is_not_there(notebook):
    return replaced(prose(notebook, r"\.ipynb#"), r"\.ipynb#[^)]*", ".ipynb#Nowhere")


@lecture
def a_number_in_prose_that_no_cell_printed(notebook):
    cell = prose(notebook, r"\*\*Figure 1\.")
    return replaced(cell, r"$", " It gains 7.7777 points.")


@lecture
def an_open_cell_called_folded(notebook):
    cells = notebook.cells
    for before, cell in zip(cells, cells[1:], strict=False):
        if before.cell_type == "markdown" and cell.cell_type == "code":
            if "jupyter" not in cell.metadata:
                before.source += "\n\nThe next cell is folded."
                return None
    return False


@lecture
def the_question_under_the_title_gone(notebook):
    return replaced(notebook.cells[0], r"\*\*[^*]+\?\*\*", "A lecture.")


@lecture
def a_shown_function_that_is_not_the_packages(notebook):
    shown = [c for c in notebook.cells if any(t.startswith("shown:") for t in tags(c))]
    if not shown:
        return False
    return replaced(shown[0], r"(?m)^( +)return ", r"\1print()\n\1return ")


# -- exercises -----------------------------------------------------------------------


@exercise
def an_answer_left_in_an_exercise(notebook):
    cell = code(notebook, lambda cell: "raise NotImplementedError" in cell.source)
    return replaced(cell, r"raise NotImplementedError", "return 0.5")


@exercise
def a_hint_gone(notebook):
    return replaced(prose(notebook, "<details>"), r"(?s)<details>.*</details>", "")


@solution
def a_solution_changed_without_its_exercise(notebook):
    return replaced(prose(notebook, r"(?m)^## "), r"$", "\n\nOne more question.")


@solution
def a_solution_that_is_wrong(notebook):
    cell = code(notebook, lambda cell: "# solution" in cell.source)
    return replaced(
        cell, r"(# solution.*\n(?:.*\n)*?\s+)return (.*)", r"\1return 1.5 + (\2)"
    )


def planted(name):
    """(path, text) of the first notebook that has a place for this fault."""
    place, function = FAULTS[name]
    for path in notebook_paths():
        if path.parent == ROOT / place:
            notebook = nbformat.read(path, as_version=4)
            if function(notebook) is not False:
                # Not through nbformat, which would mend an id that stands twice.
                return path, json.dumps(notebook, indent=1, ensure_ascii=False)
    raise SystemExit(f"No notebook has a place for {name!r}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    chosen = parser.parse_args().only
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        sound = Copy(folder)
        before = sound.failing(TESTS, 600)
        if before:
            sys.exit(f"Without a fault these fail already: {before}")
        for name in chosen:
            path, text = planted(name)
            target = sound.root / path.relative_to(ROOT)
            whole = target.read_bytes()
            target.write_text(text, encoding="utf-8")
            tests = [*TESTS, target.relative_to(sound.root).as_posix()]
            found = sound.failing(tests, 900, "-x")
            target.write_bytes(whole)
            missed += [] if found else [name]
            print(f"{name} ({path.stem}): {(found or ['NOT CAUGHT'])[0]}", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults are caught.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
