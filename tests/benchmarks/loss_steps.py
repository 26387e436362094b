"""Time and memory of the steps of notebook 02, recorded as JSON with provenance.

    python tests/benchmarks/loss_steps.py [--device cuda] [--out FILE]

Steps and measurement are the notebook's own cells (tag "benchmark"). On CUDA the file
goes to ``data/recorded``, where notebook 02 finds it; on the CPU it is only printed.
"""

import argparse
import json
import pathlib
import sys

import torch

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "data" / "recorded")]
from notebook_files import ROOT, by_number, cells_tagged, run_cells  # noqa: E402
from provenance import provenance  # noqa: E402

SIZES = {"cuda": [(262_144, 6), (8192, 1000), (8192, 32_000)], "cpu": [(1024, 1000)]}


def measure(device, sizes, rounds):
    names = run_cells([cell for _, cell in cells_tagged(by_number("02"), "benchmark")])
    for step in ("1 definition", "3 two parts", "6 own gradient"):
        z = torch.randn(64, 6, device=device)
        y = torch.randint(6, (64,), device=device)
        expected = names["steps"]["PyTorch"](z, y)
        torch.testing.assert_close(names["steps"][step](z, y), expected)
    table = names["measure_steps"](names["steps"], sizes, device, rounds)
    return json.loads(table.to_json(orient="records"))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, choices=("cpu", "cuda"))
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args(arguments)
    out = options.out
    if out is None and options.device == "cuda":
        name = torch.cuda.get_device_name().replace(" ", "_")
        out = ROOT / "data" / "recorded" / f"loss_steps_cuda_{name}.json"
    command = f"python tests/benchmarks/loss_steps.py --device {options.device}"
    record = provenance(command, options.device)
    record["rows"] = measure(options.device, SIZES[options.device], options.rounds)
    text = json.dumps(record, indent=1) + "\n"
    print(text, end="")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
