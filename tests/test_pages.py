"""Pages: every link leads somewhere, README is one page, CLAIMS.md has every claim."""

import ast
import functools
import re
import shutil
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

import claims
import contract
import mistune
import nbformat
import notebook_files
import pytest
from nbconvert.filters.strings import add_anchor
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_files import LESSONS, ROOT, code_cells, notebook_paths, number, read
from prose_numbers import unprinted

import course

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CLAIMS.md")]
PAGES += [ROOT / "data" / "README.md", *sorted((ROOT / "notebooks").rglob("*.md"))]
PAGES += notebook_paths()

PROSE = mistune.create_markdown(renderer="ast", plugins=["table"])


def links(text):
    """All links and images of a Markdown text, as (words, address), code left out."""
    tokens = PROSE(text)
    for token in tokens:  # and for those inside, which are put at the end
        tokens += (inside := token.get("children", []))
        if token["type"] in ("link", "image"):
            words = "".join(child.get("raw", "") for child in inside)
            yield words, token["attrs"]["url"]


@functools.cache
def anchors(path):
    """The anchors of a notebook, as nbconvert makes them, or of a Markdown file."""
    headings = re.findall(r"<h\d>.*?</h\d>", mistune.create_markdown()(text_of(path)))
    if path.suffix == ".ipynb":
        return {ElementTree.fromstring(add_anchor(h)).get("id") for h in headings}
    # Lower case, without punctuation, hyphens for spaces: the rule of web hosts.
    words = ("".join(ElementTree.fromstring(h).itertext()).lower() for h in headings)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in words}


def text_of(page):
    """The Markdown of a page; of a notebook, that of its prose and its outputs."""
    if page.suffix != ".ipynb":
        return page.read_text(encoding="utf-8")
    notebook = read(page)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    shown = [output.get("data", {}).get("text/markdown", "") for output in outputs]
    return "\n\n".join([notebook_files.prose(notebook), *shown])


def broken(page, root):
    """The links of a page that lead nowhere; nothing is asked of the network."""
    problems = []
    for words, address in links(text_of(page)):
        if re.match(r"https?:", address):
            if not re.fullmatch(r"https://[\w.-]+\.\w+(/[\w.~%/#?=&@:+-]*)?", address):
                problems.append(f"{address} is no address")
            continue
        name, _, fragment = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        said = re.fullmatch(r"(\d\d[a-z]?) §(\d+)", words)
        if not target.is_relative_to(root) or not target.is_file():
            problems.append(f"{address}: there is no such file")
        elif fragment and unquote(fragment) not in map(unquote, anchors(target)):
            problems.append(f"{address}: there is no such heading")
        elif said and f"{number(target)} §{fragment.partition('.')[0]}" != words:
            problems.append(f"{address}: is not {words}")
    return problems


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    assert broken(page, ROOT) == []


def test_every_page_is_linked_from_another():
    linked = {ROOT / "README.md"}  # the front door
    for page in PAGES:
        for _, address in links(text_of(page)):
            linked.add((page.parent / address.partition("#")[0]).resolve())
    assert [name_of(page) for page in PAGES if page not in linked] == []


def test_broken_links_are_reported(tmp_path):
    (tmp_path / "there.md").write_text("# A heading, *here*\n")
    (tmp_path / "deep").mkdir()
    shown = new_output("display_data", {"text/markdown": "[d](#1.-Gone)"})
    code = new_code_cell("'[no](c.md)'", outputs=[shown])
    for name, title in (("03_a", "03 ·"), ("deep/03_a", "03b ·"), ("deep/04", "03b ·")):
        prose = f"# {title} A\n## 1. A part\n[a](#1.-A-part) [b](b.md)"
        notebook = new_notebook(cells=[new_markdown_cell(prose), code])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    assert number(tmp_path / "deep" / "04.ipynb") == "04?"
    page, part = tmp_path / "page.md", "03_a.ipynb#1.-A-part"
    page.write_text(
        "# Top\n[a](there.md) [b](there.md#a-heading-here) [c](#top) "
        f"[03 §1]({part}) [d](https://example.org/x) `[no](link)` "
        f"[03 §2]({part}) ![p](no.png) [e](there.md#gone) "
        "[f](#gone) [g](http:/example) [h](../outside.md) "
        f"[03b §1](deep/{part}) [03a §1](deep/{part}) [03 §1](deep/{part})\n"
    )
    bad = [*broken(page, tmp_path), *broken(tmp_path / "03_a.ipynb", tmp_path)]
    wanted = [part, "no.png", "there.md#gone", "#gone", "http", "../outside.md"]
    wanted += [f"deep/{part}"] * 2 + ["b.md", "#1.-Gone"]
    assert [problem.partition(":")[0] for problem in bad] == wanted


