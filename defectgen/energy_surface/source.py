"""Whose energy surface gives the model's input features: that of its teacher, of a named potential, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from augment import CellSymmetry, Defect, DefectCell
from augment.cell import FloatArray
from augment.elements import elements_of
from augment.errors import PotentialError
from defectgen.energy_surface.surface import EnergySurface
from md.campaigns.labelling import cell_hash
from md.labels.evaluator import Divergence, Evaluator, volume_of
from md.labels.third_party import one_torch_thread
from md.potentials import Potential, resolve_potential

TEACHER, NONE = "teacher", "none"
"""Names that ask for the potential whose labels a model has learnt, and for none."""

CACHE_SIZE = 8
"""Surfaces that are remembered: those of defects that are requested again under other conditions."""

Remembered = TypeVar("Remembered")


@dataclass(frozen=True, eq=False)
class DefectForces:
    """Energy surfaces of defects by one potential.

    Attributes:
        potential: that is evaluated.
    """

    potential: Potential
    _known: dict[str, EnergySurface | None] = field(default_factory=dict, init=False, repr=False)
    _pristine: dict[str, FloatArray | None] = field(default_factory=dict, init=False, repr=False)
    _spent: list[int] = field(default_factory=lambda: [0], init=False, repr=False)

    def __call__(self, defect: Defect) -> EnergySurface | None:
        """The energy surface of a defect; None where the potential does not cover an element, or not the host.

        Raises:
            PotentialError: the potential cannot be evaluated.
        """
        ideal, bulk = defect.cell(), defect.supercell.bulk_cell()
        return _remembered(self._known, cell_hash(ideal), lambda: self.surface(ideal, bulk, defect.symmetry()))

    def surface(self, ideal: DefectCell, bulk: DefectCell, symmetry: CellSymmetry) -> EnergySurface | None:
        """The energy surface of an ideal defect cell in its pristine cell; see `__call__`."""
        if not self.potential.covers(elements_of([*ideal.numbers, *bulk.numbers])):
            return None
        pristine = _remembered(self._pristine, cell_hash(bulk), lambda: self._at_rest(bulk))
        if pristine is None:
            return None
        pristine_forces = np.zeros((max(int(ideal.sites.max()), int(bulk.sites.max())) + 1, 3))
        pristine_forces[bulk.sites] = pristine
        return EnergySurface(ideal, symmetry, pristine_forces[ideal.sites], self._forces)

    @property
    def evaluations(self) -> int:
        """Evaluations of the potential so far."""
        return self._spent[0]

    def _forces(self, cell: DefectCell) -> FloatArray:
        self._spent[0] += 1
        return _evaluated(cell, potential=self.potential)

    def _at_rest(self, bulk: DefectCell) -> FloatArray | None:
        try:
            return self._forces(bulk)
        except Divergence:
            return None


def find_forces(asked: str | Potential, card: Mapping[str, Any]) -> DefectForces | None:
    """Forces for a model: of its teacher, of some potential, or none.

    Args:
        asked: `teacher`, `none`, what `resolve_potential` knows, or a potential.
        card: of the model; one that names no teacher gets none of it.

    Raises:
        PotentialError: there is no such potential.
    """
    if isinstance(asked, Potential):
        return _remembered(_POTENTIALS, f"{asked.name} {asked.sha256}", lambda: DefectForces(asked))
    if asked == NONE or (asked == TEACHER and "teacher" not in card):
        return None
    return forces_by(str(card["teacher"]["potential"]) if asked == TEACHER else asked)


@lru_cache(maxsize=4)
def forces_by(potential: str) -> DefectForces:
    """Forces by a potential of some name, remembered in this process.

    Raises:
        PotentialError: there is no such potential.
    """
    return DefectForces(resolve_potential(potential))


_POTENTIALS: dict[str, DefectForces] = {}
"""Forces by potentials that came as such, by name and hash."""


def _remembered(memory: dict[str, Remembered], name: str, make: Callable[[], Remembered]) -> Remembered:
    """What is remembered under a name, or made now; of more than `CACHE_SIZE` the one not used for longest goes."""
    value = memory.pop(name) if name in memory else make()
    memory[name] = value
    if len(memory) > CACHE_SIZE:
        del memory[next(iter(memory))]
    return value


def _evaluated(cell: DefectCell, potential: Potential) -> FloatArray:
    with one_torch_thread(wanted=potential.uses_torch):
        calculator: Any = potential.calculator()
        evaluate = Evaluator(cell.numbers, calculator, volume_of(cell.cell), largest_force=np.inf)
        evaluate.forget()
        try:
            return evaluate(cell.positions, cell.cell).forces
        except MemoryError as error:
            raise PotentialError(f"{potential.name}: no memory for {len(cell)} atoms; ask for forces: none") from error
