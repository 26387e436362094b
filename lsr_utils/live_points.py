"""Points in the plane that follow sliders, without a kernel.

As ``live.BarSliders``: where scripts run, the reader moves the sliders and the points
follow; where they are stripped, the table of settings and readouts stays.
"""

import json
import math

from .live import BarSliders, script
from .style import CLASS_COLORS

STEPS = 1000  # to which a coordinate is rounded, over the width of a frame

_POINTS = """  const called = 'points';
  const size = 400, key = 130, scale = size / data.steps;

  function mark(group, x, y, r, edge) {
    const at = (a, b) => (x + a * r).toFixed(1) + ',' + (y + b * r).toFixed(1);
    const polygons = [null, [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]],
      [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
      [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
      [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]],
      [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4],
       [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]];
    const look = ' fill="' + data.colors[group] + '" fill-opacity="' +
      (edge ? 1 : 0.7) + '"' + (edge ? ' stroke="currentColor" stroke-width="2"' : '');
    const corners = polygons[group % 6];
    if (!corners) return '<circle cx="' + x.toFixed(1) + '" cy="' + y.toFixed(1) +
      '" r="' + r + '"' + look + '/>';
    return '<polygon points="' + corners.map(c => at(c[0], c[1])).join(' ') + '"' +
      look + '/>';
  }
  function paint(frame) {
    const groups = [...new Set(frame.marks.map(m => m[0]))];
    let svg = '<rect x="0.5" y="0.5" width="' + (size - 1) + '" height="' + (size - 1) +
      '" fill="none" stroke="currentColor" stroke-opacity="0.3"/>';
    frame.lines.forEach(function (line) {
      const [x1, y1, x2, y2] = line.map(v => v * scale);
      svg += '<line x1="' + x1 + '" y1="' + y1 + '" x2="' + x2 + '" y2="' + y2 +
        '" stroke="currentColor"/>';
    });
    frame.points.forEach(p => svg += mark(p[0], p[1] * scale, p[2] * scale, 3, false));
    frame.marks.forEach(p => svg += mark(p[0], p[1] * scale, p[2] * scale, 8, true));
    groups.forEach((g, i) => svg += mark(g, size + 24, 30 + 26 * i, 6, false) +
      '<text x="' + (size + 40) + '" y="' + (35 + 26 * i) + '"></text>');
    picture.innerHTML = '<svg viewBox="0 0 ' + (size + key) + ' ' + size +
      '" width="100%" role="img" font-size="15" fill="currentColor">' + svg + '</svg>';
    picture.querySelectorAll('text').forEach(function (t, i) {
      t.textContent = data.names[groups[i]];
    });
  }
"""


class PointSliders:
    """Points, marks and rays in the plane that follow one or more sliders.

    controls : name to the values its slider steps through
    frame    : called with one value of each control, in order; returns a dict of
               points (N, 2) and groups (N,), marks (M, 2) and mark_groups (M,),
               centre (2,) and rays (R, 2) that start there, readout (name to text)
    start    : name to the value shown first
    key      : identifies the slider in the page; one of its own in each notebook
    names    : of the groups 0, 1, ..., at most six
    raises   : ValueError as ``live.BarSliders``, for a point that is not finite, and
               for a group without a name

    Each frame is drawn as large as it fits, equally in both directions.
    Display it as the last line of a cell. Taught in 05 section 3.
    """

    def __init__(self, controls, frame, start, key, names):
        self.names = [str(name) for name in names]
        if not 0 < len(self.names) <= len(CLASS_COLORS):
            raise ValueError(
                f"names must be 1 to {len(CLASS_COLORS)} groups, got {len(self.names)}."
            )
        self.frames = []

        def readout(*values):
            made = frame(*values)
            self.frames.append(self._drawn(**made))
            return [], made["readout"]

        # It checks the controls, and has the table of settings and readouts.
        self._sliders = BarSliders(controls, readout, start, key)
        self.key = key

    def _drawn(self, points, groups, marks, mark_groups, centre, rays, readout):
        points, marks, rays = (
            [list(map(float, p)) for p in q] for q in (points, marks, rays)
        )
        centre, every = list(map(float, centre)), points + marks
        if not all(math.isfinite(v) for p in [*every, *rays, centre] for v in p):
            raise ValueError(f"frame must give finite points, got {readout!r}.")
        for group in {*map(int, groups), *map(int, mark_groups)}:
            if not 0 <= group < len(self.names):
                raise ValueError(f"frame must give named groups, got {group}.")
        low, high = ([pick(c) for c in zip(*every, strict=True)] for pick in (min, max))
        half = 0.55 * max(b - a for a, b in zip(low, high, strict=True)) or 1.0
        middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]

        def at(point):  # down the page is up in the plane
            x, y = ((v - m) / half for v, m in zip(point, middle, strict=True))
            return [round((1 + x) * STEPS / 2), round((1 - y) * STEPS / 2)]

        reach = 4 * half + 2 * max(
            abs(c - m) for c, m in zip(centre, middle, strict=True)
        )
        lines = []
        for ray in rays:
            end = [c + reach * v for c, v in zip(centre, ray, strict=True)]
            lines.append(_clipped(at(centre), at(end)))
        return {
            "points": [[int(g), *at(p)] for g, p in zip(groups, points, strict=True)],
            "marks": [
                [int(g), *at(p)] for g, p in zip(mark_groups, marks, strict=True)
            ],
            "lines": [line for line in lines if line],
            "readout": dict(readout),
        }

    def _repr_mimebundle_(self, include=None, exclude=None):
        name = f"lsr-live-{self.key}"
        content = {
            "controls": self._sliders._data()["controls"],
            "names": self.names,
            "colors": CLASS_COLORS,
            "steps": STEPS,
            "frames": self.frames,
        }
        # "</script" would end the element early, "<!--<script" would keep it open.
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        data = data.replace("<", "\\u003c")
        markup = (
            f'<div id="{name}">{self._sliders._table()}'
            f'<script type="application/json">{data}</script>'
            f"<script>{script(_POINTS, name)}</script></div>"
        )
        text = self._sliders._repr_mimebundle_()["text/plain"]
        return {"text/html": markup, "text/plain": text}


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
    ends = [
        [a + t * (b - a) for a, b in zip(start, end, strict=True)]
        for t in (first, last)
    ]
    return [round(v) for point in ends for v in point]
