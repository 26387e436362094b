"""What every notebook does the same way: set up, show, table, guess, claim."""

import contextlib
import difflib
import hashlib
import html
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
    """Seed everything, set threads, number format and figure style; return a device.

    seed    : a whole number, at least 0
    threads : of PyTorch on the CPU; when None LSR_THREADS, or 1: the fastest here
    device  : "cpu", "cuda", "cuda:1", "mps"; when None the environment variable
              LSR_DEVICE, else the accelerator that PyTorch finds, else the CPU
    returns : torch.device; also prints one line that names it
    """
    from . import style

    seed = check.seed(seed)
    threads = float(os.environ.get("LSR_THREADS") or 1) if threads is None else threads
    threads = check.whole(threads, "threads", least=1)
    devices, gpus = ["cpu"], torch.accelerator
    if gpus.is_available():
        kind = gpus.current_accelerator().type  # cuda, mps, xpu
        every = (f"{kind}:{i}" for i in range(gpus.device_count()))
        devices = [kind, *every, "cpu"]
    device = str(device or os.environ.get("LSR_DEVICE") or devices[0])
    device = torch.device(check.one_of(device, "device", devices))
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


def show(figure, alt):
    """Display a matplotlib figure as PNG with alternative text, and close it.

    The text also stands under the figure, folded: JupyterLab reads none of an output's.
    The metadata say what was drawn, by which the tests compare figures.

    alt    : what a reader who cannot see the figure should know, one or two sentences
    """
    import matplotlib.pyplot as plt
    from IPython.display import display
    from PIL import Image

    from .drawn import drawn

    check.that(alt and alt.strip(), "alt must describe the figure", repr(alt))
    full, png = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png")
    # In few colours and without a software version: small, and always the same bytes.
    picture = Image.open(full).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(png, "png", optimize=True)
    data = {"image/png": png.getvalue(), "text/plain": f"Figure: {alt}"}
    about = {"alt": alt, "sha256": hashlib.sha256(png.getvalue()).hexdigest()}
    about |= {"drawn": drawn(figure), "width": picture.width // 2}
    plt.close(figure)
    display(data, metadata={"image/png": about}, raw=True)
    words = f"<summary>This figure in words</summary>{html.escape(alt)}"
    display({"text/html": f"<details>{words}</details>"}, raw=True)


def table(frame, caption, mark=()):
    """Display a DataFrame under a caption; no cell wraps, and a minus is a minus.

    mark : labels of the rows to look at, in bold and with an arrow
    """
    from IPython.display import display

    heads = *("" if name is None else name for name in frame.index.names), *frame
    both = frame.index.to_frame(), frame
    parts = [part.itertuples(index=False, name=None) for part in both]
    rows = [[*map(_word, row)] for row in (heads, *map(tuple.__add__, *parts))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    page = f'<caption style="white-space: normal">{html.escape(caption)}</caption>'
    plain, page, cell, after = [caption], f"{page}<thead>", "th", "</thead><tbody>"
    for label, row in zip([None, *frame.index], rows, strict=True):
        plain.append("  ".join(map(str.rjust, row, widths)) + "  ←" * (label in mark))
        bold = ' style="font-weight: bold"' * (label in mark)
        cells = "".join(f"<{cell}>{html.escape(text)}</{cell}>" for text in row)
        page, cell, after = f"{page}<tr{bold}>{cells}</tr>{after}", "td", ""
    page = f'<table style="white-space: nowrap">{page}</tbody></table>'
    display({"text/html": page, "text/plain": "\n".join(plain)}, raw=True)


def _word(value):
    """A cell of a table: numbers to four digits, with a real minus sign."""
    parts = value if isinstance(value, tuple) else (value,)
    words = [f"{part:.4g}" if isinstance(part, float) else str(part) for part in parts]
    return re.sub(r"(?<!\w)-(?=[\d.i])", "−", " ".join(words))


def guess(what, said, truth, tol=None, among=()):
    """Compare the reader's guess with the truth, in print.

    said  : a number or a string, or None while there is no guess
    truth : the value that came out, of the same kind
    tol   : how far a number may be off; 10 % of the truth when None
    among : the words there are to choose from, where the guess is one
    """
    if said is None:
        digits = 2 if isinstance(truth, str) or abs(truth) < 100 else 3
        shown = truth if isinstance(truth, str) else f"{float(truth):.{digits}g}"
        # Of what it covers, JupyterLab shows the first line.
        return print(f"○ no guess yet\n○ {what} is {shown}.")
    said = said.item() if hasattr(said, "item") else said
    text, kind, possible = str(said).strip().lower(), "a word", False
    if isinstance(truth, str):
        words = [word.lower() for word in (truth, *among)]
        near = difflib.get_close_matches(text, words, 1, 0.85)  # a slip of the finger
        hit = near == words[:1]
        possible = near or (not among and re.search("[a-z]", text))
    else:
        near, kind = 0.1 * abs(truth) if tol is None else tol, "a number"
        with contextlib.suppress(ValueError):
            number = float(text.rstrip("% ").replace(",", ".").replace("−", "-"))
            hit = math.isclose(number, truth, rel_tol=0, abs_tol=near)
            possible, truth = not math.isnan(number), f"{truth:.4g}"
    if not possible:
        return print(f"? {said!r} is nothing like an answer: {what} is {kind}.")
    verdict = "✓ well predicted" if hit else "↯ a surprise"
    print(f"{verdict}: {what} is {truth}, you said {said}.")


def claim(claim_id, sentence, holds, kind=None, by="run"):
    """State a claim of the course: assert it, and print one fixed line.

    claim_id : "NN-k", the notebook and a running number; of a deep dive "NNa-k"
    sentence : what the cells show, so that it is understood without the notebook
    holds    : whether they show it, with room to spare
    kind     : a setback of label smoothing: "null" (no gain, or none of a stated size),
               "harm" (something got worse), "rival" (another method did better)
    by       : what it rests on: "run" (trained or drawn here), "record" (at least in
               part a stored file), "identity" (algebra, or a check of code)
    raises   : AssertionError when it does not hold, TypeError when holds is no bool
    """
    named = re.fullmatch(r"\d\d[a-z]?-\d+", str(claim_id))
    got = f"{claim_id!r} and {sentence!r}"
    must = "claim needs an id like '01-4', a sentence, a bool"
    check.that(named and isinstance(sentence, str), must, got, TypeError)
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
