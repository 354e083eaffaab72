"""Split sites are filled once: by distance, by the disorder groups of the file, and as asked; stated charges count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.charges import imbalance, nearest_states, oxidation_states
from augment.elements import element_symbol
from augment.errors import CifError
from augment.solutions import partial_occupancy
from augment.solutions.configurations import ensemble
from augment.solutions.partial_occupancy import Disordered, read_disordered
from tests.augment.solutions.test_partial_occupancy import FILES, cif
from tests.support.crystals import host

HALVES = cif(6.0, "P m -3 m", "O 0 0 0 1; H 0.435 0 0 0.5; Cl 0.5 0.5 0.5 1")
"""Hydrogen in two halves, 0.78 Å apart."""

PAIRS = cif(6.0, "P 1", "Al 0 0 0 1; F 0.3 0 0 0.5; F 0.7 0 0 0.5; F 0 0.3 0 0.5; F 0 0.7 0 0.5")


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "crystal.cif"
        path.write_text(text)
        return path

    return write


def shortest(disordered: Disordered, element: str) -> float:
    """Shortest distance between two atoms of an element in some configurations, Å."""
    solution = disordered.solution(min_image_distance=5, max_atoms=60, keep_point_group=False)
    least = np.inf
    for member in ensemble(solution, "random", count=3, seed=2).members:
        cell = member.defect.cell()
        chosen = np.array([element_symbol(int(z)) == element for z in cell.numbers])
        gap = (cell.positions[chosen][:, None] - cell.positions[chosen]) @ np.linalg.inv(cell.cell)
        length = np.linalg.norm((gap - np.rint(gap)) @ cell.cell, axis=-1)
        least = min(least, float(length[~np.eye(len(length), dtype=bool)].min()))
    return least


def test_a_hydrogen_in_two_halves_is_filled_once(written) -> None:
    disordered = read_disordered(written(HALVES))
    assert disordered.min_separation == pytest.approx(0.79, abs=0.005)
    assert shortest(disordered, "H") > 1.2
    filled_twice = replace(disordered, min_separation=0.0)
    assert shortest(filled_twice, "H") == pytest.approx(0.78, abs=0.01), "without the rule both halves are filled"


def test_a_separation_that_is_given_is_the_one_taken(written) -> None:
    path = written(PAIRS)
    assert read_disordered(path).min_separation == 0
    assert read_disordered(path, min_separation=2.5).min_separation == 2.5
    assert shortest(read_disordered(path, min_separation=2.5), "F") >= 2.5


def test_alternatives_of_a_negative_group_exclude_each_other_by_distance(written, monkeypatch) -> None:
    path = written(PAIRS)
    read = partial_occupancy.read_atoms

    def grouped(where, _block):
        atoms = read(where)
        assemblies = tuple("A" if z == 9 else "" for z in atoms.numbers)
        negative = tuple(
            "" if z != 9 else "1" if p[0] else "-2" for z, p in zip(atoms.numbers, atoms.points, strict=True)
        )
        return replace(atoms, assemblies=assemblies, groups=negative)

    monkeypatch.setattr(partial_occupancy, "read_atoms", grouped)
    # Atoms of one group are 2.4 Å apart across the cell, nearer than the alternatives: no distance tells them.
    far = read_disordered(path)
    assert far.min_separation == 0
    assert "2 atoms of disorder groups" in far.host.notes[0]
    near = written(PAIRS.replace("0.3 ", "0.2 ").replace("0.7 ", "0.8 "))
    assert read_disordered(near).min_separation == pytest.approx(6 * 0.2 * np.sqrt(2), abs=0.02)


def test_states_of_the_file_come_before_any_guess() -> None:
    amounts = {"Li": 0.996, "Mn": 1.004, "O": 2.0}
    assert nearest_states(amounts, {}) == {"Li": 1, "Mn": 2, "O": -2}
    assert nearest_states(amounts, {"Li": 1, "Mn": 3, "O": -2}) == {"Li": 1, "Mn": 3, "O": -2}
    assert nearest_states({"Li": 1, "Mn": 2, "O": 4}, {"Mn": 3.5})["Mn"] in {3, 4}
    assert oxidation_states(replace(host("MgO"), oxidation={"Mg": 1.0, "O": -1.0})) == {"Mg": 1, "O": -1}
    assert oxidation_states(host("MgO")) == {"Mg": 2, "O": -2}


def test_states_that_do_not_sum_to_zero_are_said() -> None:
    said = imbalance({"Mn": 1, "O": 1}, {"Mn": 3, "O": -2})
    assert "Mn +3, O -2" in said
    assert "+1 e" in said
    assert not imbalance({"Mn": 1, "O": 1}, {"Mn": 2, "O": -2})
    assert not imbalance({"Mn": 1, "O": 1}, {"Mn": 3}), "of oxygen nothing is stated"


def test_stated_states_balance_a_disordered_crystal(written, monkeypatch) -> None:
    path, read = written(FILES["La0.67Ca0.33MnO3"]), partial_occupancy.read_atoms
    states = {"La": 3.0, "Ca": 2.0, "Mn": 3.0, "O": -2.0}

    def stated(where, _block):
        atoms = read(where)
        return replace(atoms, oxidation=tuple(states[element_symbol(int(z))] for z in atoms.numbers))

    monkeypatch.setattr(partial_occupancy, "read_atoms", stated)
    disordered = read_disordered(path)
    assert disordered.states == {"La": 3, "Ca": 2, "Mn": 3, "O": -2}
    assert "charge of -0.33 e" in disordered.host.notes[0]


def test_a_crystal_in_order_is_sent_on_to_a_command_that_works(written) -> None:
    path = written(cif(4.21, "F m -3 m", "Mg 0 0 0 1; O 0.5 0.5 0.5 1"))
    with pytest.raises(CifError, match="--concentration v_Mg=0.05.*defectgen defects"):
        read_disordered(path)
