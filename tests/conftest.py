"""What the unit tests share: one thread, reproducible examples, the loss under test."""

import hypothesis
import loopback
import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from lsr_utils import style
from lsr_utils.losses import label_smoothing_cross_entropy

# The same examples in every run, and no clock: a slow runner is not a failure.
hypothesis.settings.register_profile(
    "course", derandomize=True, deadline=None, database=None, max_examples=60
)
hypothesis.settings.load_profile("course")
matplotlib.use("Agg")
torch.set_num_threads(1)


@pytest.fixture
def loss_fn():
    """The loss under test; the bug hunt puts a wrong one in its place."""
    return label_smoothing_cross_entropy


@pytest.fixture
def sharded_loss_fn(loss_fn):
    """The loss of logits whose classes are split over several tensors."""
    return lambda shards, *given, **how: loss_fn(torch.cat(shards, 1), *given, **how)


@pytest.fixture
def course_style():
    """Figures in the style of the course, and closed at the end."""
    with plt.rc_context():
        style.use()
        yield
    plt.close("all")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache folder, not made yet, and none of the reader's own settings."""
    for name in ("LSR_DATA_MIRROR", "LSR_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("LSR_DATA_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(cache, monkeypatch):
    """A loopback server that gives loopback.CONTENT, registered as the official one."""
    with loopback.Server() as started:
        loopback.register(monkeypatch, started.url)
        yield started
