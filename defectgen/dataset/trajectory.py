"""Trajectories of points of dynamics for other programs: extended XYZ, ASE's .traj, and LAMMPS dumps."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.elements import element_symbol
from augment.errors import ConditionError, DataError
from augment.storage.archive import read_arrays, write_atomically
from augment.storage.missing import did_you_mean
from defectgen.dataset.extxyz import ExtxyzFile
from defectgen.dataset.frame import FrameFact, frame_of
from md.dynamics import MdPoint
from md.labels.frames import Frames, frames_from_arrays

Format = Literal["extxyz", "traj", "dump"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The kept frames of a point of dynamics.

    Attributes:
        point: what was run.
        frames: k labelled geometries.
        steps: (k,) step of each.
    """

    point: MdPoint
    frames: Frames
    steps: IntArray

    @property
    def times(self) -> FloatArray:
        """(k,) time of each frame, fs."""
        return self.steps.astype(np.float64) * self.point.timestep

    @property
    def momenta(self) -> FloatArray:
        """(k, n, 3) momenta in ASE units.

        Raises:
            DataError: the trajectory was kept without them.
        """
        if self.frames.momenta is None:
            raise DataError(f"{self.point.label}: kept without momenta; run it again")
        return self.frames.momenta

    def about(self, index: int) -> dict[str, FrameFact]:
        """What is known of a frame besides its geometry and labels: where it is from, and when it was (fs)."""
        point = self.point
        return {
            "name": point.name,
            "defect_key": point.key,
            "engine": point.engine,
            "ensemble": point.environment.ensemble,
            "conditions": point.environment.label,
            "step": int(self.steps[index]),
            "time": float(self.times[index]),
        }


def check_format(name: str) -> Format:
    """A format by its name.

    Raises:
        ConditionError: there is none of that name.
    """
    for known in get_args(Format):
        if name == known:
            return known  # type: ignore[no-any-return]  # one of the literals
    hint, formats = did_you_mean(name, get_args(Format)), ", ".join(get_args(Format))
    raise ConditionError(f"no format of trajectories is called {name!r}; {hint}use one of {formats}")


def read_trajectory(archive: Path) -> Trajectory:
    """The trajectory in the archive of a point (`md/points/*.npz` of a run).

    Raises:
        DataError: it is missing, damaged, or no such archive.
    """
    arrays = read_arrays(archive)
    try:
        point, steps = json.loads(str(arrays["outcome"]))[0], arrays["frame_steps"]
    except (KeyError, ValueError) as error:
        raise DataError(f"{archive}: not an archive of a point of dynamics ({error})") from None
    return Trajectory(MdPoint.from_json(point), frames_from_arrays(arrays, str(archive)), steps)


def write_trajectories(points: Path, folder: Path, kind: Format) -> list[Path]:
    """Write the trajectory of every point in a folder of archives; the files, named after their points.

    Raises:
        DataError: there is no archive, or one is damaged.
    """
    archives = sorted(points.glob("*.npz"))
    if not archives:
        raise DataError(f"{points}: no finished points of dynamics; run `defectgen md` first")
    return [_write_named(read_trajectory(archive), folder, kind) for archive in archives]


def _write_named(trajectory: Trajectory, folder: Path, kind: Format) -> Path:
    point = trajectory.point
    stem = re.sub(r"[^\w.+-]+", "_", point.label)
    path = folder / f"{stem}_{point.id[:8]}.{kind}"
    write_trajectory(trajectory, path, kind)
    return path


