"""Faults planted in notebooks, one at a time, and the tests that name them.

    python tests/planted_faults.py             every fault, in some minutes
    python tests/planted_faults.py --only "two cells swapped" "stores an error"

They are those of test_contract.py, and some that other tests or nbval must see. Each
is put into a copy of the checkout, in the first notebook that has a place for it; tests
of notebooks run there, and nbval on that one. Exit status: 0 when each is caught by a
test that passes without it.
"""

import argparse
import contextlib
import copy
import functools
import json
import re
import sys
import tempfile

import nbformat
from mutants import Copy
from notebook_files import ROOT, code_cells, figures, notebook_paths, prose_cells, tags
from test_contract import FAULTS

NAMES = ["notebooks", "pages", "exercises", "folding", "guide"]
TESTS = [f"tests/test_{name}.py" for name in NAMES]
NO_PLACE = StopIteration, LookupError, AssertionError  # in a notebook, for a fault
ELSEWHERE = {  # the folder of its notebook, if it is no lecture
    "an answer left in an exercise": "exercises",
    "a solution changed without its exercise": "solutions",
    "a solution that is wrong": "solutions",
    "a shown function that is not the packages": "deep",
}


def compared(notebook):
    """The code cells that nbval compares."""
    cells = code_cells(notebook)
    return [cell for cell in cells if "nbval-ignore-output" not in tags(cell)]


def code(notebook, pattern, output=""):
    """The first of them whose code, and whose text printed, is as wanted."""

    def printed(cell):
        return "".join(said.get("text", "") for said in cell.outputs)

    return next(
        cell
        for cell in compared(notebook)
        if re.search(pattern, cell.source) and re.search(output, printed(cell))
    )


def printed(notebook):
    """A cell that prints a number, and no version or claim."""
    return code(notebook, "", r"\A(?!.*torch)[^✓]*\d[^✓]*\Z")


def pictures(notebook):
    """The cells with a picture, and the pictures, of a notebook that has two."""
    found = [(cell, output) for cell in compared(notebook) for output in figures(cell)]
    assert len(found) > 1
    return found


def replaced(cell, pattern, text):
    """Change a cell's source, once."""
    before = cell.source
    cell.source = re.sub(pattern, text, before, count=1)
    assert before != cell.source


def changed(holds, pattern, text, output=""):
    """A fault: code that holds this says something else, and did not run again."""
    return lambda notebook: replaced(code(notebook, holds, output), pattern, text)


def said(holds, pattern, text):
    """A fault: the first cell of prose that holds this says something else."""

    def plant(notebook):
        cells = (c for c in prose_cells(notebook) if re.search(holds, c.source))
        replaced(next(cells), pattern, text)

    return plant


SHOWS = r"(?m)^((?:lsr\.)?show\(\s*)(\w+),"
CLAIM = r"(claim\(\s*\"[^\"]+\",\s*(?:\"[^\"]+\"\s*)+,\s*)"
LINK, FIGURE = r"\.ipynb\)", r"\*\*Figure 1\."
SOLVED = r"(# solution.*\n(?:.*\n)*?\s+)return (.*)"

FAULTS = {
    **FAULTS,
    "a link to a file that is not there": said(LINK, LINK, "_old.ipynb)"),
    "a link to a heading that is not there": said(LINK, LINK, ".ipynb#Nowhere)"),
    "a number in prose that no cell printed": said(FIGURE, "$", " It gains 7.7777."),
    "a solution changed without its exercise": said("(?m)^## ", "$", "\n\nOne more."),
    "a figure drawn otherwise": changed(
        SHOWS, SHOWS, r"\2.axes[0].set_title('Another title')\n\1\2,"
    ),
    "code changed and not run": changed("", r"\Z", "\nprint('one more line')", r"\d"),
    "an output deleted": lambda nb: printed(nb).outputs.clear(),
    "an output that is not compared": lambda nb: printed(nb).metadata.update(
        tags=["nbval-ignore-output"]
    ),
    "a figure deleted": lambda nb: pictures(nb)[0][0].outputs.clear(),
    "a claim turned false": changed(CLAIM, CLAIM, r"\1not "),
    "an answer left in an exercise": changed(
        "raise NotImpl", "raise NotImplementedError", "return 0.5"
    ),
    "a solution that is wrong": changed(SOLVED, SOLVED, r"\1return 1.5 + (\2)"),
}


def fault(function):
    FAULTS[function.__name__.replace("_", " ")] = function


@fault
def an_output_added(notebook):
    cell = next(cell for cell in compared(notebook) if not cell.outputs)
    cell.outputs = [nbformat.v4.new_output("stream", text="all is well\n")]


@fault
def a_number_in_an_output_changed(notebook):
    output = printed(notebook).outputs[0]
    digit = re.search(r"\d", output.text)[0]
    output.text = output.text.replace(digit, str((int(digit) + 1) % 10), 1)


@fault
def a_whole_figure_replaced(notebook):
    """Picture, digest and words of another figure: only a run can tell."""
    (_, one), (_, two), *_ = pictures(notebook)
    one.data["image/png"] = two.data["image/png"]
    alt = one.metadata["image/png"]["alt"]
    one.metadata = copy.deepcopy(two.metadata)
    one.metadata["image/png"]["alt"] = alt


@fault
def two_cells_swapped(notebook):
    cells = notebook.cells
    _, one, two, *_ = [k for k, c in enumerate(cells) if c.cell_type == "code"]
    cells[one], cells[two] = cells[two], cells[one]


@fault
def a_claim_that_says_more(notebook):
    """The sentence changes in the cell and its output; the ledger has the old one."""
    cell = code(notebook, r"claim\(")
    for output in cell.outputs:
        output.text = re.sub(r"(✓ \S+  )\w+", r"\1All", output.text, count=1)
    replaced(cell, r'(claim\(\s*"[^"]+",\s*")\w+', r"\1All")


@fault
def a_shown_function_that_is_not_the_packages(notebook):
    shown = (c for c in compared(notebook) if "shown:" in " ".join(tags(c)))
    replaced(next(shown), r"(?m)^( +)return ", r"\1print()\n\1return ")


def planted(name):
    """(path, text) of the first notebook that has a place for this fault."""
    folder = ROOT / "notebooks" / ELSEWHERE.get(name, "")
    for path in notebook_paths():
        if path.parent == folder:
            notebook = nbformat.read(path, as_version=4)
            before = copy.deepcopy(notebook)
            with contextlib.suppress(*NO_PLACE):
                FAULTS[name](notebook)
                assert notebook != before
                # Not through nbformat, which would mend an id that stands twice.
                return path, json.dumps(notebook, indent=1, ensure_ascii=False)
    raise SystemExit(f"No notebook has a place for {name!r}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    chosen, missed = parser.parse_args().only, 0
    with tempfile.TemporaryDirectory() as folder:
        checkout = Copy(folder)
        left_out = functools.cache(checkout.passing)
        for name in chosen:
            path, text = planted(name)
            file = path.relative_to(ROOT).as_posix()
            rounds = [(t, left_out(*t)) for t in (TESTS[:1], [file], TESTS[1:])]
            found = checkout.judged(file, text, rounds)
            missed += not found
            print(f"{name} ({path.stem}): {found or 'NOT CAUGHT'}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} faults are caught.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
