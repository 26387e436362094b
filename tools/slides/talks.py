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
    parts = re.findall(r"(?ms)^### (\d+) minutes$(.*?)(?=^#{1,3} |\Z)", text)
    return {f"talk{length}": ROW.findall(part) for length, part in parts}


def composed(name, rows, notebooks):
    """The slides of a talk; Problem where a lecture has none of that title."""
    paths, made = {path for _, path, _ in rows}, []
    known = {p: {s.title: s for s in slides(read(notebooks / p))} for p in paths}
    for message, path, minutes in rows:
        if message not in known[path]:
            raise Problem(f"{path} has no slide {message!r}, which {name} lists.")
        made.append(replace(known[path][message], minutes=float(minutes)))
    return made
