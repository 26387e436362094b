"""Decks, without a browser: what is shown, what is said, how long it takes."""

import itertools
import os
import re
import subprocess
import sys

import chromium
import command
import nbformat
import pytest
from command import Problem
from course_copy import CLOSED_PORT, ROOT, one_sentence, variables
from slides import deck, page, talks

TEACHING = ROOT / "notebooks" / "teaching"
LECTURES = [p for p in command.lectures(ROOT) if p.parent.name == "notebooks"]


def of(notebook):
    return deck.slides(nbformat.read(notebook, as_version=4))


CHECKED = "x = f(1)\nclaim('01-1', 'x', x == 1)\nlsr.guess('x', guess, 2)\nif x:\n    x"
SAID = "✓ 01-1  x\n○ no guess yet\n○ x is 2.\ndevice: cpu · torch\n1\n"
MARKS = [  # of a slide: its code, the results that it shows
    ({}, "", ["1"]),
    ({"show": "code"}, "x = f(1)\nif x:\n    x", []),
    ({"show": "code result", "lines": "3-3"}, "x", ["1"]),
    ({"text": "**words**"}, "", []),
    ({"text": "words", "show": "result"}, "", ["1"]),
]


def test_a_slide_shows_what_its_marks_name():
    printed = [nbformat.v4.new_output("stream", text=SAID)]
    cell, plain = nbformat.v4.new_code_cell(CHECKED, outputs=printed), {"title": "A"}
    for marks, code, results in MARKS:
        made = deck.marked(cell, {**plain, "minutes": 2, **marks})
        assert made.code == code and made.text == marks.get("text", "")
        assert made.results == [("text", text, "") for text in results]
    for marks in ({"show": "figure"}, {"colour": "red"}):
        with pytest.raises(ValueError, match="no such mark: {'(figure|colour)'}"):
            deck.marked(cell, {**plain, "minutes": 1, **marks})


def test_answers_of_votes_are_on_another_page_of_a_handout():
    votes = [False, True, False, False, True, True, False]
    slides = [deck.Slide("A", "", "", [], "", *row) for row in enumerate(votes)]
    found = [[slide.vote for slide in page] for page in deck.pages(slides)]
    assert found == [[False], [True], [False, False], [True], [True], [False]]
    assert max(map(len, found)) == 2


def complaints(slides, most):
    """What keeps these slides from a room, as sentences."""
    if not 5 <= len(slides) <= most:
        yield f"there are {len(slides)} slides with the title, not 5 to {most}"
    titles = [slide.title for slide in slides]
    if not all(titles) or len({*titles}) < len(titles):
        yield "a slide without a title, or a title twice"
    for slide, after in itertools.pairwise([*slides[not slides[0].say :], None]):
        here = f"“{slide.title}”"
        lines = [line for line in slide.code.splitlines() if line.strip()]
        if len(lines) > deck.LINES:
            yield f"{here} has {len(lines)} lines of code"
        if not (slide.text or slide.code or slide.results):
            yield f"{here} shows nothing"
        if len(slide.text.split()) > 90:
            yield f"{here} has too many words"
        if sum(kind in ("figure", "slider") for kind, *_ in slide.results) > 1:
            yield f"{here} has two pictures"
        if not 8 <= len(slide.say.split()) <= 90:
            yield f"{here} is said in {len(slide.say.split())} words"
        asked = slide.minutes >= deck.VOTE and after and "?" in slide.text
        if slide.vote and not asked:
            yield f"{here} is a vote without time, question or answer"
        if not 0.5 <= slide.minutes <= 5:
            yield f"{here} takes {slide.minutes} minutes"


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem[:2])
def test_a_lecture_has_twenty_slides_and_forty_minutes(path):
    slides = of(path)
    assert [*complaints(slides, most=20)] == []
    assert deck.minutes(slides) <= 40
    kinds = [kind for slide in slides for kind, *_ in slide.results]
    assert kinds.count("figure") + kinds.count("slider") >= len(slides) / 8


TALKS = [("talk45", 18, 43), ("talk90", 34, 85)]


