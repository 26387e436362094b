"""README.md as the front door: its links, commands, map, figures and citation."""

import re
import sys

import pytest
import yaml
from notebook_files import ROOT, notebook_paths, read
from page_links import broken, links

sys.path.insert(0, str(ROOT / "tools"))
import figures  # noqa: E402

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
LESSONS = [path for path in notebook_paths() if path.parent.name == "notebooks"]
# Of these the tests of set-up and packaging speak, and other pages link to them.
SECTIONS = [
    *("What you will see", "Start", "What is here", "To teach with it"),
    *("What came out", "Other commands", "When something goes wrong"),
    *("To contribute", "Licence and citation"),
]


def test_sections_in_their_order_and_short():
    assert re.findall(r"(?m)^## (.+)$", TEXT) == SECTIONS
    assert len(TEXT.splitlines()) <= 250


@pytest.mark.parametrize("name", ["README.md", "data/README.md"])
def test_links_lead_somewhere(name):
    assert broken(ROOT / name, ROOT) == []


def test_the_pages_that_a_reader_needs_are_linked():
    found = {address for _, address in links(TEXT)}
    assert found >= {"CLAIMS.md", "notebooks/README.md", "data/README.md"}
    assert found >= {"LICENSE", "CITATION.cff"}
    assert "notebooks/handout/cheat_sheet.ipynb" in found and "#what-came-out" in found


def test_the_map_gives_every_notebook_with_its_question():
    for path in LESSONS:
        title, *rest = read(path).cells[0].source.splitlines()
        name = title.removeprefix("# ").replace(" · ", " ")
        question = next(line for line in rest if line.startswith("**")).strip("*")
        assert f"| [{name}](notebooks/{path.name}) | {question} |\n" in TEXT


def test_every_folder_is_on_the_map():
    (table,) = re.findall(r"\| folder \| holds \|\n\|---\|---\|\n((?:\|.*\n)+)", TEXT)
    listed = set(re.findall(r"(?m)^\| `(\w+)/` \|", table))
    assert listed >= {"notebooks", "lsr_utils", "data", "tests", "tools"}
    assert all((ROOT / name).is_dir() for name in listed)
    for name in re.findall(r"`(\w+\.py)`", table):
        assert (ROOT / name).is_file() or (ROOT / "tools" / name).is_file()


INLINE = set(
    re.findall(r"`((?:py|python3?(?:\.\d+)?) [^`]+)`", TEXT.replace("\n", " "))
)


@pytest.mark.parametrize("command", sorted(INLINE))
def test_commands_in_the_text_name_what_exists(command):
    _, script, *arguments = command.split()
    assert (ROOT / script).is_file()
    if script == "course.py":
        code = (ROOT / script).read_text(encoding="utf-8")
        (listed,) = re.findall(r"^COMMANDS = \((.*)\)$", code, re.MULTILINE)
        assert arguments[0] in re.findall(r'"(\w+)"', listed)


def test_short_forms_name_commands_too():
    code = (ROOT / "course.py").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^COMMANDS = \((.*)\)$", code, re.MULTILINE)
    short = re.findall(r"`course\.py\s+(\w+)", TEXT)
    assert len(short) >= 3 and set(short) <= set(re.findall(r'"(\w+)"', listed))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_are_light_and_described_as_in_their_notebook(name):
    number, which = figures.FIGURES[name]
    _, alt = figures.figure(number, which)
    path = (figures.FOLDER / name).as_posix()
    assert f"![{alt}]({path})" in TEXT
    assert (ROOT / path).stat().st_size <= 150_000
    below = TEXT.split(f"]({path})")[1].split("\n\n")[1]
    assert re.search(rf"\[Notebook {number}\]\(\S+\), Figure {which}\)", below)


def test_no_picture_is_left_over():
    there = {path.name for path in (ROOT / figures.FOLDER).iterdir()}
    assert there == set(figures.FIGURES)


def test_bibtex_says_what_the_citation_file_says():
    (block,) = re.findall(r"```bibtex\n(.*?)```", TEXT, re.DOTALL)
    fields = dict(re.findall(r"(\w+)\s*= \{+(.+?)\}+,\n", block))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (author,) = citation["authors"]
    assert re.match(r"@(\w+)\{", block)[1] == citation["type"]
    assert fields == {
        "title": citation["title"],
        "author": author["name"],
        "version": str(citation["version"]),
    }
