"""Every notebook in JupyterLab: Run All, and what a reader then sees."""

import json

import nbformat
import pytest
from browser_tools import ROOT, move_sliders
from lab import Lab

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
AT_ONCE = 2  # of two processors


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def outcomes(lab, browser):
    """What came of each notebook, by its name; two run at the same time."""
    from playwright.sync_api import Error

    found, waiting, running = {}, list(NOTEBOOKS), []
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            path = waiting.pop(0)
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            lab.start(page, f"notebooks/{path.name}")
            running.append((path, page))
        path, page = running.pop(0)
        try:
            found[path.name] = lab.outcome(page)
            sliders = page.locator(".jp-OutputArea input[type=range]").count()
            moved = move_sliders(page, ".jp-OutputArea") if sliders else 0
            found[path.name]["sliders"] = (sliders, moved)
        except Error as reason:  # it did not end, say; the others are still to be seen
            found[path.name] = {"trouble": [str(reason)]}
        lab.stop(page)
    return found


def stored(path):
    """Figures and sliders in the notebook as it is stored."""
    figures = sliders = 0
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            figures += "image/png" in data
            if "lsr-live-" in data.get("text/html", ""):
                text = data["text/html"].partition('type="application/json">')[2]
                controls = json.loads(text.partition("</script>")[0])["controls"]
                sliders += len(controls)
    return figures, sliders


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_run_all(path, outcomes):
    outcome = outcomes[path.name]
    figures, sliders = stored(path)
    assert outcome["trouble"] == []
    assert outcome["numbered"] == outcome["cells"]
    assert outcome["figures"] == figures and outcome["drawn"]
    assert outcome["sliders"] == (sliders, sliders), "not every slider moved"
    assert outcome["asked"] == [], "a request left this machine"


def test_a_failing_cell_is_noticed(lab, browser):
    cells = [
        nbformat.v4.new_code_cell(source)
        for source in ("1 + 1", "raise ValueError('on purpose')", "2 + 2")
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, lab.course / "notebooks" / "failing.ipynb")
    page = browser.new_page()
    lab.start(page, "notebooks/failing.ipynb")
    outcome = lab.outcome(page)
    assert len(outcome["trouble"]) == 1 and "on purpose" in outcome["trouble"][0]
    assert (outcome["cells"], outcome["numbered"]) == (3, 2)
    lab.stop(page)
