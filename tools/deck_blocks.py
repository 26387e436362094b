"""Turn a notebook's cells into the blocks of a deck: what is shown, what is said.

Headings, formulas, tables, lists, questions ("Predict") and results are shown. Code is
shown where it is not folded and teaches; other prose is the lecturer's, and goes to the
speaker notes. Set-up (`skip`) and what is covered in the notebook are left out. Of
another check only the sentence that it bears out stays.
"""

import ast
import base64
import math
import re
import struct
from dataclasses import dataclass, field

import folding

# Code that is not folded is shown with one of these tags; without, `teaches` decides.
SHOWN = (folding.OPEN, "shown:", "simple:", "bug:")
LINES_SHOWN = 14  # of code without a tag
WORDS_SHOWN = 90  # of prose under a heading
CLAIM = re.compile(r"^✓ \d\d-\d+\s+(.*)")
NOT_FOR_A_ROOM = ("No prediction yet", "device: ")

# What the stylesheet gives, in pixels of a frame of 1280 x 720: enough to lay out.
WIDTH, PROSE, CODE, TEXT, ROW = 1200, 33, 24, 22, 33


@dataclass
class Block:
    """One thing on a slide, with its estimated height and what is said about it."""

    kind: str  # prose, item, table, formula, code, text, rows, figure, slider, claims
    text: str  # Markdown, code, plain text, HTML, or base64 of a picture
    height: float
    alt: str = ""
    result: bool = False  # comes up with a click
    joined: bool = False  # stays with the block before
    notes: list = field(default_factory=list)


@dataclass
class Section:
    title: str
    blocks: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # to be said at the next block


def sections(notebook):
    """The notebook's sections, one for each cell whose slide type is `slide`."""
    made = []
    folding.fold(notebook)
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind == "notes" and made:
            made[-1].notes.append(cell.source)
        if kind in ("notes", "skip"):
            continue
        parts = paragraphs(cell.source) if cell.cell_type == "markdown" else []
        if kind == "slide" or not made:
            headed = parts and parts[0].startswith("#")
            title = parts.pop(0).lstrip("# ") if headed else ""
            made.append(Section(title))
        if cell.cell_type == "markdown":
            add_prose(made[-1], parts, heads=kind == "slide")
        elif cell.cell_type == "code":
            add_code(made[-1], cell)
    for section in made:
        if section.notes and section.blocks:
            section.blocks[-1].notes += section.notes
    return made


# -- prose ---------------------------------------------------------------------------


def paragraphs(source):
    """Split Markdown at blank lines; a fence, a formula and a list item stay whole."""
    parts, open_until = [], None
    fresh = True
    for line in source.splitlines():
        mark = line.strip()
        if open_until:
            parts[-1] += "\n" + line
            if mark.endswith(open_until):
                open_until, fresh = None, True
        elif re.fullmatch(r"</?(details|summary).*>", mark) or not mark:
            fresh = True  # what is folded on a page is shown to a room
        elif mark.startswith("```"):
            parts.append(line)
            open_until = "```"
        elif mark.startswith("$$"):
            parts.append(line)
            closed = mark.endswith("$$") and len(mark) > 2 or mark.endswith("$$ .")
            open_until, fresh = (None, True) if closed else ("$$", False)
        elif fresh or is_item(line) or mark.startswith("#"):
            parts.append(line)
            fresh = mark.startswith("#")
        else:
            parts[-1] += "\n" + line
    return parts


def is_item(text):
    return re.match(r"\s{0,3}([-*]|\d+\.)\s", text) is not None


def kind_of(part):
    if part.startswith("```"):
        return "code"
    if part.lstrip().startswith("$$"):
        return "formula"
    if part.startswith("|"):
        return "table"
    return "item" if is_item(part) else "prose"


def add_prose(section, parts, heads):
    """Show what belongs on the wall, and leave the rest to be said."""
    words, looks_back = 0, False
    for number, part in enumerate(parts):
        kind, says = kind_of(part), section.notes
        if part.startswith("**Figure") and section.blocks:
            looks_back = True
            caption = beginning(part)
            section.blocks.append(block("caption", caption, joined=True))
        elif part.startswith("**What to see"):
            looks_back = True
            section.blocks.append(block("seen", beginning(part), result=True))
        elif kind != "prose" or part.startswith("**Predict"):
            section.blocks.append(block(kind, part, notes=take(section)))
            continue
        elif heads:
            words += len(part.split())
            leads = kind_of(next(iter(parts[number + 1 :]), "")) != "prose"
            if number == 0 or words <= WORDS_SHOWN or leads and part.endswith(":"):
                section.blocks.append(block("prose", part, notes=take(section)))
                continue
        if looks_back:
            says = section.blocks[-1].notes
        says.append(part)


