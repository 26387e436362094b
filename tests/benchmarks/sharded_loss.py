"""One loss step of classes on several processes, beside gathering the logits: JSON.

    python tests/benchmarks/sharded_loss.py [--rounds N] [--out FILE]

On 1, 2 and 4 processes of this CPU, a thread each, 256 rows, forward and backward:
bytes that collectives hand to a rank for each row, memory beyond the logits in copies
of all logits, and the median milliseconds, each of the worst rank. With fewer cores
than processes the times say little of a cluster.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # ranks would take GPUs
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
import torch.nn.functional as F  # noqa: E402

sys.path[:0] = [str(pathlib.Path(__file__).parents[2] / "data" / "recorded")]
from provenance import load, provenance  # noqa: E402

from lsr_utils import measure  # noqa: E402
from lsr_utils.experiments.several_machines import counted, on_ranks  # noqa: E402
from lsr_utils.sharded import sharded_label_smoothing_cross_entropy  # noqa: E402

ROWS, EPS = 256, 0.1


class Gathered(torch.autograd.Function):
    """All logits on each rank; of their gradient a rank keeps its own part."""

    @staticmethod
    def forward(ctx, part):
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part)
        return torch.cat(parts, 1)

    @staticmethod
    def backward(ctx, slope):
        return slope.chunk(dist.get_world_size(), 1)[dist.get_rank()]


def all_gather(part, y, num_classes):
    return F.cross_entropy(Gathered.apply(part), y, label_smoothing=EPS)


def sharded(part, y, num_classes):
    classes = (dist.get_rank() * part.shape[1], num_classes)
    return sharded_label_smoothing_cross_entropy(part, y, EPS, classes=classes)


WAYS = {"all-gather": all_gather, "sharded": sharded}


def measured(num_classes, rounds):
    """On a rank, of each way: (loss, bytes a row, copies of all logits, ms)."""
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(ROWS, num_classes, generator=draw)
    y = torch.randint(num_classes, (ROWS,), generator=draw)
    part = z.chunk(dist.get_world_size(), 1)[dist.get_rank()].clone().requires_grad_()
    whole, z = z.nbytes, None

    def step(way):
        dist.barrier()
        start = time.perf_counter()
        loss = WAYS[way](part, y, num_classes)
        loss.backward()
        part.grad = None
        return loss.item(), 1e3 * (time.perf_counter() - start)

    found = []
    for way in WAYS:
        with counted() as sent:
            loss, _ = step(way)
        copies = measure.peak_bytes(lambda way=way: step(way)) / whole
        found.append((loss, sent.bytes / ROWS, copies))
    times = zip(*([step(way)[1] for way in WAYS] for _ in range(rounds)), strict=True)
    return [(*f, statistics.median(t)) for f, t in zip(found, times, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=argparse.FileType("w"), default=sys.stdout)
    options = parser.parse_args()
    command = f"python tests/benchmarks/sharded_loss.py --rounds {options.rounds}"
    record = provenance(command, "cpu") | {"cores": os.cpu_count(), "load": load()}
    record["rows"] = []
    for ranks in (1, 2, 4):
        for size in (32_000, 128_256):
            said = on_ranks(ranks, measured, size, options.rounds, seconds=600)
            for way, *of_ranks in zip(WAYS, *said, strict=True):
                loss, sent, copies, ms = map(max, zip(*of_ranks, strict=True))
                row = {"ranks": ranks, "N": ROWS, "K": size, "way": way}
                row |= {"loss": round(loss, 5), "bytes_a_row": round(sent, 2)}
                row |= {"copies": round(copies, 3), "ms": round(ms, 1)}
                print(json.dumps(row), file=sys.stderr, flush=True)
                record["rows"].append(row)
    json.dump(record, options.out, indent=1)


if __name__ == "__main__":
    main()
