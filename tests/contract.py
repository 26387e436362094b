"""What a notebook of this course promises, as one function: ``problems(notebook)``.

nbval compares outputs, but passes a notebook that was never executed, one whose stored
output is an error, and any figure. This contract closes those holes, and holds every
notebook to one anatomy.
"""

import ast
import collections
import copy
import re
import sys

import nbformat
from notebook_files import ROOT, tags

sys.path.insert(0, str(ROOT / "tools"))
import folding  # noqa: E402

MAX_CODE_CELLS, MAX_LINES, MAX_COLUMNS, MAX_BYTES = 45, 25, 88, 1_000_000
WORDS_A_MINUTE, LINES_A_MINUTE = 180, 12
IGNORE = "nbval-ignore-output"
CARD = ["After this you can", "Needs", "Minutes", "Device", "Previous / next"]
ABSOLUTE_PATH = re.compile(r"(?<![\w.<\\/:-])/(?:[\w.-]+/)+[\w.-]+|\b[A-Za-z]:\\\w")
NETWORK = re.compile(r"""(?:src|href)=["']?(?:https?:)?//""")
TAGS = re.compile(
    rf"{IGNORE}|reported|benchmark|experiment|solution|(?:hide|show)-input"
    r"|checks|(?:shown|simple|bug):[\w.]+"
)
SAYS_FOLDED = re.compile(
    r"(?i)\b(?:un)?fold(?:ed|s)?\b|\b(?:cell|code)\b[^.]*\bhidden\b"
)
LEVELS = ["★ warm-up", "★★ core", "★★★ stretch"]
MIME_TYPES = {"text/plain", "text/html", "text/markdown", "image/png"}
PNG = "iVBORw0KGgo"  # how one begins in base 64


def problems(notebook, number, kind=None):
    """Every way in which a notebook breaks the contract, as sentences.

    number : the two digits its file name starts with
    kind   : None for a lesson, else the folder it lies in, "solutions" or "exercises"
    """
    found = [rule(notebook) for rule in (_format, _execution, _cells, _figures, _folds)]
    if kind:
        found += [_exercises(notebook, number, kind)]
    else:
        found += [_anatomy(notebook, number), _claims(notebook, number)]
        found += [_predictions(notebook)]
    return sum(map(list, found), [])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def output_text(output):
    """All text of an output, whatever its kind."""
    data = output.get("data", {})
    parts = [v for k, v in data.items() if k.startswith("text/")]
    return "\n".join([output.get("text", ""), *parts])


def figures(cell):
    """The outputs of a cell that are pictures."""
    return [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]


def calls(cell, name):
    """The calls of a function by name in a code cell, as syntax trees."""
    nodes = ast.walk(ast.parse(cell.source))
    return [node for node in nodes if folding.called(node) == name]


def claims(cell):
    """What a cell claims, as (id, condition); an id that is not written out is None."""
    for call in calls(cell, "claim"):
        first, _, condition = call.args
        yield getattr(first, "value", None), condition


def _format(notebook):
    # Before validate, which mends a repeated id on the quiet.
    ids = [cell.get("id") for cell in notebook.cells]
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"is not a valid notebook: {error.message}"
    if None in ids or len(set(ids)) < len(ids):
        yield "has cells without an id, or an id twice"
    if set(notebook.metadata) - {"kernelspec", "language_info", "stub"}:
        yield "holds metadata beyond kernelspec and language_info (widget state?)"
    if len(nbformat.writes(notebook)) > MAX_BYTES:
        yield f"is larger than {MAX_BYTES} bytes"
    for cell in notebook.cells:
        for tag in tags(cell):
            if not TAGS.fullmatch(tag):
                yield f"cell {cell.id} has the tag {tag!r}, which is not the course's"
        if "slide_type" not in cell.metadata.get("slideshow", {}):
            yield f"cell {cell.id} has no slide type"


