"""Sliders that need no kernel: a table of numbers that a short script brings to life.

Where scripts run (JupyterLab, exported pages, slides) the reader moves the sliders and
the picture follows. Where they are stripped (a repository's web view, a notebook not
yet trusted) a table of the settings and their readouts stays.
"""

import html
import itertools
import json
import math
import re
from pathlib import Path

from .style import CLASS_COLORS

STEPS = 1000  # to which a coordinate is rounded, over the width of a frame

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_SHARED, _BARS, _POINTS = re.findall(r"(?ms)^{ // \w+\n(.*?)^}$", _SCRIPT)


class BarSliders:
    """Bars that follow one or more sliders, with a table of readouts underneath.

    controls  : name to the values its slider steps through
    frame     : called with one value of each control, in order; returns the bars'
                heights, a dict of readouts (name to text) and, if wanted, heights of
                marks across the bars. A height of None is not drawn
    start     : name to the value shown first
    key       : identifies the slider in the page; one of its own in each notebook
    labels    : one under each bar, when there are at most ten; 1, 2, ... when None
    highlight : index of the bar in another colour, or None
    raises    : ValueError when a start value is not one of its control's values,
                a bar is not finite, or the key cannot stand in a page

    Display it as the last line of a cell. Taught in 01.
    """

    def __init__(self, controls, frame, start, key, *, labels=None, highlight=0):
        controls, frames = _controls(controls, start, key), []
        for values in _settings(controls):
            bars, readout, *marks = frame(*values)
            marks = _rounded(marks[0]) if marks else []
            frames.append(
                {"bars": _rounded(bars), "readout": dict(readout), "marks": marks}
            )
        labels = labels or range(1, 1 + max(len(made["bars"]) for made in frames))
        labels = [html.escape(str(label)) for label in labels]
        self._data = {"controls": controls, "frames": frames, "labels": labels}
        self._data |= {"highlight": highlight, "top": 1.0}
        self._key = key

    def _repr_mimebundle_(self, include=None, exclude=None):
        return _page(self._key, self._data, _BARS)


class PointSliders:
    """Points, marks and rays in the plane that follow one or more sliders.

    controls, start, key : as of ``BarSliders``
    frame    : called with one value of each control, in order; returns a dict of
               points (N, 2) and groups (N,), marks (M, 2) and mark_groups (M,),
               centre (2,) and rays (R, 2) that start there, readout (name to text)
    names    : of the groups 0, 1, ..., at most six
    raises   : ValueError as ``BarSliders``, for a point that is not finite, and for a
               group without a name

    Each frame is drawn as large as it fits, equally in both directions.
    Display it as the last line of a cell. Taught in 05.
    """

    def __init__(self, controls, frame, start, key, names):
        controls, most = _controls(controls, start, key), len(CLASS_COLORS)
        self._key, self._names = key, (names := [str(name) for name in names])
        if not 0 < len(names) <= most:
            raise ValueError(f"names must be 1 to {most} groups, got {len(names)}.")
        frames = [self._drawn(**frame(*values)) for values in _settings(controls)]
        self._data = {"controls": controls, "names": names}
        self._data |= {"colors": CLASS_COLORS, "steps": STEPS, "frames": frames}

    def _drawn(self, points, groups, marks, mark_groups, centre, rays, readout):
        points, marks, rays, [centre] = (
            [list(map(float, p)) for p in q] for q in (points, marks, rays, [centre])
        )
        every = points + marks
        if not all(math.isfinite(v) for p in [*every, *rays, centre] for v in p):
            raise ValueError(f"frame must give finite points, got {readout!r}.")
        for group in {*map(int, groups), *map(int, mark_groups)}:
            if not 0 <= group < len(self._names):
                raise ValueError(f"frame must give named groups, got {group}.")
        low, high = ([pick(c) for c in zip(*every, strict=True)] for pick in (min, max))
        half = 0.55 * max(b - a for a, b in zip(low, high, strict=True)) or 1.0
        middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
        off = max(abs(c - m) for c, m in zip(centre, middle, strict=True))
        reach = 4 * half + 2 * off  # beyond the frame, wherever the centre is

        def at(point):  # down the page is up in the plane
            x, y = ((v - m) / half for v, m in zip(point, middle, strict=True))
            return [round((1 + x) * STEPS / 2), round((1 - y) * STEPS / 2)]

        def placed(points, groups):
            return [[int(g), *at(p)] for g, p in zip(groups, points, strict=True)]

        ends = ([c + reach * v for c, v in zip(centre, r, strict=True)] for r in rays)
        lines = [_clipped(at(centre), at(end)) for end in ends]
        return {
            "points": placed(points, groups),
            "marks": placed(marks, mark_groups),
            "lines": [line for line in lines if line],
            "readout": dict(readout),
        }

    def _repr_mimebundle_(self, include=None, exclude=None):
        return _page(self._key, self._data, _POINTS, separators=(",", ":"))


