"""Write a deck as one page that needs nothing but the folder `assets` beside it."""

import html
import itertools
import re

from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, get_lexer_by_name

NOTEBOOK_LINK = re.compile(r"\]\(((?!https?:)[^)#]*)(#[^)]*)?\)")

# MathJax keeps each formula's glyphs with the formula: the speaker's window shows a
# copy of the notes, away from the page.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/reset.css">
<link rel="stylesheet" href="assets/reveal.css">
<link rel="stylesheet" href="assets/deck.css">
<script>
MathJax = {{
  tex: {{inlineMath: [['$', '$']], processEscapes: true}},
  svg: {{fontCache: 'local'}},
  options: {{enableMenu: false}}
}};
</script>
<script defer src="assets/tex-svg-full.js"></script>
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="assets/reveal.js"></script>
<script src="assets/notes.js"></script>
<script src="assets/deck.js"></script>
</body>
</html>
"""

INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Slides: label smoothing</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/deck.css">
</head>
<body class="index">
<main>
<h1>Slides of the course on label smoothing</h1>
<p>One deck for each notebook. They need no network. Arrow keys and the space bar turn
the pages, <kbd>S</kbd> opens the speaker's window with the notes, <kbd>O</kbd> shows
all slides, <kbd>F</kbd> fills the screen.</p>
<ul>
{decks}
</ul>
</main>
</body>
</html>
"""


def page(title, slides, decks):
    """The deck of these slides; `decks` are the names of those it can link to."""
    body = "\n".join(
        section(slide, number == 0, decks) for number, slide in enumerate(slides)
    )
    return PAGE.format(title=html.escape(plain(title)), slides=body)


def index(decks, handouts):
    """The page that lists (title, question, file, number of slides) of each deck."""
    lines = []
    for title, question, name, number in decks:
        pdf = f' · <a href="{name}.pdf">handout (PDF)</a>' if handouts else ""
        lines.append(
            f'<li><a href="{name}.html">{html.escape(title)}</a>: '
            f"{html.escape(question)} <small>{number} slides{pdf}</small></li>"
        )
    return INDEX.format(decks="\n".join(lines))


def plain(markdown):
    return re.sub(r"[*`$]", "", markdown)


# -- slides --------------------------------------------------------------------------


def section(slide, first, decks):
    level = "h1" if first else "h2"
    part = f' <span class="part">{slide.part}</span>' if slide.part else ""
    heading = f"<{level}>{inline(slide.title, decks)}{part}</{level}>"
    blocks = "\n".join(
        render(kind, list(blocks), decks)
        for kind, blocks in itertools.groupby(shown(slide), lambda block: block.kind)
    )
    notes = "".join(markdown(note, decks) for note in slide.notes)
    notes = f'\n<aside class="notes">{notes}</aside>' if notes else ""
    kind = ' class="title"' if first else ""
    return (
        f"<section{kind}>"
        f'<div class="fit">\n{heading}\n{blocks}\n</div>{notes}\n</section>'
    )


def shown(slide):
    """The blocks, of which the first, and what is not a result, needs no click."""
    for number, block in enumerate(slide.blocks):
        if number == 0 or all(b.kind == "lead" for b in slide.blocks[:number]):
            block.result = False
        yield block


def render(kind, blocks, decks):
    if kind == "item":
        # One list, so that it is set as one.
        return markdown("\n".join(block.text for block in blocks), decks)
    return "\n".join(one(kind, block, decks) for block in blocks)


def one(kind, block, decks):
    fragment = " fragment" if block.result else ""
    if kind == "code":
        inner = code(block.text)
    elif kind == "text":
        inner = f"<pre>{ansi2html(block.text)}</pre>"
    elif kind == "claims":
        items = "".join(
            f"<li>{html.escape(line)}</li>" for line in block.text.splitlines()
        )
        inner = f"<ul>{items}</ul>"
    elif kind == "rows":
        inner = re.sub(r"<style.*?</style>", "", block.text, flags=re.DOTALL)
        inner = inner.replace(' border="1"', "")
    elif kind == "slider":
        inner = block.text
    elif kind == "figure":
        alt = html.escape(block.alt, quote=True)
        # As high as the packing reckoned: small figures are enlarged for the room.
        size = f"height: {block.height - 12:.0f}px"
        source = f"data:image/png;base64,{block.text}"
        inner = f'<img style="{size}" src="{source}" alt="{alt}">'
    else:
        inner = markdown(block.text, decks)
    swipe = " data-prevent-swipe" if kind == "slider" else ""
    return f'<div class="{kind}{fragment}"{swipe}>{inner}</div>'


def code(source):
    lexer = PythonLexer()
    if source.startswith("```"):
        first, *lines = source.splitlines()
        name = first.strip("` ")
        lexer = get_lexer_by_name("python" if name in ("", "python") else name)
        source = "\n".join(lines[:-1])
    return highlight(source, lexer, HtmlFormatter(nowrap=False))


def code_styles():
    """The colours of code; dark enough on a projector."""
    return HtmlFormatter(style="xcode").get_style_defs(".highlight")


def inline(text, decks):
    text = re.sub(r"^(\d+)\.", r"\1\\.", text)  # "1." would begin a list
    return re.sub(r"^<p>|</p>\s*$", "", markdown(text, decks).strip())


def markdown(text, decks):
    """HTML of Markdown, whose links to notebooks become links to their decks."""

    def moved(found):
        target, anchor = found.group(1), found.group(2) or ""
        name = re.sub(r"\.ipynb$", "", target)
        return f"]({name}.html)" if name in decks else f"]({anchor or '#'})"

    made = markdown2html_mistune(NOTEBOOK_LINK.sub(moved, text))
    # A link that leads nowhere from here is only its text.
    return re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", made, flags=re.DOTALL)
