"""What pages repeat of the notebooks, which `course.py refresh` brings up to date.

CLAIMS.md is a table of every claim: its id and kind come from the notebooks' code, its
sentence from the stored output. The picture of README.md is the first of notebook 00.
"""

import ast
import base64
import collections
import itertools
import re
import urllib.parse
from pathlib import Path

import command
import folding
from tidy import read

ROOT = Path(__file__).resolve().parents[1]
PAGE = "CLAIMS.md"
HEAD = Path(__file__).with_suffix(".md").read_text("utf-8")
PRINTED = re.compile(r"(?m)^✓ (\d\d[a-z]?-\d+)  (.+)$")
# What a claim may rest on (`by` of `claim`), and its part of the page, in their order.
RESTS_ON = {
    "run": "Live results",
    "record": "Re-read records",
    "identity": "Identities and code checks",
}
PICTURE = "notebooks/figures/one_picture.png"  # of README.md

Claim = collections.namedtuple("Claim", "id sentence kind by cell path title section")


def read_claims(root=ROOT):
    """Every Claim in reading order; Problem where one is not printed, or twice."""
    found = {}
    for path in command.lectures(root):
        title, section = path.stem, ""
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                prose = re.sub(r"(?ms)^```.*?^```", "", cell.source)
                title = [title, *re.findall(r"\A# (.+)", prose)][-1]
                section = [section, *re.findall(r"(?m)^## (.+?)\s*$", prose)][-1]
                continue
            texts = [output.get("text", "") for output in cell.outputs]
            printed = dict(PRINTED.findall("".join(texts)))
            made = [*claim_calls(cell.source)]
            if {name for name, *_ in made} != {*printed}:
                raise command.Problem(
                    f"cell {cell.id} of {path.name} claims {made} and prints "
                    f"{[*printed]}: run `python3 course.py refresh {path.name[:2]}`."
                )
            place = cell["id"], path.relative_to(root), title, section
            for name, *rest in made:
                if name in found:
                    raise command.Problem(f"claims made twice: {name}.")
                found[name] = Claim(name, printed[name], *rest, *place)
    return [*found.values()]


def claim_calls(source):
    """The id, kind and `by` of each call of `claim` in a code cell."""
    for node in ast.walk(ast.parse(source)):
        if folding.called(node) == "claim":
            said = {word.arg: word.value.value for word in node.keywords}
            yield node.args[0].value, said.get("kind", ""), said.get("by", "run")


def row(claim):
    """One line of a table, with a link whose title is the cell's id."""
    sentence = claim.sentence.replace("|", "\\|").replace("<", "&lt;")
    place = re.sub(r"^(\d+)\. ", r"§\1 ", claim.section).replace("|", "\\|")
    # What nbconvert makes of a heading; but parentheses would end a link in Markdown.
    anchor = urllib.parse.quote(claim.section.replace(" ", "-"), "?/:@!$&'*+,;=")
    target = f'{claim.path.as_posix()}#{anchor} "cell {claim.cell}"'
    return f"| {claim.id} | {sentence} | {claim.kind} | [{place}]({target}) |"


def page(claims):
    """The whole of CLAIMS.md."""
    counts = collections.Counter([c.by for c in claims] + [c.kind for c in claims])
    counts |= {"claims": len(claims), "notebooks": len({c.path for c in claims})}
    lines = [re.sub(r"\{(\w+)\}", lambda name: str(counts[name[1]]), HEAD)]
    for by, heading in RESTS_ON.items():
        lines.append(f"## {heading}\n")
        ours = [claim for claim in claims if claim.by == by]
        for title, group in itertools.groupby(ours, lambda claim: claim.title):
            lines += [f"### {title.replace(' · ', ' ')}\n", "| id | claim | | where |"]
            lines += ["|---|---|---|---|", *map(row, group), ""]
    return "\n".join(lines)


def picture(root=ROOT):
    """The PNG and the alternative text of the first figure of the first notebook."""
    path = command.lectures(root)[0]
    for output in [o for cell in read(path).cells for o in cell.get("outputs", [])]:
        if png := output.get("data", {}).get("image/png"):
            return base64.b64decode(png), output.metadata["image/png"]["alt"]
    raise command.Problem(f"{path.name} stores no figure.")


def repeated(root=ROOT):
    """What CLAIMS.md and the picture should be; Problem where one cannot be."""
    made = {}
    if claims := read_claims(root):
        made[PAGE] = page(claims).encode()
    if (root / "README.md").is_file():
        made[PICTURE], _ = picture(root)
    return made
