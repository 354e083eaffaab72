"""Forces that a defect exerts on its host, which the generative model may be told.

The forces of a potential on the atoms of the ideal defect cell, less those on the same sites of the pristine cell, act
on the perfect crystal before anything moves (Kanzaki, J. Phys. Chem. Solids 2, 24 (1957),
doi:10.1016/0022-3697(57)90003-3). After a trial step along them a second evaluation says how stiff the crystal is. The
model has learnt how far it gives way in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from augment import Defect, DefectCell
from augment.cell import FloatArray
from augment.errors import PotentialError
from defectgen.descent import descended, trial_step
from defectgen.diffusion import State, project
from defectgen.softness import curvatures
from defectgen.subgroups import SubgroupClasses
from md.guards import Divergence, Evaluator, volume_of
from md.labels import cell_hash
from md.potentials import Potential, resolve_potential
from md.quiet import one_torch_thread

TEACHER, NONE = "teacher", "none"
"""Names that ask for the potential whose labels a model has learnt, and for none."""

KEPT = 8
"""Cells whose forces are remembered: those of one defect under several conditions, and the pristine one."""


@dataclass(frozen=True, eq=False)
class DefectForces:
    """Forces of defects by one potential.

    Attributes:
        potential: that is evaluated.
    """

    potential: Potential
    _known: dict[str, FloatArray | None] = field(default_factory=dict, init=False, repr=False)
    _bent: dict[str, FloatArray | None] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, defect: Defect) -> FloatArray | None:
        """(n, 2, 3) forces on the atoms of the ideal cell and after a trial step along them, eV/Å.

        They have the symmetry of the defect and no sum. None where the potential does not cover an element, or one of
        the cells is beyond what it can say.

        Raises:
            PotentialError: the potential cannot be evaluated.
        """
        ideal, bulk = defect.cell(), defect.supercell.bulk_cell()
        if not self.potential.covers(_symbols(ideal.numbers)) or not self.potential.covers(_symbols(bulk.numbers)):
            return None
        pristine = self._forces(bulk)
        if pristine is None:
            return None
        anyway = np.zeros((max(int(ideal.sites.max()), int(bulk.sites.max())) + 1, 3))
        anyway[bulk.sites] = pristine
        symmetry, found = defect.symmetry(), []
        moved = ideal
        for _ in range(2):
            own = self._forces(moved)
            if own is None:
                return None
            found.append(project(State(own - anyway[ideal.sites], np.zeros((3, 3))), symmetry).displacements)
            moved = ideal.with_geometry(ideal.positions + trial_step(found[0]))
        return np.stack(found, axis=1)

    def curvatures(self, defect: Defect) -> FloatArray | None:
        """Least curvature (c,), eV/Å², that each class of subgroups of the stabilizer releases.

        It is that of the geometry after two steps down; see `softness.curvatures`. None where the forces are not known.

        Raises:
            PotentialError: the potential cannot be evaluated.
        """
        return _remembered(self._bent, cell_hash(defect.cell()), lambda: self._curvatures(defect))

    def _curvatures(self, defect: Defect) -> FloatArray | None:
        told = self(defect)
        if told is None:
            return None
        ideal = defect.cell()
        symmetric = ideal.positions + descended(told)

        def around(displacements: FloatArray) -> FloatArray:
            found = _evaluated(ideal.with_geometry(symmetric + displacements), self.potential)
            if found is None:
                raise Divergence
            return found

        try:
            return curvatures(around, SubgroupClasses(defect.symmetry(), ideal.cell))
        except Divergence:
            return None

    def _forces(self, cell: DefectCell) -> FloatArray | None:
        return _remembered(self._known, cell_hash(cell), lambda: _evaluated(cell, self.potential))


def find_forces(name: str, card: Mapping[str, Any]) -> DefectForces | None:
    """Forces for a model: of its teacher, of a named potential, or none.

    Args:
        name: `teacher`, `none`, or what `resolve_potential` knows.
        card: of the model; one that names no teacher gets none of it.

    Raises:
        PotentialError: there is no such potential.
    """
    if name == NONE or (name == TEACHER and "teacher" not in card):
        return None
    return forces_by(str(card["teacher"]["potential"]) if name == TEACHER else name)


@lru_cache(maxsize=4)
def forces_by(potential: str) -> DefectForces:
    """Forces by a potential of some name, remembered in this process.

    Raises:
        PotentialError: there is no such potential.
    """
    return DefectForces(resolve_potential(potential))


def _remembered(
    memory: dict[str, FloatArray | None], name: str, make: Callable[[], FloatArray | None]
) -> FloatArray | None:
    """What is remembered under a name, or made now; of more than `KEPT` the one that was not used for longest goes."""
    found = memory.pop(name) if name in memory else make()
    memory[name] = found
    if len(memory) > KEPT:
        del memory[next(iter(memory))]
    return found


def _evaluated(cell: DefectCell, potential: Potential) -> FloatArray | None:
    with one_torch_thread(wanted=potential.uses_torch):
        calculator: Any = potential.calculator()
        evaluate = Evaluator(cell.numbers, calculator, volume_of(cell.cell), largest_force=np.inf)
        evaluate.forget()
        try:
            return evaluate(cell.positions, cell.cell).forces
        except Divergence:
            return None
        except MemoryError as error:
            raise PotentialError(f"{potential.name}: no memory for {len(cell)} atoms; ask for forces: none") from error


def _symbols(numbers: Iterable[int]) -> set[str]:
    return {str(chemical_symbols[int(z)]) for z in numbers}
