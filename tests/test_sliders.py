"""The kernel-free sliders: what lands in the page, and what happens without scripts."""

import itertools
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lsr_utils import sliders as module
from lsr_utils.sliders import STEPS, BarSliders, PointSliders, _clipped

CONTROLS = {"ε": [0.0, 0.1, 0.4], "K": [2, 6]}
SETTINGS = list(itertools.product(*CONTROLS.values()))


def readout(eps, num_classes):
    return {"true": f"{1 - eps + eps / num_classes:.4f}", "other": f"{eps:.4f}"}


def bars(eps, num_classes):
    other = eps / num_classes
    heights = [1 - eps + other] + (num_classes - 1) * [other]
    return heights, readout(eps, num_classes)


PLANE = {
    "points": [[-1.0, 0.0], [1.0, 2.0], [0.0, 1.0]], "groups": [0, 1, 1],
    "marks": [[0.5, 0.5]], "mark_groups": [1],
    "centre": [0.0, 1.0], "rays": [[1.0, 0.0], [0.0, -1.0]],
}  # fmt: skip


def made(kind, **changes):
    options = {"controls": CONTROLS, "frame": bars, "start": {"ε": 0.1, "K": 6}}
    if kind is PointSliders:
        options["frame"] = lambda *setting: PLANE | {"readout": readout(*setting)}
        options["names"] = ["zero", "one"]
    return kind(**(options | {"key": "smoothing"} | changes))


def plane(**changes):
    """A frame of points with something else in it."""
    frame = PLANE | {"readout": {}} | changes
    return data_of(made(PointSliders, frame=lambda *_: frame))["frames"][0]


both = pytest.mark.parametrize("kind", [BarSliders, PointSliders])


class Page(HTMLParser):
    """The elements of a page, its table's cells, and the text of its scripts."""

    def __init__(self, slider):
        super().__init__()
        self.tags, self.open, self.cells, self.scripts = [], [], [], []
        self.feed(slider._repr_mimebundle_()["text/html"])
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("br", "img", "input", "hr"):
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data
        else:
            assert not data.strip(), f"stray text: {data}"


def data_of(slider):
    return json.loads(Page(slider).scripts[0])


@both
def test_the_page_is_one_block_with_a_table_the_data_and_a_script(kind):
    page = Page(made(kind))
    assert page.tags[0] == ("div", {"id": "lsr-live-smoothing"})
    names = [tag for tag, _ in page.tags]
    assert names.count("div") == names.count("table") == 1
    kinds = [attributes for tag, attributes in page.tags if tag == "script"]
    assert kinds == [{"type": "application/json"}, {}]
    numbers, script = page.scripts
    assert "getElementById('lsr-live-smoothing')" in script
    assert "%s" not in script and "http" not in script  # works offline
    assert "readout.textContent = text" in script and "stopPropagation" in script
    assert "name.textContent = control.name" in script
    if kind is PointSliders:
        assert "t.textContent = data.names[groups[i]]" in script
    assert json.loads(numbers)["controls"] == [
        {"name": "ε", "values": [0.0, 0.1, 0.4], "start": 1},
        {"name": "K", "values": [2, 6], "start": 1},
    ]


@both
def test_without_scripts_the_table_holds_every_setting_and_readout(kind):
    wanted = ["ε", "K", "true", "other"]
    for eps, k in SETTINGS:
        wanted += [str(eps), str(k), *readout(eps, k).values()]
    assert Page(made(kind)).cells == wanted


@both
def test_the_same_slider_gives_the_same_bytes(kind):
    arrays = {name: np.array(values) for name, values in CONTROLS.items()}
    one, two = (
        made(kind, controls=controls)._repr_mimebundle_()
        for controls in (CONTROLS, arrays)
    )
    assert one == two
    assert one["text/plain"] == "sliders: ε (3 steps) x K (2 steps)"
    assert set(one) == {"text/html", "text/plain"}


