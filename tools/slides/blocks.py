"""Turn a notebook's cells into the blocks of a deck: what is shown, what is said.

Headings, formulas, tables, lists, questions ("Predict") and results are shown. Code is
shown where it is not folded and teaches; other prose is the lecturer's, and goes to the
speaker notes. Set-up (`skip`), claims and what is covered in the notebook are left out.
"""

import ast
import base64
import html
import itertools
import math
import re
import struct
from dataclasses import dataclass, field

import folding

# Code that is not folded is shown with one of these tags; without, if it is short and
# neither draws nor makes several claims.
SHOWN = (folding.OPEN, "shown:", "simple:", "bug:")
LINES_SHOWN = 14
LINES_PRINTED = 31  # of a result on one slide
ASIDE = re.compile(r"(?ms)^show\(|\bplt\.|(Bar|Gap|Point)Sliders\(|^claim\(.*^claim\(")
WORDS_SHOWN = 90  # of prose under a heading
NOT_FOR_A_ROOM = re.compile(r"✓ \d\d[a-z]?-\d+ |device: ")
UNGUESSED = re.compile(r"(?m)^○ no guess yet: ")  # a room has voted
# How the stylesheet sets each kind: pixels around it and for a line; the letters in a
# line, or what stands for a line.
SIZES = {
    **{"code": (34, 24, 999), "text": (20, 22, 999), "table": (14, 33, 125)},
    **{"formula": (60, 42, r"\\\\|\\frac"), "rows": (20, 31, "<tr")},
    "slider": (430, 40, '"start":'),
}
WIDTH, HIGHEST = 1200, 450  # of a figure
PART = re.compile(
    r"""(?msx)^(?: \#.*?$ | [ ]*```.*?^[ ]*``` | [ ]*\$\$.*?\$\$ | (?:\|.*?$\n?)+
    | [ ]*(?:[-*]|\d+\.)\s.*?(?=\n\s*\n|\n(?:```|\$\$|\||\#)|\Z)
    | [^\s].*?(?=\n\s*\n|\n\s*(?:```|\$\$|\||[-*]\s|\d+\.\s)|\Z) )"""
)
TOGETHER = 760  # pixels of code and its result on one slide, whose type is set smaller


@dataclass
class Block:
    """One thing on a slide."""

    kind: str  # prose, list, table, formula, code, text, rows, figure, slider, …
    text: str  # Markdown, code, plain text, or HTML
    height: float  # estimated, in pixels of a frame of 1280 x 720
    joined: bool = False  # stays with the block before
    notes: list = field(default_factory=list)  # what is said about it


@dataclass
class Section:
    title: str
    blocks: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # to be said at the next block

    def add(self, block):
        block.notes, self.notes = [*self.notes, *block.notes], []
        self.blocks.append(block)


def sections(notebook):
    """The notebook's sections, one for each cell whose slide type is `slide`."""
    made = []
    folding.fold(notebook)
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        parts = paragraphs(cell.source) if cell.cell_type == "markdown" else []
        if kind == "slide" or not made:
            headed = parts and parts[0].startswith("#")
            made.append(Section(parts.pop(0).lstrip("# ") if headed else ""))
        if kind == "notes":
            made[-1].notes.append(cell.source)
        elif kind != "skip" and cell.cell_type == "markdown":
            add_prose(made[-1], parts, heads=kind == "slide")
        elif kind != "skip" and not folding.COVERED & {*cell.metadata.get("tags", [])}:
            add_code(made[-1], cell)
    for section in made:
        if section.blocks:
            section.blocks[-1].notes += section.notes
    return made


def paragraphs(source):
    """Split Markdown at blank lines; a fence, a formula and a list stay whole."""
    # What is folded on a page is shown to a room.
    source = re.sub(r"(?m)^ *</?(details|summary).*>$", "", source)
    return [part.rstrip() for part in PART.findall(source)]


def kind_of(part):
    kinds = r"(?P<code>```)|(?P<formula>\$\$)|(?P<table>\|)|(?P<list>([-*]|\d+\.)\s)"
    found = re.match(rf"\s*(?:{kinds})", part)
    return found.lastgroup if found else "prose"


