"""Compose a talk from slides of the lectures, as listed in the teacher's plans."""

import re
from dataclasses import replace

from command import Problem
from tidy import read

from .deck import slides

ROW = re.compile(r"(?m)^\| \[(.+)\]\(\.\./(\S+?\.ipynb)[^)]*\) \| ([\d.]+) \|")


def plans(teaching):
    """The talks of plans.md, {name: [(title of a slide, notebook, minutes), ...]}."""
    text = (teaching / "plans.md").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^### (\d+) minutes$", text)
    made = {}
    for length, part in zip(parts[1::2], parts[2::2], strict=True):
        made[f"talk{length}"] = ROW.findall(re.split(r"(?m)^#{1,3} ", part)[0])
    return made


def composed(name, rows, notebooks):
    """The slides of a talk; Problem where a lecture has none of that title."""
    made, known = [], {}
    for message, path, minutes in rows:
        if path not in known:
            there = slides(read(notebooks / path))
            known[path] = {slide.title: slide for slide in there}
        if message not in known[path]:
            raise Problem(f"{path} has no slide {message!r}, which {name} lists.")
        made.append(replace(known[path][message], minutes=float(minutes)))
    return made
