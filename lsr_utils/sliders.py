"""Sliders that need no kernel: a table of numbers that a short script brings to life.

Show one as the last line of a cell. Where scripts are stripped (a repository's web
view, a notebook not yet trusted) a table of settings and readouts stays and says so.
"""

import html
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from . import check, targets
from .style import CLASS_COLORS, EPS_COLORS

WHY = (
    "This view runs no scripts, so here is a table instead of sliders. They move in "
    "JupyterLab (<code>python3 course.py lab</code>, or <em>Trust Notebook</em> in the "
    "command palette) and on the course’s pages (<code>python3 course.py site</code>)."
)
STEPS = 1000  # to which a coordinate is rounded, over the width of a frame

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_SHARED, _BARS, _POINTS, _GAP = re.findall(r"(?ms)^{ // \w+\n(.*?)^}$", _SCRIPT)


class _Sliders:
    """A frame for each setting, the last slider running fastest, and their page."""

    def __init__(self, paint, controls, frame, start, key, **more):
        fits = re.fullmatch(r"[\w-]+", key, re.ASCII)
        check.that(fits, "key must be letters, digits, - or _", repr(key))
        self._paint, self._key, self._controls = paint, key, []
        for name, values in controls.items():
            values, first = np.array(values, object).tolist(), start.get(name)
            place = values.index(first)
            self._controls.append({"name": name, "values": values, "start": place})
        self._settings = list(itertools.product(*(c["values"] for c in self._controls)))
        self._frames = [self._drawn(frame(*setting)) for setting in self._settings]
        self._data = {"controls": self._controls, "frames": self._frames, **more}

    def _repr_mimebundle_(self, include=None, exclude=None):
        head = [c["name"] for c in self._controls] + [*self._frames[0]["readout"]]
        pairs = zip(self._settings, self._frames, strict=True)
        rows = [[*map(str, [*at, *made["readout"].values()])] for at, made in pairs]
        with pd.option_context("display.max_colwidth", None):
            table = pd.DataFrame(rows, columns=head).to_html(index=False)
        numbers = json.dumps(self._data, allow_nan=False, separators=(",", ":"))
        # "</script" would end the element early, "<!--<script" would keep it open.
        numbers, name = numbers.replace("<", "\\u003c"), f"lsr-live-{self._key}"
        script = _SHARED.replace("PAINT", self._paint).replace("%s", name)
        markup = f'<div id="{name}"><p>{WHY}</p>{table}<script type="application/json">'
        markup += f"{numbers}</script><script>\n{script}</script></div>"
        steps = (f"{c['name']} ({len(c['values'])} steps)" for c in self._controls)
        return {"text/html": markup, "text/plain": f"sliders: {' x '.join(steps)}"}


class BarSliders(_Sliders):
    """Bars that follow one or more sliders, with a table of readouts underneath.

    controls  : name to the values its slider steps through
    frame     : called with a value of each control; returns heights of the bars (None
                is not drawn), readouts (name to text) and, if wanted, of marks across
    start     : name to the value shown first
    key       : identifies the slider in the page; one of its own in each notebook
    labels    : under the bars, when there are at most ten; 1, 2, ... when None
    highlight : index of the bar in another colour, or None
    axes      : what is written along the two axes. Taught in 06
    """

    def __init__(self, *settings, labels=None, highlight=0, axes=("", ""), **more):
        super().__init__(_BARS, *settings, highlight=highlight, **more)
        labels = labels or range(1, 1 + max(len(made["bars"]) for made in self._frames))
        for name, texts in (("labels", labels), ("axes", axes)):
            self._data[name] = [html.escape(str(text)) for text in texts]

    def _drawn(self, frame):
        bars, readout, marks = (*frame, [])[:3]
        every = [None if v is None else round(float(v), 6) for v in [*bars, *marks]]
        if not np.isfinite([v for v in every if v is not None]).all():
            raise ValueError(f"frame must give finite bars, got {every}.")
        bars, marks = every[: len(bars)], every[len(bars) :]
        return {"bars": bars, "readout": dict(readout), "marks": marks}


