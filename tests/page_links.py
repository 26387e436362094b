"""Links of Markdown pages and of notebooks, and the anchors of their targets."""

import functools
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

import mistune
import nbformat
from nbconvert.filters.strings import add_anchor

PROSE = mistune.create_markdown(renderer="ast", plugins=["table"])


def links(text):
    """All links and images of a Markdown text, as (kind, address), code left out."""
    return list(_walk(PROSE(text)))


def _walk(tokens):
    for token in tokens:
        if token["type"] in ("link", "image"):
            yield token["type"], token["attrs"]["url"]
        yield from _walk(token.get("children", []))


@functools.cache
def anchors(path):
    """The anchors of a notebook, as nbconvert makes them, or of a Markdown file."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "markdown"]
        return {_notebook_anchor(html) for s in sources for html in _headings(s)}
    text = path.read_text(encoding="utf-8")
    return {_page_anchor(html) for html in _headings(text)}


def text_of(page):
    """The Markdown of a page; of a notebook, that of its prose and its outputs."""
    if page.suffix != ".ipynb":
        return page.read_text(encoding="utf-8")
    texts = []
    for cell in nbformat.read(page, as_version=4).cells:
        if cell.cell_type == "markdown":
            texts.append(cell.source)
        for output in cell.get("outputs", []):
            texts.append(output.get("data", {}).get("text/markdown", ""))
    return "\n\n".join(texts)


def _headings(text):
    html = mistune.create_markdown()(text)
    return re.findall(r"<h\d>.*?</h\d>", html)


def _notebook_anchor(html):
    return ElementTree.fromstring(add_anchor(html)).get("id")


def _page_anchor(html):
    """Lower case, without punctuation, hyphens for spaces: the rule of web hosts."""
    words = "".join(ElementTree.fromstring(html).itertext()).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def broken(page, root):
    """The links of a page or notebook that lead nowhere, as sentences.

    Addresses of the web are only looked at: nothing is asked of the network.
    """
    problems = []
    for _, address in links(text_of(page)):
        if re.match(r"https?:", address):
            if not re.fullmatch(r"https://[\w.-]+\.\w+(/[\w.~%/#?=&@:+-]*)?", address):
                problems.append(f"{address} is no address")
            continue
        name, _, fragment = address.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.is_relative_to(root) or not target.is_file():
            problems.append(f"{address}: there is no such file")
        elif fragment and unquote(fragment) not in map(unquote, anchors(target)):
            problems.append(f"{address}: there is no such heading")
    return problems
