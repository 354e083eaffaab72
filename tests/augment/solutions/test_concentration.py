"""Impurities at a concentration: what is realised is what is reported, charges balance, none is missed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import spglib

from augment import find_supercell, host_from_structure
from augment.defect import Defect
from augment.errors import DefectError, SupercellError
from augment.solutions.concentration import Concentration, formal_charge, realise
from augment.solutions.configurations import ensemble
from tests.support.crystals import disguised, host


def composition(defect: Defect) -> Counter[int]:
    return Counter(defect.cell().numbers.tolist())


CASES = [
    ("MgO", {"Al_Mg": 0.25}, "v_Mg"),
    ("CeO2", {"Gd_Ce": 0.25}, "v_O"),
    ("TiO2_rutile", {"Fe_Ti": 0.25}, "v_O"),
    ("SrTiO3", {"La_Sr": 0.25}, "v_Sr"),
    ("CaF2", {"Y_Ca": 0.25}, "F_i"),
    ("NaCl", {"K_Na": 0.125, "Br_Cl": 0.25}, None),
    ("ZrO2_monoclinic", {"Y_Zr": 0.125}, "v_O"),
]


@pytest.mark.parametrize(("name", "fractions", "compensate"), CASES, ids=str)
@pytest.mark.parametrize("weight", ["degeneracy", "orbit"])
def test_every_member_has_the_composition_charge_and_fractions_that_are_reported(
    name, fractions, compensate, weight
) -> None:
    asked = Concentration(fractions, compensate=compensate)
    solution = realise(host(name), asked, min_image_distance=5, max_atoms=100)
    for kind, fraction in fractions.items():
        assert solution.fractions[kind] == pytest.approx(fraction, abs=1e-3)
    if compensate:
        assert solution.net_charge == 0
        assert solution.counts[compensate] > 0
    found = ensemble(solution, "random", count=5, seed=3, weight=weight)
    assert len(found.members) == min(5, solution.orbits)
    pristine = Counter(solution.supercell.bulk_cell().numbers.tolist())
    space = solution.space
    for member in found.members:
        labels = Counter()
        for edit in member.defect.edits:
            label = space.label[(space.site == edit.site) & (space.number == edit.number)]
            labels[space.names[int(label[0])]] += 1
        assert labels == Counter(solution.counts)
        moved = composition(member.defect)
        moved.subtract(pristine)
        assert sum(n for z, n in moved.items() if pristine[z] == 0) == sum(
            n for kind, n in solution.counts.items() if not kind.startswith("v") and kind != "F_i"
        )
        assert member.defect.degeneracy == solution.supercell.group_order // member.defect.stabilizer.order


def test_the_textbook_ratios_balance() -> None:
    for name, dopant, compensate, ratio in [
        ("MgO", "Al_Mg", "v_Mg", 2),
        ("CeO2", "Y_Ce", "v_O", 2),
        ("TiO2_rutile", "Nb_Ti", "v_Ti", 4),
        ("CaF2", "Y_Ca", "F_i", 1),
        ("LiCoO2", "Mg_Li", "v_Li", 1),
        ("SrTiO3", "La_Sr", "Al_Ti", 1),
    ]:
        charges = [formal_charge(host(name), kind, {}) for kind in (dopant, compensate)]
        assert charges[0] * ratio == -charges[1], (name, charges)
    assert formal_charge(host("TiO2_rutile"), "Fe_Ti", {}) == -1, "the state nearest to that of the site"
    assert formal_charge(host("TiO2_rutile"), "Fe_Ti", {"Fe": 2}) == -2
    assert formal_charge(host("Cu"), "Ni_Cu", {}) == 0, "metals have no oxidation states"


def orbits_by_force(solution) -> int:
    """Distinct configurations by comparing all of them under the permutations that spglib finds."""
    cell = solution.supercell.bulk_cell()
    scaled = cell.positions @ np.linalg.inv(cell.cell)
    symmetry = spglib.get_symmetry((cell.cell, scaled, cell.numbers))
    permutations = set()
    for rotation, translation in zip(symmetry["rotations"], symmetry["translations"], strict=True):
        image = scaled @ rotation.T + translation
        gap = image[:, None] - scaled
        permutations.add(tuple(np.abs(gap - np.rint(gap)).sum(axis=2).argmin(axis=1).tolist()))
    states = {tuple(cell.numbers.tolist())}
    for part in solution.sublattices:
        sites = part.sites.tolist()
        placements = list(_arrangements(dict(zip(part.species, part.counts, strict=True)), len(sites)))
        states = {_put(state, sites, placement) for state in states for placement in placements}
    count = 0
    while states:
        state = next(iter(states))
        states -= {tuple(state[k] for k in p) for p in permutations}
        count += 1
    return count


def _arrangements(amounts, size):
    """All distinct orders of a multiset."""
    if size == 0:
        yield ()
    for z, n in amounts.items():
        if n:
            yield from ((z, *rest) for rest in _arrangements({**amounts, z: n - 1}, size - 1))


def _put(state, sites, placement):
    changed = list(state)
    for site, z in zip(sites, placement, strict=True):
        changed[site] = z
    return tuple(changed)


@pytest.mark.parametrize(
    ("name", "counts", "atoms"),
    [
        ("MgO", {"Al_Mg": 2, "v_Mg": 1}, 16),
        ("MgO", {"Al_Mg": 2, "F_O": 2}, 16),
        ("TiO2_rutile", {"Fe_Ti": 2, "v_O": 1}, 12),
        ("SrTiO3", {"Ca_Sr": 4}, 40),
        ("Si", {"Ge_Si": 4}, 16),
        ("GaN", {"Al_Ga": 2, "In_Ga": 1}, 16),
    ],
)
def test_exact_ensembles_hold_each_distinct_configuration_once(name, counts, atoms) -> None:
    supercell = find_supercell(
        host(name), min_image_distance=1, min_atoms=atoms, max_atoms=atoms, keep_point_group=False
    )
    solution = realise(host(name), Concentration(counts=counts), supercell=supercell)
    found = ensemble(solution, "exact")
    keys = [member.defect.key for member in found.members]
    assert len(keys) == len(set(keys)) == solution.orbits == found.to_dict()["distinct"]
    total = np.prod([part.configurations for part in solution.sublattices])
    assert sum(member.defect.degeneracy for member in found.members) == total
    for key in keys[:5]:
        assert Defect.from_key(host(name), key).key == key
    assert len(keys) == orbits_by_force(solution)


def test_counting_by_force_tells_equivalent_from_distinct() -> None:
    supercell = find_supercell(host("Si"), min_image_distance=1, min_atoms=16, max_atoms=16, keep_point_group=False)
    solution = realise(host("Si"), Concentration(counts={"Ge_Si": 2}), supercell=supercell)
    assert 1 < orbits_by_force(solution) < solution.sublattices[0].configurations


def test_draws_are_reproducible_distinct_and_follow_the_weight() -> None:
    solution = realise(host("MgO"), Concentration({"Al_Mg": 0.25, "F_O": 0.25}), min_image_distance=5)
    one, same, other = (ensemble(solution, "random", count=4, seed=seed) for seed in (1, 1, 2))
    keys = [[member.defect.key for member in found.members] for found in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert len(set(keys[0])) == len(keys[0]) == 4
    everything = ensemble(solution, "random", count=10_000, seed=1)
    assert len(everything.members) == solution.orbits
    # The first configuration drawn is a fair one: frequent orbits come first as often as they have copies.
    degeneracy = {m.defect.key: m.defect.degeneracy for m in everything.members}
    total = sum(degeneracy.values())
    for weight, expected in (
        ("degeneracy", {k: d / total for k, d in degeneracy.items()}),
        ("orbit", dict.fromkeys(degeneracy, 1 / len(degeneracy))),
    ):
        drawn = Counter(
            ensemble(solution, count=1, seed=seed, weight=weight).members[0].defect.key for seed in range(300)
        )
        chi2 = sum((drawn[k] - 300 * p) ** 2 / (300 * p) for k, p in expected.items())
        freedom = len(expected) - 1
        assert chi2 < freedom + 5 * np.sqrt(2 * freedom), weight
        wrong = {"degeneracy": 1 / len(degeneracy), "orbit": None}[weight]
        if wrong:
            chi2 = sum((drawn[k] - 300 * wrong) ** 2 / (300 * wrong) for k in expected)
            assert chi2 > freedom + 5 * np.sqrt(2 * freedom), "the two weights differ"


@pytest.mark.parametrize("name", ["TiO2_rutile", "ZrO2_monoclinic"])
def test_keys_are_the_same_for_a_host_in_disguise(name) -> None:
    rng = np.random.default_rng(5)
    other = host_from_structure(disguised(host(name).to_pymatgen(), rng))
    metal = name[:2]
    asked = Concentration({f"Y_{metal}": 0.25}, compensate="v_O")
    found = [
        [m.defect.key for m in ensemble(realise(h, asked, min_image_distance=5), count=4, seed=1).members]
        for h in (host(name), other)
    ]
    assert found[0] == found[1]


def test_the_supercell_is_the_smallest_that_realises_the_fraction_and_keeps_the_symmetry() -> None:
    solution = realise(host("MgO"), Concentration({"Al_Mg": 1 / 27}), min_image_distance=8)
    assert solution.supercell.index == 27
    assert solution.counts == {"Al_Mg": 1}
    assert solution.supercell.point_group_index == 1
    loose = realise(host("MgO"), Concentration({"Al_Mg": 0.05}, tolerance=0.02), min_image_distance=8)
    assert loose.supercell.index == 27, "1 of 27 and 2 of 32 are both near enough; 27 is smaller"
    nearest = realise(host("MgO"), Concentration({"Al_Mg": 0.05}, tolerance=None), min_image_distance=8)
    assert abs(nearest.fractions["Al_Mg"] - 0.05) <= abs(loose.fractions["Al_Mg"] - 0.05)
    wide = realise(host("MgO"), Concentration({"Al_Mg": 0.05}), min_image_distance=5, keep_point_group=False)
    assert wide.supercell.index == 20


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: Concentration({"Al_Mg": 1.5}), "a fraction of the sites is above 0 and at most 1"),
        (lambda: Concentration({"Al_Mg": 0}), "above 0"),
        (lambda: Concentration({"Al_Mg": float("nan")}), "above 0"),
        (lambda: Concentration(counts={"Al_Mg": 0}), "positive number"),
        (Concentration, "no impurity given"),
        (lambda: Concentration({"Al_Mg": 0.5}, compensate="Al_Mg"), "given twice"),
        (lambda: Concentration({"Al_Mg": 0.5}, {"Al_Mg": 2}), "given twice"),
        (lambda: Concentration({"Al_Mg": 0.5}, tolerance=-1), "0 or more"),
    ],
)
def test_impossible_requests_are_refused(asked, message) -> None:
    with pytest.raises(DefectError, match=message):
        asked()


@pytest.mark.parametrize(
    ("asked", "limits", "error", "message"),
    [
        (Concentration({"Al_Mg_8c": 0.5}), {}, DefectError, "no site '8c'"),
        (Concentration({"Al_Ca": 0.5}), {}, DefectError, "no Ca"),
        (Concentration({"Al_Mg": 0.25}, compensate="v_O"), {}, DefectError, r"Al_Mg \+1, v_O \+2 e; name a kind"),
        (Concentration({"Al_Mg": 0.25}, compensate="Ca_Mg"), {}, DefectError, "cannot balance"),
        (Concentration({"Al_Mg": 0.25}, neutral=True), {}, DefectError, "no numbers balance"),
        (Concentration({"Al_Mg": 0.013}), {"max_atoms": 100}, SupercellError, "no supercell of up to 100 atoms"),
        (Concentration({"Al_Mg": 1.0}, compensate="v_Mg"), {"max_atoms": 100}, SupercellError, "no supercell"),
        (Concentration(counts={"Al_Mg": 3}, compensate="v_Mg"), {"max_atoms": 100}, SupercellError, "no supercell"),
    ],
)
def test_what_the_host_cannot_hold_is_refused_in_one_line(asked, limits, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        realise(host("MgO"), asked, **limits)
    assert "\n" not in str(caught.value)


def test_the_refusal_of_a_composition_says_what_is_nearest() -> None:
    with pytest.raises(SupercellError, match=r"Al_Mg = 0\.0\d+ in \d+ atoms is nearest"):
        realise(host("MgO"), Concentration({"Al_Mg": 0.05}, tolerance=0.0), max_atoms=100)
    supercell = find_supercell(host("MgO"), min_image_distance=8)
    with pytest.raises(SupercellError, match="do not realise Al_Mg=0.05 within 0.001"):
        realise(host("MgO"), Concentration({"Al_Mg": 0.05}), supercell=supercell)


def test_too_many_to_enumerate_are_refused_with_their_number() -> None:
    solution = realise(host("MgO"), Concentration({"Al_Mg": 0.25}, compensate="v_Mg"), min_image_distance=8)
    with pytest.raises(DefectError, match=f"{solution.orbits} distinct configurations, more than 10000"):
        ensemble(solution, "exact")
    for wrong, message in (({"mode": "all"}, "the modes are"), ({"count": 0}, "at least one")):
        with pytest.raises(DefectError, match=message):
            ensemble(solution, **wrong)


def test_an_alloy_of_five_metals_is_drawn_though_its_orbits_are_too_many_to_count() -> None:
    names = {f"{element}_Cu": 0.2 for element in ("Cr", "Fe", "Co", "Ni")}
    solution = realise(host("Cu"), Concentration(names), min_image_distance=10, max_atoms=125)
    assert solution.orbits is None
    found = ensemble(solution, count=3, seed=1)
    assert [composition(m.defect) for m in found.members] == [Counter(dict.fromkeys((24, 26, 27, 28, 29), 25))] * 3
    with pytest.raises(DefectError, match="draw by degeneracy"):
        ensemble(solution, weight="orbit")
    with pytest.raises(DefectError, match="too many to count"):
        ensemble(solution, "exact")


def test_atoms_that_are_too_close_are_never_both_there() -> None:
    """A quarter of oxygen vacancies in CeO2, no two oxygen atoms nearer than the face of their cube."""
    solution = realise(host("CeO2"), Concentration({"v_O": 0.75}), min_image_distance=5, max_atoms=30)
    apart = realise(host("CeO2"), Concentration({"v_O": 0.75}), supercell=solution.supercell, min_separation=3.0)
    every, fitting = ensemble(solution, "exact").members, ensemble(apart, "exact").members

    def nearest(defect: Defect) -> float:
        cell = defect.cell()
        oxygen = cell.positions[cell.numbers == 8]
        gap = (oxygen[:, None] - oxygen) @ np.linalg.inv(cell.cell)
        length = np.linalg.norm((gap - np.rint(gap)) @ cell.cell, axis=-1)
        return float(length[~np.eye(len(oxygen), dtype=bool)].min(initial=9))

    assert {m.defect.key for m in fitting} == {m.defect.key for m in every if nearest(m.defect) >= 3.0 - 1e-6}
    assert 0 < len(fitting) < len(every)
    drawn = ensemble(apart, "random", count=3, seed=1, weight="orbit").members
    assert all(nearest(m.defect) > 2.9 for m in drawn)
    crowded = realise(host("CeO2"), Concentration({"v_O": 0.25}), supercell=solution.supercell, min_separation=3.0)
    for mode in ("exact", "random"):
        with pytest.raises(DefectError, match=r"all atoms 3.00 Å apart"):
            ensemble(crowded, mode)
