"""What Triton's interpreter prints in notebook 08, stored for readers without Triton.

    python tests/benchmarks/fused_interpreter.py

It runs the notebook's own helper on the notebook's own programs. Needs Triton (Linux),
no GPU, and says nothing of speed.
"""

import importlib.metadata
import json
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "tools")]
from notebook_files import ROOT, by_number  # noqa: E402
from provenance import provenance  # noqa: E402

OUT = ROOT / "data" / "recorded" / "fused_kernel_interpreter.json"


def results():
    """The lines that the notebook's two programs print, by name."""
    code = [cell.source for cell in by_number("08").cells if cell.cell_type == "code"]
    names = {}
    for start in ("import importlib", "kernel = ", "stored = ", "call = "):
        (cell,) = [source for source in code if source.startswith(start)]
        cell = cell.split("(result,) =")[0].replace("device = lsr.setup(seed=0)", "")
        exec(cell, names)
    checks = (TESTS / "kernel_checks.py").read_text(encoding="utf-8")
    run = names["by_interpreter"]
    return {
        "simple": run("simple", names["kernel"] + names["call"]),
        "cases": run("cases", checks, "--cases", "30"),
    }


def main():
    record = provenance("python tests/benchmarks/fused_interpreter.py")
    record["triton"] = importlib.metadata.version("triton")
    lines = [f" {json.dumps(name)}: {json.dumps(x)}" for name, x in record.items()]
    for name, rows in results().items():
        rows = ",\n  ".join(map(json.dumps, rows))
        lines.append(f' "{name}": [\n  {rows}\n ]')
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"written: {OUT.name}")


if __name__ == "__main__":
    main()
