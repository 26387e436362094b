"""What a notebook of this course promises, as one function: ``problems(notebook)``.

nbval passes a notebook that was never executed, a stored error, and any figure; this
does not, and holds every notebook to one anatomy.
"""

import ast
import base64
import collections
import copy
import hashlib
import html
import re

import folding
import nbformat
import notebook_files
import tidy
from notebook_files import calls, claims, code_cells, figures, output_text, prose, tags

# The comparisons of a claim's sentence, which its condition has to make.
COMPARES = re.compile(
    r"\b(?:over|under|within|above|below|beyond|exceeds?|at most|at least|to) "
    r"(-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?|half|a point)\b"
)
MAX_LINES, MAX_BYTES = 25, 1_000_000
IGNORE = "nbval-ignore-output"
LINE = ["Needs", "Minutes", "Device", "Before", "Next"]
ENDING = ["The answer", "Exercises, deeper, next", "References", "Checks"]
ABSOLUTE_PATH = re.compile(r"(?<![\w.<\\/:-])/(?:[\w.-]+/)+[\w.-]+|\b[A-Za-z]:\\\w")
NBVAL = re.compile("(?i)nbval|pytest_validate")  # the second is the older marker
NETWORK = re.compile(r"""(?:src|href)=["']?(?:https?:)?//""")
TAGS = re.compile(
    rf"{IGNORE}|reported|benchmark|experiment|solution|(?:hide|show)-input"
    r"|checks|fill-in|answer|(?:shown|simple|bug):[\w.]+"
)
LEVELS = ["★ warm-up", "★★ core", "★★★ stretch"]
MIME_TYPES = {"text/plain", "text/html", "text/markdown", "image/png"}
PNG = "iVBORw0KGgo"  # how one begins in base 64
ABOUT = {"alt", "drawn", "sha256", "width"}  # what is kept of a picture beside it
WORDS = re.compile(r"(?s)<details><summary>[^<]*</summary>(.*)</details>")


def problems(notebook, number, kind=None):
    """Every way in which a notebook breaks the contract, as sentences.

    number : as "02"; of a deep dive, as "02b"
    kind   : None for a lesson, else its folder, "solutions" or "exercises"
    """
    found = [common(notebook), _folds(notebook), _captions(notebook)]
    if kind:
        found += [_exercises(notebook, number, kind)]
    else:
        rules = _top, _page, _claims, _predictions
        found += [rule(notebook, number) for rule in rules] + [_fill_ins(notebook)]
    return sum(map(list, found), [])


def common(notebook):
    """What holds for every notebook, whatever it is for."""
    for rule in (_format, _execution, _recorded, _cells, _pictures):
        yield from rule(notebook)


def _format(notebook):
    # Before validate, which mends a repeated id on the quiet.
    ids = [cell.get("id") for cell in notebook.cells]
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"is not a valid notebook: {error.message}"
    if None in ids or len(set(ids)) < len(ids):
        yield "has cells without an id, or an id twice"
    if {k: v for k, v in notebook.metadata.items() if k != "stub"} != tidy.METADATA:
        yield "holds other metadata than the course's (another kernel? widget state?)"
    if len(nbformat.writes(notebook)) > MAX_BYTES:
        yield f"is larger than {MAX_BYTES} bytes"
    for cell in notebook.cells:
        if foreign := sorted(set(cell.metadata) - tidy.OF_CELL):
            yield f"cell {cell.id} holds metadata of an editor: {foreign}"
        for tag in tags(cell):
            if not TAGS.fullmatch(tag):
                yield f"cell {cell.id} has the tag {tag!r}, which is not the course's"


def _execution(notebook):
    for expected, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != expected:
            yield f"cell {cell.id} has count {cell.execution_count}, not {expected}"
        for output in cell.outputs:
            data, text = output.get("data", {}), output_text(output)
            png = "".join(data.get("image/png", PNG + "=").split())
            path = ABSOLUTE_PATH.search(text)
            about = output.get("metadata", {})
            foreign = {*about} - {"image/png"} | {*about.get("image/png", {})} - ABOUT
            for found, words in [
                (output.output_type == "error", "an error"),
                (output.get("name") == "stderr", "stderr"),
                # SVG holds random ids, a widget wants a kernel.
                (set(data) - MIME_TYPES, sorted(set(data) - MIME_TYPES)),
                (png[:11] != PNG or len(png) % 4, "a PNG that is none"),
                (NETWORK.search(text), "an output that asks the network"),
                (path, f"an absolute path: {path and path.group()}"),
                (foreign, f"metadata of an editor: {sorted(foreign)}"),
            ]:
                if found:
                    yield f"cell {cell.id} stores {words}"


