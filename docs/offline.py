"""Pages that need no network: equations as MathML, and a build that fails where a page would load anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import SphinxError

LOADED = re.compile(
    r"""<(?:script|link|img|iframe|source|video)\b[^>]*?\b(?:src|href)=["'](?:https?:)?//[^"']+["'][^>]*>"""
)
"""A tag by which a page would load something from elsewhere; a canonical address is a link that loads nothing."""


def loaded_from_elsewhere(page: str) -> list[str]:
    """The tags of a page by which a browser would load something from the network."""
    return [tag for tag in LOADED.findall(page) if 'rel="canonical"' not in tag]


def setup(app: Any) -> dict[str, bool]:
    """Register the equations and the check with Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, _leave), (_display, _leave))
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True}


def _inline(writer: Any, node: Any) -> None:
    writer.body.append(f'<span class="inline-equation">{tex2mathml(node.astext())}</span>')
    raise SkipNode


def _display(writer: Any, node: Any) -> None:
    writer.body.append(f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise SkipNode


def _leave(_writer: Any, _node: Any) -> None:
    """Nothing is left to close."""


def _check(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        for tag in loaded_from_elsewhere(path.read_text(encoding="utf-8")):
            raise SphinxError(f"{path}: {tag} needs a network; the site is read offline")
