"""Cells and potentials small enough for the tests of `md`."""

import numpy as np
import pytest
from ase.build import bulk

from augment.cell import DefectCell
from md.potentials import Potential, resolve_potential
from tests.support.cells import cell_of


@pytest.fixture(scope="session")
def emt() -> Potential:
    return resolve_potential("emt")


@pytest.fixture
def copper() -> DefectCell:
    """Cu, 32 atoms in a cubic cell at EMT's lattice constant."""
    return cell_of(bulk("Cu", "fcc", 3.59, cubic=True) * (2, 2, 2))


@pytest.fixture
def alloy() -> DefectCell:
    """A rattled Cu-Au alloy of 12 atoms in a left-leaning triclinic cell: no label vanishes by symmetry."""
    atoms = bulk("Cu", "fcc", 3.8) * (2, 2, 3)
    atoms.numbers[::3] = 79
    deformation = np.array([[1.02, 0.05, -0.03], [0.01, 0.97, 0.06], [-0.04, 0.02, 1.01]])
    atoms.set_cell(atoms.cell @ deformation, scale_atoms=True)
    atoms.rattle(0.08, seed=5)
    return cell_of(atoms, "alloy")
