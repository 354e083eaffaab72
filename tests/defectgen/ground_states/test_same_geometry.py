"""Two geometries are one where the stabilizer, or the exchange of like atoms, takes one to the other; else not."""

import numpy as np
import pytest

from augment import Defect, conventional_supercell, point_defects, read_host
from augment.groups.distortion import Distortion
from augment.groups.subgroups import transformed
from defectgen.ground_states.same_geometry import (
    MAX_SAME_MINIMUM,
    aligned,
    distance,
    pair_distances,
    same_minimum,
    wrapped,
)
from tests.support.places import HOSTS


@pytest.fixture(scope="module")
def vacancy() -> Defect:
    supercell = conventional_supercell(read_host(HOSTS / "MgO.cif"), 2 * np.eye(3, dtype=np.int64))
    return next(d for d in point_defects(supercell) if d.name == "v_O")


def distorted(defect: Defect, seed: int, sigma: float = 0.2) -> np.ndarray:
    return defect.cell().positions + np.random.default_rng(seed).normal(scale=sigma, size=(len(defect.cell()), 3))


@pytest.mark.parametrize("seed", range(3))
def test_images_under_the_stabilizer_are_the_same_and_others_are_not(vacancy: Defect, seed: int) -> None:
    ideal, symmetry = vacancy.cell(), vacancy.symmetry()
    one = distorted(vacancy, seed)
    u = Distortion(one - ideal.positions, np.zeros((3, 3)))
    for operation in np.random.default_rng(seed).choice(symmetry.order, 4, replace=False):
        image = ideal.positions + transformed(u, symmetry, int(operation)).displacements
        assert distance(one, image, ideal, symmetry) < 1e-9
    other = distorted(vacancy, seed + 100)
    assert distance(one, other, ideal, symmetry) > MAX_SAME_MINIMUM
    assert not same_minimum(one, other, ideal, symmetry)
    # Without the stabilizer the images are others: it is what makes them the same.
    alone = symmetry.generated_by([])
    assert symmetry.order > 1
    assert distance(one, ideal.positions + transformed(u, symmetry, 7).displacements, ideal, alone) > MAX_SAME_MINIMUM


def test_like_atoms_may_change_places_and_the_whole_may_shift(vacancy: Defect) -> None:
    ideal, symmetry = vacancy.cell(), vacancy.symmetry()
    one = distorted(vacancy, 1, sigma=0.05)
    oxygen = np.flatnonzero(ideal.numbers == 8)
    swapped = one.copy()
    swapped[oxygen[[0, 1]]] = one[oxygen[[1, 0]]]
    lattice = swapped + ideal.cell[0]  # a lattice vector further
    for same in (swapped, lattice, one + 0.7):
        assert distance(one, same, ideal, symmetry) < 1e-9
    unlike = one.copy()
    pair = [int(oxygen[0]), int(np.flatnonzero(ideal.numbers == 12)[0])]
    unlike[pair] = one[pair[::-1]]
    assert distance(one, unlike, ideal, symmetry) > 1.0


def test_one_atom_elsewhere_is_another_geometry(vacancy: Defect) -> None:
    ideal, symmetry = vacancy.cell(), vacancy.symmetry()
    moved = ideal.positions.copy()
    moved[3] += [0.4, 0.0, 0.0]
    assert not same_minimum(ideal.positions, moved, ideal, symmetry)
    moved[3] = ideal.positions[3] + [0.05, 0.0, 0.0]
    assert same_minimum(ideal.positions, moved, ideal, symmetry)


def test_atoms_are_put_in_the_order_of_others(vacancy: Defect) -> None:
    ideal = vacancy.cell()
    order = np.random.default_rng(0).permutation(len(ideal))
    index = aligned(ideal.positions[order], ideal.numbers[order], ideal.positions, ideal.numbers, ideal.cell)
    assert np.array_equal(order[index], np.arange(len(ideal)))
    assert abs(wrapped(ideal.cell[1] + ideal.cell[2], ideal.cell)).max() < 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_the_quick_answer_is_that_of_the_distance(vacancy: Defect, seed: int) -> None:
    ideal, symmetry = vacancy.cell(), vacancy.symmetry()
    rng = np.random.default_rng(seed)
    one = distorted(vacancy, seed, sigma=0.15)
    u = Distortion(one - ideal.positions, np.zeros((3, 3)))
    image = ideal.positions + transformed(u, symmetry, int(rng.integers(symmetry.order))).displacements
    for scale in (0.01, 0.05, 0.08, 0.3):
        other = image + rng.normal(scale=scale, size=image.shape)
        expected = distance(one, other, ideal, symmetry) < MAX_SAME_MINIMUM
        assert same_minimum(one, other, ideal, symmetry) == expected
    assert same_minimum(one, image, ideal, symmetry)
    np.testing.assert_allclose(pair_distances(one, ideal), pair_distances(image, ideal), atol=1e-9)
