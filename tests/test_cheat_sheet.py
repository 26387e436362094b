"""The cheat sheet: a page without code; its numbers are checked, its steps are 08's."""

import math
import re

import chromium
import contract
import pytest
from notebook_files import ROOT, read
from prose_numbers import missing_numbers
from slides import page as pages

SHEET = read(ROOT / "notebooks" / "teaching" / "cheat_sheet.ipynb")
DECISION = ROOT / "notebooks" / "08_what_to_do.ipynb"
PAGE = pages.sheet("Cheat sheet", SHEET.cells)


def rows():
    """The cells of every row of the page's tables, by the row's first cell."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", PAGE, re.DOTALL):
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        found.setdefault(re.sub(r"<.*?>", "", cells[0]), []).append(cells[1:])
    return found


def test_notebook_keeps_what_of_the_contract_is_not_anatomy():
    assert [*contract.common(SHEET), *missing_numbers(SHEET)] == []


def plain(cell):
    return float(re.sub(r"<.*?>", "", cell))


def numbers(true, other, num_classes):
    """True class, entropy and gap of a target: the rows of both tables."""
    masses = [true] + [other] * (num_classes - 1)
    return true, -sum(m * math.log(m) for m in masses), math.log(true / other)


def test_the_tables_of_numbers():
    conventions = numbers(0.9 + 0.1 / 6, 0.1 / 6, 6), numbers(0.9, 0.02, 6)
    asked = [(0.05, 6), (0.1, 6), (0.2, 6), (0.4, 6), *((0.1, k) for k in (2, 10))]
    asked += [(0.1, 100), (0.1, 1000)]
    heads = [f"ε = {e:g}" for e, _ in asked[:4]] + [f"K = {k}" for _, k in asked[4:]]
    assert heads in rows()[""]
    values = [numbers(1 - (k - 1) * eps / k, eps / k, k) for eps, k in asked]
    for which, name in enumerate(("true class", "floor", "gap")):
        two, other = rows()[name]
        found = [plain(two[1]), plain(two[3])]
        assert found == pytest.approx([c[which] for c in conventions], abs=5e-5)
        wanted = [value[which] for value in values]
        assert [*map(plain, other)] == pytest.approx(wanted, abs=5e-4)


def test_the_steps_are_those_of_the_decision_page():
    cells = read(DECISION).cells
    (page,) = (c for c in cells if c.source.startswith("## 7. The decision"))
    (sheet,) = (c for c in SHEET.cells if c.source.startswith("## When to use it"))
    wanted = re.findall(r"(?m)^\| \*\*\d\*\* \| (.+) \| .+ \|$", page.source)
    steps = re.findall(r"(?m)^\d\. (.+)$", sheet.source)
    assert len(steps) == len(wanted) == 4 and DECISION.name in sheet.source
    for step, want in zip(steps, wanted, strict=True):
        assert all(words in want for words in re.findall(r"\*\*.+?\*\*", step)), step


def test_page_shows_no_code_and_asks_no_network():
    for word in ("lsr.targets", "import ", "<script", "http", "src="):
        assert word not in PAGE
    text = re.sub(r"<.*?>", "", PAGE)
    assert text.count("CrossEntropyLoss(label_smoothing=0.1)") == 1
    assert PAGE.count("<table") == 4 and "device: cpu" not in PAGE
    assert "all five hold to 1e-12: True" in PAGE


@pytest.mark.skipif(not chromium.find(), reason=chromium.MISSING)
def test_prints_on_one_page(tmp_path):
    html = tmp_path / "sheet.html"
    larger = PAGE.replace("font: 8pt", "font: 8.4pt")  # as other fonts may be
    html.write_text(larger, encoding="utf-8")
    chromium.print_pdf(html.as_uri(), tmp_path / "sheet.pdf", pages=1)
    a4 = rb"/MediaBox\s*\[0 0 59[45][.\d]* 84[12]"
    assert re.search(a4, (tmp_path / "sheet.pdf").read_bytes())