def _execution(notebook):
    for expected, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != expected:
            yield f"cell {cell.id} has count {cell.execution_count}, not {expected}"
        for output in cell.outputs:
            data, text = output.get("data", {}), output_text(output)
            png = "".join(data.get("image/png", PNG + "=").split())
            path = ABSOLUTE_PATH.search(text)
            for found, words in [
                (output.output_type == "error", "an error"),
                (output.get("name") == "stderr", "stderr"),
                # SVG holds random ids, a widget wants a kernel.
                (set(data) - MIME_TYPES, sorted(set(data) - MIME_TYPES)),
                (png[:11] != PNG or len(png) % 4, "a PNG that is none"),
                (NETWORK.search(text), "an output that asks the network"),
                (path, f"an absolute path: {path and path.group()}"),
            ]:
                if found:
                    yield f"cell {cell.id} stores {words}"


def _cells(notebook):
    code = code_cells(notebook)
    if len(code) > MAX_CODE_CELLS:
        yield f"has {len(code)} code cells, more than {MAX_CODE_CELLS}"
    ignored = [cell for cell in code if IGNORE in tags(cell)]
    if len(ignored) > len(code) / 6:
        yield f"ignores the output of {len(ignored)} of {len(code)} cells"
    for before, cell in zip([None, *notebook.cells], notebook.cells, strict=False):
        if cell.cell_type != "code":
            continue
        source, lines = cell.source, cell.source.splitlines()
        for found, words in [
            (not before or before.cell_type != "markdown", "has no prose before it"),
            (not 0 < len(lines) <= MAX_LINES, f"has {len(lines)} lines"),
            (
                max(map(len, lines), default=0) > MAX_COLUMNS,
                f"is wider than {MAX_COLUMNS} columns",
            ),
            ("nbval" in source.lower(), "speaks to nbval in its code; use a tag"),
            (ABSOLUTE_PATH.search(source), "names an absolute path"),
            (source.rstrip()[-1:] == ";", "ends in a semicolon, which nbval ignores"),
        ]:
            if found:
                yield f"cell {cell.id} {words}"


def _anatomy(notebook, number):
    title, *rest = notebook.cells[0].source.splitlines()
    if not title.startswith(f"# {number} · "):
        yield f"does not begin with '# {number} · ' but with {title!r}"
    if not any(line.startswith("**") and line.endswith("?**") for line in rest):
        yield "has no question under its title"
    rows = [line.split("**")[1] for line in rest if line.startswith("| **")]
    if rows != CARD:
        yield f"has a card with the rows {rows}"
    prose = "\n".join(cell.source for cell in prose_cells(notebook))
    lines = sum(len(cell.source.splitlines()) for cell in code_cells(notebook))
    # The minutes on the card follow from the length, so that they stay true.
    minutes = len(re.findall(r"\w+", prose)) / WORDS_A_MINUTE + lines / LINES_A_MINUTE
    said = re.search(r"read (\d+), run under 1 \|", "\n".join(rest))
    if not said or abs(int(said[1]) / minutes - 1) > 0.2:
        yield f"does not say 'read N, run under 1' with N near {minutes:.0f}"
    if "lsr.setup(" not in code_cells(notebook)[0].source:
        yield "does not call lsr.setup in its first code cell"
    headings = re.findall(r"(?m)^## (.*)", prose)
    numbers = [int(m[1]) for h in headings if (m := re.match(r"(\d+)\. ", h))]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"numbers its sections {numbers}"
    ending = ["Recap", "Exercises", "References"]
    if number == "00":  # the door has nothing to exercise
        ending.remove("Exercises")
    if headings[-len(ending) :] != ending:
        yield f"ends with {headings[-3:]}, not with {', '.join(ending)}"
    if not any("Where it fails" in heading for heading in headings):
        yield "has no section 'Where it fails'"
    for cell in prose_cells(notebook):
        if cell.source.startswith("## Recap"):
            if len(re.findall(r"(?m)^- ", cell.source)) != 3:
                yield "does not recap in three bullets"
            if "| symbol | variable | meaning |" not in cell.source:
                yield "has no table of symbols in its recap"


