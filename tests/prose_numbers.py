"""Numbers in prose that stand in no output of the same notebook."""

import re

from notebook_files import output_text, prose_cells, tags

NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s{0,2}(\\?%)?")
NOT_A_RESULT = [
    r"\(\d{4}(?:, section \d+)?\)",  # the year of a paper
    r"\b\d\d[a-z]?-\d+\b",  # a claim
    r"\[\d\d[^\]]*\](?:\([^)]*\))?",  # a link that names a notebook
    r"\]\([^)]*\)",  # the address of a link
    r"\b(?:[Nn]otebooks?|[Ll]ectures?|[Dd]eep dives?) \d\d[a-z]?\b"
    r"(?:(?:, | and )\d\d[a-z]?\b)*",
    r"\b[Ss]ections? \d+(?:(?:, | and )\d+)*",
    r"\b(?:Figure|Table|Bug|[Ss]tep) \d+",
    r"(?<![\w.])0\d[a-z]?(?![\d.])",  # 07: a notebook
    r"(?m)^#+ \d+\.",  # the number of a section
]
CLAIMED = re.compile("✓ (?!Exercise)")  # a claim, or a guess that was right
LEFT_OUT = ("## References", "## Exercises, deeper, next")


def missing_numbers(notebook):
    """Numbers of the prose that no output holds, as (cell id, number).

    Left out: the card, references, cells tagged "reported" (figures from papers), and
    what only names a place.
    """
    values, missing = _values(notebook.cells), []
    prose = [(cell, cell.source) for cell in prose_cells(notebook)[1:]]
    for cell, text in [*prose, *_slides(notebook)]:
        if text.startswith(LEFT_OUT) or "reported" in tags(cell):
            continue
        for pattern in NOT_A_RESULT:
            text = re.sub(pattern, " ", text)
        missing += [(cell.id, number) for number in _unseen(text, values)]
    return missing


def _slides(notebook):
    """(cell, words) of every slide; what a room may vote for is not among them."""
    for cell in notebook.cells:
        for slide in cell.metadata.get("slides", []):
            shown = "" if slide.get("vote") else slide.get("text", "")
            yield cell, f"{slide['title']}\n{shown}\n{slide.get('say', '')}"


def unprinted(text, cells):
    """The numbers of a text that no output of these cells holds."""
    return _unseen(re.sub(r"\[[^\]]*\]\([^)]*\)", " ", text), _values(cells))


def _unseen(text, values):
    def agrees(number, percent):
        return any(_agree(number, value, percent) for value in values)

    return [number for number, per in _numbers(text) if not agrees(number, per)]


def _values(cells):
    """The numbers that cells computed: not those of a claim's sentence or of a figure
    in words, which somebody typed, nor of a slider's table, which holds nearly all."""
    lines = []
    for cell in cells:
        for output in cell.get("outputs", []):
            text = re.sub(r"(?s)<details>.*?</details>", "", output_text(output))
            if "image/png" not in output.get("data", {}) and "lsr-live-" not in text:
                lines += [line for line in text.splitlines() if not CLAIMED.match(line)]
    return [float(number) for number, _ in _numbers("\n".join(lines))]


def _numbers(text):
    """Pairs of a number, as it is written, and whether it is a share in percent."""
    # 32,000 and 350{,}000 are one number each.
    return NUMBER.findall(re.sub(r"(?<=\d)(?:,|\{,\})(?=\d{3}\b)", "", text))


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
