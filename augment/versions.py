"""Versions of the installed packages that results depend on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


def versions(*packages: str) -> dict[str, str]:
    """Version of each package by its name on PyPI, `not installed` where it is missing."""
    return {package: _version(package) for package in packages}


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
