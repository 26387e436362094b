"""How much faster a fleet is than the same networks one after another, as JSON.

    python tests/benchmarks/fleet_speed.py [--device cuda] [--out FILE] [--rounds N]

Both sides train the same networks on the same batches (``test_fleet.py`` holds one
against the other); one by one is the plain loop of notebook 03, with PyTorch's default
AdamW and its fused one. On an idle CPU each side is given the better of one thread and
two. Rounds alternate, so that drift hits both.
"""

import argparse
import collections
import functools
import itertools
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
CASES = {  # model, task, networks, and how many one by one: these stand for all
    "cpu": [
        ("mlp", "digits", 120, 120), ("cnn", "digits", 40, 40),
        ("cnn", "shapes", 40, 10),
    ],
    # A thousand one by one would take all day on a GPU.
    "cuda": [
        ("mlp", "digits", 1000, 50), ("cnn", "digits", 100, 50),
        ("cnn", "shapes", 100, 50),
    ],
}  # fmt: skip


def one_by_one(build, train, rows, fused, steps):
    for row in rows:
        model = build(seed=row["seed"]).to(train.x.device)
        loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=row["eps"])
        options = {"lr": 2e-3, "weight_decay": 0.0, "fused": fused}
        optimiser = torch.optim.AdamW(model.parameters(), **options)
        for batch in lsr.training.batches(len(train), BATCH_SIZE, steps, row["seed"]):
            batch = batch.to(train.y.device)
            loss = loss_fn(model(train.x[batch]), train.y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


def together(build, train, grid, steps):
    options = {"batch_size": BATCH_SIZE, "measure_every": steps, "progress": False}
    return lsr.fleet.fit_fleet(build, train, grid, steps=steps, **options)


def measure(case, device, steps, rounds):
    case = dict(zip(("model", "task", "networks", "alone"), case, strict=True))
    if case["task"] == "digits":
        train = lsr.datasets.split(lsr.datasets.load("digits"), (500,), seed=0)[0]
    else:
        train = lsr.datasets.load(case["task"], n=500)
    train = train.to(device)
    build = functools.partial(lsr.models.build, case["model"], train.x.shape[1:])
    count = max(1, case["networks"] // 20)
    grid = lsr.fleet.grid(eps=[0.4 * k / count for k in range(count)], seed=range(20))
    rows = grid.to_dict("records")[: case["alone"]]
    sides = {
        "plain": functools.partial(one_by_one, build, train, rows, None),
        "fused": functools.partial(one_by_one, build, train, rows, True),
        "fleet": functools.partial(together, build, train, grid),
    }
    wait = torch.cuda.synchronize if device == "cuda" else int
    threads = (1, 2) if device == "cpu" else (1,)
    times, raw = collections.defaultdict(list), []
    for number, count in itertools.product(range(rounds), threads):
        torch.set_num_threads(count)
        for side, call in sides.items():
            call(2)  # warm up
            wait()
            start = time.perf_counter()
            call(steps)
            wait()
            taken = time.perf_counter() - start
            taken = round(taken * (1 if side == "fleet" else len(grid) / len(rows)), 4)
            times[side, count].append(taken)
            raw.append({"round": number, "side": side, "threads": count})
            raw[-1] |= {"load": load(), "seconds": taken}
            print(raw[-1], file=sys.stderr, flush=True)
    medians = {key: statistics.median(found) for key, found in times.items()}
    chosen = {side: min(threads, key=lambda n, s=side: medians[s, n]) for side in sides}
    best = {side: round(medians[side, chosen[side]], 3) for side in sides}
    ratios = {"times": "plain", "times_fused": "fused"}
    ratios = {name: round(best[s] / best["fleet"], 1) for name, s in ratios.items()}
    return {**case, **best, "threads": chosen, **ratios, "raw": raw}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    device, steps, rounds = options.device, options.steps, options.rounds
    command = f"python tests/benchmarks/fleet_speed.py --device {device} "
    record = provenance(f"{command}--rounds {rounds} --steps {steps}", device)
    record |= {"steps": steps, "batch_size": BATCH_SIZE, "load_before": load()}
    record["rows"] = [measure(case, device, steps, rounds) for case in CASES[device]]
    where = f"cuda_{record['device']}" if device == "cuda" else "cpu"
    name = f"fleet_speed_{where}.json".replace(" ", "_")
    out = options.out or ROOT / "data" / "recorded" / name
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written: {out.name}")


if __name__ == "__main__":
    main()
