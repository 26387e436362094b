"""CLAIMS.md holds every claim of the course once, by what it rests on, up to date."""

import ast
import collections
import json
import re
import shutil
import sys
import urllib.parse

import contract
import pytest
from notebook_files import ROOT, notebook_paths, read
from page_links import anchors, broken

sys.path.insert(0, str(ROOT / "tools"))
import claims  # noqa: E402
import figures  # noqa: E402
import refresh  # noqa: E402

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


@pytest.mark.parametrize("tool", [claims, figures], ids=["claims", "figures"])
def test_what_the_pages_repeat_is_up_to_date(tool):
    assert tool.update(write=False) == [], f"run `{tool.COMMAND}`"


def test_every_claim_stands_on_the_page_once(rows, calls):
    made = sorted(call.args[0].value for _, _, call in calls)
    assert sorted(row[0] for row in rows) == made
    assert len(made) >= 150


def test_a_claim_stands_under_what_it_rests_on_with_its_mark(parts, calls):
    wanted = {}
    for _, _, call in calls:
        words = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        assert words.keys() <= {"kind", "by"}
        heading, _ = claims.RESTS_ON[words.get("by", "run")]
        wanted[call.args[0].value] = heading, words.get("kind", "")
    found = {row[0]: (name, row[2]) for name, part in parts.items() for row in part}
    assert found == wanted


def test_the_counts_at_its_head_are_those_of_its_rows(parts, rows):
    assert f"**{len(rows)} claims** in {len(LESSONS)} notebooks" in PAGE
    for heading, _ in claims.RESTS_ON.values():
        assert f"- **{heading}** ({len(parts[heading])})." in PAGE
        assert len(parts[heading]) >= 30
    kinds = collections.Counter(row[2] for row in rows)
    assert kinds["null"] >= 10 and kinds["harm"] >= 10 and kinds["rival"] >= 2
    for kind in claims.KINDS:
        assert f"- *{kind}* ({kinds[kind]})" in PAGE


def test_in_each_part_claims_are_in_reading_order_by_notebook(parts):
    titles = [read(path).cells[0].source.splitlines()[0][2:] for path in LESSONS]
    for heading, _ in claims.RESTS_ON.values():
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
    found = 0
    for path in LESSONS:
        for cell in contract.code_cells(read(path)):
            if READS_A_RECORD.search(cell.source):
                made = {name for name, _ in contract.claims(cell)}
                assert made <= rest, made
                found += len(made)
    assert found >= 3


def test_sentences_are_those_that_the_linked_cells_print(rows):
    cells = {
        (path.name, cell.id): "".join(map(contract.output_text, cell.outputs))
        for path in LESSONS
        for cell in contract.code_cells(read(path))
    }
    for name, sentence, _, _, file, _, cell in rows:
        plain = sentence.replace("\\|", "|").replace("&lt;", "<")
        assert f"✓ {name}  {plain}\n" in cells[file, cell] + "\n"


def test_sentences_are_those_of_the_calls(rows, calls):
    written = {call.args[0].value: call.args[1].value for _, _, call in calls}
    for name, sentence, *_ in rows:
        assert sentence.replace("\\|", "|").replace("&lt;", "<") == written[name]


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


def edit(copy, old, new):
    path = copy / "notebooks" / LESSONS[0].name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_update_writes_once_and_only_when_asked(copy):
    assert claims.update(copy, write=False) == ["CLAIMS.md", "README.md"]
    assert not (copy / "CLAIMS.md").exists()
    assert claims.update(copy) == ["CLAIMS.md", "README.md"]
    assert claims.update(copy) == []
    link = "[00 §2](notebooks/00_start_here.ipynb#2.-The-idea-in-one-picture)"
    assert (copy / "README.md").read_text("utf-8") == f"See {link}.\n"
    assert "**3 claims** in 1 notebooks" in (copy / "CLAIMS.md").read_text("utf-8")


def test_a_claim_that_was_not_printed_is_an_error(copy):
    edit(copy, "✓ 00-2", "✗ 00-2")
    with pytest.raises(ValueError, match=r"claims \['00-2'\] and prints \[\]: run"):
        claims.read_claims(copy)


def test_a_claim_made_twice_is_an_error(copy):
    edit(copy, "00-2", "00-1")
    with pytest.raises(ValueError, match="claims made twice: 00-1"):
        claims.read_claims(copy)


def test_a_figure_that_changed_is_copied_and_one_that_is_not_there_an_error(copy):
    assert figures.update(copy, write=False) == ["notebooks/figures/one_picture.png"]
    with pytest.raises(ValueError, match="notebook 05 stores no figure 1"):
        figures.figure("05", 1, copy)
    with pytest.raises(ValueError, match="notebook 00 stores no figure 2"):
        figures.figure("00", 2, copy)
    png, alt = figures.figure("00", 1, copy)
    assert png.startswith(b"\x89PNG") and alt.startswith("Three panels")
    cells = json.loads((copy / "notebooks" / LESSONS[0].name).read_text("utf-8"))
    assert any("image/png" in str(cell.get("outputs")) for cell in cells["cells"])


def test_refresh_renews_the_pages(copy, monkeypatch, capsys):
    monkeypatch.setattr(refresh, "ROOT", copy)
    pages = ["CLAIMS.md", "README.md", "notebooks/figures/one_picture.png"]
    assert refresh.front_page(write=False) == pages
    assert refresh.front_page(write=True) == pages
    assert refresh.front_page(write=True) == []
    monkeypatch.setitem(figures.FIGURES, "none.png", ("05", 1))
    refresh.front_page(write=True)
    problems = capsys.readouterr().err
    assert "not renewed: notebook 05 stores no figure 1" in problems
