"""Starts hold the atoms of the defect, differ from each other, and are of every kind that a defect has."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from augment import Defect, DefectCell, point_defects, read_host
from augment.distort import shortest_distance
from augment.supercells.search import widest_supercell
from defectgen.ground_states.rearranged import rearranged
from defectgen.ground_states.same_geometry import same_minimum, wrapped
from defectgen.ground_states.starts import SOURCES, distorted_starts, in_turn
from defectgen.ground_states.words import in_words
from tests.support.places import HOSTS


def defect_of(host: str, name: str, atoms: int = 64, dopants: Sequence[str] = ()) -> Defect:
    supercell = widest_supercell(read_host(HOSTS / f"{host}.cif"), min_atoms=24, max_atoms=atoms)
    return next(d for d in point_defects(supercell, dopants=dopants) if d.name.startswith(name))


CASES = [
    ("Si", "v_Si", {"split vacancy"}),
    ("Si", "Si_i", {"other void", "split interstitial"}),
    ("MgO", "v_Mg", {"split vacancy", "neighbour jumped in"}),
    ("MgO", "O_i", {"split interstitial"}),
    ("MgO", "O_Mg", {"off centre"}),
    ("GaN", "v_Ga", {"split vacancy", "neighbour jumped in"}),
]


@pytest.mark.parametrize(("host", "name", "kinds"), CASES)
def test_arrangements_are_of_the_same_atoms_and_only_few_move(host: str, name: str, kinds: set[str]) -> None:
    defect = defect_of(host, name)
    ideal = defect.cell()
    found = list(rearranged(defect))
    assert {kind for kind, _, _ in found} == kinds
    for _, _, positions in found:
        assert positions.shape == ideal.positions.shape
        moved = np.linalg.norm(wrapped(positions - ideal.positions, ideal.cell), axis=1)
        assert 1 <= (moved > 1e-6).sum() <= 3


def test_a_split_vacancy_is_midway_between_two_vacant_sites() -> None:
    defect = defect_of("MgO", "v_Mg")
    ideal, place = defect.cell(), defect.centre()
    kind, _, positions = next(rearranged(defect))
    assert kind == "split vacancy"
    atom = int(np.linalg.norm(wrapped(positions - ideal.positions, ideal.cell), axis=1).argmax())
    assert ideal.numbers[atom] == 12
    to_vacancy, to_own = (wrapped(positions[atom] - x, ideal.cell) for x in (place, ideal.positions[atom]))
    np.testing.assert_allclose(to_vacancy, -to_own, atol=1e-9)


@pytest.mark.parametrize("name", ["v_O", "O_i", "Mg_O"])
def test_starts_of_every_kind_hold_the_atoms_apart_and_come_again(name: str) -> None:
    defect = defect_of("MgO", name)
    ideal, limit = defect.cell(), 0.45 * shortest_distance(defect.supercell.bulk_cell())
    carried = [0.1 * np.ones_like(ideal.positions) * np.array([1, 0, 0]) * (ideal.numbers == 8)[:, None]]
    by_kind = {kind: list(islice(starts, 3)) for kind, starts in distorted_starts(defect, carried, 0).items()}
    assert {"ideal", "carried over", "mode", "rattle"} <= by_kind.keys() <= set(SOURCES)
    for kind, starts in by_kind.items():
        for start in starts:
            assert start.source == kind == start.cell.provenance["source"]
            assert start.cell.key == defect.key
            assert np.array_equal(start.cell.numbers, ideal.numbers)
            assert shortest_distance(start.cell) >= limit
    again = {kind: list(islice(starts, 3)) for kind, starts in distorted_starts(defect, carried, 0).items()}
    for kind, starts in by_kind.items():
        assert all(np.array_equal(a.cell.positions, b.cell.positions) for a, b in zip(starts, again[kind], strict=True))


def test_each_kind_has_its_turn_and_no_start_comes_twice() -> None:
    defect = defect_of("MgO", "O_i")
    ideal, symmetry = defect.cell(), defect.symmetry()

    def differs(cell: DefectCell, others: Sequence[DefectCell]) -> bool:
        return not any(same_minimum(cell.positions, other.positions, ideal, symmetry) for other in others)

    chosen = in_turn(distorted_starts(defect, (), 0), 8, differs)
    assert len(chosen) == 8
    assert len({start.source for start in chosen}) >= 4
    assert chosen[0].source == "ideal"
    for i, start in enumerate(chosen):
        assert differs(start.cell, [other.cell for other in chosen[:i]])
    twice = {"ideal": iter([chosen[0], chosen[0]])}
    assert len(in_turn(twice, 8, differs)) == 1


def test_a_geometry_is_said_in_words() -> None:
    defect = defect_of("MgO", "O_i")
    ideal = defect.cell()
    assert in_words(defect, ideal, ideal.positions) == "ideal sites"
    assert in_words(defect, ideal, ideal.positions + 0.3) == "ideal sites", "a shift of the whole is none"
    oxygen = np.flatnonzero(ideal.numbers == 8)
    swapped = ideal.positions.copy()
    swapped[oxygen[[0, 1]]] = swapped[oxygen[[1, 0]]]
    assert in_words(defect, ideal, swapped) == "ideal sites", "like atoms have no names"
    atom = int(np.flatnonzero(ideal.sites == defect.edits[0].site)[0])
    others = oxygen[oxygen != atom]
    away = wrapped(ideal.positions[others] - ideal.positions[atom], ideal.cell)
    nearest = int(np.linalg.norm(away, axis=1).argmin())
    peroxide = ideal.positions.copy()
    peroxide[others[nearest]] += 0.1 * away[nearest]
    peroxide[atom] += 1.1 * away[nearest] - 1.42 * away[nearest] / np.linalg.norm(away[nearest])
    assert "O-O 1.4" in in_words(defect, ideal, peroxide)
    barely = ideal.positions.copy()
    barely[atom] += 0.14 * away[nearest]
    assert "O-O" not in in_words(defect, ideal, barely), "a bond that was nearly there is none"
    alone = ideal.positions.copy()
    alone[atom] += away[nearest] - 1.42 * away[nearest] / np.linalg.norm(away[nearest])
    assert "O-O 1.4" in in_words(defect, ideal, alone), "one atom that moves makes a bond with one that stays"
    off = ideal.positions.copy()
    off[atom] += [0.3, 0.0, 0.0]
    assert "O 0.30 Å off its site" in in_words(defect, ideal, off)
    assert "Mg-O" not in in_words(defect, ideal, ideal.positions * 0.97), "bonds of the host are not new"
