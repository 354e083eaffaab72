"""Wyckoff-aware generation of defective crystals: model, pipeline, report and command line.

`from defectgen import augment, md` gives the two layers below.
"""

import importlib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"
__all__ = ["__version__", "augment", "md"]


def _sibling(name: str) -> ModuleType:
    """Import a layer of this distribution, and refuse a stray module that shadows it."""
    spec = find_spec(name)
    expected = Path(__file__).resolve().parent.parent / name / "__init__.py"
    found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
    if found != expected:
        raise ImportError(
            f"defectgen needs its own package {name!r} ({expected}), but Python finds {found or 'nothing'} first; "
            "rename or remove that file or folder, or start Python elsewhere"
        )
    return importlib.import_module(name)


augment = _sibling("augment")
md = _sibling("md")