def write_trajectory(trajectory: Trajectory, path: Path, kind: Format) -> None:
    """Write a trajectory as one file, which appears whole or not at all.

    `extxyz` and `traj` hold every bit of positions, momenta (ASE units), cell, energy, forces and stress, and the time
    (fs) and step of each frame. `dump` is a text dump of LAMMPS in its frame, where the cell is lower triangular: box,
    unwrapped positions, velocities (Å/ps) and forces to the last digits, but neither energy nor stress; the time is the
    step times the time step.
    """
    if kind == "extxyz":
        with ExtxyzFile(path) as file:
            for index in range(len(trajectory.frames)):
                about = trajectory.about(index)
                config_type = f"md_{about['conditions']}"
                record = trajectory.frames.record(index, config_type, {})
                frame = frame_of(record, {"config_type": config_type, **about})
                file.write(replace(frame, momenta=trajectory.momenta[index]))
            file.publish()
    elif kind == "traj":
        write_atomically(path, _traj(trajectory))
    else:
        write_atomically(path, "".join(_dump(trajectory)).encode())


def _traj(trajectory: Trajectory) -> bytes:
    from ase.io.trajectory import TrajectoryWriter

    stream = _Unclosed()
    writer = TrajectoryWriter(stream, mode="w")
    for atoms in atoms_of(trajectory):
        writer.write(atoms)
    writer.close()
    return stream.getvalue()


class _Unclosed(io.BytesIO):
    """A buffer that keeps its content when ASE closes it."""

    def close(self) -> None:
        """Stay open."""


def atoms_of(trajectory: Trajectory) -> Iterator[Any]:
    """The frames as ASE atoms with their labels; `info` holds what `Trajectory.about` says."""
    from ase.calculators.singlepoint import SinglePointCalculator

    frames = trajectory.frames
    for index in range(len(frames)):
        atoms = frames.start.with_geometry(frames.positions[index], frames.cells[index]).to_ase()
        atoms.info = trajectory.about(index)
        atoms.set_momenta(trajectory.momenta[index])
        labels = {"energy": float(frames.energies[index]), "forces": frames.forces[index]}
        atoms.calc = SinglePointCalculator(atoms, stress=frames.stresses[index], **labels)
        yield atoms


def _dump(trajectory: Trajectory) -> Iterator[str]:
    from ase import units
    from ase.data import atomic_masses

    from md.lammps.commands import FS_PER_PS, triangular_frame

    frames = trajectory.frames
    numbers = frames.start.numbers
    types = np.unique(numbers, return_inverse=True)[1] + 1
    symbols = [element_symbol(z) for z in numbers]
    for index, step in enumerate(trajectory.steps):
        triangle, rotation = triangular_frame(frames.cells[index])
        velocities = trajectory.momenta[index] / atomic_masses[numbers][:, None] * (units.fs * FS_PER_PS)
        columns = (frames.positions[index], velocities, frames.forces[index])
        turned = np.hstack([column @ rotation.T for column in columns])
        yield _dump_head(int(step), len(numbers), triangle)
        yield from _dump_rows(types.tolist(), symbols, turned)


def _dump_head(step: int, atoms: int, triangle: FloatArray) -> str:
    """Step, number of atoms and bounds of the triclinic box, which LAMMPS widens by the tilt factors."""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = triangle.tolist()
    x_tilts, y_tilts = (0.0, xy, xz, xy + xz), (0.0, yz)
    bounds = ((min(x_tilts), lx + max(x_tilts), xy), (min(y_tilts), ly + max(y_tilts), xz), (0.0, lz, yz))
    lines = [
        "ITEM: TIMESTEP",
        str(step),
        "ITEM: NUMBER OF ATOMS",
        str(atoms),
        "ITEM: BOX BOUNDS xy xz yz pp pp pp",
        *(" ".join(map(repr, row)) for row in bounds),
        "ITEM: ATOMS id type element xu yu zu vx vy vz fx fy fz",
    ]
    return "\n".join(lines) + "\n"


def _dump_rows(types: Sequence[int], symbols: Sequence[str], columns: FloatArray) -> Iterator[str]:
    for identity, (kind, symbol, row) in enumerate(zip(types, symbols, columns.tolist(), strict=True), start=1):
        yield f"{identity} {kind} {symbol} {' '.join(map(repr, row))}\n"