def take(section):
    """What was to be said at the next block, which is here."""
    said, section.notes = section.notes, []
    return said


def beginning(text):
    """The first sentence of a paragraph, with its bold label; two if they are short."""
    ends = re.finditer(r"(?<!e\.g|i\.e| al)[.?!](\*\*|\*|\))?(?=\s)", text)
    for end in ends:
        taken = text[: end.end()]
        whole = not (taken.count("**") % 2 or taken.count("$") % 2)
        if whole and len(re.sub(r"^\*\*.*?\*\*|[*`]", "", taken)) > 30:
            return taken
    return text


def block(kind, text, **more):
    return Block(kind, text, estimate(kind, text), **more)


def estimate(kind, text):
    """Roughly the height that the stylesheet gives, in pixels."""
    lines = text.splitlines()
    if kind in ("prose", "item", "caption", "seen", "lead"):
        letters = len(re.sub(r"\]\([^)]*\)|[*`\\{}]", "", text))
        return math.ceil(letters / 100) * PROSE + (8 if kind == "item" else 18)
    if kind == "formula":
        return 60 + 42 * (text.count("\\\\") + text.count("\\frac"))
    if kind == "table":
        return 14 + sum(ROW * math.ceil(len(line) / 125) for line in lines)
    if kind == "code":
        return 34 + CODE * len(lines)
    if kind == "text":
        return 20 + TEXT * len(lines)
    if kind == "claims":
        return 10 + sum(math.ceil(len(line) / 105) * 31 for line in lines)
    if kind == "rows":
        return 20 + 31 * text.count("<tr")
    return 430 + 40 * text.count('"start":')  # a slider


# -- code ----------------------------------------------------------------------------


def add_code(section, cell):
    if folding.has_covered_output(cell):
        return
    shown = source_shown(cell)
    results = outputs_shown(cell)
    if shown:
        section.blocks.append(block("code", shown, notes=take(section)))
    elif section.notes and [r for r in results[:1] if r.kind in ("text", "rows")]:
        # Without its code, a result needs a word on what it is.
        lead = beginning(section.notes[-1])
        section.blocks.append(block("lead", lead, notes=take(section)))
        results[0].joined = True
    for number, result in enumerate(results):
        if number == 0:
            result.notes = take(section)
        result.result = True
        section.blocks.append(result)


def source_shown(cell):
    """The code to show, without its checks, or "" where it does not teach."""
    if folding.is_folded(cell):
        return ""
    source, calls = without_checks(cell.source)
    if any(tag.startswith(SHOWN) for tag in cell.metadata.get("tags", [])):
        return source
    return source if teaches(source, calls) else ""


def without_checks(source):
    """The code without calls of claim and guess, and what was called at top level."""
    lines, calls, dropped = source.splitlines(), [], set()
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        name = folding.called(node.value)
        calls.append(name)
        if name in ("claim", "guess"):
            dropped.update(range(node.lineno - 1, node.end_lineno))
    kept = [line for number, line in enumerate(lines) if number not in dropped]
    text = re.sub(r"[ ]*# (fmt: skip|noqa.*)", "", "\n".join(kept))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n"), calls


def teaches(source, calls):
    """Drawing does not, nor does a cell made for its claims, nor a long one."""
    if not source or "show" in calls or calls.count("claim") > 1:
        return False
    if re.search(r"\bplt\.|BarSliders\(|PointSliders\(", source):
        return False
    return len(source.splitlines()) <= LINES_SHOWN


def outputs_shown(cell):
    made = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            made.append(picture(data["image/png"], alt))
        elif "text/html" in data:
            slider = "lsr-live-" in data["text/html"]
            made.append(block("slider" if slider else "rows", data["text/html"]))
        elif "text/markdown" in data:
            parts = paragraphs(data["text/markdown"])
            made += [block(kind_of(part), part) for part in parts]
        else:
            text = output.get("text") or data.get("text/plain") or ""
            made += printed(text)
    return made


def printed(text):
    """What a cell printed; claims become sentences, and in what order is kept."""
    made = []
    for line in text.rstrip().splitlines():
        claim = CLAIM.match(line)
        if line.startswith(NOT_FOR_A_ROOM):
            continue
        kind = "claims" if claim else "text"
        line = claim.group(1) if claim else line
        if made and made[-1][0] == kind:
            made[-1][1].append(line)
        else:
            made.append((kind, [line]))
    return [block(kind, "\n".join(lines)) for kind, lines in made if any(lines)]


def picture(content, alt):
    content = "".join(content.split())
    width, height = png_size(content)
    scale = min(WIDTH / width, 450 / height, 1.25)
    return Block("figure", content, height * scale + 12, alt)


def png_size(content):
    """Width and height of a PNG given as base64, from its header."""
    return struct.unpack(">II", base64.b64decode(content[:64])[16:24])
