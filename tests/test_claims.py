"""CLAIMS.md holds every claim of the course once, by what it rests on."""

import ast
import collections
import re
import shutil
import urllib.parse

import claims
import contract
import pytest
from notebook_files import LESSONS, ROOT, number, read

PAGE = (ROOT / claims.PAGE).read_text(encoding="utf-8")
ROW = re.compile(
    r"\| (\d\d[a-z]?-\d+) \| (.+) \| (|null|harm|rival) "
    r"\| \[(?:.*?§(\d+).*|Checks)\]\(notebooks/(\S+\.ipynb)#(\S+) \"cell (\S+)\"\) \|"
)
READS_A_RECORD = re.compile(r"\brecorded(_folder|\.(run|networks|folder))|by_interp")


def parsed():
    """The rows of the page's tables, each with the heading of its part."""
    for part in re.split(r"(?m)^## ", PAGE)[1:]:
        heading, *lines = part.splitlines()
        for line in lines:
            if re.match(r"\| \d", line):
                yield heading, *ROW.fullmatch(line).groups()


ROWS = [*parsed()]


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
    for part, name, sentence, *kind_place_file, anchor, cell in ROWS:
        sentence = sentence.replace("\\|", "|").replace("&lt;", "<")
        place = (*kind_place_file, urllib.parse.unquote(anchor), cell)
        assert (part, name, sentence, *place) == made[name][0]
    # What rests on a record reads one, and what reads one rests on it.
    rest = {row[1] for row in ROWS if row[0] == "Re-read records"}
    reads = {name for name, (_, code) in made.items() if READS_A_RECORD.search(code)}
    assert len(reads) >= 3 and reads <= rest
    for path in LESSONS:
        if number(path) in {name.partition("-")[0] for name in rest}:
            code = "\n".join(cell.source for cell in contract.code_cells(read(path)))
            assert READS_A_RECORD.search(code), path.name


def test_claims_are_in_reading_order_and_counted_at_the_head():
    assert f"**{len(ROWS)} claims** in {len(LESSONS)} notebooks" in PAGE
    for heading in claims.RESTS_ON.values():
        ours = [row[1].split("-") for row in ROWS if row[0] == heading]
        ours = [(lesson, int(count)) for lesson, count in ours]
        assert ours == sorted(ours) and len(ours) >= 30
        assert f"- **{heading}** ({len(ours)})." in PAGE
    kinds = collections.Counter(row[3] for row in ROWS)
    assert kinds["null"] >= 10 and kinds["harm"] >= 10 and kinds["rival"] >= 2
    for kind in ("null", "harm", "rival"):
        assert f"- *{kind}* ({kinds[kind]})" in PAGE
    setback = r"raises (the ECE|NLL|ECE - floor)|under 95 %|lowers accuracy"
    marked = [row[3] for row in ROWS if re.search(setback, row[2])]
    assert len(marked) >= 3 and set(marked) == {"harm"}


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
