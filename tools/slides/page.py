"""Write a deck as one page that needs nothing but the folder `assets` beside it."""

import html
import re
from pathlib import Path

from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments.formatters import HtmlFormatter

from .deck import pages

TEMPLATES = Path(__file__).parent
NARROW = 72  # columns of code that large type has room for
NOTEBOOK_LINK = re.compile(r"\]\(((?!https?:)[^)#]*)(#[^)]*)?\)")


def filled(template, **texts):
    """The text of a template, with these texts in place of their names in braces."""
    made = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub(r"\{(\w+)\}", lambda name: texts[name[1]], made)


def plain(markdown):
    return html.escape(re.sub(r"[*`$]", "", markdown))


def deck(title, slides, decks):
    """The page of these slides; links to the notebooks `decks` lead to their decks."""
    begins = {id(page[0]) for page in pages(slides)}
    made = [section(slide, id(slide) in begins, decks) for slide in slides]
    made[0] = made[0].replace("h2>", "h1>")
    return filled("deck.html", title=plain(title), slides="\n".join(made))


def section(slide, begins, decks):
    """One slide: its title, what it shows, and the notes."""
    first = not (slide.minutes or slide.say)  # the title slide
    kinds = " ".join(["title"] * first + ["begins"] * begins)
    title = re.sub(r"^<p>|</p>\s*$", "", markdown(slide.title, decks).strip())
    shown = [("words", markdown(slide.text, decks))] * bool(slide.text)
    if slide.code:
        wide = " wide" * (max(map(len, slide.code.splitlines())) > NARROW)
        code = markdown2html_mistune(f"```python\n{slide.code}\n```")
        shown.append((f"code{wide}", code))
    shown += [(kind, result_html(kind, *what)) for kind, *what in slide.results]
    head = f'<section class="{kinds}"><h2>{title}</h2>'
    body = "\n".join(f'<div class="{kind}">{inner}</div>' for kind, inner in shown)
    said = markdown(f"**{slide.minutes:g} min** {slide.say}", decks)
    notes = f'<aside class="notes">{said}</aside>' * (not first)
    return f'{head}\n<div class="body">\n{body}\n</div>{notes}</section>'


def result_html(kind, content, words):
    if kind == "figure":
        return f'<img src="data:image/png;base64,{content}" alt="{html.escape(words)}">'
    if kind == "text":
        return f"<pre>{ansi2html(content)}</pre>"
    return content


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


def sheet(title, cells):
    """A page to hand out: prose and outputs, no code, nothing from the network."""
    parts = []
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(re.sub(r"^## \d+\. ", "# ", cell.source))
        elif "nbval-ignore-output" not in cell.metadata.get("tags", []):
            parts += [o.get("text") or o.data["text/markdown"] for o in cell.outputs]
    made = "\n".join(markdown(part, ()) for part in parts)
    kind = "few" if len(cells) == 1 else "many"
    return filled("sheet.html", title=title, kind=kind, sheet=made)


def index(decks, folder):
    """The page that lists these decks, and what it listed before and is there."""
    old = folder / "index.html"
    before = re.findall("<li>.*", old.read_text("utf-8") if old.exists() else "")
    lines = {line.split('"')[1]: line for line in before}
    for name, (title, question, about) in decks.items():
        printed = (folder / f"{name}.pdf").exists()
        pdf = f' · <a href="{name}.pdf">handout (PDF)</a>' * printed
        lines[f"{name}.html"] = (
            f'<li><a href="{name}.html">{plain(title)}</a>: {plain(question)} '
            f"<small>{about}{pdf}</small></li>"
        )
    there = [lines[page] for page in sorted(lines) if (folder / page).exists()]
    return filled("index.html", decks="\n".join(there))
