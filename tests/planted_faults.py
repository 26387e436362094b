"""Faults planted in notebooks, one at a time, and the tests that name them.

    python tests/planted_faults.py             every fault, in some minutes
    python tests/planted_faults.py --only "two cells swapped" "alt text gone"

Each is put into a copy of the checkout, in the first notebook that has a place for it;
tests of notebooks run there, and nbval on that one. Exit status: 0 when each fault is
caught by a test that passes without it.
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
from notebook_files import ROOT, code_cells, notebook_paths, prose_cells, tags

NAMES = "notebooks claims links readme exercises folding shape guide"
TESTS = [f"tests/test_{name}.py" for name in NAMES.split()]
NO_PLACE = StopIteration, LookupError, AssertionError  # in a notebook, for a fault
FAULTS = {}  # name: a function of a notebook that breaks it
ELSEWHERE = {}  # name: the folder of its notebook, if it is no lecture


def fault(function):
    FAULTS[function.__name__.replace("_", " ")] = function
    return function


def code(notebook, wanted=lambda cell: True):
    """The first code cell that is wanted, and is compared by nbval."""
    return next(c for c in code_cells(notebook) if checked(c) and wanted(c))


def checked(cell):
    return "nbval-ignore-output" not in tags(cell)


def with_output(notebook, wanted):
    cells = filter(checked, code_cells(notebook))
    return next((cell, o) for cell in cells for o in cell.outputs if wanted(o))


def printed(notebook):
    """A cell and its output that is a number, printed."""

    def says_a_number(output):
        text = output.get("text", "")
        return re.search(r"\d", text) and "torch" not in text and "✓" not in text

    return with_output(notebook, says_a_number)


def pictures(notebook):
    """The pictures of a notebook that has two."""
    found = (o for cell in filter(checked, code_cells(notebook)) for o in cell.outputs)
    found = [output for output in found if "image/png" in output.get("data", {})]
    assert len(found) > 1
    return found


BLACK = re.compile("Line2D.* 0 0 0$")
SHOWS = r"(?m)^((?:lsr\.)?show\(\s*(\w+),)"


def claims(notebook):
    code(notebook, lambda cell: "claim(" in cell.source)  # there is one
    return [cell for cell in code_cells(notebook) if "claim(" in cell.source]


def replaced(cell, pattern, text):
    """Change a cell's source, once."""
    before = cell.source
    cell.source = re.sub(pattern, text, before, count=1)
    assert before != cell.source


def image(notebook):
    """What is kept of the first picture beside it."""
    return pictures(notebook)[0].metadata["image/png"]


def output(kind, *arguments, **options):
    """A fault: a cell stores one output more."""
    made = nbformat.v4.new_output(kind, *arguments, **options)
    return lambda notebook: code(notebook).outputs.append(made)


def drawn_otherwise(line):
    """A fault: code that changes the figure of a cell, which does not run again."""

    def plant(notebook):
        cell = code(notebook, lambda cell: re.search(SHOWS, cell.source))
        name = re.search(SHOWS, cell.source)[2]
        replaced(cell, SHOWS, lambda found: f"{line.format(name)}\n{found[0]}")

    return plant


def prose(notebook, pattern):
    return next(c for c in prose_cells(notebook) if re.search(pattern, c.source))


def claim_changed(pattern, text):
    return lambda notebook: replaced(claims(notebook)[0], pattern, text)


def in_code(wanted, **changes):
    """A fault: the first cell that is wanted has these other values."""
    return lambda notebook: code(notebook, wanted).update(**changes)


def told(notebook):
    return with_output(notebook, lambda o: "<details" in html(o))


def html(output):
    return output.get("data", {}).get("text/html", "")


def only_in_words(notebook):
    about, (_, words) = image(notebook), told(notebook)
    about["alt"] += " It is 7.7777."
    pictures(notebook)[0].data["text/plain"] += " It is 7.7777."
    words.data["text/html"] = html(words).replace(
        "</details>", " It is 7.7777.</details>"
    )
    replaced(prose(notebook, r"\*\*Figure 1\."), "$", " It gains 7.7777 points.")


def says_more(notebook):
    """The sentence changes in the cell and its output; the ledger has the old one."""
    cell = claims(notebook)[0]
    for output in cell.outputs:
        output.text = re.sub(r"(✓ \S+  )\w+", r"\1All", output.text, count=1)
    replaced(cell, r'(claim\(\s*"[^"]+",\s*")\w+', r"\1All")


def ignored(comment):
    def plant(notebook):
        cell, output = printed(notebook)
        cell.source = f"# {comment}\n{cell.source}"
        output.text = "0.5\n"

    return plant


