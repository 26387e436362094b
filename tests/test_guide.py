"""The pages for teaching: minutes add up, claims exist, what they say can be found."""

import re
import sys

import contract
import pytest
from notebook_files import ROOT, notebook_paths, read

import course

sys.path.insert(0, str(ROOT / "tools"))
import claims  # noqa: E402

TEACHING = ROOT / "notebooks" / "teaching"
PAGES = sorted(TEACHING.rglob("*.md"))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
LESSONS = [path for path in notebook_paths() if path.parent.name == "notebooks"]
NUMBERS = [path.name[:2] for path in LESSONS]
SECTION = re.compile(r"\[(\d\d) §(\d+)\]\(([^)]+)\)")
CLAIM = re.compile(r"(?<![\w/.-])\d\d-\d{1,2}(?![\w-])")


def part(heading):
    """The text under a heading, down to the next one of its level or above."""
    assert f"\n{heading}\n" in TEXT, f"notebooks/teaching needs {heading!r}"
    level = heading.index(" ")
    below = TEXT.split(f"\n{heading}\n")[1]
    return re.split(rf"(?m)^#{{1,{level}}} ", below)[0]


def rows(text):
    """The body of every table of a text, as lists of cells."""
    lines = [
        line.strip("|").split(" | ") for line in text.splitlines() if line[:1] == "|"
    ]
    heads = {number for number, line in enumerate(lines) if line[0].startswith("---")}
    heads |= {number - 1 for number in heads}
    return [
        [cell.strip() for cell in line]
        for number, line in enumerate(lines)
        if number not in heads
    ]


def test_pages_are_short_and_lead_to_many_sections():
    assert max(len(page.read_bytes()) for page in PAGES) < 20_000
    assert len(SECTION.findall(TEXT)) > 100


def test_every_lecture_has_its_row_and_the_minutes_of_its_card():
    table = rows(part("## The lectures"))
    for path in LESSONS:
        hint = f"notebook {path.name[:2]} needs its row in plans.md, linked"
        assert sum(f"]({'../' + path.name})" in row[0] for row in table) == 1, hint
        (row,) = (row for row in table if f"]({'../' + path.name})" in row[0])
        card = re.search(r"read (\d+), run", read(path).cells[0].source)
        assert row[1] == card[1]
        assert len(row) == 6 and all(row)


PLANS = {
    "### 45 minutes": 45,
    "### 90 minutes": 90,
    "#### Lecture 1: the target and its loss": 90,
    "#### Lecture 2: training": 90,
    "#### Lecture 3: uncertain labels, and the representation": 90,
    "#### Lecture 4: confidence, and the cost of the loss": 90,
}


@pytest.mark.parametrize("heading", PLANS)
def test_minutes_of_a_plan_add_up(heading):
    table = rows(part(heading))
    assert sum(int(minutes) for _, minutes, _ in table) == PLANS[heading]
    places = [SECTION.fullmatch(place).group(1, 2) for place, _, _ in table]
    assert len(places) == len(set(places)) >= 10
    assert all(words for _, _, words in table)


def test_four_lectures_show_no_section_twice_and_every_notebook():
    table = [row for heading in list(PLANS)[2:] for row in rows(part(heading))]
    places = [SECTION.fullmatch(place).group(1, 2) for place, _, _ in table]
    assert len(places) == len(set(places))
    assert {number for number, _ in places} >= set(NUMBERS) - {"07"}


def claims_and_sections():
    sections = {
        claim.id: (claim.path.name[:2], claim.section.partition(".")[0])
        for claim in claims.read_claims()
    }
    for line in TEXT.splitlines():
        linked = {(number, section) for number, section, _ in SECTION.findall(line)}
        for claim in CLAIM.findall(SECTION.sub("", line)):
            yield claim, linked, sections


def test_claims_stand_beside_a_link_to_the_section_that_makes_them():
    found = list(claims_and_sections())
    for claim, linked, sections in found:
        if claim == "01-2" and not linked:
            continue  # the example in an introduction
        assert claim in sections, claim
        assert sections[claim] in linked, claim
    assert len({claim for claim, _, _ in found}) > 60


def test_misconceptions_are_answered_by_a_cell():
    table = rows(part("## What is often misunderstood"))
    assert len(table) >= 12
    for heard, answer, where in table:
        assert heard.startswith("“") or heard.startswith('"')
        assert answer and SECTION.search(where) and CLAIM.search(where), heard


@pytest.mark.parametrize("path", LESSONS, ids=NUMBERS)
def test_three_questions_for_each_notebook_answered_in_it(path):
    title = read(path).cells[0].source.splitlines()[0].removeprefix("# ")
    table = rows(part(f"### {title.replace(' · ', ' ')}"))
    assert len(table) == 3
    for question, answer, where in table:
        assert question.endswith("?") and answer.endswith(".")
        assert {found[0] for found in SECTION.findall(where)} == {path.name[:2]}


