"""Decks, without a browser: what is shown, what is said, how it is laid out."""

import os
import subprocess
import sys

import chromium
import nbformat
import pytest
from course_copy import CLOSED_PORT, ROOT, one_sentence, variables
from printing import NotPrinted, print_pdf
from slides import blocks, layout, page

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def markdown(source, kind="fragment"):
    slides = {"slideshow": {"slide_type": kind}}
    return nbformat.v4.new_markdown_cell(source, metadata=slides)


def code(source, *outputs, kind="fragment", tags=(), **metadata):
    metadata = {"slideshow": {"slide_type": kind}, "tags": list(tags), **metadata}
    outputs = [nbformat.v4.new_output("stream", text=text) for text in outputs]
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs)


def shown_and_said(*cells):
    """Blocks of a section with these cells, as (kind, text), and all that is said."""
    heading = markdown("## 1. A section", "slide")
    notebook = nbformat.v4.new_notebook(cells=[heading, *cells])
    (section,) = blocks.sections(notebook)
    said = [note for block in section.blocks for note in block.notes]
    return [(block.kind, block.text) for block in section.blocks], said


LONG = "\n".join(f"x{n} = {n}" for n in range(blocks.LINES_SHOWN + 1))
CHECKED = "x = f(1)\nclaim('01-1', 'x', x == 1)\nlsr.guess('x', g, x)\nprint(x)"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (code("x = 1", "1"), "x = 1"),
        (code(CHECKED, "No prediction yet: …\n✓ 01-1  x\n1\n"), "x = f(1)\nprint(x)"),
        (code("show(figure, alt='what it shows')", "1"), ""),
        (code("x = 1\nclaim('1', 'a', x)\nclaim('2', 'b', x)", "1"), ""),
        (code("x = 1", "1", tags=["experiment"]), ""),
        (code("x = 1", "1", tags=["hide-input"]), ""),
        (code("x = 1", "1", jupyter={"source_hidden": True}), "x = 1"),  # by a reader
        (code(LONG, "1"), ""),
        (code(LONG, "1", tags=["simple:losses.loss"]), LONG),
        (code("x = 1", "1", tags=["simple:losses.loss", "hide-input"]), ""),
        (code("x = 1", "1", tags=["experiment", "show-input"]), "x = 1"),
        (code(LONG, "1", tags=["show-input"]), LONG),
    ],
)
def test_which_code_is_shown_beside_its_result(cell, shown):
    expected = [("code", shown)] if shown else []
    assert shown_and_said(cell)[0] == [*expected, ("text", "1")]


def test_set_up_and_what_is_covered_are_left_out():
    set_up = code("import torch", "device: cpu", kind="skip")
    covered = code("x = 1", "✓ 01-1  x is one\n", tags=["checks"])
    assert shown_and_said(set_up, covered) == ([], [])


def test_prose_is_said_questions_and_results_are_shown():
    shown, said = shown_and_said(
        markdown("Some words. More words.\n\n**Predict.** How many?\n\n- one\n- two"),
        code("print(2)", "2"),
        markdown(
            "**What to see.** It is two, and no other number than that. So there."
        ),
        markdown("Last words."),
        code(LONG, "3"),
    )
    assert shown == [
        ("prose", "**Predict.** How many?"),
        ("list", "- one\n- two"),
        ("code", "print(2)"),
        ("text", "2"),
        ("seen", "**What to see.** It is two, and no other number than that."),
        ("lead", "Last words."),  # a result without its code is introduced
        ("text", "3"),
    ]
    assert said[0] == "Some words. More words." and said[-1] == "Last words."
    assert any("So there." in words for words in said)


def test_fences_formulas_and_lists_stay_whole():
    parts = [
        "# A",
        "```\na\n\nb\n```",
        "Words:",
        "- a\n  b\n- c",
        "$$\na\n\nb\n$$",
        "So",
    ]
    text = "# A\n```\na\n\nb\n```\nWords:\n- a\n  b\n- c\n\n$$\na\n\nb\n$$\n\nSo"
    assert blocks.paragraphs(text) == parts


def section(*heights, kind="text"):
    made = [blocks.Block(kind, f"{n}", height) for n, height in enumerate(heights)]
    return blocks.Section("A", made)


def texts(slides):
    return [[block.text for block in slide.blocks] for slide in slides]


@pytest.mark.parametrize("number", [20, 60, 100])
def test_a_deck_is_no_longer_than_a_lecture(number):
    slides = layout.deck([section(*[200] * number)])
    assert len(slides) <= layout.MOST
    assert sum(texts(slides), []) == [str(n) for n in range(number)]
    assert [s.part for s in slides][:2] == [f"{n}/{len(slides)}" for n in (1, 2)]


