"""How the guide and the reference are built: ``sphinx-build -W docs <folder>``."""

import layout

project = "layout"
author = "the authors of layout"
copyright = author
version = release = layout.__version__
extensions = ["sphinx.ext.autodoc", "myst_parser", "numpydoc"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
html_theme = "alabaster"
# nothing is fetched by a reader's browser
html_theme_options = {"github_banner": False, "font_family": "sans-serif"}
html_show_sourcelink = False
html_copy_source = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
myst_heading_anchors = 3
# links to files beside the guide (README, examples, the data dictionary) are for readers of the source tree
suppress_warnings = ["myst.xref_missing"]
