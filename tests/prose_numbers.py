"""Numbers in prose that stand in no output of the same notebook."""

import re

from contract import output_text, prose_cells
from notebook_files import tags

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
NOT_A_RESULT = [
    r"\(\d{4}(?:, section \d+)?\)",  # the year of a paper
    r"\b\d\d-\d+\b",  # a claim
    r"(?m)^\| \d+ \|",  # the number of a row
    r"\]\([^)]*\)",  # the address of a link
    r"\[\d\d[^\]]*\]",  # a link that names a notebook
    r"\b[Nn]otebooks? \d\d(?:, \d\d)*(?: and \d\d)?",
    r"\b[Ss]ections? \d+(?:(?:, | and )\d+)*",
    r"\b(?:Figure|Table|Bug|[Ss]tep) \d+",
    r"\(0\d\)",  # (04): a notebook
    r"(?m)^#+ \d+\.",  # the number of a section
    r"(?m)^\d+\. ",  # a numbered list
]


def missing_numbers(notebook):
    """Numbers of the prose that no output holds, as (cell id, number).

    Left out: the card, references, cells tagged "reported" (figures from papers), and
    what only names a place (notebooks, sections, figures, years of papers).
    """
    printed = _numbers(_evidence(notebook))
    values = [float(number) for number in printed]
    missing = []
    for cell in prose_cells(notebook)[1:]:
        if cell.source.startswith("## References") or "reported" in tags(cell):
            continue
        text = cell.source
        for pattern in NOT_A_RESULT:
            text = re.sub(pattern, " ", text)
        for number, percent in _numbers_and_percent(text):
            if not any(_agree(number, value, percent) for value in values):
                missing.append((cell.id, number))
    return missing


def unprinted(text, cells):
    """The numbers of a text that no output of these cells holds."""
    values = [float(n) for n in _numbers(_printed(cells))]
    found = _numbers_and_percent(re.sub(r"\[[^\]]*\]\([^)]*\)", " ", text))
    return [n for n, percent in found if not any(_agree(n, v, percent) for v in values)]


def _evidence(notebook):
    return _printed(notebook.cells)


def _printed(cells):
    """What cells computed: not what a claim's sentence or alternative text says, which
    somebody typed, nor the table behind a slider, which holds nearly every number."""
    texts = []
    for cell in cells:
        for output in cell.get("outputs", []):
            text = output_text(output)
            if "image/png" in output.get("data", {}) or "lsr-live-" in text:
                continue
            lines = (line for line in text.splitlines() if not line.startswith("✓"))
            texts.append("\n".join(lines))
    return "\n".join(texts)


def _plain(text):
    # 32,000 and 350{,}000 are one number each.
    return re.sub(r"(?<=\d)(?:,|\{,\})(?=\d{3}\b)", "", text)


def _numbers(text):
    return NUMBER.findall(_plain(text))


def _numbers_and_percent(text):
    text = _plain(text)
    for found in NUMBER.finditer(text):
        after = text[found.end() : found.end() + 3].lstrip()
        yield found.group(), after.startswith(("%", "\\%"))


def _agree(number, value, percent):
    """Whether an output, rounded as the prose is, gives the number of the prose."""
    wanted = float(number)
    candidates = [value, 100 * value] if percent else [value]
    if "e" in number.lower():
        return any(abs(wanted - c) <= 1e-9 * wanted for c in candidates)
    decimals = len(number.partition(".")[2])
    if decimals == 0 and number.endswith("00"):  # a round number: 350,000
        decimals = len(number.rstrip("0")) - len(number)
    unit = 10.0**-decimals
    return any(abs(wanted - c) <= unit / 2 * (1 + 1e-9) for c in candidates)
