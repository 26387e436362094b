"""Every deck in a real browser: what a lecturer sees on the projector."""

import re

import matplotlib
import pytest
from browser_tools import ROOT, all_set, move_sliders

from lsr_utils import style

DECKS = [
    *(path.stem for path in sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))),
    *("talk45", "talk90"),
]
LOOKS = matplotlib.rc_params_from_file(style.LOOKS, use_default_template=False)
LABEL = LOOKS["xtick.labelsize"] / 72 * LOOKS["savefig.dpi"]  # in a figure's pixels
# What lies outside the frame, of everything that can be seen on this slide.
OUTSIDE = """() => {
  const slide = document.querySelector('section.present');
  const found = [];
  for (const element of [slide, ...slide.querySelectorAll('*')]) {
    if (element.closest('.notes, mjx-assistive-mml, script, style, defs')) continue;
    const box = element.getBoundingClientRect();
    if (box.width * box.height === 0) continue;
    const clipped = !(element instanceof SVGElement) &&
      element.scrollWidth > element.clientWidth + 1 && element.matches('pre');
    const inside = Math.min(box.left, box.top) > -1 &&
      box.right < 1281 && box.bottom < 721;
    if (!inside || clipped)
      found.push(element.outerHTML.slice(0, 120));
  }
  return found;
}"""
# The least type on this slide, in pixels, and how much its figures are reduced.
TYPE = """() => {
  const slide = document.querySelector('section.present');
  const words = [...slide.querySelectorAll('*')]
    .filter(e => !e.closest('.notes, mjx-container, svg') && e.getClientRects().length
      && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .map(e => parseFloat(getComputedStyle(e).fontSize));
  const figures = [...slide.querySelectorAll('.figure img')].map(image => {
    const box = image.getBoundingClientRect();
    return Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
  });
  return [Math.min(99, ...words), Math.min(9, ...figures)];
}"""


@pytest.fixture
def open_deck(decks, open_page):
    return lambda name: open_page((decks / f"{name}.html").as_uri(), "body.started")


def turned(page):
    """Turn to each slide in its turn; yields its number, from 1."""
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number})")
        yield number + 1


def outside_the_frame(page):
    return [(n, what) for n in turned(page) for what in page.evaluate(OUTSIDE)]


@pytest.mark.parametrize("name", DECKS)
def test_nothing_overflows_and_all_can_be_read_from_the_last_row(name, open_deck):
    page = open_deck(name)
    assert outside_the_frame(page) == []
    for number in turned(page):
        words, reduced = page.evaluate(TYPE)
        assert words >= 18, f"slide {number}"
        assert reduced * LABEL >= 18, f"the figure of slide {number}"
    assert all_set(page, ".slides")
    assert page.asked == [] and page.complaints == []


def test_every_slider_of_the_decks_moves_and_lets_the_clicker_through(open_deck):
    seen = 0
    for name in DECKS:
        page = open_deck(name)
        for number in turned(page):
            sliders = page.locator("section.present input[type=range]")
            if count := sliders.count():
                assert move_sliders(page, "section.present") == count, name
                past = "Reveal.getSlidePastCount()"
                assert page.evaluate(past) == number - 1, "turned the page"
                for key in ("b", "n", ".", "PageDown"):  # n does nothing in the black
                    sliders.first.focus()
                    page.keyboard.press(key)
                assert page.evaluate(past) == number, "swallowed the clicker"
                seen += 1
    assert seen >= 3


def test_a_slide_that_overflows_is_noticed(open_deck):
    page = open_deck(DECKS[0])
    body, lines = "document.querySelectorAll('.body')[1]", "'<p>line</p>'.repeat(40)"
    page.evaluate(f"{body}.insertAdjacentHTML('beforeend', {lines})")
    assert {number for number, _ in outside_the_frame(page)} == {2}


def test_the_speaker_sees_the_notes(open_deck):
    page = open_deck(DECKS[1])
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    of_second = "document.querySelectorAll('section')[1].querySelector('.notes')"
    wanted = page.evaluate(f"{of_second}.textContent")
    page.evaluate("Reveal.slide(1)")
    shown = "document.querySelector('.speaker-controls-notes .value')?.textContent"
    arrived = f"words => {shown}.includes(words)"
    popup.value.wait_for_function(arrived, arg=wanted.strip()[:40], timeout=30_000)


def test_the_index_leads_to_every_deck_and_handout(decks, open_page):
    text = (decks / "index.html").read_text("utf-8")
    names = sorted([*DECKS, "decision_page", "cheat_sheet"])
    kinds = [f"{name}.{kind}" for name in names for kind in ("html", "pdf")]
    assert re.findall('<a href="([^"]*)"', text) == kinds
    for name in names:
        handout = (decks / f"{name}.pdf").read_bytes()
        slides = (decks / f"{name}.html").read_text("utf-8")
        pages = len(re.findall('<section class="[^"]*begins', slides)) or 1
        assert handout.startswith(b"%PDF") and len(handout) > 30_000, name
        assert handout.count(b"/MediaBox") == pages, name
    films = open_page(f"{(decks / DECKS[5]).as_uri()}.html?handout", "body.handout")
    assert films.locator("label", has_text="step = 4000").count() == 2  # at the end
