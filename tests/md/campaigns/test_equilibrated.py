"""Enthalpies of configurations are energy and P V of cells at rest at the pressure; layers take none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import graphene
from pymatgen.io.ase import AseAtomsAdaptor

from augment import Concentration, conventional_supercell, host_or_layer, realise
from augment.errors import ConditionError
from augment.ordering import EquilibrateSettings
from md.campaigns.equilibrated import EquilibratedCells, equilibrated_cells
from md.potentials import resolve_potential
from tests.support.crystals import host


def made(pressure: float, folder: Path | None = None) -> EquilibratedCells:
    copper = host("Cu")
    cells = conventional_supercell(copper, np.diag([2, 2, 1]))
    solution = realise(copper, Concentration(counts={"Au_Cu": 2}), supercell=cells)
    potential = resolve_potential("emt", {"Cu", "Au"})
    return equilibrated_cells(
        solution, potential, EquilibrateSettings(500.0, samples=20), pressure=pressure, folder=folder
    )


def test_enthalpies_are_at_the_pressure() -> None:
    free, squeezed = made(0.0), made(20.0)
    for found, pressure in ((free, 0.0), (squeezed, 20.0)):
        for member, record in zip(found.ensemble.members, found.records, strict=True):
            volume = abs(np.linalg.det(record.cell.cell))
            assert member.enthalpy == pytest.approx(record.energy + pressure * units.GPa * volume, abs=1e-9)
            np.testing.assert_allclose(record.stress[:3] / units.GPa, -pressure, atol=0.2)
    volumes = [np.mean([abs(np.linalg.det(cell.cell)) for cell in found.cells]) for found in (free, squeezed)]
    assert volumes[1] < 0.95 * volumes[0]


def test_what_is_in_the_folder_is_not_relaxed_again(tmp_path: Path) -> None:
    first = made(0.0, tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = made(0.0, tmp_path)
    assert [m.enthalpy for m in again.ensemble.members] == [m.enthalpy for m in first.ensemble.members]
    items = [path for path in kept if path.suffix == ".npz"]
    assert items
    assert all(path.stat().st_mtime_ns == kept[path] for path in items)


def test_a_layer_takes_no_pressure() -> None:
    sheet = graphene(a=2.46, vacuum=8.0)
    sheet.pbc = True
    layer, _ = host_or_layer(AseAtomsAdaptor.get_structure(sheet), "graphene")
    solution = realise(layer, Concentration(counts={"N_C": 2}), min_image_distance=6, max_atoms=60)
    with pytest.raises(ConditionError, match="close the vacuum"):
        equilibrated_cells(solution, resolve_potential("emt", {"Cu"}), EquilibrateSettings(500.0), pressure=1.0)
