"""Migration barriers: the nudged elastic band between two ends of a jump, and the saddle that symmetry fixes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError, DataError
from md.energetics.band import Band, check_images, relaxed_band
from md.energetics.elastic import from_voigt, to_voigt
from md.energetics.jumps import Jump
from md.energetics.minimum import minimum
from md.labels.record import Record
from md.potentials import Potential

END_FORCE = 1e-3
"""eV/Å left on the atoms at the ends and at a symmetric saddle."""

COMMUTES = 1e-6
"""Largest change of a cell by an operation that the cell is still said to have."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Barrier(Band):
    """The minimum-energy path of a jump.

    Attributes:
        jump: what jumps.
    """

    jump: Jump


def path_ends(jump: Jump, potential: Potential, start: DefectCell | None = None) -> tuple[Record, Record]:
    """Relaxed start and end of a jump at fixed cell; the end follows from the start where an operation exchanges them.

    Args:
        jump: the jump.
        potential: what to relax with.
        start: geometry to start from, atoms as in `jump.defect.cell()`; gives the cell. Ideal without it, and then
            both ends keep the symmetry of their sites, which may be that of a saddle (`Barrier.ends_at_top`).

    Raises:
        DataError: an end does not relax, or leaves its sites.
        ConditionError: `start` is another defect.
    """
    cell = jump.defect.cell() if start is None else start
    if not np.array_equal(cell.sites, jump.defect.cell().sites):
        raise ConditionError(f"{cell.name} is not the defect that jumps, {jump.defect.name} in its supercell")
    first = minimum(cell, potential, END_FORCE)
    before, after = jump.ideal_ends(cell.cell)
    _check_in_place(first, before, jump)
    if not jump.reversible or not _has(cell, jump.reversal()[0]):
        last = minimum(jump.end_cell(cell), potential, END_FORCE)
        _check_in_place(last, after, jump)
        return first, last
    rotation, image = jump.reversal()
    moved, forces = np.empty_like(before), np.empty_like(before)
    moved[image] = (first.cell.positions - before) @ rotation.T
    forces[image] = first.forces @ rotation.T
    stress = to_voigt(rotation @ from_voigt(first.stress) @ rotation.T)
    end = first.cell.with_geometry(after + moved, jump=[jump.origin, jump.goal])
    return first, replace(first, cell=end, forces=forces, stress=stress)


def _check_in_place(end: Record, ideal: FloatArray, jump: Jump) -> None:
    """Check that no atom relaxed out of its site."""
    moved = end.cell.positions - ideal
    moved -= np.median(moved, axis=0)
    farthest = float(np.linalg.norm(moved, axis=1).max())
    if farthest > jump.distance / 2:
        raise DataError(
            f"an end of the jump of {jump.defect.name} is no minimum of this potential: an atom relaxes {farthest:.2f} "
            f"Å out of its site, over half of the jump of {jump.distance:.2f} Å"
        )


def migration_barrier(
    jump: Jump, potential: Potential, start: DefectCell | None = None, *, images: int = 5, fmax: float = 0.02
) -> Barrier:
    """Minimum-energy path of a jump by the nudged elastic band with a climbing image, at fixed cell.

    See `md.energetics.band`.

    Args:
        jump: the jump (`jumps`).
        potential: what evaluates the images.
        start: as in `path_ends`.
        images: moving images; odd, so that one is at the middle of a symmetric path.
        fmax: largest force left, eV/Å.

    Raises:
        ConditionError: `images` is even or not positive.
        DataError: an end does not relax, or the band does not converge.
        PotentialError: an element is not covered, or the potential fails.
    """
    check_images(images)
    first, last = (record.cell for record in path_ends(jump, potential, start))
    band = relaxed_band(first, last, potential, images=images, fmax=fmax)
    if band.failure:
        raise DataError(f"the path of {jump.defect.name}: {band.failure}; raise fmax, or check the potential there")
    return Barrier(**vars(band), jump=jump)


def symmetric_saddle(jump: Jump, potential: Potential, start: DefectCell | None = None) -> tuple[Record, Record]:
    """Relaxed start, and the saddle of a jump whose ends an operation exchanges: a minimum under that symmetry.

    Halfway, the exchange reverses the direction of the jump, so no force acts along it, and a relaxation that keeps
    the symmetry ends at the saddle for the cost of two relaxations. It is the saddle only if exactly one mode there is
    imaginary (`normal_modes`): none, where the path dips in the middle; more, where the path avoids the middle.

    Raises:
        ConditionError: no operation exchanges the ends, or the cell does not have it.
        DataError: a relaxation does not converge.
    """
    rotation, _ = jump.reversal()
    cell = jump.defect.cell() if start is None else start
    if not _has(cell, rotation):
        raise ConditionError(f"the strained cell of {cell.name} has lost the operation that exchanges the ends")
    first, last = path_ends(jump, potential, start)
    halfway = (first.cell.positions + last.cell.positions) / 2
    middle = first.cell.with_geometry(halfway, jump=[jump.origin, jump.goal])
    return first, minimum(middle, potential, END_FORCE, symmetry=jump.middle_symmetry)


def _has(cell: DefectCell, rotation: FloatArray) -> bool:
    """Whether a cell that may be strained still has a rotation of the ideal one."""
    turned = cell.cell @ rotation.T @ np.linalg.inv(cell.cell)
    return bool(np.abs(turned - np.rint(turned)).max() < COMMUTES)
