"""The losses of deep dive 08b, and the loop that trains them side by side."""

import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from lsr_utils.experiments import gains, relatives

DRAW = torch.Generator().manual_seed(0)
Z = 3 * torch.randn(2, 40, 6, generator=DRAW, dtype=torch.float64)
Y = torch.randint(6, (2, 40), generator=DRAW)
SHARE = torch.tensor([[0.3], [0.8]], dtype=torch.float64)


def test_towards_alike_is_pytorchs_loss_with_probabilities_and_rows_are_mixed():
    alike = Z[:, :6].softmax(-1)  # a table (K, K) for each of two networks
    found, mixed = relatives.towards(alike, Z, Y, SHARE), relatives.mix(Z, SHARE)
    for m, share in enumerate(SHARE):
        q = (1 - share) * torch.eye(6)[Y[m]] + share * alike[m, Y[m]]
        wanted = cross_entropy(Z[m], q, reduction="none")
        assert_close(found[m], wanted, rtol=0, atol=1e-10)
        wanted = share * Z[m, 7] + (1 - share) * Z[m, 32]
        assert_close(mixed[m, 7], wanted, rtol=0, atol=1e-12)


def test_the_loop_trains_as_a_fleet_does_and_without_a_loss_it_mixes(monkeypatch):
    name, loss = "clouds, 300", relatives.LOSSES["smoothing"]
    monkeypatch.setattr(gains, "SETTINGS", {name: ("gaussians", "mlp", 60, 20, 2e-3)})
    found, _ = relatives.fit(name, [3, 4], [0.0, 0.2], loss)
    found["value"] = found["value"].astype(float).round(5)
    arms = gains.arms("smoothing", values=[0.0, 0.2])
    fleet = gains.fit(name, arms, [3, 4]).table("test").rename(columns={"eps": "value"})
    both = found.merge(fleet, on=["value", "seed"], suffixes=("", " fleet"))
    assert len(both) == 4 and both["nll"].nunique() == 4
    for measure in ("nll", "accuracy"):
        assert both[measure].sub(both[f"{measure} fleet"]).abs().max() < 1e-4
    mixed, _ = relatives.fit(name, [3], [1.0], None)
    assert abs(mixed["nll"][0] - found["nll"][0]) > 1e-3
