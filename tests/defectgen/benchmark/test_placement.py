"""Order, origin and orientation of a proposed structure do not matter; what is no geometry of the defect is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from augment.errors import DataError
from augment.groups.distortion import Distortion, apply_distortion
from defectgen.benchmark.metrics.placement import place, structure_atoms


def a_state(cell, seed, size=0.1, strain=0.02):
    rng = np.random.default_rng(seed)
    u, e = rng.normal(scale=size, size=cell.positions.shape), rng.normal(scale=strain, size=(3, 3))
    return Distortion(u - u.mean(axis=0), (e + e.T) / 2)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_permuted_rotated_translated_and_wrapped_copy_is_the_same(tetragonal, seed):
    rng = np.random.default_rng(seed)
    ideal = tetragonal.cell()
    state = a_state(ideal, seed)
    moved = apply_distortion(ideal, state)
    order = rng.permutation(len(ideal))
    turn = Rotation.random(random_state=rng).as_matrix()
    images = rng.integers(-2, 3, size=(len(ideal), 3)) @ moved.cell
    positions = ((moved.positions + images + rng.uniform(-9, 9, 3)) @ turn)[order]
    found = place(moved.cell @ turn, moved.numbers[order], positions, ideal)
    np.testing.assert_allclose(found.displacements, state.displacements, atol=1e-9)
    np.testing.assert_allclose(found.strain, state.strain, atol=1e-9)


def test_a_known_displacement_is_found(vacancy):
    ideal = vacancy.cell()
    positions = ideal.positions.copy()
    positions[3] += [0.3, 0.0, 0.0]
    found = place(ideal.cell, ideal.numbers, positions, ideal).displacements
    assert found[3, 0] - found[4, 0] == pytest.approx(0.3)
    assert abs(found.mean(axis=0)).max() < 1e-12


def test_another_composition_lattice_or_handedness_is_refused(vacancy):
    ideal = vacancy.cell()
    numbers = ideal.numbers.copy()
    numbers[0] = 20
    with pytest.raises(DataError, match="composition"):
        place(ideal.cell, numbers, ideal.positions, ideal)
    with pytest.raises(DataError, match="composition"):
        place(ideal.cell, ideal.numbers[1:], ideal.positions[1:], ideal)
    for cell in (ideal.cell * 1.5, ideal.cell[[1, 0, 2]]):
        with pytest.raises(DataError, match="lattice vectors"):
            place(cell, ideal.numbers, ideal.positions, ideal)


def test_every_kind_of_structure_is_read_alike(vacancy):
    cell = vacancy.with_charge(2).cell()
    for structure in (cell, cell.to_ase(), cell.to_pymatgen()):
        lattice, numbers, positions, charge = structure_atoms(structure)
        np.testing.assert_allclose(lattice, cell.cell)
        assert (numbers == cell.numbers).all()
        np.testing.assert_allclose(positions, cell.positions, atol=1e-12)
        assert charge == 2
    bare = cell.to_ase()
    del bare.info["charge"]
    assert structure_atoms(bare)[3] is None
    bare.positions[0] = np.nan
    with pytest.raises(DataError, match="finite"):
        structure_atoms(bare)
    with pytest.raises(DataError, match="str"):
        structure_atoms("CIF")