def add_prose(section, parts, heads):
    """Show what belongs on the wall, and leave the rest to be said."""
    words = 0
    for part, after in zip(parts, [*parts, ""][1:], strict=True):
        kind = kind_of(part)
        words += len(part.split()) if kind == "prose" else 0
        leads = part.endswith(":") and kind_of(after) != "prose"
        if part.startswith("**Figure"):
            section.add(block("caption", beginning(part), joined=True, notes=[part]))
        elif part.startswith("**What to see"):
            section.add(block("seen", beginning(part), notes=[part]))
        elif kind != "prose" or part.startswith("**Predict"):
            section.add(block(kind, part))
        elif heads and (words <= WORDS_SHOWN or leads):
            section.add(block("prose", part))
        else:
            section.notes.append(part)


def beginning(text):
    """The first sentence of a paragraph, with its bold label; two if they are short."""
    found = re.match(r"(?s)(\*\*.+?\*\*)?.{30,}?(?<! al)[.?!][*)]*(?=\s|$)", text)
    return found[0] if found else text


def block(kind, text, **more):
    """A block with the height that the stylesheet gives, roughly."""
    around, line, by = SIZES.get(kind, (18, 33, 100))
    plain = re.sub(r"\]\([^)]*\)|[*`\\{}]", "", text).splitlines()
    if isinstance(by, str):
        lines = len(re.findall(by, text))
    else:
        lines = sum(math.ceil(len(row) / by) or 1 for row in plain)
    return Block(kind, text, around + line * lines, **more)


def add_code(section, cell):
    shown, results = source_shown(cell), outputs_shown(cell)
    if shown:
        section.add(block("code", shown))
        if results:  # code and its result stay together, where one slide holds both
            height = section.blocks[-1].height + results[0].height
            results[0].joined = height < TOGETHER
    elif section.notes and results and results[0].kind in ("text", "rows"):
        # Without its code, a result needs a word on what it is.
        section.add(block("lead", beginning(section.notes[-1])))
        results[0].joined = True
    for result in results:
        section.add(result)


def source_shown(cell):
    """The code to show, without calls of claim and guess; "" where there is none."""
    tagged = any(tag.startswith(SHOWN) for tag in cell.metadata.get("tags", []))
    if folding.is_folded(cell) or not tagged and ASIDE.search(cell.source):
        return ""
    lines = cell.source.splitlines()
    for node in reversed(ast.parse(cell.source).body):
        if folding.called(getattr(node, "value", None)) in ("claim", "guess"):
            del lines[node.lineno - 1 : node.end_lineno]
    text = re.sub(r" *# fmt: skip", "", "\n".join(lines))
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    return text if tagged or len(text.splitlines()) <= LINES_SHOWN else ""


def outputs_shown(cell):
    made = []
    for output in itertools.filterfalse(folding.in_words, cell.outputs):
        data = output.get("data", {})
        if "image/png" in data:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            made.append(picture(data["image/png"], alt))
        elif "text/html" in data:
            kind = "slider" if "lsr-live-" in data["text/html"] else "rows"
            made.append(block(kind, data["text/html"]))
        else:
            lines = (output.get("text") or data.get("text/plain") or "").splitlines()
            text = "\n".join(x for x in lines if not NOT_FOR_A_ROOM.match(x)).rstrip()
            text = UNGUESSED.sub("", text)
            lines = text.splitlines()
            slides = math.ceil(len(lines) / LINES_PRINTED) or 1
            size = math.ceil(len(lines) / slides) or 1
            parts = [lines[n : n + size] for n in range(0, len(lines), size)]
            made += [block("text", "\n".join(part)) for part in parts]
    return made


def picture(content, alt):
    """A figure as high as the room allows: small ones are enlarged."""
    content = "".join(content.split())
    size = struct.unpack(">II", base64.b64decode(content[:64])[16:24])
    height = size[1] * min(WIDTH / size[0], HIGHEST / size[1], 1.25)
    style, alt = f"height: {height:.0f}px", html.escape(alt)
    made = f'<img style="{style}" src="data:image/png;base64,{content}" alt="{alt}">'
    return Block("figure", made, height + 12)
