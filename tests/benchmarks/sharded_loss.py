"""One loss step of classes on several processes, beside gathering the logits: JSON.

    python tests/benchmarks/sharded_loss.py [--rows N] [--rounds N] [--out FILE]

On 1, 2 and 4 processes of this CPU, a thread each, forward and backward: bytes that
collectives hand to a rank, for each row; the most memory that a rank holds beyond its
logits, in copies of all logits; and milliseconds, the median of rounds that take turns,
the slowest rank. With fewer cores than processes the times say little of a cluster.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "data" / "recorded")]
from provenance import load, provenance  # noqa: E402

from lsr_utils import measure  # noqa: E402
from lsr_utils.experiments.several_machines import counted, on_ranks  # noqa: E402
from lsr_utils.sharded import sharded_label_smoothing_cross_entropy  # noqa: E402

RANKS, SIZES, EPS = (1, 2, 4), (32_000, 128_256), 0.1


class Gathered(torch.autograd.Function):
    """All logits on each rank; of their gradient a rank keeps its own part."""

    @staticmethod
    def forward(ctx, part):
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part)
        ctx.width = part.shape[1]
        return torch.cat(parts, 1)

    @staticmethod
    def backward(ctx, slope):
        return slope.split(ctx.width, 1)[dist.get_rank()]


def all_gather(part, y, num_classes):
    return F.cross_entropy(Gathered.apply(part), y, label_smoothing=EPS)


def sharded(part, y, num_classes):
    classes = (dist.get_rank() * part.shape[1], num_classes)
    return sharded_label_smoothing_cross_entropy(part, y, EPS, classes=classes)


WAYS = {"all-gather": all_gather, "sharded": sharded}


def measured(num_rows, num_classes, rounds):
    """On a rank: {way: (loss, bytes a row, copies of all logits, seconds)}."""
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(num_rows, num_classes, generator=draw)
    y = torch.randint(num_classes, (num_rows,), generator=draw)
    whole = z.nbytes
    part = z.chunk(dist.get_world_size(), 1)[dist.get_rank()].clone().requires_grad_()
    del z

    def step(way):
        loss = WAYS[way](part, y, num_classes)
        return loss.item(), torch.autograd.grad(loss, part)

    found, times = {}, {way: [] for way in WAYS}
    for way in WAYS:
        with counted() as sent:
            loss, _ = step(way)
        copies = measure.peak_bytes(lambda way=way: step(way)) / whole
        found[way] = loss, sent.bytes / num_rows, copies
    for _ in range(rounds):
        for way in WAYS:
            dist.barrier()
            start = time.perf_counter()
            step(way)
            times[way].append(time.perf_counter() - start)
    return {way: (*found[way], statistics.median(times[way])) for way in WAYS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    command = f"python tests/benchmarks/sharded_loss.py --rows {options.rows}"
    record = provenance(f"{command} --rounds {options.rounds}", "cpu")
    record |= {"cores": os.cpu_count(), "load_before": load(), "rows": []}
    for ranks in RANKS:
        for size in SIZES:
            given = options.rows, size, options.rounds
            said = on_ranks(ranks, measured, *given, seconds=600)
            losses = {round(way[0], 4) for rank in said for way in rank.values()}
            if max(losses) - min(losses) > 2e-4:
                raise SystemExit(f"They compute different losses: {losses}")
            for way in WAYS:
                _, sent, copies, seconds = map(max, zip(*(s[way] for s in said)))  # noqa: B905
                row = {
                    "ranks": ranks, "N": options.rows, "K": size, "way": way,
                    "bytes_a_row": round(sent, 2), "copies": round(copies, 3),
                    "ms": round(1e3 * seconds, 1),
                }  # fmt: skip
                print(json.dumps(row), file=sys.stderr, flush=True)
                record["rows"].append(row)
    text = json.dumps(record | {"load_after": load()}, indent=1) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
