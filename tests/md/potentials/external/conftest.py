"""The running interpreter as that of another environment, and a folder of the user's own potentials."""

import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

ODD = "tests.support.odd_calculators:OddEmt"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where potentials are added to, empty."""
    folder = tmp_path / "configuration"
    monkeypatch.setenv("DEFECTGEN_CONFIG", str(folder))
    return folder


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that finds the tests, as an environment finds what is installed in it."""
    path = tmp_path_factory.mktemp("environment") / "python"
    path.write_text(
        f'#!/bin/sh\nshift\nexec "{sys.executable}" -c "import sys; sys.argv[:] = sys.argv[1:]; '
        f'sys.path.insert(0, {str(ROOT)!r}); import runpy; runpy.run_path(sys.argv[0], run_name=\'__main__\')" "$@"\n'
    )
    path.chmod(0o755)
    return path
