"""Write a deck as one page that needs nothing but the folder `assets` beside it."""

import html
import re
from pathlib import Path

from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments.formatters import HtmlFormatter

TEMPLATES = Path(__file__).parent
RESULTS = ("text", "rows", "figure", "slider", "seen")  # come up with a click
NOTEBOOK_LINK = re.compile(r"\]\(((?!https?:)[^)#]*)(#[^)]*)?\)")


def filled(template, **texts):
    """The text of a template, with these texts in place of their names in braces."""
    made = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub(r"\{(\w+)\}", lambda name: texts[name[1]], made)


def plain(markdown):
    return html.escape(re.sub(r"[*`$]", "", markdown))


def deck(title, slides, decks):
    """The page of these slides; links to the notebooks `decks` lead to their decks."""
    made = [slide_html(slide, slide is slides[0], decks) for slide in slides]
    return filled("deck.html", title=plain(title), slides="\n".join(made))


def slide_html(slide, first, decks):
    level, kind = ("h1", ' class="title"') if first else ("h2", "")
    title = re.sub(r"^(\d+)\.", r"\1\\.", slide.title)  # "1." would begin a list
    title = re.sub(r"^<p>|</p>\s*$", "", markdown(title, decks).strip())
    part = f' <span class="part">{slide.part}</span>' if slide.part else ""
    lines = [f'<section{kind}><div class="fit">', f"<{level}>{title}{part}</{level}>"]
    shown = False  # whether something stands on the slide that a result may follow
    for block in slide.blocks:
        fragment = " fragment" if shown and block.kind in RESULTS else ""
        shown = shown or block.kind != "lead"
        swipe = " data-prevent-swipe" if block.kind == "slider" else ""
        inner = block_html(block, decks)
        lines.append(f'<div class="{block.kind}{fragment}"{swipe}>{inner}</div>')
    said = [markdown(note, decks) for block in slide.blocks for note in block.notes]
    notes = f'<aside class="notes">{"".join(said)}</aside>' if said else ""
    return "\n".join([*lines, f"</div>{notes}</section>"])


def block_html(block, decks):
    if block.kind == "rows":
        return re.sub(r'(?s)<style.*?</style>| border="1"', "", block.text)
    if block.kind in ("slider", "figure"):  # HTML already
        return block.text
    if block.kind == "text":
        return f"<pre>{ansi2html(block.text)}</pre>"
    if block.kind == "code" and not block.text.startswith("```"):
        return markdown(f"```python\n{block.text}\n```", decks)
    return markdown(block.text, decks)


def markdown(text, decks):
    """HTML of Markdown, whose links to notebooks become links to their decks."""

    def moved(found):
        name = re.sub(r"\.ipynb$", "", found[1])
        return f"]({name}.html)" if name in decks else f"]({found[2] or '#'})"

    made = markdown2html_mistune(NOTEBOOK_LINK.sub(moved, text))
    # A link that leads nowhere from here is only its text.
    return re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", made, flags=re.DOTALL)


def styles():
    """The deck's stylesheet, and the colours of code: dark enough on a projector."""
    colours = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    return f"{(TEMPLATES / 'deck.css').read_text(encoding='utf-8')}\n{colours}\n"


def sheet(notebook):
    """The cheat sheet: prose and outputs, no code, nothing from the network."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif "nbval-ignore-output" not in cell.metadata.get("tags", []):
            # (What is ignored is of a machine.)
            parts += [o.get("text") or o.data["text/markdown"] for o in cell.outputs]
    made = "\n".join(map(markdown2html_mistune, parts))
    return filled("cheat_sheet.html", sheet=made)


def index(decks, handouts):
    """The page that lists the title, the question and the number of pages of each."""
    lines = []
    for name, (title, question, number) in decks.items():
        pdf = f' · <a href="{name}.pdf">handout (PDF)</a>' if handouts else ""
        lines.append(
            f'<li><a href="{name}.html">{plain(title)}</a>: {plain(question)} '
            f"<small>pages: {number}{pdf}</small></li>"
        )
    return filled("index.html", decks="\n".join(lines))
