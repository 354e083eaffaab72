"""The recorder that both engines report every full step to; it guards the temperature and keeps what is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from md.conditions.point import MdPoint
from md.dynamics.response import Series
from md.labels.evaluator import Evaluation, StepGuard, check_instantaneous_temperature, volume_of
from md.labels.frames import FrameArrays, Frames, stack_frames

_COLUMNS = ("scalars", "cells", "frame_steps", "positions", "frame_cells", "energies", "forces", "stresses", "momenta")

_SCALARS = 10
"""Energy, kinetic energy, temperature, pressure, and the six components of the pressure tensor."""


def kinetic_tensor(masses: FloatArray, velocities: FloatArray) -> FloatArray:
    """(6,) sum of m v v over atoms in Voigt order, eV; masses (n,) in amu, velocities (n, 3) in ASE units."""
    full = (masses[:, None] * velocities).T @ velocities
    return np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])


class Recorder:
    """Collects the series and frames of one run.

    Args:
        point: what is run; its interval decides which steps become frames.
        cell: the start.
        masses: (n,) atomic masses, amu.
    """

    def __init__(self, point: MdPoint, cell: DefectCell, masses: FloatArray) -> None:
        self._point, self._cell, self._masses = point, cell, masses
        self._freedom = point.atoms.freedom(len(cell))
        self._hottest = float(point.environment.temperatures.array.max())
        self._course = StepGuard(len(cell), point.timestep)
        self._rows: list[tuple[float, ...]] = []
        self._cells: list[FloatArray] = []
        self._frames: list[tuple[int, FloatArray, FloatArray, Evaluation]] = []
        self._momenta: list[FloatArray] = []
        self._taken = (0, 0)

    @property
    def steps(self) -> int:
        """Number of steps recorded, the start included."""
        return len(self._rows)

    def observe(self, positions: FloatArray, cell: FloatArray, velocities: FloatArray, evaluation: Evaluation) -> None:
        """Take in the next full step: unwrapped positions (n, 3) and cell (3, 3) in Å, velocities in ASE units.

        Raises:
            Divergence: temperature, energy or strain are not physical; nothing of the step is kept.
        """
        from ase import units

        kinetic = 0.5 * float((self._masses[:, None] * velocities**2).sum())
        temperature = 2 * kinetic / (self._freedom * units.kB)
        check_instantaneous_temperature(temperature, self._hottest)
        self._course.check(cell.copy(), evaluation.energy)
        volume = volume_of(cell)
        pressure = -float(evaluation.stress[:3].mean()) + 2 * kinetic / (3 * volume)
        if self.steps % self._point.interval == 0:
            self._frames.append((self.steps, positions.copy(), cell.copy(), evaluation))
            self._momenta.append(self._masses[:, None] * velocities)
        self._cells.append(cell.copy())
        tensor = (kinetic_tensor(self._masses, velocities) / volume - evaluation.stress) / units.GPa
        self._rows.append((evaluation.energy, kinetic, temperature, pressure / units.GPa, *map(float, tensor)))

    def take_new(self) -> FrameArrays:
        """What was recorded since the last call, for a checkpoint."""
        rows, frames = self._taken
        self._taken = len(self._rows), len(self._frames)
        return self._arrays(rows, frames)

    def _arrays(self, rows: int = 0, frames: int = 0) -> FrameArrays:
        taken = self._frames[frames:]
        stacked = stack_frames(self._cell, [(x, cell, evaluation) for _, x, cell, evaluation in taken])
        columns = (
            np.array(self._rows[rows:], dtype=float).reshape(-1, _SCALARS),
            np.array(self._cells[rows:], dtype=float).reshape(-1, 3, 3),
            np.array([step for step, *_ in taken], dtype=np.int64),
            stacked.positions,
            stacked.cells,
            stacked.energies,
            stacked.forces,
            stacked.stresses,
            self._stacked_momenta(frames),
        )
        return dict(zip(_COLUMNS, columns, strict=True))

    def _stacked_momenta(self, first: int = 0) -> FloatArray:
        return np.array(self._momenta[first:], dtype=float).reshape(-1, len(self._cell), 3)

    def restore(self, parts: Sequence[FrameArrays]) -> None:
        """Take back what `take_new` gave, part by part."""
        for part in parts:
            self._rows += [tuple(map(float, row)) for row in part["scalars"]]
            self._cells += list(part["cells"])
            self._momenta += list(part["momenta"])
            for i, step in enumerate(part["frame_steps"]):
                labels = Evaluation(float(part["energies"][i]), part["forces"][i], part["stresses"][i])
                self._frames.append((int(step), part["positions"][i], part["frame_cells"][i], labels))
        self._taken = len(self._rows), len(self._frames)
        if self._rows:
            self._course.restore(self._cells[-1], self._rows[0][0])

    def series(self) -> Series:
        """The scalars so far."""
        arrays = self._arrays()
        energies, kinetic, temperatures, pressures = (arrays["scalars"][:, i].copy() for i in range(4))
        tensors = arrays["scalars"][:, 4:].copy()
        return Series(energies, kinetic, temperatures, pressures, arrays["cells"], tensors)

    def frames(self) -> tuple[Frames, IntArray]:
        """The frames so far and the (k,) step of each."""
        snapshots = [(positions, cell, evaluation) for _, positions, cell, evaluation in self._frames]
        steps = np.array([step for step, *_ in self._frames], dtype=np.int64)
        return replace(stack_frames(self._cell, snapshots), momenta=self._stacked_momenta()), steps
