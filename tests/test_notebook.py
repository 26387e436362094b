"""What every notebook does the same way: set up, show, guess, claim."""

import math
import random

import matplotlib.pyplot as plt
import numpy as np
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


# --- setup --------------------------------------------------------------------------


def three_draws():
    return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002


def test_the_seed_decides_what_all_three_generators_draw():
    draws = []
    for seed in (1, 1, 2):
        lsr.setup(seed=seed)
        draws.append(three_draws())
    assert draws[0] == draws[1]
    assert all(one != two for one, two in zip(draws[1], draws[2], strict=True))


def test_setup_prints_one_line_that_names_the_device(capsys):
    device = lsr.setup(device="cpu", threads=1)
    assert device == torch.device("cpu")
    line = f"device: cpu · torch {torch.__version__} · threads: 1\n"
    assert capsys.readouterr() == (line, "")


def test_without_a_wish_it_takes_one_thread_and_a_gpu_if_there_is_one(
    monkeypatch, capsys
):
    torch.set_num_threads(2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lsr.setup() == torch.device("cpu") and torch.get_num_threads() == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a fast one")
    assert lsr.setup() == torch.device("cuda")
    assert "device: a fast one · torch" in capsys.readouterr().out
    drawn = three_draws()
    lsr.setup(seed=0)
    assert drawn == three_draws()


def test_the_environment_can_wish_and_an_argument_overrules_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LSR_THREADS", "2")
    monkeypatch.setenv("LSR_DEVICE", "cpu")
    assert lsr.setup() == torch.device("cpu") and torch.get_num_threads() == 2
    lsr.setup(threads=1)
    assert torch.get_num_threads() == 1
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a fast one")
    assert lsr.setup(device="cuda") == torch.device("cuda")


def test_numbers_are_printed_with_four_digits_and_figures_styled():
    lsr.setup()
    assert str(torch.tensor([1 / 3, 1e-6])) == "tensor([0.3333, 0.0000])"
    assert str(np.array([1 / 3, 1e-6])) == "[0.3333 0.    ]"
    assert tuple(plt.rcParams["figure.figsize"]) == style.SINGLE
    assert plt.rcParams["figure.dpi"] == plt.rcParams["savefig.dpi"] == 110


@pytest.mark.parametrize("threads", [-1, "0", 2.5, "two", True])
def test_a_bad_number_of_threads_is_named(threads):
    with pytest.raises(ValueError) as caught:
        lsr.setup(threads=threads)
    wanted = f"threads must be a whole number, at least 1, got {threads!r}."
    assert str(caught.value) == wanted


@pytest.mark.parametrize("device", ["gpu", "cuda", "mps"])
def test_a_device_that_is_not_to_be_had_is_named(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError) as caught:
        lsr.setup(device=device)
    assert str(caught.value) == f"device must be 'cpu', got {device!r}."
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for unknown in ("tpu", "cuda:1"):
        with pytest.raises(ValueError, match="'cuda:0' or 'cpu', got " + repr(unknown)):
            lsr.setup(device=unknown)


# --- show ---------------------------------------------------------------------------


@pytest.fixture
def displayed(monkeypatch):
    """What ``show`` hands to the notebook: a list of (data, options)."""
    sent = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, **options: sent.append((data, options))
    )
    return sent


def line():
    figure, axis = plt.subplots(figsize=(3, 2))
    axis.plot([0, 1], [0, 1])
    return figure


def test_show_displays_a_png_with_its_alt_text_and_closes_the_figure(displayed):
    figure = line()
    lsr.show(figure, alt="A line that rises.")
    (data, options), *more = displayed
    assert not more and not plt.get_fignums()
    assert data["image/png"].startswith(b"\x89PNG")
    assert (
        "A line that rises." in data["text/plain"]
        and " at 0x" not in data["text/plain"]
    )
    assert set(data) == {"image/png", "text/plain"}
    wanted = {"image/png": {"alt": "A line that rises."}}
    assert options == {"metadata": wanted, "raw": True}


def test_the_same_figure_gives_the_same_bytes(displayed):
    for _ in range(2):
        lsr.show(line(), alt="A line that rises.")
    one, two = displayed
    assert one == two
    assert b"Matplotlib" not in one[0]["image/png"]  # no version in the file


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_figure_without_alt_text_is_refused(alt, displayed):
    with pytest.raises(ValueError, match="alt must describe the figure, got"):
        lsr.show(line(), alt=alt)
    assert not displayed


# --- guess --------------------------------------------------------------------------

HIT, MISS = "✓ well predicted", "↯ a surprise"


