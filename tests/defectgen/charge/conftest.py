"""A run folder of MgO with its defects, to read calculations into."""

from pathlib import Path

import pytest

from augment.storage.archive import read_cells
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import start_folder
from defectgen.run.settings import Settings
from tests.support.places import HOSTS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    changes = {"defects.max_atoms": 64, "defects.min_image_distance": 7.0}
    start_folder(PreparedRun.of(Settings(host=HOSTS / "MgO.cif", output=tmp_path / "run").replaced(changes)))
    return tmp_path / "run"


@pytest.fixture
def ideal_cells(run: Path) -> dict:
    """Ideal cells by name."""
    return {cell.name: cell for cell in read_cells(run / "defects" / "cells.npz")}
