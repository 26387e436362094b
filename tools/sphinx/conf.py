"""How Sphinx builds the site of the course; `tools/website.py` prepares its sources."""

import sys
from pathlib import Path

# Sphinx runs this file from a copy beside the pages; docstrings.py is there as well.
sys.path.insert(0, str(Path(__file__).parent))
from docstrings import to_rst  # noqa: E402

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


def setup(app):
    app.connect("autodoc-process-docstring", to_rst)
