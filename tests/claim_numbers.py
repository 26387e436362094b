"""Numbers that a claim's sentence compares with and that its condition lacks."""

import ast
import re

from notebook_files import calls

# The comparisons of a claim's sentence, which its condition has to make.
COMPARES = re.compile(
    r"\b(?:over|under|within|above|below|beyond|exceeds?|at most|at least|to) "
    r"(-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?|half|a point)\b"
)
SPELLED = {"half": 0.5, "a point": 1.0}


def unheld(cell):
    """The comparisons of claims whose number neither condition nor code has."""
    others = [n for n in ast.parse(cell.source).body if not isinstance(n, ast.Expr)]
    for call in calls(cell, "claim"):
        sentence = getattr(call.args[1], "value", ast.unparse(call.args[1]))
        held = set(_numbers([*call.args[2:], *others]))
        for said in COMPARES.finditer(sentence):
            value = SPELLED.get(said[1]) or abs(float(said[1].replace(",", "")))
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
