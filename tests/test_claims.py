"""CLAIMS.md holds every claim of the course once, by what it rests on, up to date."""

import ast
import collections
import re
import shutil
import urllib.parse

import claims
import contract
import pytest
from notebook_files import ROOT, notebook_paths, read
from page_links import anchors, broken

LESSONS = [path for path in notebook_paths() if path.parent.name == "notebooks"]
PAGE = (ROOT / claims.PAGE).read_text(encoding="utf-8")
ROW = re.compile(
    r"\| (\d\d-\d+) \| (.+) \| (|null|harm|rival) "
    r"\| \[(.+)\]\(notebooks/(\S+\.ipynb)#(\S+) \"cell (\S+)\"\) \|"
)


@pytest.fixture(scope="module")
def parts():
    """The rows of the page's tables, parsed, by the heading of their part."""
    texts = re.split(r"(?m)^## (.+)$", PAGE)[1:]
    return {
        heading: [
            ROW.fullmatch(line).groups()
            for line in text.splitlines()
            if re.match(r"\| \d", line)
        ]
        for heading, text in zip(texts[::2], texts[1::2], strict=True)
    }


@pytest.fixture(scope="module")
def rows(parts):
    return [row for part in parts.values() for row in part]


@pytest.fixture(scope="module")
def calls():
    """Every call of `claim`, found by the contract's road: (path, cell, call)."""
    return [
        (path, cell, call)
        for path in LESSONS
        for cell in contract.code_cells(read(path))
        for call in contract.calls(cell, "claim")
    ]


def test_what_the_pages_repeat_is_up_to_date():
    assert claims.update(write=False) == [], "run `python tools/claims.py`"


def test_every_claim_stands_on_the_page_once(rows, calls):
    made = sorted(call.args[0].value for _, _, call in calls)
    assert sorted(row[0] for row in rows) == made
    assert len(made) >= 150


def test_a_claim_stands_under_what_it_rests_on_with_its_mark(parts, calls):
    wanted = {}
    for _, _, call in calls:
        words = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        assert words.keys() <= {"kind", "by"}
        heading = claims.RESTS_ON[words.get("by", "run")]
        wanted[call.args[0].value] = heading, words.get("kind", "")
    found = {row[0]: (name, row[2]) for name, part in parts.items() for row in part}
    assert found == wanted


def test_the_counts_at_its_head_are_those_of_its_rows(parts, rows):
    assert f"**{len(rows)} claims** in {len(LESSONS)} notebooks" in PAGE
    for heading in claims.RESTS_ON.values():
        assert f"- **{heading}** ({len(parts[heading])})." in PAGE
        assert len(parts[heading]) >= 30
    kinds = collections.Counter(row[2] for row in rows)
    assert kinds["null"] >= 10 and kinds["harm"] >= 10 and kinds["rival"] >= 2
    for kind in ("null", "harm", "rival"):
        assert f"- *{kind}* ({kinds[kind]})" in PAGE


def test_in_each_part_claims_are_in_reading_order_by_notebook(parts):
    titles = [read(path).cells[0].source.splitlines()[0][2:] for path in LESSONS]
    for heading in claims.RESTS_ON.values():
        names = [tuple(map(int, row[0].split("-"))) for row in parts[heading]]
        assert names == sorted(names)
    for title in titles:
        assert f"\n### {title.replace(' · ', ' ')}\n" in PAGE


READS_A_RECORD = re.compile(
    r"\brecorded(?:_folder|\.run|\.networks|\.folder)|by_interpreter\("
)


def test_a_notebook_without_a_record_claims_nothing_by_one(parts):
    records = {row[0][:2] for row in parts["Re-read records"]}
    for path in LESSONS:
        source = "\n".join(cell.source for cell in contract.code_cells(read(path)))
        if path.name[:2] in records:
            assert READS_A_RECORD.search(source), path.name


def test_claims_of_cells_that_read_a_record_rest_on_it(parts):
    rest = {row[0] for row in parts["Re-read records"]}
    made = {
        name
        for path in LESSONS
        for cell in contract.code_cells(read(path))
        if READS_A_RECORD.search(cell.source)
        for name, _ in contract.claims(cell)
    }
    assert len(made) >= 3 and made <= rest


