"""``load`` of what is downloaded or is text: from the source to tensors, and again."""

import loopback
import numpy as np
import official_files as official
import pytest
import torch

from lsr_utils import datasets
from lsr_utils.datasets import noise, photographs, text

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
TYPES = ("abbreviation", "entity", "description", "human", "location", "number")
SIZES = {"train": 14, "test": 7}


@pytest.fixture
def sources(server, monkeypatch):
    """Small official files on the loopback server, by their names."""
    trec = {part: (text.TREC[part][0], n) for part, n in SIZES.items()}
    monkeypatch.setattr(text, "TREC", trec)
    files = {photographs.ARCHIVE: official.archive(official.members())}
    for part, (name, n) in trec.items():
        files[name] = official.trec_lines(part, n)
    for name, content in files.items():
        loopback.register(monkeypatch, server.url, content, name)
    server.answer = lambda handler: loopback.give(handler, files[handler.path[1:]])
    return files


def same(one, other):
    return (
        torch.equal(one.x, other.x) and torch.equal(one.y, other.y)
        and one.class_names == other.class_names and one.variant == other.variant
        and one.vocabulary == other.vocabulary
        and (one.texts is None or one.texts.tolist() == other.texts.tolist())
    )  # fmt: skip


def test_animals_are_standardised_photos(sources):
    for part, n in (("train", 60), ("test", 12)):
        data = datasets.load("animals", part=part)
        assert data.x.shape == (n, 3, 32, 32) and data.x.dtype == torch.float32
        assert data.y.shape == (n,) and data.y.dtype == torch.int64
        assert data.class_names == ANIMALS and data.variant == "official"
        assert data.posterior is data.texts is data.vocabulary is None
    row = next(row for row in official.records(5) if 2 <= row[0] <= 7)
    pixels = row[1:].reshape(3, 32, 32) / 255
    mean, std = (np.array(v).reshape(3, 1, 1) for v in (
        (0.488, 0.466, 0.400), (0.236, 0.232, 0.241)
    ))  # fmt: skip
    np.testing.assert_allclose(data.x[0], (pixels - mean) / std, atol=1e-5)
    assert data.y[0] == row[0] - 2


def test_trec_is_token_ids_of_the_training_part_s_words(sources):
    train, test = datasets.load("trec"), datasets.load("trec", part="test")
    for data, n in ((train, 14), (test, 7)):
        assert data.x.shape == (n, 10) and data.x.dtype == torch.int64
        assert data.y.shape == (n,) and data.y.dtype == torch.int64
        assert data.class_names == TYPES and data.variant == "official"
        assert data.posterior is None and data.texts.dtype == object
        assert data.vocabulary == train.vocabulary
        assert data.vocabulary[:2] == ("<pad>", "<unk>")
    # Once in training, a word is unknown; so is one of the test part alone.
    assert "train" in train.vocabulary and "test" not in train.vocabulary
    assert "sister\xf0city" not in train.vocabulary
    row = [train.vocabulary[i] for i in test.x[2]]
    assert row == "what is it that <unk> asks in row <unk> ?".split()
    every = datasets.load("trec", at_least=1)
    assert "sister\xf0city" in every.vocabulary
    assert same(test, datasets.trec("test")) and not same(train, every)


def test_questions_are_token_ids_likewise(tmp_path, monkeypatch):
    path = tmp_path / "questions.csv"
    monkeypatch.setattr(text, "QUESTIONS", path)
    path.write_text(
        "question,label,part\nWho is it?,human,train\nWhere?,location,train\n"
        '"When and where is it, then?",number,test\n', encoding="utf-8",
    )  # fmt: skip
    train, test = datasets.load("questions"), datasets.load("questions", part="test")
    assert train.vocabulary == ("<pad>", "<unk>", "?", "is", "it", "where", "who")
    assert train.x.tolist() == [[6, 3, 4, 2], [5, 2, 0, 0]]
    assert test.x.tolist() == [[1, 1, 5, 3]]  # as long as the longest to train on
    assert train.y.tolist() == [3, 4] and train.variant is None
    assert train.class_names == TYPES and test.texts[0] == "When and where is it, then?"
    ids = {word: i for i, word in enumerate(train.vocabulary)}
    assert torch.equal(text.encode(train.texts, ids, 4), train.x)


@pytest.mark.parametrize("name", ["animals", "trec"])
def test_the_second_time_needs_no_network(sources, server, monkeypatch, name):
    first = datasets.load(name)
    monkeypatch.setenv("LSR_OFFLINE", "1")
    server.asked.clear()
    assert same(datasets.load(name), first) and server.asked == []


@pytest.mark.parametrize("name", ["animals", "trec"])
def test_a_failed_download_leaves_nothing_that_is_read_later(
    sources, server, cache, name
):
    good = server.answer
    for content in (b"", b"x" * 1000, sources[photographs.ARCHIVE][:-1]):
        server.answer = lambda handler, c=content: loopback.give(handler, c)
        with pytest.raises(datasets.DownloadError, match="could not be downloaded"):
            datasets.load(name)
        assert loopback.names_in(cache) == []
    server.answer = good
    assert len(datasets.load(name)) == {"animals": 60, "trec": 14}[name]


def test_texts_words_and_variant_go_with_the_rows(sources):
    data = datasets.load("trec")
    for rows in (torch.tensor([3, 1]), data.y == 2, slice(4, 9), [5, 2]):
        part = data[rows]
        assert torch.equal(part.x, data.x[rows])
        wanted = np.arange(len(data))[np.asarray(rows) if isinstance(
            rows, (list, torch.Tensor)) else rows]  # fmt: skip
        assert part.texts.tolist() == [data.texts[i] for i in wanted]
        assert part.vocabulary == data.vocabulary and part.variant == "official"
    moved = data.to("meta")
    assert moved.x.device.type == moved.y.device.type == "meta"
    assert moved.texts.tolist() == data.texts.tolist() and moved.variant == "official"
    (part,) = datasets.split(data, (len(data),))
    assert sorted(part.texts) == sorted(data.texts)
    ids = {word: i for i, word in enumerate(data.vocabulary)}
    assert torch.equal(part.x, text.encode(part.texts, ids, data.x.shape[1]))
    noisy = noise.corrupt(data, noise.symmetric_noise(0.5), seed=0)
    assert noisy.texts is data.texts and noisy.vocabulary == data.vocabulary


@pytest.mark.parametrize("name", ["animals", "trec", "questions"])
@pytest.mark.parametrize("bad", ["validation", None, 1, ["train"]])
def test_an_unknown_part_is_named(cache, name, bad):
    with pytest.raises(ValueError) as caught:
        datasets.load(name, part=bad)
    assert str(caught.value) == f"part must be 'train' or 'test', got {bad!r}."
