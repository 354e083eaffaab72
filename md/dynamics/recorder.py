"""The recorder that both engines report every full step to; it guards the temperature and keeps what is good."""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray
from md.dynamics.point import MdPoint
from md.dynamics.response import Series
from md.frames import Frames, Snapshot, stack_frames
from md.guards import Evaluation, check_temperature


class Recorder:
    """Collects the series and frames of one run.

    Args:
        point: what is run; its interval decides which steps become frames.
        cell: the start.
        masses: (n,) atomic masses, amu.
    """

    def __init__(self, point: MdPoint, cell: DefectCell, masses: FloatArray) -> None:
        self._point, self._cell, self._masses = point, cell, masses
        self._rows: list[tuple[float, float, float, float]] = []
        self._cells: list[FloatArray] = []
        self._snapshots: list[Snapshot] = []
        self._frame_steps: list[int] = []

    @property
    def steps(self) -> int:
        """Number of steps recorded, the start included."""
        return len(self._rows)

    def observe(self, positions: FloatArray, cell: FloatArray, velocities: FloatArray, evaluation: Evaluation) -> None:
        """Take in the next full step: unwrapped positions (n, 3) and cell (3, 3) in Å, velocities in ASE units.

        Raises:
            Divergence: the temperature is not finite or far too high; nothing of the step is kept.
        """
        from ase import units

        kinetic = 0.5 * float((self._masses[:, None] * velocities**2).sum())
        temperature = 2 * kinetic / (degrees_of_freedom(len(self._masses)) * units.kB)
        check_temperature(temperature, self._point.environment.temperature)
        volume = float(abs(np.linalg.det(cell)))
        pressure = -float(evaluation.stress[:3].mean()) + 2 * kinetic / (3 * volume)
        if self.steps % self._point.interval == 0:
            self._snapshots.append((positions.copy(), cell.copy(), evaluation))
            self._frame_steps.append(self.steps)
        self._cells.append(cell.copy())
        self._rows.append((evaluation.energy, kinetic, temperature, pressure / units.GPa))

    def series(self) -> Series:
        """The scalars so far."""
        rows = np.array(self._rows, dtype=float).reshape(-1, 4)
        energies, kinetic, temperatures, pressures = (rows[:, i].copy() for i in range(4))
        cells = np.array(self._cells, dtype=float).reshape(-1, 3, 3)
        return Series(energies, kinetic, temperatures, pressures, cells)

    def frames(self) -> tuple[Frames, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The frames so far and the (k,) step of each."""
        return stack_frames(self._cell, self._snapshots), np.array(self._frame_steps, dtype=np.int64)


def degrees_of_freedom(atoms: int) -> int:
    """Degrees of freedom of n atoms whose centre of mass rests, 3n - 3; at least 1."""
    return max(3 * atoms - 3, 1)


def thermal_velocities(masses: FloatArray, temperature: float, rng: np.random.Generator) -> FloatArray:
    """Maxwell-Boltzmann velocities (n, 3) in ASE units with no total momentum and exactly this temperature.

    Args:
        masses: (n,) amu.
        temperature: K.
        rng: source of the random numbers.
    """
    from ase import units

    velocities = rng.standard_normal((len(masses), 3)) / np.sqrt(masses)[:, None]
    velocities -= (masses[:, None] * velocities).sum(axis=0) / masses.sum()
    kinetic = 0.5 * float((masses[:, None] * velocities**2).sum())
    if kinetic == 0.0:
        return velocities
    target = 0.5 * degrees_of_freedom(len(masses)) * units.kB * temperature
    return np.asarray(velocities * np.sqrt(target / kinetic), dtype=float)
