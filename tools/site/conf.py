"""How Sphinx builds the site; `course.py site` puts this file beside its sources."""

import inspect
import re

project = "Label smoothing"
author = "The label smoothing course authors"
copyright = "the label smoothing course authors; text and figures CC BY 4.0, code MIT"
html_title = "Label smoothing: a Jupyter course"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
nb_execution_mode = "off"  # the stored outputs are what the tests compare
nb_merge_streams = True
nb_code_prompt_show = "Show code"
nb_code_prompt_hide = "Hide code"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

# Everything lies beside the pages: no request leaves the reader's machine.
mathjax_path = "tex-svg-full.js"
mathjax3_config = {
    "tex": {"inlineMath": [["\\(", "\\)"]], "processEscapes": True},
    "options": {"enableMenu": False},
}
html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_sourcelink = False
html_favicon = "_static/icon.svg"
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navigation_with_keys": False,  # arrow keys belong to the sliders
}
autodoc_member_order = "bysource"
autodoc_typehints = "none"


# Docstrings are written for `help()`: a sentence, then lines such as `eps : a number`
# with what follows set further in. Sphinx gets a definition list.
ENTRY = re.compile(r"^([\w*][\w*, .]*?) +: +(\S.*)$", re.MULTILINE)


def setup(app):
    app.connect("autodoc-process-docstring", to_rst)


def to_rst(app, what, name, obj, options, lines):
    """Sphinx's hook: change the lines of a docstring in place."""
    text = "\n".join(lines) or inspect.cleandoc(inspect.getdoc(obj) or "")
    blocks = re.split(r"\n\s*\n", text)
    lines[:] = [line for block in blocks for line in [*converted(block), ""]]


def converted(block):
    """The lines of a block between blank lines: a session, entries, prose or verse."""
    if block.startswith(">>> "):
        return [".. code-block:: pycon", "", *("   " + x for x in block.splitlines())]
    made, before = [], "prose"
    verse = "\n  " in block and not ENTRY.search(block)  # its lines are meant
    for line in block.splitlines():
        found = ENTRY.match(line)
        kind = "entry" if found or before == "entry" and line[0] == " " else "prose"
        if kind != before:
            made.append("")
        if found:
            mark = "*" if found[1] in ("returns", "raises") else "``"
            made += [f"{mark}{found[1]}{mark}", f"    {escaped(found[2])}"]
        elif kind == "entry":
            made.append(f"    {escaped(line.strip())}")
        else:
            made.append(f"| {escaped(line)}" if verse else escaped(line))
        before = kind
    return made


def escaped(text):
    """Leave ``code`` as it is; elsewhere nothing is markup."""
    return re.sub(r"(``.+?``)|([\\*`|_])", lambda m: m[1] or f"\\{m[2]}", text)
