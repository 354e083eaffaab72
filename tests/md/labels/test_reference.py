"""Defect cells on the relaxed host: the pristine one maps onto itself, a defect keeps its sites, mixing is refused."""

import numpy as np
import pytest

from augment import find_supercell, host_from_structure, point_defects
from augment.errors import DataError
from md.labels.reference import onto_relaxed_host


@pytest.fixture(scope="module")
def supercell():
    from pymatgen.core import Lattice, Structure

    lattice = Lattice.tetragonal(4.594, 2.959)
    sites = [[0, 0, 0], [0.3053, 0.3053, 0]]
    host = host_from_structure(Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], sites))
    return find_supercell(host, min_image_distance=5.0)


@pytest.fixture
def relaxed(supercell):
    bulk = supercell.bulk_cell()
    rng = np.random.default_rng(0)
    gradient = np.eye(3) + rng.normal(scale=0.01, size=(3, 3))
    return bulk.with_geometry(
        bulk.positions @ gradient + rng.normal(scale=0.05, size=bulk.positions.shape), bulk.cell @ gradient
    )


def test_the_pristine_cell_becomes_the_relaxed_one(supercell, relaxed):
    bulk = supercell.bulk_cell()
    moved = onto_relaxed_host(bulk, bulk, relaxed)
    np.testing.assert_allclose(moved.positions, relaxed.positions, atol=1e-12)
    np.testing.assert_allclose(moved.cell, relaxed.cell)


def test_every_host_atom_of_a_defect_sits_on_its_relaxed_site(supercell, relaxed):
    bulk = supercell.bulk_cell()
    for defect in point_defects(supercell):
        moved = onto_relaxed_host(defect.cell(), bulk, relaxed)
        lattice = moved.sites < len(bulk)
        np.testing.assert_allclose(moved.positions[lattice], relaxed.positions[moved.sites[lattice]], atol=1e-12)
        fractional = [c.positions[~lattice] @ np.linalg.inv(c.cell) for c in (moved, defect.cell())]
        np.testing.assert_allclose(*fractional, atol=1e-12)


def test_cells_of_another_supercell_are_refused(supercell, relaxed):
    bulk = supercell.bulk_cell()
    other = find_supercell(supercell.host, min_image_distance=7.0)
    with pytest.raises(DataError, match="supercell"):
        onto_relaxed_host(point_defects(other)[0].cell(), bulk, relaxed)
