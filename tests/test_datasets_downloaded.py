"""Photographs, TREC, this course's questions: from files to tensors and token ids.

Small files in exactly the layout of the official ones are official, or a copy of them.
"""

import collections
import io
import sys
import tarfile

import loopback
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook_files import ROOT

from lsr_utils import datasets
from lsr_utils.datasets import noise, photographs, text

sys.path.insert(0, str(ROOT / "data" / "recorded"))
import import_data  # noqa: E402

RECORDS = 20  # photos of each of the six files, instead of 10,000
COUNTS = {"train": 14, "test": 7}  # lines of TREC
COPY = ("--variant", "a copy")
ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
TYPES = ("abbreviation", "entity", "description", "human", "location", "number")


def records(seed):
    """The content of one of the six files, labels and pixels: (RECORDS, 3073) bytes."""
    rng = np.random.default_rng(seed)
    content = rng.integers(0, 256, (RECORDS, photographs.RECORD), dtype=np.uint8)
    content[:, 0] = rng.permutation(RECORDS) % 10
    return content


def archive():
    """The archive with its folder, six files and a text, as bytes."""
    names = sum(photographs.PARTS.values(), [])
    contents = {name: records(i).tobytes() for i, name in enumerate(names)}
    contents["cifar-10-batches-bin/batches.meta.txt"] = b"airplane\ncat\n"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for name in sorted(contents, reverse=True):
            member = tarfile.TarInfo(name)
            member.size = len(contents[name])
            made.addfile(member, io.BytesIO(contents[name]))
    return file.getvalue()


def trec_lines(part, n):
    """``n`` lines of TREC, each question with its own number; bytes in Latin-1."""
    asks = f"fine What is it that {part} asks in row"
    lines = [f"{text.COARSE[i % 6]}:{asks} {i} ?" for i in range(n)]
    lines[1] = "LOC:city Which city has a sister\xf0city \x85 with another city ?"
    return ("\n".join(lines) + "\n").encode("latin-1")


@pytest.fixture(autouse=True)
def small(monkeypatch, cache):
    assert [lines for _, lines in text.TREC.values()] == [5452, 500]
    trec = {part: (text.TREC[part][0], n) for part, n in COUNTS.items()}
    monkeypatch.setattr(text, "TREC", trec)
    monkeypatch.setattr(import_data, "RECORDS", RECORDS)


@pytest.fixture
def sources(server, monkeypatch):
    """Small official files on the loopback server, by their names."""
    files = {text.TREC[part][0]: trec_lines(part, n) for part, n in COUNTS.items()}
    files[photographs.ARCHIVE] = archive()
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
        rows = np.concatenate([records(i) for i in files])
        kept = rows[(rows[:, 0] >= 2) & (rows[:, 0] <= 7)]  # airplane is 0, truck 9
        assert data.x.dtype == torch.float32 and data.y.tolist() == list(kept[:, 0] - 2)
        pixels = kept[:, 1:].reshape(-1, 3, 32, 32) / 255
        np.testing.assert_allclose(data.x, (pixels - mean) / std, atol=1e-5)
        assert data.class_names == ANIMALS and data.variant == "official"


def test_trec_is_token_ids_of_the_training_part_s_words(sources):
    train, test = datasets.load("trec"), datasets.load("trec", part="test")
    for data, n in zip((train, test), COUNTS.values(), strict=True):
        assert data.x.shape == (n, 10) and data.y.shape == (n,)
        assert data.x.dtype == data.y.dtype == torch.int64
        assert data.class_names == TYPES and data.variant == "official"
        assert data.posterior is None and data.vocabulary == train.vocabulary
    # Once in training, a word is unknown; so is one of the test part alone.
    assert "train" in train.vocabulary and "test" not in train.vocabulary
    assert "sister\xf0city" not in train.vocabulary and "city" in train.vocabulary
    row = [train.vocabulary[i] for i in test.x[2]]
    assert row == "what is it that <unk> asks in row <unk> ?".split()
    every = datasets.load("trec", at_least=1)
    assert "sister\xf0city" in every.vocabulary and not same(train, every)


def test_texts_words_and_variant_go_with_the_rows(sources):
    data = datasets.load("trec")
    ids = {word: i for i, word in enumerate(data.vocabulary)}
    (shuffled,) = datasets.split(data, (len(data),))
    noisy = noise.corrupt(data, noise.symmetric_noise(0.5), seed=0)
    for part in (data[torch.tensor([3, 1])], data[4:9], shuffled, noisy):
        assert torch.equal(part.x, text.encode(part.texts, ids, data.x.shape[1]))
        assert part.vocabulary == data.vocabulary and part.variant == "official"
    assert data.to("meta").texts.tolist() == data.texts.tolist()


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "train_5500.label"
        path.write_bytes(content)
        return text.read_trec(path, 14)

    return read


