"""TREC's two files in the official layout, the course's own table, and bad ones."""

import numpy as np
import official_files as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsr_utils import texts

NAMES = ("abbreviation", "entity", "description", "human", "location", "number")
SIZES = {"train": 14, "test": 7}
GOOD = (
    "question,label,part,note\n"
    '"Who, if anybody, wrote ""Beowulf""?",human,train,\n'
    "What does DNA stand for?,abbreviation,train,easy\n"
    "Where is Zürich?,location,test,\n"
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    sizes = {part: (texts.TREC[part][0], n) for part, n in SIZES.items()}
    monkeypatch.setattr(texts, "TREC", sizes)


def trec_files(folder, **contents):
    paths = {part: folder / texts.TREC[part][0] for part in SIZES}
    for part, path in paths.items():
        path.write_bytes(contents.get(part) or official.trec_lines(part, SIZES[part]))
    return paths


def test_trec_is_read_in_latin_1_with_its_six_coarse_types(tmp_path):
    arrays = texts.read_trec(trec_files(tmp_path))
    for part, n in SIZES.items():
        questions, labels = arrays[f"texts_{part}"], arrays[f"y_{part}"]
        assert questions.shape == labels.shape == (n,)
        assert questions[2] == f"What is it that {part} asks in row 2 ?"
        assert questions[1] == "Which city has a sister\xf0city \x85 with Los Angeles ?"
        assert labels.tolist() == [0, 4, *(i % 6 for i in range(2, n))]
    pairs = zip(texts.COARSE, NAMES, strict=True)
    assert texts.TYPES == NAMES
    for coarse, name in pairs:  # ABBR and abbreviation, ENTY and entity, ...
        assert name.upper().startswith(coarse[:3])


def test_line_ends_of_another_system_are_read(tmp_path):
    lines = official.trec_lines("train", 14).replace(b"\n", b"\r\n")
    arrays = texts.read_trec(trec_files(tmp_path, train=lines))
    assert arrays["texts_train"][-1] == "What is it that train asks in row 13 ?"


@pytest.mark.parametrize(
    "line",
    [
        b"", b"What is it ?", b"ABBR What is it ?", b"abbr:exp What is it ?",
        b"ABBR:exp", b"ABBR:exp ", b"ABBR:exp  ", b"ABBR: What is it ?",
        b"XXXX:exp What is it ?", b" ABBR:exp What is it ?", b"\xff",
    ],
)  # fmt: skip
def test_a_line_that_is_malformed_is_named(tmp_path, line):
    lines = official.trec_lines("train", 14).split(b"\n")
    lines[4] = line
    with pytest.raises(ValueError) as caught:
        texts.read_trec(trec_files(tmp_path, train=b"\n".join(lines)))
    assert str(caught.value) == (
        "train_5500.label, line 5, must be 'COARSE:fine question' with one of ABBR, "
        f"ENTY, DESC, HUM, LOC, NUM, got {line.decode('latin-1')!r}."
    )


@pytest.mark.parametrize("n", [2, 13, 15])
def test_another_number_of_lines_is_named(tmp_path, n):
    paths = trec_files(tmp_path, train=official.trec_lines("train", n))
    with pytest.raises(ValueError, match=f"label must have 14 lines, got {n}.$"):
        texts.read_trec(paths)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_content_raises_anything_but_a_sentence(tmp_path, content):
    paths = trec_files(tmp_path)
    paths["train"].write_bytes(content)
    with pytest.raises(ValueError, match=r"^train_5500\.label(, line \d+,)? must"):
        texts.read_trec(paths)


# -- the course's own ----------------------------------------------------------------


def table(tmp_path, content):
    path = tmp_path / "questions.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"])  # some programs put one in front
def test_the_course_s_table_is_read(tmp_path, monkeypatch, mark):
    path = table(tmp_path, mark + GOOD)
    monkeypatch.setattr(texts, "questions_path", lambda: path)
    questions, labels = texts.questions_arrays("train")
    assert questions.tolist() == [
        'Who, if anybody, wrote "Beowulf"?', "What does DNA stand for?",
    ]  # fmt: skip
    assert labels.tolist() == [3, 0] and labels.dtype == np.int64
    questions, labels = texts.questions_arrays("test")
    assert questions.tolist() == ["Where is Zürich?"] and labels.tolist() == [4]


def test_the_note_is_optional(tmp_path):
    lines = GOOD.splitlines()
    short = [lines[0][:-5], *(line.rsplit(",", 1)[0] for line in lines[1:])]
    rows = texts.read_questions(table(tmp_path, "\n".join(short)))
    assert [row["part"] for row in rows] == ["train", "train", "test"]


BAD = {
    "no header": ("A?,human,train\n", "must start with the columns question, label"),
    "another order": (GOOD.replace("label,part", "part,label"), "must start with"),
    "empty": ("", "must start with the columns question, label, part, got None."),
    "a label": (GOOD.replace("human", "HUM"), "line 2, must have a label of abbrev"),
    "a part": (GOOD.replace(",test", ",dev"), "line 4, must have a part of train, "),
    "no question": (GOOD.replace("Where is Zürich?", " "), "line 4, must have a quest"),
    "a value less": (GOOD.replace(",easy", ""), "line 3, must have a value in every"),
    "a value more": (GOOD.replace(",easy", ",a,b"), "line 3, must have a value in e"),
    "no test part": (GOOD.replace(",test", ",train"), "must have rows of the part 'te"),
    "an open quote": (GOOD + '"What', "must be a CSV table: "),
    "Latin-1": (GOOD.encode("latin-1"), "must be UTF-8: "),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_table_is_refused(tmp_path, kind):
    content, reason = BAD[kind]
    with pytest.raises(ValueError) as caught:
        texts.read_questions(table(tmp_path, content))
    message = str(caught.value)
    assert message.startswith("questions.csv") and reason in message
    assert message.endswith(".") and "\n" not in message


def test_the_table_lies_in_the_repository():
    assert texts.questions_path().parts[-2:] == ("data", "questions.csv")
