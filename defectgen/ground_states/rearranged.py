"""Starts that are other arrangements of the same atoms: other voids, shared sites, split vacancies, atoms off centre.

A split vacancy is an atom midway between two vacant sites, the ground state of cation vacancies in many oxides
(S. R. Kavanagh, arXiv:2412.19330 (2024)).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.defect import Defect
from augment.defects.split_interstitials import split_interstitials
from augment.errors import DefectgenError
from augment.groups.cell_symmetry import CellSymmetry
from defectgen.ground_states.same_geometry import aligned, wrapped

__all__ = ["rearranged"]

_SHELL = 1.3
"""Ratio to the nearest distance up to which atoms are neighbours."""

_OFF_CENTRE = 0.6
"""Å; the shift of a foreign atom, as of a small ion in a large cage."""

_AXES = (
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1),
    (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, -1, 0), (1, 0, -1), (0, 1, -1),
)  # fmt: skip
"""Cartesian; the cell is not always cubic, but a relaxation from the middle of a cage leads to what is near."""

_AT_MIDDLE = 0.1
"""Å; a void nearer than this to the middle of two sites is there."""

_SAME_DIRECTION = 0.999


def rearranged(defect: Defect) -> Iterator[tuple[str, str, FloatArray]]:
    """Kind, name and positions (n, 3) of arrangements of the atoms of a defect cell, near ones first of each kind."""
    ideal, symmetry = defect.cell(), defect.symmetry()
    for edit in defect.edits:
        void = bool(defect.supercell.sites.void[edit.site])
        if edit.number == 0:
            yield from _split_vacancies(defect, ideal, symmetry, edit.site)
            yield from _jumps(defect, ideal, symmetry, edit.site)
            continue
        atom = int(np.flatnonzero(ideal.sites == edit.site)[0])
        if void:
            yield from _other_voids(defect, ideal, atom, edit.site)
        else:
            yield from _off_centre(ideal, symmetry, atom)
    if len(defect.edits) == 1 and defect.supercell.sites.void[defect.edits[0].site]:
        yield from _shared_sites(defect, ideal)


def _moved(ideal: DefectCell, atom: int, place: FloatArray) -> FloatArray:
    positions = ideal.positions.copy()
    positions[atom] = place
    return positions


def _neighbours(
    ideal: DefectCell, symmetry: CellSymmetry, place: FloatArray, among: IntArray
) -> list[tuple[int, FloatArray]]:
    """One atom of each orbit among the nearest of some to a place, with the vector to it."""
    if len(among) == 0:
        return []
    vectors = wrapped(ideal.positions[among] - place, ideal.cell)
    lengths = np.linalg.norm(vectors, axis=1)
    shell = [int(i) for i in np.argsort(lengths, kind="stable") if lengths[i] < _SHELL * lengths.min()]
    seen: set[int] = set()
    found = []
    for i in shell:
        atom = int(among[i])
        if atom not in seen:
            seen.update(symmetry.permutations[:, atom].tolist())
            found.append((atom, vectors[i]))
    return found


def _split_vacancies(
    defect: Defect, ideal: DefectCell, symmetry: CellSymmetry, site: int
) -> Iterator[tuple[str, str, FloatArray]]:
    """A like atom midway between the vacant site and its own; in the void next to there, if there is one."""
    table, place = defect.supercell.sites, defect.supercell.sites.positions[site]
    voids = table.positions[table.void]
    like = np.flatnonzero(ideal.numbers == table.numbers[site])
    for atom, vector in _neighbours(ideal, symmetry, place, like):
        middle = place + vector / 2
        yield "split vacancy", "midway", _moved(ideal, atom, middle)
        if len(voids):
            away = wrapped(voids - middle, ideal.cell)
            near = int(np.linalg.norm(away, axis=1).argmin())
            if _AT_MIDDLE < np.linalg.norm(away[near]) < np.linalg.norm(vector) / 2:
                yield "split vacancy", "in the void", _moved(ideal, atom, middle + away[near])


def _jumps(
    defect: Defect, ideal: DefectCell, symmetry: CellSymmetry, site: int
) -> Iterator[tuple[str, str, FloatArray]]:
    """An unlike neighbour on the vacant site: a vacancy of its own beside an antisite atom."""
    place = defect.supercell.sites.positions[site]
    unlike = np.flatnonzero(ideal.numbers != defect.supercell.sites.numbers[site])
    for atom, _ in _neighbours(ideal, symmetry, place, unlike):
        yield "neighbour jumped in", "unlike atom", _moved(ideal, atom, place)


def _other_voids(defect: Defect, ideal: DefectCell, atom: int, site: int) -> Iterator[tuple[str, str, FloatArray]]:
    table = defect.supercell.sites
    own = table.positions[site]
    for orbit in dict.fromkeys(table.orbit[table.void].tolist()):
        if orbit != table.orbit[site]:
            there = table.positions[table.void & (table.orbit == orbit)]
            away = wrapped(there - own, ideal.cell)
            nearest = int(np.linalg.norm(away, axis=1).argmin())
            yield "other void", f"orbit {orbit}", _moved(ideal, atom, own + away[nearest])


def _shared_sites(defect: Defect, ideal: DefectCell) -> Iterator[tuple[str, str, FloatArray]]:
    """Dumbbells: the atom shares a lattice site with one of the host."""
    try:
        for other in split_interstitials(defect.supercell, [defect.edits[0].number]):
            cell = other.cell()
            if sorted(cell.numbers.tolist()) == sorted(ideal.numbers.tolist()):
                index = aligned(cell.positions, cell.numbers, ideal.positions, ideal.numbers, ideal.cell)
                yield "split interstitial", other.name, cell.positions[index]
    except DefectgenError:
        return  # no room for a dumbbell anywhere


def _off_centre(ideal: DefectCell, symmetry: CellSymmetry, atom: int) -> Iterator[tuple[str, str, FloatArray]]:
    """A substituted atom moved along the axes that the stabilizer distinguishes, those that keep most of it first."""
    known: list[tuple[int, str, FloatArray]] = []
    for axis in _AXES:
        for sign in (1, -1):
            direction = sign * np.asarray(axis, dtype=float) / np.linalg.norm(axis)
            along = symmetry.rotations @ direction
            if all((along @ other).max() < _SAME_DIRECTION for _, _, other in known):
                name = "[" + " ".join(str(sign * k) for k in axis) + "]"
                known.append((int((along @ direction > _SAME_DIRECTION).sum()), name, direction))
    for _, name, direction in sorted(known, key=lambda item: -item[0]):
        yield "off centre", name, _moved(ideal, atom, ideal.positions[atom] + _OFF_CENTRE * direction)