@both
@pytest.mark.parametrize(
    "text",
    ["</script><img src=x>", "<!--<script>", "a < b & 'c' \"d\"", "\\", "\u2028"],
)
def test_text_cannot_break_out_of_its_place(kind, text):
    options = {"controls": {text: [0.1]}, "start": {text: 0.1}}
    if kind is BarSliders:
        options["frame"] = lambda eps: ([eps], {text: text})
    else:
        options["names"] = [text, "one"]
        options["frame"] = lambda eps: PLANE | {"readout": {text: text}}
    page = Page(made(kind, **options))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 2 and "img" not in tags
    data = json.loads(page.scripts[0])
    assert data["controls"][0]["name"] == text
    assert data["frames"][0]["readout"] == {text: text}
    assert page.cells == [text, text, "0.1", text]
    assert "<" not in page.scripts[0]
    assert kind is BarSliders or data["names"][0] == text


@pytest.mark.skipif(not shutil.which("node"), reason="needs node to read the script")
def test_the_scripts_can_be_read(tmp_path):
    files = [Path(module.__file__).with_suffix(".js")]
    for kind in (BarSliders, PointSliders):
        files.append(tmp_path / f"{kind.__name__}.js")
        files[-1].write_text(Page(made(kind)).scripts[1], encoding="utf-8")
    for file in files:
        done = subprocess.run(["node", "--check", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


# Bars ---------------------------------------------------------------------------------


def test_bars_come_back_as_they_went_in():
    data = data_of(made(BarSliders))
    assert (data["highlight"], data["top"]) == (0, 1.0)
    assert data_of(made(BarSliders, highlight=1))["highlight"] == 1
    assert data["labels"] == list("123456")  # for the longest of the frames
    # The script counts frames with the last control running fastest.
    for frame, setting in zip(data["frames"], SETTINGS, strict=True):
        heights, words = bars(*setting)
        assert frame["bars"] == pytest.approx(heights, abs=1e-6)
        assert (frame["readout"], frame["marks"]) == (words, [])


def test_marks_labels_and_bars_left_out():
    def with_marks(eps, num_classes):
        heights, words = bars(eps, num_classes)
        return [None, *heights[1:]], words, [0.5, *heights[2:], None]

    data = data_of(made(BarSliders, frame=with_marks, labels=["<b>", *"bcdef"]))
    assert data["labels"] == ["&lt;b&gt;", *"bcdef"]  # the script sets it as markup
    frame, other = data["frames"][3], pytest.approx(0.1 / 6, abs=1e-6)
    assert frame["bars"] == [None] + 5 * [other]
    assert frame["marks"] == [0.5] + 4 * [other] + [None]


# Points -------------------------------------------------------------------------------


def test_points_are_scaled_alike_in_both_directions_with_up_as_up():
    data = data_of(made(PointSliders))
    assert data["steps"] == STEPS and len(data["frames"]) == len(SETTINGS)
    (a, b, c), (mark,) = data["frames"][0]["points"], data["frames"][0]["marks"]
    assert [p[0] for p in (a, b, c, mark)] == [0, 1, 1, 1]
    assert b[1] - a[1] == a[2] - b[2]  # 2 to the right, 2 up
    assert b[1] - a[1] == pytest.approx(STEPS / 1.1, abs=1)
    assert c[1:] == [STEPS / 2, STEPS / 2]
    assert all(0 < v < STEPS for p in (a, b, c, mark) for v in p[1:])
    none = {"marks": [], "mark_groups": [], "rays": []}
    one = plane(points=[[3.0, 4.0]], groups=[0], **none)["points"]
    assert one == [[0, STEPS // 2, STEPS // 2]]


def test_rays_end_at_the_edge_of_the_frame():
    half = STEPS // 2
    assert plane()["lines"] == [[half, half, STEPS, half], [half, half, half, STEPS]]
    # From a centre far outside, those that cross the frame.
    far = plane(centre=[-100.0, 1.0], rays=[[1.0, 0.0], [0.0, 1.0]])
    assert far["lines"] == [[0, half, STEPS, half]]


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        ((-500, 500), (1500, 500), [0, 500, 1000, 500]),
        ((500, -500), (500, 500), [500, 0, 500, 500]),
        ((-100, -50), (-100, 2000), []),
        ((-500, 0), (0, -500), []),
        ((-250, 0), (250, 1000), [0, 500, 250, 1000]),
        ((2000, 2000), (500, 500), [1000, 1000, 500, 500]),
    ],
)
def test_a_line_is_cut_at_the_frame(start, end, inside):
    assert _clipped(start, end) == inside
