"""The slides of a notebook, as they are marked by hand in the metadata of its cells.

A cell may have `slides`, a list. Each slide has a `title`, which is its message, and
`minutes`. It shows what `show` names of its cell, "code", "result" (which is the rule)
or both, of the code only the `lines` "1-8"; or it shows its own `text`, in Markdown.
`say` is for the lecturer, and `vote` tells that the room answers before it turns.
"""

import ast
import itertools
import re
import textwrap
from dataclasses import dataclass

import folding

KEYS = {"title", "minutes", "show", "lines", "text", "say", "vote"}
PARTS = {"code", "result"}
LINES = 8  # of code on one slide
VOTE = 2  # minutes, at least
NOT_FOR_A_ROOM = re.compile("[✓○] |device: ")  # claims; guesses: a room has voted


@dataclass
class Slide:
    """What stands on one slide, and what is said; code and text are "" without any."""

    title: str
    text: str
    code: str
    results: list  # (kind, content, words): figure, rows, slider or text
    say: str
    minutes: float
    vote: bool


def slides(notebook):
    """The title slide, from the notebook's first lines, and all that are marked."""
    opening = notebook.cells[0].source
    head, question = re.findall(r"(?m)^(?:# (.+)|\*\*(.+)\*\*$)", opening)[:2]
    made = [Slide(head[0], question[1], "", [], "", 0, False)]
    for cell in notebook.cells:
        made += [marked(cell, slide) for slide in cell.metadata.get("slides", [])]
    return made


def marked(cell, slide):
    """One slide of a cell; KeyError or ValueError where its marks are none."""
    if strange := {*slide} - KEYS or {*slide.get("show", "").split()} - PARTS:
        raise ValueError(f"Slide {slide['title']!r} has no such mark: {strange}.")
    code = cell.cell_type == "code"
    shown = slide.get("show", "" if "text" in slide or not code else "result").split()
    lines = source_shown(cell).splitlines() if "code" in shown else []
    first, _, last = slide.get("lines", f"1-{len(lines)}").partition("-")
    return Slide(
        title=slide["title"],
        text=slide.get("text", ""),
        code=textwrap.dedent("\n".join(lines[int(first) - 1 : int(last)])).strip("\n"),
        results=results_shown(cell) if "result" in shown else [],
        say=slide.get("say", ""),
        minutes=slide["minutes"],
        vote=slide.get("vote", False),
    )


def source_shown(cell):
    """A cell's code, without its calls of claim and guess."""
    lines = cell.source.splitlines()
    for node in reversed(ast.parse(cell.source).body):
        if folding.called(getattr(node, "value", None)) in ("claim", "guess"):
            del lines[node.lineno - 1 : node.end_lineno]
    text = re.sub(r" *# fmt: skip", "", "\n".join(lines))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def results_shown(cell):
    """A cell's outputs: (kind, content, what it says in words)."""
    made = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            content = "".join(data["image/png"].split())
            made.append(("figure", content, output.metadata["image/png"]["alt"]))
        elif "text/html" in data and not folding.in_words(output):
            kind = "slider" if "lsr-live-" in data["text/html"] else "rows"
            made.append((kind, data["text/html"], ""))
        elif "text/html" not in data:
            lines = (output.get("text") or data.get("text/plain") or "").splitlines()
            text = "\n".join(x for x in lines if not NOT_FOR_A_ROOM.match(x))
            made += [("text", text.strip("\n"), "")] * bool(text.strip())
    return made


def pages(slides):
    """Slides for a handout, two a page; what answers a vote is not on its page."""
    made = [slides[:1]]
    for before, slide in itertools.pairwise(slides):
        told = before.vote or slide.vote and not before.minutes  # by a title, too
        if told or len(made[-1]) == 2:
            made.append([])
        made[-1].append(slide)
    return made


def minutes(slides):
    return sum(slide.minutes for slide in slides)


def walked(slides):
    """Minutes by another measure: words said and shown, pictures, clicks, votes."""
    texts = (f"{slide.title} {slide.text} {slide.say}" for slide in slides)
    words = sum(len(text.split()) for text in texts)
    pictures = sum(bool(slide.results) for slide in slides)
    code = sum(len(slide.code.splitlines()) for slide in slides)
    votes = sum(slide.vote for slide in slides)
    return words / 130 + pictures / 3 + code / 12 + len(slides) / 20 + 1.5 * votes