def test_sentences_are_those_of_the_calls_and_printed_by_the_linked_cells(rows, calls):
    written = {call.args[0].value: call.args[1].value for _, _, call in calls}
    cells = {
        (path.name, cell.id): "".join(map(contract.output_text, cell.outputs))
        for path in LESSONS
        for cell in contract.code_cells(read(path))
    }
    for name, sentence, _, _, file, _, cell in rows:
        plain = sentence.replace("\\|", "|").replace("&lt;", "<")
        assert f"✓ {name}  {plain}\n" in cells[file, cell] + "\n"
        assert plain == written[name]


def test_every_link_leads_to_the_section_of_its_cell(rows):
    found = {path.name: anchors(path) for path in LESSONS}
    sections = {}
    for path in LESSONS:
        for cell in read(path).cells:
            if cell.source.startswith("## ") and cell.cell_type == "markdown":
                section = cell.source.splitlines()[0][3:]
            elif cell.cell_type == "code" and any(contract.claims(cell)):
                sections[path.name, cell.id] = section
    for _, _, _, place, file, anchor, cell in rows:
        assert anchor in found[file]
        section = sections[file, cell]
        assert urllib.parse.unquote(anchor) == section.replace(" ", "-")
        assert re.search(r"§(\d+)", place)[1] == section.split(".")[0]
    assert broken(ROOT / claims.PAGE, ROOT) == []


NO_GAIN = r"undecided|points open|is seen to move"
SETBACK = r"raises (the ECE|NLL|ECE - floor)|under 95 %|lowers accuracy|masked class"


@pytest.mark.parametrize(
    ("pattern", "kind"), [(NO_GAIN, "null"), (SETBACK, "harm")], ids=["null", "harm"]
)
def test_a_sentence_that_reads_like_a_setback_is_marked(pattern, kind, rows):
    found = [row for row in rows if re.search(pattern, row[1])]
    assert len(found) >= 5
    assert {row[2] for row in found} == {kind}


def test_headings_of_sections_without_code_and_finer_ones():
    text = "## 1. One\nwords\n```\n## no\n```\n### Bug 1. No\n## 2. Two "
    assert claims.headings(text) == ["1. One", "2. Two"]


# What would go wrong -----------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    """README.md with notebook 00 alone."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(LESSONS[0], tmp_path / "notebooks")
    (tmp_path / "README.md").write_text("See [00 §2](old.ipynb).\n", encoding="utf-8")
    return tmp_path


def test_update_writes_once_and_only_when_asked(copy):
    files = ["CLAIMS.md", "README.md", *claims.FIGURES]
    assert claims.update(copy, write=False) == files
    assert not (copy / "CLAIMS.md").exists()
    assert claims.update(copy) == files
    assert claims.update(copy) == []
    link = "[00 §2](notebooks/00_start_here.ipynb#2.-The-idea-in-one-picture)"
    assert (copy / "README.md").read_text("utf-8") == f"See {link}.\n"
    assert "**3 claims** in 1 notebooks" in (copy / "CLAIMS.md").read_text("utf-8")
    (name,) = claims.FIGURES
    assert (copy / name).read_bytes() == (ROOT / name).read_bytes()
    (copy / name).write_bytes(b"another")
    assert claims.update(copy) == [name]
    assert claims.figure("00", 1, copy)[1].startswith("Three panels")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("✓ 00-2", "✗ 00-2", r"claims \['00-2'\] and prints \[\]: run"),
        ("00-2", "00-1", "claims made twice: 00-1"),
        ("## 2. ", "## 3. ", r"\[00 §2\].*: there is no section 2 in 00"),
        ("image/png", "image/x", "notebook 00 stores no figure 1"),
    ],
)
def test_what_does_not_fit_is_an_error_and_nothing_is_written(copy, old, new, words):
    path = copy / "notebooks" / LESSONS[0].name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        claims.update(copy)
    assert not (copy / "CLAIMS.md").exists()
