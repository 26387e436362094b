"""Questions: TREC's files and the course's own, tokens, vocabulary and token ids."""

import collections

import official_files as official
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr_utils import datasets
from lsr_utils.datasets import text

NAMES = ("abbreviation", "entity", "description", "human", "location", "number")
TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=4)


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "train_5500.label"
        path.write_bytes(content)
        return text.read_trec(path, 14)

    return read


def test_trec_is_read_in_latin_1_with_its_six_coarse_types(read):
    lines = official.trec_lines("train", 14)
    questions, labels = read(lines)
    assert questions[2] == "What is it that train asks in row 2 ?"
    assert questions[1] == "Which city has a sister\xf0city \x85 with Los Angeles ?"
    assert labels == [0, 4, *(i % 6 for i in range(2, 14))]
    assert text.TYPES == NAMES
    for coarse, name in zip(text.COARSE, NAMES, strict=True):
        assert name.upper().startswith(coarse[:3])  # ABBR and abbreviation, ...
    # Line ends of another system and spaces are no part of a question.
    spaced = lines.replace(b"\n", b" \r\n").replace(b"fine What", b"fine   What")
    assert read(spaced) == (questions, labels)


@pytest.mark.parametrize(
    "line", [b"", b"What is it ?", b"ABBR:exp ", b"XXXX:exp What is it ?", b"\xff"]
)
def test_a_file_with_a_malformed_line_is_refused(read, line):
    lines = official.trec_lines("train", 14).split(b"\n")
    lines[4] = line
    with pytest.raises(ValueError) as caught:
        read(b"\n".join(lines))
    assert str(caught.value) == (
        "train_5500.label must have 14 lines such as 'NUM:date When was it ?', got 14, "
        "of which 1 are not so."
    )
    with pytest.raises(ValueError, match="^train.* must have 14 lines .* got 13, "):
        read(official.trec_lines("train", 13))


def test_the_course_s_table_is_read_as_token_ids(tmp_path, monkeypatch):
    assert text.QUESTIONS.parts[-2:] == ("data", "questions.csv")
    path = tmp_path / "questions.csv"
    monkeypatch.setattr(text, "QUESTIONS", path)
    path.write_text(
        'question,label,part,note\n"Who, ""it""?",human,train,\n'
        'Where is it in Zürich?,location,train,easy\n"When and where?",number,test,\n',
        encoding="utf-8",
    )
    train, test = datasets.load("questions"), datasets.load("questions", part="test")
    assert train.texts.tolist() == ['Who, "it"?', "Where is it in Zürich?"]
    assert train.vocabulary == (
        "<pad>", "<unk>", '"', "?", "it", ",", "in", "is", "where", "who", "zürich"
    )  # fmt: skip
    assert train.x.tolist() == [[9, 5, 2, 4, 2, 3], [8, 7, 4, 6, 10, 3]]
    assert test.x.tolist() == [[1, 1, 8, 3, 0, 0]]  # as long as the longest to train on
    assert train.y.tolist() == [3, 4] and train.y.dtype == torch.int64
    assert train.variant is None and train.class_names == NAMES


# --- tokens, vocabulary, ids --------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "tokens"),
    [
        ("Who's Ada Lovelace?", ["who", "'s", "ada", "lovelace", "?"]),
        ("What \u2019s CPR ?", ["what", "'s", "cpr", "?"]),  # a typographic apostrophe
        ("How far, is 3.5 mi?", ["how", "far", ",", "is", "3", ".", "5", "mi", "?"]),
        ("a sister\xf0city 'some' D'Souza 20th",
         ["a", "sister\xf0city", "'", "some", "'", "d", "'", "souza", "20th"]),
        ("ÜBER straße\t\n", ["über", "straße"]),
    ],
)  # fmt: skip
def test_tokens(question, tokens):
    assert text.tokenize(question) == tokens


def test_the_vocabulary_counts_and_then_follows_the_alphabet():
    texts = ["b a ?", "B c ?", "?"]
    assert text.vocabulary(texts) == {
        "<pad>": 0, "<unk>": 1, "?": 2, "b": 3, "a": 4, "c": 5,
    }  # fmt: skip
    assert list(text.vocabulary(texts, at_least=2)) == ["<pad>", "<unk>", "?", "b"]
    assert list(text.vocabulary(texts, at_least=4)) == ["<pad>", "<unk>"]


@settings(max_examples=20)
@given(TEXTS, st.integers(1, 8), st.integers(1, 2))
def test_ids_lead_back_to_the_words(texts, length, at_least):
    tokens = [text.tokenize(question) for question in texts]
    for question, found in zip(texts, tokens, strict=True):
        kept = question.lower().replace("\u2019", "'").split()
        assert "".join(found) == "".join(kept)  # all of the text but the spaces
    counts = collections.Counter(sum(tokens, []))
    frequent = {word for word in counts if counts[word] >= at_least}
    known = text.vocabulary(texts, at_least)
    assert list(known.values()) == list(range(len(known)))
    assert set(known) == {"<pad>", "<unk>"} | frequent
    assert known == text.vocabulary(texts[::-1], at_least)
    for row, found in zip(text.encode(texts, known, length), tokens, strict=True):
        found = [word if word in frequent else "<unk>" for word in found[:length]]
        wanted = found + ["<pad>"] * (length - len(found))
        assert [list(known)[i] for i in row] == wanted
