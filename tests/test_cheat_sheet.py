"""The cheat sheet: one page without code; its numbers and claims are the course's."""

import math
import re

import cheat_sheet
import chromium
import claims
import contract
import printing
import pytest
from notebook_files import read
from prose_numbers import missing_numbers

SHEET = read(cheat_sheet.NOTEBOOK)


@pytest.fixture(scope="module")
def page():
    return cheat_sheet.page(SHEET)


@pytest.fixture(scope="module")
def rows(page):
    """The cells of every row of the page's tables, by the row's first cell."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        found.setdefault(re.sub(r"<.*?>", "", cells[0]), []).append(cells[1:])
    return found


def test_notebook_keeps_what_of_the_contract_is_not_anatomy():
    problems = [*contract._format(SHEET), *contract._execution(SHEET)]
    assert [*problems, *contract._cells(SHEET)] == []
    assert missing_numbers(SHEET) == []


def plain(cell):
    return float(re.sub(r"<.*?>", "", cell))


def entropy(*masses):
    return -sum(mass * math.log(mass) for mass in masses)


def test_the_two_conventions(rows):
    a, b = (0.9 + 0.1 / 6, 0.1 / 6), (0.9, 0.02)
    expected = {
        "true class": (a[0], b[0]),
        "each other": (a[1], b[1]),
        "floor": (entropy(a[0], *[a[1]] * 5), entropy(b[0], *[b[1]] * 5)),
        "gap": (math.log(55), math.log(45)),
    }
    for name, numbers in expected.items():
        printed = plain(rows[name][0][1]), plain(rows[name][0][3])
        assert printed == pytest.approx(numbers, abs=5e-5), name


def test_other_values_of_eps_and_k(rows):
    asked = [(0.05, 6), (0.1, 6), (0.2, 6), (0.4, 6), *((0.1, k) for k in (2, 10))]
    asked += [(0.1, 100), (0.1, 1000)]
    heads = [f"ε = {e:g}" for e, _ in asked[:4]] + [f"K = {k}" for _, k in asked[4:]]
    assert heads in rows[""]
    for place, (eps, k) in enumerate(asked):
        other = eps / k
        true = 1 - (k - 1) * other
        numbers = true, entropy(true, *[other] * (k - 1)), math.log(true / other)
        for name, number in zip(("true class", "floor", "gap"), numbers, strict=True):
            assert plain(rows[name][1][place]) == pytest.approx(number, abs=5e-4)


def test_examples_of_the_laws(rows):
    text = "\n".join(cells[-1] for name in rows for cells in rows[name])
    for number in ("−7.3 points", "α = 0.24", "with both: 0.316", "at least 3.3394"):
        assert number in text
    assert "0.1 in B is label_smoothing=0.12 in A; 0.1 in A is 0.0833 in B" in (
        contract.output_text(SHEET.cells[5].outputs[0])
    )
    assert "all five hold to 1e-12: True" in cheat_sheet.page(SHEET)


def test_advice_rests_on_claims_and_names_what_did_not_help(rows):
    made = {claim.id: claim.kind for claim in claims.read_claims()}
    advice = {
        name: re.findall(r"\d\d-\d+", cells[-1])
        for name, (cells, *_) in rows.items()
        if re.search(r"\d\d-\d+", cells[-1])
    }
    assert len(advice) >= 10
    assert set().union(*advice.values()) <= set(made)
    for name, named in advice.items():
        against = re.search(
            r"ε = 0$|expect little|or forward|either|none on", rows[name][0][0]
        )
        if against:
            assert any(map(made.get, named)), name
    assert {k for named in advice.values() for k in map(made.get, named)} == {
        *("", "null", "harm", "rival")
    }


def test_page_shows_no_code_and_asks_no_network(page):
    for word in ("lsr.targets", "import ", "<script", "http", "src="):
        assert word not in page
    plain = re.sub(r"<.*?>", "", page)
    assert plain.count("CrossEntropyLoss(label_smoothing=0.1)") == 1
    assert page.count("<table") == 5 and "device: cpu" not in page


@pytest.mark.skipif(not chromium.find(), reason=chromium.MISSING)
@pytest.mark.parametrize("size", ["8pt", "8.4pt"])  # with other fonts it fits, too
def test_prints_on_one_page(page, tmp_path, size):
    html = tmp_path / "sheet.html"
    html.write_text(page.replace("font: 8pt", f"font: {size}"), encoding="utf-8")
    printing.print_pdf(html.as_uri(), tmp_path / "sheet.pdf", pages=1)
    box = rb"/MediaBox\s*\[0 0 (\d+)[.\d]* (\d+)"
    assert re.search(box, (tmp_path / "sheet.pdf").read_bytes()).groups() in (
        *((b"594", b"841"), (b"595", b"841"), (b"595", b"842")),  # A4
    )


def test_without_a_browser_the_page_is_there_and_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(chromium, "find", lambda: None)
    monkeypatch.setattr(cheat_sheet, "ROOT", tmp_path)
    monkeypatch.setattr(cheat_sheet, "PAGE", tmp_path / "build" / "a.html")
    with pytest.raises(printing.NotPrinted, match="Chromium was not found"):
        cheat_sheet.main(["--pdf"])
    assert "<table" in cheat_sheet.PAGE.read_text("utf-8")
