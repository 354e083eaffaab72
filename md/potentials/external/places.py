"""Where the user's own potentials are written down."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["CONFIGURATION_VARIABLE", "configuration_folder"]

CONFIGURATION_VARIABLE = "DEFECTGEN_CONFIG"


def configuration_folder() -> Path:
    """The user's configuration: $DEFECTGEN_CONFIG, else `defectgen` in the platform's folder of configurations."""
    chosen = os.environ.get(CONFIGURATION_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "defectgen"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "defectgen"