ERROR = {"ename": "ValueError", "evalue": "", "traceback": []}
WIDGET = {
    "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
    "text/plain": "  0%|          | 0/1500",
}
STATE = {"application/vnd.jupyter.widget-state+json": {}}
CLAIM = r"(claim\(\s*(\"[^\"]+\"),\s*((?:\"[^\"]+\"\s*)+),\s*)"
CONDITION = CLAIM + r"[^()]*(?:\([^()]*\)[^()]*)*\)"

LINK, FIGURE = r"\.ipynb\)", r"\*\*Figure 1\."
PROSE = {  # name: what a cell of prose holds, and what becomes of a text in it
    "a figure numbered wrongly": (FIGURE, "Figure 1", "Figure 9"),
    "a link to a file that is not there": (LINK, LINK, "_old.ipynb)"),
    "a link to a heading that is not there": (LINK, LINK, ".ipynb#Nowhere)"),
    "a number in prose that no cell printed": (FIGURE, "$", " It gains 7.7777 points."),
    "the question under the title gone": (r"\?\*\*", r"\*\*[^*]+\?\*\*", "A lecture."),
    "a hint gone": ("<details>", r"(?s)<details>.*</details>", ""),
    "a solution changed without its exercise": ("(?m)^## ", "$", "\n\nOne more."),
}
for name, (holds, *change) in PROSE.items():
    FAULTS[name] = lambda nb, holds=holds, change=change: replaced(
        prose(nb, holds), *change
    )

FAULTS |= {
    # outputs
    "an output deleted": lambda nb: printed(nb)[0].outputs.clear(),
    "an output added": in_code(
        lambda cell: not cell.outputs,
        outputs=[nbformat.v4.new_output("stream", text="all is well\n")],
    ),
    "an error stored": output("error", **ERROR),
    "a warning stored": output("stream", name="stderr", text="UserWarning: old\n"),
    "an svg stored": output("display_data", {"image/svg+xml": "<svg/>"}),
    "a widget stored": output("display_data", WIDGET),
    "a path of a machine stored": lambda nb: printed(nb)[1].update(
        text=printed(nb)[1].text + "read from /home/me/data/questions.csv\n"
    ),
    # figures
    "a picture replaced": lambda nb: pictures(nb)[0].data.update(pictures(nb)[1].data),
    "a picture that is none": lambda nb: pictures(nb)[0].data.update(
        {"image/png": "bm8gcGljdHVyZQ==\n"}
    ),
    "a figure deleted": lambda nb: code(
        nb, lambda cell: pictures(nb)[0] in cell.outputs
    ).outputs.remove(pictures(nb)[0]),
    "an axis turned in code that did not run": drawn_otherwise(
        "[axes.invert_yaxis() for axes in {}.axes]"
    ),
    "a title changed in code that did not run": drawn_otherwise(
        "{}.axes[0].set_title('Another title')"
    ),
    "curves moved in code that did not run": drawn_otherwise(
        "for line in {}.findobj(plt.Line2D):\n"
        "    line.set_ydata(line.get_ydata() * 0.8)"
    ),
    "the digest of a figure gone": lambda nb: image(nb).pop("drawn"),
    "the hash of a picture gone": lambda nb: image(nb).pop("sha256"),
    "alt text changed": lambda nb: image(nb).update(alt="A cat."),
    "alt text gone": lambda nb: image(nb).pop("alt"),
    "the words under a figure changed": lambda nb: told(nb)[1].data.update(
        {"text/html": html(told(nb)[1]).replace("</summary>", "</summary>No ")}
    ),
    "the words under a figure gone": lambda nb: told(nb)[0].outputs.remove(told(nb)[1]),
    # execution
    "a cell run twice": lambda nb: code_cells(nb)[1].update(execution_count=7),
    "code changed and not run": lambda nb: printed(nb)[0].update(
        source=printed(nb)[0].source + "\nprint('one more line')"
    ),
    # metadata
    "a private kernel": lambda nb: nb.metadata.kernelspec.update(name="my-venv"),
    "the version of a kernel": lambda nb: nb.metadata.language_info.update(version="3"),
    "foreign metadata of a notebook": lambda nb: nb.metadata.update(colab={}),
    "foreign metadata of a cell": lambda nb: nb.cells[0].metadata.update(vscode={}),
    "foreign metadata of an output": lambda nb: with_output(
        nb, lambda output: output.output_type == "execute_result"
    )[1].metadata.update(executionInfo={}),
    "widget state": lambda nb: nb.metadata.update(widgets=STATE),
    "an id twice": lambda nb: nb.cells[1].update(id=nb.cells[0].id),
    "a folded cell unfolded": lambda nb: code(
        nb, lambda cell: cell.metadata.get("jupyter")
    ).metadata.pop("jupyter"),
    "an open cell folded": lambda nb: code(
        nb, lambda cell: "jupyter" not in cell.metadata
    ).metadata.update(jupyter={"source_hidden": True}),
    "a tag that skips a cell": lambda nb: code(nb).metadata.update(tags=["nbval-skip"]),
    "an output that is no longer compared": lambda nb: printed(nb)[0].metadata.update(
        tags=["nbval-ignore-output"]
    ),
    # claims
    "a claim that holds whatever happens": claim_changed(CONDITION, r"\1True)"),
    "a claim turned false": claim_changed(CLAIM, r"\1not "),
    "a claim numbered wrongly": claim_changed(
        r"claim\((\s*)\"(\w+)-1\"", r'claim(\1"\2-77"'
    ),
    # prose
    "a number that only a figure in words says": only_in_words,
    # exercises and solutions
    "an answer left in an exercise": lambda nb: replaced(
        code(nb, lambda cell: "raise NotImplementedError" in cell.source),
        "raise NotImplementedError", "return 0.5",
    ),
    "a solution that is wrong": lambda nb: replaced(
        code(nb, lambda cell: "# solution" in cell.source),
        r"(# solution.*\n(?:.*\n)*?\s+)return (.*)", r"\1return 1.5 + (\2)",
    ),
    # more of claims, outputs and folds
    "a claim that says more": says_more,
    "a shown function that is not the packages": lambda nb: replaced(
        code(nb, lambda cell: "shown:" in " ".join(tags(cell))),
        r"(?m)^( +)return ", r"\1print()\n\1return ",
    ),
    "a recording older than its code": lambda nb: replaced(
        next(c for c in nb.cells if "recorded_with" in c.metadata), r"\Z", "\n2"
    ),
    "an output ignored by a comment": ignored("PYTEST_VALIDATE_IGNORE_OUTPUT"),
    "an output ignored by a newer comment": ignored("NBVAL_IGNORE_OUTPUT"),
    "a cell that was never run": in_code(
        lambda cell: cell.outputs, execution_count=None, outputs=[]
    ),
    "all outputs stripped": lambda nb: [
        cell.update(execution_count=None, outputs=[]) for cell in code_cells(nb)
    ],
}  # fmt: skip
ELSEWHERE |= dict.fromkeys(
    ["an answer left in an exercise", "a hint gone"], "exercises"
)
ELSEWHERE["a solution changed without its exercise"] = "solutions"
ELSEWHERE["a solution that is wrong"] = "solutions"


