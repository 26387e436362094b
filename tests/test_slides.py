"""Decks, without a browser: what is shown, what is said, how it is laid out."""

import os
import subprocess
import sys

import nbformat
import pytest
from course_copy import CLOSED_PORT, ROOT, one_sentence, variables

sys.path.insert(0, str(ROOT / "tools"))

import chromium  # noqa: E402
import deck_blocks  # noqa: E402
import deck_html  # noqa: E402
import deck_pack  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def markdown(source, kind="fragment"):
    slides = {"slideshow": {"slide_type": kind}}
    return nbformat.v4.new_markdown_cell(source, metadata=slides)


def code(source, *outputs, kind="fragment", tags=(), **metadata):
    metadata = {"slideshow": {"slide_type": kind}, "tags": list(tags), **metadata}
    outputs = [nbformat.v4.new_output("stream", text=text) for text in outputs]
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs)


def blocks(*cells):
    """Blocks of a section with these cells, as (kind, text), and all that is said."""
    heading = markdown("## 1. A section", "slide")
    notebook = nbformat.v4.new_notebook(cells=[heading, *cells])
    (section,) = deck_blocks.sections(notebook)
    said = [note for block in section.blocks for note in block.notes]
    return [(block.kind, block.text) for block in section.blocks], said


def test_code_that_teaches_is_shown_without_its_checks():
    cell = code(
        "x = f(1)\nclaim('01-1', 'x is one', x == 1)\nlsr.guess('x', g, x)\nprint(x)",
        "No prediction yet: set guess above, then run this cell again.\n",
        "✓ 01-1  x is one\n1\n",
    )
    shown, _ = blocks(cell)
    assert shown == [
        ("code", "x = f(1)\nprint(x)"),
        ("claims", "x is one"),
        ("text", "1"),
    ]


LONG = "\n".join(f"x{n} = {n}" for n in range(deck_blocks.LINES_SHOWN + 1))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (code("x = 1", "1"), True),
        (code("show(figure, alt='what it shows')", "1"), False),
        (code("x = 1\nclaim('1', 'a', x)\nclaim('2', 'b', x)", "1"), False),
        (code("x = 1", "1", tags=["experiment"]), False),
        (code("x = 1", "1", tags=["hide-input"]), False),
        (code("x = 1", "1", jupyter={"source_hidden": True}), True),  # by a reader
        (code(LONG, "1"), False),
        (code(LONG, "1", tags=["simple:losses.loss"]), True),
        (code("x = 1", "1", tags=["simple:losses.loss", "hide-input"]), False),
        (code("x = 1", "1", tags=["experiment", "show-input"]), True),
        (code(LONG, "1", tags=["show-input"]), True),
    ],
)
def test_which_code_is_shown(cell, shown):
    kinds = [kind for kind, _ in blocks(cell)[0]]
    assert kinds == (["code", "text"] if shown else ["text"])


def test_what_is_covered_is_left_out():
    assert blocks(code("x = 1", "✓ 01-1  x is one\n", tags=["checks"])) == ([], [])


def test_set_up_is_left_out():
    assert blocks(code("import torch", "device: cpu", kind="skip")) == ([], [])


def test_prose_is_said_questions_and_results_are_shown():
    shown, said = blocks(
        markdown("Some words. More words.\n\n**Predict.** How many?\n\n- one\n- two"),
        code("print(2)", "2"),
        markdown(
            "**What to see.** It is two, and no other number than that. So there."
        ),
        markdown("Last words."),
    )
    assert [kind for kind, _ in shown] == [
        "prose",
        "item",
        "item",
        "code",
        "text",
        "seen",
    ]
    assert shown[0] == ("prose", "**Predict.** How many?")
    assert shown[-1][1] == "**What to see.** It is two, and no other number than that."
    assert said[0] == "Some words. More words." and said[-1] == "Last words."
    assert any("So there." in words for words in said)


def test_a_result_without_its_code_is_introduced():
    cells = (
        markdown("The means over all of the twenty seeds. And more."),
        code(LONG, "1"),
    )
    shown, _ = blocks(*cells)
    assert shown == [("lead", "The means over all of the twenty seeds."), ("text", "1")]


def sections_of(number, height):
    made = deck_blocks.Section("A")
    made.blocks = [deck_blocks.Block("text", f"{n}", height) for n in range(number)]
    return [made]


@pytest.mark.parametrize("number", [20, 60, 100])
def test_a_deck_is_no_longer_than_a_lecture(number):
    slides = deck_pack.deck(sections_of(number, 200))
    assert deck_pack.FEWEST <= len(slides) <= deck_pack.MOST
    order = [block.text for slide in slides for block in slide.blocks]
    assert order == [str(n) for n in range(number)]