@pytest.mark.parametrize(("name", "most", "minutes"), TALKS)
def test_a_talk_is_what_the_plan_lists(name, most, minutes):
    rows = talks.plans(TEACHING)[name]
    slides = talks.composed(name, rows, TEACHING.parent)
    assert [slide.title for slide in slides] == [title for title, *_ in rows]
    assert [*complaints(slides, most)] == []
    planned = sum(float(row[-1]) for row in rows)
    assert planned == deck.minutes(slides) <= minutes
    assert deck.walked(slides) <= minutes


def test_a_slide_that_no_lecture_has_and_a_plan_that_is_none_are_named():
    rows = [("No such message", LECTURES[0].name, "1")]
    with pytest.raises(Problem, match="00_one_picture.ipynb has no slide 'No such"):
        talks.composed("talk45", rows, LECTURES[0].parent)
    one_sentence(run("slides", "--plan", "talk46"), "'talk46'", "talk45, talk90")


def test_links_lead_to_decks_or_nowhere():
    text = "[a](01_x.ipynb), [b](../data/README.md), [c](https://d.e)"
    leads = '<a href="01_x.html">a</a>, b, <a href="https://d.e">c</a>'
    assert leads in page.markdown(text, {"01_x"})


def test_a_slide_is_titled_and_its_code_and_results_are_set():
    made = deck.Slide("A < b", "", "f[x](y)", [("text", "2", "")], "*Say*", 2, False)
    html = page.section(made, True, ())
    assert html.startswith('<section class="begins"><h2>A &lt; b</h2>')
    assert html.index('class="code"') < html.index('<div class="text"><pre>2</pre>')
    assert "(y)" in re.sub("<[^>]*>", "", html)
    assert "<strong>2 min</strong> <em>Say</em>" in html.partition("<aside")[2]
    assert page.deck("T", [made, made], ()).count("<h1>A") == 1  # of a talk


def run(tool, *arguments, **more):
    command = [sys.executable, ROOT / "tools" / tool, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **more)


@pytest.mark.parametrize("tool", ["slides", "site"])
def test_npm_out_of_reach_and_no_place_to_write_are_one_sentence(tool, tmp_path):
    cache = str(tmp_path / "cache")
    env = variables(tmp_path, LSR_DATA_HOME=cache, npm_config_registry=CLOSED_PORT)
    result = run(tool, "--to", tmp_path / "made", env=env)
    one_sentence(result, "could not be fetched", "npm_config_registry")
    (tmp_path / "file").touch()
    result = run(tool, "--to", tmp_path / "file" / "made", env=env)
    one_sentence(result, "Not a directory" if os.name != "nt" else "file")
    one_sentence(run(tool, "--to", tmp_path, env=env), "holds files of yours")
    assert (tmp_path / "file").exists()


def test_without_chromium_decks_are_made_all_the_same(tmp_path):
    result = run("slides", "--to", tmp_path, "00", env={**os.environ, "CHROMIUM": ""})
    if "could not be fetched" in result.stderr:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if "Chromium" in line]
    assert len(said) == 1 and "without handouts" in said[0]
    assert (tmp_path / "00_one_picture.html").is_file()
    assert not list(tmp_path.glob("*.pdf"))
    assert ".pdf" not in (tmp_path / "index.html").read_text("utf-8")
    assert "00_one_picture.html" in page.index({}, tmp_path)  # made before


@pytest.mark.skipif(os.name == "nt", reason="a script stands for the browser")
def test_a_browser_that_is_not_there_or_does_not_print(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    browser = tmp_path / "chromium"
    for named, script, words in [
        ("chromium", "echo w >&2; exit 1", ": w"),
        ("chromium", "exit 0", "0 pages, not"),
        ("", "", "Chromium was not found"),
    ]:
        monkeypatch.setenv("CHROMIUM", named)
        browser.write_text(f"#!/bin/sh\n{script}\n")
        browser.chmod(0o755)
        with pytest.raises(Problem, match=words):
            chromium.print_pdf("about:blank", tmp_path / "a.pdf", 2)
        assert list(tmp_path.iterdir()) == [browser]
    monkeypatch.delenv("CHROMIUM")
    assert chromium.find() == str(browser)
