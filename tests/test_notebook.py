"""What every notebook does the same way: set up, show, table, guess, claim."""

import math
import random

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

import lsr_utils as lsr
from lsr_utils import style


@pytest.fixture(autouse=True)
def everything_as_before(monkeypatch):
    """No wish from outside, and what ``setup`` changes for the process undone."""
    for name in ("LSR_THREADS", "LSR_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    with plt.rc_context(), np.printoptions():
        yield
    torch.set_num_threads(threads)
    torch.set_printoptions(profile="default")
    plt.close("all")


def test_the_seed_decides_what_all_three_generators_draw():
    def draws(**options):
        lsr.setup(**options)
        return [random.random(), np.random.random(), torch.rand(1).item()]  # noqa: NPY002

    assert draws(seed=1) == draws(seed=1) and draws(seed=0) == draws()
    assert not {*draws(seed=1)} & {*draws(seed=0)}


def test_setup_names_the_device_and_sets_numbers_and_figures(capsys):
    for device in ("cpu", torch.device("cpu")):
        assert lsr.setup(device=device, threads=1) == torch.device("cpu")
        line = f"device: cpu · torch {torch.__version__} · threads: 1\n"
        assert capsys.readouterr() == (line, "")
    assert str(torch.tensor([1 / 3, 1e-6])).split()[-1] == "0.0000])"
    assert str(np.array([1 / 3, 1e-6])) == "[0.3333 0.    ]"
    assert tuple(plt.rcParams["figure.figsize"]) == style.SINGLE
    assert plt.rcParams["savefig.dpi"] == 200


def test_a_gpu_is_taken_if_there_is_one_and_no_other_wish(monkeypatch, capsys):
    torch.set_num_threads(2)
    found = {"device": torch.device("cuda"), "there": False}
    accelerator = torch.accelerator
    monkeypatch.setattr(accelerator, "is_available", lambda: found["there"])
    monkeypatch.setattr(accelerator, "device_count", lambda: 1)
    monkeypatch.setattr(accelerator, "current_accelerator", lambda: found["device"])
    monkeypatch.setenv("LSR_DEVICE", "")
    assert lsr.setup() == torch.device("cpu") and torch.get_num_threads() == 1
    found["there"] = True
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a fast one")
    assert lsr.setup() == torch.device("cuda")
    assert "device: a fast one · torch" in capsys.readouterr().out
    with pytest.raises(ValueError, match="'cuda', 'cuda:0' or 'cpu', got 'cuda:1'"):
        lsr.setup(device="cuda:1")
    monkeypatch.setenv("LSR_THREADS", "2")
    monkeypatch.setenv("LSR_DEVICE", "cpu")
    assert lsr.setup() == torch.device("cpu") and torch.get_num_threads() == 2
    assert lsr.setup(device="cuda", threads=1) == torch.device("cuda")
    assert torch.get_num_threads() == 1


def test_show_displays_a_png_with_its_alt_text_and_closes_the_figure(monkeypatch):
    sent, alt, display = [], "A line that rises.", "IPython.display.display"
    monkeypatch.setattr(display, lambda data, **more: sent.append((data, more)))
    for _ in range(2):
        figure, axis = plt.subplots(figsize=(3, 2))
        axis.plot([0, 1], [0, 1])
        lsr.show(figure, alt=alt)
        assert not plt.get_fignums()
    assert sent[:2] == sent[2:]  # the same figure, the same bytes
    data, options = sent[0]
    assert set(data) == {"image/png", "text/plain"}
    assert data["image/png"].startswith(b"\x89PNG")
    assert b"Matplotlib" not in data["image/png"]  # no version in the file
    assert alt in data["text/plain"] and " at 0x" not in data["text/plain"]
    about = options["metadata"]["image/png"]
    assert about["alt"] == alt and any("Line2D" in line for line in about["drawn"])


TWO = "0.1 12 1e-05 <b> ←"


def test_a_table_has_its_caption_real_minus_signs_and_marked_rows(monkeypatch):
    sent = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: sent.append(data))
    columns = {"gain": [-0.0712345, 12.0], "95 %": ["-0.077, -0.066", "1e-05 <b>"]}
    frame = pd.DataFrame(columns, pd.Index([0.05, 0.1], name="eps"))
    lsr.table(frame, "Gains & losses", mark=[0.05])
    lsr.table(frame.set_index("gain", append=True), "Two keys", mark=[(0.1, 12.0)])
    one, two = sent
    assert one["text/plain"].splitlines() == [
        "Gains & losses",
        " eps      gain            95 %",
        "0.05  −0.07123  −0.077, −0.066  ←",
        " 0.1        12       1e-05 <b>",
    ]
    page = one["text/html"]
    assert page.startswith('<table style="white-space: nowrap"><caption ')
    head, body = page.split("</thead><tbody>")
    assert (head.count("<th>"), body.count("<td>")) == (3, 6) and "&amp; los" in head
    assert page.count('<tr style="font-weight: bold"><td>0.05</td>') == 1
    assert "<td>1e-05 &lt;b&gt;</td>" in page
    _, head, *_, last = two["text/plain"].splitlines()
    assert (head.split(), last.split()) == ("eps gain 95 %".split(), TWO.split())
    assert "<th>eps</th><th>gain</th>" in two["text/html"]


