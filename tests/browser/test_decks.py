"""Every deck in a real browser: what a lecturer sees on the projector."""

import re

import folding
import nbformat
import pytest
from browser_tools import LECTURES, all_set, move_sliders

MOST = 40
# What lies outside the frame, of everything that can be seen on this slide. A fragment
# counts before it is clicked: it takes its room from the start.
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


@pytest.fixture
def open_deck(decks, open_page):
    def address(path):
        return (decks / f"{path.stem}.html").as_uri()

    return lambda path: open_page(address(path), "body.started")


def outside_the_frame(page):
    found = []
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number})")
        found += [(number + 1, what) for what in page.evaluate(OUTSIDE)]
    return found


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem[:2])
def test_deck(path, open_deck):
    page = open_deck(path)
    assert page.evaluate("Reveal.getTotalSlides()") <= MOST
    assert outside_the_frame(page) == []
    scales = page.eval_on_selector_all(".fit", "all => all.map(e => +e.dataset.scale)")
    assert min(scales) >= 0.6, "too small to read"
    notebook = nbformat.read(path, as_version=4)
    folding.fold(notebook)
    cells = [cell for cell in notebook.cells if not folding.has_covered_output(cell)]
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert ("$" in prose) <= page.locator("mjx-container svg").count()
    assert all_set(page, ".slides")
    assert page.locator(".fit img").count() == str(cells).count("'image/png': 'iVBOR")
    assert page.locator("aside.notes").count() > 0
    assert page.asked == [] and page.complaints == []


SHOW_ALL = "while (Reveal.availableFragments().next) Reveal.nextFragment()"
WITH_SLIDERS = """Reveal.getSlides().flatMap((slide, number) =>
    slide.querySelector('input[type=range]') ? [number] : [])"""


def test_every_slider_of_the_decks_moves(open_deck):
    seen = 0
    for path in LECTURES:
        if "lsr-live-" not in path.read_text(encoding="utf-8"):
            continue
        page = open_deck(path)
        for number in page.evaluate(WITH_SLIDERS):
            page.evaluate(f"Reveal.slide({number})")
            sliders = page.locator("section.present input[type=range]").count()
            page.evaluate(SHOW_ALL)
            assert move_sliders(page, "section.present") == sliders > 0, path.stem
            past = page.evaluate("Reveal.getSlidePastCount()")
            assert past == number, "turned the page"
            seen += 1
    assert seen > 0


def test_a_slide_that_overflows_is_noticed(open_deck):
    page = open_deck(LECTURES[0])
    page.evaluate(
        "document.querySelectorAll('.fit')[1].insertAdjacentHTML("
        "'beforeend', '<p>line</p>'.repeat(40))"
    )
    assert {number for number, _ in outside_the_frame(page)} == {2}


def test_the_speaker_sees_the_notes(open_deck):
    page = open_deck(LECTURES[1])
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    wanted = page.evaluate(
        "document.querySelectorAll('section')[1].querySelector('.notes').textContent"
    )
    page.evaluate("Reveal.slide(1)")
    shown = "document.querySelector('.speaker-controls-notes .value')?.textContent"
    arrived = f"words => {shown}.includes(words)"
    popup.value.wait_for_function(arrived, arg=wanted.strip()[:40], timeout=30_000)


def test_the_index_leads_to_every_deck_and_handout(decks):
    text = (decks / "index.html").read_text("utf-8")
    names = [*(path.stem for path in LECTURES), "cheat_sheet"]
    kinds = [f"{name}.{kind}" for name in names for kind in ("html", "pdf")]
    assert re.findall('<a href="([^"]*)"', text) == kinds
    for name in names:
        handout = (decks / f"{name}.pdf").read_bytes()
        slides = (decks / f"{name}.html").read_text("utf-8").count("<section") or 1
        assert handout.startswith(b"%PDF") and len(handout) > 30_000, name
        assert handout.count(b"/MediaBox") == slides, name
