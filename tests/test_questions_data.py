"""The questions of this course: the file's form, its split, and how hard it is."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import MultiLabelBinarizer

FILE = Path(__file__).parents[1] / "data" / "questions.csv"
LABELS = ["abbreviation", "entity", "description", "human", "location", "number"]
# No two questions are nearer to each other than this, and none of two parts than that:
# above it they share what is asked, not only a frame ("To which country ...").
COSINE, GROUP_COSINE, GROUP_TOPIC, RARE = 0.8, 0.5, 0.4, 6


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(FILE, keep_default_na=False)


def tokens(question):
    return re.findall(r"[a-z0-9]+", question.lower())


def cosines(rows, stop_words=None):
    tfidf = TfidfVectorizer(token_pattern=r"[a-z0-9]+", stop_words=stop_words)
    matrix = tfidf.fit_transform(rows["question"])
    return (matrix @ matrix.T).toarray()


def pairs(rows, where):
    """The pairs that are marked in a square, as text to read in a failure."""
    question = rows["question"].tolist()
    marked = np.argwhere(np.triu(where, 1))
    return [f"{question[i]} / {question[j]}" for i, j in marked]


def test_columns_values_and_order(rows):
    assert list(rows) == ["question", "label", "part", "note"]
    assert set(rows["part"]) == {"train", "test"}
    assert set(rows["note"]) == {"", "ambiguous"} and set(rows["label"]) == set(LABELS)
    for question in rows["question"]:
        assert question.isascii() and question == " ".join(question.split())
        assert question[-1] in "?." and 3 <= len(tokens(question)) <= 25


def test_counts_are_those_on_the_card_and_the_classes_even(rows):
    card = (FILE.parent / "README.md").read_text(encoding="utf-8")
    card = card.split("## `questions`")[1]
    count = Counter(rows["part"])
    assert f"{len(rows)} questions" in card
    assert f"{count['train']} for training, {count['test']} for testing" in card
    noted = rows[rows["note"] != ""]
    labels = Counter(noted["label"])
    assert f"{len(noted)} questions" in card  # ambiguous on purpose
    assert f"{labels['entity']} entity and {labels['description']} description" in card
    share = rows.groupby("label")["part"].agg(lambda part: (part == "test").mean())
    assert share.tolist() == pytest.approx(6 * [1 / 3], abs=0.01)
    assert rows["label"].value_counts().between(100, 112).all()


def test_no_question_stands_twice_and_what_is_similar_in_one_part(rows):
    assert not pairs(rows, cosines(rows) >= COSINE)
    part = rows["part"].to_numpy()
    across = part[:, None] != part[None, :]
    assert not pairs(rows, across & (cosines(rows) >= GROUP_COSINE))
    topic = cosines(rows, stop_words="english")
    assert not pairs(rows, across & (topic >= GROUP_TOPIC))
    words = [{*tokens(asked)} - ENGLISH_STOP_WORDS for asked in rows["question"]]
    count = Counter(word for each in words for word in each)
    rare = [{word for word in each if count[word] <= RARE} for each in words]
    shared = MultiLabelBinarizer().fit_transform(rare).astype(float)
    assert not pairs(rows, across & (shared @ shared.T >= 2))
