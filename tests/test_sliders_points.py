"""Points that follow sliders without a kernel: what the page holds."""

import json
import math
import shutil
import subprocess

import pytest
from test_sliders import Page, page_of

from lsr_utils.sliders import STEPS, PointSliders, _clipped

CONTROLS = {"classes": ["a, b", "c"], "ε": [0.0, 0.1]}


def frame(classes, eps):
    return {
        "points": [[-1.0, 0.0], [1.0, 2.0], [0.0, 1.0]],
        "groups": [0, 1, 1],
        "marks": [[0.5, 0.5]],
        "mark_groups": [1],
        "centre": [0.0, 1.0],
        "rays": [[1.0, 0.0], [0.0, -1.0]],
        "readout": {"ratio": f"{classes} {eps}"},
    }


def sliders(**changes):
    options = {
        "controls": CONTROLS, "frame": frame, "start": {"classes": "c", "ε": 0.0},
        "key": "planes", "names": ["zero", "one"],
    }  # fmt: skip
    return PointSliders(**(options | changes))


def with_changes(**changes):
    return sliders(frame=lambda classes, eps: frame(classes, eps) | changes)


def data_of(slider):
    return json.loads(page_of(slider).scripts[0])


def test_the_page_is_one_block_with_a_table_the_data_and_a_script():
    page = page_of(sliders())
    assert page.tags[0] == ("div", {"id": "lsr-live-planes"})
    names = [tag for tag, _ in page.tags]
    assert names.count("div") == names.count("table") == 1
    kinds = [attributes for tag, attributes in page.tags if tag == "script"]
    assert kinds == [{"type": "application/json"}, {}]
    assert "getElementById('lsr-live-planes')" in page.scripts[1]
    assert "%s" not in page.scripts[1] and "http" not in page.scripts[1]


def test_without_scripts_the_table_holds_every_setting_and_readout():
    wanted = ["classes", "ε", "ratio"]
    for classes in CONTROLS["classes"]:
        for eps in CONTROLS["ε"]:
            wanted += [classes, str(eps), f"{classes} {eps}"]
    assert page_of(sliders()).cells == wanted


def test_points_are_scaled_alike_in_both_directions_with_up_as_up():
    data = data_of(sliders())
    assert data["steps"] == STEPS
    assert [control["start"] for control in data["controls"]] == [1, 0]
    assert len(data["frames"]) == 4
    (a, b, c), (mark,) = data["frames"][0]["points"], data["frames"][0]["marks"]
    assert [p[0] for p in (a, b, c, mark)] == [0, 1, 1, 1]
    assert b[1] - a[1] == a[2] - b[2]  # 2 to the right, 2 up
    assert b[1] - a[1] == pytest.approx(STEPS / 1.1, abs=1)
    assert c[1:] == [STEPS / 2, STEPS / 2]
    assert all(0 < v < STEPS for p in (a, b, c, mark) for v in p[1:])


def test_rays_end_at_the_edge_of_the_frame():
    right, down = data_of(sliders())["frames"][0]["lines"]
    assert right == [STEPS // 2, STEPS // 2, STEPS, STEPS // 2]
    assert down == [STEPS // 2, STEPS // 2, STEPS // 2, STEPS]


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


def test_a_centre_far_outside_still_gives_the_rays_that_cross_the_frame():
    far = with_changes(centre=[-100.0, 1.0], rays=[[1.0, 0.0], [0.0, 1.0]])
    lines = data_of(far)["frames"][0]["lines"]
    assert lines == [[0, STEPS // 2, STEPS, STEPS // 2]]


def test_points_in_one_place_are_drawn_in_the_middle():
    same = with_changes(
        points=[[3.0, 4.0]], groups=[0], marks=[], mark_groups=[], rays=[]
    )
    assert data_of(same)["frames"][0]["points"] == [[0, STEPS // 2, STEPS // 2]]


def test_the_same_slider_gives_the_same_bytes():
    one, two = (sliders()._repr_mimebundle_() for _ in range(2))
    assert one == two
    assert one["text/plain"] == "sliders: classes (2 steps) x ε (2 steps)"
    assert set(one) == {"text/html", "text/plain"}


@pytest.mark.parametrize(
    "text", ["</script><img src=x>", "<!--<script>", "a < b & 'c'"]
)
def test_text_cannot_break_out_of_its_place(text):
    slider = sliders(
        controls={text: [0.1]},
        start={text: 0.1},
        frame=lambda eps: frame("a", eps) | {"readout": {text: text}},
        names=[text, "one"],
    )
    page = Page(slider._repr_mimebundle_()["text/html"])
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in page.tags]
    data = json.loads(page.scripts[0])
    assert data["names"][0] == data["controls"][0]["name"] == text
    assert "<" not in page.scripts[0]


def test_the_script_writes_names_as_text_and_keeps_the_keys_to_itself():
    script = page_of(sliders()).scripts[1]
    assert "t.textContent = data.names[groups[i]]" in script
    assert "readout.textContent = text" in script
    assert "stopPropagation" in script


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": [[math.nan, 0.0]] * 3}, "frame must give finite points, got "),
        ({"centre": [math.inf, 0.0]}, "frame must give finite points, got "),
        ({"groups": [0, 1, 2]}, "frame must give named groups, got 2."),
        ({"mark_groups": [-1]}, "frame must give named groups, got -1."),
    ],
)
def test_a_frame_that_cannot_be_drawn_is_named(changes, message):
    with pytest.raises(ValueError) as caught:
        with_changes(**changes)
    assert str(caught.value).startswith(message)


def test_a_group_needs_one_of_at_most_six_names():
    with pytest.raises(ValueError, match="frame must give named groups, got 0.$"):
        sliders(names=[])
    groups = {"groups": [0, 1, 6]}
    with pytest.raises(ValueError, match="frame must give named groups, got 6.$"):
        sliders(frame=lambda c, e: frame(c, e) | groups, names=list("abcdefg"))


def test_start_and_key_are_checked_as_those_of_bars():
    with pytest.raises(ValueError, match="start must give one of"):
        sliders(start={"classes": "d", "ε": 0.0})
    with pytest.raises(ValueError, match="key must be letters"):
        sliders(key="a b")


@pytest.mark.skipif(not shutil.which("node"), reason="needs node to read the script")
def test_the_script_can_be_read(tmp_path):
    script = tmp_path / "slider.js"
    script.write_text(page_of(sliders()).scripts[1], encoding="utf-8")
    done = subprocess.run(["node", "--check", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
