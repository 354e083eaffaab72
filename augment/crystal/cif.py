"""Reading a crystal from a CIF: bounded in time and memory, and refused clearly when it is not usable.

The bytes are bounded, gemmi parses them, every statement of the file is read (augment/crystal/reading), and the sites
are expanded by the one setting that agrees with all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.crystal.contacts import OVERLAP_FRACTION, check_overlap, contact_notes, overlap_of
from augment.crystal.operations import SPECIAL_DISTANCE
from augment.crystal.reading.blocks import (
    ABSENT,
    MAX_BYTES,
    CifBlock,
    atom_blocks,
    block_named,
    number_of,
    read_text,
)
from augment.crystal.reading.disorder import CifFragment, fragments_of
from augment.crystal.reading.evidence import (
    MAX_ATOMS,
    CellContents,
    composition_of,
    decide,
    hydrogens_lacking,
    structure_of,
)
from augment.crystal.reading.sites import OCCUPANCY_TOLERANCE, ListedSite, listed_sites
from augment.crystal.reading.statements import symmetry_of
from augment.elements import element_symbol
from augment.errors import CifError

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = [
    "MAX_ATOMS",
    "MAX_BYTES",
    "OVERLAP_FRACTION",
    "CifAtoms",
    "CrystalFile",
    "check_overlap",
    "read_atoms",
    "read_crystal_file",
    "read_structure",
]

_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
_MIN_FLAT = 1e-3
"""Volume over the product of the edges; a flatter cell is a typing error."""

_SAME_SITE = 0.1
"""Å; species closer than this share one place."""

_MAX_COMPARED = 6
"""Blocks with atoms that are read to see whether they hold one crystal."""

_SAME_CELL = 1e-3
"""Å; metrics and positions of two blocks that hold one crystal."""


@dataclass(frozen=True, eq=False)
class CifAtoms:
    """What a CIF lists, expanded by its symmetry operations; a site of mixed type is one atom of each species.

    Attributes:
        lattice: (3, 3) rows, Å.
        labels: of the site of the asymmetric unit that each atom comes from (m,).
        numbers: (m,) atomic numbers.
        points: (m, 3) fractional coordinates.
        occupancies: (m,) fraction of the cells in which each is there.
        oxidation: (m,) charge of each in e, None where the file states none.
        assemblies: (m,) disorder assembly of each, empty where there is none.
        groups: (m,) disorder group of each within its assembly, empty where there is none.
        fragments: atoms of disorder groups that are there together.
        notes: what was dropped or assumed.
    """

    lattice: FloatArray
    labels: tuple[str, ...]
    numbers: IntArray
    points: FloatArray
    occupancies: FloatArray
    oxidation: tuple[float | None, ...] = ()
    assemblies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    fragments: tuple[CifFragment, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CrystalFile:
    """An ordered crystal of a file.

    Attributes:
        structure: in the cell that the file gives.
        oxidation_states: mean charge in e of the atoms of each element, for the elements whose charges the file gives.
        notes: what was dropped or assumed, one line each.
    """

    structure: Structure
    oxidation_states: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_crystal_file(path: str | Path, block: str | None = None) -> CrystalFile:
    """Ordered crystal of a CIF, with the charges that it gives and what was dropped or assumed.

    Args:
        path: of the CIF.
        block: name of the data block, for a file with several crystals.

    Raises:
        CifError: the file is missing, is no CIF, is too large, has partial occupancy, overlapping or missing atoms, an
            unknown element, symmetry that contradicts itself or what else the file says, or several crystals.
    """
    path = Path(path)
    try:
        return _ordered(_reading(path, block))
    except CifError as error:
        raise CifError(f"{path}: {error}") from None


def read_structure(path: str | Path, block: str | None = None) -> Structure:
    """Ordered periodic structure of a CIF, as a pymatgen Structure in the cell that the file gives.

    Args:
        path: of the CIF.
        block: name of the data block, for a file with several crystals.

    Raises:
        CifError: as for `read_crystal_file`.
    """
    return read_crystal_file(path, block).structure


def read_atoms(path: str | Path, block: str | None = None) -> CifAtoms:
    """Atoms of a CIF, which may be there in a fraction of the cells only.

    Raises:
        CifError: as for `read_crystal_file`, except that atoms may be partial and overlap.
    """
    path = Path(path)
    try:
        return _with_fragments(_reading(path, block))
    except CifError as error:
        raise CifError(f"{path}: {error}") from None


@dataclass(frozen=True, eq=False)
class _Reading:
    """Sites of a block, the atoms that they make, and what was dropped or assumed."""

    sites: Sequence[ListedSite]
    contents: CellContents
    notes: tuple[str, ...]


def _reading(path: Path, name: str | None) -> _Reading:
    """The crystal of the block of a name, or of the only one with atoms."""
    blocks = atom_blocks(read_text(path))
    if name is not None:
        return _read(block_named(blocks, name))
    if len(blocks) == 1:
        return _read(blocks[0])
    names = ", ".join(block.name for block in blocks)
    refusal = CifError(
        f"holds {len(blocks)} structures ({names}); choose one: --block {blocks[0].name} on the command line, "
        f"block={blocks[0].name!r} in Python"
    )
    if len(blocks) > _MAX_COMPARED:
        raise refusal
    try:
        readings = [_read(block) for block in blocks]
    except CifError:
        raise refusal from None
    if not all(_same(readings[0], other) for other in readings[1:]):
        raise refusal
    return replace(readings[0], notes=(f"blocks {names} hold the same crystal", *readings[0].notes))


def _read(block: CifBlock) -> _Reading:
    from pymatgen.core import Lattice

    lattice = np.asarray(Lattice.from_parameters(*_cell_parameters(block)).matrix)
    composition = composition_of(block)
    sites, notes = listed_sites(block, composition.amounts)
    statements = symmetry_of(block)
    contents, chosen = decide(statements, sites, lattice, composition)
    notes += [*statements.notes, *chosen]
    if hydrogens_lacking(contents, sites, composition) and not any("hydrogens" in note for note in notes):
        notes.append("hydrogens of the formula are not among the sites: left out")
    return _Reading(sites, contents, tuple(notes))


def _cell_parameters(block: CifBlock) -> tuple[float, ...]:
    """Lengths, Å, and angles, degrees."""
    metric = []
    for tag in (*_LENGTHS, *_ANGLES):
        values = block.column(tag)
        if len(values) != 1 or values[0] in ABSENT:
            raise CifError(f"{tag} is missing; complete the cell")
        metric.append(number_of(values[0], tag))
    lengths, cosines = metric[:3], np.cos(np.radians(metric[3:]))
    flatness = 1 + 2 * float(np.prod(cosines)) - float((cosines**2).sum())
    if min(lengths) <= 0 or max(lengths) > 1000 or not all(0 < x < 180 for x in metric[3:]) or flatness < _MIN_FLAT**2:  # noqa: PLR2004  degrees, and Å no crystal reaches
        raise CifError(f"a cell of lengths {lengths} Å and angles {metric[3:]}° cannot be; correct it")
    return tuple(metric)


def _ordered(reading: _Reading) -> CrystalFile:
    """The crystal of a reading whose sites all hold one atom each."""
    sites, contents, notes = reading.sites, reading.contents, list(reading.notes)
    for site in sites:
        if len(site.occupants) > 1:
            raise CifError(
                f"site {site.label} holds several species; a host must be ordered: "
                "`defectgen impurities` derives ordered ones from it, or give one"
            )
        if site.is_full and site.occupancy != 1:
            notes.append(f"occupancy {site.occupancy:g} of site {site.label} counts as 1")
    kept = _one_of_each(reading, notes)
    structure = structure_of(replace(contents, points=contents.points[kept], owner=contents.owner[kept]), sites)
    if fault := overlap_of(structure):
        raise CifError(fault)
    notes += contact_notes(structure)
    return CrystalFile(structure, _mean_oxidation(reading), tuple(dict.fromkeys(notes)))


def _one_of_each(reading: _Reading, notes: list[str]) -> list[int]:
    """Indices of the full atoms, with one for the partial ones of one species that together fill a place."""
    sites, contents = reading.sites, reading.contents
    occupancy = _occupancies(reading)
    kept = [k for k, owner in enumerate(contents.owner) if sites[owner].is_full]
    partial = [k for k, owner in enumerate(contents.owner) if not sites[owner].is_full]
    while partial:
        near = _distances(contents, partial[0], partial) < SPECIAL_DISTANCE
        same = [k for k, together in zip(partial, near, strict=True) if together]
        here = [sites[contents.owner[k]] for k in same]
        total = float(sum(occupancy[k] for k in same))
        if abs(total - 1) > OCCUPANCY_TOLERANCE or len({site.occupants[0].number for site in here}) > 1:
            raise CifError(
                f"site {here[0].label} has occupancy {here[0].occupancy:g}; a host must be ordered: "
                "`defectgen impurities` derives ordered ones from it, or give one"
            )
        notes.append(f"sites {', '.join(site.label for site in here)} together are one full atom")
        kept.append(same[0])
        partial = [k for k in partial if k not in same]
    return sorted(kept)


def _distances(contents: CellContents, first: int, others: Sequence[int] | IntArray) -> FloatArray:
    """From one atom to others, Å, by the nearest image in fractional coordinates."""
    difference = contents.points[others] - contents.points[first]
    distances: FloatArray = np.linalg.norm((difference - np.rint(difference)) @ contents.lattice, axis=-1)
    return distances


def _occupancies(reading: _Reading) -> FloatArray:
    """(m,) occupancies of the atoms; 1 where it is 1 within its uncertainty and nothing else is at the same place."""
    sites, contents = reading.sites, reading.contents
    occupancies = np.array([sites[owner].occupancy for owner in contents.owner])
    for k, site in enumerate(sites):
        if not site.is_full or site.occupancy == 1 or abs(min(site.occupancy, 1) - 1) > site.uncertainty:
            continue
        mine, others = np.flatnonzero(contents.owner == k), np.flatnonzero(contents.owner != k)
        if len(mine) and _distances(contents, int(mine[0]), others).min(initial=np.inf) > _SAME_SITE:
            occupancies[mine] = 1.0
    return occupancies


def _atoms(reading: _Reading) -> CifAtoms:
    """One row for each species on each place of the cell."""
    sites, contents = reading.sites, reading.contents
    occupancies = _occupancies(reading)
    rows = [
        (k, sites[owner], occupant) for k, owner in enumerate(contents.owner) for occupant in sites[owner].occupants
    ]
    rounded = [
        f"occupancy {site.occupancy:g} of site {site.label} counts as 1"
        for k, site, _ in rows
        if occupancies[k] != site.occupancy
    ]
    return CifAtoms(
        lattice=contents.lattice,
        labels=tuple(site.label for _, site, _ in rows),
        numbers=np.array([occupant.number for _, _, occupant in rows], dtype=np.int64),
        points=contents.points[[k for k, _, _ in rows]],
        occupancies=np.array([occupancies[k] * occupant.share for k, _, occupant in rows]),
        oxidation=tuple(occupant.oxidation for _, _, occupant in rows),
        assemblies=tuple(site.assembly for _, site, _ in rows),
        groups=tuple(site.group for _, site, _ in rows),
        notes=tuple(dict.fromkeys([*reading.notes, *rounded])),
    )


def _with_fragments(reading: _Reading) -> CifAtoms:
    """The atoms of a reading, and which of them are there together."""
    atoms, contents = _atoms(reading), reading.contents
    fragments, notes = fragments_of(reading.sites, contents.setting.operations, contents.lattice)
    return replace(atoms, fragments=fragments, notes=(*atoms.notes, *notes))


def _mean_oxidation(reading: _Reading) -> dict[str, float]:
    """Mean charge by element, of those all of whose atoms have one."""
    atoms = _atoms(reading)
    means = {}
    for number in np.unique(atoms.numbers):
        mine = [k for k, z in enumerate(atoms.numbers) if z == number]
        charges = [charge for k in mine if (charge := atoms.oxidation[k]) is not None]
        if len(charges) == len(mine):
            means[element_symbol(int(number))] = round(float(np.average(charges, weights=atoms.occupancies[mine])), 6)
    return means


def _same(first: _Reading, second: _Reading) -> bool:
    """Whether two blocks hold the same atoms at the same places of the same cell."""
    one, other = _atoms(first), _atoms(second)
    if len(one.numbers) != len(other.numbers) or np.abs(one.lattice - other.lattice).max() > _SAME_CELL:
        return False
    difference = one.points[:, None] - other.points
    near = np.linalg.norm((difference - np.rint(difference)) @ one.lattice, axis=-1) < _SAME_CELL
    alike = (one.numbers[:, None] == other.numbers) & (
        np.abs(one.occupancies[:, None] - other.occupancies) < _SAME_CELL
    )
    return bool((near & alike).any(axis=1).all() and (near & alike).any(axis=0).all())
