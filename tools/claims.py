"""Write CLAIMS.md: every claim of the course, what it rests on, and its cell.

usage: python tools/claims.py [--check]

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
PAGE = "CLAIMS.md"
COMMAND = "python tools/claims.py"
PRINTED = re.compile(r"(?m)^✓ (\d\d-\d+)  (.+)$")

# What a claim may rest on, in the order of the page: `by` of `claim`, its heading, and
# what that means.
RESTS_ON = {
    "run": (
        "Live results",
        "Networks are trained, or samples drawn, whenever the notebook runs.",
    ),
    "record": (
        "Re-read records",
        "Some of the values, or all, come from a stored file, which the notebook reads "
        "again whenever it runs; [data/README.md](data/README.md) says how each was "
        "made.",
    ),
    "identity": (
        "Identities and code checks",
        "Algebra, or code held against other code. Such a claim fails only where the "
        "code is wrong.",
    ),
}
KINDS = {
    "null": "no gain was seen, a change of a stated size is excluded, or it stays open",
    "harm": "smoothing made something worse, as a whole or in part",
    "rival": "another method did better, with as many tries",
}

HEAD = """\
# What the course claims

<!-- Written by `{command}`. To change a sentence, change it in its notebook. -->

**{claims} claims** in {notebooks} notebooks. Each is asserted by the cell that is
linked: where it does not hold, the notebook fails. Three kinds are kept apart:

{grounds}

Some are marked:

{marks}

**The thresholds were set after the results for the stored seeds had been seen.** A
claim says what came out here; it is no forecast that was put to a test. With other
seeds about one live claim in twenty has fallen short of its threshold.

## How to read them

- **(95 %)**: the whole 95 % interval of the paired difference over seeds (mostly
  twenty) lies beyond the size that is stated. **(Holm)**: p < 0.05 after Holm's
  correction. Where neither stands, the sentence is about means, or about the networks
  that it names.
- **eps** is the amount of smoothing. Convention A spreads it over all K classes, as
  PyTorch does, B over the K - 1 others. One-hot, or hard, targets have eps = 0.
- **Data**: digits (handwritten, 8 x 8), gaussians (six overlapping clouds whose
  posterior is known), shapes (drawn outlines; a morph mixes two), questions and TREC
  (both of six types), photographs (six animals of CIFAR-10). A number after the name
  counts the training examples.
- **Gap**: the logit of the true class minus the mean of the others, in nats.
  **Floor**: of a loss, the entropy of its targets; of an ECE, what a perfectly
  calibrated network gets from as many points. **conf - acc**: mean confidence minus
  accuracy. **The law**: smoothing by eps puts it at -eps (best accuracy - 1 / K).
- **Within / between**: the scatter of features within their classes, divided by that
  of the class means. **As the head sees it**, or for the head: in the directions in
  which the last layer tells classes apart.
- **Rivals** of notebook 03: weight decay, L1, dropout, early stopping. **Pair noise**
  moves labels to the next class; **correction** is forward correction.
- **Networks of notebook 06**: gaussians of 300 points (overfit), 2,000 (too long) and
  30,000 (well fed), and a recorded CNN on shapes.
"""

# Pages with links like [03 §10](…), and the way from each to the notebooks.
LINKED = {
    "README.md": "notebooks/",
    "notebooks/teaching/plans.md": "../",
    "notebooks/teaching/misconceptions.md": "../",
    "notebooks/teaching/running_a_class.md": "../",
    "notebooks/teaching/examination/answers.md": "../../",
}

Claim = collections.namedtuple("Claim", "id sentence kind by cell path title section")


def read_claims(root=ROOT):
    """Every claim of the course in reading order, or ValueError.

    root    : the course's folder
    returns : list of Claim; `sentence` as printed, `kind` and `by` as in its call,
              `title` the notebook's, `section` the heading above it
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
        made = claim_calls(source)
        texts = ["".join(output.get("text", "")) for output in cell["outputs"]]
        printed = dict(PRINTED.findall("".join(texts)))
        if sorted(made) != sorted(printed):
            raise ValueError(
                f"cell {cell['id']} of {path.name} claims {list(made)} and prints "
                f"{list(printed)}: run `python3 course.py refresh {path.name[:2]}`."
            )
        for name, ground in made.items():
            place = cell["id"], path, title, section
            yield Claim(name, printed[name], *ground, *place)


def headings(source):
    """The headings of sections in Markdown, in their order; code is left out."""
    prose = re.sub(r"(?ms)^```.*?^```", "", source)
    return re.findall(r"(?m)^## (.+?)\s*$", prose)


def claim_calls(source):
    """The calls of `claim` in a code cell: a dict of their ids to (kind, by)."""
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "claim"
    ]
    calls.sort(key=lambda call: call.lineno)
    made = {}
    for call in calls:
        said = {word.arg: word.value.value for word in call.keywords}
        made[call.args[0].value] = said.get("kind", ""), said.get("by", "run")
    return made


# -- the table -----------------------------------------------------------------------


def anchor(heading):
    """What Jupyter and nbconvert make of a heading, ready for a link."""
    # Parentheses would end a link in Markdown; everything else as in nbconvert.
    return urllib.parse.quote(heading.replace(" ", "-"), safe="?/:@!$&'*+,;=")


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
    by = collections.Counter(claim.by for claim in claims)
    kinds = collections.Counter(claim.kind for claim in claims)
    lines = [
        HEAD.format(
            command=COMMAND,
            claims=len(claims),
            notebooks=len({claim.path for claim in claims}),
            grounds="\n".join(
                f"- **{heading}** ({by[name]}). {meaning}"
                for name, (heading, meaning) in RESTS_ON.items()
            ),
            marks="\n".join(
                f"- *{kind}* ({kinds[kind]}): {meaning}."
                for kind, meaning in KINDS.items()
            ),
        )
    ]
    for name, (heading, _) in RESTS_ON.items():
        lines.append(f"## {heading}\n")
        of_kind = collections.defaultdict(list)
        for claim in claims:
            if claim.by == name:
                of_kind[claim.title.replace(" · ", " ")].append(claim)
        for title, made in of_kind.items():
            lines += [f"### {title}\n", "| id | claim | | where |", "|---|---|---|---|"]
            lines += [*map(row, made), ""]
    return "\n".join(lines)


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
    """Bring CLAIMS.md and the links of README.md and of the teaching pages up to date.

    write   : False only looks
    returns : names of the files that changed, or would
    raises  : ValueError when claims cannot be read, or a link names a section that does
              not exist
    """
    changed = []
    linked = {n: functools.partial(_linked, way=way) for n, way in LINKED.items()}
    for name, renew in {PAGE: _claimed, **linked}.items():
        path = Path(root) / name
        old = path.read_text(encoding="utf-8") if path.is_file() else None
        if (new := renew(old, root)) == old:
            continue
        changed.append(name)
        if write:
            path.write_bytes(new.encode())
    return changed


def _claimed(text, root):
    claims = read_claims(root)
    return page(claims) if claims else text


def _linked(text, root, way):
    return text and relink(text, sections(root), way)


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
