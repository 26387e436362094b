"""How Sphinx builds the site, for `course.py site`."""

import re

project = "Label smoothing"
author = "The label smoothing course authors"
copyright = "the label smoothing course authors; text and figures CC BY 4.0, code MIT"
html_title = "Label smoothing: a Jupyter course"

extensions = [
    *("myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"),
    *("sphinx_copybutton", "sphinx_design"),
]
nb_execution_mode = "off"  # the stored outputs are what the tests compare
nb_merge_streams = True
nb_render_markdown_format = "myst"  # with tables
nb_code_prompt_show = "Show {type}"
nb_code_prompt_hide = "Hide {type}"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

# Everything lies beside the pages: no request leaves the reader's machine.
mathjax_path = "tex-svg-full.js"
mathjax3_config = {
    "tex": {"inlineMath": [["\\(", "\\)"]], "processEscapes": True},
    "options": {"enableMenu": False},
}
html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = html_show_sourcelink = html_use_index = html_domain_indices = False
html_favicon = "static/icon.svg"
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navigation_with_keys": False,  # arrow keys belong to the sliders
}
autodoc_member_order = "bysource"
autodoc_typehints = "none"

# Docstrings are written for `help()`: a sentence, then lines such as `eps : a number`
# with what follows set further in. Sphinx gets a definition list; nothing is markup.
ENTRY = re.compile(r"^([\w*\\][\w*, .\\]*?) +: +(\S.*)$", re.MULTILINE)


def setup(app):
    app.connect("autodoc-process-docstring", to_rst)


def to_rst(app, what, name, obj, options, lines):
    """Sphinx's hook: change the lines of a docstring in place."""
    blocks = map(converted, re.split(r"\n\s*\n", "\n".join(lines)))
    lines[:] = "\n\n".join(blocks).splitlines() + [""]


def converted(block):
    """A block between blank lines: a session, entries, prose, or verse as it stands."""
    if block.startswith(">>> "):
        return block
    text = re.sub(r"(``.+?``)|([\\*`|_])", lambda m: m[1] or f"\\{m[2]}", block)
    if ENTRY.search(text):
        return ENTRY.sub(r"\n*\1*\n    \2", re.sub("(?m)^ +", "    ", text))
    return re.sub("(?m)^", "| ", text) if "\n  " in text else text
