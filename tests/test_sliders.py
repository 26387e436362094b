"""The kernel-free sliders: what lands in the page, and what the script makes of it."""

import base64
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch

from lsr_utils import targets
from lsr_utils.sliders import STEPS, BarSliders, FilmSliders, GapSliders, PointSliders
from lsr_utils.style import EPS_COLORS

CONTROLS = {"ε": [0.0, 0.1, 0.4], "K": [2, 6]}
SETTINGS = list(itertools.product(*CONTROLS.values()))
NAME = "<b> & 'c' \"d\""  # of a bar, of a group, of the true class


def readout(*at):
    found = *targets.target_values(*at), targets.optimal_gap(*at)
    names = "true class", "each other", "best gap", "least loss"
    pairs = zip(names, [*found, targets.minimum_loss(*at)], strict=True)
    return {name: f"{value:.4f}" for name, value in pairs}


def bars(eps, num_classes):
    true, other = targets.target_values(eps, num_classes)
    marks = [0.5] + (num_classes - 2) * [other] + [None]
    return [true] + (num_classes - 1) * [other], readout(eps, num_classes), marks


PLANE = {
    "points": [[-1.0, 0.0], [1.0, 2.0], [0.0, 1.0]], "groups": [0, 1, 1],
    "marks": [[0.5, 0.5]], "mark_groups": [1],
    "centre": [0.0, 1.0], "rays": [[1.0, 0.0], [0.0, -1.0]],
}  # fmt: skip


def made(kind, controls=CONTROLS, name=NAME, **changes):
    if kind is GapSliders:
        return kind(*controls.values(), (0.1, 6, 1.0), "smoothing", name)
    options = {"frame": bars, "start": {"ε": 0.1, "K": 6}, "key": "smoothing"}
    if kind is PointSliders:
        options["frame"] = lambda *at: PLANE | {"readout": readout(*at)}
        options["names"] = ["zero", name]
    return kind(controls, **(options | changes))


every_kind = pytest.mark.parametrize("kind", [BarSliders, PointSliders, GapSliders])


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
        self.open += [tag] if tag != "img" else []
        self.cells += [""] if tag in ("td", "th") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "script":
            self.scripts.append(data)
        elif data.strip() and "p" not in self.open:
            assert self.open[-1] in ("td", "th"), f"stray text: {data}"
            self.cells[-1] += data


def data_of(slider):
    return json.loads(Page(slider).scripts[0])


@every_kind
def test_the_page_is_one_block_with_a_table_the_data_and_a_script(kind):
    page = Page(made(kind))
    blocks = [each for each in page.tags if each[0] in ("div", "table", "script")]
    assert [tag for tag, _ in blocks] == ["div", "table", "script", "script"]
    assert "<p>This view runs no scripts" in made(kind)._repr_mimebundle_()["text/html"]
    assert blocks[0][1] == {"id": "lsr-live-smoothing"}
    assert blocks[2][1] == {"type": "application/json"} and blocks[3][1] == {}
    rows = [[*map(str, at), *readout(*at).values()] for at in SETTINGS]
    # All that is left where scripts are stripped.
    assert page.cells == sum(rows, ["ε", "K", *readout(0.1, 6)])
    numbers, script = page.scripts
    assert "getElementById('lsr-live-smoothing')" in script
    assert "%s" not in script and "http" not in script  # works offline
    assert json.loads(numbers)["controls"][:2] == [
        {"name": "ε", "values": [0.0, 0.1, 0.4], "start": 1},
        {"name": "K", "values": [2, 6], "start": 1},
    ]
    bundle = made(kind)._repr_mimebundle_()
    assert bundle == made(kind)._repr_mimebundle_()  # the same bytes
    assert bundle["text/plain"] == "sliders: ε (3 steps) x K (2 steps)"


@pytest.mark.parametrize("text", ["</script><img src=x>", "<!--<script>", NAME])
def test_text_cannot_break_out_of_its_place(text):
    more = {"controls": {text: [0.1]}, "start": {text: 0.1}}
    of_bars = {"frame": lambda eps: ([eps], {text: text})}
    of_bars |= {"labels": [text], "axes": (text, text)}
    of_points = {"frame": lambda eps: PLANE | {"readout": {text: text}}}
    kinds = {BarSliders: more | of_bars, PointSliders: more | of_points, GapSliders: {}}
    for kind, options in kinds.items():
        page = Page(made(kind, name=text, **options))
        tags = [tag for tag, _ in page.tags]
        assert tags.count("script") == 2 and "img" not in tags
        assert "<" not in page.scripts[0]
        data = json.loads(page.scripts[0])
        if options:
            assert page.cells == [text, text, "0.1", text]
            assert data["frames"][0]["readout"] == {text: text}


