"""Laws of hosts, for crystals in all 230 space groups: symmetry found, counts add up, descriptions do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from augment import find_supercell, host_from_structure, point_defects
from augment.crystal.standard import standardise
from tests.support.crystals import disguised, mirrored, random_crystal

FEW = range(1, 231, 7)
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, in the builders


def check_laws(host, number: int, atoms_per_cell: int) -> None:
    """What holds of every host: the orbits partition the sites, and the group acts on them."""
    assert host.space_group_number == number
    assert host.n_lattice == atoms_per_cell
    cells = host.n_conventional // host.n_lattice
    image, offset = host.site_maps
    identity = (host.group.rotations == np.eye(3, dtype=int)).all(axis=(1, 2))
    assert (image[identity] == np.arange(len(host.points))).all()
    assert (np.sort(image, axis=1) == np.arange(len(host.points))).all(), "permutations: orbits are closed"
    assert sorted(m for o in host.orbits for m in o.members) == list(range(len(host.points)))
    for orbit in host.orbits:
        assert orbit.multiplicity == len(orbit.members) * cells
        assert len(orbit.members) * orbit.order == host.group.order, "orbit-stabilizer theorem"
        assert int(orbit.wyckoff[:-1]) == orbit.multiplicity
        assert set(image[:, orbit.members[0]]) == set(orbit.members)
        assert ((image[:, orbit.members[0]] == orbit.members[0]).sum()) == orbit.order
    check_action(host, image, offset)


def check_action(host, image, offset) -> None:
    """Two operations one after the other do what their product does, on sites and on cells."""
    rng = np.random.default_rng(0)
    steps = np.rint(host.group.translations * 24).astype(int)
    for i, j in rng.integers(host.group.order, size=(10, 2)):
        rotation = host.group.rotations[i] @ host.group.rotations[j]
        translation = (host.group.rotations[i] @ steps[j] + steps[i]) / 24
        k = int(np.flatnonzero((host.group.rotations == rotation).all(axis=(1, 2)))[0])
        assert (image[i][image[j]] == image[k]).all()
        moved = offset[j] @ host.group.rotations[i].T + offset[i][image[j]]
        assert (moved == offset[k] + np.rint(translation - steps[k] / 24)).all()


def primitive_atoms(structure) -> int:
    return len(structure.get_primitive_structure(tolerance=0.01))


def letters(crystal):
    """Element, Wyckoff letter and number of sites of each orbit, sorted."""
    image, _ = crystal.standard.group.site_maps(crystal.points, crystal.numbers, crystal.primitive)
    first, count = np.unique(image.min(axis=0), return_counts=True)
    rows = zip(first, count * crystal.standard.cells, strict=True)
    return sorted((int(crystal.numbers[k]), crystal.standard.position_of(crystal.points[k], m).letter) for k, m in rows)


def letters_by_moyo(structure):
    """The same of every description that moyopy's Euclidean normaliser allows, each as a sorted list."""
    import moyopy

    cell = moyopy.Cell(
        structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), list(structure.atomic_numbers)
    )
    dataset = moyopy.MoyoDataset(cell, symprec=0.01, setting=moyopy.Setting.spglib())
    positions = dataset.normalizer_wyckoff_positions()
    standard = dataset.std_cell
    descriptions = []
    for _, sequence in positions.coset_representatives:
        sites = {(z, w.letter): 0 for z, w in zip(standard.numbers, sequence, strict=True)}
        for z, w in zip(standard.numbers, sequence, strict=True):
            sites[z, w.letter] += 1
        size = {(z, w.letter): w.multiplicity for z, w in zip(standard.numbers, sequence, strict=True)}
        descriptions.append(sorted(k for k, n in sites.items() for _ in range(n // size[k])))
    return dataset.number, descriptions


@pytest.mark.parametrize("number", range(1, 231))
def test_a_crystal_has_one_description_whatever_disguise_it_comes_in(number) -> None:
    rng = np.random.default_rng(number)
    structure = random_crystal(number, rng, most_atoms=64 if number < 195 else 120)
    plain = standardise(structure, "plain")
    assert plain.standard.number == number
    for _ in range(2):
        other = standardise(disguised(structure, rng), "disguised")
        assert np.array_equal(plain.numbers, other.numbers)
        assert np.array_equal(plain.points, other.points), "the same bits"
        assert np.array_equal(plain.lattice, other.lattice)
    moyo_number, descriptions = letters_by_moyo(structure)
    assert moyo_number == number
    assert letters(plain) in descriptions


@pytest.mark.parametrize("number", [1, 4, 19, 76, 92, 144, 152, 169, 178, 198, 212])
def test_a_chiral_crystal_is_told_from_its_mirror_image(number) -> None:
    structure = random_crystal(number, np.random.default_rng(number), most_atoms=60)
    plain, mirror = standardise(structure, "plain"), standardise(mirrored(structure), "mirrored")
    same = plain.standard.number == mirror.standard.number and np.array_equal(plain.points, mirror.points)
    assert not same


@pytest.mark.parametrize("number", [2, 14, 26, 62, 81, 123, 166, 187, 216, 225])
def test_a_crystal_with_a_reflection_or_inversion_is_its_own_mirror_image(number) -> None:
    structure = random_crystal(number, np.random.default_rng(number), most_atoms=60)
    plain, mirror = standardise(structure, "plain"), standardise(mirrored(structure), "mirrored")
    assert np.array_equal(plain.points, mirror.points)


def check_host(number: int, most_atoms: int) -> None:
    rng = np.random.default_rng(number)
    structure = random_crystal(number, rng, most_atoms=40 if number < 195 else most_atoms)
    host = host_from_structure(structure)
    check_laws(host, number, primitive_atoms(structure))
    other = host_from_structure(disguised(structure, rng))
    assert other.hash == host.hash
    assert np.array_equal(other.points, host.points)
    assert other.orbits == host.orbits
    supercell = find_supercell(host, min_image_distance=6.0, keep_point_group=False)
    again = find_supercell(other, min_image_distance=6.0, keep_point_group=False)
    kinds = ("vacancy", "antisite", "interstitial")
    mine, theirs = (point_defects(s, kinds=kinds, max_voids=4) for s in (supercell, again))
    assert [(d.name, d.key) for d in mine] == [(d.name, d.key) for d in theirs]
    assert len({d.name for d in mine}) == len({d.key for d in mine}) == len(mine)


@pytest.mark.parametrize("number", FEW)
def test_hosts_obey_the_laws(number) -> None:
    check_host(number, most_atoms=64)


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(set(range(1, 231)) - set(FEW)))
def test_hosts_obey_the_laws_in_every_group(number) -> None:
    check_host(number, most_atoms=450)
