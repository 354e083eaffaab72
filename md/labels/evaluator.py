"""Guards around every evaluation: what counts as diverged, and an evaluator that stops there.

A machine-learnt potential far from its training data can pull atoms together or blow a cell up, and then
returns numbers all the same. Each limit below is far outside what a crystal does between -100 and 1,000 GPa; none
compares with the volume at the start, so that a crystal may be squeezed to half of it and less. Every engine and the
relaxations stop at the same limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError, UnconvergedError
from augment.neighbours import closest_pair

MIN_DISTANCE = 0.5
"""Å; the shortest bond there is, H2, has 0.74."""

CLEARANCE = 1.0
"""Å beyond it that pairs are looked for: an atom of a hot crystal stays within half of it for thousands of steps."""

MAX_FORCE = 100.0
"""eV/Å; a hot oxide shows about 10."""

MIN_ATOMIC_VOLUME = 0.7
"""Å³ an atom; hydrogen at 1,000 GPa has about 0.9, diamond there 2.8."""

MAX_ATOMIC_VOLUME, MAX_VACUUM_GROWTH = 500.0, 2.0
"""Å³ an atom, or so many times the volume of the start where it has a vacuum: beyond, matter is a gas. Solid caesium
has 115."""

MAX_ENERGY_CHANGE = 30.0
"""eV an atom from the start, either way: three times the cohesive energy of tungsten, and more than the work that
1,000 GPa do on it."""

MAX_STRAIN_SPEED = 20.0
"""1/ps; sound crosses a cell of 1 nm in 0.1 to 0.5 ps, and no barostat that matter follows strains it faster."""

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
        Divergence: positions or cell are not finite, the cell is a point or a gas, or two atoms overlap.
    """
    check_bounds(positions, cell, start_volume)
    _check_distance(closest_pair(positions, cell, MIN_DISTANCE))


def check_bounds(positions: FloatArray, cell: FloatArray, start_volume: float) -> None:
    """Check that positions (n, 3) and cell (3, 3), Å, are numbers, and the volume that of matter; start volume in Å³.

    Raises:
        Divergence: they are not.
    """
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise Divergence("positions or cell are not finite")
    atoms, volume = len(positions), volume_of(cell)
    if not volume > MIN_ATOMIC_VOLUME * atoms:
        raise Divergence(
            f"the cell collapsed to {volume / atoms:.2f} Å³ an atom, {volume / start_volume:.2g} of the start"
        )
    if not volume < largest_volume(atoms, start_volume):
        raise Divergence(
            f"the cell blew up to {volume / atoms:.0f} Å³ an atom, {volume / start_volume:.0f} times the start"
        )


def largest_volume(atoms: int, start_volume: float) -> float:
    """Volume of a cell beyond which so many atoms are a gas, Å³."""
    return max(MAX_ATOMIC_VOLUME * atoms, MAX_VACUUM_GROWTH * start_volume)


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


def check_energy(change: float, atoms: int) -> None:
    """Check the potential energy against that of the start, its change in eV for so many atoms.

    Raises:
        Divergence: it is not finite, or has run away.
    """
    if not abs(change) < MAX_ENERGY_CHANGE * atoms:
        raise Divergence(f"the energy is {change / atoms:+.0f} eV an atom from that of the start")


def check_strain(strain: float, limit: float) -> None:
    """Check the largest strain of a step against that which matter follows.

    Raises:
        Divergence: the cell changes too fast, or is not finite.
    """
    if not strain < limit:
        raise Divergence(f"the cell changes by {strain:.1%} in a step, where matter follows {limit:.1%}")


def check_instantaneous_temperature(temperature: float, target: float) -> None:
    """Check an instantaneous temperature against the target, both in K.

    Raises:
        Divergence: it is not finite or far above the target.
    """
    limit = MAX_TEMPERATURE_MULTIPLE * target + MAX_TEMPERATURE_OFFSET
    if not temperature < limit:
        raise Divergence(f"the temperature is {temperature:.0f} K where {target:.0f} K was asked for")


def max_strain(timestep: float) -> float:
    """Strain of a cell in a step of so many fs that matter can follow."""
    return MAX_STRAIN_SPEED * timestep / 1000.0


class StepGuard:
    """Guards over what a cell does from step to step: energy that runs away, a cell that changes too fast.

    Args:
        atoms: number of atoms.
        timestep: fs; None where steps are no times, as in a relaxation.
    """

    def __init__(self, atoms: int, timestep: float | None = None) -> None:
        self._atoms = atoms
        self._limit = None if timestep is None else max_strain(timestep)
        self._first_energy: float | None = None
        self._cell: FloatArray | None = None

    def check(self, cell: FloatArray, energy: float) -> None:
        """Check the next step: cell (3, 3) in Å, potential energy in eV; the first one is what others compare with.

        Raises:
            Divergence: the energy or the cell ran away.
        """
        if self._first_energy is None:
            self._first_energy = energy
        check_energy(energy - self._first_energy, self._atoms)
        if self._cell is not None and self._limit is not None and not np.array_equal(cell, self._cell):
            check_strain(float(np.abs(np.linalg.inv(self._cell) @ cell - np.eye(3)).max()), self._limit)
        self._cell = cell

    def restore(self, cell: FloatArray, first_energy: float) -> None:
        """Go on from a cell (3, 3) in Å of a run that began with an energy in eV."""
        self._cell, self._first_energy = cell, first_energy


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
        check_bounds(positions, cell, self._start_volume)
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
        except (Divergence, MemoryError, UnconvergedError):
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, PotentialError) else repr(error)
            raise PotentialError(f"the potential failed at evaluation {self.calls}: {reason}") from error
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
