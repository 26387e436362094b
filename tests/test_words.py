"""Tokens, vocabulary and token ids."""

import ast
import collections
import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lsr_utils import words

TEXTS = st.lists(st.text(), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("text", "tokens"),
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
def test_tokens(text, tokens):
    assert words.tokenize(text) == tokens


@given(st.text())
def test_tokens_are_all_of_the_text_but_the_spaces(text):
    kept = "".join(words.tokenize(text))
    assert kept == "".join(text.lower().replace("\u2019", "'").split())
    assert not {words.PADDING, words.UNKNOWN} & set(words.tokenize(text))


def test_the_vocabulary_counts_and_then_follows_the_alphabet():
    texts = ["b a ?", "B c ?", "?"]
    assert words.vocabulary(texts) == {
        "<pad>": 0, "<unk>": 1, "?": 2, "b": 3, "a": 4, "c": 5,
    }  # fmt: skip
    assert list(words.vocabulary(texts, at_least=2)) == ["<pad>", "<unk>", "?", "b"]
    assert list(words.vocabulary(texts, at_least=4)) == ["<pad>", "<unk>"]


@given(TEXTS, st.integers(1, 3))
def test_the_vocabulary_has_the_words_that_are_frequent_enough(texts, at_least):
    counts = collections.Counter(sum(map(words.tokenize, texts), []))
    found = words.vocabulary(texts, at_least)
    assert list(found.values()) == list(range(len(found)))
    assert set(found) - {"<pad>", "<unk>"} == {
        word for word in counts if counts[word] >= at_least
    }
    assert found == words.vocabulary(texts[::-1], at_least)


def test_ids_are_cut_filled_and_unknown():
    known = {"<pad>": 0, "<unk>": 1, "who": 2, "?": 3}
    ids = words.encode(["Who ?", "who is who ?", ""], known, 3)
    assert ids.dtype == torch.int64
    assert ids.tolist() == [[2, 3, 0], [2, 1, 2], [0, 0, 0]]
    assert words.encode([], known, 3).shape == (0, 3)


@given(TEXTS, st.integers(1, 8))
def test_ids_lead_back_to_the_words(texts, length):
    known = words.vocabulary(texts)
    by_id = list(known)
    ids = words.encode(texts, known, length)
    assert ids.shape == (len(texts), length)
    for row, text in zip(ids.tolist(), texts, strict=True):
        tokens = words.tokenize(text)[:length]
        assert [by_id[i] for i in row[: len(tokens)]] == tokens
        assert row[len(tokens) :] == [0] * (length - len(tokens))


def test_the_three_functions_fit_on_a_slide():
    for function in (words.tokenize, words.vocabulary, words.encode):
        (tree,) = ast.parse(inspect.getsource(function)).body
        tree.body = tree.body[1:]  # without the docstring
        assert len(ast.unparse(tree).splitlines()) <= 10
