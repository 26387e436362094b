"""The kernel-free sliders: what lands in the page, and what happens without scripts."""

import json
import math
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lsr_utils import sliders as module
from lsr_utils.sliders import BarSliders


def frame(eps, num_classes):
    other = eps / num_classes
    bars = [1 - eps + other] + (num_classes - 1) * [other]
    return bars, {"true": f"{bars[0]:.4f}", "other": f"{other:.4f}"}


def sliders(**changes):
    options = {
        "controls": {"ε": [0.0, 0.1, 0.4], "K": [2, 6]},
        "frame": frame,
        "start": {"ε": 0.1, "K": 6},
        "key": "smoothing",
    }
    return BarSliders(**(options | changes))


class Page(HTMLParser):
    """The elements of a page, its table's cells, and the text of its scripts."""

    VOID = ("br", "img", "input", "hr")

    def __init__(self, markup):
        super().__init__()
        self.tags, self.open, self.cells, self.scripts = [], [], [], []
        self.feed(markup)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
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


def page_of(slider):
    return Page(slider._repr_mimebundle_()["text/html"])


def test_the_page_is_one_block_with_a_table_the_data_and_a_script():
    page = page_of(sliders())
    assert page.tags[0] == ("div", {"id": "lsr-live-smoothing"})
    names = [tag for tag, _ in page.tags]
    assert names.count("div") == names.count("table") == 1
    kinds = [attributes for tag, attributes in page.tags if tag == "script"]
    assert kinds == [{"type": "application/json"}, {}]
    assert "getElementById('lsr-live-smoothing')" in page.scripts[1]
    assert "%s" not in page.scripts[1]
    assert "http" not in page.scripts[1]  # works offline


def test_the_data_come_back_as_they_went_in():
    data = json.loads(page_of(sliders(highlight=1)).scripts[0])
    assert data["controls"] == [
        {"name": "ε", "values": [0.0, 0.1, 0.4], "start": 1},
        {"name": "K", "values": [2, 6], "start": 1},
    ]
    assert (data["highlight"], data["top"]) == (1, 1.0)
    assert len(data["frames"]) == 6
    plain = json.loads(page_of(sliders()).scripts[0])
    assert (plain["highlight"], plain["top"]) == (0, 1.0)
    # The script counts frames with the last control running fastest.
    for index, (eps, k) in enumerate((e, k) for e in (0.0, 0.1, 0.4) for k in (2, 6)):
        bars, readout = frame(eps, k)
        assert data["frames"][index]["bars"] == pytest.approx(bars, abs=1e-6)
        assert data["frames"][index]["readout"] == readout


def test_marks_labels_and_bars_left_out():
    def with_marks(eps, num_classes):
        bars, readout = frame(eps, num_classes)
        return [None, *bars[1:]], readout, [0.5, *bars[2:], None]

    made = sliders(frame=with_marks, labels=["<b>", *"bcdef"])
    data = json.loads(page_of(made).scripts[0])
    assert data["labels"] == ["&lt;b&gt;", *"bcdef"]  # the script sets it as markup
    assert data["frames"][3]["bars"] == pytest.approx([None] + 5 * [0.1 / 6], abs=1e-6)
    assert data["frames"][3]["marks"][0] == 0.5
    assert data["frames"][3]["marks"][5] is None
    plain = json.loads(page_of(sliders()).scripts[0])
    assert plain["labels"] == list("123456")  # for the longest of the frames
    assert all(made["marks"] == [] for made in plain["frames"])


@pytest.mark.skipif(not shutil.which("node"), reason="needs node to read the script")
def test_the_script_can_be_read(tmp_path):
    script = tmp_path / "slider.js"
    script.write_text(page_of(sliders()).scripts[1], encoding="utf-8")
    as_written = Path(module.__file__).with_suffix(".js")
    for file in (script, as_written):
        done = subprocess.run(["node", "--check", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_controls_may_be_an_array():
    made = sliders(controls={"ε": np.array([0.0, 0.1]), "K": np.array([2, 6])})
    data = json.loads(page_of(made).scripts[0])
    assert [control["values"] for control in data["controls"]] == [[0.0, 0.1], [2, 6]]


def test_without_scripts_the_table_holds_every_setting_and_readout():
    page = page_of(sliders())
    wanted = ["ε", "K", "true", "other"]
    for eps in (0.0, 0.1, 0.4):
        for k in (2, 6):
            wanted += [str(eps), str(k), *frame(eps, k)[1].values()]
    assert page.cells == wanted


def test_the_same_slider_gives_the_same_bytes():
    one, two = (sliders()._repr_mimebundle_() for _ in range(2))
    assert one == two
    assert one["text/plain"] == "sliders: ε (3 steps) x K (2 steps)"
    assert set(one) == {"text/html", "text/plain"}


@pytest.mark.parametrize(
    "text",
    ["</script><img src=x>", "<!--<script>", "a < b & 'c' \"d\"", "\\", "\u2028"],
)
def test_text_cannot_break_out_of_its_place(text):
    slider = sliders(
        controls={text: [0.1]},
        start={text: 0.1},
        frame=lambda eps: ([eps], {text: text}),
    )
    page = page_of(slider)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in page.tags]
    data = json.loads(page.scripts[0])
    assert data["controls"][0]["name"] == text
    assert data["frames"][0]["readout"] == {text: text}
    assert page.cells == [text, text, "0.1", text]
    assert "<" not in page.scripts[0]


def test_the_script_writes_names_as_text_and_keeps_the_keys_to_itself():
    script = page_of(sliders()).scripts[1]
    assert "name.textContent = control.name" in script
    assert "readout.textContent = text" in script
    assert "innerHTML" in script and "+ control.name +\n" not in script
    assert "stopPropagation" in script


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            {"ε": 0.3, "K": 6},
            "start must give one of [0.0, 0.1, 0.4] for 'ε', got 0.3.",
        ),
        ({"ε": 0.1}, "start must give one of [2, 6] for 'K', got None."),
    ],
)
def test_a_start_beside_the_steps_is_named(start, message):
    with pytest.raises(ValueError) as caught:
        sliders(start=start)
    assert str(caught.value) == message


@pytest.mark.parametrize("key", ["", "a b", "it's", "<b>", "é"])
def test_a_key_that_cannot_stand_in_a_page_is_named(key):
    with pytest.raises(ValueError) as caught:
        sliders(key=key)
    assert str(caught.value) == f"key must be letters, digits, - or _, got {key!r}."


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bar_that_is_not_finite_is_named(bad):
    with pytest.raises(ValueError) as caught:
        sliders(frame=lambda eps, k: ([1.0, bad], {}))
    assert str(caught.value) == f"frame must give finite bars, got [1.0, {bad}]."
