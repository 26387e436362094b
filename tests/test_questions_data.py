"""The questions of this course: the file's form, its split, and how hard it is."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

FILE = Path(__file__).parents[1] / "data" / "questions.csv"
LABELS = ["abbreviation", "entity", "description", "human", "location", "number"]
# No two questions are nearer to each other than this: the nearest are three short
# ones of the form "What does a notary do?", at 0.67, and two about the Magna Carta, at
# 0.75. Both are different questions.
JACCARD, COSINE = 0.7, 0.8
# Above this, two questions belong to one group. Pairs just below it share a frame
# ("To which country ...") or one ordinary word, not what is asked.
GROUP_COSINE, GROUP_TOPIC, RARE = 0.5, 0.4, 6


@pytest.fixture(scope="module")
def rows():
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([row[name] for row in rows], dtype=object)


def tokens(question):
    return re.findall(r"[a-z0-9]+", question.lower())


def cosines(rows, stop_words=None):
    tfidf = TfidfVectorizer(token_pattern=r"[a-z0-9]+", stop_words=stop_words)
    matrix = tfidf.fit_transform(column(rows, "question"))
    return (matrix @ matrix.T).toarray()


def across(rows):
    """Which pairs have one question in each part, as a square of booleans."""
    part = column(rows, "part")
    return part[:, None] != part[None, :]


def pairs(rows, where):
    """The pairs that are marked in a square, as text to read in a failure."""
    question = column(rows, "question")
    first, second = np.nonzero(np.triu(where, 1))
    return [
        f"{question[i]} / {question[j]}" for i, j in zip(first, second, strict=True)
    ]


def by_first_word(test, train):
    """Predict the commonest label among training questions with the same first word."""
    by_word = {}
    for row in train:
        word = tokens(row["question"])[0]
        by_word.setdefault(word, Counter())[row["label"]] += 1
    best = {word: count.most_common(1)[0][0] for word, count in by_word.items()}
    return [best.get(tokens(row["question"])[0], LABELS[0]) for row in test]


def test_columns_and_values(rows):
    assert FILE.read_text(encoding="utf-8").startswith("question,label,part,note\n")
    assert {row["part"] for row in rows} == {"train", "test"}
    assert {row["note"] for row in rows} == {"", "ambiguous"}
    assert {row["label"] for row in rows} == set(LABELS)
    assert all(None not in row and None not in row.values() for row in rows)


def test_order_of_rows(rows):
    keys = [
        (LABELS.index(row["label"]), row["part"] == "test", row["question"].lower())
        for row in rows
    ]
    assert keys == sorted(keys)


def test_counts_are_those_on_the_card(rows):
    card = (FILE.parent / "README.md").read_text(encoding="utf-8")
    card = card.split("## `questions`")[1]
    count = Counter(row["part"] for row in rows)
    assert f"{len(rows)} questions" in card
    assert f"{count['train']} for training, {count['test']} for testing" in card
    noted = Counter(row["label"] for row in rows if row["note"])
    assert f"{sum(noted.values())} questions" in card
    assert f"{noted['entity']} entity and {noted['description']} description" in card


def test_the_classes_are_even_in_both_parts(rows):
    for label in LABELS:
        count = Counter(row["part"] for row in rows if row["label"] == label)
        assert 100 <= count.total() <= 112
        assert count["test"] / count.total() == pytest.approx(1 / 3, abs=0.01)


def test_characters(rows):
    for question in column(rows, "question"):
        assert question.isascii() and question.isprintable()
        assert question == " ".join(question.split())
        assert question[0].isupper() or question[0] == '"'
        assert question[-1] in "?." and question.count('"') % 2 == 0
        assert 3 <= len(tokens(question)) <= 25


def test_no_question_stands_twice_or_nearly(rows):
    words = [frozenset(tokens(question)) for question in column(rows, "question")]
    jaccard = np.array([[len(a & b) / len(a | b) for b in words] for a in words])
    assert not pairs(rows, jaccard >= JACCARD)
    assert not pairs(rows, cosines(rows) >= COSINE)


def test_similar_wordings_stay_on_one_side(rows):
    assert not pairs(rows, across(rows) & (cosines(rows) >= GROUP_COSINE))


def test_the_same_topic_stays_on_one_side(rows):
    topic = cosines(rows, stop_words="english")
    assert not pairs(rows, across(rows) & (topic >= GROUP_TOPIC))


def test_two_rare_words_are_never_shared_across_the_parts(rows):
    words = [set(tokens(row["question"])) - ENGLISH_STOP_WORDS for row in rows]
    count = Counter(word for each in words for word in each)
    rare = [{word for word in each if count[word] <= RARE} for each in words]
    shared = np.array([[len(a & b) for b in rare] for a in rare])
    assert not pairs(rows, across(rows) & (shared >= 2))


def test_entity_and_description_are_ambiguous_on_purpose(rows):
    for part in ("train", "test"):
        noted = Counter(r["label"] for r in rows if r["note"] and r["part"] == part)
        assert min(noted["entity"], noted["description"]) >= 9


def test_question_words_cross_the_classes(rows):
    labels = {word: set() for word in ("what", "which", "how", "where", "when", "who")}
    for row in rows:
        for word in set(tokens(row["question"])) & set(labels):
            labels[word].add(row["label"])
    assert labels["what"] == set(LABELS)
    assert all(len(seen) >= 4 for seen in labels.values()), labels


def test_the_first_word_does_not_give_the_class_away(rows):
    test = [row for row in rows if row["part"] == "test"]
    train = [row for row in rows if row["part"] == "train"]
    right = by_first_word(test, train) == column(test, "label")
    assert 0.3 < right.mean() < 0.65


def test_a_linear_baseline_learns_but_does_not_solve_it(rows):
    question, label = column(rows, "question"), column(rows, "label")
    train = column(rows, "part") == "train"
    search = GridSearchCV(
        make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b"),
            LogisticRegression(max_iter=1000),
        ),
        {"logisticregression__C": [1, 10, 100]},
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
    )
    with threadpool_limits(1):  # more threads only wait for each other
        search.fit(question[train], label[train].astype(str))
    accuracy = search.score(question[~train], label[~train].astype(str))
    assert 0.6 < accuracy < 0.95
