"""From text to numbers: tokens, a vocabulary, and rows of token ids.

Taught in 07, where the three functions are shown in full.
"""

import collections
import re

import torch

PADDING, UNKNOWN = "<pad>", "<unk>"  # ids 0 and 1; no text has them as a token


def tokenize(text):
    """Words and numbers in lower case, each mark of punctuation, and 's: a list.

    "Who's Ada Lovelace?" gives ["who", "'s", "ada", "lovelace", "?"].
    """
    return re.findall(r"'s\b|\w+|[^\w\s]", text.lower().replace("\u2019", "'"))


def vocabulary(texts, at_least=1):
    """The ids of the words of some texts, the most frequent first: a dict.

    texts    : strings
    at_least : how often a word must stand in them
    returns  : dict of word to id; 0 is padding and 1 any word that is not in it.
               Words that are equally frequent stand in the order of the alphabet
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
