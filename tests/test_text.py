"""Questions: TREC's files and the course's own, tokens, vocabulary and token ids."""

import ast
import collections
import inspect

import official_files as official
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsr_utils.datasets import text

NAMES = ("abbreviation", "entity", "description", "human", "location", "number")
TEXTS = st.lists(st.text(), min_size=1, max_size=5)


def trec_file(folder, lines):
    path = folder / "train_5500.label"
    path.write_bytes(lines)
    return path


def test_trec_is_read_in_latin_1_with_its_six_coarse_types(tmp_path):
    path = trec_file(tmp_path, official.trec_lines("train", 14))
    questions, labels = text.read_trec(path, 14)
    assert questions[2] == "What is it that train asks in row 2 ?"
    assert questions[1] == "Which city has a sister\xf0city \x85 with Los Angeles ?"
    assert labels == [0, 4, *(i % 6 for i in range(2, 14))]
    assert text.TYPES == NAMES
    for coarse, name in zip(text.COARSE, NAMES, strict=True):
        assert name.upper().startswith(coarse[:3])  # ABBR and abbreviation, ...


def test_line_ends_of_another_system_and_spaces_are_no_part_of_a_question(tmp_path):
    lines = official.trec_lines("train", 14).replace(b"\n", b" \r\n")
    lines = lines.replace(b"fine What", b"fine   What")
    questions, _ = text.read_trec(trec_file(tmp_path, lines), 14)
    assert questions[0] == "What is it that train asks in row 0 ?"
    assert questions[-1] == "What is it that train asks in row 13 ?"


@pytest.mark.parametrize(
    "line",
    [
        b"", b"What is it ?", b"ABBR What is it ?", b"abbr:exp What is it ?",
        b"ABBR:exp", b"ABBR:exp ", b"ABBR:exp  ", b"ABBR: What is it ?",
        b"XXXX:exp What is it ?", b" ABBR:exp What is it ?", b"\xff",
    ],
)  # fmt: skip
def test_a_file_with_a_malformed_line_is_refused(tmp_path, line):
    lines = official.trec_lines("train", 14).split(b"\n")
    lines[4] = line
    with pytest.raises(ValueError) as caught:
        text.read_trec(trec_file(tmp_path, b"\n".join(lines)), 14)
    assert str(caught.value) == (
        "train_5500.label must have 14 lines such as 'NUM:date When was it ?', got 14, "
        "of which 1 are not so."
    )


@pytest.mark.parametrize("n", [2, 13, 15])
def test_a_file_with_another_number_of_lines_is_refused(tmp_path, n):
    path = trec_file(tmp_path, official.trec_lines("train", n))
    with pytest.raises(ValueError, match=f"^train.* must have 14 lines .* got {n}, "):
        text.read_trec(path, 14)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_content_raises_anything_but_a_sentence(tmp_path, content):
    with pytest.raises(ValueError, match=r"^train_5500\.label must .*\.$"):
        text.read_trec(trec_file(tmp_path, content), 14)


def test_the_course_s_table_is_read(tmp_path, monkeypatch):
    path = tmp_path / "questions.csv"
    path.write_text(
        "question,label,part,note\n"
        '"Who, if anybody, wrote ""Beowulf""?",human,train,\n'
        "What does DNA stand for?,abbreviation,train,easy\n"
        "Where is Zürich?,location,test,\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(text, "QUESTIONS", path)
    data = text.questions()
    assert data.texts.tolist() == [
        'Who, if anybody, wrote "Beowulf"?', "What does DNA stand for?",
    ]  # fmt: skip
    assert data.y.tolist() == [3, 0] and data.y.dtype == torch.int64
    data = text.questions("test")
    assert data.texts.tolist() == ["Where is Zürich?"] and data.y.tolist() == [4]


def test_the_table_lies_in_the_repository():
    assert text.QUESTIONS.parts[-2:] == ("data", "questions.csv")


# --- tokens, vocabulary, ids --------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "tokens"),
    [
        ("Who's Ada Lovelace?", ["who", "'s", "ada", "lovelace", "?"]),
        ("What \u2019s CPR ?", ["what", "'s", "cpr", "?"]),  # a typographic apostrophe
        ("How far, in km, is 3.5 mi?",
         ["how", "far", ",", "in", "km", ",", "is", "3", ".", "5", "mi", "?"]),
        ("a sister\xf0city 'some' D'Souza 20th",
         ["a", "sister\xf0city", "'", "some", "'", "d", "'", "souza", "20th"]),
        ("ÜBER straße\t\n", ["über", "straße"]),
        ("", []),
        (" ", []),
    ],
)  # fmt: skip
def test_tokens(question, tokens):
    assert text.tokenize(question) == tokens


@given(st.text())
def test_tokens_are_all_of_the_text_but_the_spaces(question):
    kept = "".join(text.tokenize(question))
    assert kept == "".join(question.lower().replace("\u2019", "'").split())
    assert not {text.PADDING, text.UNKNOWN} & set(text.tokenize(question))


def test_the_vocabulary_counts_and_then_follows_the_alphabet():
    texts = ["b a ?", "B c ?", "?"]
    assert text.vocabulary(texts) == {
        "<pad>": 0, "<unk>": 1, "?": 2, "b": 3, "a": 4, "c": 5,
    }  # fmt: skip
    assert list(text.vocabulary(texts, at_least=2)) == ["<pad>", "<unk>", "?", "b"]
    assert list(text.vocabulary(texts, at_least=4)) == ["<pad>", "<unk>"]


@given(TEXTS, st.integers(1, 3))
def test_the_vocabulary_has_the_words_that_are_frequent_enough(texts, at_least):
    counts = collections.Counter(sum(map(text.tokenize, texts), []))
    found = text.vocabulary(texts, at_least)
    assert list(found.values()) == list(range(len(found)))
    assert set(found) - {"<pad>", "<unk>"} == {
        word for word in counts if counts[word] >= at_least
    }
    assert found == text.vocabulary(texts[::-1], at_least)


def test_ids_are_cut_filled_and_unknown():
    known = {"<pad>": 0, "<unk>": 1, "who": 2, "?": 3}
    ids = text.encode(["Who ?", "who is who ?", ""], known, 3)
    assert ids.dtype == torch.int64
    assert ids.tolist() == [[2, 3, 0], [2, 1, 2], [0, 0, 0]]
    assert text.encode([], known, 3).shape == (0, 3)


@given(TEXTS, st.integers(1, 8))
def test_ids_lead_back_to_the_words(texts, length):
    known = text.vocabulary(texts)
    by_id = list(known)
    ids = text.encode(texts, known, length)
    assert ids.shape == (len(texts), length)
    for row, question in zip(ids.tolist(), texts, strict=True):
        tokens = text.tokenize(question)[:length]
        assert [by_id[i] for i in row[: len(tokens)]] == tokens
        assert row[len(tokens) :] == [0] * (length - len(tokens))


def test_the_three_functions_fit_on_a_slide():
    for function in (text.tokenize, text.vocabulary, text.encode):
        (tree,) = ast.parse(inspect.getsource(function)).body
        tree.body = tree.body[1:]  # without the docstring
        assert len(ast.unparse(tree).splitlines()) <= 10
