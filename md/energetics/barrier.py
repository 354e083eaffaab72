"""Migration barriers: the nudged elastic band between two ends of a jump, and the saddle that symmetry fixes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError, DataError
from md.energetics.elastic import from_voigt, to_voigt
from md.energetics.jumps import Jump
from md.energetics.minimum import minimum
from md.labels.evaluator import Divergence, Evaluator, guarded_calculator
from md.labels.record import Record
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

SPRING = 1.0
"""eV/Å²; between images. With the improved tangent the result does not depend on it."""

FIRST_FORCE = 0.1
"""eV/Å; largest force of the band before its highest image starts to climb."""

END_FORCE = 1e-3
"""eV/Å left on the atoms at the ends and at a symmetric saddle."""

MAX_BAND_STEPS = 500

COMMUTES = 1e-6
"""Largest change of a cell by an operation that the cell is still said to have."""

BARRIERLESS = 1e-3
"""eV; a dip between images that is not deeper is rounding."""


@dataclass(frozen=True, eq=False)
class Barrier:
    """A minimum-energy path.

    Attributes:
        jump: what jumps.
        coordinates: (m,) length of the path up to each image, Å.
        energies: (m,) of the images, the relaxed start 0, eV.
        path: (m,) geometries, ends included.
        fmax: largest force left perpendicular to the path (at the climbing image in all directions), eV/Å.
    """

    jump: Jump
    coordinates: FloatArray
    energies: FloatArray
    path: tuple[DefectCell, ...]
    fmax: float

    @property
    def forward(self) -> float:
        """Energy of the highest image above the start, eV."""
        return float(self.energies.max())

    @property
    def reverse(self) -> float:
        """Energy of the highest image above the end, eV."""
        return float(self.energies.max() - self.energies[-1])

    @property
    def saddle(self) -> DefectCell:
        """The highest image."""
        return self.path[int(self.energies.argmax())]

    @property
    def ends_at_top(self) -> bool:
        """Whether an end is the highest image: forces vanish there by symmetry alone, and it is no place to rest."""
        return int(self.energies.argmax()) in {0, len(self.energies) - 1}

    @property
    def has_intermediate(self) -> bool:
        """Whether the path runs through another minimum, so that it is two jumps and not one."""
        inner = self.energies[1:-1]
        left, right = np.maximum.accumulate(self.energies)[:-2], np.maximum.accumulate(self.energies[::-1])[::-1][2:]
        return bool((np.minimum(left, right) - inner > BARRIERLESS).any())


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

    Henkelman, Uberuaga and Jónsson, J. Chem. Phys. 113, 9901 (2000), with the improved tangent of the paper after it;
    ASE's implementation. The path starts as a straight line.

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
    if images < 1 or images % 2 == 0:
        raise ConditionError(f"{images} images; give an odd number, so that one is in the middle of the path")
    ends = path_ends(jump, potential, start)
    first, last = (record.cell for record in ends)
    chain = [_image(first, last, share, potential) for share in np.linspace(0, 1, images + 2)]
    with one_torch_thread(wanted=potential.uses_torch):
        try:
            left = _relax_band(chain, fmax)
            energies = np.array([atoms.get_potential_energy() for atoms in chain])
        except Divergence as signal:
            raise DataError(f"the path of {jump.defect.name} diverged: {signal}; check the potential there") from None
    if left > fmax:
        raise DataError(
            f"the path of {jump.defect.name} has {left:.3f} eV/Å left after {MAX_BAND_STEPS} steps; raise fmax"
        )
    path = tuple(first.with_geometry(atoms.get_positions()) for atoms in chain)
    steps = [np.linalg.norm(b.positions - a.positions) for a, b in pairwise(path)]
    return Barrier(jump, np.concatenate([[0.0], np.cumsum(steps)]), energies - energies[0], path, left)


def _image(first: DefectCell, last: DefectCell, share: float, potential: Potential) -> Any:
    """ASE Atoms at a share of the straight line between the ends, evaluated behind the guards."""
    atoms = first.to_ase()
    atoms.positions += share * (last.positions - first.positions)
    evaluator = Evaluator(first.numbers, potential.calculator(), first.volume, largest_force=np.inf)
    atoms.calc = guarded_calculator(evaluator)
    return atoms


def _relax_band(chain: list[Any], fmax: float) -> float:
    """Relax a band, its highest image climbing at the end; returns the largest force left, eV/Å."""
    from ase.mep import NEB
    from ase.optimize import FIRE

    for climb, limit in ((False, max(FIRST_FORCE, fmax)), (True, fmax)):
        band = NEB(chain, k=SPRING, climb=climb, method="improvedtangent")
        FIRE(band, logfile=None).run(fmax=limit, steps=MAX_BAND_STEPS)
    return float(np.linalg.norm(band.get_forces(), axis=1).max())


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