def test_trec_is_read_in_latin_1_with_its_six_coarse_types(read):
    lines = trec_lines("train", 14)
    questions, labels = read(lines)
    assert questions[2] == "What is it that train asks in row 2 ?"
    assert questions[1] == "Which city has a sister\xf0city \x85 with another city ?"
    assert labels == [0, 4, *(i % 6 for i in range(2, 14))]
    for coarse, name in zip(text.COARSE, TYPES, strict=True):
        assert name.upper().startswith(coarse[:3])  # ABBR and abbreviation, ...
    # Line ends of another system and spaces are no part of a question.
    spaced = lines.replace(b"\n", b" \r\n").replace(b"fine What", b"fine   What")
    assert read(spaced) == (questions, labels)


@pytest.mark.parametrize("line", [b"", b"Is it ?", b"ABBR:exp ", b"XXXX:exp Is it ?"])
def test_a_file_with_a_malformed_line_is_refused(read, line):
    lines = trec_lines("train", 14).split(b"\n")
    lines[4] = line
    with pytest.raises(ValueError, match="^train.* got 14, of which 1 are not so"):
        read(b"\n".join(lines))
    with pytest.raises(ValueError, match="^train.* must have 14 lines .* got 13, "):
        read(trec_lines("train", 13))


def test_the_course_s_questions_are_those_that_pandas_reads():
    ids = {word: i for i, word in enumerate(datasets.load("questions").vocabulary)}
    for part, rows in pd.read_csv(ROOT / "data" / "questions.csv").groupby("part"):
        data = datasets.load("questions", part=part)
        assert data.texts.tolist() == rows["question"].tolist()
        assert [TYPES[label] for label in data.y] == rows["label"].tolist()
        assert torch.equal(data.x, text.encode(data.texts, ids, data.x.shape[1]))


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


@settings(max_examples=20)
@given(
    st.lists(st.text(max_size=20), min_size=1, max_size=4),
    st.integers(1, 8),
    st.integers(1, 2),
)
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
    assert text.vocabulary(texts).keys() == {"<pad>", "<unk>", *counts}
    words = [*known][2:]  # by how often, then by the alphabet
    assert words == sorted(words, key=lambda word: (-counts[word], word))
    for row, found in zip(text.encode(texts, known, length), tokens, strict=True):
        found = [word if word in frequent else "<unk>" for word in found[:length]]
        wanted = found + ["<pad>"] * (length - len(found))
        assert [list(known)[i] for i in row] == wanted


# A copy of a data set from elsewhere, which then says that it is one ------------------


def run(*arguments):
    import_data.main([str(argument) for argument in arguments])


def test_photos_are_taken_over_with_the_name_of_the_copy(tmp_path, cache, capsys):
    rng, arrays, path = np.random.default_rng(0), {}, tmp_path / "photos.npz"
    for part, n in (("train", 60), ("test", 12)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{part}"] = rng.permutation(n) % 6
    np.savez(path, **arrays)
    run("animals", path, *COPY)
    assert capsys.readouterr().out == f"animals: a copy, in {cache}\n"
    for part in COUNTS:
        data = datasets.load("animals", part=part)
        assert data.variant == "a copy"
        assert data.y.tolist() == arrays[f"y_{part}"].tolist()
        pixels = arrays[f"x_{part}"][3, 10, 20, 1] / 255  # green
        assert data.x[3, 1, 10, 20] == pytest.approx((pixels - 0.466) / 0.232, abs=1e-5)
    assert loopback.names_in(cache) == ["animals-copy.npz"]
    for changes, reason in (
        ({"x_train": arrays["x_train"] / 255}, "(60, 32, 32, 3) of uint8"),
        ({"y_train": arrays["y_train"] + 6}, "must hold labels 0 to 5 in y_train"),
    ):
        np.savez(path, **(arrays | changes))
        with pytest.raises(SystemExit):
            run("animals", path, *COPY)
        assert reason in capsys.readouterr().err


def test_trec_is_taken_over_and_gone_when_it_is_deleted(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    files = [tmp_path / f"{part}.label" for part in COUNTS]
    for path, (part, n) in zip(files, COUNTS.items(), strict=True):
        path.write_bytes(trec_lines(part, n))
    run("trec", *files, "--variant", "another copy")
    for part, n in COUNTS.items():
        data = datasets.load("trec", part=part)
        assert data.variant == "another copy" and len(data) == n
        assert data.texts[2] == f"What is it that {part} asks in row 2 ?"
    cache.joinpath("trec-copy.npz").unlink()
    with pytest.raises(datasets.DownloadError):
        datasets.load("trec")


def test_a_copy_that_holds_objects_is_never_unpickled(cache):
    cache.mkdir()
    stored = {"x_train": np.array([{}]), "y_train": np.zeros(1), "variant": "a copy"}
    np.savez(cache / "trec-copy.npz", **stored)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        datasets.load("trec")