@fault
def a_number_in_an_output_changed(notebook):
    _, output = printed(notebook)
    digit = re.search(r"\d", output.text)[0]
    output.text = output.text.replace(digit, str((int(digit) + 1) % 10), 1)


@fault
def a_number_in_a_table_changed(notebook):
    _, table = with_output(notebook, lambda output: "<td>" in html(output))
    table.data["text/html"] = re.sub(r"<td>[^<]*", "<td>0.5", html(table))


@fault
def a_whole_figure_replaced(notebook):
    """Picture, digest and words of another figure: only a run can tell."""
    found = pictures(notebook)
    found[0].data["image/png"] = found[1].data["image/png"]
    alt = found[0].metadata["image/png"]["alt"]
    found[0].metadata = copy.deepcopy(found[1].metadata)
    found[0].metadata["image/png"]["alt"] = alt


@fault
def a_curve_recoloured_in_the_stored_digest(notebook):
    drawn = (o.metadata["image/png"].get("drawn", []) for o in pictures(notebook))
    places = ((lines, k) for lines in drawn for k in range(len(lines)))
    lines, k = next((lines, k) for lines, k in places if BLACK.match(lines[k]))
    lines[k] = lines[k][: -len("0 0 0")] + "900 0 0"


@fault
def two_cells_swapped(notebook):
    cells = notebook.cells
    _, one, two, *_ = [k for k, c in enumerate(cells) if c.cell_type == "code"]
    cells[one], cells[two] = cells[two], cells[one]


@fault
def a_condition_weakened_to_a_count(notebook):
    cells = ((cell, re.search(CONDITION, cell.source)) for cell in claims(notebook))
    compares = re.compile(r"(?:over|under|within|to) \d")
    cell, found = next((c, f) for c, f in cells if f and compares.search(f[3]))
    cell.source = cell.source.replace(found[0], f'{found[1]}len("abc") == 3)')


@fault
def an_open_cell_called_folded(notebook):
    next(
        before
        for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False)
        if before.cell_type == "markdown" and cell.cell_type == "code"
        if "jupyter" not in cell.metadata
    ).source += "\n\nThe next cell is folded."


def planted(name):
    """(path, text) of the first notebook that has a place for this fault."""
    folder = ROOT / "notebooks" / ELSEWHERE.get(name, "")
    for path in notebook_paths():
        if path.parent == folder:
            notebook = nbformat.read(path, as_version=4)
            with contextlib.suppress(*NO_PLACE):
                FAULTS[name](notebook)
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
