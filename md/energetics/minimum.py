"""A relaxed geometry with its labels, or a clear error: what every energy of a defect is measured at."""

from __future__ import annotations

from augment.cell import DefectCell
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from md.labels.record import Record
from md.potentials import Potential
from md.relaxation.relax import relax_structure

MAX_MINIMUM_STEPS = 1000
"""Steps; a defect that is not at rest by then has fallen apart or sits on a ridge."""


def minimum(
    cell: DefectCell,
    potential: Potential,
    fmax: float,
    *,
    relax_cell: bool = False,
    symmetry: CellSymmetry | None = None,
) -> Record:
    """The relaxed geometry nearest to `cell`, forces below `fmax` eV/Å; arguments as those of `relax_structure`.

    Raises:
        DataError: the relaxation diverged or did not converge.
        PotentialError: an element is not covered, or the potential fails.
    """
    outcome = relax_structure(
        cell, potential, fmax=fmax, max_steps=MAX_MINIMUM_STEPS, relax_cell=relax_cell, symmetry=symmetry
    )
    if outcome.status != "converged" or outcome.record is None:
        raise DataError(f"{cell.name} with {potential.name}: {outcome.status} ({outcome.reason}); it has no energy")
    return outcome.record
