"""The ledger in README.md holds every claim of the course once, and is up to date."""

import collections
import re
import shutil
import sys
import urllib.parse

import contract
import pytest
from notebook_files import ROOT, notebook_paths, read
from page_links import anchors

sys.path.insert(0, str(ROOT / "tools"))
import figures  # noqa: E402
import ledger  # noqa: E402
import refresh  # noqa: E402

LESSONS = [path for path in notebook_paths() if path.parent.name == "notebooks"]
ROW = re.compile(
    r"\| (\d\d-\d+) \| (.+) \| (|null|harm|rival) "
    r"\| \[(.+)\]\(notebooks/(\S+\.ipynb)#(\S+) \"cell (\S+)\"\) \|"
)


@pytest.fixture(scope="module")
def block():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split(ledger.BEGIN)[1].split(ledger.END)[0]


@pytest.fixture(scope="module")
def rows(block):
    """The rows of the tables, parsed: first the selection, then all."""
    shown, *folded = block.split("<details>")
    lines = [part.splitlines() for part in (shown, "".join(folded))]
    return [
        [ROW.fullmatch(line).groups() for line in part if re.match(r"\| \d", line)]
        for part in lines
    ]


@pytest.mark.parametrize("tool", [ledger, figures], ids=["ledger", "figures"])
def test_what_the_front_page_repeats_is_up_to_date(tool):
    assert tool.update(write=False) == [], f"run `{tool.COMMAND}`"


def test_every_claim_stands_in_the_ledger_once(rows):
    # The contract reads claims by another road, and holds them to the numbers 1, 2, …
    made = [
        name
        for path in LESSONS
        for cell in contract.code_cells(read(path))
        for name, _ in contract.claims(cell)
    ]
    assert [row[0] for row in rows[1]] == made
    assert len(made) >= 150


def test_sentences_are_those_that_the_linked_cells_print(rows):
    cells = {
        (path.name, cell.id): "".join(map(contract.output_text, cell.outputs))
        for path in LESSONS
        for cell in contract.code_cells(read(path))
    }
    for name, sentence, _, _, file, _, cell in [*rows[0], *rows[1]]:
        plain = sentence.replace("\\|", "|").replace("&lt;", "<")
        assert f"✓ {name}  {plain}\n" in cells[file, cell] + "\n"


def test_every_link_leads_to_the_section_of_its_cell(rows):
    found = {path.name: anchors(path) for path in LESSONS}
    sections = {}
    for path in LESSONS:
        for cell in read(path).cells:
            if cell.source.startswith("## ") and cell.cell_type == "markdown":
                section = cell.source.splitlines()[0][3:]
            elif cell.cell_type == "code" and any(contract.claims(cell)):
                sections[path.name, cell.id] = section
    for _, _, _, place, file, anchor, cell in [*rows[0], *rows[1]]:
        assert anchor in found[file]
        section = sections[file, cell]
        assert urllib.parse.unquote(anchor) == section.replace(" ", "-")
        assert re.search(r"§(\d+)", place)[1] == section.split(".")[0]


def test_the_selection_is_short_and_shows_what_did_not_work(rows):
    kinds = collections.Counter(row[2] for row in rows[0])
    assert [row[0] for row in rows[0]] == ledger.PICKED
    assert 20 <= len(rows[0]) <= 35
    assert kinds["null"] >= 4 and kinds["harm"] >= 4 and kinds["rival"] >= 2
    assert {row[0][:2] for row in rows[0]} == {path.name[:2] for path in LESSONS}


def test_flagged_claims_exist_and_have_one_flag():
    flagged = [*ledger.NULL, *ledger.HARM, *ledger.RIVAL]
    assert len(flagged) == len(set(flagged))
    assert set(flagged) <= {claim.id for claim in ledger.read_claims()}


NO_GAIN = (
    r"no difference|excluded|undecided|open$|nobody|no eps gains|points at every eps"
)
SETBACK = (
    r"raises the (ECE|NLL)|adds .* to the ECE|(goes|nats) away from|behind|masked class"
)


@pytest.mark.parametrize(
    ("pattern", "flagged"),
    [(NO_GAIN, ledger.NULL), (SETBACK, ledger.HARM)],
    ids=["null", "harm"],
)
def test_a_sentence_that_reads_like_a_setback_is_flagged(pattern, flagged):
    found = {c.id for c in ledger.read_claims() if re.search(pattern, c.sentence)}
    assert len(found) >= 5
    assert found <= set(flagged)


def test_headings_of_sections_without_code_and_finer_ones():
    text = "## 1. One\nwords\n```\n## no\n```\n### Bug 1. No\n## 2. Two "
    assert ledger.headings(text) == ["1. One", "2. Two"]


# What would go wrong -----------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    """README.md with notebook 00 alone."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(LESSONS[0], tmp_path / "notebooks")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def edit(copy, old, new):
    path = copy / "notebooks" / LESSONS[0].name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_update_writes_once_and_only_when_asked(copy):
    before = (copy / "README.md").read_bytes()
    assert ledger.update(copy, write=False) == ["README.md"]
    assert (copy / "README.md").read_bytes() == before
    assert ledger.update(copy) == ["README.md"]
    assert ledger.update(copy) == []
    assert "**3 claims** in 1 notebooks" in (copy / "README.md").read_text("utf-8")


def test_a_claim_that_was_not_printed_is_an_error(copy):
    edit(copy, "✓ 00-2", "✗ 00-2")
    with pytest.raises(ValueError, match=r"claims \['00-2'\] and prints \[\]: run"):
        ledger.read_claims(copy)


def test_a_claim_made_twice_is_an_error(copy):
    edit(copy, "00-2", "00-1")
    with pytest.raises(ValueError, match="claims made twice: 00-1"):
        ledger.read_claims(copy)


def test_a_readme_without_the_place_is_an_error(copy):
    (copy / "README.md").write_text("# Nothing\n")
    with pytest.raises(ValueError, match="must hold <!-- ledger:begin -->"):
        ledger.update(copy)


def test_refresh_renews_the_front_page(copy, monkeypatch, capsys):
    monkeypatch.setattr(refresh, "ROOT", copy)
    assert refresh.front_page(write=False) == ["README.md"]
    assert refresh.front_page(write=True) == ["README.md"]
    assert refresh.front_page(write=True) == []
    problems = capsys.readouterr().err
    assert "left as it was: notebook 05 stores no figure 1" in problems
