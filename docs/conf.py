"""Sphinx: the documentation site, built strictly and readable offline."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from reference_pages import write_pages  # noqa: E402  after the path is set

import defectgen  # noqa: E402

project = "defectgen"
author = "The defectgen developers"
version = release = defectgen.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "offline",
]
html_math_renderer = "mathml"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "pictures", "theme"]
templates_path: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
napoleon_use_ivar = True
copybutton_prompt_text = "$ "
suppress_warnings = ["autodoc.mocked_object", "ref.python"]

html_theme = "pydata_sphinx_theme"
html_title = "defectgen"
html_static_path = ["theme"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navigation_with_keys": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}

write_pages(HERE / "_generated")


def _bars(_app: object, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Orders of groups, |G|, are no substitutions."""
    lines[:] = [line.replace("|", "\\|") for line in lines]


def setup(app: object) -> None:
    """Register what docstrings go through."""
    app.connect("autodoc-process-docstring", _bars)  # type: ignore[attr-defined]
