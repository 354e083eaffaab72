"""Defects are orbits of edit sets: one key each, counted right, with the symmetry they claim."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from augment import Defect, Edit, conventional_supercell, find_supercell, host_from_structure, point_defects
from augment.defect import canonical_edits
from augment.errors import DefectError
from tests.support.crystals import disguised, host
from tests.support.reference import NAMES, reference

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, in the oracles
SMALL = ("MgO", "GaN", "TiO2_rutile", "Si", "LiCoO2", "ZrO2_monoclinic")


def defects(name: str, distance: float = 6.0, **options) -> list[Defect]:
    return point_defects(find_supercell(host(name), min_image_distance=distance), **options)


def random_image(defect: Defect, rng) -> tuple[Edit, ...]:
    """Another edit set of the same orbit, its edits in any order."""
    sites = np.array([e.site for e in defect.edits])
    images = defect.supercell.images(sites)
    row = images[rng.integers(len(images))]
    edits = [Edit(int(s), e.number) for s, e in zip(row, defect.edits, strict=True)]
    rng.shuffle(edits)
    return tuple(edits)


@pytest.mark.parametrize("name", SMALL)
def test_equivalent_edit_sets_share_a_key_and_others_do_not(name) -> None:
    rng = np.random.default_rng(0)
    for defect in defects(name, dopants=["Xe"])[:12]:
        for _ in range(3):
            again = Defect(defect.supercell, random_image(defect, rng))
            assert again == defect
            assert hash(again) == hash(defect)
    keys = [d.key for d in defects(name, dopants=["Xe"])]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", SMALL)
def test_a_key_gives_its_defect_back(name) -> None:
    for defect in defects(name)[:8]:
        charged = defect.with_charge(-2)
        again = Defect.from_key(host(name), charged.key)
        assert again == charged
        assert again != defect
        assert again.edits == defect.edits
        assert np.allclose(again.cell().positions, defect.cell().positions)
        assert json.loads(json.dumps(defect.to_dict()))["key"] == defect.key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda key: key[:-3], "not a defect key"),
        (lambda key: "0" * 12 + key[12:], "is of host"),
        (lambda key: key.replace("/v", "/Qq"), "names no element"),
        (lambda key: key.replace("/v0", "/v99999"), "not one of the supercell's"),
        (lambda key: key.replace("/v0", "/v0+v0"), "two edits at one site"),
        (lambda key: key[:-1] + "9", "no atom takes or gives more than 8"),
        (lambda key: key[:13] + "0.0.0.0.0.0" + key[key.index("/v") :], "normal form"),
    ],
)
def test_a_key_that_names_no_defect_of_the_host_is_refused(change, message) -> None:
    supercell = find_supercell(host("MgO"), min_image_distance=6.0)
    key = Defect(supercell, (Edit(0, 0),)).key
    with pytest.raises(DefectError, match=message):
        Defect.from_key(host("MgO"), change(key))


@pytest.mark.parametrize("name", SMALL)
def test_multiplicity_degeneracy_and_site_symmetry_agree_with_the_wyckoff_position(name) -> None:
    for defect in defects(name):
        orbit = defect.orbits[0]
        assert defect.multiplicity == orbit.multiplicity == int(orbit.wyckoff[:-1])
        assert defect.degeneracy * defect.stabilizer.order == defect.supercell.group_order
        assert defect.stabilizer.order == orbit.order
        assert defect.point_group == orbit.point_group


def canonical_codes(supercell, subsets):
    """Least image of each set of sites (k, 3) under the group, as sorted rows, by direct enumeration."""
    permutations = supercell.group.permutations
    rows = []
    for subset in subsets:
        images = np.sort(permutations[:, subset], axis=1)
        rows.append(images[np.lexsort(images.T[::-1])[0]])
    return np.array(rows)


def test_triples_of_oxygen_vacancies_in_strontium_titanate_fall_into_117_orbits() -> None:
    supercell = conventional_supercell(host("SrTiO3"), np.diag([3, 3, 3]))
    oxygen = np.flatnonzero(supercell.sites.numbers == 8)
    assert len(oxygen) == 81
    permutations = supercell.group.permutations[:, oxygen]
    place = np.full(permutations.max() + 1, -1)
    place[oxygen] = np.arange(81)
    permutations = place[permutations]
    number = {}
    triples = np.array(list(itertools.combinations(range(81), 3)))
    codes = (triples[:, 0] * 81 + triples[:, 1]) * 81 + triples[:, 2]
    index = np.full(81**3, -1)
    index[codes] = np.arange(len(codes))
    unseen = np.ones(len(triples), dtype=bool)
    for k in range(len(triples)):
        if unseen[k]:
            images = np.sort(permutations[:, triples[k]], axis=1)
            orbit = np.unique(index[(images[:, 0] * 81 + images[:, 1]) * 81 + images[:, 2]])
            unseen[orbit] = False
            number[k] = len(orbit)
    assert len(number) == 117
    assert sum(number.values()) == math.comb(81, 3) == 85_320
    rng = np.random.default_rng(0)
    for k in rng.choice(list(number), size=12, replace=False):
        defect = Defect(supercell, tuple(Edit(int(oxygen[s]), 0) for s in triples[k]))
        assert defect.degeneracy == number[k]
        assert defect.type == "complex"
        assert Defect.from_key(host("SrTiO3"), defect.key) == defect
        assert Defect(supercell, random_image(defect, rng)) == defect
    chosen = [Defect(supercell, tuple(Edit(int(oxygen[s]), 0) for s in triples[k])).key for k in list(number)[:40]]
    assert len(set(chosen)) == 40


def test_canonical_edits_are_the_least_of_the_orbit_with_species_told_apart() -> None:
    supercell = find_supercell(host("MgO"), min_image_distance=6.0)
    magnesium = int(np.flatnonzero(supercell.sites.numbers == 12)[0])
    oxygen = [int(s) for s in np.flatnonzero(supercell.sites.numbers == 8)[:4]]
    pair = (Edit(magnesium, 13), Edit(oxygen[1], 0))
    swapped = (Edit(magnesium, 0), Edit(oxygen[1], 9))
    assert canonical_edits(supercell, pair) != canonical_edits(supercell, swapped)
    canonical = canonical_edits(supercell, pair)
    assert canonical_edits(supercell, canonical) == canonical
    sites = np.array([e.site for e in pair])
    least = min(sorted(zip(row.tolist(), (13, 0), strict=True)) for row in supercell.images(sites))
    assert [(e.site, e.number) for e in canonical] == least


@pytest.mark.parametrize("name", ["MgO", "GaN", "TiO2_rutile", "LiCoO2", "Ga2O3_beta"])
def test_two_libraries_find_the_claimed_symmetry_on_the_built_cell(name) -> None:
    import moyopy
    import spglib

    from augment.groups.symmetry import point_group_symbol

    for defect in defects(name, dopants=["Xe"])[::3]:
        cell = defect.cell()
        fractional = cell.positions @ np.linalg.inv(cell.cell)
        found = spglib.get_symmetry((cell.cell, fractional, cell.numbers), symprec=1e-4)
        assert len(found["rotations"]) == defect.stabilizer.order
        assert point_group_symbol(found["rotations"]) == defect.stabilizer.symbol
        moyo = moyopy.MoyoDataset(moyopy.Cell(cell.cell.tolist(), fractional.tolist(), cell.numbers.tolist()))
        assert len(moyo.operations.rotations) == defect.stabilizer.order


@pytest.mark.parametrize("name", NAMES)
def test_every_defect_of_the_reference_is_found(name) -> None:
    expected, found, own = reference(name), defects(name), host(name)
    cells = own.n_conventional // own.n_lattice
    vacancies = sorted((d.orbits[0].element, d.orbits[0].order, d.multiplicity) for d in found if d.type == "vacancy")
    sites = expected["lattice_sites"]
    assert vacancies == sorted((s["element"], s["order"], s["multiplicity"] * cells) for s in sites)
    assert len([d for d in found if d.type == "antisite"]) == expected["antisites"]
    voids = [(o.multiplicity, o.order, o.point_group, o.radius) for o in own.orbits if o.void]
    for site in expected["void_sites"]:
        wanted = (site["multiplicity"] * cells, site["order"], site["point_group"])
        assert any(void[:3] == wanted and abs(void[3] - site["distance"]) < 1e-3 for void in voids), (site, voids)


@pytest.mark.parametrize("name", ["MgO", "GaN", "TiO2_rutile", "Ga2O3_beta", "SiO2_quartz"])
def test_names_and_keys_do_not_depend_on_how_the_host_is_written(name) -> None:
    rng = np.random.default_rng(3)
    other = host_from_structure(disguised(host(name).to_pymatgen(), rng))
    assert other.hash == host(name).hash
    mine = defects(name)
    theirs = point_defects(find_supercell(other, min_image_distance=6.0))
    assert [(d.name, d.key, d.point_group) for d in mine] == [(d.name, d.key, d.point_group) for d in theirs]


def test_edits_that_cannot_be_are_refused() -> None:
    supercell = find_supercell(host("MgO"), min_image_distance=6.0)
    for edits, message in (
        ((Edit(0, 0), Edit(0, 13)), "two edits at one site"),
        ((Edit(10_000, 0),), "not one of"),
        ((Edit(-1, 0),), "not one of"),
        ((Edit(0, int(supercell.sites.numbers[0])),), "already holds"),
    ):
        with pytest.raises(DefectError, match=message):
            Defect(supercell, edits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dopants": ["Xx"]}, "not an element"),
        ({"dopants": ["X"]}, "not an element"),
        ({"dopants": [""]}, "not an element"),
        ({"dopants": ["O"]}, "element of the host"),
        ({"kinds": ["vacancies"]}, "unknown kind"),
    ],
)
def test_requests_that_the_host_cannot_meet_are_refused(options, message) -> None:
    with pytest.raises(DefectError, match=message):
        defects("MgO", **options)


def test_all_point_defects_of_magnesium_oxide() -> None:
    found = {d.name: d for d in defects("MgO", dopants=["Al"])}
    assert set(found) == {"v_Mg", "v_O", "Mg_O", "O_Mg", "Al_Mg", "Al_O", "Mg_i_Td", "O_i_Td", "Al_i_Td"}
    assert {n: d.point_group for n, d in found.items()} == {n: "Td" if "_i_" in n else "Oh" for n in found}
    assert found["v_O"].charges == (0, 1, 2)
    assert found["v_Mg"].charges == (-2, -1, 0)
    assert 1 in found["Al_Mg"].charges
    assert found["Al_Mg"].type == "substitution"
    assert found["Mg_O"].type == "antisite"
    assert len(found["Al_i_Td"].cell()) == len(found["v_O"].cell()) + 2
    assert found["v_O"].vacant_sites().tolist() == [found["v_O"].edits[0].site]
    assert np.allclose(found["v_O"].centre(), found["v_O"].supercell.sites.positions[found["v_O"].edits[0].site])
    assert [d.type for d in defects("MgO", kinds=["vacancy"])] == ["vacancy"] * 2
    assert not [d for d in defects("MgO", max_voids=0) if d.type == "interstitial"]