# README ------------------------------------------------------------------------------

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
    for cell in notebook_files.by_number(lesson).cells:
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
    lacking = [row for row in rows + deep if row not in TEXT.splitlines()]
    assert not lacking, "README.md lacks:\n" + "\n".join(lacking)
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
    commands = re.findall(r"\bcourse\.py\s+([a-z]+)", text)
    assert len(commands) >= 3 and set(commands) <= set(course.COMMANDS)
    for script in re.findall(r"\bpython3? ([\w/]+\.py)", text):
        assert (ROOT / script).is_file(), script
    # The same extras and the same set-up tool as `course.py` installs.
    download = r'pip download.* "\.\[(.+)\]" "(setuptools.+)"'
    ((extras, tool),) = re.findall(download, text)
    assert tool in (ROOT / "pyproject.toml").read_text("utf-8")
    assert extras in (ROOT / "tools" / "environment.py").read_text("utf-8")


# CLAIMS.md ----------------------------------------------------------------------------

PAGE = (ROOT / claims.PAGE).read_text(encoding="utf-8")
ROW = re.compile(
    r"\| (\d\d[a-z]?-\d+) \| (.+) \| (|null|harm|rival) "
    r"\| \[(?:.*?§(\d+).*|Checks)\]\(notebooks/(\S+\.ipynb)#(\S+) \"cell (\S+)\"\) \|"
)
READS_A_RECORD = re.compile(r"\brecorded(_folder|\.(run|networks|folder))|by_interp")
ROWS = [  # of the page's tables, each with the heading of its part
    (part.partition("\n")[0], *ROW.fullmatch(line).groups())
    for part in re.split(r"(?m)^## ", PAGE)[1:]
    for line in re.findall(r"(?m)^\| \d.*", part)
]


def called():
    """What a row should say of every call of `claim`, and the code of its cell."""
    section = ""
    for path in LESSONS:
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                section = [section, *re.findall(r"(?m)\A## (.+)", cell.source)][-1]
                continue
            for call in contract.calls(cell, "claim"):
                words = {w.arg: ast.literal_eval(w.value) for w in call.keywords}
                assert words.keys() <= {"kind", "by"}
                name, sentence = (ast.literal_eval(value) for value in call.args[:2])
                printed = "".join(map(contract.output_text, cell.outputs))
                assert f"✓ {name}  {sentence}\n" in printed + "\n"
                part = claims.RESTS_ON[words.get("by", "run")]
                file = path.relative_to(ROOT / "notebooks").as_posix()
                place = re.findall(r"\A\d+", section) or [None]
                place = place[0], file, section.replace(" ", "-")
                row = part, name, sentence, words.get("kind", ""), *place, cell.id
                yield name, (row, cell.source)


def test_every_claim_stands_on_the_page_once_as_its_call_says():
    made = dict(called())
    assert claims.repeated()[claims.PAGE].decode() == PAGE, "run `course.py refresh 00`"
    assert len(ROWS) == len(made) >= 150
    assert f"**{len(ROWS)} claims** in {len(LESSONS)} notebooks" in PAGE
    for part, name, sentence, *kind_place_file, anchor, cell in ROWS:
        sentence = sentence.replace("\\|", "|").replace("&lt;", "<")
        place = (*kind_place_file, unquote(anchor), cell)
        assert (part, name, sentence, *place) == made[name][0]
    setback = r"raises (the ECE|NLL|ECE - floor)|under 95 %|lowers accuracy"
    marked = [row[3] for row in ROWS if re.search(setback, row[2])]
    assert len(marked) >= 3 and set(marked) == {"harm"}
    # What rests on a record reads one, and what reads one rests on it.
    rest = {row[1] for row in ROWS if row[0] == "Re-read records"}
    reads = {name for name, (_, code) in made.items() if READS_A_RECORD.search(code)}
    assert len(reads) >= 3 and reads <= rest
    for path in LESSONS:
        if number(path) in {name.partition("-")[0] for name in rest}:
            code = "\n".join(cell.source for cell in contract.code_cells(read(path)))
            assert READS_A_RECORD.search(code), path.name


MISFITS = [
    ("✓ 00-2", "✗ 00-2", r"claims .*'00-2'.* and prints .*: run"),
    ("00-2", "00-1", "claims made twice: 00-1"),
    ("image/png", "image/x", "00_one_picture.ipynb stores no figure"),
]


@pytest.mark.parametrize(("old", "new", "words"), MISFITS)
def test_what_does_not_fit_is_an_error(tmp_path, old, new, words):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "README.md").touch()
    path = tmp_path / "notebooks" / LESSONS[0].name
    shutil.copy(LESSONS[0], path)
    assert claims.repeated(tmp_path).keys() == {claims.PAGE, claims.PICTURE}
    text = LESSONS[0].read_text(encoding="utf-8")
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        claims.repeated(tmp_path)
