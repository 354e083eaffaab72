"""Quasirandom structures: their objective is what it says, none better is missed in small cells, and keys are exact."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from augment.defect import Defect
from augment.errors import DefectError
from augment.solutions.concentration import Concentration, realise
from augment.solutions.configurations import ensemble
from augment.solutions.quasirandom import objective, quasirandom, warren_cowley
from tests.support.crystals import host
from tests.support.optional import optional

optional("sqsgenerator")


def measured(solution, defect: Defect) -> float:
    """The objective of a configuration from its edits."""
    put = {edit.site: edit.number for edit in defect.edits}
    total = 0.0
    for part in solution.sublattices:
        placed = np.array([part.species.index(put[s]) if s in put else 0 for s in part.sites.tolist()])
        total += objective(warren_cowley(solution, part, placed))
    return total


CASES = [
    ("MgO", Concentration({"Al_Mg": 0.25}, compensate="v_Mg"), 8),
    ("Cu", Concentration({"Ni_Cu": 0.25, "Zn_Cu": 0.25}), 8),
    ("TiO2_rutile", Concentration({"Fe_Ti": 0.25}, compensate="v_O"), 7),
    ("ZrO2_monoclinic", Concentration({"Y_Zr": 0.25}, compensate="v_O"), 7),
    ("CaF2", Concentration({"Y_Ca": 0.25}, compensate="F_i"), 7),
]


@pytest.mark.parametrize(("name", "asked", "distance"), CASES, ids=[case[0] for case in CASES])
def test_the_objective_of_the_library_is_that_of_the_definition_and_below_random_ones(
    name, asked, distance, capfd
) -> None:
    solution = realise(host(name), asked, min_image_distance=distance)
    best = ensemble(solution, "sqs", count=3, seed=1).members
    assert len({m.defect.key for m in best}) == len(best) == 3
    for member in best:
        assert member.objective == pytest.approx(measured(solution, member.defect), abs=1e-8)
        assert Defect.from_key(host(name), member.defect.key) == member.defect
        assert len(member.defect.edits) == sum(solution.counts.values())
    assert [m.objective for m in best] == sorted(m.objective for m in best)
    drawn = [measured(solution, m.defect) for m in ensemble(solution, "random", count=30, seed=1).members]
    assert best[-1].objective <= np.median(drawn)
    assert best[0].objective <= min(drawn) + 1e-8
    assert np.ptp(drawn) > 0, "or the comparison says nothing"
    assert capfd.readouterr().err == "", "the library has nothing to complain about"


def test_the_same_seed_finds_the_same() -> None:
    solution = realise(host("Cu"), Concentration({"Ni_Cu": 0.5}), min_image_distance=7)
    first, again = (quasirandom(solution, 4, 7, iterations=2000) for _ in range(2))
    assert [(d.key, value) for d, value in first] == [(d.key, value) for d, value in again]


def test_the_best_of_all_configurations_is_found_where_all_can_be_listed() -> None:
    solution = realise(host("Cu"), Concentration({"Ni_Cu": 0.5}), min_image_distance=5)
    every = sorted(measured(solution, m.defect) for m in ensemble(solution, "exact").members)
    assert quasirandom(solution, 1, 1)[0][1] == pytest.approx(every[0], abs=1e-8)
    assert every[0] < every[-1]


def test_parameters_are_those_of_known_orders() -> None:
    """Cu3Au: no two of the minority are nearest neighbours, and all their second neighbours are of it."""
    solution = realise(host("Cu"), Concentration({"Au_Cu": 0.25}), min_image_distance=7, max_atoms=32)
    (part,) = solution.sublattices
    corners = solution.supercell.sites.positions[part.sites] @ np.linalg.inv(host("Cu").lattice)
    corner = (np.abs(corners - np.rint(corners)) < 1e-6).all(axis=1)
    assert corner.mean() == 0.25
    ordered = warren_cowley(solution, part, corner.astype(int))
    assert np.allclose(ordered[0], [[1 / 9, -1 / 3], [-1 / 3, 1]]), "first shell: α = -1/3"
    assert np.allclose(ordered[1], [[-1 / 3, 1], [1, -3]]), "second shell: α = 1"
    rng = np.random.default_rng(0)
    mean = np.mean([warren_cowley(solution, part, rng.permutation(corner.astype(int))) for _ in range(400)], axis=0)
    expected = -1 / (len(part.sites) - 1)  # the pairs of a finite cell are drawn without putting back
    assert mean[0, 0, 1] == pytest.approx(expected, abs=0.02)


def test_a_sublattice_that_is_full_of_one_species_stays_so() -> None:
    asked = Concentration({"Ca_Mg": 1.0, "S_O": 0.25})
    solution = realise(host("MgO"), asked, min_image_distance=7)
    for member in ensemble(solution, "sqs", count=2, seed=1).members:
        numbers = member.defect.cell().numbers
        assert (numbers == 20).sum() == solution.supercell.index
        assert (numbers == 12).sum() == 0
    whole = realise(host("MgO"), Concentration({"Ca_Mg": 1.0}), min_image_distance=7)
    (only,) = ensemble(whole, "sqs").members
    assert only.objective == 0


def test_what_the_library_cannot_do_is_said(monkeypatch) -> None:
    parted = realise(
        host("ZrO2_monoclinic"), Concentration(counts={"v_O": 1, "F_O_C1_Zr2.05": 1}), min_image_distance=5
    )
    with pytest.raises(DefectError, match="share a part of their sites"):
        ensemble(parted, "sqs")
    apart = realise(host("CeO2"), Concentration({"v_O": 0.75}), min_image_distance=5, min_separation=3.0)
    best = ensemble(apart, "sqs", count=2, seed=1).members
    assert all(m.objective == pytest.approx(measured(apart, m.defect), abs=1e-8) for m in best)
    crowded = realise(host("CeO2"), Concentration({"v_O": 0.25}), min_image_distance=5, min_separation=3.0)
    with pytest.raises(DefectError, match=r"no quasirandom configuration has all atoms 3.00 Å apart"):
        ensemble(crowded, "sqs")

    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "sqsgenerator":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DefectError, match=r"pip install 'defectgen\[sqs\]'"):
        ensemble(realise(host("Cu"), Concentration({"Ni_Cu": 0.5}), min_image_distance=5), "sqs")
