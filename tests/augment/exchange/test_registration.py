"""A structure is put into the canonical cell of its defect, whatever its order, origin, axes and basis."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from augment.defect import Defect
from augment.errors import DefectError
from augment.exchange.registration import register
from augment.planar.recognition import read_host
from augment.supercell import Edit, Supercell
from augment.supercells.search import find_supercell
from tests.support.places import HOSTS

AL = 13


def disguised(cell, rng, noise: float):
    """A cell rattled, strained by about 1 %, turned, shifted, wrapped, in another basis and order of its atoms."""
    strain = rng.normal(scale=0.005, size=(3, 3))
    deformation = (np.eye(3) + (strain + strain.T) / 2) * (1 + rng.uniform(-0.01, 0.02))
    deformation = deformation @ Rotation.random(random_state=rng).as_matrix()
    basis = np.eye(3, dtype=int)
    for _ in range(2):
        i, j = rng.choice(3, 2, replace=False)
        basis[i] += rng.choice([-1, 1]) * basis[j]
    lattice = basis @ cell.cell @ deformation
    order = rng.permutation(len(cell))
    positions = (cell.positions + rng.normal(scale=noise, size=cell.positions.shape))[order] @ deformation
    fractional = (positions + rng.uniform(-9, 9, 3)) @ np.linalg.inv(lattice)
    return lattice, cell.numbers[order], (fractional % 1) @ lattice


def vacancies_and_dopants(supercell: Supercell, rng, count: int) -> Defect:
    sites = rng.choice(supercell.n_atoms, count, replace=False)
    return Defect(supercell, tuple(Edit(int(s), int(rng.choice([0, AL]))) for s in sites))


def distances(lattice, numbers, positions) -> np.ndarray:
    return Atoms(numbers, positions, cell=lattice, pbc=True).get_all_distances(mic=True)


@pytest.mark.parametrize("name", ["MgO", "GaN", "GaAs", "SiO2_quartz", "TiO2_rutile"])
@pytest.mark.parametrize("noise", [0.0, 0.12])
def test_what_comes_back_is_the_defect_that_went_out(name: str, noise: float) -> None:
    rng = np.random.default_rng(7)
    host = read_host(HOSTS / f"{name}.cif")
    supercell = find_supercell(host, min_image_distance=7, max_atoms=110)
    for count in (0, 1, 2, 3):
        defect = vacancies_and_dopants(supercell, rng, count)
        lattice, numbers, positions = disguised(defect.cell(), rng, noise)
        found = register(lattice, numbers, positions, host, supercells=[supercell])
        assert found.defect.key == defect.key
        assert np.array_equal(found.cell.numbers, defect.cell().numbers)
        before = distances(lattice, numbers, positions)[np.ix_(found.order, found.order)]
        assert np.abs(before - distances(found.cell.cell, numbers[found.order], found.cell.positions)).max() < 1e-6
        assert found.distance.max(initial=0) < 0.7


def test_vectors_and_tensors_turn_with_the_structure() -> None:
    rng = np.random.default_rng(3)
    host = read_host(HOSTS / "GaN.cif")
    supercell = find_supercell(host, min_image_distance=6, max_atoms=80)
    cell = vacancies_and_dopants(supercell, rng, 2).cell()
    lattice, numbers, positions = disguised(cell, rng, 0.05)
    found = register(lattice, numbers, positions, host, supercells=[supercell])
    offset = (found.vectors(positions) - found.cell.positions) @ np.linalg.inv(found.cell.cell)
    offset -= offset[0]
    assert np.abs(offset - np.rint(offset)).max() < 1e-6  # they differ by a shift and lattice vectors alone
    tensor = rng.normal(size=(3, 3))
    pushed = found.vectors(positions @ tensor)
    assert np.allclose(pushed, found.vectors(positions) @ found.tensor(tensor))


def test_other_crystals_and_other_defects_are_not_taken_for_it() -> None:
    rng = np.random.default_rng(1)
    mgo, copper = read_host(HOSTS / "MgO.cif"), read_host(HOSTS / "Cu.cif")
    supercell = find_supercell(mgo, min_image_distance=7, max_atoms=70)
    cell = vacancies_and_dopants(supercell, rng, 1).cell()
    with pytest.raises(DefectError, match="no supercell of Cu|no atom"):
        register(cell.cell, cell.numbers, cell.positions, copper)
    oxygen, magnesium = (
        Defect(supercell, (Edit(int(np.flatnonzero(supercell.sites.numbers == z)[0]), 0),)) for z in (8, 12)
    )
    vacant = oxygen.cell()
    with pytest.raises(DefectError, match="not those of v_Mg"):
        register(vacant.cell, vacant.numbers, vacant.positions, mgo, expected=magnesium)
    assert register(vacant.cell, vacant.numbers, vacant.positions, mgo, expected=oxygen).defect == oxygen


def test_a_split_interstitial_is_what_it_was_said_to_be() -> None:
    from augment.defects.split_interstitials import split_interstitials

    rng = np.random.default_rng(5)
    host = read_host(HOSTS / "Cu.cif")
    supercell = find_supercell(host, min_image_distance=7, max_atoms=70)
    for defect in split_interstitials(supercell, [29]):
        found = register(*disguised(defect.cell(), rng, 0.03), host, expected=defect, supercells=[supercell])
        assert found.defect.name == defect.name
        assert found.defect.key == defect.key