def test_slides_of_a_section_are_about_as_full():
    assert texts(layout.deck([section(*[140] * 5)])) == [["0", "1", "2"], ["3", "4"]]
    assert texts(layout.deck([section(140, 140), section(500)])) == [["0", "1"], ["0"]]


def test_what_is_joined_stays_together():
    made = section(300, 450, 50)
    assert texts(layout.deck([made])) == [["0"], ["1", "2"]]
    made.blocks[1].joined = True
    assert texts(layout.deck([made])) == [["0", "1"], ["2"]]


def test_a_long_table_is_split_and_each_part_has_the_head():
    rows = "\n".join(f"| {n} | b |" for n in range(50))
    table = blocks.block("table", f"| x | y |\n|---|---|\n{rows}", notes=["once"])
    parts = layout.pieces(table)
    assert len(parts) == 3 and all(part.height < layout.ROOM for part in parts)
    assert all(part.text.startswith("| x | y |\n|---|---|\n") for part in parts)
    body = [line for part in parts for line in part.text.splitlines()[2:]]
    assert body == rows.splitlines()
    assert [part.notes for part in parts] == [["once"], [], []]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_every_notebook_makes_a_lecture_with_notes_and_all_its_figures(path):
    notebook = nbformat.read(path, as_version=4)
    made = blocks.sections(notebook)
    slides = layout.deck(made)
    assert 10 <= len(slides) <= layout.MOST
    figures = [b for slide in slides for b in slide.blocks if b.kind == "figure"]
    stored = str(notebook).count("'image/png': 'iVBOR")
    assert len(figures) == stored and all(b.alt for b in figures)
    assert sum(bool(b.notes) for slide in slides for b in slide.blocks) > 5
    longest = max(made, key=lambda section: layout.height(section.blocks))
    assert len(layout.deck([*made, longest])) <= layout.MOST  # it may grow


def test_links_lead_to_decks_or_nowhere():
    made = page.markdown(
        "[a](01_x.ipynb), [b](../data/README.md), [c](https://d.e)", {"01_x"}
    )
    assert '<a href="01_x.html">a</a>, b, <a href="https://d.e">c</a>' in made


def test_a_result_comes_up_with_a_click_where_something_is_asked():
    made = [blocks.Block(kind, "x", 50) for kind in ("lead", "text", "text")]
    html = page.slide_html(layout.Slide("1. A < b", "", made), False, ())
    assert '<h2>1. A &lt; b</h2>\n<div class="lead"><p>x</p>' in html
    assert html.index('class="text">') < html.index('class="text fragment">')


# -- the commands, where something is missing ---------------------------------------


def run(tool, *arguments, **more):
    command = [sys.executable, ROOT / "tools" / tool, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **more)


@pytest.mark.parametrize("tool", ["slides", "site"])
def test_npm_out_of_reach_is_one_sentence(tool, tmp_path):
    cache = str(tmp_path / "cache")
    env = variables(tmp_path, LSR_DATA_HOME=cache, npm_config_registry=CLOSED_PORT)
    result = run(tool, "--to", tmp_path, env=env)
    one_sentence(result, "could not be fetched", "npm_config_registry")


def test_without_chromium_decks_are_made_all_the_same(tmp_path):
    result = run("slides", "--to", tmp_path, "00", env={**os.environ, "CHROMIUM": ""})
    if "could not be fetched" in result.stderr:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if "Chromium" in line]
    assert len(said) == 1 and "without handouts" in said[0]
    assert (tmp_path / "00_start_here.html").is_file()
    assert not list(tmp_path.glob("*.pdf"))
    assert ".pdf" not in (tmp_path / "index.html").read_text("utf-8")


def test_no_such_notebook():
    one_sentence(run("slides", "99"), "'99'", "00_start_here")


@pytest.mark.skipif(os.name == "nt", reason="a script stands for the browser")
@pytest.mark.parametrize("script", ["echo no; echo why >&2; exit 1", "exit 0"])
def test_a_browser_that_does_not_print_is_told_and_nothing_is_left(
    tmp_path, monkeypatch, script
):
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setattr(chromium, "find", lambda: str(browser))
    words = "why" if "why" in script else "0 pages, not 2"
    with pytest.raises(NotPrinted, match=words):
        print_pdf("about:blank", tmp_path / "a.pdf", 2)
    assert list(tmp_path.iterdir()) == [browser]


def test_which_browser_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert chromium.find() is None
    for name in ("google-chrome", "chromium", "mine"):
        (tmp_path / name).touch(mode=0o755)
    assert chromium.find() == str(tmp_path / "chromium")
    monkeypatch.setenv("CHROMIUM", "mine")
    assert chromium.find() == str(tmp_path / "mine")
    monkeypatch.setenv("CHROMIUM", "")
    assert chromium.find() is None
