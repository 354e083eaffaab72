"""Guards around every evaluation: what counts as diverged, and an evaluator that stops there.

A machine-learnt potential far from its training data can pull atoms together or blow a cell up, and then
returns numbers all the same. Each limit below is far outside what a crystal does below its melting point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError
from augment.neighbours import closest_pair

MIN_DISTANCE = 0.5
"""Å; the shortest bond there is, H2, has 0.74."""

CLEARANCE = 1.0
"""Å beyond it that pairs are looked for: an atom of a hot crystal stays within half of it for thousands of steps."""

MAX_FORCE = 100.0
"""eV/Å; a hot oxide shows about 10."""

MAX_VOLUME_RATIO = 2.0
"""Of the volume at the start, either way; 100 GPa halve the volume of a soft crystal."""

MAX_TEMPERATURE_MULTIPLE, MAX_TEMPERATURE_OFFSET = 5.0, 1000.0
"""Instantaneous temperature limit, multiple of the target plus K: small cells fluctuate by sqrt(2/3n), and an
unrelaxed start releases a few eV."""


_LABELS, _VOIGT = ("energy", "forces", "stress"), (6,)


class Divergence(Exception):  # noqa: N818  a signal that a run ends as `diverged`, not an error for the user
    """The geometry or the labels left what is physical; its text is the reason that a result records."""


def volume_of(cell: FloatArray) -> float:
    """Volume of a cell (3, 3) in Å, Å³; ten times as fast as a determinant by factors, which a step has three of."""
    (a, b, c), (d, e, f), (g, h, i) = cell.tolist()
    return float(abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Labels of one geometry: energy (eV), forces (n, 3) in eV/Å, stress (6,) Voigt in eV/Å³, ASE sign."""

    energy: float
    forces: FloatArray
    stress: FloatArray

    @property
    def largest_force(self) -> float:
        """Length of the longest force, eV/Å."""
        return float(np.sqrt((self.forces**2).sum(axis=1).max(initial=0.0)))


def check_geometry(positions: FloatArray, cell: FloatArray, start_volume: float) -> None:
    """Check a geometry before a potential sees it; positions (n, 3) and cell (3, 3) in Å, start volume in Å³.

    Raises:
        Divergence: positions or cell are not finite, the volume left its bounds, or two atoms overlap.
    """
    _check_bounds(positions, cell, start_volume)
    _check_distance(closest_pair(positions, cell, MIN_DISTANCE))


def _check_bounds(positions: FloatArray, cell: FloatArray, start_volume: float) -> None:
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise Divergence("positions or cell are not finite")
    ratio = volume_of(cell) / start_volume
    if not 1 / MAX_VOLUME_RATIO < ratio < MAX_VOLUME_RATIO:
        raise Divergence(f"the volume is {ratio:.2f} times that of the start")


def _check_distance(distance: float) -> None:
    if distance < MIN_DISTANCE:
        raise Divergence(f"two atoms are {distance:.2f} Å apart")


class Clearance:
    """Checks that no two atoms overlap, and looks for pairs only where two may have met since it looked last.

    With all atoms carried along by the change of the cell, F = h0^-1 h, a pair that was d apart is at least
    d (1 - |F - 1|) apart, and 2 u less where no atom moved further than u from there.
    """

    def __init__(self) -> None:
        self._apart = 0.0
        self._positions: FloatArray = np.zeros((0, 3))
        self._inverse: FloatArray = np.eye(3)

    def check(self, positions: FloatArray, cell: FloatArray) -> None:
        """Check the next geometry of the same atoms, positions (n, 3) and cell (3, 3) in Å, all finite.

        Raises:
            Divergence: two atoms overlap.
        """
        if self._apart > 0 and self._least(positions, cell) > MIN_DISTANCE:
            return
        within = MIN_DISTANCE + CLEARANCE
        distance = closest_pair(positions, cell, within)
        _check_distance(distance)
        self._apart = min(distance, within)
        self._positions, self._inverse = positions.copy(), np.asarray(np.linalg.inv(cell), dtype=float)

    def _least(self, positions: FloatArray, cell: FloatArray) -> float:
        """What two atoms are at least apart, Å."""
        gradient = self._inverse @ cell
        moved = positions - self._positions @ gradient
        furthest = np.sqrt(np.einsum("nx,nx->n", moved, moved).max(initial=0.0))
        change = gradient - np.eye(3)
        return float(self._apart * (1 - np.sqrt((change * change).sum())) - 2 * furthest)


