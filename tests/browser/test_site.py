"""Every page of the site in a real browser, from its files."""

import npm
import pytest
from browser_tools import ROOT, all_set, move_sliders
from command import Problem, files

NOTEBOOKS = files(ROOT, "*.ipynb", "*.md")
OTHERS = ("index", "README", "claims", "contributing", "api", "data", "search")


def name_of(path):
    return path.relative_to(ROOT).with_suffix("").as_posix()


PAGES = [*OTHERS, *map(name_of, NOTEBOOKS)]
DECK, PLANS = "slides/05_three_clouds", "notebooks/teaching/plans.html"
READY = {DECK: "body:is(.started, .handout)"}


@pytest.fixture
def open_site(site, open_page):
    def opened(name, query="", **size):
        ready = READY.get(name, "body" if "slides/" in name else "body[data-ready]")
        return open_page((site / f"{name}.html").as_uri() + query, ready, **size)

    return opened


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axe")
    try:
        npm.copy("axe-core", ["axe.min.js"], folder)
    except Problem as reason:
        pytest.skip(str(reason))
    return (folder / "axe.min.js").read_text("utf-8")


def test_every_page_is_there_and_no_other(site):
    made = [page.relative_to(site) for page in site.rglob("*.html")]
    pages = [page for page in made if page.parts[0] != "slides"]
    assert sorted(p.with_suffix("").as_posix() for p in pages) == sorted(PAGES)
    assert "slides/talk45.html" in (site / PLANS).read_text("utf-8")
    for path in NOTEBOOKS:
        kept = site / "files" / path.name
        assert path.suffix == ".md" or kept.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", PAGES)
def test_page(name, site, open_site):
    page = open_site(name)
    to = "all => all.map(e => e.href || new URL(e.content, location).href)"
    targets = page.locator("a[href], [property='og:image']").evaluate_all(to)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    for target in {t for t in targets if t.startswith("file:") and "?" not in t}:
        place, _, anchor = target.partition("#")
        file = place.removeprefix(site.as_uri()).lstrip("/")
        assert (site / file).is_file(), f"{target} leads nowhere"
        if anchor and file == f"{name}.html":
            assert anchor in ids, f"{target} leads nowhere"
    assert all_set(page, "main")
    assert page.asked == []
    assert [said for said in page.complaints if "theme mode" not in said] == []
    page.set_viewport_size({"width": 390, "height": 844})
    root = "document.documentElement"
    wider = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    assert wider == 0, "wider than a narrow screen"


# One page of each kind: what is not a notebook, and the first of each folder of them.
FIRST = {path.parent: name_of(path) for path in reversed(NOTEBOOKS)}
# Code takes most of the time: it is looked at on one page.
WHOLE = "notebooks/deep/02_fused_kernel"
SHEETS = "slides/index", "slides/cheat_sheet", "slides/decision_page"
KINDS = [(name, {}) for name in sorted({*FIRST.values(), WHOLE, *OTHERS, *SHEETS})]
KINDS += [(DECK, {}), (DECK, {"query": "?handout"})]  # a slide, and all of them


@pytest.mark.parametrize(("name", "size"), KINDS)
def test_no_serious_barrier(name, size, open_site, axe):
    context = "document" if name == WHOLE else "{exclude: ['div.highlight']}"
    page = open_site(name, **size)
    page.evaluate(axe)
    found = page.evaluate(f"axe.run({context}, {{resultTypes: ['violations']}})")
    assert [
        (rule["id"], rule["nodes"][0]["html"][:120]) for rule in found["violations"]
        if rule["impact"] in ("serious", "critical") or rule["id"] == "heading-order"
    ] == []  # fmt: skip


def test_search_finds_a_word_and_leads_to_it(open_site):
    page = open_site("index")
    page.goto(page.url.replace("index.html", "search.html?q=temperature"))
    page.wait_for_selector("#search-results ul li a", timeout=30_000)
    hits = page.locator("#search-results li a")
    found = hits.evaluate_all("all => all.map(a => a.href)")
    assert any("06_reliability_diagrams" in hit for hit in found)
    hits.first.click()
    page.wait_for_selector("article h1")
    assert "temperature" in page.locator("main").inner_text().lower()
    assert page.asked == []


def test_code_unfolds_docstrings_are_set_sliders_move(open_site):
    page = open_site("notebooks/03_watch_it_train")
    fold = page.locator("details.hide").first
    assert not fold.locator("pre").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").first.is_visible()
    text = open_site("api").locator("dl:has(#lsr_utils\\.targets\\.convert_eps)")
    assert "\nraises\n" in text.first.inner_text()  # a list, as docstrings mean it
    name = next(p for p in NOTEBOOKS if "lsr-live-" in p.read_text(encoding="utf-8"))
    page = open_site(name_of(name), width=390)
    assert page.locator("[data-prevent-swipe] [tabindex]").count() == 0  # no scrolling
    sliders = page.locator("main input[type=range]")
    values = "all => all.map(e => e.value)"
    first, count = sliders.evaluate_all(values), sliders.count()
    assert count > 0 and move_sliders(page, "main") == count
    assert sliders.evaluate_all(values) != first
    page.get_by_role("button", name="Reset").click()
    assert sliders.evaluate_all(values) == first


def test_the_film_plays_until_somebody_takes_over(open_site):
    page = open_site("index")
    step = page.locator(".plays input[type=range]").nth(1)
    before = step.input_value()
    other = "was => document.querySelectorAll('.plays input')[1].value !== was"
    page.wait_for_function(other, arg=before)
    assert page.locator(".plays [aria-live=off]").count() == 1
    step.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("button", name="Play").count() == 1
    held = step.input_value()
    page.wait_for_timeout(1500)
    assert step.input_value() == held


def test_claims_are_filtered_by_mark_and_notebook(open_site):
    page = open_site("claims")
    count = page.locator("[role=status]")
    everything = int(count.inner_text().split()[0])
    page.get_by_label("Marked").select_option("null")
    some = int(count.inner_text().split()[0])
    page.get_by_label("Notebook").select_option("04")
    few = int(count.inner_text().split()[0])
    assert everything > some > few == page.locator("main tbody tr:visible").count() > 0


def test_a_lecture_has_all_that_belongs_to_it_and_its_figures_enlarge(open_site):
    page = open_site("notebooks/05_three_clouds")
    words = "Download · Exercises · Solutions · Slides · Handout (PDF) · Cheat sheet"
    assert page.locator(".beside").inner_text() == words
    figures = page.locator("div.cell_output a.image-reference > img")
    assert figures.count() == page.locator("div.cell_output img").count() > 3
