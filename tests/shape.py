"""The shape of a lecture as its reader sees it; as a program, a table of all."""

import ast
import collections
import re
import statistics

import notebook_files
from notebook_files import code_cells, definitions, folding, prose_cells, read, tags

LECTURE = {
    "cells": 18, "lines": 160, "median": 6, "longest": 15, "words": 1800,
    "new words": 6, "numbers": 80, "numbers in one": 25, "in a sentence": 5,
    "claims": 5, "guesses": 4, "fill-ins": 2, "folded lines": 200, "panels": 3,
    "figures": 5, "first figure": 5,
}  # fmt: skip
DEEP = {"cells": 30, "lines": 300, "longest": 25, "panels": 6, "in a sentence": 6}
LEAST = {"guesses": 1, "figures": 2}  # of a lecture
OWN = {"02b": {"lines": 400}, "00": {"figures": 1}}  # most of deep 02b, least of 00
NUMBER = re.compile(r"(?<![\w.])[-−+]?\d+(?:[.,]\d+)*")
GUESS = re.compile(r"(?m)^guess\w* = None")


def measured(notebook):
    """What a reader meets: {what: how many}, by the names of LECTURE."""
    code = code_cells(notebook)
    seen = [cell for cell in code if not folding.is_folded(cell)]
    teach = [cell for cell in seen if _teaches(cell)]
    lengths = [_lines(cell) for cell in teach]
    prose = [_plain(cell.source) for cell in prose_cells(notebook)]
    numbers = [
        len(NUMBER.findall(text))
        for cell in code
        if not folding.has_covered_output(cell) and "lsr.setup(" not in cell.source
        for text in map(_said, cell.outputs)
    ]
    figures = [
        (position, sum(map(_is_panel, about.get("drawn", []))))
        for position, cell in enumerate(notebook.cells, start=1)
        for output in cell.get("outputs", [])
        if (about := output.get("metadata", {}).get("image/png"))
    ]
    shown = [p for p, c in enumerate(notebook.cells, 1) if _has_picture(c)]
    terms = re.search(r"(?m)^\*New words\*: (.+)$", notebook.cells[0].source)
    return {
        "cells": len(teach),
        "lines": sum(_lines(cell) for cell in seen),
        "median": statistics.median(lengths or [0]),
        "longest": max(lengths, default=0),
        "words": sum(len(re.findall(r"[^\W\d_]+", text)) for text in prose),
        "new words": len(re.split(r"[,·]", terms[1])) if terms else 0,
        "numbers": sum(numbers),
        "numbers in one": max(numbers, default=0),
        "in a sentence": max(map(_most_in_a_sentence, prose), default=0),
        "claims": sum(folding.calls(cell.source, "claim") for cell in seen),
        "guesses": sum(len(GUESS.findall(cell.source)) for cell in code),
        "fill-ins": sum("fill-in" in tags(cell) for cell in code),
        "folded lines": sum(map(_lines, code)) - sum(map(_lines, seen)),
        "figures": len(figures),
        "panels": max((panels for _, panels in figures), default=0),
        "first figure": min(shown, default=99),
    }


def problems(notebook, number):
    """Where the notebook is larger, or smaller, than its room allows: sentences."""
    found = measured(notebook)
    deep = len(number) > 2
    own = OWN.get(number, {})
    for what, most in (DEEP | own if deep else LECTURE).items():
        if found[what] > most:
            yield f"has {found[what]} for {what}, more than {most}"
    for what, fewest in ({} if deep else LEAST | own).items():
        if found[what] < fewest:
            yield f"has {found[what]} for {what}, less than {fewest}"
    for name, cells in assigned(notebook).items():
        if len(cells) > 1:
            yield f"binds {name} in the cells {', '.join(cells)}"
    for cell in code_cells(notebook):
        if folding.calls(cell.source, "guess") and not folding.has_covered_output(cell):
            yield f"cell {cell.id} shows what a guess is compared with"


def assigned(notebook):
    """The cells that bind each name at their top level; loops and guesses aside."""
    cells = collections.defaultdict(list)
    for cell in code_cells(notebook):
        names = {name for name, _ in definitions(cell.source)}
        for statement in ast.parse(cell.source).body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                targets = getattr(statement, "targets", None) or [statement.target]
                nodes = [n for target in targets for n in ast.walk(target)]
                nodes = [n for n in nodes if isinstance(n, ast.Name)]
                names |= {n.id for n in nodes if isinstance(n.ctx, ast.Store)}
        for name in names - {"_"}:
            cells[name].append(cell.id)
    return cells


def _is_panel(line):
    """Whether a line of a figure's digest begins axes that have a scale or a name."""
    bare = r"x '' (?:\S+ \S+ )?\[(?:'', )*(?:'')?\] "
    return line.startswith("x ") and not re.match(bare, line)


def _teaches(cell):
    return not (
        "lsr.setup(" in cell.source
        or GUESS.search(cell.source)
        or folding.calls(cell.source, "guess")
        or "fill-in" in tags(cell)
    )


def _lines(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def _plain(markdown):
    """Prose without the targets of links, code and formulas."""
    text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", markdown)
    text = re.sub(r"(?s)\$\$.*?\$\$|```.*?```", " formula ", text)
    return re.sub(r"\$[^$]*\$|`[^`]*`", " formula ", text)


def _most_in_a_sentence(text):
    text = re.sub(r"\[\d\d[^\]]*|\bFigure \d+|§\s?\d+|\b\d{4}\b", " ", text)
    text = re.sub(r"(?m)^(?:[#|].*|\s*\d+\. )", " ", text)
    sentences = re.split(r"(?<=[.?!:;])\s+|\n\n", text)
    return max((len(NUMBER.findall(sentence)) for sentence in sentences), default=0)


def _said(output):
    """The text of an output that stands on the page."""
    data = output.get("data", {})
    html = data.get("text/html", "")
    if "<details" in html or "<script" in html or "image/png" in data:
        return ""
    if html:
        return re.sub(r"(?s)<style.*?</style>|<[^>]*>", " ", html)
    plain = data.get("text/markdown", data.get("text/plain", ""))
    return output.get("text", "") or plain


def _has_picture(cell):
    shown = [output.get("data", {}) for output in cell.get("outputs", [])]
    return any("image/png" in d or "<script" in d.get("text/html", "") for d in shown)


if __name__ == "__main__":
    for path in notebook_files.LESSONS:
        number, found = notebook_files.number(path), measured(read(path))
        print(number, path.stem)
        print("   ", ", ".join(f"{what} {value:g}" for what, value in found.items()))
        for problem in problems(read(path), number):
            print("    !", problem)
