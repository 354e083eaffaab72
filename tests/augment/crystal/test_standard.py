"""One crystal has one standard description, in whatever cell, origin and setting its file gives it."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from augment import host_from_structure
from augment.crystal.standard import standardise
from augment.errors import CifError
from tests.support.crystals import disguised, host, mirrored
from tests.support.places import HOSTS

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, in the oracles


def letters(crystal) -> dict[str, str]:
    return {o.element: o.wyckoff for o in crystal.orbits if not o.void}


def same(first: Structure, second: Structure) -> bool:
    one, other = standardise(first, "first"), standardise(second, "second")
    return np.array_equal(one.points, other.points) and np.array_equal(one.lattice, other.lattice)


def test_origins_that_the_normaliser_allows_are_one() -> None:
    magnesium_at_zero = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.212), ["Mg", "O"], [[0, 0, 0], [0.5] * 3])
    oxygen_at_zero = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.212), ["O", "Mg"], [[0, 0, 0], [0.5] * 3])
    assert host_from_structure(magnesium_at_zero).hash == host_from_structure(oxygen_at_zero).hash == host("MgO").hash
    assert letters(host_from_structure(oxygen_at_zero)) == {"Mg": "4a", "O": "4b"}


def test_origin_choices_of_diamond_are_one_and_silicon_is_on_8a() -> None:
    first = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.431), ["Si"], [[0.125] * 3])
    points = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    second = Structure(Lattice.cubic(5.431), ["Si"] * 8, points + [[x + 0.25 for x in p] for p in points])
    for structure in (first, second):
        if len(structure) == 8:
            assert host_from_structure(structure).hash == host("Si").hash
    assert len(second) == 8
    assert letters(host("Si")) == {"Si": "8a"}


def test_perovskite_with_the_other_cation_at_the_origin_is_the_same() -> None:
    lattice = Lattice.cubic(3.905)
    swapped = Structure.from_spacegroup("Pm-3m", lattice, ["Ti", "Sr", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0, 0]])
    assert host_from_structure(swapped).hash == host("SrTiO3").hash
    exchanged = Structure.from_spacegroup("Pm-3m", lattice, ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0, 0]])
    assert host_from_structure(exchanged).hash != host("SrTiO3").hash, "strontium in the octahedra is another crystal"


@pytest.mark.parametrize("change", [[[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 0, 1], [0, -1, 0], [1, 0, 0]]])
def test_axes_of_an_orthorhombic_crystal_may_be_named_in_any_order(change) -> None:
    structure = host("LiFePO4").to_pymatgen()
    renamed = Structure(
        Lattice(np.array(change) @ structure.lattice.matrix),
        structure.species,
        structure.frac_coords @ np.linalg.inv(change),
    )
    assert same(structure, renamed)


@pytest.mark.parametrize("change", [[[1, 0, 0], [0, 1, 0], [1, 0, 1]], [[-1, 0, -1], [0, 1, 0], [1, 0, 0]]])
@pytest.mark.parametrize("name", ["ZrO2_monoclinic", "Ga2O3_beta"])
def test_cell_choices_of_a_monoclinic_crystal_are_one(name, change) -> None:
    structure = host(name).to_pymatgen()
    renamed = Structure(
        Lattice(np.array(change) @ structure.lattice.matrix),
        structure.species,
        structure.frac_coords @ np.linalg.inv(change),
    )
    assert same(structure, renamed)


@pytest.mark.parametrize("name", ["LiCoO2", "Al2O3_corundum"])
def test_rhombohedral_and_hexagonal_axes_are_one(name) -> None:
    structure = host(name).to_pymatgen()
    primitive = structure.get_primitive_structure()
    assert len(primitive) * 3 == len(structure)
    assert same(structure, primitive)


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_every_example_survives_a_disguise_and_a_supercell(path) -> None:
    structure = host(path.stem).to_pymatgen()
    rng = np.random.default_rng(5)
    assert same(structure, disguised(structure, rng))
    assert same(structure, structure.make_supercell([1, 1, 2], in_place=False))
    assert same(structure, Structure(structure.lattice.matrix[[1, 0, 2]], structure.species, structure.frac_coords[:, [1, 0, 2]])), "left-handed axes"  # fmt: skip  # noqa: E501  one sentence


def test_quartz_is_told_from_its_mirror_image_and_rutile_is_not() -> None:
    quartz = host("SiO2_quartz")
    mirror = host_from_structure(mirrored(quartz.to_pymatgen()))
    assert {quartz.space_group_symbol, mirror.space_group_symbol} == {"P3_121", "P3_221"}
    assert quartz.hash != mirror.hash
    rutile = host("TiO2_rutile")
    assert host_from_structure(mirrored(rutile.to_pymatgen())).hash == rutile.hash


def test_the_origin_of_a_polar_crystal_is_at_an_atom_of_its_rarest_element() -> None:
    points = host("GaN").to_pymatgen()
    assert min(abs(s.frac_coords[2]) for s in points if s.specie.symbol == "Ga") == 0
    shifted = points.copy()
    shifted.translate_sites(range(len(shifted)), [0, 0, 0.317])
    assert same(points, shifted)


def test_noise_below_the_tolerance_is_averaged_away() -> None:
    rng = np.random.default_rng(2)
    structure = host("TiO2_rutile").to_pymatgen()
    noisy = standardise(disguised(structure, rng, noise=1e-3), "noisy")
    assert noisy.standard.number == 136
    image, _ = noisy.standard.group.site_maps(noisy.points, noisy.numbers, noisy.primitive)
    moved = noisy.standard.group.images(noisy.points)
    gap = moved - noisy.points[image]
    assert np.abs(gap - np.rint(gap)).max() < 1e-9, "the group holds exactly"
    broken = standardise(disguised(structure, rng, noise=5e-2), "broken")
    assert broken.standard.number != 136, "noise above it is not"


def test_another_lattice_parameter_is_another_host() -> None:
    structure = host("MgO").to_pymatgen()
    stretched = structure.copy()
    stretched.scale_lattice(structure.volume * 1.003)
    assert host_from_structure(stretched).hash != host("MgO").hash


def test_the_standard_cell_goes_there_and_back() -> None:
    for name in ("Si", "LiCoO2", "Ga2O3_beta", "GaN"):
        again = host_from_structure(host(name).to_pymatgen())
        assert again.hash == host(name).hash
        assert again.to_dict() == host(name).to_dict()
        assert again.formula == host(name).formula


def test_a_crystal_that_spglib_refuses_is_an_error_of_its_source() -> None:
    overlapping = Structure(Lattice.cubic(4), ["Mg", "Mg"], [[0, 0, 0], [0, 0, 1e-4]])
    with pytest.raises(CifError, match="here: no space group"):
        standardise(overlapping, "here")