def source(number, section):
    """All prose and code of a section."""
    (path,) = (path for path in LESSONS if path.name[:2] == number)
    text = "\n".join(cell.source for cell in read(path).cells)
    return re.split(r"(?m)^## ", text.split(f"\n## {section}. ")[1])[0]


def test_sections_said_to_read_a_record_do():
    (line,) = re.findall(r"(?m)^- \*\*Long trainings\*\*.*", TEXT)
    named = SECTION.findall(line)
    assert len(named) >= 8
    for number, section, _ in named:
        reads = r"\brecorded(_folder|\.\w+)?[(\[]"
        assert re.search(reads, source(number, section)), section


def test_sections_said_to_have_sliders_do():
    (line,) = re.findall(r"(?m)^- \*\*Sliders\*\*.*", TEXT)
    named = {(number, section) for number, section, _ in SECTION.findall(line)}
    there, section = set(), ""
    for path in LESSONS:
        for cell in read(path).cells:
            section = (re.findall(r"\A## (\d+)\.", cell.source) or [section])[0]
            outputs = map(contract.output_text, cell.get("outputs", []))
            if any("sliders: " in output for output in outputs):
                there.add((path.name[:2], section))
    assert named == there


def test_no_empty_promises():
    assert "]()" not in TEXT
    for word in ("TODO", "TBD", "to be filled"):
        assert word not in TEXT


COMMANDS = re.findall(r"`(?:\w+=\S+ )*(python\S* [^`]+)`", TEXT)
COMMANDS += [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
             for line in block.splitlines()]  # fmt: skip


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_commands_name_what_exists(command):
    if "course.py" in command:
        assert command.split("course.py ")[1].split()[0] in course.COMMANDS
    elif "-m pip download" in command:
        # The same extras and the same set-up tool as `course.py` installs.
        environment = (ROOT / "tools" / "environment.py").read_text("utf-8")
        assert re.search(r'"\.\[(.+)\]"', command)[1] in environment
        project = (ROOT / "pyproject.toml").read_text("utf-8")
        assert re.search(r'"(setuptools[^"]+)"', command)[1] in project
    else:
        assert (ROOT / re.fullmatch(r"python3? (\S+\.py).*", command)[1]).is_file()


# What the pages say of the price -----------------------------------------------------


def numbers(number, cell_id, columns):
    """Columns of a printed table of a notebook, counted in numbers of a row."""
    (path,) = (path for path in LESSONS if path.name.startswith(number))
    (cell,) = (cell for cell in read(path).cells if cell.id == cell_id)
    text = "\n".join(map(contract.output_text, cell.outputs))
    found = [re.findall(r"(?<![\w.])-?\d+\.\d+", line) for line in text.splitlines()]
    found = [[float(n) for n in row] for row in found]
    return [[row[c] for c in columns] for row in found if len(row) > max(columns)]


def test_the_price_is_the_least_in_the_tables_of_06_and_07():
    """By ε(acc − 1/K) or more the confidence fell, in every comparison."""
    falls = []  # pairs: the law, and what was seen, as shares
    for cell in ("nb06-s05-09", "nb06-s06-01"):  # ε, law, conf − acc; in points
        hard = None
        for eps, law, seen in numbers("06", cell, (0, 1, 2)):
            hard = seen if eps == 0 else hard
            falls += [(-law / 100, (hard - seen) / 100)] if eps else []
    tables = [("06", "nb06-s12-01", (0, 2, 7)), ("07", "nb07-s04-07", (0, 1, 5))]
    for number, cell, columns in [*tables, ("07", "nb07-s09-03", (0, 1, 5))]:
        for eps, accuracy, over in numbers(number, cell, columns):
            hard = over if eps == 0 else hard
            falls += [(eps * (accuracy - 1 / 6), hard - over)] if eps else []
    assert len(falls) > 30
    assert all(seen > law for law, seen in falls)


# The tools behind it ------------------------------------------------------------------


def test_relink_follows_a_heading_and_refuses_a_section_that_is_not_there():
    found = {("01", "2"): ("01_a.ipynb", "2. New, and better?")}
    text = "see [01 §2](01_a.ipynb#2.-Old) and [01](01_a.ipynb)"
    new = "see [01 §2](01_a.ipynb#2.-New,-and-better?) and [01](01_a.ipynb)"
    assert claims.relink(text, found) == new
    assert claims.relink("[01 §2]()", found, "../").endswith(
        "](../01_a.ipynb#2.-New,-and-better?)"
    )
    with pytest.raises(ValueError, match="there is no section 3 in 01"):
        claims.relink("[01 §3]()", found)


def test_sections_named_in_the_table_of_lectures_fit_the_halves():
    table = {
        row[0][1:3]: row[2] for row in rows(part("## The lectures")) if row[0][0] == "["
    }
    for number in ("03", "04", "05", "06"):
        last = max(
            int(cell.source.split(".")[0][3:])
            for cell in contract.prose_cells(read(LESSONS[NUMBERS.index(number)]))
            if re.match(r"## \d+\. ", cell.source)
        )
        named = [int(n) for n in re.findall(r"(?<!§)\b\d+\b", table[number])]
        assert max(named) <= last