def texts(slides):
    return [[block.text for block in slide.blocks] for slide in slides]


def test_a_lonely_line_joins_what_follows():
    made = sections_of(3, 500)
    made[0].blocks[0].height = 100
    assert texts(deck_pack.packed(made, 590)) == [["0", "1"], ["2"]]
    made[0].blocks[0].height = 300
    assert texts(deck_pack.packed(made, 590)) == [["0"], ["1"], ["2"]]


def test_a_short_list_is_not_divided():
    made = sections_of(6, 100)
    for block in made[0].blocks[3:]:
        block.kind, block.height = "item", 90
    assert texts(deck_pack.packed(made, 500)) == [["0", "1", "2"], ["3", "4", "5"]]
    for block in made[0].blocks[3:]:
        block.height = 150
    assert texts(deck_pack.packed(made, 500))[0] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("title", ["Exercises", "12. Exercises", "References"])
def test_what_is_read_at_home_takes_one_slide(title):
    long = sections_of(30, 100)
    long[0].title = title
    slides = deck_pack.packed(long, deck_pack.ROOM)
    assert len(slides) == 1 and len(deck_pack.packed(sections_of(30, 100), 590)) > 1
    shown = [block.text for block in slides[0].blocks]
    assert shown == [str(n) for n in range(len(shown))]
    assert len(shown) * 100 <= deck_pack.FULLNESS[-1] * deck_pack.ROOM
    assert slides[0].notes == [str(n) for n in range(len(shown), 30)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_a_notebook_may_grow_by_its_longest_section(path):
    made = deck_blocks.sections(nbformat.read(path, as_version=4))
    longest = max(made, key=lambda section: deck_pack.height(section.blocks))
    assert len(deck_pack.deck([*made, longest])) <= deck_pack.MOST


def test_a_long_table_is_split_and_each_part_has_the_head():
    rows = "\n".join(f"| {n} | b |" for n in range(50))
    block = deck_blocks.block("table", f"| x | y |\n|---|---|\n{rows}")
    parts = deck_pack.pieces(block, deck_pack.ROOM)
    assert len(parts) > 1
    assert all(part.text.startswith("| x | y |\n|---|---|\n") for part in parts)
    body = [line for part in parts for line in part.text.splitlines()[2:]]
    assert body == rows.splitlines()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_every_notebook_makes_a_lecture_with_notes_and_all_its_figures(path):
    notebook = nbformat.read(path, as_version=4)
    slides = deck_pack.deck(deck_blocks.sections(notebook))
    assert 15 <= len(slides) <= 40
    figures = [b for slide in slides for b in slide.blocks if b.kind == "figure"]
    stored = str(notebook).count("'image/png': 'iVBOR")
    assert len(figures) == stored and all(b.alt for b in figures)
    assert sum(len(slide.notes) for slide in slides) > 5


def test_links_lead_to_decks_or_nowhere():
    made = deck_html.markdown(
        "[a](01_x.ipynb), [b](../data/README.md), [c](https://d.e)", {"01_x"}
    )
    assert '<a href="01_x.html">a</a>, b, <a href="https://d.e">c</a>' in made


# -- the commands, where something is missing ---------------------------------------


def run(tool, folder, **more):
    command = [sys.executable, ROOT / "tools" / tool, "--to", folder]
    command += ["00"] if tool == "slides.py" else []
    env = variables(folder, LSR_DATA_HOME=str(folder / "cache"), **more)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("tool", ["slides.py", "website.py"])
def test_npm_out_of_reach_is_one_sentence(tool, tmp_path):
    result = run(tool, tmp_path, npm_config_registry=CLOSED_PORT)
    one_sentence(result, "could not be fetched", "npm_config_registry")


def test_without_chromium_decks_are_made_all_the_same(tmp_path):
    cache = {}
    if os.environ.get("LSR_DATA_HOME"):
        cache["LSR_DATA_HOME"] = os.environ["LSR_DATA_HOME"]
    result = run("slides.py", tmp_path, **cache)
    if "could not be fetched" in result.stderr:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if "Chromium" in line]
    assert len(said) == 1 and "without handouts" in said[0]
    assert (tmp_path / "00_start_here.html").is_file()
    assert not list(tmp_path.glob("*.pdf"))
    assert ".pdf" not in (tmp_path / "index.html").read_text("utf-8")


def test_no_such_notebook(tmp_path):
    command = [sys.executable, ROOT / "tools" / "slides.py", "99"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    one_sentence(result, "'99'", "00_start_here")


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
