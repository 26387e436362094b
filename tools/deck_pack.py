"""Lay blocks out on slides: none too full, and as many as one lecture has."""

import copy
import re
from dataclasses import dataclass, field

FEWEST, MOST = 15, 38  # a lecture has 15 to 40; notebooks still change
ROOM = 590  # pixels under a title, in a frame of 720
# Wanted first; then fuller slides, whose type the deck makes smaller, or emptier ones.
FULLNESS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
EMPTIER = (0.8, 0.6, 0.45, 0.3, 0.1)
CRUMB = 0.25  # a slide emptier than this joins the next or the one before, set smaller
SPLIT_AT = 1.2  # a single block is split when it needs so much of the room
LIST = 0.5  # a list is short, and not divided, up to so much of the room
# Read at home: one slide each, and what finds no room on it goes to the notes.
READ_LATER = ("Exercises", "References")


@dataclass
class Slide:
    title: str
    part: str  # "2/3", or "" where the section has one slide
    blocks: list = field(default_factory=list)

    @property
    def notes(self):
        return [note for block in self.blocks for note in block.notes]


def deck(sections):
    """The slides of these sections, 15 to 40 of them where that can be had."""
    for fullness in FULLNESS:
        slides = packed(sections, ROOM * fullness)
        if len(slides) <= MOST:
            break
    if len(slides) < FEWEST:
        for fullness in EMPTIER:
            slides = packed(sections, ROOM * fullness)
            if len(slides) >= FEWEST:
                break
    return slides


def packed(sections, room):
    slides = []
    for section in copy.deepcopy(sections):
        if section.title.rpartition(". ")[2] in READ_LATER:
            slides.append(Slide(section.title, "", one_page(section.blocks)))
            continue
        pages = [[]]
        for group in groups(section.blocks, max(room, ROOM)):
            before = height(pages[-1])
            most = (1 + CRUMB) * room if before < CRUMB * room else room
            if pages[-1] and before + height(group) > most:
                pages.append([])
            pages[-1] += group
        if len(pages) > 1 and height(pages[-1]) < CRUMB * room:
            if height(pages[-2]) + height(pages[-1]) < (1 + CRUMB) * room:
                crumb = pages.pop()
                pages[-1] += crumb
        for number, page in enumerate(pages, 1):
            part = f"{number}/{len(pages)}" if len(pages) > 1 else ""
            slides.append(Slide(section.title, part, page))
    return slides


def one_page(blocks):
    """The blocks that one slide holds; the rest becomes notes of the last of them."""
    kept = blocks[:1]
    for block in blocks[1:]:
        if height(kept) + block.height <= FULLNESS[-1] * ROOM:
            kept.append(block)
        else:
            break
    for block in blocks[len(kept) :]:
        kept[-1].notes += [block.text, *block.notes]
    return kept


def height(blocks):
    return sum(block.height for block in blocks)


def groups(blocks, room):
    """Blocks that stay together: a table and the line above it, a short list."""
    made = []
    for block in blocks:
        for number, piece in enumerate(pieces(block, room)):
            listed = made and made[-1][-1].kind == piece.kind == "item"
            short = listed and height(made[-1]) + piece.height < LIST * room
            if made and number == 0 and (piece.joined or short):
                made[-1].append(piece)
            else:
                made.append([piece])
    return made


def pieces(block, room):
    """A block too tall for a slide, as several; of a table each has the head."""
    if block.height < SPLIT_AT * room or block.kind not in SPLIT:
        return [block]
    head, lines, foot = SPLIT[block.kind](block.text)
    count = -(-int(block.height) // int(room))
    size = -(-len(lines) // count)
    made = []
    for start in range(0, len(lines), size):
        piece = copy.copy(block)
        piece.text = "\n".join([*head, *lines[start : start + size], *foot])
        piece.height = block.height / count
        piece.notes = block.notes if start == 0 else []
        made.append(piece)
    return made


def table_rows(text):
    head, *rest = re.split(r"(?=<tbody>)", text)
    body = "".join(rest)
    rows = re.findall(r"<tr>.*?</tr>", body, re.DOTALL)
    groups = [row for row in rows if "rowspan" in row]
    if groups:  # an index of two levels: a group stays whole
        rows = re.split(r"(?=<tr>\s*<th rowspan)", "".join(rows))
        rows = [row for row in rows if row]
    return [head, "<tbody>"], rows, ["</tbody></table></div>"]


SPLIT = {
    "text": lambda text: ([], text.splitlines(), []),
    "code": lambda text: ([], text.splitlines(), []),
    "table": lambda text: (text.splitlines()[:2], text.splitlines()[2:], []),
    "rows": table_rows,
}
