"""Random cases for the Triton kernels, and kernels broken on purpose.

    TRITON_INTERPRET=1 python tests/kernel_checks.py   by the interpreter, on the CPU
    python tests/kernel_checks.py --device cuda        on an NVIDIA GPU

Prints a JSON line for each case: how far loss and gradient are from float64. Memory is
poisoned first (uninitialised numbers are nan), so that nothing unwritten passes. With
``--break`` instead whether a case finds each broken kernel.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import pathlib
import random
import sys
import tempfile
import warnings

import torch

from lsr_utils import fused, losses
from lsr_utils.fused import cuda, kernel

WITHIN = {
    torch.float32: 2e-5, torch.float64: 1e-11,
    torch.bfloat16: 8e-3, torch.float16: 2e-3,
}  # fmt: skip
SIZES = [1, 2, 3, 5, 6, 7, 16, 17, 63, 100, 513, 1000, 4097, 20_000, 70_000]
LAYOUTS = ["plain", "strided", "offset", "transposed"]
CONTENTS = [
    "normal",
    "masked",
    "shifted",
    "late maximum",
    "late minimum",
    "nan where ignored",
]
MODES = ["default", "inplace", "recompute", "inplace recompute", "scale"]

# Each is one mistake: what is in kernel.py, and what a slip makes of it.
BROKEN = {
    "wrong constant": ("receivers = K - 1 if OTHERS else K", "receivers = K + 1"),
    "true class gets 1 - eps": ("w_y * (1 - eps + each)", "w_y * (1 - eps)"),
    "dropped rescale of the sum": ("sums * tl.exp(old - new)", "sums"),
    "dropped rescale of the offsets": ("moved += seen * (old - new)", "moved += 0.0"),
    "mask one short": ("(k < K)[None, :]\n    x =", "(k < K - 1)[None, :]\n    x ="),
    "mask one short for offsets": ("counted = (k < K) &", "counted = (k < K - 1) &"),
    "last class not read": ("     there = k < K\n", "     there = k < K - 1\n"),
    "mask one too far": ("     there = k < K\n", "     there = k <= K\n"),
    "label one off": ("[None, :] == label[:, None]", "[None, :] == label[:, None] + 1"),
    "a stretch not written": ("range(0, stretches)", "range(0, stretches - 1)"),
    "ignored rows not written": ("written = (row < N)[", "written = used["),
    "upstream left out": ("tl.load(unit) * given", "tl.load(unit) + 0 * given"),
    "masked start not minded": ("new = tl.where(highest > NOTHING, highest, 0.0)",
                                "new = highest"),
    "places in 32 bits": ("tl.program_id(0).to(tl.int64)", "tl.program_id(0)"),
}  # fmt: skip


def layout(z, kind):
    n, num_classes = z.shape
    if kind == "strided":
        wide = z.new_zeros(2 * n, num_classes + 5)
        wide[::2, 3 : 3 + num_classes] = z
        return wide[::2, 3 : 3 + num_classes]
    if kind == "offset":
        flat = z.new_zeros(z.numel() + 7)
        flat[7:] = z.reshape(-1)
        return flat[7:].view(n, num_classes)
    return z.t().contiguous().t() if kind == "transposed" else z


def draw(choice, generator, device, number):
    """A case: logits, targets, and the options of the loss."""
    num_classes, content = choice.choice(SIZES), choice.choice(CONTENTS)
    dtype = choice.choice(list(WITHIN))
    if number < len(CONTENTS):  # each content once in rows of several stretches
        num_classes, content = SIZES[-1], CONTENTS[number]
        dtype = torch.float32
    if content == "shifted":  # in 16 bits nothing of the logits would be left
        dtype = {torch.float16: torch.float32, torch.bfloat16: torch.float64}.get(
            dtype, dtype
        )
        num_classes = max(num_classes, 2)
    n = choice.randint(2, 40 if num_classes < 600 else 3)
    z = 3 * torch.randn(n, num_classes, generator=generator)
    y = torch.randint(num_classes, (n,), generator=generator)
    options = {
        "eps": choice.choice([0.0, 1e-3, 0.1, 0.4, 1.0]),
        "reduction": choice.choice(["mean", "sum", "none"]),
        "spread": choice.choice(["all", "others"]) if num_classes > 1 else "all",
    }
    if number < len(CONTENTS):
        options["eps"] = 0.4
    if choice.random() < 0.5:
        y[torch.rand(n, generator=generator) < 0.3] = -100
    if choice.random() < 0.3:
        options["weight"] = torch.rand(num_classes, generator=generator) + 0.1
    if content == "masked":  # also more classes than a stretch holds
        z[:, : num_classes // 2] = -math.inf
        y = torch.where(y == -100, y, y.clamp(min=num_classes // 2))
    elif content == "shifted":
        z = (z * 1e24 if dtype == torch.float32 else z) + choice.choice([-1e30, 1e30])
    elif content == "late maximum":
        z[:, -1] += 30.0
    elif content == "late minimum":
        z[:, -1] -= 1e4
    elif content == "nan where ignored":
        y[0], z[0] = -100, math.nan
    if (y == -100).all():  # nothing but zeros would be right
        y[-1] = num_classes - 1
    z = layout(z.to(dtype).to(device), choice.choice(LAYOUTS))
    if "weight" in options:
        options["weight"] = options["weight"].to(device)
    return z, y.to(device), options, content


def off(ours, theirs):
    """Relative distance; nan and infinity must stand in the same places."""
    ours, theirs = ours.detach().double().cpu(), theirs.detach().double()
    if ours.shape != theirs.shape:
        return math.inf
    usual = theirs.isfinite()
    if not torch.equal(ours[~usual].nan_to_num(7.0), theirs[~usual].nan_to_num(7.0)):
        return math.inf
    distance = (ours[usual] - theirs[usual]).norm() / max(theirs[usual].norm(), 1e-6)
    return math.inf if distance.isnan() else distance.item()


def run(z, y, options, mode, upstream):
    """Loss and gradient of the kernels, and of the readable loss in float64."""
    more = {"inplace": "inplace" in mode, "recompute": "recompute" in mode}
    if mode == "scale":
        more["scale"] = 1024.0
    if isinstance(mode, dict):  # options as they are, with their values
        more = mode
    leaf = z.detach().clone() if "inplace" in mode else z.detach()
    leaf.requires_grad_()
    given = (leaf * 1).contiguous() if "inplace" in mode else leaf
    ours = fused.fused_label_smoothing_cross_entropy(given, y, **options, **more)
    wide = {k: v.double().cpu() if k == "weight" else v for k, v in options.items()}
    twin = z.detach().double().cpu().requires_grad_()
    theirs = losses.label_smoothing_cross_entropy(twin, y.cpu(), **wide)
    ours.backward(ours.new_full(ours.shape, upstream))
    theirs.backward(theirs.new_full(theirs.shape, upstream))
    return off(ours, theirs), off(leaf.grad, twin.grad)


def far_apart(device):
    """Rows so far apart in memory that their places need 64 bits."""
    step = 2**30
    torch.utils.deterministic.fill_uninitialized_memory = False  # 4 GB, hardly touched
    z = torch.empty(2 * step + 6, dtype=torch.bfloat16, device=device)
    torch.utils.deterministic.fill_uninitialized_memory = True
    z = z.as_strided((3, 6), (step, 1))
    z.copy_(torch.randn(3, 6))
    how = fused.FusedLabelSmoothingCrossEntropy(0.1, "none", recompute=False)
    slope, y = torch.empty(3, 6, device=device).bfloat16(), torch.arange(3)
    rows, _ = cuda.forward(z, y.to(device), None, how, slope)
    twin = z.double().cpu().requires_grad_()
    theirs = losses.label_smoothing_cross_entropy(twin, y, 0.1, "none")
    theirs.sum().backward()
    return max(off(rows, theirs) * 100, off(slope, twin.grad))


def cases(device, count, seed):
    """One line of results after another."""
    choice, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    for number in range(count):
        z, y, options, content = draw(choice, generator, device, number)
        mode, upstream = choice.choice(MODES), choice.choice([1.0, -2.5, 1024.0])
        value, slope = run(z, y, options, mode, upstream)
        within = WITHIN[z.dtype]
        options.pop("weight", None)
        usual = z.detach()[z.isfinite()].double()
        yield {
            "case": number, "shape": list(z.shape), "dtype": str(z.dtype)[6:],
            "content": content, "mode": mode, "upstream": upstream, **options,
            "nearest 0": f"{usual.abs().min().item():.1e}",
            "loss": value, "gradient": slope,
            "right": value <= min(within, 2e-5) and slope <= within,
        }  # fmt: skip
    distance = far_apart(device)
    yield {"case": "far apart", "gradient": distance, "right": distance < 8e-3}


def broken_kernels(folder):
    """kernel.py with one mistake each, as (name, module)."""
    source = pathlib.Path(kernel.__file__).read_text(encoding="utf-8")
    for number, (name, (old, new)) in enumerate(BROKEN.items()):
        assert old in source and old != new, f"{name}: {old!r} is not there"
        path = pathlib.Path(folder, f"broken_{number}.py")
        path.write_text(source.replace(old, new), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield name, module


def in_a_fork(count):
    """What count() returns; less than 0 where it ends the process, as a wrong address
    may. A Python error is no finding: 0."""
    child = os.fork()
    if child == 0:
        code = 0
        with contextlib.suppress(Exception):
            code = min(count(), 255)
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--break", dest="broken", action="store_true")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # numpy's, on infinities that are meant
    if options.device == "cpu":
        fused.cpu = cuda
    torch.use_deterministic_algorithms(True, warn_only=True)  # poisons empty memory
    assert torch.empty(3).isnan().all()
    given = options.device, options.cases, options.seed
    wrong = 0
    if not options.broken:
        for line in cases(*given):
            print(json.dumps(line))
            wrong += not line["right"]
        return 1 if wrong else 0
    with tempfile.TemporaryDirectory() as folder:
        for name, module in broken_kernels(folder):
            cuda.kernel = module
            failed = in_a_fork(lambda: any(not line["right"] for line in cases(*given)))
            print(json.dumps({"broken": name, "failed": failed}), flush=True)
            wrong += not failed
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
