"""Lay blocks out on slides, no more than a lecture has. (deck.js shrinks full ones.)"""

from collections import namedtuple
from dataclasses import replace

# The part is like "2/3", or "" where the section has one slide.
Slide = namedtuple("Slide", "title part blocks")
MOST = 38  # slides
ROOM = 590  # pixels under a title, in a frame of 720
FULLNESS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)  # of a slide: the first that gives few enough


def deck(sections):
    """The slides of these sections, in their order."""
    for fullness in FULLNESS:
        slides = [
            Slide(section.title, f"{n}/{len(made)}" if len(made) > 1 else "", blocks)
            for section in sections
            for made in [pages(groups(section.blocks), ROOM * fullness)]
            for n, blocks in enumerate(made, 1)
        ]
        if len(slides) <= MOST:
            break
    return slides


def pages(groups, room):
    """Lists of blocks: the fewest pages, and then the most even ones."""

    def filled(most):
        made = [[]]
        for group in groups:
            if made[-1] and height(made[-1]) + height(group) > most:
                made.append([])
            made[-1] += group
        return made

    fewest = len(filled(room))
    while len(filled(room - 10)) == fewest and room > 10:
        room -= 10
    return filled(room)


def height(blocks):
    return sum(block.height for block in blocks)


def groups(blocks):
    """Blocks that stay together, such as a figure and its caption."""
    made = []
    for piece in [piece for block in blocks for piece in pieces(block)]:
        if made and piece.joined:
            made[-1].append(piece)
        else:
            made.append([piece])
    return made


def pieces(block):
    """A block as it is or, where it is too tall for a slide, as several."""
    count = -(-int(block.height) // ROOM) if block.kind in ("table", "text") else 1
    if block.height < FULLNESS[2] * ROOM or count == 1:
        return [block]
    lines = block.text.splitlines()
    head, lines = (lines[:2], lines[2:]) if block.kind == "table" else ([], lines)
    size = -(-len(lines) // count)
    return [
        replace(
            block,
            text="\n".join([*head, *lines[start : start + size]]),
            height=block.height / count,
            joined=block.joined and not start,
            notes=[] if start else block.notes,
        )
        for start in range(0, len(lines), size)
    ]
