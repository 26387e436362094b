"""README.md as the front door, one page; CONTRIBUTING.md as the rest of it."""

import re

import claims
import pytest
import yaml
from notebook_files import ROOT, notebook_paths, read
from prose_numbers import unprinted
from test_links import links

import course

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MORE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LESSONS = [path for path in notebook_paths() if path.parent.name == "notebooks"]
SECTIONS = [
    *("Five findings", "Start", "The notebooks", "For whom"),
    *("How far to trust it", "Licence and citation"),
]
NEEDED = {
    *("notebooks/teaching/README.md", "notebooks/teaching/cheat_sheet.ipynb"),
    *("CLAIMS.md", "CONTRIBUTING.md#when-set-up-needs-help", "LICENSE"),
    *("CONTRIBUTING.md#to-change-something", "data/README.md", "CITATION.cff"),
}


def test_one_page_its_sections_and_what_a_reader_needs():
    assert re.findall(r"(?m)^## (.+)$", TEXT) == SECTIONS
    assert len(TEXT.splitlines()) <= 120 and len(TEXT.encode()) <= 9_000
    assert len(MORE.encode()) <= 12_000
    assert {address for _, address in links(TEXT)} >= NEEDED


def section(number, wanted):
    """The cells of a numbered section of a notebook."""
    (path,) = (path for path in LESSONS if path.name.startswith(number))
    cells, now = [], None
    for cell in read(path).cells:
        now = (re.findall(r"\A## (\d+)\.", cell.source) or [now])[0]
        cells += [cell] if now == wanted else []
    return cells


FINDINGS = re.findall(r"(?ms)^\d\. (.+?)(?=^\d\. |^## |\Z)", TEXT.split("## Five")[1])


@pytest.mark.parametrize("number", range(5))
def test_numbers_of_a_finding_stand_in_an_output_of_a_linked_section(number):
    finding = FINDINGS[number]
    places = re.findall(r"\[(\d\d) §(\d+)\]", finding)
    cells = [cell for place in places for cell in section(*place)]
    assert finding.startswith("**") and len(FINDINGS) == 5
    assert len(re.findall(r"\d", finding)) > 5 and unprinted(finding, cells) == []


def test_the_table_gives_every_notebook_with_its_question_and_minutes():
    rows = []
    for path in LESSONS:
        title, *rest = read(path).cells[0].source.splitlines()
        name = title.removeprefix("# ").replace(" · ", " ")
        question = next(line for line in rest if line.startswith("**")).strip("*")
        minutes = re.search(r"read (\d+), run", "\n".join(rest))[1]
        rows.append(f"| [{name}](notebooks/{path.name}) | {question} | {minutes} |")
    table = TEXT.split("| notebook | question | minutes to read |\n|---|---|---|\n")[1]
    assert table.split("\n\n")[0].splitlines() == rows


def test_the_picture_is_light_alone_and_described_as_in_its_notebook():
    _, alt = claims.picture()
    assert re.findall(r"!\[(.+?)\]\((.+?)\)", TEXT) == [(alt, claims.PICTURE)]
    picture = ROOT / claims.PICTURE
    assert picture.stat().st_size <= 150_000
    assert list(picture.parent.iterdir()) == [picture]
    below = TEXT.split(f"]({claims.PICTURE})")[1].split("\n\n")[1]
    assert re.search(r"\[Notebook 00\]\(\S+\), Figure 1\)", below)


def test_commands_in_the_text_name_what_exists():
    text = (TEXT + MORE).replace("\n", " ")
    short = re.findall(r"`course\.py\s+(\w+)", text)
    for command in re.findall(r"`((?:py|python3?(?:\.\d+)?) [^`]+)`", text):
        _, script, *arguments = command.split()
        assert (ROOT / script).is_file(), command
        short += arguments[:1] if script == "course.py" else []
    assert len(short) >= 3 and set(short) <= set(course.COMMANDS)


def test_bibtex_says_what_the_citation_file_says():
    (block,) = re.findall(r"```bibtex\n@(.*?)```", TEXT, re.DOTALL)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    said = {citation[key] for key in ("type", "title", "version")}
    for words in {*map(str, said), citation["authors"][0]["name"]}:
        assert words in block
