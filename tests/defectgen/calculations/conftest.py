"""A run folder of MgO with its defects in a cell of eight atoms, whose calculations were made by real codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from augment.cell import BULK
from augment.storage.archive import read_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import start_folder
from defectgen.run.settings import Settings
from tests.support.places import HOSTS


@pytest.fixture(scope="session")
def started(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("calculations") / "run"
    changes = {"defects.max_atoms": 16, "defects.min_image_distance": 4.0}
    start_folder(PreparedRun.of(Settings(host=HOSTS / "MgO.cif", output=path).replaced(changes)))
    return path


@pytest.fixture
def run(started: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, to write into."""
    return Path(shutil.copytree(started, tmp_path / "run"))


@pytest.fixture(scope="session")
def ideal_cells(started: Path) -> dict:
    """Ideal cells by name."""
    cells = {cell.name: cell for cell in read_cells(started / "defects" / "cells.npz")}
    assert BULK in cells
    return cells
