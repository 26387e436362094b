"""Links of Markdown pages and of notebooks, and the anchors of their targets."""

import functools
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

import mistune
from nbconvert.filters.strings import add_anchor
from notebook_files import code_cells, number, prose_cells, read

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
    """The links of a page or notebook that lead nowhere, as sentences.

    Addresses of the web are only looked at: nothing is asked of the network.
    """
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
