"""What many points did in one batch, recorded at every step for all of them, and returned point by point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import units
from ase.stress import full_3x3_to_voigt_6_stress

from augment.cell import DefectCell, FloatArray, IntArray
from md.conditions.thermal_motion import degrees_of_freedom
from md.dynamics.engines.batched.forces import BatchLabels
from md.dynamics.engines.batched.guards import Before
from md.dynamics.engines.batched.steps import Motion
from md.dynamics.response import Series
from md.labels.evaluator import Evaluation
from md.labels.frames import FrameArrays, Frames, stack_frames

_SCALARS = ("energy", "kinetic", "temperature", "pressure", "xx", "yy", "zz", "yz", "xz", "xy")
_STEP_COLUMNS = ("scalars", "cells")
_FRAME_COLUMNS = ("frame_positions", "frame_momenta", "frame_forces", "frame_stresses")


class BatchRecorder:
    """Collects series and frames of b points with n atoms in all; of points that were stopped, NaN.

    Args:
        cells: where the points start.
        interval: every so many steps become a frame.
    """

    def __init__(self, cells: Sequence[DefectCell], interval: int) -> None:
        self._starts, self._interval = list(cells), interval
        sizes = [len(cell) for cell in cells]
        self._sizes = np.array(sizes, dtype=np.int64)
        self._freedom = np.array([degrees_of_freedom(n) for n in sizes])
        self._owner = np.repeat(np.arange(len(cells)), sizes)
        self._columns: dict[str, list[FloatArray]] = {name: [] for name in (*_STEP_COLUMNS, *_FRAME_COLUMNS)}
        self._taken = dict.fromkeys(self._columns, 0)

    @property
    def steps(self) -> int:
        """Number of steps recorded, the start included."""
        return len(self._columns["scalars"])

    def before(self, alive: IntArray) -> Before | None:
        """The start and the newest step of the points that go on; None before there is one."""
        if self.steps == 0:
            return None
        first, cells = self._columns["scalars"][0], self._columns["cells"][-1]
        return Before(self._sizes[alive], first[alive, 0], cells[alive])

    def temperatures(self, alive: IntArray, motion: Motion) -> FloatArray:
        """(a,) temperatures of the points that go on, K."""
        kinetic = motion.kinetic.cpu().numpy()
        return np.asarray(2 * kinetic / (self._freedom[alive] * units.kB), dtype=float)

    def observe(self, alive: IntArray, motion: Motion, labels: BatchLabels) -> None:
        """Take in the next step of the points (a,) that go on."""
        is_frame = self.steps % self._interval == 0
        energy, kinetic, pressure = (
            x.cpu().numpy() for x in (labels.energies, motion.kinetic, motion.pressures(labels))
        )
        temperature = self.temperatures(alive, motion)
        tensors = full_3x3_to_voigt_6_stress(motion.pressure_tensors(labels).cpu().numpy()) / units.GPa
        scalars = np.column_stack([energy, kinetic, temperature, pressure / units.GPa, tensors])
        self._add("scalars", alive, scalars)
        self._add("cells", alive, motion.flat.cells.cpu().numpy())
        if not is_frame:
            return
        atoms = np.flatnonzero(np.isin(self._owner, alive))
        self._add("frame_positions", atoms, motion.flat.positions.cpu().numpy())
        self._add("frame_momenta", atoms, motion.momenta.cpu().numpy())
        self._add("frame_forces", atoms, labels.forces.cpu().numpy())
        self._add("frame_stresses", alive, full_3x3_to_voigt_6_stress(labels.stresses.cpu().numpy()))

    def _add(self, name: str, rows: IntArray, values: FloatArray) -> None:
        per_atom = name in _FRAME_COLUMNS[:3]
        whole = np.full((len(self._owner) if per_atom else len(self._starts), *values.shape[1:]), np.nan)
        whole[rows] = values
        self._columns[name].append(whole)

    def take_new(self) -> FrameArrays:
        """What was recorded since the last call, for a checkpoint."""
        new = {name: np.array(rows[self._taken[name] :]) for name, rows in self._columns.items()}
        self._taken = {name: len(rows) for name, rows in self._columns.items()}
        return new

    def restore(self, parts: Sequence[FrameArrays]) -> None:
        """Take back what `take_new` gave, part by part."""
        for part in parts:
            for name, rows in self._columns.items():
                rows += list(part[name])
        self._taken = {name: len(rows) for name, rows in self._columns.items()}

    def series(self, index: int) -> Series:
        """The scalars of one point so far, up to where it was stopped."""
        scalars = np.array([rows[index] for rows in self._columns["scalars"]]).reshape(-1, len(_SCALARS))
        cells = np.array([rows[index] for rows in self._columns["cells"]]).reshape(-1, 3, 3)
        good = int(np.isfinite(scalars[:, 0]).sum())
        energies, kinetic, temperatures, pressures = (scalars[:good, k].copy() for k in range(4))
        return Series(energies, kinetic, temperatures, pressures, cells[:good], scalars[:good, 4:].copy())

    def results(self, index: int) -> tuple[Series, Frames, IntArray]:
        """Series, frames and the (k,) step of each frame of one point, up to where it was stopped."""
        series = self.series(index)
        steps = np.arange(0, len(series), self._interval, dtype=np.int64)
        return series, self._frames(index, series, steps), steps

    def _frames(self, index: int, series: Series, steps: IntArray) -> Frames:
        atoms = self._owner == index
        positions, momenta, forces = (
            [rows[atoms] for rows in self._columns[name][: len(steps)]] for name in _FRAME_COLUMNS[:3]
        )
        stresses = [rows[index] for rows in self._columns["frame_stresses"][: len(steps)]]
        snapshots = [
            (positions[k], series.cells[step], Evaluation(float(series.energies[step]), forces[k], stresses[k]))
            for k, step in enumerate(steps)
        ]
        start = self._starts[index]
        return replace(stack_frames(start, snapshots), momenta=np.array(momenta).reshape(-1, len(start), 3))
