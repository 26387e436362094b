"""Sliders that need no kernel: a table of numbers that a short script brings to life.

Where scripts run (JupyterLab, exported pages, slides) the reader moves the sliders and
the bars follow. Where they are stripped (a repository's web view, a notebook not yet
trusted) a table of the settings and their readouts stays.
"""

import html
import itertools
import json
import math
import re

# What all sliders share. PAINT defines what the picture is called, and paint(frame).
_SCRIPT = """
(function (root) {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').text);
  const live = document.createElement('div');
  live.dataset.lmSuppressShortcuts = 'true';
  live.style.cssText = 'font: 15px sans-serif; max-width: 560px';
  const inputs = data.controls.map(function (control) {
    const label = document.createElement('label');
    label.style.cssText = 'display: block; margin: 4px 0';
    label.innerHTML = '<span style="display:inline-block;min-width:8em"><b></b>' +
      ' = <output></output></span><input type="range" min="0" max="' +
      (control.values.length - 1) + '" value="' + control.start +
      '" style="width:20em;max-width:60%;vertical-align:middle">';
    const name = label.querySelector('b'), input = label.querySelector('input');
    name.style.fontWeight = 'normal';
    name.textContent = control.name;
    input.setAttribute('aria-label', control.name);
    input.addEventListener('input', draw);
    live.appendChild(label);
    return input;
  });
  const picture = document.createElement('div');
  const readout = document.createElement('p');
  readout.setAttribute('aria-live', 'polite');
  readout.style.cssText = 'margin: 4px 0';
  live.append(picture, readout);

PAINT
  function draw() {
    let index = 0;
    data.controls.forEach(function (control, c) {
      const at = +inputs[c].value, value = control.values[at];
      index = index * control.values.length + at;
      inputs[c].parentElement.querySelector('output').textContent = value;
      inputs[c].setAttribute('aria-valuetext', control.name + ' = ' + value);
    });
    const frame = data.frames[index];
    const text = Object.entries(frame.readout).map(e => e[0] + ': ' + e[1]).join(' · ');
    paint(frame);
    picture.firstChild.setAttribute('aria-label', called + ', ' + text);
    readout.textContent = text;
  }
  ['keydown', 'mousedown', 'click'].forEach(function (name) {
    live.addEventListener(name, event => event.stopPropagation());
  });
  root.querySelector('table').style.display = 'none';
  root.appendChild(live);
  draw();
})(document.getElementById('%s'));
"""

_BARS = """  const called = 'bar chart';
  const width = 560, height = 240, left = 46, right = 8, top = 22, bottom = 24;

  function paint(frame) {
    const bars = frame.bars, n = bars.length;
    const x = i => left + (width - left - right) * (i + 0.5) / n;
    const y = v => height - bottom - v / data.top * (height - top - bottom);
    const wide = Math.min(60, 0.72 * (width - left - right) / n);
    let svg = '';
    [0, 0.25, 0.5, 0.75, 1].forEach(function (share) {
      const v = share * data.top;
      svg += '<line x1="' + left + '" x2="' + (width - right) + '" y1="' + y(v) +
        '" y2="' + y(v) + '" stroke="currentColor" stroke-opacity="0.2"/><text x="' +
        (left - 6) + '" y="' + (y(v) + 4) + '" text-anchor="end">' + v.toFixed(2) +
        '</text>';
    });
    bars.forEach(function (v, i) {
      if (n <= 10) svg += '<text x="' + x(i) + '" y="' + (height - 6) +
        '" text-anchor="middle">' + data.labels[i] + '</text>';
      if (v === null) return;
      const fill = i === data.highlight ? '#D55E00' : '#0072B2';
      svg += '<rect x="' + (x(i) - wide / 2) + '" y="' + y(v) + '" width="' + wide +
        '" height="' + (y(0) - y(v)) + '" fill="' + fill + '"/>';
      // With marks the number stands at the foot, where no mark crosses it.
      const foot = frame.marks.length > 0 && v > 0.12 * data.top;
      if (n <= 10) svg += '<text x="' + x(i) + '" y="' + (foot ? y(0) - 6 : y(v) - 5) +
        '" text-anchor="middle"' + (foot ? ' fill="white"' : '') + '>' + v.toFixed(3) +
        '</text>';
    });
    frame.marks.forEach(function (v, i) {
      if (v === null) return;
      svg += '<line x1="' + (x(i) - wide / 2 - 5) + '" x2="' + (x(i) + wide / 2 + 5) +
        '" y1="' + y(v) + '" y2="' + y(v) + '" stroke="#D55E00" stroke-width="3"/>';
    });
    picture.innerHTML = '<svg viewBox="0 0 ' + width + ' ' + height +
      '" width="100%" role="img" font-size="13" fill="currentColor">' + svg + '</svg>';
  }
"""