def check_labels(evaluation: Evaluation, largest_force: float = MAX_FORCE) -> None:
    """Check what a potential returned.

    Raises:
        Divergence: a label is not finite, or a force is longer than `largest_force` (eV/Å).
    """
    largest = evaluation.largest_force
    if not (math.isfinite(evaluation.energy) and math.isfinite(largest) and np.isfinite(evaluation.stress).all()):
        raise Divergence("the potential returned numbers that are not finite")
    if largest > largest_force:
        raise Divergence(f"a force of {largest:.0f} eV/Å")


def check_instantaneous_temperature(temperature: float, target: float) -> None:
    """Check an instantaneous temperature against the target, both in K.

    Raises:
        Divergence: it is not finite or far above the target.
    """
    limit = MAX_TEMPERATURE_MULTIPLE * target + MAX_TEMPERATURE_OFFSET
    if not temperature < limit:
        raise Divergence(f"the temperature is {temperature:.0f} K where {target:.0f} K was asked for")


class Evaluator:
    """A potential applied to one set of atoms, behind the guards; engines and optimizer evaluate through it.

    Args:
        numbers: (n,) atomic numbers.
        calculator: ASE calculator.
        start_volume: volume that the volume guard compares with, Å³.
        largest_force: limit of the force guard, eV/Å.
    """

    def __init__(
        self, numbers: IntArray, calculator: Any, start_volume: float, largest_force: float = MAX_FORCE
    ) -> None:
        from ase import Atoms

        self._atoms = Atoms(numbers=numbers, pbc=True)
        self._atoms.calc = calculator
        self._clearance, self._last = Clearance(), None
        self.forget()
        self._start_volume = start_volume
        self._largest_force = largest_force
        self.calls = 0

    def __call__(self, positions: FloatArray, cell: FloatArray) -> Evaluation:
        """Labels of a geometry, positions (n, 3) and cell (3, 3) in Å.

        Raises:
            Divergence: the geometry or the labels fail a guard.
            PotentialError: the potential itself failed.
        """
        _check_bounds(positions, cell, self._start_volume)
        self._clearance.check(positions, cell)
        self._atoms.set_cell(cell)
        self._atoms.set_positions(positions)
        self.calls += 1
        evaluation = self._evaluate()
        check_labels(evaluation, self._largest_force)
        return evaluation

    def forget(self) -> None:
        """Make the next evaluation independent of those before, to the last bit."""
        self._atoms.calc.reset()

    def _evaluate(self) -> Evaluation:
        calculator = self._atoms.calc
        try:
            # Asked through ASE, a calculator compares all atoms for each label, which takes a fiftieth of a small step.
            calculator.calculate(self._atoms, list(_LABELS), self._changes(calculator))
            energy, forces, stress = (np.array(calculator.results[name], dtype=float) for name in _LABELS)
            if stress.shape != _VOIGT:
                stress = np.array(self._atoms.get_stress(), dtype=float)
        except (Divergence, MemoryError):
            raise
        except Exception as error:
            raise PotentialError(f"the potential failed at evaluation {self.calls}: {error!r}") from error
        self._last = getattr(calculator, "atoms", None)
        return Evaluation(float(energy), forces, stress)

    def _changes(self, calculator: Any) -> list[str]:
        """What a calculator must take as changed: everything, if its last atoms were others."""
        from ase.calculators.calculator import all_changes

        last = getattr(calculator, "atoms", None)
        if last is not None and last is self._last:
            return ["positions", "cell"]
        same = last is not None and np.array_equal(last.numbers, self._atoms.numbers) and last.pbc.all()
        return ["positions", "cell"] if same else list(all_changes)


def guarded_calculator(evaluate: Callable[[FloatArray, FloatArray], Evaluation]) -> Any:
    """ASE calculator that evaluates through `evaluate(positions, cell)`: guards see every geometry first."""
    # TODO

    return GuardedCalculator(evaluate)


class GuardedCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """ASE calculator with energy, forces and stress from a guarded evaluation; `last` is the newest one."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, evaluate: Callable[[FloatArray, FloatArray], Evaluation]) -> None:
        super().__init__()
        self._guarded = evaluate
        self.last: Evaluation | None = None

    def check_state(self, atoms: Any, tol: float = 0.0) -> list[str]:
        """What changed since the newest evaluation; numbers do not, and ASE's own check takes longer than EAM."""
        del tol
        last = self.atoms
        same = last is not None and (last.positions == atoms.positions).all() and (last.cell == atoms.cell).all()
        return [] if same else ["positions", "cell"]

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms`.

        Raises:
            Divergence: a guard fails.
        """
        super().calculate(atoms, properties, system_changes)
        self.last = self._guarded(atoms.get_positions(), atoms.cell.array.copy())
        self.results = {
            "energy": self.last.energy,
            "free_energy": self.last.energy,
            "forces": self.last.forces,
            "stress": self.last.stress,
        }
