"""Compile the Triton kernels for an H100 (sm_90); prints what they spill as JSON.

python tests/kernel_compiles.py        needs Triton, but no GPU
"""

import json
import pathlib
import re
import subprocess
import tempfile

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lsr_utils.fused import cuda, kernel

TYPES = {
    "z": "*bf16", "slope": "*bf16", "y": "*i64", "weight": "*fp32", "unit": "*fp32",
    "losses": "*fp32", "top": "*fp32", "total_at": "*fp32", "upstream": "*fp32",
    "weight_sum": "*fp32", "eps_high": "fp32", "eps_low": "fp32",
    "scale_high": "fp32", "scale_low": "fp32",
}  # fmt: skip
DIVISIBLE = ("z_step", "slope_step", "K")  # by 16, as 32,000 and 128,256 are


def compiled(function, constants, warps):
    names = function.arg_names
    signature = {name: TYPES.get(name, "i32") for name in names}
    signature |= dict.fromkeys(constants, "constexpr")
    wide = [k for k, n in enumerate(names) if signature[n][0] == "*" or n in DIVISIBLE]
    source = ASTSource(
        fn=function,
        signature=signature,
        constexprs={(names.index(k),): v for k, v in constants.items()},
        attrs={(k,): [["tt.divisibility", 16]] for k in wide},
    )
    target = GPUTarget("cuda", 90, 32)
    return triton.compile(source, target=target, options={"num_warps": warps})


def spilled(made):
    """Bytes of a thread's registers that had to go to memory."""
    tool = pathlib.Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        command = [tool, "-res-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True).stdout
    return int(re.search(r"STACK:(\d+)", text)[1])


if __name__ == "__main__":
    flags = {"WIDE": tl.float32, "WEIGHTED": False, "OTHERS": False}
    out = flags | {"SLOPE": True, "KEEP": False}
    kernels = [
        (kernel.short_rows, {"ROWS": rows, "BLOCK": block, "EACH": False, **out})
        for rows, block in map(cuda._tile, (6, 4096, 32_000))
    ]
    again = {"ROWS": 1, "BLOCK": 4096}
    kernels += [
        (kernel.long_row, {"BLOCK": cuda.STRETCH, **out}),
        (kernel.gradient_again, again | flags),
        (kernel.rescale_rows, again | {"WIDE": tl.float32}),
    ]
    for function, constants in kernels:
        rows, block = constants.get("ROWS", 1), constants["BLOCK"]
        made = compiled(function, constants, cuda._warps(rows * block))
        name = f"{function.__name__}, {rows} x {block}"
        print(json.dumps({"kernel": name, "spilled": spilled(made)}))
