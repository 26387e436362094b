"""Write the claims ledger into README.md: every claim of the course and its cell.

usage: python tools/ledger.py [--check]

Claims are read from the code of the notebooks, their sentences from the stored outputs.
Links like [03 §10](…) in README.md and the pages for teaching are led to where that
section is now. `course.py refresh` calls this too. Needs nothing but Python.
"""

import argparse
import ast
import collections
import functools
import json
import re
import sys
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- ledger:begin -->", "<!-- ledger:end -->"
COMMAND = "python tools/ledger.py"
PRINTED = re.compile(r"(?m)^✓ (\d\d-\d+)  (.+)$")

# What a claim says about label smoothing, where that is not simply "so it is":
# no gain seen, a gain of a stated size excluded, or a question left open;
NULL = """
    03-16 03-19 03-20 03-23 03-24 03-32 04-10 04-16 04-20 04-22 05-7 05-15 05-20 05-30
    05-32 06-31 07-9 07-11 07-14 07-17
""".split()
# something that smoothing makes worse, as a whole or in part;
HARM = """
    00-3 01-13 02-15 03-14 03-27 03-28 03-29 03-33 03-36 04-15 04-19 05-19 05-21 05-26
    05-28 06-11 06-23 06-28 07-8 07-19
""".split()
# another method that did better, with as many tries.
RIVAL = ["03-31", "04-11"]

# The claims to show first, the surprising and the sobering among them; each can be
# understood without its notebook.
PICKED = """
    00-2 01-1 01-2 01-6 01-8 01-10 01-12 01-13 02-6 02-11 02-15 03-9 03-16
    03-21 03-23 03-27 03-31 04-2 04-10 04-11 04-16 04-17 05-5 05-19 05-28 06-3
    06-21 06-23 07-8 07-15 08-1 08-7
""".split()

# Pages with links like [03 §10](…), and the way from each to the notebooks.
LINKED = {
    "README.md": "notebooks/",
    "notebooks/teaching/plans.md": "../",
    "notebooks/teaching/misconceptions.md": "../",
    "notebooks/teaching/running_a_class.md": "../",
    "notebooks/teaching/examination/answers.md": "../../",
}

Claim = collections.namedtuple("Claim", "id sentence cell path title section")