def test_bars_come_back_as_they_went_in():
    data = data_of(made(BarSliders))
    assert (data["highlight"], data["axes"]) == (0, ["", ""])
    assert data["labels"] == list("123456")  # for the longest of the frames
    # The script counts frames with the last control running fastest.
    for frame, setting in zip(data["frames"], SETTINGS, strict=True):
        heights, words, marks = bars(*setting)
        assert frame["bars"] == pytest.approx(heights, abs=1e-6)
        assert frame["marks"] == pytest.approx(marks, abs=1e-6)
        assert frame["readout"] == words


def test_points_are_scaled_alike_in_both_directions_with_up_as_up():
    data = data_of(made(PointSliders))
    assert data["steps"] == STEPS and len(data["frames"]) == len(SETTINGS)
    (a, b, c), (mark,), *_ = data["frames"][0].values()
    assert [p[0] for p in (a, b, c, mark)] == [0, 1, 1, 1]
    assert b[1] - a[1] == a[2] - b[2]  # 2 to the right, 2 up
    assert c[1:] == [STEPS / 2, STEPS / 2]
    assert all(0 < v < STEPS for p in (a, b, c, mark) for v in p[1:])
    # Rays start at the centre, and reach beyond the frame.
    (*start, right, level), (*other, upright, down) = data["frames"][0]["lines"]
    assert start == other == c[1:]
    assert level == upright == STEPS // 2 and min(right, down) > STEPS


STAGE = r"""  // what the script finds in a browser, for node
const [data, script, acts] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const none = () => {}, inputs = [], labels = [], shots = [];
const element = more => ({style: {}, dataset: {}, setAttribute: none, after: none,
  addEventListener(kind, f) { this[kind] = f; }, before: none, appendChild: none,
  focus: none, getBoundingClientRect: () => ({left: 0, width: 760}), ...more});
const picture = element({firstChild: element()}), readout = element();
const querySelector = () => root, querySelectorAll = () => [];
const root = element({text: data, querySelector, querySelectorAll});
const scroll = element({firstChild: element({firstChild: picture})});
const reset = element(), bar = element({querySelector: () => reset});
function createElement(kind) {
  if (kind === 'div') return element({children: [bar, scroll, readout]});
  const input = element({previousSibling: element(), nextSibling: element()});
  const querySelector = name => name === 'input' ? input : element();
  inputs.push(input);
  return input.parentElement = {...element({querySelector}), set innerHTML(text) {
    labels.push(text.slice(text.indexOf('<svg')));
    for (const name of ['max', 'value']) input[name] = text.match(name + '="(.+?)"')[1];
  }};
}
new Function('document', script)({createElement, getElementById: () => root});
for (const act of [[], ...acts]) {
  if (act === 'reset') reset.onclick();
  else if (act === 'ticks') readout.textContent = labels.join('');
  else act.forEach((at, i) => { inputs[i].value = at; inputs[i].input(); });
  shots.push([readout.textContent, picture.innerHTML]);
}
console.log(JSON.stringify(shots));
"""
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no node for scripts")