def script(paint, name):
    """The script of a slider with that way to paint, for the element of that name."""
    return _SCRIPT.replace("PAINT", paint).replace("%s", name)


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
    top       : height of the axis
    raises    : ValueError when a start value is not one of its control's values,
                a bar is not finite, or the key cannot stand in a page

    Display it as the last line of a cell. Taught in 01 section 9.
    """

    def __init__(
        self, controls, frame, start, key, *, labels=None, highlight=0, top=1.0
    ):
        self.controls = {
            name: [v.item() if hasattr(v, "item") else v for v in values]
            for name, values in controls.items()
        }
        for name, values in self.controls.items():
            if start.get(name) not in values:
                raise ValueError(
                    f"start must give one of {values} for {name!r}, "
                    f"got {start.get(name)!r}."
                )
        if not re.fullmatch(r"[\w-]+", key, re.ASCII):
            raise ValueError(f"key must be letters, digits, - or _, got {key!r}.")
        self.start, self.key = start, key
        self.highlight, self.top = highlight, top
        self.frames = []
        for values in itertools.product(*self.controls.values()):
            bars, readout, *marks = frame(*values)
            marks = _rounded(marks[0]) if marks else []
            self.frames.append(
                {"bars": _rounded(bars), "readout": dict(readout), "marks": marks}
            )
        count = max(len(made["bars"]) for made in self.frames)
        self.labels = list(labels or range(1, count + 1))

    def _data(self):
        return {
            "controls": [
                {"name": n, "values": v, "start": v.index(self.start[n])}
                for n, v in self.controls.items()
            ],
            "frames": self.frames,
            "labels": [html.escape(str(label)) for label in self.labels],
            "highlight": self.highlight,
            "top": self.top,
        }

    def _table(self):
        head = "".join(
            f"<th>{html.escape(str(name))}</th>"
            for name in [*self.controls, *self.frames[0]["readout"]]
        )
        rows = itertools.product(*self.controls.values())
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(str(cell))}</td>"
                for cell in [*values, *frame["readout"].values()]
            )
            + "</tr>"
            for values, frame in zip(rows, self.frames, strict=True)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        name = f"lsr-live-{self.key}"
        # "</script" would end the element early, "<!--<script" would keep it open.
        data = json.dumps(self._data(), ensure_ascii=False, allow_nan=False)
        data = data.replace("<", "\\u003c")
        markup = (
            f'<div id="{name}">{self._table()}'
            f'<script type="application/json">{data}</script>'
            f"<script>{script(_BARS, name)}</script></div>"
        )
        steps = " x ".join(f"{n} ({len(v)} steps)" for n, v in self.controls.items())
        return {"text/html": markup, "text/plain": f"sliders: {steps}"}


def _rounded(bars):
    bars = [None if height is None else round(float(height), 6) for height in bars]
    if not all(height is None or math.isfinite(height) for height in bars):
        raise ValueError(f"frame must give finite bars, got {bars}.")
    return bars
