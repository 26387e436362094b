"""Questions of six types as rows of token ids. Taught in deep dive 09a."""

import collections
import csv
import re

import numpy as np
import torch

from .. import check
from .downloads import fetch, shipped, stand_in
from .sixclass import SixClass

TYPES = ("abbreviation", "entity", "description", "human", "location", "number")
COARSE = ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")  # TREC's names, in this order
TREC = {"train": ("train_5500.label", 5452), "test": ("TREC_10.label", 500)}
QUESTIONS = shipped("questions.csv")
PADDING, UNKNOWN = "<pad>", "<unk>"  # ids 0 and 1; no text has them as a token


def questions(part="train", at_least=1):
    """Questions of six types, written for this course: x (N, L) token ids.

    part     : "train" or "test"; both use the words of the training part, and L tokens,
               its longest question
    at_least : how often a word stands in the training part to have an id of its own
    """
    return _encoded(_read_questions, part, at_least)


def trec(part="train", at_least=2):
    """The TREC questions: 5,452 to train and 500 to test, x (N, L) token ids.

    Options and classes as for ``questions``: the coarse types of Li and Roth 2002.
    """
    return _encoded(_read_trec, part, at_least)


def _encoded(read, part, at_least):
    """A part as SixClass, by the vocabulary of the training part."""
    texts, labels, variant = read(check.one_of(part, "part", TREC))
    train, *_ = read("train")
    words = vocabulary(train, at_least)
    x = encode(texts, words, max(len(tokenize(text)) for text in train))
    texts = np.array(texts, dtype=object)
    return SixClass(x, torch.tensor(labels), None, TYPES, texts, tuple(words), variant)


def _read_questions(part):
    with open(QUESTIONS, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == part]
    labels = [TYPES.index(row["label"]) for row in rows]
    return [row["question"] for row in rows], labels, None


def _read_trec(part):
    name, size = TREC[part]
    return stand_in("trec", part) or (*read_trec(fetch(name), size), "official")


def read_trec(path, size):
    """Questions and types, two lists, of ``size`` lines ``COARSE:fine question``."""
    form = rf"({'|'.join(COARSE)}):\w+ \s*(\S.*?)\s*"
    lines = path.read_bytes().decode("latin-1").rstrip("\r\n").split("\n")
    found = [re.fullmatch(form, line) for line in lines]
    must = f"{path.name} must have {size} lines such as 'NUM:date When was it ?'"
    got = f"{len(lines)}, of which {found.count(None)} are not so"
    check.that(len(lines) == size and None not in found, must, got)
    return [row[2] for row in found], [COARSE.index(row[1]) for row in found]


def tokenize(text):
    """Words and numbers in lower case, each mark of punctuation, and 's: a list.

    "Who's Ada Lovelace?" gives ["who", "'s", "ada", "lovelace", "?"].
    """
    return re.findall(r"'s\b|\w+|[^\w\s]", text.lower().replace("\u2019", "'"))


def vocabulary(texts, at_least=1):
    """The ids of the words of some texts, the most frequent first: a dict.

    at_least : how often a word must stand in them
    returns  : dict of word to id; 0 is padding, 1 any other word; ties by the alphabet
    """
    counts = collections.Counter(word for text in texts for word in tokenize(text))
    kept = [word for word in counts if counts[word] >= at_least]
    kept.sort(key=lambda word: (-counts[word], word))
    return {word: i for i, word in enumerate([PADDING, UNKNOWN, *kept])}


def encode(texts, vocabulary, length):
    """Token ids of texts, a row each: (N, length) int64 tensor.

    vocabulary : dict of word to id, as ``vocabulary`` makes it
    length     : of a row; longer texts are cut, shorter ones end in 0
    """
    ids = torch.zeros(len(texts), length, dtype=torch.int64)
    for row, text in zip(ids, texts, strict=True):
        known = [vocabulary.get(word, 1) for word in tokenize(text)[:length]]
        row[: len(known)] = torch.tensor(known)
    return ids