def played(slider, *acts):
    """(text, SVG) at first and after each act, which are the places of the sliders."""
    given, node = json.dumps([*Page(slider).scripts, acts]), ["node", "-e", STAGE]
    done = subprocess.run(node, input=given, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert not re.search("NaN|undefined|Infinity", done.stdout)
    return [(said, ElementTree.XML(svg)) for said, svg in json.loads(done.stdout)]


@needs_node
@pytest.mark.parametrize("kind", [BarSliders, PointSliders])
def test_the_script_shows_the_frame_of_each_setting(kind):
    more = {"labels": [NAME, *"bcdef"], "axes": (NAME, "beside"), "highlight": 1}
    slider = made(kind, **(more if kind is BarSliders else {}))
    first, *shots = played(slider, *itertools.product(range(3), range(2)))
    said = [" · ".join(map(": ".join, readout(*at).items())) for at in SETTINGS]
    assert [first[0], *(text for text, _ in shots)] == [said[3], *said]
    texts = [text.text for text in first[1].iter("text")]
    if kind is BarSliders:
        assert texts.count(NAME) == 2 and {"beside", "0.917", *"bcdef"} <= {*texts}
        fills = [bar.get("fill") for bar in first[1].iter("rect")]
        assert len({*fills}) == 2 and fills.count(fills[1]) == 1 and len(fills) == 6
    else:
        assert texts == [NAME]
        inner = first[1].find("svg")  # it cuts the rays where the frame ends
        assert inner.get("width") == inner.get("height") == first[1].get("viewBox")[-3:]
        assert [each.tag for each in inner] == 2 * ["line"] + 4 * ["path"]


@needs_node
def test_reset_goes_back_and_a_few_of_the_ticks_have_labels():
    steps = [0, 20, 50, 100, 150, 200, 300, 400, 500, 700, 1000, 1400, 2000, 2800, 4000]
    controls = {"ε": [0, 0.05, 0.1, 0.2, 0.4], "step": steps, "name": [NAME, "b" * 40]}
    slider = made(
        BarSliders, controls, frame=lambda *at: ([0.5], {"at": at[1]}),
        start={"ε": 0.1, "step": 50, "name": NAME},
    )  # fmt: skip
    first, moved, back, (svg, _) = played(slider, [1, 7, 1], "reset", "ticks")
    assert first[0] == back[0] == "at: 50" and moved[0] == "at: 400"
    ticks = ElementTree.XML(f"<all>{svg}</all>")
    assert [len([*each.iter("line")]) for each in ticks] == [5, 15, 2]
    labels = [[text.text for text in each.iter("text")] for each in ticks]
    assert labels == [["0", "0.05", "0.1", "0.2", "0.4"], ["0", "400", "4000"], []]


@needs_node
def test_the_gap_is_followed_in_loss_target_and_softmax():
    places = [*itertools.product(range(3), range(2), (0, 10, 40, 90))]
    first, *shots = played(made(GapSliders), *places)
    assert first[0] == shots[places.index((1, 1, 10))][0]
    for (i, j, tenths), (said, svg) in zip(places, shots, strict=True):
        eps, k, gap = CONTROLS["ε"][i], CONTROLS["K"][j], tenths / 10
        z = torch.zeros(1, k, dtype=float).index_fill(1, torch.tensor([0]), gap)
        loss = torch.nn.CrossEntropyLoss(label_smoothing=eps)(z, torch.tensor([0]))
        least, best = targets.minimum_loss(eps, k), targets.optimal_gap(eps, k)
        least = f"{least:.3f}, at a gap of {best:.3f}" if eps else "0, never reached"
        assert said == f"gap: {gap:.1f} · loss: {loss:.3f} · least loss: {least}"
        texts = [text.text for text in svg.iter("text")]
        pairs = zip(z.softmax(1)[0, :2], targets.target_values(eps, k), strict=True)
        pairs = [(f"softmax {p:.4f}", f"target {q:.4f}") for p, q in pairs]
        shown = [text for text in texts if re.match("softmax|target", text)]
        assert shown == [*sum(pairs, ())] and f"probability: {NAME}" in texts
        colors = {line.get("stroke") for line in svg.iter("path")}
        assert colors == {EPS_COLORS[eps] if eps else "currentColor"}


@needs_node
def test_a_film_plays_points_and_lines_of_each_eps_and_step():
    full, rows = 32767, []
    for k, (eps, step) in enumerate(itertools.product((0.0, 0.1), (0, 7, 50))):
        at = np.array([[full, full], [-full, k * 1000]], "<i2")
        points = base64.b64encode(at.tobytes()).decode()
        lines = [[0, 0, full, full]] * (k % 2)
        zoom = 61.5 if eps == 0 else 4.0
        rows.append((eps, step, zoom, points, lines, f"{k}"))
    columns = ["eps", "step", "zoom", "points", "lines", "loss"]
    names = ["zero", NAME]
    start = {"ε": 0.1, "step": 0}
    film = FilmSliders(pd.DataFrame(rows, columns=columns), [0, 1], start, "f", names)
    first, *shots = played(film, *itertools.product(range(2), range(3)))
    wanted = ["loss: 3", *(f"loss: {k}" for k in range(6))]
    assert [said for said, _ in [first, *shots]] == wanted
    for k, (_, svg) in enumerate(shots):
        inner = svg.find("svg")
        assert [each.tag for each in inner] == ["line"] * (k % 2) + 2 * ["path"]
        size = float(inner.get("height"))
        places = [re.findall(r"-?[\d.]+", p.get("transform"))[:2] for p in inner[-2:]]
        (right, top), (left, level) = [[float(v) for v in place] for place in places]
        assert (right, top, left) == (size, 0, 0)  # up is up
        assert level == pytest.approx(size / 2 * (1 - k * 1000 / full))
        ruler = svg.find("line")
        length = float(ruler.get("x2")) - float(ruler.get("x1"))
        assert length == pytest.approx(size / 2 * (10 / 61.5 if k < 3 else 1 / 4))
        texts = [text.text for text in svg.iter("text")]
        ruler = "10 units" if k < 3 else "1 unit"
        assert texts == [ruler, "feature 1 →", "↑ feature 2", *names]
