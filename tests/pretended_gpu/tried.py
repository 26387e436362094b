"""Try calls or notebooks on the pretended device; print what went wrong, as JSON.

Arguments: where the data lie, one run each: "device", "cpu" or "mixed"; "default" where
the device is PyTorch's default from then on; "kernels", where Triton's interpreter runs
those of the fused loss. Or notebooks, whose code is run with short trainings, and whose
device is printed; whether their claims hold is left to real ones.
"""

import json
import os
import re
import sys
import warnings

import IPython.display
import nbformat
import numpy as np
import pretended  # before torch
import torch
from calls import CALLS, LOGITS, values

import lsr_utils as lsr
from lsr_utils import check, fused


def stay(tensor):
    return tensor.clone()


def put(tensor):
    """On the device, in the precision that it has."""
    if pretended.NO_FLOAT64 and tensor.dtype == torch.float64:
        tensor = tensor.float()
    return tensor.to("cuda")


def compared(found, wanted):
    """ "" where the values are those of the CPU, or what is wrong with them."""
    found, wanted = values(found), values(wanted)
    if [a.shape for a in found] != [a.shape for a in wanted]:
        return f"shapes {[a.shape for a in found]}"
    close = 2e-3 if pretended.NO_FLOAT64 else 1e-6
    pairs = zip(found, wanted, strict=True)
    alike = (np.allclose(*pair, close, close, equal_nan=True) for pair in pairs)
    return "" if all(alike) else "other values than on the CPU"


def tried(where, wanted):
    """What went wrong in each call, and what its host waited for."""
    at, by = {"device": (put, put), "cpu": (stay, stay), "mixed": (put, stay)}[where]
    said = {}
    for name, call in CALLS.items():
        pretended.waits.clear()
        try:
            found = call(at, by)
            waits = sum(pretended.waits.values())
            said[name] = compared(found, wanted[name])
            if where == "device" and waits and name.startswith(("loss", "fused")):
                said[name] = f"the host waits {waits} times"
        except ValueError as error:
            refused = where == "mixed" and "device" in str(error)
            said[name] = "" if refused else f"ValueError: {error}"
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"
    return {name: words for name, words in said.items() if words}


def lecture(path):
    """The name of the device on which the code of a notebook ran."""
    os.chdir(os.path.dirname(path))
    IPython.display.display = lsr.claim = lsr.notebook.claim = lambda *_, **__: None
    names = {"__name__": "__main__", "display": IPython.display.display}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            source = re.sub(r"(steps|measure_every)=\d{3,}", r"\1=20", cell.source)
            source = source.replace(', device="cpu"', "")
            exec(compile(source, f"cell {cell.id}", "exec"), names)
    return str(names["device"])


def main(*modes):
    warnings.simplefilter("ignore")
    wanted = {name: call(stay, stay) for name, call in CALLS.items()}
    pretended.install()
    if pretended.NO_FLOAT64:
        check.NO_FLOAT64 = ("cuda",)
    found = {}
    for mode in modes:
        if mode == "default":
            torch.set_default_device("cuda")
        if mode == "kernels":
            fused.PLAIN, fused._watchers = (*fused.PLAIN, pretended.OnDevice), bool
            assert fused.cuda.supports(put(LOGITS))
        where = mode if mode in ("cpu", "mixed") else "device"
        lesson = mode.endswith(".ipynb")
        found[mode] = lecture(mode) if lesson else tried(where, wanted)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
