"""Atoms of a disorder group are there together or not at all, and one group of an assembly at most, in every ordering.

The oracle knows nothing of fragments: around each atom that is always there, the distances within the molecule must be
those of one of its two orientations.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from augment.errors import CifError, DefectError, SupercellError
from augment.solutions.configurations import ensemble
from augment.solutions.partial_occupancy import Disordered, read_disordered
from augment.supercell import Supercell

COLUMNS = ("label", "fract_x", "fract_y", "fract_z", "occupancy", "disorder_assembly", "disorder_group")
LENGTHS = np.array([11.0, 12.0, 13.0])
"""Å; molecules of a radius of 1.5 Å do not meet in it."""

SIZE = 2.0
"""Å from the middle of a molecule to beyond its last atom."""

Molecule = tuple[list[tuple[float, ...]], list[tuple[float, ...]]]
"""Atoms of the two orientations, Å from the middle."""

DISTINCT: Molecule = (
    [(1.4, 0.0, 0.0), (0.0, 1.4, 0.0), (0.0, 0.0, 1.4)],
    [(1.0, 1.0, 0.3), (-0.7, 0.8, 1.0), (0.5, -1.1, 0.9)],
)
ACROSS: Molecule = (
    [(1.4, 0.0, 0.0), (0.2, 1.2, 0.7), (0.2, -1.2, 0.7)],
    [(-1.4, 0.0, 0.2), (0.5, 1.1, -0.8), (0.5, -1.1, -0.8)],
)
"""Both orientations have the mirror plane of the site: one atom is on it, two are images of each other."""


def rows(
    molecule: Molecule,
    middle: tuple[float, ...],
    share: float,
    *,
    listed: int = 3,
    assembly: str = "A",
    wrap: bool = False,
) -> list[str]:
    """The middle, which is always there, and the first so many atoms of each orientation."""
    text = [f"B1 {' '.join(map(str, middle))} 1 . ."]
    for group, (atoms, occupancy) in enumerate(zip(molecule, (share, 1 - share), strict=True), start=1):
        for atom in atoms[:listed]:
            point = np.array(middle) + np.array(atom) / LENGTHS
            x, y, z = np.round(point % 1 if wrap else point, 7)
            text.append(f"F{len(text) + 1} {x} {y} {z} {occupancy:g} {assembly} {group}")
    return text


def crystal(path, group: str, listed: list[str]) -> Disordered:
    cell = "".join(f"_cell_length_{a} {n}\n" for a, n in zip("abc", LENGTHS, strict=True))
    cell += "".join(f"_cell_angle_{a} 90\n" for a in ("alpha", "beta", "gamma"))
    header = "loop_\n" + "".join(f"_atom_site_{column}\n" for column in COLUMNS)
    path.write_text(f"data_x\n{cell}_space_group_name_H-M_alt '{group}'\n{header}" + "\n".join(listed) + "\n")
    return read_disordered(path, layer="bulk")  # the molecules stand far apart


def fingerprint(points: np.ndarray) -> tuple[float, ...]:
    """Distances between the atoms of a molecule, sorted."""
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    return tuple(np.sort(distance[np.triu_indices(len(points), k=1)]).round(2))


def molecules(cell) -> list[np.ndarray]:
    """Atoms around each boron, from it (Å), and it."""
    fluorine, found = cell.positions[cell.numbers == 9], []
    for middle in cell.positions[cell.numbers == 5]:
        gap = (fluorine - middle) @ np.linalg.inv(cell.cell)
        gap = (gap - np.rint(gap)) @ cell.cell
        found.append(np.vstack([np.zeros(3), gap[np.linalg.norm(gap, axis=1) < SIZE]]))
    return found


def orientations(disordered: Disordered, molecule: Molecule, mode: str = "random", **size) -> list[int]:
    """Of the molecules of some orderings: 0 and 1 for the two orientations, -1 for another set of atoms."""
    known = [fingerprint(np.vstack([np.zeros(3), atoms])) for atoms in molecule]
    solution = disordered.solution(**({"min_image_distance": 9, "max_atoms": 130, "keep_point_group": False} | size))
    seen = []
    for member in ensemble(solution, mode, count=4, seed=3).members:
        for points in molecules(member.defect.cell()):
            whole = len(points) == 1 + len(molecule[0])
            like = [whole and np.allclose(each, fingerprint(points), atol=0.02) for each in known]
            seen.append(like.index(True) if any(like) else -1)
    return seen


@pytest.mark.parametrize("wrap", [False, True], ids=["as drawn", "wrapped"])
@pytest.mark.parametrize("assembly", ["A", "."])
@pytest.mark.parametrize("share", [0.5, 0.75])
@pytest.mark.parametrize("group", ["P 1", "P -1", "P 1 21/c 1", "P 21 21 21", "C 1 2/c 1"])
def test_every_molecule_has_one_of_its_orientations(group, share, assembly, wrap, tmp_path) -> None:
    listed = rows(DISTINCT, (0.05, 0.22, 0.97), share, assembly=assembly, wrap=wrap)
    disordered = crystal(tmp_path / "x.cif", group, listed)
    seen = orientations(disordered, DISTINCT)
    assert set(seen) == {0, 1}
    assert np.mean(np.array(seen) == 0) == pytest.approx(share)
    assert -1 in orientations(replace(disordered, disorder=None), DISTINCT), "a negative control: broken molecules"


@pytest.mark.parametrize("mode", ["exact", "sqs"])
def test_other_modes_keep_molecules_whole(mode, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("augment.solutions.quasirandom.EXCLUSIVE_ITERATIONS", 50)
    disordered = crystal(tmp_path / "x.cif", "P -1", rows(DISTINCT, (0.2, 0.3, 0.3), 0.5))
    seen = orientations(disordered, DISTINCT, mode, supercell=Supercell.primitive(disordered.host))
    assert set(seen) == {0, 1}


def test_all_orderings_are_found(tmp_path) -> None:
    disordered = crystal(tmp_path / "x.cif", "P 1", rows(DISTINCT, (0.2, 0.3, 0.3), 0.5))
    four = Supercell(disordered.host, np.diag([2, 2, 1]))
    # Two of four molecules on a 2 x 2 net: beside, behind or across each other.
    found = ensemble(disordered.solution(supercell=four), "exact").members
    assert sorted(m.defect.degeneracy for m in found) == [2, 2, 2]


def test_an_atom_on_a_mirror_plane_goes_with_both_images_of_the_others(tmp_path) -> None:
    middle = (0.2, 0.25, 0.3)
    disordered = crystal(tmp_path / "x.cif", "P n m a", rows(ACROSS, middle, 0.5, listed=2))
    assert set(orientations(disordered, ACROSS)) == {0, 1}
    assert -1 in orientations(replace(disordered, disorder=None), ACROSS)


def test_images_about_a_special_position_are_alternatives(tmp_path) -> None:
    atoms = [(1.4, 0.3, 0.0), (-0.9, 0.3, 1.0), (0.0, -1.3, 0.2)]
    inverted = [tuple(-x for x in atom) for atom in atoms]
    text = ["B1 0 0 0 1 . ."]
    text += [f"F{k} {' '.join(map(str, np.array(atom) / LENGTHS))} 0.5 A -1" for k, atom in enumerate(atoms)]
    disordered = crystal(tmp_path / "x.cif", "P -1", text)
    seen = orientations(disordered, (atoms, inverted))
    assert set(seen) == {0}, "which has the distances of its inverse"


def test_a_site_that_two_groups_share_holds_the_species_of_the_one_that_is_there(tmp_path) -> None:
    text = ["B1 0.2 0.3 0.3 1 . ."]
    text += ["K1 0.6 0.6 0.6 0.5 A 1", "Rb1 0.6 0.6 0.6 0.5 A 2", "F1 0.75 0.6 0.6 0.5 A 1", "F2 0.6 0.75 0.6 0.5 A 2"]
    disordered = crystal(tmp_path / "x.cif", "P 1", text)
    made = ensemble(disordered.solution(supercell=Supercell(disordered.host, np.diag([2, 1, 1]))), "exact").members
    assert made
    for cell in (member.defect.cell() for member in made):
        fluorine = cell.positions[cell.numbers == 9]
        for z, length in ((19, 0.15 * LENGTHS[0]), (37, 0.15 * LENGTHS[1])):
            [metal] = cell.positions[cell.numbers == z]
            gap = (fluorine - metal) @ np.linalg.inv(cell.cell)
            assert np.linalg.norm((gap - np.rint(gap)) @ cell.cell, axis=1).min() == pytest.approx(length, abs=1e-3)


def test_numbers_are_those_of_whole_molecules(tmp_path) -> None:
    disordered = crystal(tmp_path / "x.cif", "P 1", rows(DISTINCT, (0.2, 0.3, 0.3), 0.5))
    for index in (3, 5):
        solution = disordered.solution(supercell=Supercell(disordered.host, np.diag([index, 1, 1])), tolerance=0.2)
        assert len(set(solution.counts.values())) == 2, "vacancies of each orientation"
        assert sum(set(solution.counts.values())) == index


def test_what_cannot_be_is_refused(tmp_path) -> None:
    disordered = crystal(tmp_path / "x.cif", "P 1", rows(DISTINCT, (0.2, 0.3, 0.3), 0.5))
    with pytest.raises(SupercellError, match="do not realise"):
        disordered.solution(supercell=Supercell.primitive(disordered.host))
    wide = replace(disordered, min_separation=10.5)
    solution = wide.solution(supercell=Supercell(disordered.host, np.diag([2, 1, 1])))
    with pytest.raises(DefectError, match="atoms of each disorder group together"):
        ensemble(solution, "random")


def test_clusters_without_assemblies_are_told_apart_by_occupancy_and_bonds(tmp_path) -> None:
    far = rows(DISTINCT, (0.6, 0.7, 0.8), 0.75, assembly=".")
    listed = rows(DISTINCT, (0.1, 0.2, 0.3), 0.5, assembly=".") + far
    seen = orientations(
        crystal(tmp_path / "x.cif", "P 1", [f"{r[0]}{k}{r[2:]}" for k, r in enumerate(listed)]), DISTINCT
    )
    assert set(seen) == {0, 1}


def test_atoms_of_a_group_that_are_not_there_equally_often_are_named(tmp_path) -> None:
    listed = rows(DISTINCT, (0.2, 0.3, 0.3), 0.5)
    disordered = crystal(tmp_path / "x.cif", "P 1", [*listed[:1], listed[1].replace(" 0.5 ", " 0.3 "), *listed[2:]])
    assert any("F2, F3, F4 of one disorder group have different occupancies" in note for note in disordered.host.notes)
    with pytest.raises(CifError, match="overlap"):
        crystal(tmp_path / "x.cif", "P 1", ["F1 0 0 0 0.8 A 1", "F2 0.02 0 0 0.8 A 2", "B1 0.5 0.5 0.5 1 . ."])
