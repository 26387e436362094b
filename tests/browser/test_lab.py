"""Every notebook in JupyterLab: what a reader sees, after Run All where it runs."""

import pytest
from browser_tools import LECTURES, ROOT, move_sliders, stored
from jupyterlab_page import Lab, runs


@pytest.fixture(scope="module")
def opened(tmp_path_factory, browser):
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab, lab.open(browser)


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem[:2])
def test_every_notebook(path, opened):
    lab, page = opened
    with lab.notebook(page, path.relative_to(ROOT).as_posix()):
        outcome = lab.run_all(page) if runs(path) else lab.seen(page)
        figures, sliders = stored(path)
        assert outcome["trouble"] == []
        assert outcome["numbered"] == outcome["cells"]
        assert outcome["figures"] == figures and outcome["drawn"]
        assert page.locator(".jp-OutputArea input[type=range]").count() == sliders
        assert move_sliders(page, ".jp-OutputArea") == sliders, "not every one moved"
        assert page.asked == [], "a request left this machine"
