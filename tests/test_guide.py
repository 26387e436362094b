"""Pages for teaching: minutes, claims, places; the examination's numbers recomputed."""

import re

import claims
import contract
import notebook_files
import numpy as np
import pytest
from notebook_files import ROOT, read
from scipy import optimize, special, stats

TEACHING = ROOT / "notebooks" / "teaching"
PAGES = [page.read_text(encoding="utf-8") for page in sorted(TEACHING.rglob("*.md"))]
TEXT = "\n".join(PAGES)
LECTURES = {notebook_files.number(p): read(p) for p in notebook_files.LESSONS}
LESSONS = {name: LECTURES[name] for name in LECTURES if len(name) == 2}
SECTION = re.compile(r"\[(\d\d[a-z]?) §(\d+)\]\([^)]+\)")
places = SECTION.findall
CLAIM = re.compile(r"(?<![\w/.-])\d\d[a-z]?-\d{1,2}(?![\w-])")


def part(heading):
    _, below = TEXT.split(f"\n{heading}\n")
    return re.split(rf"(?m)^#{{1,{heading.index(' ')}}} ", below)[0]


def rows(text):
    body = re.sub(r"(?m)^\|.*\n\|---.*\n", "\n", text)
    lines = re.findall(r"(?m)^\|(.*)\|$", body)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def outputs(cell):
    return "\n".join(map(contract.output_text, cell.get("outputs", [])))


@pytest.mark.parametrize("number", LESSONS)
def test_a_lecture_has_its_row_with_the_minutes_of_its_card_and_three_questions(number):
    card = LESSONS[number].cells[0].source
    found = [r for r in rows(part("## The lectures")) if f"(../{number}_" in r[0]]
    assert len(found) == 1, f"plans.md has {len(found)} rows for lecture {number}"
    (row,) = found
    assert row[1:3] == [*re.search(r"read (\d+), in a room (\d+)", card).groups()]
    assert int(row[2]) == (10 if number == "00" else 30)
    assert len(row) == 6 and all(row)
    title = card.splitlines()[0].removeprefix("# ").replace(" · ", " ")
    table = rows(part(f"### {title}"))
    assert len(table) == 3
    for question, answer, where in table:
        assert question.endswith("?") and answer.endswith(".")
        assert {found[:2] for found, _ in places(where)} == {number}


def test_minutes_of_the_plans_add_up_and_no_section_is_shown_twice():
    plans, shown = re.findall(r"(?m)^#### Lecture \d: .+$", TEXT), []
    assert len(plans) == 4
    for heading in plans:
        table = rows(part(heading))
        assert sum(int(minutes) for _, minutes, _ in table) == 90, heading
        found = [SECTION.fullmatch(place).groups() for place, _, _ in table]
        assert len(found) == len(set(found)) >= 10, heading
        assert all(words for _, _, words in table), heading
        shown += found
    assert len(shown) == len(set(shown))
    assert {number for number, _ in shown} >= set(LESSONS) - {"09"}


def test_claims_stand_beside_a_link_to_the_section_that_makes_them():
    sections = {
        claim.id: (notebook_files.number(claim.path), claim.section.partition(".")[0])
        for claim in claims.read_claims()
    }
    named = set()
    for line in TEXT.splitlines():
        for claim in CLAIM.findall(SECTION.sub("", line)):
            named.add(claim)
            # 01-2 is the example in an introduction.
            example = claim == "01-2" and not places(line)
            number, section = sections.get(claim, ("", ""))
            there = {n: [(n, "Checks")] for n, _ in places(line)}.get(number, [])
            assert example or (number, section) in places(line) + there, claim
    assert len(named) > 60 and "]()" not in TEXT
    table = rows(part("## What is often misunderstood"))
    assert len(table) >= 12
    assert all(places(where) and CLAIM.search(where) for *_, where in table)


def test_sections_said_to_read_a_record_or_to_have_sliders_do():
    found = {"Sliders": set(), "Long trainings": set()}
    for number, notebook in LECTURES.items():
        section = ""
        for cell in notebook.cells:
            section = (re.findall(r"\A## (\d+)\.", cell.source) or [section])[0]
            if "sliders: " in outputs(cell):
                found["Sliders"].add((number, section))
            if re.search(r"\brecorded(_folder|\.\w+)?[(\[]", cell.source):
                found["Long trainings"].add((number, section))
    for what, there in found.items():
        (line,) = re.findall(rf"(?m)^- \*\*{what}\*\*.*", TEXT)
        assert set(places(line)) <= there and len(places(line)) >= 5
        assert set(places(line)) == there or what != "Sliders"


# The examination ----------------------------------------------------------------------

QUESTIONS, PARTS = (
    re.split(r"(?m)^## \d+\. ", path.read_text(encoding="utf-8"))[1:]
    for path in (TEACHING / "examination" / f"{n}.md" for n in ("questions", "answers"))
)
K, EPS = 6, 0.1
ROW = np.array([1 - EPS + EPS / K, *[EPS / K] * (K - 1)])


