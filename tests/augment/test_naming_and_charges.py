"""Names tell defects apart in doped's convention; charges follow oxidation states."""

from __future__ import annotations

import pytest

from augment import find_supercell, point_defects
from augment.charges import MAX_CHARGE, likely_charges, oxidation_states
from augment.naming import orbit_suffixes, unmarked
from tests.support.crystals import host
from tests.support.places import HOSTS


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_each_orbit_of_an_element_has_its_own_suffix(path) -> None:
    crystal = host(path.stem)
    names = [(o.element, s) for o, s in zip(crystal.orbits, orbit_suffixes(crystal), strict=True)]
    assert len(set(names)) == len(names)
    for orbit, suffix in zip(crystal.orbits, orbit_suffixes(crystal), strict=True):
        alone = [o.element for o in crystal.orbits].count(orbit.element) == 1
        assert unmarked(suffix).startswith(f"_{orbit.point_group}") or (alone and not orbit.void and suffix == "")
        assert "/" not in suffix
        assert " " not in suffix


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MgO", {"v_Mg", "v_O", "Mg_O", "O_Mg", "Mg_i_Td", "O_i_Td"}),  # as doped names them
        ("Si", {"v_Si", "Si_i_Td", "Si_i_D3d"}),
        ("SrTiO3", {"v_Sr", "v_Ti", "v_O", "Sr_Ti", "Ti_Sr", "Sr_O", "O_Sr", "Ti_O", "O_Ti"}),
    ],
)
def test_names_are_those_of_doped_where_one_site_has_the_name(name, expected) -> None:
    found = {d.name for d in point_defects(find_supercell(host(name), min_image_distance=5.0))}
    assert expected <= found


def test_inequivalent_sites_of_one_element_are_told_apart_by_symmetry_or_surroundings() -> None:
    found = [
        d.name for d in point_defects(find_supercell(host("Ga2O3_beta"), min_image_distance=5.0), kinds=["vacancy"])
    ]
    assert len(found) == len(set(found)) == 5
    assert all(name.startswith(("v_Ga_pgCs_", "v_O_pgCs_")) for name in found)


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("MgO", {"Mg": 2, "O": -2}),
        ("SrTiO3", {"Sr": 2, "Ti": 4, "O": -2}),
        ("GaN", {"Ga": 3, "N": -3}),
        ("Cu", {"Cu": 0}),
        ("Si", {"Si": 0}),
    ],
)
def test_oxidation_states_are_those_of_the_textbook(name, states) -> None:
    assert oxidation_states(host(name)) == states


def test_charges_run_from_neutral_to_full_ionisation() -> None:
    magnesia = host("MgO")
    assert likely_charges(magnesia, [("O", "")]) == (0, 1, 2)
    assert likely_charges(magnesia, [("Mg", "")]) == (-2, -1, 0)
    assert likely_charges(magnesia, [("", "O")])[0] == -2
    assert 3 not in likely_charges(magnesia, [("Mg", "Al")])
    assert 1 in likely_charges(magnesia, [("Mg", "Al")])
    assert likely_charges(host("Cu"), [("Cu", "")]) == (0,), "a metal screens"


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_charges_always_hold_zero_and_stay_within_bounds(path) -> None:
    for defect in point_defects(find_supercell(host(path.stem), min_image_distance=4.0), dopants=["Xe"], max_voids=2):
        assert 0 in defect.charges
        assert list(defect.charges) == list(range(defect.charges[0], defect.charges[-1] + 1))
        assert max(map(abs, defect.charges)) <= MAX_CHARGE


def test_elements_without_electronegativity_need_no_warning() -> None:
    from pymatgen.core import Lattice, Structure

    from augment import host_from_structure

    points = [[0, 0, 0], [0.5, 0.5, 0.5]]
    crystal = host_from_structure(Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.4), ["Ne", "O"], points))
    assert set(crystal.formula) == set("NeO")
    found = point_defects(find_supercell(crystal, min_image_distance=4.0), dopants=["He", "Kr"])
    assert {d.charges for d in found} == {(0,)}
