"""Labelled geometries of one defect cell as stacked arrays: the path of a relaxation, the frames of a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import DataError
from augment.storage.archive import cells_from_arrays, cells_to_arrays
from md.labels.evaluator import Evaluation
from md.labels.record import Record

FrameArrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, eq=False)
class Frames:
    """k labelled geometries of one defect cell of n atoms; all atoms stay in the order of `start`.

    Attributes:
        start: the cell that the run began from.
        positions: (k, n, 3) Cartesian positions, Å; not wrapped.
        cells: (k, 3, 3) lattice vectors as rows, Å.
        energies: (k,) total potential energies, eV.
        forces: (k, n, 3) forces, eV/Å.
        stresses: (k, 6) Voigt stress, eV/Å³, ASE sign.
        momenta: (k, n, 3) momenta of the atoms in ASE units, sqrt(amu eV); None for the path of a relaxation.
    """

    start: DefectCell
    positions: FloatArray
    cells: FloatArray
    energies: FloatArray
    forces: FloatArray
    stresses: FloatArray
    momenta: FloatArray | None = None

    def __post_init__(self) -> None:
        k, n = len(self.energies), len(self.start)
        momenta = self.positions if self.momenta is None else self.momenta
        shapes = (self.positions.shape, self.cells.shape, self.forces.shape, self.stresses.shape, momenta.shape)
        if shapes != ((k, n, 3), (k, 3, 3), (k, n, 3), (k, 6), (k, n, 3)):
            raise DataError(f"frames of {self.start.name}: shapes {shapes} do not fit {k} frames of {n} atoms")

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def volumes(self) -> FloatArray:
        """(k,) cell volumes, Å³."""
        return np.asarray(np.abs(np.linalg.det(self.cells)), dtype=float)

    def only(self, chosen: slice) -> Frames:
        """Some of the frames."""
        columns = ("positions", "cells", "energies", "forces", "stresses")
        some = {name: getattr(self, name)[chosen] for name in columns}
        return replace(self, **some, momenta=None if self.momenta is None else self.momenta[chosen])

    def record(self, index: int, config_type: str, provenance: Mapping[str, object]) -> Record:
        """One frame as a record; `provenance` (JSON values) is added to that of the start."""
        cell = self.start.with_geometry(self.positions[index], self.cells[index], **provenance)
        return Record(cell, float(self.energies[index]), self.forces[index], self.stresses[index], config_type)

    def to_arrays(self) -> FrameArrays:
        """Columns for an archive; the inverse of `frames_from_arrays`."""
        start = {f"start_{name}": column for name, column in cells_to_arrays([self.start]).items()}
        return {
            **start,
            "positions": self.positions,
            "cells": self.cells,
            "energies": self.energies,
            "forces": self.forces,
            "stresses": self.stresses,
            **({} if self.momenta is None else {"momenta": self.momenta}),
        }


def frames_from_arrays(arrays: Mapping[str, np.ndarray[Any, Any]], where: str) -> Frames:
    """Inverse of `Frames.to_arrays`; `where` names the source in errors.

    Raises:
        DataError: a column is missing or does not fit.
    """
    prefix = "start_"
    columns = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    [start] = cells_from_arrays(columns, where)
    try:
        labels = [arrays[name] for name in ("positions", "cells", "energies", "forces", "stresses")]
    except KeyError as error:
        raise DataError(f"{where}: not an archive of frames (no {error})") from None
    return replace(Frames(start, *labels), momenta=arrays.get("momenta"))


Snapshot = tuple[FloatArray, FloatArray, Evaluation]
"""A labelled geometry while a run goes on: positions (n, 3), cell (3, 3) in Å, and its evaluation."""


def stack_frames(start: DefectCell, snapshots: Sequence[Snapshot]) -> Frames:
    """Frames from snapshots, which may be none."""
    k, n = len(snapshots), len(start)
    return Frames(
        start,
        np.array([s[0] for s in snapshots], dtype=float).reshape(k, n, 3),
        np.array([s[1] for s in snapshots], dtype=float).reshape(k, 3, 3),
        np.array([s[2].energy for s in snapshots], dtype=float),
        np.array([s[2].forces for s in snapshots], dtype=float).reshape(k, n, 3),
        np.array([s[2].stress for s in snapshots], dtype=float).reshape(k, 6),
    )
