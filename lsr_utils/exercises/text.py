"""Exercises to notebook 09, text."""

import torch
import torch.nn.functional as F

from .engine import draw, sign


def _encode(words, vocabulary, length, *, unknown=1, padding=0, start=False):
    ids = [vocabulary.get(word, unknown) for word in words]
    ids = [i for i in ids if i is not None]
    ids = ids[-length:] if start == "cut" else ids[:length]
    room = [padding] * (length - len(ids))
    return torch.tensor(room + ids if start == "pad" else ids + room)


class E09_1:
    """ids, cut to the length or filled up with 0 (09.2).
    unknown_as_padding: an unknown word got 0, the id of padding. It is 1.
    left_out: unknown words were left out. They keep their place, as 1.
    padded_with_one: the end is filled with 1, which says "unknown". Padding is 0.
    padded_in_front: the zeros belong behind the words.
    cut_in_front: you kept the *last* words of a long question.
    """

    right = lambda *case: _encode(*case)
    unknown_as_padding = lambda *case: _encode(*case, unknown=0)
    left_out = lambda *case: _encode(*case, unknown=None)
    padded_with_one = lambda *case: _encode(*case, padding=1)
    padded_in_front = lambda *case: _encode(*case, start="pad")
    cut_in_front = lambda *case: _encode(*case, start="cut")

    def cases():
        known = {w: i for i, w in enumerate("<pad> <unk> ? what is the a who".split())}
        texts = ["what is a fjord ?", "who is the ghost in the machine", "who ?"]
        return [(text.split(), known, 5) for text in texts]


def _bag(ids, vectors, first=1, divisor=None, outside=0):
    """Mean over the words; ids below first are no words, the others add outside."""
    mask = (ids >= first).to(vectors)[..., None]
    count = mask.sum(1).clamp(min=1) if divisor is None else divisor
    return (vectors[ids] * mask.clamp(min=outside)).sum(1) / count


class E09_2:
    """padding adds nothing, and does not count (09.3).
    by_length: you divided by L, not by the number of words.
    plain_mean: this is the mean over all L places, padding included.
    padding_added: you counted the words, but the sum holds the vector of padding.
    unknown_out: unknown words are words: id 1 has a trained vector too (09.2).
    empty: nan: no words, and divided by its 0 words. Divide by at least 1.
    """

    right = lambda *case: _bag(*case)
    by_length = lambda *case: _bag(*case, divisor=case[0].shape[1])
    plain_mean = lambda *case: _bag(*case, first=0)
    padding_added = lambda *case: _bag(*case, outside=1)
    unknown_out = lambda *case: _bag(*case, first=2)
    empty = sign(lambda mean, *_: not mean.isfinite().all())

    def cases():
        ids = torch.tensor([[3, 4, 7, 2, 0, 0], [5, 1, 5, 4, 6, 2], [0] * 6])
        return [(some, draw(7, 8, 3)) for some in (ids[:2], ids, ids[:, :5])]


def _alike(counts, own=1, left=1, across=1):
    """s with own / K on the diagonal and 1 - left / K beside it."""
    k, eye = len(counts), torch.eye(len(counts), dtype=torch.float64)
    wrong = counts * (1 - eye)
    wrong = torch.where(wrong.sum(across, keepdim=True) > 0, wrong, 1 - eye)
    return own / k * eye + (1 - left / k) * F.normalize(wrong, 1, across)


class E09_3_alike:
    """every row sums to 1, and only the wrong types are re-weighted (09.8).
    with_diagonal: you normalised whole rows. Leave the right answers out.
    columns: you divided by column sums. A row is a true type: *rows* sum to 1.
    transposed: `counts[a, b]` has the true type a in its row.
    no_own_share: the true type got nothing of s. It keeps its 1/K.
    too_much: the rows sum to 1 + 1/K: the others share 1 − 1/K.
    never_wrong: nan: a type never mixed up has no proportions, 0 / 0. Spread evenly.
    """

    right = lambda counts: _alike(counts)
    with_diagonal = lambda counts: F.normalize(counts.double(), 1, 1)
    columns = lambda counts: _alike(counts, across=0)
    transposed = lambda counts: _alike(counts.mT)
    no_own_share = lambda counts: _alike(counts, own=0, left=0)
    too_much = lambda counts: _alike(counts, left=0)
    never_wrong = sign(lambda alike, counts: alike.isnan().any())

    def cases():
        counts = torch.tensor(
            [[30, 6, 2, 0], [9, 20, 1, 3], [1, 1, 40, 1], [2, 4, 8, 9]]
        )
        often = torch.tensor([[1], [1], [0], [1]]).clamp(min=torch.eye(4).long())
        return [(counts,), (counts * often,)]


def _towards(z, rows, y, eps, keep=None):
    one_hot = F.one_hot(y, z.shape[1]) * (1 - eps if keep is None else keep)
    return -((one_hot + eps * rows) * z.log_softmax(1)).sum(1).mean()


class E09_3:
    """ε goes to the row of the true type (09.8).
    transposed: you took a *column* of s. The row is a distribution: alike[y].
    uniform: s is not used: this is plain label smoothing.
    no_factor: the true type lost nothing: its part weighs 1 − ε.
    of_the_answer: this is the row of the network's answer. Take the label's.
    s_alone: this is the loss towards s only. The target is (1 − ε) one-hot + ε s.
    """

    right = lambda z, y, alike, eps: _towards(z, alike[y], y, eps)
    transposed = lambda z, y, alike, eps: _towards(z, alike.mT[y], y, eps)
    uniform = lambda z, y, alike, eps: F.cross_entropy(z, y, label_smoothing=eps)
    no_factor = lambda z, y, alike, eps: _towards(z, alike[y], y, eps, keep=1)
    of_the_answer = lambda z, y, alike, eps: _towards(z, alike[z.argmax(1)], y, eps)
    s_alone = lambda z, y, alike, eps: _towards(z, alike[y], y, 1, keep=0)

    def cases():
        z, y = 2 * draw(17, 7, 4), torch.tensor([0, 1, 2, 3, 3, 1, 0])
        return [(z, y, _alike(E09_3_alike.cases()[0][0]), eps) for eps in (0.1, 0.4)]
