"""What the tests in a real browser share; without a browser they are skipped."""

import importlib.util
from pathlib import Path

import chromium
import pytest
from browser_tools import built

LOCAL = ("file:", "data:", "blob:", "about:")


def pytest_collection_modifyitems(items):
    """Skip early and once, before anything is built."""
    reason = None if chromium.find() else chromium.MISSING
    if not importlib.util.find_spec("playwright"):
        reason = "Playwright is missing: `pip install -e '.[browser,site]'`."
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def browser():
    """Ends with the module: Playwright's event loop must not stay for other tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found, options = chromium.find(), list(chromium.OPTIONS)
        running = playwright.chromium.launch(executable_path=found, args=options)
        yield running
        running.close()


@pytest.fixture
def open_page(browser):
    """Open an address in a page that notes what it `asked` and its `complaints`."""
    pages = []

    def opened(address, ready, **size):
        size = {"width": 1280, "height": 720, **size}
        pages.append(page := browser.new_page(viewport=size))
        page.asked, page.complaints = [], []
        asked = page.asked.append
        page.on("request", lambda r: r.url.startswith(LOCAL) or asked(r.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(address)
        page.wait_for_selector(ready, timeout=60_000)
        return page

    yield opened
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def decks(tmp_path_factory):
    return built("slides", tmp_path_factory.mktemp("decks"))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    pytest.importorskip("myst_nb", reason="the extra `site` is not installed")
    return built("site", tmp_path_factory.mktemp("site"))
