"""What every notebook does the same way: set up, show, guess, claim."""

import io
import math
import os
import random
import re

import numpy as np
import torch

from . import check

KINDS = ("null", "harm", "rival")
RESTS_ON = ("run", "record", "identity")


def setup(seed=0, threads=None, device=None):
    """Seed everything, set threads, print precision and figure style; return a device.

    seed    : a whole number, at least 0
    threads : of PyTorch on the CPU; 1 when None, because small networks run fastest
              on one, or the environment variable LSR_THREADS
    device  : "cpu", "cuda" or a torch.device; when None the environment variable
              LSR_DEVICE, else CUDA if there is one, else the CPU
    returns : torch.device; also prints one line that names it
    raises  : ValueError for a seed or a number of threads that is none, and for a
              device that this machine does not have
    """
    from . import style

    seed = check.seed(seed)
    if threads is None:
        threads = os.environ.get("LSR_THREADS") or 1
        threads = int(threads) if str(threads).isdecimal() else threads
    threads = check.whole(threads, "threads", least=1)
    device = _find_device(device or os.environ.get("LSR_DEVICE") or None)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (for libraries that draw from it)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.set_printoptions(precision=4, sci_mode=False, linewidth=88)
    np.set_printoptions(precision=4, suppress=True, linewidth=88)
    style.use()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device
    print(f"device: {name} · torch {torch.__version__} · threads: {threads}")
    return device


def _find_device(wanted):
    if wanted is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    try:
        device = torch.device(wanted)
    except (RuntimeError, TypeError):
        device = None
    gpus = torch.cuda.device_count()
    if device is None or device.type not in here or (device.index or 0) >= max(1, gpus):
        names = " or ".join(repr(name) for name in here)
        raise ValueError(f"device must be {names} here, got {str(wanted)!r}.")
    return device


def show(figure, alt):
    """Display a matplotlib figure as PNG with alternative text, and close it.

    alt    : what a reader who cannot see the figure should know, one or two sentences
    raises : TypeError when it is no figure, ValueError when alt is empty
    """
    import matplotlib.figure
    import matplotlib.pyplot as plt
    from IPython.display import display
    from PIL import Image

    if not isinstance(figure, matplotlib.figure.Figure):
        raise TypeError(f"figure must be a matplotlib figure, got {figure!r}.")
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must describe the figure, got {alt!r}.")
    drawn, png = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    # Smaller without transparency, and no software version in the file: the same figure
    # gives the same bytes.
    Image.open(drawn).convert("RGB").save(png, "png", optimize=True)
    text = f"{figure}: {alt}"
    plt.close(figure)
    display(
        {"image/png": png.getvalue(), "text/plain": text},
        metadata={"image/png": {"alt": alt}},
        raw=True,
    )


def guess(what, said, truth, tol=None):
    """Compare the reader's guess with the truth, in one printed line.

    said  : a number or a string, or None while there is no guess
    truth : the value that came out, of the same kind
    tol   : how far a number may be off; 10 % of the truth when None
    """
    if said is None:
        print("No prediction yet: set guess above, then run this cell again.")
        return
    if isinstance(truth, str):
        hit, truth_text = str(said).strip().lower() == truth.lower(), truth
    else:
        try:
            distance = abs(float(said) - float(truth))
        except (TypeError, ValueError):
            print(f"guess must be a number for {what}, got {said!r}.")
            return
        if tol is None:  # 10 % of infinity would take any guess
            tol = 0.1 * abs(truth) if math.isfinite(truth) else 0.0
        hit = float(said) == float(truth) or distance <= tol
        truth_text = f"{truth:.4g}"
    verdict = "✓ well predicted" if hit else "↯ a surprise"
    print(f"{verdict}: {what} is {truth_text}, you said {said}.")


def claim(claim_id, sentence, holds, kind=None, by="run"):
    """State a claim of the course: assert it, and print one fixed line.

    claim_id : "NN-k", the notebook and a running number
    sentence : what the cells show, so that it is understood without the notebook
    holds    : whether they show it, with room to spare
    kind     : what it says about label smoothing, where that is a setback: "null" (no
               gain was seen, or one of a stated size is excluded), "harm" (something
               got worse) or "rival" (another method did better)
    by       : what it rests on: "run", what this notebook trained or drew; "record", in
               whole or in part a stored file; "identity", algebra or a check of code,
               which fails only where the code is wrong
    raises   : AssertionError when it does not hold; TypeError when holds is not a bool,
               because nan, a function and a text count as true in Python
    """
    if not re.fullmatch(r"\d\d-\d+", str(claim_id)) or not isinstance(sentence, str):
        raise TypeError(
            "claim needs an id like '01-4', a sentence and a bool, "
            f"got {claim_id!r} and {sentence!r}."
        )
    if kind is not None:
        check.one_of(kind, "kind", KINDS)
    check.one_of(by, "by", RESTS_ON)
    if isinstance(holds, torch.Tensor) or type(holds).__module__ == "numpy":
        holds = holds.tolist()  # a bool for one element, a list for more
    if not isinstance(holds, bool):
        raise TypeError(f"holds must be one bool in claim {claim_id}, got {holds!r}.")
    if not holds:
        raise AssertionError(f"{claim_id} does not hold: {sentence}")
    print(f"✓ {claim_id}  {sentence}")
