"""The losses of deep dive 08b, and the loop that trains them side by side."""

import importlib

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from lsr_utils.experiments import gains, relatives

DRAW = torch.Generator().manual_seed(0)
Z = 3 * torch.randn(2, 40, 6, generator=DRAW, dtype=torch.float64)
Y = torch.randint(6, (2, 40), generator=DRAW)
SHARE = torch.tensor([[0.3], [0.8]], dtype=torch.float64)


def test_towards_alike_is_pytorchs_loss_with_probabilities():
    alike = Z[:, :6].softmax(-1)  # a table (K, K) for each of two networks
    found = relatives.towards(alike, Z, Y, SHARE)
    one_hot = torch.eye(6, dtype=torch.float64)
    for m in range(2):
        q = (1 - SHARE[m]) * one_hot[Y[m]] + SHARE[m] * alike[m, Y[m]]
        wanted = cross_entropy(Z[m], q, reduction="none")
        assert_close(found[m], wanted, rtol=0, atol=1e-10)


def test_rows_are_mixed_with_those_of_the_other_end():
    mixed = relatives.mix(Z, SHARE)
    for m, row in ((0, 0), (1, 7)):
        wanted = SHARE[m] * Z[m, row] + (1 - SHARE[m]) * Z[m, 39 - row]
        assert_close(mixed[m, row], wanted, rtol=0, atol=1e-12)
    assert_close(relatives.mix(Z, torch.ones(2, 1)), Z, rtol=0, atol=0)


@pytest.fixture
def few(monkeypatch):
    """One setting of the experiment, small: its name."""
    settings = {"clouds, 300": ("gaussians", "mlp", 60, 20, 2e-3)}
    monkeypatch.setattr(gains, "SETTINGS", settings)
    return "clouds, 300"


def test_the_loop_trains_as_a_fleet_does(few):
    loss = relatives.LOSSES["smoothing"]
    found, _ = relatives.fit(few, [3, 4], [0.0, 0.2], loss)
    arms = gains.arms("smoothing", values=[0.0, 0.2])
    fleet = gains.fit(few, arms, [3, 4]).table("test").rename(columns={"eps": "value"})
    found["value"] = found["value"].astype(float).round(5)
    both = found.merge(fleet, on=["value", "seed"], suffixes=("", " fleet"))
    assert len(both) == 4 and both["nll"].nunique() == 4
    for name in ("nll", "accuracy"):
        assert both[name].sub(both[f"{name} fleet"]).abs().max() < 1e-4


def test_without_a_loss_it_mixes_up(few, monkeypatch):
    by = {a: relatives.fit(few, [3], [a], None)[0]["nll"][0] for a in (1e-6, 1.0)}
    plain = relatives.fit(few, [3], [0.0], relatives.LOSSES["smoothing"])[0]["nll"][0]
    assert (
        abs(by[1.0] - plain) > 1e-3
    )  # at 1e-6 every share is 0 or 1: rows as they are
    module = importlib.import_module("lsr_utils.experiments.relatives")
    monkeypatch.setattr(module, "mix", lambda rows, share: rows)
    unmixed = relatives.fit(few, [3], [1.0], None)[0]["nll"][0]
    assert abs(unmixed - plain) < 1e-5