RIGHT = [(0.9, 0.9167), (-4.0, -4.3), ("4", torch.tensor(4.007)), ("50 %", 49.0)]
RIGHT += [("0,9", 0.9167), (math.inf, math.inf), ("Infinite ", "infinite")]
RIGHT += [("infinit", "infinite"), ("pytorch", "PyTorch")]
WRONG = [(3.9, 4.0), (4.0, math.inf), (-math.inf, math.inf), ("nan", "infinite")]
WRONG += [("below", "not below")]
MISS = "↯ a surprise"


@pytest.mark.parametrize(("said", "truth"), RIGHT + WRONG)
def test_a_guess_is_held_against_the_truth(said, truth, capsys):
    lsr.guess("it", said, truth, tol=0.05 if said == 3.9 else None)
    shown = truth if isinstance(truth, str) else f"{float(truth):.4g}"
    verdict = MISS if (said, truth) in WRONG else "✓ well predicted"
    wanted = f"{verdict}: it is {shown}, you said {said}.\n"
    assert capsys.readouterr().out == wanted


def test_without_a_guess_the_truth_is_said_and_what_is_no_guess_is_no_surprise(capsys):
    for truth, words in ((0.9167, "0.92"), (104, "104"), (7, "7"), ("rise", "rise")):
        lsr.guess("it", None, truth)
        assert capsys.readouterr().out == f"○ no guess yet\n○ it is {words}.\n"
    for said in ("many", [1, 2], "", True, math.nan, "0.9.1", object):
        lsr.guess("p_max", said, 0.9167)
        line = f"? {said!r} is nothing like an answer: p_max is a number.\n"
        assert capsys.readouterr().out == line
    for said, among in ((3, ()), ("", ()), ("7", ()), ("steady", ("rise", "fall"))):
        lsr.guess("the NLL", said, "rise", among=among)
        line = f"? {said!r} is nothing like an answer: the NLL is a word.\n"
        assert capsys.readouterr().out == line
    lsr.guess("the NLL", "Fal", "rise", among=("rise", "fall"))
    assert capsys.readouterr().out == f"{MISS}: the NLL is rise, you said Fal.\n"


def test_a_claim_that_holds_prints_one_line_whatever_it_rests_on(capsys):
    for kind in (None, "null", "harm", "rival"):
        for by in ("run", "record", "identity"):
            for holds in (True, np.bool_(True), torch.tensor(True)):
                lsr.claim("01-3", "all of them", holds, kind=kind, by=by)
    assert capsys.readouterr().out == 36 * "✓ 01-3  all of them\n"


@pytest.mark.parametrize("holds", [False, np.bool_(False), torch.tensor(False)])
def test_a_claim_that_does_not_hold_is_an_error(holds, capsys):
    with pytest.raises(AssertionError, match="^01-1 does not hold: rows sum to one$"):
        lsr.claim("01-1", "rows sum to one", holds)
    assert capsys.readouterr().out == ""
