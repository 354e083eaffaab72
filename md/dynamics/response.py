"""What a defect cell did in its environment: scalars at every step, labelled frames at every interval."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import DataError
from md.conditions.point import MdPoint
from md.labels.frames import FrameArrays, Frames, frames_from_arrays
from md.labels.record import Record
from md.potentials import Potential

MdStatus = Literal["finished", "diverged"]


@dataclass(frozen=True, eq=False)
class Series:
    """Scalars of a trajectory at every step, the start included; s values each.

    Attributes:
        energies: (s,) potential energy, eV.
        kinetic: (s,) kinetic energy, eV.
        temperatures: (s,) instantaneous temperature over 3n - 3 degrees of freedom, K.
        pressures: (s,) instantaneous pressure with its kinetic part, GPa.
        cells: (s, 3, 3) lattice vectors as rows, Å.
        pressure_tensors: (s, 6) instantaneous pressure xx, yy, zz, yz, xz, xy with its kinetic part, GPa; positive
            under compression, along the Cartesian axes of the cell. NaN where it is not known.
    """

    energies: FloatArray
    kinetic: FloatArray
    temperatures: FloatArray
    pressures: FloatArray
    cells: FloatArray
    pressure_tensors: FloatArray = field(default_factory=lambda: np.zeros((0, 6)))

    def __post_init__(self) -> None:
        if len(self.pressure_tensors) == 0:
            object.__setattr__(self, "pressure_tensors", np.full((len(self.energies), 6), np.nan))
        lengths = {column.name: len(getattr(self, column.name)) for column in fields(self)}
        if len(set(lengths.values())) > 1:
            raise DataError(f"series of different lengths: {lengths}")

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def volumes(self) -> FloatArray:
        """(s,) cell volumes, Å³."""
        return np.asarray(np.abs(np.linalg.det(self.cells)), dtype=float)

    @property
    def pressure_matrices(self) -> FloatArray:
        """(s, 3, 3) `pressure_tensors` as matrices, GPa."""
        xx, yy, zz, yz, xz, xy = self.pressure_tensors.T
        return np.asarray(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1), dtype=float)

    def along(self, axis: int) -> FloatArray:
        """(s,) stress along a lattice vector, GPa, positive under tension: what a strain along it meets."""
        direction = self.cells[:, axis] / np.linalg.norm(self.cells[:, axis], axis=1)[:, None]
        return -np.asarray(np.einsum("si,sij,sj->s", direction, self.pressure_matrices, direction), dtype=float)

    @property
    def totals(self) -> FloatArray:
        """(s,) potential plus kinetic energy, eV: constant in `nve`."""
        return self.energies + self.kinetic


@dataclass(frozen=True, eq=False)
class Response:
    """The outcome of one point of molecular dynamics.

    Attributes:
        point: what was asked.
        potential: what made the labels.
        status: `finished`, or `diverged` where a guard stopped it.
        reason: why it diverged, and when; empty if it finished.
        series: scalars at every good step.
        frames: labelled geometries at every `point.interval` good steps; none that failed a guard.
        frame_steps: (k,) step of each frame.
        seconds: wall time, s (NaN if unknown); not stored with the rest, because it differs from run to run.
        notes: what was done otherwise than asked, such as a pressure that was ramped.
    """

    point: MdPoint
    potential: Potential
    status: MdStatus
    reason: str
    series: Series
    frames: Frames
    frame_steps: IntArray
    seconds: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Response({self.point.label}, {self.status}, {len(self.frames)} frames, {self.potential.name})"

    @property
    def times(self) -> FloatArray:
        """(s,) time of each step of the series, fs."""
        return np.arange(len(self.series), dtype=np.float64) * self.point.timestep

    @property
    def frame_times(self) -> FloatArray:
        """(k,) time of each frame, fs."""
        return self.frame_steps.astype(np.float64) * self.point.timestep

    @property
    def outside(self) -> dict[int, tuple[str, ...]]:
        """Frames outside what the potential learnt, by their place, each with the reasons."""
        verdicts = {i: self.potential.outside(record.cell) for i, record in enumerate(self.records())}
        return {i: reasons for i, reasons in verdicts.items() if reasons}

    def records(self) -> list[Record]:
        """Every frame as a record, its provenance and environment in `cell.provenance`."""
        return [self._record(i) for i in range(len(self.frames))]

    def _record(self, index: int) -> Record:
        step = int(self.frame_steps[index])
        info = {**self.potential.provenance, "md": self.point.json, "step": step, "status": self.status}
        return self.frames.record(index, f"md_{self.point.environment.label}", info)

    def to_arrays(self) -> FrameArrays:
        """Columns for an archive, the same bytes for the same trajectory; `seconds` is left out."""
        outcome = json.dumps([self.point.json, self.status, self.reason, *self.notes], sort_keys=True)
        series = {f"series_{column.name}": getattr(self.series, column.name) for column in fields(Series)}
        steps = {"frame_steps": self.frame_steps}
        return {**self.frames.to_arrays(), **series, **steps, "outcome": np.array(outcome)}


def response_from_arrays(
    arrays: Mapping[str, np.ndarray[Any, Any]], potential: Potential, seconds: float, where: str
) -> Response:
    """Inverse of `Response.to_arrays`; `where` names the source in errors.

    Raises:
        DataError: a column is missing or damaged.
    """
    try:
        point, status, reason, *notes = json.loads(str(arrays["outcome"]))
        series = Series(**{column.name: arrays[f"series_{column.name}"] for column in fields(Series)})
        steps = arrays["frame_steps"]
    except (KeyError, ValueError) as error:
        raise DataError(f"{where}: not an archive of a trajectory ({error})") from None
    frames = frames_from_arrays(arrays, where)
    return Response(MdPoint.from_json(point), potential, status, reason, series, frames, steps, seconds, tuple(notes))