def read_claims(root=ROOT):
    """Every claim of the course in reading order, or ValueError.

    root    : the course's folder
    returns : list of Claim; `sentence` as printed, `title` the notebook's, `section`
              the heading above it
    raises  : ValueError when a claim is printed nowhere, or an id is used twice
    """
    found = []
    for path in sorted((Path(root) / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        found += _claims_of(path)
    twice = [
        name for name, n in collections.Counter(c.id for c in found).items() if n > 1
    ]
    if twice:
        raise ValueError(f"claims made twice: {', '.join(twice)}.")
    return found


def _claims_of(path):
    title, section = path.stem, ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            title = [title, *re.findall(r"\A# (.+)", source)][-1]
            section = [section, *headings(source)][-1]
            continue
        made = claim_ids(source)
        texts = ["".join(output.get("text", "")) for output in cell["outputs"]]
        printed = dict(PRINTED.findall("".join(texts)))
        if sorted(made) != sorted(printed):
            raise ValueError(
                f"cell {cell['id']} of {path.name} claims {made} and prints "
                f"{list(printed)}: run `python3 course.py refresh {path.name[:2]}`."
            )
        for name in made:
            yield Claim(name, printed[name], cell["id"], path, title, section)


def headings(source):
    """The headings of sections in Markdown, in their order; code is left out."""
    prose = re.sub(r"(?ms)^```.*?^```", "", source)
    return re.findall(r"(?m)^## (.+?)\s*$", prose)


def claim_ids(source):
    """The ids of the calls of `claim` in a code cell, in their order."""
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "claim"
    ]
    calls.sort(key=lambda call: call.lineno)
    return [call.args[0].value for call in calls]


# -- the table -----------------------------------------------------------------------


def anchor(heading):
    """What Jupyter and nbconvert make of a heading, ready for a link."""
    # Parentheses would end a link in Markdown; everything else as in nbconvert.
    return urllib.parse.quote(heading.replace(" ", "-"), safe="?/:@!$&'*+,;=")


def kind(name):
    """What a claim says about smoothing: "null", "harm", "rival", or nothing."""
    kinds = {"null": NULL, "harm": HARM, "rival": RIVAL}
    return next((kind for kind, names in kinds.items() if name in names), "")


def row(claim, short=True):
    """One line of the table, with a link whose title is the cell's id.

    short : call the place "03 §10", else by the section's whole heading
    """
    sentence = claim.sentence.replace("|", "\\|").replace("<", "&lt;")
    place = re.sub(r"^(\d+)\. ", r"§\1 ", claim.section).replace("|", "\\|")
    if short:
        place = f"{claim.path.name[:2]} {place.split(' ')[0]}"
    target = f"notebooks/{claim.path.name}#{anchor(claim.section)}"
    return (
        f"| {claim.id} | {sentence} | {kind(claim.id)} | "
        f'[{place}]({target} "cell {claim.cell}") |'
    )


HEAD = ["| id | claim | | where |", "|---|---|---|---|"]


def ledger(claims):
    """The whole block between the markers, as Markdown."""
    by_id = {claim.id: claim for claim in claims}
    by_path = collections.defaultdict(list)
    for claim in claims:
        by_path[claim.path.name].append(claim)
    lines = [
        f"**{len(claims)} claims** in {len(by_path)} notebooks, each of them asserted "
        f"by the cell that is linked. {_counts(claims)} First a selection; under it, "
        "notebook by notebook, all of them.",
        "",
        *HEAD,
        *(row(by_id[name]) for name in PICKED if name in by_id),
        "",
    ]
    for made in by_path.values():
        kinds = [kind(claim.id) for claim in made]
        counts = [f"{kinds.count(k)} {k}" for k in ("null", "harm", "rival")]
        counts = [f"{len(made)} claims", *(c for c in counts if c[0] != "0")]
        title = made[0].title.replace(" · ", " ")
        lines += ["<details>", f"<summary>{title}: {', '.join(counts)}</summary>", ""]
        lines += [*HEAD, *(row(claim, short=False) for claim in made)]
        lines += ["", "</details>", ""]
    return "\n".join([BEGIN, "", *lines, END])


def _counts(claims):
    found = collections.Counter(kind(claim.id) for claim in claims)
    return (
        f"{found['null']} are marked *null*: no gain was seen, a gain of a stated size "
        "is excluded, or the question stays open. "
        f"{found['harm']} are marked *harm*: smoothing made something worse, as a "
        f"whole or in part. {found['rival']} are marked *rival*: another method did "
        "better with as many tries."
    )


# -- links to sections -----------------------------------------------------------------


def sections(root=ROOT):
    """Headings of all numbered sections, as {("03", "10"): (file name, heading)}."""
    found = {}
    for path in (Path(root) / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                for heading in headings("".join(cell["source"])):
                    number = heading.partition(".")[0]
                    found[path.name[:2], number] = path.name, heading
    return found


def relink(text, found, way=""):
    """The text with every link like [03 §10](…) led to where that section is now.

    found  : as `sections` returns
    way    : from the text's folder to the notebooks, with a slash at its end
    raises : ValueError for a section that does not exist
    """

    def link(match):
        if match.groups() not in found:
            raise ValueError(
                f"{match[0]}: there is no section {match[2]} in {match[1]}."
            )
        name, heading = found[match.groups()]
        return f"[{match[1]} §{match[2]}]({way}{name}#{anchor(heading)})"

    return re.sub(r"\[(\d\d) §(\d+)\]\([^)]*\)", link, text)


# -- the files -------------------------------------------------------------------------


def update(root=ROOT, write=True):
    """Bring the links of README.md and of the pages for teaching up to date.

    write   : False only looks
    returns : names of the files that changed, or would
    raises  : ValueError when a link names a section that does not exist
    """
    changed = []
    for name, way in LINKED.items():
        renew = functools.partial(_linked, way=way)
        path = Path(root) / name
        old = path.read_text(encoding="utf-8") if path.is_file() else None
        if old is None or (new := renew(old, root)) == old:
            continue
        changed.append(name)
        if write:
            path.write_bytes(new.encode())
    return changed


def _with_ledger(text, root):
    parts = re.split(f"{BEGIN}.*?{END}", text, flags=re.DOTALL)
    if len(parts) != 2:
        raise ValueError(f"README.md must hold {BEGIN} ... {END} once.")
    return ledger(read_claims(root)).join(parts)


def _linked(text, root, way):
    return relink(text, sections(root), way)


def main(arguments=None):
    return command_line(sys.modules[__name__], arguments)


def command_line(tool, arguments=None):
    """Run a module that has an `update` and a COMMAND, with its option --check."""
    parser = argparse.ArgumentParser(description=tool.__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if it would change"
    )
    options = parser.parse_args(arguments)
    try:
        changed = tool.update(write=not options.check)
    except ValueError as problem:
        print(f"{Path(tool.__file__).stem}: {problem}", file=sys.stderr)
        return 1
    if options.check and changed:
        print(f"{', '.join(changed)}: not up to date; run `{tool.COMMAND}`.")
    else:
        print(f"written: {', '.join(changed) or 'nothing, all is up to date'}")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
