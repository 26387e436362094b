"""What the benchmark of the fused loss measures, checks and records."""

import json
import pathlib
import sys

import pytest
import torch

TESTS = pathlib.Path(__file__).parent
sys.path.insert(0, str(TESTS / "benchmarks"))
import fused_loss  # noqa: E402
import fused_ways  # noqa: E402


def test_a_cost_counts_the_page_faults_of_the_call():
    pytest.importorskip("resource")
    small = fused_loss.cost(lambda: None, 10, "cpu")
    large = fused_loss.cost(lambda: torch.ones(2**24), 3, "cpu")
    assert large["page_faults"] > small["page_faults"] + 20
    assert large["s"] > small["s"] >= 0 and small["wall_s"] > 0


def test_every_way_of_the_benchmark_is_the_same_loss_or_it_stops():
    found = {"PyTorch": fused_ways.pytorch, "timm": fused_ways.timms_form}
    fused_ways.check(found, "cpu", 8, 6, torch.float32)
    found["other"] = lambda z, y: torch.nn.functional.cross_entropy(z, y)
    with pytest.raises(SystemExit, match="other computes another loss at 8 x 6"):
        fused_ways.check(found, "cpu", 8, 6, torch.float32)


def test_a_row_holds_medians_and_ranges_of_its_own_way():
    found = {"PyTorch": fused_ways.pytorch, "fused": fused_ways.Fused(fused_ways.EPS)}
    rows = fused_loss.compare(found, "cpu", 8, 6, torch.float32, 1.0, 3)
    assert [row["way"] for row in rows] == ["PyTorch", "fused", "in-place scale"]
    for row in rows:
        assert row["low_ms"] <= row["ms"] <= row["high_ms"]
        assert row["times"] == pytest.approx(rows[0]["ms"] / row["ms"], rel=1e-2)
        assert row["of_scale"] == pytest.approx(row["ms"] / rows[2]["ms"], rel=2e-2)
    assert rows[0]["copies"] > 2.9 and rows[1]["copies"] < 1.5


def test_the_reference_in_parts_is_the_reference_whole(monkeypatch):
    z, y = torch.randn(10, 7), torch.arange(10) % 7
    leaf = z.double().requires_grad_()
    whole = torch.nn.functional.cross_entropy(leaf, y, label_smoothing=fused_ways.EPS)
    whole.backward()
    monkeypatch.setattr(fused_ways, "CHUNK", 21)  # three rows, and one at the end
    for wrong, far in ((1.0, 0.0), (1.5, 0.5)):
        loss, off = fused_ways.from_float64(z, y, wrong * leaf.grad)
        assert loss == pytest.approx(whole.item(), rel=1e-12)
        assert off == pytest.approx(far, abs=1e-12)


@pytest.mark.parametrize("after", [0, 8])
def test_a_peer_that_fails_while_it_is_timed_is_missing_and_the_others_stay(after):
    calls = []

    def fails(z, y):
        calls.append(1)
        if len(calls) > after:
            raise NotImplementedError("not for this size")
        return fused_ways.pytorch(z, y)

    found, failed = {"PyTorch": fused_ways.pytorch, "peer": fails}, {}
    rows = fused_loss.compare(found, "cpu", 900, 1000, torch.float32, 1.0, 5, failed)
    assert [row["way"] for row in rows] == ["PyTorch", "in-place scale"]
    assert failed == {"peer": "NotImplementedError"} and len(calls) == after + 1
    with pytest.raises(NotImplementedError):  # nothing is left to be held against
        fused_loss.compare({"PyTorch": fails}, "cpu", 8, 6, torch.float32, 1.0, 3)


def test_the_recorded_run_has_every_row_in_both_ways_of_getting_pages():
    path = fused_loss.ROOT / "data" / "recorded" / "fused_loss_cpu.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record.keys() >= {"device", "date", "commit", "load_before", "load_after"}
    kinds = {}
    for row in record["rows"]:
        kind = row["N"], row["K"], row["dtype"], row["upstream"], row["way"]
        kinds.setdefault(row["pages"], []).append(kind)
    assert list(kinds) == [fused_loss.FRESH, fused_loss.KEPT]
    assert kinds[fused_loss.FRESH] == kinds[fused_loss.KEPT]
    sizes = {kind[:2] for kind in kinds[fused_loss.KEPT]}
    assert sizes == set(fused_loss.SIZES["cpu"])
    faults = [r["page_faults"] for r in record["rows"] if r["pages"] == fused_loss.KEPT]
    assert max(faults) < 100  # 16,001 for a new tensor of the largest size
