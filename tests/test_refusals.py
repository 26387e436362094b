"""What the package refuses, in one table: a call, and the sentence that it ends in.

A refusal stands here where the error would otherwise be silent. Each row is a function
without arguments, the kind of exception, and what its message says: the argument, its
value, what is allowed.
"""

import re

import pytest
import torch

from lsr_utils import check

NAN = float("nan")
P = torch.full((4, 6), 1 / 6)  # probabilities of four rows
Y = torch.tensor([0, 1, 2, 3])

CHECK = [
    (lambda: check.real("0.1", "eps", "[0, 1]"), TypeError, "eps must be a number in"),
    (lambda: check.real(True, "eps", "[0, 1]"), TypeError, "got True"),
    (lambda: check.real(NAN, "eps", "[0, 1]"), ValueError, "[0, 1], got nan"),
    (lambda: check.real(1.0, "dropout", "[0, 1)"), ValueError, "[0, 1), got 1.0"),
    (lambda: check.whole(2.5, "n_bins", 1), ValueError, "at least 1, got 2.5"),
    (lambda: check.whole(True, "n_bins", 1), ValueError, "at least 1, got True"),
    (lambda: check.seed(2**32), ValueError, "0 to 4294967295, got 4294967296"),
    (lambda: check.one_of("al", "spread", ("all", "others")), ValueError, "got 'al'"),
]
TARGETS = []
LOSSES = []
FUSED = []
DATASETS = []
MODELS = []
TRAINING = []
FLEET = []
STATS = []
CALIBRATION = []
GEOMETRY = []
PLOTS = []
SLIDERS = []
NOTEBOOK = []

ROWS = [
    pytest.param(*row, id=f"{part}: {row[2]}")
    for part, rows in sorted(globals().items())
    if part.isupper() and isinstance(rows, list) and part != "ROWS"
    for row in rows
]


@pytest.mark.parametrize(("call", "kind", "says"), ROWS)
def test_refused_in_one_sentence(call, kind, says):
    with pytest.raises(kind, match=re.escape(says)) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.rstrip().endswith((".", ")"))
