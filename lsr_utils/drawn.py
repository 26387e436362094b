"""What a figure draws, in short lines by which two runs of it can be compared.

Pixels differ from one version of matplotlib to the next, and two swapped curves differ
in fewer of them than rounding noise does. So not pixels are kept but what was drawn.
"""

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.path import Path
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text

NUMERIC = re.compile(r"[-−\d.,%e]*|\$.*\$")  # of a tick; 10 to a power is in dollars
CORNERS, THINGS = 64, 12  # at most kept of a curve, and of many things of one kind


def drawn(figure):
    """What stands in a figure that was drawn: a list of strings, in its order.

    returns : for each axes its words and ticks, then a line for each thing: "what,
              label, how many | numbers", thousandths of the axes; red, green, blue last
    """
    lines = [f"figure {text.get_text()!r}" for text in figure.texts if text.get_text()]
    for axes in figure.findobj(Axes):
        if axes.get_visible():
            lines += _scales(axes)
            for artist in axes.get_children():
                if artist.get_visible() and artist is not axes.patch:
                    lines += _things(artist, axes)
    return lines


def _scales(axes):
    """Name, kind and ends of both axes, and what is no number among the ticks."""
    for name in "xy":  # how many numbers stand there depends on the size of the letters
        axis = getattr(axes, f"{name}axis")
        words = [label.get_text() for label in axis.get_ticklabels()]
        words = [text for text in words if not NUMERIC.fullmatch(text)]
        if axis.get_visible() and (words or axis.get_major_ticks()):
            ends = axis.get_transform().transform(np.array(axis.get_view_interval()))
            power = int(np.ceil(np.log10(np.abs(ends).max() or 1)))
            what = f"{name} {axis.get_label_text()!r} {axis.get_scale()}"
            what += f" 1e{power} {words}"
            yield _line(what, 0.5 + ends[:, None] / 10.0**power / 2)


class _Recorder(RendererBase):
    """A renderer that keeps the corners of each path and its colour."""

    def __init__(self):
        super().__init__()
        self.paths = []

    def draw_path(self, gc, path, transform, rgbFace=None):  # noqa: N803
        path = transform.transform_path(path)
        if path.codes is not None:  # where a path closes, no corner is meant
            path = Path(path.vertices[path.codes != Path.CLOSEPOLY])
        colour = gc.get_rgb() if rgbFace is None else rgbFace
        if len(path):
            self.paths.append((path.vertices, colour[:3]))

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):  # noqa: N803
        self.draw_path(gc, Path(path.vertices), trans, rgbFace)


def _things(artist, axes):
    what = re.sub("Collection|FillBetween", "", type(artist).__name__)
    label = artist.get_label()
    if label and not str(label).startswith("_"):
        what += f" {str(label)!r}"
    to_axes = axes.transAxes.inverted().transform
    if isinstance(artist, (Axis, Axes, Spine)):
        return
    if isinstance(artist, Legend):
        yield f"{what} {[text.get_text() for text in artist.get_texts()]}"
    elif isinstance(artist, Text):
        if isinstance(artist, Annotation) and artist.xycoords == "data":
            at = axes.transData.transform(artist.xy)
        else:
            at = artist.get_transform().transform(artist.get_position())
        if artist.get_text():
            yield _line(f"text {artist.get_text()!r}", to_axes([at]))
    elif isinstance(artist, AxesImage):
        yield _line(what, artist.to_rgba(artist.get_array())[..., :3].reshape(-1, 3))
    else:
        recorder = _Recorder()
        artist.draw(recorder)
        if len(recorder.paths) < 3:
            for path, colour in recorder.paths:
                yield _line(what, to_axes(path), colour)
        else:
            corners = [_finite(to_axes(path)) for path, _ in recorder.paths]
            boxes = np.array([[*c.min(0), *c.max(0)] for c in corners])
            colours = [colour for _, colour in recorder.paths]
            if np.ptp(colours, 0).any():
                yield _line(what, np.hstack([boxes, colours]))
            else:
                yield _line(what, boxes, colours[0])


def _finite(numbers):
    """The numbers as an array; what is none, or is out of sight, lies at the edge."""
    return np.clip(np.nan_to_num(np.asarray(numbers, float), nan=-0.1), -0.1, 1.1)


def _line(what, rows, colour=()):
    """One line of rows, (n, c): some of them, evenly, and least, largest and mean."""
    rows = _finite(rows)
    n, most = len(rows), CORNERS if rows.shape[-1] < 3 else THINGS
    if n > most:
        kept = rows[np.linspace(0, n - 1, most).round().astype(int)]
        rows = np.vstack([kept, rows.min(0), rows.max(0), rows.mean(0)])
    numbers = np.rint(1000 * np.array([*rows.flat, *colour])).astype(int)
    return " ".join([what, str(n), "|", *map(str, numbers)])
