"""Every notebook in JupyterLab: what a reader sees, after Run All where it runs."""

import pytest
from browser_tools import LECTURES, ROOT, move_sliders, stored
from course_copy import notebook
from jupyterlab_page import Lab, runs


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def page(lab, browser):
    return lab.open(browser)


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem[:2])
def test_every_notebook(path, lab, page):
    with lab.notebook(page, path.relative_to(ROOT).as_posix()):
        outcome = lab.run_all(page) if runs(path) else lab.seen(page)
        figures, sliders = stored(path)
        assert outcome["trouble"] == []
        assert outcome["numbered"] == outcome["cells"]
        assert outcome["figures"] == figures and outcome["drawn"]
        assert page.locator(".jp-OutputArea input[type=range]").count() == sliders
        assert move_sliders(page, ".jp-OutputArea") == sliders, "not every one moved"
        assert page.asked == [], "a request left this machine"


def test_a_failing_cell_is_noticed(lab, page):
    sources = ("1 + 1", "raise ValueError('on purpose')", "2 + 2")
    notebook(lab.course / "notebooks" / "failing.ipynb", *sources)
    with lab.notebook(page, "notebooks/failing.ipynb"):
        outcome = lab.run_all(page)
    assert len(outcome["trouble"]) == 1 and "on purpose" in outcome["trouble"][0]
    assert (outcome["cells"], outcome["numbered"]) == (3, 2)
