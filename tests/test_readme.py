"""README.md as the front door, one page; CONTRIBUTING.md as the rest of it."""

import re

import claims
import pytest
import yaml
from notebook_files import LESSONS, ROOT, by_number, read
from prose_numbers import unprinted
from test_links import links

import course

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MORE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DEEP = [path for path in LESSONS if path.parent.name == "deep"]
LECTURES = [path for path in LESSONS if path not in DEEP]
SECTIONS = ["Five findings", "Start", "The notebooks", "For whom"]
SECTIONS += ["How far to trust it", "Licence and citation"]
NEEDED = {
    *("notebooks/teaching/README.md", "notebooks/teaching/cheat_sheet.ipynb"),
    *("CLAIMS.md", "CONTRIBUTING.md#when-set-up-needs-help", "LICENSE"),
    *("CONTRIBUTING.md#to-change-something", "data/README.md", "CITATION.cff"),
}


def test_one_page_its_sections_and_what_a_reader_needs():
    assert re.findall(r"(?m)^## (.+)$", TEXT) == SECTIONS
    assert len(TEXT.splitlines()) <= 120 and len(TEXT.encode()) <= 9_216
    assert len(MORE.encode()) <= 12_000
    assert {address for _, address in links(TEXT)} >= NEEDED


def section(lesson, wanted):
    """The cells of a numbered section of a notebook."""
    cells, now = [], None
    for cell in by_number(lesson).cells:
        now = (re.findall(r"\A## (\d+)\.", cell.source) or [now])[0]
        cells += [cell] if now == wanted else []
    return cells


FINDINGS = re.findall(r"(?ms)^\d\. (.+?)(?=^\d\. |^## |\Z)", TEXT.split("## Five")[1])


@pytest.mark.parametrize("place", range(5))
def test_numbers_of_a_finding_stand_in_an_output_of_a_linked_section(place):
    finding = FINDINGS[place]
    places = re.findall(r"\[(\d\d[a-z]?) §(\d+)\]", finding)
    cells = [cell for place in places for cell in section(*place)]
    assert finding.startswith("**") and len(FINDINGS) == 5
    assert len(re.findall(r"\d", finding)) > 5 and unprinted(finding, cells) == []


def test_the_table_gives_every_notebook_with_its_question_and_minutes():
    rows, deep = [], []
    for path in LECTURES + DEEP:
        title, *rest = read(path).cells[0].source.splitlines()
        name = title.removeprefix("# ").replace(" · ", " ")
        question = next(line for line in rest if line.startswith("**")).strip("*")
        minutes = re.search(r"read (\d+)", "\n".join(rest))[1]
        link = f"[{name}]({path.relative_to(ROOT).as_posix()})"
        rows += [f"| {link} | {question} | {minutes} |"] if path in LECTURES else []
        deep += [f"- {link}: {question} ({minutes})"] if path in DEEP else []
    table = TEXT.split("| notebook | question | minutes to read |\n|---|---|---|\n")[1]
    below = table.split("\n\n")
    assert [below[0].splitlines(), below[2].splitlines()] == [rows, deep]


def test_the_picture_is_light_alone_and_described_as_in_its_notebook():
    _, alt = claims.picture()
    assert re.findall(r"!\[(.+?)\]\((.+?)\)", TEXT) == [(alt, claims.PICTURE)]
    picture = ROOT / claims.PICTURE
    assert picture.stat().st_size <= 150_000
    assert list(picture.parent.iterdir()) == [picture]
    below = TEXT.split(f"]({claims.PICTURE})")[1].split("\n\n")[1]
    assert re.search(r"\[Notebook 00\]\(\S+\), Figure 1\)", below)


def test_commands_in_the_text_name_what_exists():
    pages = (ROOT / "notebooks" / "teaching").rglob("*.md")
    text = TEXT + MORE + "".join(page.read_text(encoding="utf-8") for page in pages)
    lines = "\n".join(re.findall(r"(?s)```bash\n(.*?)```", text)).splitlines()
    text = re.sub(r"(?s)```.*?```", "", text).replace("\n", " ")
    short = re.findall(r"`course\.py\s+(\w+)", text)
    for line in [*lines, *re.findall(r"`([^`]+)`", text)]:
        found = re.match(r"(?:\w+=\S+ )*py(?:thon[\d.]*)? (\S+) (.*)", f"{line} ")
        script, arguments = found.groups() if found else ("-m", "")
        assert script == "-m" or (ROOT / script).is_file(), line
        short += arguments.split()[:1] if script == "course.py" else []
    assert len(short) >= 3 and set(short) <= set(course.COMMANDS)
    (download,) = (line for line in lines if "-m pip download" in line)
    # The same extras and the same set-up tool as `course.py` installs.
    environment = (ROOT / "tools" / "environment.py").read_text("utf-8")
    assert re.search(r'"\.\[(.+)\]"', download)[1] in environment
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r'"(setuptools[^"]+)"', download)[1] in project


def test_bibtex_says_what_the_citation_file_says():
    (block,) = re.findall(r"```bibtex\n@(.*?)```", TEXT, re.DOTALL)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    said = {citation[key] for key in ("type", "title", "version")}
    for words in {*map(str, said), citation["authors"][0]["name"]}:
        assert words in block