def is_rounded(written, true):
    """Whether this is how the number is written, with as many digits."""
    digits = len(written.partition(".")[2])
    return abs(float(written) - true) <= 0.5 * 10**-digits + 1e-12


def best_gap(loss):
    return optimize.brentq(lambda g: loss(g + 1e-4) - loss(g - 1e-4), 1, 20)


def smoothed(g):
    return np.log(np.exp(g) + K - 1) - ROW[0] * g


def penalised(g):
    p = special.softmax(g * np.eye(K)[0])
    return -np.log(p[0]) + 0.1 * (p * np.log(p)).sum()


TEXT_ROW = np.array([0.9, *[EPS / K] * 5])  # of the text, which does not sum to one
PULLED = np.eye(K)[0] + EPS / K
NOISE = np.full((K, K), 0.2 / 5) + np.eye(K) * (0.8 - 0.2 / 5)
SMOOTH = np.full((K, K), EPS / K) + np.eye(K) * (1 - EPS)
KEPT, BOTH = (np.linalg.eigvalsh(m).min() for m in (NOISE, NOISE @ SMOOTH))
BACK = np.linalg.inv(NOISE)[0, 1] * K
P = [0.6, 0.4] @ np.stack([ROW, np.roll(ROW, 1)])
RIGHT = np.arange(101)
EXACT = (stats.binom.pmf(RIGHT, 100, 0.8) * abs(RIGHT / 100 - 0.8)).sum()
MOVED = 8192 * 128256 * 4
LOST, POWER = K * PULLED[1] / PULLED.sum(), np.log(1.5) / np.log(P[0] / P[1])
SUM, PRICE = TEXT_ROW.sum(), 100 * EPS * (0.78 - 1 / K)
ANSWERS = [  # the numbers of each model answer, computed
    {"0.98333": SUM, "0.12": 0.02 * K, "0.101695": TEXT_ROW[1] / SUM * K},
    {"0.420956": stats.entropy(ROW), "0.916667": ROW[0], "4.0073": best_gap(smoothed)},
    {"1.1": PULLED.sum(), "0.0909": LOST, "4.1109": np.log(PULLED[0] / PULLED[1])},
    {"10.002": best_gap(penalised), "1.7918": np.log(K)},
    {"0.24": 1 - KEPT, "0.76": KEPT, "0.684": BOTH, "0.316": 1 - BOTH, "-0.3158": BACK},
    {"0.556667": P[0], "0.376667": P[1], "0.016667": P[2], "1.0380": POWER}
    | {"-6.13": -PRICE, "5.9": 5.9, "3.4": 3.4, "6.6": 6.6, "8.1": 8.1},
    {"3.3394": 5 / 6 * np.log(55)},
    {"0.0319": np.sqrt(2 * 0.8 * 0.2 / (np.pi * 100)), "0.0318": EXACT},
    {"2.093": stats.t.ppf(0.975, 19), "12.55": np.sqrt((1 / 20 + 783 / 100) * 20)},
    {"4.20": MOVED / 1e9, "1.05": MOVED / 4e12 * 1e3},
]


def test_numbers_of_the_model_answers():
    questions = zip(QUESTIONS, PARTS, ANSWERS, strict=True)
    for question, answer, values in questions:
        assert question.splitlines()[0] == answer.splitlines()[0]
        assert re.search(r"§\d+\].*\d\d[a-z]?-\d+", answer)
        numbers = re.findall(r"(?<![\d.])-?\d+(?:\.\d+)?", answer.replace("−", "-"))
        for written, true in values.items():
            assert written in numbers and is_rounded(written, true), written


def test_numbers_in_the_short_answers():
    # Of the example in lecture 08: half the price, and the ECE before and after.
    (cell,) = (cell for cell in LECTURES["08"].cells if cell.id == "nb08-23")
    (row,) = re.findall(r"(?m)^\s*0\.1 (.+)$", outputs(cell))
    assert row.split() == ["5.9", "3.4", "6.6", "8.1"]
    assert "half the price 3.4, and the ECE went from 6.6 to 8.1 %" in TEXT
    table = "\n".join(" ".join(line) for line in rows(TEXT))
    for words, true in {
        "sums to 0.9833": 1 - EPS / K,
        "gap of 2.9": np.log(19),
        "and of 9.1": np.log(9001),
        "the target, 0.4210": stats.entropy(ROW),
        "equals the target: 4.0073": np.log(55),
        "0.9 · 0.76 = 0.316": 1 - 0.9 * 0.76,
        "= 6.1 points": PRICE,
    }.items():
        written = re.findall(r"\d+\.\d+", words)[-1]
        assert words in table and is_rounded(written, true), words
