"""Photographs and TREC: from the official files to tensors, and the second time."""

import loopback
import numpy as np
import official_files as official
import pytest
import torch

from lsr_utils import datasets
from lsr_utils.datasets import noise, photographs, text

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
TYPES = ("abbreviation", "entity", "description", "human", "location", "number")


@pytest.fixture
def sources(server, monkeypatch):
    """Small official files on the loopback server, by their names."""
    trec = {p: (text.TREC[p][0], n) for p, n in (("train", 14), ("test", 7))}
    monkeypatch.setattr(text, "TREC", trec)
    files = {photographs.ARCHIVE: official.archive()}
    files |= {name: official.trec_lines(part, n) for part, (name, n) in trec.items()}
    for name, content in files.items():
        loopback.register(monkeypatch, server.url, content, name)
    server.answer = lambda handler: loopback.give(handler, files[handler.path[1:]])
    return files


def same(one, other):
    return torch.equal(one.x, other.x) and torch.equal(one.y, other.y)


def test_animals_are_picked_numbered_and_standardised(sources):
    mean, std = (np.array(v).reshape(3, 1, 1) for v in (
        (0.488, 0.466, 0.400), (0.236, 0.232, 0.241)
    ))  # fmt: skip
    for part, files in (("train", range(5)), ("test", [5])):
        data = datasets.load("animals", part=part)
        rows = np.concatenate([official.records(i) for i in files])
        kept = rows[(rows[:, 0] >= 2) & (rows[:, 0] <= 7)]  # airplane is 0, truck 9
        assert data.x.dtype == torch.float32 and data.y.tolist() == list(kept[:, 0] - 2)
        pixels = kept[:, 1:].reshape(-1, 3, 32, 32) / 255
        np.testing.assert_allclose(data.x, (pixels - mean) / std, atol=1e-5)
        assert data.class_names == ANIMALS and data.variant == "official"
        assert data.posterior is data.texts is data.vocabulary is None


def test_the_files_are_joined_in_the_order_of_their_names(tmp_path):
    straight, turned = tmp_path / "straight", tmp_path / "turned"
    straight.write_bytes(official.archive())
    turned.write_bytes(official.archive(turned=True))
    for part in photographs.PARTS:
        one, two = (photographs.read_archive(p, part) for p in (straight, turned))
        assert np.array_equal(one[0], two[0]) and np.array_equal(one[1], two[1])
    assert len([*tmp_path.iterdir()]) == 2  # nothing is unpacked


def test_trec_is_token_ids_of_the_training_part_s_words(sources):
    train, test = datasets.load("trec"), datasets.load("trec", part="test")
    for data, n in ((train, 14), (test, 7)):
        assert data.x.shape == (n, 10) and data.y.shape == (n,)
        assert data.x.dtype == data.y.dtype == torch.int64
        assert data.class_names == TYPES and data.variant == "official"
        assert data.posterior is None and data.vocabulary == train.vocabulary
    # Once in training, a word is unknown; so is one of the test part alone.
    assert "train" in train.vocabulary and "test" not in train.vocabulary
    assert "sister\xf0city" not in train.vocabulary
    row = [train.vocabulary[i] for i in test.x[2]]
    assert row == "what is it that <unk> asks in row <unk> ?".split()
    every = datasets.load("trec", at_least=1)
    assert "sister\xf0city" in every.vocabulary and not same(train, every)


@pytest.mark.parametrize("name", ["animals", "trec"])
def test_the_second_time_needs_no_network_and_a_failure_leaves_nothing(
    sources, server, cache, monkeypatch, name
):
    good = server.answer
    for content in (b"", sources[photographs.ARCHIVE][:-1]):
        server.answer = lambda handler, c=content: loopback.give(handler, c)
        with pytest.raises(datasets.DownloadError, match="could not be downloaded"):
            datasets.load(name)
        assert loopback.names_in(cache) == []
    server.answer = good
    first = datasets.load(name)
    monkeypatch.setenv("LSR_OFFLINE", "1")
    server.asked.clear()
    assert same(datasets.load(name), first) and server.asked == []


def test_texts_words_and_variant_go_with_the_rows(sources):
    data = datasets.load("trec")
    ids = {word: i for i, word in enumerate(data.vocabulary)}
    (shuffled,) = datasets.split(data, (len(data),))
    noisy = noise.corrupt(data, noise.symmetric_noise(0.5), seed=0)
    parts = [data[torch.tensor([3, 1])], data[data.y == 2], data[4:9], data[[5, 2]]]
    for part in (*parts, shuffled, noisy):
        assert torch.equal(part.x, text.encode(part.texts, ids, data.x.shape[1]))
        assert part.vocabulary == data.vocabulary and part.variant == "official"
    assert parts[0].texts.tolist() == [data.texts[3], data.texts[1]]
    moved = data.to("meta")
    assert moved.texts.tolist() == data.texts.tolist() and moved.variant == "official"