def _recorded(notebook):
    """What cannot repeat was recorded with the code that the notebook has now."""
    for cell, digest in zip(notebook.cells, tidy.digests(notebook), strict=True):
        wanted = digest if IGNORE in tags(cell) else None
        if cell.metadata.get("recorded_with") != wanted:
            yield f"cell {cell.id} was recorded with other code; run refresh"


def _cells(notebook):
    code = code_cells(notebook)
    ignored = [cell for cell in code if IGNORE in tags(cell)]
    if len(ignored) > max(1, len(code) / 6):  # that of the set-up may always be
        yield f"ignores the output of {len(ignored)} of {len(code)} cells, over a sixth"
    for cell in code:
        source, lines = cell.source, cell.source.splitlines()
        most = 200 if folding.is_folded(cell) else MAX_LINES
        for found, words in [
            (not 0 < len(lines) <= most, f"has {len(lines)} lines"),
            (NBVAL.search(source), "speaks to nbval in its code; use a tag"),
            (ABSOLUTE_PATH.search(source), "names an absolute path"),
            (source.rstrip()[-1:] == ";", "ends in a semicolon, which nbval ignores"),
        ]:
            if found:
                yield f"cell {cell.id} {words}"


def _headings(notebook):
    return re.findall(r"(?m)^## (.*)", prose(notebook))


def _top(notebook, number):
    """The title, the question and the set-up; sections that count from 1."""
    title, *rest = notebook.cells[0].source.splitlines()
    if not title.startswith(f"# {number} · "):
        yield f"does not begin with '# {number} · ' but with {title!r}"
    if not any(line.startswith("**") and line.endswith("?**") for line in rest):
        yield "has no question under its title"
    if "lsr.setup(" not in code_cells(notebook)[0].source:
        yield "does not call lsr.setup in its first code cell"
    headings = _headings(notebook)
    numbers = [int(m[1]) for h in headings if (m := re.match(r"(\d+)\. ", h))]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"numbers its sections {numbers}"
    if number != "00" and not any("Where it fails" in heading for heading in headings):
        yield "has no section 'Where it fails'"


def _page(notebook, number):
    """The anatomy of a lecture or a deep dive that is made for a room."""
    line = re.search(r"(?m)^\*Needs\*.*", notebook.cells[0].source)
    named = re.findall(r"(?:^|· )\*(\w+)\* [^·\s]", line[0] if line else "")
    if named != LINE:
        yield f"has a line under its question with {named}, not with {LINE}"
    claimed = any(any(claims(cell)) for cell in code_cells(notebook))
    ending = ENDING if claimed or number != "00" else ENDING[:-1]
    headings = _headings(notebook)
    if headings[-len(ending) :] != ending:
        yield f"ends with {headings[-len(ending) :]}, not with {ending}"
    for heading in headings[: -len(ending)]:
        if not re.match(r"\d+\. ", heading):
            yield f"has a section without a number, {heading!r}"


def _fill_ins(notebook):
    """A line that a reader writes is handed to its check, and nothing else reads it."""
    code = code_cells(notebook)
    sources = (cell.source for cell in code)
    own = {"check", *(n for s in sources for n, _ in notebook_files.definitions(s))}
    for before, cell in zip([None, *code], code, strict=False):
        if "answer" in tags(cell) and "fill-in" not in tags(before or cell):
            yield f"cell {cell.id} answers nothing"
    for cell, after in zip(code, [*code[1:], None], strict=True):
        if "fill-in" not in tags(cell):
            continue
        mine = set(_left_open(cell))
        handed = {
            argument.id
            for call in (ast.walk(ast.parse(after.source)) if after else ())
            if folding.called(call) in own
            for argument in call.args
            if isinstance(argument, ast.Name)
        }
        if not mine or not mine <= handed or "answer" not in tags(after):
            yield f"cell {cell.id} is not followed by an answer that checks {mine}"
        for other in code:
            read = folding.names(other.source)[1] & mine
            if read and other is not after:
                yield f"cell {other.id} reads {read}, which a reader may leave open"


def _left_open(cell):
    """The names that `...` stands for: values, and functions that return it."""
    for node in ast.parse(cell.source).body:
        value = getattr(getattr(node, "body", [node])[-1], "value", None)
        if isinstance(value, ast.Constant) and value.value is ...:
            targets = getattr(node, "targets", [node])
            yield from (getattr(n, "name", getattr(n, "id", None)) for n in targets)


def _captions(notebook):
    number = 0
    for cell, after in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        for _ in figures(cell):
            number += 1
            if after is None or not after.source.startswith(f"**Figure {number}.** "):
                yield f"no '**Figure {number}.**' under the figure of cell {cell.id}"


