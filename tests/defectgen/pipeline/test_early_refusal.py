"""A crystal that is larger than its supercell may be is refused before it is analysed."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import defectgen.run.host
from augment.errors import SupercellError
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.settings import Settings


@pytest.fixture
def alloy(tmp_path):
    """54 atoms of iron and chromium at random: P1."""
    rng = np.random.default_rng(5)
    cell = Structure(Lattice.cubic(2.9), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]]) * (3, 3, 3)
    for k in rng.permutation(54)[:20]:
        cell[int(k)] = "Cr"
    path = tmp_path / "alloy.cif"
    cell.to(filename=str(path), fmt="cif")
    return path


def test_it_is_refused_before_a_host_is_made_of_it(alloy, monkeypatch) -> None:
    def never(*_args, **_options):
        pytest.fail("a host was made")

    monkeypatch.setattr(defectgen.run.host, "host_or_layer", never)
    small = Settings(host=alloy, output=alloy.parent / "out").replaced({"defects.max_atoms": 40})
    with pytest.raises(SupercellError, match="1 to 40 atoms; its primitive cell has 54"):
        _ = PreparedRun.of(small).supercell


def test_a_supercell_that_is_given_is_taken(alloy) -> None:
    changes = {"defects.max_atoms": 40, "defects.supercell": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
    given = Settings(host=alloy, output=alloy.parent / "out").replaced(changes)
    assert PreparedRun.of(given).supercell.n_atoms == 54
