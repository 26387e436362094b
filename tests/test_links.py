"""Every link inside the course leads to a file, and to a heading of it."""

import functools
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

import mistune
import nbformat
import pytest
from nbconvert.filters.strings import add_anchor
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_files import ROOT, code_cells, notebook_paths, number, prose_cells, read

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CLAIMS.md")]
PAGES += [ROOT / "data" / "README.md", *sorted((ROOT / "notebooks").rglob("*.md"))]
PAGES += notebook_paths()

PROSE = mistune.create_markdown(renderer="ast", plugins=["table"])


def links(text):
    """All links and images of a Markdown text, as (words, address), code left out."""
    return [*_walk(PROSE(text))]


def _walk(tokens):
    for token in tokens:
        inside = token.get("children", [])
        if token["type"] in ("link", "image"):
            words = "".join(child.get("raw", "") for child in inside)
            yield words, token["attrs"]["url"]
        yield from _walk(inside)


@functools.cache
def anchors(path):
    """The anchors of a notebook, as nbconvert makes them, or of a Markdown file."""
    headings = re.findall(r"<h\d>.*?</h\d>", mistune.create_markdown()(text_of(path)))
    if path.suffix == ".ipynb":
        return {ElementTree.fromstring(add_anchor(h)).get("id") for h in headings}
    # Lower case, without punctuation, hyphens for spaces: the rule of web hosts.
    words = ("".join(ElementTree.fromstring(h).itertext()).lower() for h in headings)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in words}


def text_of(page):
    """The Markdown of a page; of a notebook, that of its prose and its outputs."""
    if page.suffix != ".ipynb":
        return page.read_text(encoding="utf-8")
    notebook = read(page)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    shown = [output.get("data", {}).get("text/markdown", "") for output in outputs]
    return "\n\n".join([*(cell.source for cell in prose_cells(notebook)), *shown])


def broken(page, root):
    """The links of a page that lead nowhere; nothing is asked of the network."""
    problems = []
    for words, address in links(text_of(page)):
        if re.match(r"https?:", address):
            if not re.fullmatch(r"https://[\w.-]+\.\w+(/[\w.~%/#?=&@:+-]*)?", address):
                problems.append(f"{address} is no address")
            continue
        name, _, fragment = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        said = re.fullmatch(r"(\d\d[a-z]?) §(\d+)", words)
        if not target.is_relative_to(root) or not target.is_file():
            problems.append(f"{address}: there is no such file")
        elif fragment and unquote(fragment) not in map(unquote, anchors(target)):
            problems.append(f"{address}: there is no such heading")
        elif said and f"{number(target)} §{fragment.partition('.')[0]}" != words:
            problems.append(f"{address}: is not {words}")
    return problems


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
    (tmp_path / "there.md").write_text("# A heading, *here*\n")
    (tmp_path / "deep").mkdir()
    shown = new_output("display_data", {"text/markdown": "[d](#1.-Gone)"})
    code = new_code_cell("'[no](c.md)'", outputs=[shown])
    for name, title in (("03_a", "03 ·"), ("deep/03_a", "03b ·"), ("deep/04", "03b ·")):
        prose = f"# {title} A\n## 1. A part\n[a](#1.-A-part) [b](b.md)"
        notebook = new_notebook(cells=[new_markdown_cell(prose), code])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    assert number(tmp_path / "deep" / "04.ipynb") == "04?"
    page, part = tmp_path / "page.md", "03_a.ipynb#1.-A-part"
    page.write_text(
        "# Top\n[a](there.md) [b](there.md#a-heading-here) [c](#top) "
        f"[03 §1]({part}) [d](https://example.org/x) `[no](link)` "
        f"[03 §2]({part}) ![p](no.png) [e](there.md#gone) "
        "[f](#gone) [g](http:/example) [h](../outside.md) "
        f"[03b §1](deep/{part}) [03a §1](deep/{part}) [03 §1](deep/{part})\n"
    )
    bad = [*broken(page, tmp_path), *broken(tmp_path / "03_a.ipynb", tmp_path)]
    wanted = [part, "no.png", "there.md#gone", "#gone", "http", "../outside.md"]
    wanted += [f"deep/{part}"] * 2 + ["b.md", "#1.-Gone"]
    assert [problem.partition(":")[0] for problem in bad] == wanted
