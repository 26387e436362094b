"""How much faster a fleet is than the same networks one after another, as JSON.

    python tests/benchmarks/fleet_speed.py [--device cuda] [--out FILE] [--rounds N]

Both sides train the same networks on the same batches. One by one is the plain loop of
notebook 03, with PyTorch's default AdamW and with its faster fused one. On the CPU
each side runs on one thread and on two, and is given the better: run it on an
otherwise idle machine. Rounds alternate between the sides, so that drift hits both.
"""

import argparse
import functools
import json
import pathlib
import statistics
import sys
import time

import torch

COURSE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(COURSE / "data" / "recorded"))
from provenance import ROOT, load, provenance  # noqa: E402

import lsr_utils as lsr  # noqa: E402

BATCH_SIZE = 32
CASES = {
    "cpu": [
        {"model": "mlp", "task": "digits", "networks": 120, "alone": 120},
        {"model": "cnn", "task": "digits", "networks": 40, "alone": 40},
        # Ten one by one stand for forty.
        {"model": "cnn", "task": "shapes", "networks": 40, "alone": 10},
    ],
    # A thousand one by one would take all day on a GPU: 50 stand for them.
    "cuda": [
        {"model": "mlp", "task": "digits", "networks": 1000, "alone": 50},
        {"model": "cnn", "task": "digits", "networks": 100, "alone": 50},
        {"model": "cnn", "task": "shapes", "networks": 100, "alone": 50},
    ],
}


def data_of(task, device):
    if task == "digits":
        data = lsr.datasets.split(lsr.datasets.load("digits"), (500,), seed=0)[0]
    else:
        data = lsr.datasets.load(task, n=500)
    return data.to(device)


def grid_of(networks):
    """Twenty seeds as long as there are so few networks, and as many eps as needed."""
    count = max(1, networks // 20)
    return lsr.fleet.grid(eps=[0.4 * k / count for k in range(count)], seed=range(20))


def one_by_one(build, train, rows, steps, fused):
    """The plain loop, for each row of a grid."""
    for row in rows:
        model = build(seed=row["seed"]).to(train.x.device)
        loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=row["eps"])
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=2e-3, weight_decay=0.0, fused=fused
        )
        for batch in lsr.training.batches(len(train), BATCH_SIZE, steps, row["seed"]):
            batch = batch.to(train.y.device)
            loss = loss_fn(model(train.x[batch]), train.y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


def together(build, train, grid, steps):
    return lsr.fleet.fit_fleet(
        build, train, grid, steps=steps, batch_size=BATCH_SIZE, measure_every=steps,
        progress=False,
    )  # fmt: skip


def check(build, train, grid, steps):
    """Before anything is timed: the last network of the grid is the same both ways."""
    fleet = together(build, train, grid, steps)
    alone = one_by_one(build, train, grid.to_dict("records")[-1:], steps, fused=None)
    pairs = zip(alone.parameters(), fleet.network(-1).parameters(), strict=True)
    difference = max((a - b.to(a.device)).abs().max().item() for a, b in pairs)
    if difference > 1e-3:
        raise SystemExit(f"The fleet trains another network: off by {difference:.1e}.")


def seconds(call, device):
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(case, device, steps, rounds):
    """Raw times of every side, and the ratio of the best medians."""
    train = data_of(case["task"], device)
    build = functools.partial(lsr.models.build, case["model"], train.x.shape[1:])
    grid = grid_of(case["networks"])
    rows = grid.to_dict("records")[: case["alone"]]
    scale = len(grid) / len(rows)
    sides = {
        "plain": lambda n: one_by_one(build, train, rows, n, fused=None),
        "fused": lambda n: one_by_one(build, train, rows, n, fused=True),
        "fleet": lambda n: together(build, train, grid, n),
    }
    check(build, train, grid, 20)
    threads = (1, 2) if device == "cpu" else (1,)
    raw = []
    for number in range(rounds):
        for count in threads:
            torch.set_num_threads(count)
            for side, call in sides.items():
                call(2)  # warm up
                taken = seconds(functools.partial(call, steps), device)
                taken *= 1 if side == "fleet" else scale
                raw.append(
                    {"round": number, "side": side, "threads": count, "load": load(),
                     "seconds": round(taken, 4)}
                )  # fmt: skip
                print(raw[-1], file=sys.stderr, flush=True)
    best, chosen = {}, {}
    for side in sides:
        medians = {
            count: statistics.median(
                r["seconds"] for r in raw if (r["side"], r["threads"]) == (side, count)
            )
            for count in threads
        }
        chosen[side] = min(medians, key=medians.get)
        best[side] = medians[chosen[side]]
    return {
        **case,
        **{side: round(time_, 3) for side, time_ in best.items()},
        "threads": chosen,
        "times": round(best["plain"] / best["fleet"], 1),
        "times_fused": round(best["fused"] / best["fleet"], 1),
        "raw": raw,
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args(arguments)
    device, command = (
        options.device,
        (
            f"python tests/benchmarks/fleet_speed.py --device {options.device} "
            f"--rounds {options.rounds} --steps {options.steps}"
        ),
    )
    record = {
        **provenance(command, device),
        "steps": options.steps,
        "batch_size": BATCH_SIZE,
        "load_before": load(),
        "rows": [
            measure(case, device, options.steps, options.rounds)
            for case in CASES[device]
        ],
    }
    name = record["device"].replace(" ", "_")
    where = f"cuda_{name}" if device == "cuda" else "cpu"
    out = options.out or ROOT / "data" / "recorded" / f"fleet_speed_{where}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written: {out.name}")


if __name__ == "__main__":
    main()