def said(capsys, *args, **options):
    lsr.guess(*args, **options)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out.strip()


def test_without_a_guess_the_answer_stays_hidden(capsys):
    line = said(capsys, "p_max", None, 0.9167)
    assert line == "No prediction yet: set guess above, then run this cell again."


@pytest.mark.parametrize(
    ("said_so", "truth", "options", "verdict"),
    [
        (0.9, 0.9167, {}, HIT),
        (1.01, 0.9167, {}, MISS),
        (-4.0, -4.3, {}, HIT),
        ("4", 4.007, {}, HIT),
        (3.9, 4.0, {"tol": 0.05}, MISS),
        (3.0, 4.0, {"tol": 1.0}, HIT),
        (0, 0, {}, HIT),
        (math.inf, math.inf, {}, HIT),
        (4.0, math.inf, {}, MISS),
        (-math.inf, math.inf, {}, MISS),
        (math.nan, 1.0, {}, MISS),
        (4.0, torch.tensor(4.007), {}, HIT),
        ("Infinite ", "infinite", {}, HIT),
        ("nan", "infinite", {}, MISS),
        ("pytorch", "PyTorch", {}, HIT),
        (3, "PyTorch", {}, MISS),
    ],
)
def test_a_guess_is_held_against_the_truth(said_so, truth, options, verdict, capsys):
    line = said(capsys, "it", said_so, truth, **options)
    shown = truth if isinstance(truth, str) else f"{float(truth):.4g}"
    assert line == f"{verdict}: it is {shown}, you said {said_so}."


@pytest.mark.parametrize("guess", ["many", [1, 2], {}])
def test_a_guess_that_is_no_number_is_no_error(guess, capsys):
    line = said(capsys, "p_max", guess, 0.9)
    assert line == f"guess must be a number for p_max, got {guess!r}."


# --- claim --------------------------------------------------------------------------


def test_a_claim_that_holds_prints_one_line(capsys):
    lsr.claim("01-1", "rows sum to one", np.bool_(True))
    lsr.claim("01-2", "and to nothing else", torch.tensor(True))
    assert capsys.readouterr().out == (
        "✓ 01-1  rows sum to one\n✓ 01-2  and to nothing else\n"
    )


@pytest.mark.parametrize("holds", [False, np.bool_(False), torch.tensor(False)])
def test_a_claim_that_does_not_hold_is_an_error(holds, capsys):
    with pytest.raises(AssertionError) as caught:
        lsr.claim("01-1", "rows sum to one", holds)
    assert str(caught.value) == "01-1 does not hold: rows sum to one"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "holds", [float("nan"), "False", lambda: False, 1, None, [True], torch.ones(2) > 0]
)
def test_what_is_only_true_in_pythons_eyes_is_no_claim(holds, capsys):
    with pytest.raises(TypeError, match="^holds must be one bool in claim 01-1, got"):
        lsr.claim("01-1", "rows sum to one", holds)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("swapped", [("rows sum to one", "01-1"), ("1-1", "s"), (1, 2)])
def test_a_claim_without_an_id_and_a_sentence_is_an_error(swapped):
    with pytest.raises(TypeError, match="^claim needs an id like '01-4', a sentence"):
        lsr.claim(*swapped, True)


def test_what_a_claim_says_and_rests_on_changes_nothing_of_its_line(capsys):
    for kind in (None, "null", "harm", "rival"):
        for by in ("run", "record", "identity"):
            lsr.claim("01-1", "rows sum to one", True, kind=kind, by=by)
    assert set(capsys.readouterr().out.splitlines()) == {"✓ 01-1  rows sum to one"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"kind": "nul"}, "^kind must be 'null', 'harm' or 'rival', got 'nul'.$"),
        ({"kind": ""}, "^kind must be"),
        ({"by": "runs"}, "^by must be 'run', 'record' or 'identity', got 'runs'.$"),
        ({"by": None}, "^by must be"),
    ],
)
def test_an_unknown_kind_or_ground_of_a_claim_is_named(words, message, capsys):
    with pytest.raises(ValueError, match=message):
        lsr.claim("01-1", "rows sum to one", True, **words)
    assert capsys.readouterr().out == ""


def test_a_device_object_and_an_empty_variable_are_understood(monkeypatch):
    assert lsr.setup(device=torch.device("cpu")).type == "cpu"
    monkeypatch.setenv("LSR_DEVICE", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lsr.setup().type == "cpu"


def test_a_bad_seed_is_named():
    with pytest.raises(
        ValueError, match="^seed must be a whole number, 0 to 4294967295"
    ):
        lsr.setup(seed=-1)
