"""Decks, without a browser: what is shown, what is said, how it is laid out."""

import os
import subprocess
import sys

import chromium
import command
import folding
import nbformat
import pytest
from command import Problem
from course_copy import CLOSED_PORT, ROOT, one_sentence, variables
from slides import blocks, layout, page

NOTEBOOKS = command.lectures(ROOT)


def markdown(source, kind="fragment"):
    slides = {"slideshow": {"slide_type": kind}}
    return nbformat.v4.new_markdown_cell(source, metadata=slides)


def code(source, output, *tags, kind="fragment"):
    metadata = {"slideshow": {"slide_type": kind}, "tags": list(tags)}
    outputs = [nbformat.v4.new_output("stream", text=output)]
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs)


def shown_and_said(*cells):
    heading = markdown("## 1. A section", "slide")
    (section,) = blocks.sections(nbformat.v4.new_notebook(cells=[heading, *cells]))
    said = [note for block in section.blocks for note in block.notes]
    return [(block.kind, block.text) for block in section.blocks], said


LONG = "\n".join(f"x{n} = {n}" for n in range(blocks.LINES_SHOWN + 1))
CHECKED = "x = f(1)\nclaim('01-1', 'x', x == 1)\nprint(x)"


SHOWN = [
    (code(CHECKED, "✓ 01-1  x\n1\n"), "x = f(1)\nprint(x)"),
    (code("show(figure, alt='what it shows')\nx = 1", "1"), ""),
    (code("x = 1\nclaim('1', 'a', x)\nclaim('2', 'b', x)", "1"), ""),
    (code(LONG, "1"), ""),
    (code(LONG, "1", "simple:losses.loss"), LONG),
    (code("x = 1", "1", "simple:losses.loss", "hide-input"), ""),
]


@pytest.mark.parametrize(("cell", "shown"), SHOWN)
def test_which_code_is_shown_beside_its_result(cell, shown):
    expected = [("code", shown)] if shown else []
    assert shown_and_said(cell)[0] == [*expected, ("text", "1")]


def test_prose_is_said_questions_and_results_are_shown():
    shown, said = shown_and_said(
        code("import torch", "device: cpu", kind="skip"),
        code("x = 1", "✓ 01-1  x is one\n", "checks"),
        code("lsr.guess('x', guess, 2)", "○ no guess yet: x is 2."),
        markdown("Some words.\n\n**Predict.** How many?\n\n- one\n- two"),
        code("print(2)", "2"),
        markdown("**What to see.** It is two, and no other than that. So there."),
        markdown("Last words."),
        code(LONG, "3"),
    )
    assert shown == [
        ("text", "x is 2."),  # covered in the notebook, here told
        ("prose", "**Predict.** How many?"),
        ("list", "- one\n- two"),
        ("code", "print(2)"),
        ("text", "2"),
        ("seen", "**What to see.** It is two, and no other than that."),
        ("lead", "Last words."),  # a result without its code is introduced
        ("text", "3"),
    ]
    assert said[0] == "Some words." and said[-1] == "Last words."
    assert any("So there." in words for words in said)


def test_fences_formulas_lists_and_tables_stay_whole():
    fence, formula, items = "```\na\n\nb\n```", "$$\na\n\nb\n$$", "- a\n  b\n- c"
    text = f"# A\n{fence}\nWords:\n{items}\n\n{formula}\n\nSo\n| x |\n"
    parts = ["# A", fence, "Words:", items, formula, "So", "| x |"]
    assert blocks.paragraphs(text) == parts


def laid_out(*heights, joined=None):
    made = [blocks.Block("text", n, height) for n, height in enumerate(heights)]
    for block in made:
        block.joined = block.text == joined
    slides = layout.deck([blocks.Section("A", made)])
    return [[block.text for block in slide.blocks] for slide in slides]


def test_no_deck_is_too_long_slides_are_even_and_what_is_joined_stays_together():
    many = laid_out(*[200] * 100)
    assert len(many) <= layout.MOST and sum(many, []) == [*range(100)]
    assert laid_out(*[140] * 5) == [[0, 1, 2], [3, 4]]
    assert laid_out(300, 450, 50) == [[0], [1, 2]]
    assert laid_out(300, 450, 50, joined=1) == [[0, 1], [2]]


def test_a_long_result_is_split_and_its_parts_are_even():
    lines = [str(n) for n in range(70)]
    parts = blocks.outputs_shown(code("", "\n".join(lines)))
    assert len(parts) == 3 and all(part.height < layout.ROOM for part in parts)
    assert "\n".join(part.text for part in parts).splitlines() == lines


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_every_notebook_makes_a_lecture_with_notes_and_all_its_figures(path):
    notebook = nbformat.read(path, as_version=4)
    slides = layout.deck(blocks.sections(notebook))
    assert 10 <= len(slides) <= layout.MOST
    figures = [b for slide in slides for b in slide.blocks if b.kind == "figure"]
    shown = [cell for cell in notebook.cells if not folding.has_covered_output(cell)]
    stored = str(shown).count("'image/png': 'iVBOR")
    assert len(figures) == stored and all('alt=""' not in b.text for b in figures)
    assert sum(bool(b.notes) for slide in slides for b in slide.blocks) > 3


def test_links_lead_to_decks_or_nowhere_and_a_result_comes_up_with_a_click():
    text = "[a](01_x.ipynb), [b](../data/README.md), [c](https://d.e)"
    leads = '<a href="01_x.html">a</a>, b, <a href="https://d.e">c</a>'
    assert leads in page.markdown(text, {"01_x"})
    made = [blocks.Block(kind, "x", 50) for kind in ("lead", "text", "text")]
    html = page.slide_html(layout.Slide("1. A < b", "", made), False, ())
    assert '<h2>1. A &lt; b</h2>\n<div class="lead"><p>x</p>' in html
    assert html.index('class="text">') < html.index('class="text fragment">')


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


@pytest.mark.skipif(os.name == "nt", reason="a script stands for the browser")
def test_a_browser_that_is_not_there_or_does_not_print(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    browser = tmp_path / "mine"
    monkeypatch.setenv("CHROMIUM", "mine")
    for script, words in {
        "echo w >&2; exit 1": ": w",
        "exit 0": "0 pages, not",
    }.items():
        browser.write_text(f"#!/bin/sh\n{script}\n")
        browser.chmod(0o755)
        with pytest.raises(Problem, match=words):
            chromium.print_pdf("about:blank", tmp_path / "a.pdf", 2)
        assert list(tmp_path.iterdir()) == [browser]
    monkeypatch.setenv("CHROMIUM", "")
    with pytest.raises(Problem, match="Chromium was not found"):
        chromium.print_pdf("about:blank", tmp_path / "a.pdf", 2)
    monkeypatch.delenv("CHROMIUM")
    browser.rename(tmp_path / "chromium")
    assert chromium.find() == str(tmp_path / "chromium")