def _figures(notebook):
    number = 0
    for cell, after in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        for output in figures(cell):
            number += 1
            if not output.metadata.get("image/png", {}).get("alt", "").strip():
                yield f"cell {cell.id} shows a figure without alternative text"
            if after is None or not after.source.startswith(f"**Figure {number}.** "):
                yield f"no '**Figure {number}.**' under the figure of cell {cell.id}"


def _folds(notebook):
    ruled = copy.deepcopy(notebook)
    folding.fold(ruled)
    spoken_of = False
    for cell, wanted in zip(notebook.cells, ruled.cells, strict=True):
        if cell.metadata != wanted.metadata:
            yield f"cell {cell.id} is not folded as the rule says; run refresh"
        if cell.cell_type == "markdown":
            spoken_of = spoken_of or SAYS_FOLDED.search(cell.source)
            continue
        if spoken_of and not folding.is_folded(cell):
            yield f"cell {cell.id} is called folded and is open"
        spoken_of = False
        if folding.CHECKS in tags(cell):
            if not calls(cell, "claim"):
                yield f"cell {cell.id} has the tag checks and claims nothing"
            if figures(cell):
                yield f"cell {cell.id} covers a figure"
    if spoken_of:
        yield "calls a cell folded, and no cell follows"


def _claims(notebook, number):
    expected = 0
    for cell in code_cells(notebook):
        printed = "".join(map(output_text, cell.outputs))
        for name, condition in claims(cell):
            expected += 1
            if isinstance(condition, ast.Constant):
                yield f"claim {name} holds whatever the cells say"
            if name != f"{number}-{expected}":
                yield f"claim {name} should be {number}-{expected}"
            if f"✓ {name}  " not in printed:
                yield f"claim {name} is not among the stored outputs"
            if IGNORE in tags(cell):
                yield f"claim {name} stands in a cell whose output is ignored"
    if expected == 0:
        yield "makes no claim"


def _predictions(notebook):
    asked = collections.Counter()
    for cell in code_cells(notebook):
        asked.update(re.findall(r"(?m)^(guess\w*) = None", cell.source))
        for call in calls(cell, "guess"):
            name = getattr(call.args[1], "id", None)
            asked[name] -= 1
            if asked[name] < 0:
                yield f"cell {cell.id} compares {name} before it was asked for"
    if any(asked.values()):
        yield "asks for a prediction that no later cell compares"
    if not asked:
        yield "asks for no prediction"


def _exercises(notebook, number, kind):
    if not notebook.cells[0].source.startswith(f"# {number} · {kind.title()}: "):
        yield f"does not begin with '# {number} · {kind.title()}: '"
    if any(calls(cell, "claim") for cell in code_cells(notebook)):
        yield "makes a claim, which the lessons do"
    verdict = "right: " if kind == "solutions" else "not done yet."
    sections, asked = {}, {}
    for cell in notebook.cells:
        if found := re.match(r"## (.+)", cell.source):
            heading = found.group(1).split(" · ")[0]
            sections[heading], asked[heading] = "", []
        if sections and cell.cell_type == "markdown":
            sections[heading] += cell.source + "\n"
        for call in calls(cell, "check") if cell.cell_type == "code" else []:
            name, output = call.args[0].value, "".join(map(output_text, cell.outputs))
            asked[heading].append(name.split()[0])
            if f"Exercise {name}: {verdict}" not in output:
                yield f"exercise {name} is stored without '{verdict}'"
    wanted = [f"{number}-{k}" for k in (1, 2, 3)]
    if [name for name in sections if name != "Mini-project"] != wanted:
        yield f"has the sections {list(sections)}"
    for name, level in zip(wanted, LEVELS, strict=True):
        prose = sections.get(name, "")
        if not re.search(rf"(?m)^{level} · \d+ minutes$", prose):
            yield f"exercise {name} does not say '{level} · N minutes'"
        if "<details><summary>Hint" not in prose:
            yield f"exercise {name} has no folded hint"
        if set(asked.get(name, [])) != {name}:
            yield f"exercise {name} checks {asked.get(name)}"
    if "| points |" not in sections.get("Mini-project", "| points |"):
        yield "has a mini-project without a rubric"
