"""What Triton's interpreter prints in deep dive 02b, stored for readers without Triton.

    python tests/benchmarks/fused_interpreter.py

It runs the notebook's own helper on the notebook's own programs. Needs Triton (Linux),
no GPU, and says nothing of speed.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "data" / "recorded")]
from notebook_files import ROOT, by_number  # noqa: E402
from provenance import provenance  # noqa: E402

OUT = ROOT / "data" / "recorded" / "fused_kernel_interpreter.json"
KERNELS = ("kernel.py", "cuda.py")


def shown():
    code = [cell.source for cell in by_number("02b").cells if cell.cell_type == "code"]
    names = {}
    starts = "import ", "load ", "reduce ", "store ", "interpreter ", "stored ", "call"
    for start in starts:
        (cell,) = [source for source in code if source.startswith(start)]
        cell = cell.split("(result,) =")[0].replace("device = lsr.setup(seed=0)", "")
        exec(cell, names)
    return names


def programs():
    names = shown()
    checks = (TESTS / "kernel_checks.py").read_text(encoding="utf-8")
    return {"simple": names["kernel"] + names["call"], "cases": checks}


def digests():
    """Of the programs, and of the kernels that one of them holds against float64."""
    folder = ROOT / "lsr_utils" / "fused"
    kernels = "".join((folder / name).read_text("utf-8") for name in KERNELS)
    return {
        name: hashlib.sha256(source.encode()).hexdigest()[:16]
        for name, source in (programs() | {"kernels": kernels}).items()
    }


def results():
    """The lines that the two programs print, by name."""
    run, source = shown()["by_interpreter"], programs()
    more = {"simple": (), "cases": ("--cases", "30")}
    return {name: run(name, source[name], *more[name]) for name in source}


def main():
    record = provenance("python tests/benchmarks/fused_interpreter.py")
    record["triton"] = importlib.metadata.version("triton")
    record["programs"] = digests()
    lines = [f" {json.dumps(name)}: {json.dumps(x)}" for name, x in record.items()]
    for name, rows in results().items():
        rows = ",\n  ".join(map(json.dumps, rows))
        lines.append(f' "{name}": [\n  {rows}\n ]')
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"written: {OUT.name}")


if __name__ == "__main__":
    main()