class PointSliders(_Sliders):
    """Points, marks and rays in the plane, as large as they fit, that follow sliders.

    controls, start, key : as of ``BarSliders``
    frame    : called as there; returns a dict of points (N, 2) and groups (N,), marks
               (M, 2) and mark_groups (M,), centre (2,) and rays (R, 2) that start
               there, readout (name to text)
    names    : of the groups 0, 1, ..., at most six. Taught in 05
    """

    def __init__(self, controls, frame, start, key, names):
        self._names = [html.escape(str(name)) for name in names[: len(CLASS_COLORS)]]
        looks = {"names": self._names, "colors": CLASS_COLORS, "steps": STEPS}
        super().__init__(_POINTS, controls, frame, start, key, **looks)

    def _drawn(self, frame):
        parts = (frame[name] for name in ("points", "marks", "rays", "centre"))
        parts = map(check.array, parts)
        points, marks, rays, centre = (np.reshape(p, (-1, 2)) for p in parts)
        every = np.vstack([points, marks]).astype(float)
        if not np.isfinite(np.vstack([every, rays, centre])).all():
            raise ValueError(f"frame must give finite points, got {frame['readout']}.")
        groups = {*map(int, [*frame["groups"], *frame["mark_groups"]])}
        if unnamed := groups - {*range(len(self._names))}:
            raise ValueError(f"frame must give named groups, got {min(unnamed)}.")
        middle = (every.min(0) + every.max(0)) / 2
        half = 0.55 * np.ptp(every, 0).max() or 1.0
        reach = 4 * half + 2 * np.abs(centre - middle).max()

        def placed(groups, points):  # down the page is up in the plane
            at = STEPS / 2 * (1 + (points - middle) / half * [1, -1])
            return np.column_stack([groups, np.rint(at)]).astype(int).tolist()

        far = np.vstack([centre, centre + reach * rays])  # beyond the frame
        (_, *start), *ends = placed(np.zeros(1 + len(rays)), far)
        lines, readout = [[*start, *end] for _, *end in ends], dict(frame["readout"])
        points = placed(frame["groups"], points)
        marks = placed(frame["mark_groups"], marks)
        return {"points": points, "marks": marks, "lines": lines, "readout": readout}


class FilmSliders(_Sliders):
    """A recorded training in the plane: points walk as ε and step are chosen.

    frames : DataFrame, a row an eps and step: points, 16-bit integers in base64, lines
             [x, y, x, y]; zoom, how many units 32,767 is; all else is read out
    groups : of the points; start, key, names : as of ``PointSliders``. Taught in 05
    """

    def __init__(self, frames, groups, start, key, names):
        looks = {"colors": CLASS_COLORS, "names": [*map(html.escape, names)]}
        looks |= {"steps": STEPS, "groups": groups}
        film = frames.set_index(["eps", "step"]).to_dict("index")
        controls = {"ε": frames["eps"].unique(), "step": frames["step"].unique()}
        super().__init__(_POINTS, controls, lambda *at: film[at], start, key, **looks)

    def _drawn(self, row):
        drawn = {name: row[name] for name in ("points", "lines", "zoom")}
        drawn["points"] = drawn["points"].replace("/", "_")  # no part of a path
        return drawn | {"readout": {k: v for k, v in row.items() if k not in drawn}}


class GapSliders(_Sliders):
    """The loss along the logit gap: drag the gap; target, softmax and loss follow.

    eps, num_classes : the values that two further sliders step through
    start            : ε, K and gap shown first, the gap one of 0, 0.1, ..., 9
    key, name        : as of ``BarSliders``; of the true class. Taught in 01
    """

    def __init__(self, eps, num_classes, start, key, name="true class"):
        controls, first = {"ε": eps, "K": num_classes}, {"ε": start[0], "K": start[1]}
        looks = {"name": html.escape(name), "colors": EPS_COLORS}
        super().__init__(_GAP, controls, lambda *setting: setting, first, key, **looks)
        gaps = [tenths / 10 for tenths in range(91)]
        gap = {"name": "logit gap", "values": gaps, "start": gaps.index(start[2])}
        self._data |= {"frames": None, "controls": [*self._controls, gap]}

    def _drawn(self, setting):
        true, other = targets.target_values(*setting)
        gap, floor = targets.optimal_gap(*setting), targets.minimum_loss(*setting)
        names = "true class", "each other", "best gap", "least loss"
        pairs = zip(names, (true, other, gap, floor), strict=True)
        return {"readout": {name: f"{value:.4f}" for name, value in pairs}}