def _controls(controls, start, key):
    """Name, values and place of the first value of each slider."""
    if not re.fullmatch(r"[\w-]+", key, re.ASCII):
        raise ValueError(f"key must be letters, digits, - or _, got {key!r}.")
    checked = []
    for name, values in controls.items():
        values = [v.item() if hasattr(v, "item") else v for v in values]
        if start.get(name) not in values:
            raise ValueError(
                f"start must give one of {values} for {name!r}, "
                f"got {start.get(name)!r}."
            )
        place = values.index(start[name])
        checked.append({"name": name, "values": values, "start": place})
    return checked


def _settings(controls):
    """All combinations of the sliders' values, the last slider running fastest."""
    return itertools.product(*(control["values"] for control in controls))


def _page(key, data, paint, **options):
    """The table of settings and readouts, the data, and the script that reads both."""
    controls, frames = data["controls"], data["frames"]
    names = [control["name"] for control in controls] + list(frames[0]["readout"])
    rows = [
        [*values, *frame["readout"].values()]
        for values, frame in zip(_settings(controls), frames, strict=True)
    ]
    table = f"<table><thead>{_row(names, 'th')}</thead><tbody>"
    table += "".join(_row(cells, "td") for cells in rows) + "</tbody></table>"
    # "</script" would end the element early, "<!--<script" would keep it open.
    numbers = json.dumps(data, ensure_ascii=False, allow_nan=False, **options)
    numbers = numbers.replace("<", "\\u003c")
    name = f"lsr-live-{key}"
    script = "\n" + _SHARED.replace("PAINT", paint).replace("%s", name)
    markup = (
        f'<div id="{name}">{table}<script type="application/json">{numbers}</script>'
        f"<script>{script}</script></div>"
    )
    steps = (f"{c['name']} ({len(c['values'])} steps)" for c in controls)
    return {"text/html": markup, "text/plain": f"sliders: {' x '.join(steps)}"}


def _row(cells, tag):
    cells = "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)
    return f"<tr>{cells}</tr>"


def _rounded(bars):
    bars = [None if height is None else round(float(height), 6) for height in bars]
    if not all(height is None or math.isfinite(height) for height in bars):
        raise ValueError(f"frame must give finite bars, got {bars}.")
    return bars


def _clipped(start, end):
    """The part of a segment inside the frame, as [x1, y1, x2, y2], or [] without any.

    Liang & Barsky, ACM Transactions on Graphics 3(1), 1984.
    """
    first, last = 0.0, 1.0
    for a, b in zip(start, end, strict=True):
        step = b - a
        for far, room in ((-step, a), (step, STEPS - a)):
            if far == 0 and room < 0:
                return []
            if far < 0:
                first = max(first, room / far)
            elif far > 0:
                last = min(last, room / far)
    if first >= last:
        return []
    return [
        round(a + t * (b - a))
        for t in (first, last)
        for a, b in zip(start, end, strict=True)
    ]
