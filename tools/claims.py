"""Bring up to date what pages repeat of the notebooks, for `course.py refresh`.

CLAIMS.md is a table of every claim: its id and kind come from the notebooks' code, its
sentence from the stored output. A figure of README.md is copied from the output that
stores it.
"""

import ast
import base64
import collections
import json
import re
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = "CLAIMS.md"
HEAD = Path(__file__).with_suffix(".md")
PRINTED = re.compile(r"(?m)^✓ (\d\d-\d+)  (.+)$")
# What a claim may rest on (`by` of `claim`), and its part of the page, in their order.
RESTS_ON = {
    "run": "Live results",
    "record": "Re-read records",
    "identity": "Identities and code checks",
}
# Pictures of README.md: the notebook that stores each, and its number there, from 1.
FIGURES = {"notebooks/figures/one_picture.png": ("00", 1)}

Claim = collections.namedtuple("Claim", "id sentence kind by cell path title section")


def lessons(root):
    """Pairs (path, cells) of the lectures, in reading order."""
    for path in sorted((Path(root) / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield path, [{**cell, "source": "".join(cell["source"])} for cell in cells]


def headings(source):
    """The headings of sections in Markdown, in their order; code is left out."""
    prose = re.sub(r"(?ms)^```.*?^```", "", source)
    return re.findall(r"(?m)^## (.+?)\s*$", prose)


def anchor(heading):
    """What Jupyter and nbconvert make of a heading, ready for a link."""
    # Parentheses would end a link in Markdown; everything else as in nbconvert.
    return urllib.parse.quote(heading.replace(" ", "-"), safe="?/:@!$&'*+,;=")


def read_claims(root=ROOT):
    """Every Claim in reading order; ValueError where one is not printed, or twice."""
    found = []
    for path, cells in lessons(root):
        title, section = path.stem, ""
        for cell in cells:
            if cell["cell_type"] == "markdown":
                title = [title, *re.findall(r"\A# (.+)", cell["source"])][-1]
                section = [section, *headings(cell["source"])][-1]
                continue
            made = claim_calls(cell["source"])
            texts = ["".join(output.get("text", "")) for output in cell["outputs"]]
            printed = dict(PRINTED.findall("".join(texts)))
            if sorted(made) != sorted(printed):
                raise ValueError(
                    f"cell {cell['id']} of {path.name} claims {list(made)} and prints "
                    f"{list(printed)}: run `python3 course.py refresh {path.name[:2]}`."
                )
            place = cell["id"], path, title, section
            found += [Claim(name, printed[name], *made[name], *place) for name in made]
    counts = collections.Counter(claim.id for claim in found)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"claims made twice: {', '.join(twice)}.")
    return found


def claim_calls(source):
    """The calls of `claim` in a code cell: a dict of their ids to (kind, by)."""
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "claim"
    ]
    made = {}
    for call in sorted(calls, key=lambda call: call.lineno):
        said = {word.arg: word.value.value for word in call.keywords}
        made[call.args[0].value] = said.get("kind", ""), said.get("by", "run")
    return made


def row(claim):
    """One line of a table, with a link whose title is the cell's id."""
    sentence = claim.sentence.replace("|", "\\|").replace("<", "&lt;")
    place = re.sub(r"^(\d+)\. ", r"§\1 ", claim.section).replace("|", "\\|")
    target = f"notebooks/{claim.path.name}#{anchor(claim.section)}"
    return (
        f"| {claim.id} | {sentence} | {claim.kind} | "
        f'[{place}]({target} "cell {claim.cell}") |'
    )


def page(claims):
    """The whole of CLAIMS.md."""
    counts = collections.Counter([c.by for c in claims] + [c.kind for c in claims])
    numbers = {"claims": len(claims), "notebooks": len({c.path for c in claims})}
    head = HEAD.read_text(encoding="utf-8")
    lines = [
        re.sub(r"\{(\w+)\}", lambda n: str({**counts, **numbers}.get(n[1], 0)), head)
    ]
    for by, heading in RESTS_ON.items():
        lines.append(f"## {heading}\n")
        tables = collections.defaultdict(list)
        for claim in claims:
            if claim.by == by:
                tables[claim.title.replace(" · ", " ")].append(row(claim))
        for title, rows in tables.items():
            lines += [f"### {title}\n", "| id | claim | | where |", "|---|---|---|---|"]
            lines += [*rows, ""]
    return "\n".join(lines)


def figure(number, which, root=ROOT):
    """The PNG and the alternative text of a notebook's figure, counted from 1."""
    for path, cells in lessons(root):
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        shown = [o for o in outputs if "image/png" in o.get("data", {})]
        if path.name.startswith(number) and len(shown) >= which:
            output = shown[which - 1]
            png = base64.b64decode("".join(output["data"]["image/png"]))
            return png, output["metadata"]["image/png"]["alt"]
    raise ValueError(f"notebook {number} stores no figure {which}.")


def update(root=ROOT, write=True):
    """Bring all up to date; returns the names of the files that changed, or would.

    ValueError, with nothing written, where a claim or a figure is missing.
    """
    root, new = Path(root), {}
    if claims := read_claims(root):
        new[PAGE] = page(claims).encode()
    for name, place in FIGURES.items() if (root / "README.md").is_file() else ():
        new[name], _ = figure(*place, root)
    files = {name: root / name for name in new}
    changed = [
        n for n, f in files.items() if not f.exists() or f.read_bytes() != new[n]
    ]
    for name in changed if write else ():
        files[name].parent.mkdir(exist_ok=True)
        files[name].write_bytes(new[name])
    return changed
