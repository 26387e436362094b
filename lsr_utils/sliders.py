"""Sliders that need no kernel: a table of numbers that a short script brings to life.

Show one as the last line of a cell. Where scripts are stripped (a repository's web
view, a notebook not yet trusted) the table of settings and readouts stays.
"""

import html
import itertools
import json
import re
from pathlib import Path

import numpy as np

from . import check
from .style import CLASS_COLORS

STEPS = 1000  # to which a coordinate is rounded, over the width of a frame

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_SHARED, _BARS, _POINTS = re.findall(r"(?ms)^{ // \w+\n(.*?)^}$", _SCRIPT)


class _Sliders:
    """A frame for each setting, the last slider running fastest, and their page."""

    def __init__(self, controls, frame, start, key):
        fits = re.fullmatch(r"[\w-]+", key, re.ASCII)
        check.that(fits, "key must be letters, digits, - or _", repr(key))
        self._key, self._controls = key, []
        for name, values in controls.items():
            values, first = np.array(values, object).tolist(), start.get(name)
            must = f"start must give one of {values} for {name!r}"
            check.that(first in values, must, repr(first))
            place = values.index(first)
            self._controls.append({"name": name, "values": values, "start": place})
        self._settings = list(itertools.product(*(c["values"] for c in self._controls)))
        self._frames = [self._drawn(frame(*setting)) for setting in self._settings]

    def _repr_mimebundle_(self, include=None, exclude=None):
        rows = [[c["name"] for c in self._controls] + list(self._frames[0]["readout"])]
        for setting, frame in zip(self._settings, self._frames, strict=True):
            rows.append([*setting, *frame["readout"].values()])
        rows = ("".join(f"<td>{html.escape(str(c))}</td>" for c in row) for row in rows)
        head, *body = (f"<tr>{row}</tr>" for row in rows)
        table = f"<table><thead>{head.replace('td>', 'th>')}</thead><tbody>"
        table += "".join(body) + "</tbody></table>"
        options = {"allow_nan": False, "separators": self._separators}
        numbers = json.dumps(self._data, ensure_ascii=False, **options)
        # "</script" would end the element early, "<!--<script" would keep it open.
        numbers, name = numbers.replace("<", "\\u003c"), f"lsr-live-{self._key}"
        script = _SHARED.replace("PAINT", self._paint).replace("%s", name)
        markup = f'<div id="{name}">{table}<script type="application/json">{numbers}'
        markup += f"</script><script>\n{script}</script></div>"
        steps = (f"{c['name']} ({len(c['values'])} steps)" for c in self._controls)
        return {"text/html": markup, "text/plain": f"sliders: {' x '.join(steps)}"}


class BarSliders(_Sliders):
    """Bars that follow one or more sliders, with a table of readouts underneath.

    controls  : name to the values its slider steps through
    frame     : called with a value of each control, in order; returns the bars'
                heights, readouts (name to text) and, if wanted, heights of marks
                across the bars. A height of None is not drawn
    start     : name to the value shown first
    key       : identifies the slider in the page; one of its own in each notebook
    labels    : one under each bar, when there are at most ten; 1, 2, ... when None
    highlight : index of the bar in another colour, or None. Taught in 01
    """

    _paint, _separators = _BARS, None

    def __init__(self, controls, frame, start, key, *, labels=None, highlight=0):
        super().__init__(controls, frame, start, key)
        labels = labels or range(1, 1 + max(len(made["bars"]) for made in self._frames))
        labels = [html.escape(str(label)) for label in labels]
        self._data = {"controls": self._controls, "frames": self._frames}
        self._data |= {"labels": labels, "highlight": highlight, "top": 1.0}

    def _drawn(self, frame):
        bars, readout, marks = (*frame, [])[:3]
        bars, marks = (
            [None if height is None else round(float(height), 6) for height in heights]
            for heights in (bars, marks)
        )
        if not np.isfinite([v for v in bars + marks if v is not None]).all():
            raise ValueError(f"frame must give finite bars, got {bars + marks}.")
        return {"bars": bars, "readout": dict(readout), "marks": marks}


class PointSliders(_Sliders):
    """Points, marks and rays in the plane, as large as they fit, that follow sliders.

    controls, start, key : as of ``BarSliders``
    frame    : called as there; returns a dict of points (N, 2) and groups (N,), marks
               (M, 2) and mark_groups (M,), centre (2,) and rays (R, 2) that start
               there, readout (name to text)
    names    : of the groups 0, 1, ..., at most six. Taught in 05
    """

    _paint, _separators = _POINTS, (",", ":")

    def __init__(self, controls, frame, start, key, names):
        self._names = [str(name) for name in names[: len(CLASS_COLORS)]]
        super().__init__(controls, frame, start, key)
        self._data = {"controls": self._controls, "names": self._names}
        self._data |= {"colors": CLASS_COLORS, "steps": STEPS, "frames": self._frames}

    def _drawn(self, frame):
        points, marks, rays, centre = (
            np.reshape(np.asarray(frame[name], dtype=float), (-1, 2))
            for name in ("points", "marks", "rays", "centre")
        )
        if not np.isfinite(np.vstack([points, marks, rays, centre])).all():
            raise ValueError(f"frame must give finite points, got {frame['readout']}.")
        for group in {*map(int, [*frame["groups"], *frame["mark_groups"]])}:
            if group not in range(len(self._names)):
                raise ValueError(f"frame must give named groups, got {group}.")
        every = np.vstack([points, marks])
        low, high = every.min(0), every.max(0)
        middle, half = (low + high) / 2, 0.55 * (high - low).max() or 1.0
        reach = 4 * half + 2 * np.abs(centre - middle).max()  # beyond the frame

        def placed(points):  # down the page is up in the plane
            shares = 1 + (points - middle) / half * [1, -1]
            return np.rint(shares * STEPS / 2).astype(int).tolist()

        def marked(groups, points):
            return [[int(k), *at] for k, at in zip(groups, placed(points), strict=True)]

        lines = (_clipped(*placed(centre), e) for e in placed(centre + reach * rays))
        return {
            "points": marked(frame["groups"], points),
            "marks": marked(frame["mark_groups"], marks),
            "lines": [*filter(None, lines)],
            "readout": dict(frame["readout"]),
        }


def _clipped(start, end):
    """A segment's part in the frame, [x1, y1, x2, y2] or [] (Liang & Barsky 1984)."""
    first, last = 0.0, 1.0
    for a, b in zip(start, end, strict=True):
        enters, leaves = (0, 1) if 0 <= a <= STEPS else (1, 0)
        if a != b:
            enters, leaves = sorted((edge - a) / (b - a) for edge in (0, STEPS))
        first, last = max(first, enters), min(last, leaves)
    pairs = list(zip(start, end, strict=True)) * (first < last)
    return [round(a + t * (b - a)) for t in (first, last) for a, b in pairs]