def _pictures(notebook):
    """What stands beside a picture is of it; of outputs not compared, what there is."""
    for cell in code_cells(notebook):
        older = IGNORE in tags(cell)
        for output, after in zip(cell.outputs, [*cell.outputs[1:], {}], strict=False):
            if output not in figures(cell):
                continue
            about, found = output.metadata.get("image/png", {}), []
            alt, digest = about.get("alt", "").strip(), _sha256(output.data)
            below = WORDS.fullmatch(after.get("data", {}).get("text/html", ""))
            plain = output.data.get("text/plain", "").partition(": ")[2]
            found += [] if alt else ["has no alternative text"]
            for where, text in {
                "text/plain": plain,
                "the words under it": html.unescape(below[1]) if below else "",
            }.items():
                if text != alt and (text or not older):
                    found.append(f"has an alternative text that is not {where}")
            if about.get("sha256", digest if older else "") != digest:
                found.append("is another picture than the one that was drawn")
            if not about.get("drawn") and not older:
                found.append("does not say what is drawn")
            yield from (f"the figure of cell {cell.id} {words}" for words in found)


def _sha256(data):
    try:
        return hashlib.sha256(base64.b64decode(data["image/png"])).hexdigest()
    except ValueError:
        return None


def _folds(notebook):
    ruled = copy.deepcopy(notebook)
    folding.fold(ruled)
    for cell, wanted in zip(notebook.cells, ruled.cells, strict=True):
        if cell.metadata != wanted.metadata:
            yield f"cell {cell.id} is not folded as the rule says; run refresh"
        if folding.CHECKS in tags(cell):
            if not calls(cell, "claim"):
                yield f"cell {cell.id} has the tag checks and claims nothing"
            if figures(cell):
                yield f"cell {cell.id} covers a figure"


def unheld(cell):
    """The comparisons of claims whose number neither condition nor code has."""
    others = [n for n in ast.parse(cell.source).body if not isinstance(n, ast.Expr)]
    for call in calls(cell, "claim"):
        sentence = getattr(call.args[1], "value", ast.unparse(call.args[1]))
        held = set(_numbers([*call.args[2:], *others]))
        for said in COMPARES.finditer(sentence):
            spelled = {"half": 0.5, "a point": 1.0}.get(said[1])
            value = spelled or abs(float(said[1].replace(",", "")))
            same = {value, 100 * value, value / 100}  # a share may be said in per cent
            if not any(abs(a - b) <= 1e-9 * b for a in same for b in held):
                yield sentence, said[0]


def _numbers(nodes):
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, (int, float)):
            yield abs(float(value))
        if isinstance(value, str):  # of a query
            yield from map(float, re.findall(r"\d+(?:\.\d+)?", value))


def _claims(notebook, number):
    expected = 0
    for cell in code_cells(notebook):
        printed = "".join(map(output_text, cell.outputs))
        for said, number_ in unheld(cell):
            yield f"claim {said!r} says {number_!r}, which its condition does not hold"
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
    if expected == 0 and number != "00":
        yield "makes no claim"


def _predictions(notebook, number):
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
    if not asked and len(number) == 2:  # a deep dive may do without
        yield "asks for no prediction"


def _exercises(notebook, number, kind):
    if not notebook.cells[0].source.startswith(f"# {number} · {kind.title()}: "):
        yield f"does not begin with '# {number} · {kind.title()}: '"
    verdict = "right: " if kind == "solutions" else "nothing written"
    wanted, asked = [f"{number}-{k}" for k in (1, 2, 3)], set()
    for cell in code_cells(notebook):
        for call in calls(cell, "check"):
            name, output = call.args[0].value, "".join(map(output_text, cell.outputs))
            asked.add(name.split()[0])
            if f" Exercise {name}: {verdict}" not in output:
                yield f"exercise {name} is stored without '{verdict}'"
    if asked != {*wanted}:
        yield f"checks {sorted(asked)}"
    parts = re.split(r"(?m)^## ", prose(notebook))[1:]
    sections = {re.split(r" · |\n", part)[0]: part for part in parts}
    if [name for name in sections if name != "Mini-project"] != wanted:
        yield f"has the sections {list(sections)}"
    for name, level in zip(wanted, LEVELS, strict=True):
        text = sections.get(name, "")
        if not re.search(rf"(?m)^{level} · \d+ minutes$", text):
            yield f"exercise {name} does not say '{level} · N minutes'"
        if "<details><summary>Hint" not in text:
            yield f"exercise {name} has no folded hint"
    if "| points |" not in sections.get("Mini-project", "| points |"):
        yield "has a mini-project without a rubric"
