"""Every link inside the course leads to a file, and to a heading of it."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_files import ROOT, notebook_paths, number
from page_links import broken, links, text_of

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CLAIMS.md")]
PAGES += [ROOT / "data" / "README.md", *sorted((ROOT / "notebooks").rglob("*.md"))]
PAGES += notebook_paths()


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    assert broken(page, ROOT) == []


def test_every_page_is_linked_from_another():
    linked = {ROOT / "README.md"}  # the front door
    for page in PAGES:
        for _, address in links(text_of(page)):
            linked.add((page.parent / address.partition("#")[0]).resolve())
    assert [name_of(page) for page in PAGES if page not in linked] == []


def test_broken_links_are_reported(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "there.md").write_text("# A heading, *here*\n")
    prose = new_markdown_cell("# 03 · A\n## 1. A part\n[a](#1.-A-part) [b](b.md)")
    shown = new_output("display_data", {"text/markdown": "[d](#1.-Gone)"})
    cells = [prose, new_code_cell("'[no](c.md)'", outputs=[shown])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "03_a.ipynb")
    page.write_text(
        "# Top\n[a](there.md) [b](there.md#a-heading-here) [c](#top) "
        "[03 §1](03_a.ipynb#1.-A-part) [d](https://example.org/x) `[no](link)` "
        "[03 §2](03_a.ipynb#1.-A-part) ![p](no.png) [e](there.md#gone) "
        "[f](#gone) [g](http:/example) [h](../outside.md)\n"
    )
    bad = [*broken(page, tmp_path), *broken(tmp_path / "03_a.ipynb", tmp_path)]
    wanted = ["03_a.ipynb#1.-A-part", "no.png", "there.md#gone", "#gone", "http"]
    wanted += ["../outside.md", "b.md", "#1.-Gone"]
    assert [problem.partition(":")[0] for problem in bad] == wanted


def test_a_deep_dive_is_named_by_the_letter_of_its_title(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, title in (("03_a", "03b · A"), ("04_a", "03b · A")):
        cells = [new_markdown_cell(f"# {title}"), new_markdown_cell("## 1. A part")]
        path = tmp_path / "deep" / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        assert number(path) == {"03_a": "03b", "04_a": "04?"}[name]
    page, address = tmp_path / "page.md", "(deep/03_a.ipynb#1.-A-part)"
    page.write_text(f"[03b §1]{address} [03a §1]{address} [03 §1]{address}")
    problems = [problem.split()[-2:] for problem in broken(page, tmp_path)]
    assert problems == [["03a", "§1"], ["03", "§1"]]
