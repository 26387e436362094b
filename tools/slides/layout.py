"""Lay blocks out on slides, no more than a lecture has. (deck.js shrinks full ones.)"""

from collections import namedtuple
from itertools import pairwise

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
            for made in [pages(section.blocks, ROOM * fullness)]
            for n, blocks in enumerate(made, 1)
        ]
        if len(slides) <= MOST:
            break
    return slides


def pages(blocks, room):
    """Lists of blocks: the fewest pages, and then the most even ones."""
    # What is joined, such as a figure and its caption, stays together.
    starts = [n for n, block in enumerate(blocks) if n == 0 or not block.joined]
    groups = [blocks[a:b] for a, b in pairwise([*starts, len(blocks)])]

    def filled(most):
        made = [[]]
        for group in groups:
            if made[-1] and sum(b.height for b in made[-1] + group) > most:
                made.append([])
            made[-1] += group
        return made

    fewest = len(filled(room))
    while len(filled(room - 10)) == fewest and room > 10:
        room -= 10
    return filled(room)
