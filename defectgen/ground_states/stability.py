"""Whether an end of a search is a minimum, or a saddle point that its symmetry has held it on.

A geometry at rest that is symmetric stays so in every relaxation. Its softest direction is sought by a Krylov sequence
from a random displacement around the atoms that have moved, where what is soft lies; a push along it shows whether it
leads down.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from augment.cell import DefectCell, FloatArray
from defectgen.energy_surface.curvature import Krylov
from defectgen.ground_states.race import Racer
from defectgen.ground_states.same_geometry import wrapped
from md.labels.evaluator import Divergence, Evaluator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

__all__ = ["pushed"]

MAX_SOFT = 0.3
"""eV/Å²; eight steps find the least curvature to about as much. A minimum that is stiffer is no saddle point."""

PUSH = 0.15
"""Å, of the atom that moves most; from a true minimum it comes back, unless less than some meV are in the way."""

_FADE = 1.5
"""Å; how far around the atoms that have moved most the first displacement fades."""


def pushed(one: Racer, ideal: DefectCell, potential: Potential) -> tuple[Racer | None, int]:
    """An end pushed along its softest direction to the side that is lower, None where it is stiff; and evaluations."""
    cell = one.cell
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume, largest_force=np.inf)
    with one_torch_thread(wanted=potential.uses_torch):
        try:
            rest = evaluate(cell.positions, cell.cell).forces
            krylov = Krylov.anywhere(
                lambda u: evaluate(cell.positions + u, cell.cell).forces - rest, _core(cell, ideal)
            )
            spent = 1 + len(krylov.vectors)
            curvature, way = krylov.softest()
            if curvature > MAX_SOFT:
                return None, spent
            step = way * (PUSH / np.linalg.norm(way, axis=1).max())
            sides = [cell.positions + sign * step for sign in (1, -1)]
            energies = [evaluate(positions, cell.cell).energy for positions in sides]
        except Divergence:
            return None, 0
    lower = cell.with_geometry(sides[int(np.argmin(energies))], source="pushed")
    return replace(one, cell=lower, evaluations=0, relaxation=None), spent + len(sides)


def _core(cell: DefectCell, ideal: DefectCell) -> FloatArray:
    """A random displacement (n, 3) of the atoms that have moved most, and of those around them."""
    moved = np.linalg.norm(wrapped(cell.positions - ideal.positions, ideal.cell), axis=1)
    centres = cell.positions[moved > moved.max() / 2] if moved.max() > 0 else cell.positions
    away = np.linalg.norm(wrapped(cell.positions[:, None] - centres[None], cell.cell), axis=-1).min(axis=1)
    drawn = np.random.default_rng(0).standard_normal((len(cell), 3))
    return np.asarray(drawn * np.exp(-((away / _FADE) ** 2))[:, None], dtype=float)
