"""Packages that some tests need and an installation may lack: their tests are skipped, or fail where all must run."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

REQUIRED = "DEFECTGEN_ORACLES"
"""Environment variable that is 1 where nothing may be skipped for a missing package: `make test-all` sets it."""


def optional(module: str) -> Any:
    """The module, imported; without it the test, or the whole file, is skipped.

    Raises:
        ImportError: the module is missing where `REQUIRED` is set.
    """
    if os.environ.get(REQUIRED) == "1":
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"{module} is not installed (extras `test` and `oracles`)")
