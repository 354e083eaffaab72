"""One LAMMPS instance that holds a defect cell; its forces come from a guarded potential or from a pair style.

A potential outside of LAMMPS comes in through `fix external`: positions are rotated back and unwrapped before it sees
them, and forces and virial are rotated in, so that both engines put the same numbers to it.
"""

from __future__ import annotations

import ctypes
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.errors import DataError, PotentialError, ResumeError
from md.conditions.point import MdPoint
from md.jobs.checkpoint import RunState
from md.labels.evaluator import Divergence, Evaluation, Evaluator, check_labels, volume_of
from md.lammps.commands import (
    FS_PER_PS,
    NEIGHBOUR_COMMANDS,
    PRELUDE,
    box_values,
    leg_commands,
    mass_commands,
    triangular_frame,
)
from md.lammps.library import open_lammps

LAMMPS_BAR = 1.6021765e6
"""bar per eV/Å³ in the metal units of LAMMPS; today's value, 1.602176634e6, differs in the eighth digit."""

_END_OF_RESTART = b"LammpS RestartT"
"""What LAMMPS ends a whole restart with."""

_FIX, _VIRIAL = "potential", "virial"
_SHORT = 4
"""Bytes of an integer that LAMMPS may have for tags and image flags; otherwise 8."""

_DOUBLE = np.dtype(np.float64)

_DUMMY_CUTOFF = 1.0
"""Å; of the pair style that keeps neighbour lists and computes nothing."""


def virial_of(stress: FloatArray, volume: float, rotation: FloatArray) -> list[float]:
    """LAMMPS virial (xx, yy, zz, xy, xz, yz), eV, of an ASE Voigt stress (6,) in eV/Å³ seen in the rotated frame.

    LAMMPS counts a virial positive where the cell pushes outwards, ASE a stress positive under tension.
    """
    xx, yy, zz, yz, xz, xy = stress
    full = rotation @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ rotation.T
    picked = (full[0, 0], full[1, 1], full[2, 2], full[0, 1], full[0, 2], full[1, 2])
    return [-volume * float(component) for component in picked]


def stress_of(pressure: FloatArray, rotation: FloatArray) -> FloatArray:
    """ASE Voigt stress (6,) in eV/Å³ of a LAMMPS pressure (xx, yy, zz, xy, xz, yz) in bar in the rotated frame."""
    xx, yy, zz, xy, xz, yz = pressure
    full = -(rotation.T @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ rotation) / LAMMPS_BAR
    return np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])


class LammpsSession:
    """One LAMMPS instance with a defect cell in it, new or from a state.

    Args:
        cell: the defect cell at the start of the run.
        velocities: (n, 3) in ASE units, at step 0; not used with a state.
        forces: the guarded potential, or the commands of a pair style that LAMMPS computes itself.
        state: where to go on from.

    Attributes:
        positions: (n, 3) unwrapped positions of the newest evaluation in the frame of the defect cell, Å.
        cell: (3, 3) cell of the newest evaluation, Å.
        evaluation: the newest labels.
    """

    def __init__(
        self,
        cell: DefectCell,
        velocities: FloatArray,
        forces: Evaluator | tuple[str, ...],
        state: RunState | None = None,
    ) -> None:
        self._forces, self._native = forces, isinstance(forces, tuple)
        self._triangle, self._rotation = triangular_frame(cell.cell)
        self._failure: BaseException | None = None
        self._start, self._span = cell, ""
        self.positions, self.cell = cell.positions, cell.cell
        self.evaluation: Evaluation
        self._lammps = open_lammps()
        self._address_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
            ("lammps_extract_atom", self._lammps.lib)
        )
        self._tag_kind, self._image_kind = (
            np.dtype(np.int32 if self._lammps.extract_setting(name) == _SHORT else np.int64)
            for name in ("tagint", "imageint")
        )
        try:
            if state is None:
                self._create(cell, velocities)
            else:
                self._read(cell, state)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the instance."""
        self._lammps.close()

    def _create(self, cell: DefectCell, velocities: FloatArray) -> None:
        kinds, types = np.unique(cell.numbers, return_inverse=True)
        box = " ".join(f"{value!r}" for value in box_values(self._triangle))
        self.commands([*PRELUDE, f"region box prism {box} units box", f"create_box {len(kinds)} box"])
        self._set_forces(cell)
        self._add_atoms(types + 1, cell.positions @ self._rotation.T, velocities @ self._rotation.T)

    def _read(self, cell: DefectCell, state: RunState) -> None:
        self._offset = np.asarray(state.arrays["offset"], dtype=np.int64)
        with tempfile.TemporaryDirectory(prefix="defectgen-") as folder:
            path = Path(folder, "state.restart")
            path.write_bytes(state.arrays["restart"].tobytes())
            try:
                self.commands(["box tilt large", f"read_restart {path}", "atom_modify sort 0 0.0"])
            except Exception as error:
                said = " ".join(str(error).split())
                raise ResumeError(
                    f"LAMMPS cannot go on from its state at step {state.step} ({said}); it may be another version's: "
                    "delete the checkpoints of the point to run it from its start"
                ) from error
        self._set_forces(cell)

    def _set_forces(self, cell: DefectCell) -> None:
        """The forces, the masses (which some pair styles set by themselves) and neighbour lists."""
        settings = [*mass_commands(cell.numbers), *NEIGHBOUR_COMMANDS]
        if isinstance(self._forces, tuple):
            tallied = [f"compute {_VIRIAL} all pressure NULL virial", f"thermo_style custom step pe c_{_VIRIAL}[*]"]
            self._set_pair_style(self._forces)
            self.commands([*tallied, *settings])
            return
        self.commands([f"pair_style zero {_DUMMY_CUTOFF} nocoeff", "pair_coeff * *", *settings])
        self.commands([f"fix {_FIX} all external pf/callback 1 1", f"fix_modify {_FIX} energy yes virial yes"])
        self._listen(self._forces)

    def _listen(self, evaluate: Evaluator) -> None:
        """Have LAMMPS ask for forces; its Python module would wrap all that it passes, of which little is needed."""
        lammps = self._lammps
        self._asked = lammps.FIX_EXTERNAL_CALLBACK_FUNC(partial(self._callback, evaluate))  # LAMMPS does not keep it
        lammps.lib.lammps_set_fix_external_callback(lammps.lmp, _FIX.encode(), self._asked, None)

    def _set_pair_style(self, commands: tuple[str, ...]) -> None:
        try:
            self.commands(list(commands))
        except Exception as error:  # noqa: BLE001  the LAMMPS module raises plain ones
            said = " ".join(str(error).split())
            raise PotentialError(f"{commands[-1]}: LAMMPS does not take this potential ({said})") from None

    def place(self, positions: FloatArray, cell: FloatArray) -> None:
        """Put the atoms (n, 3) and the cell (3, 3), Å, somewhere else; the next `advance(0)` evaluates them there."""
        self._triangle, self._rotation = triangular_frame(cell)
        _, lx, _, ly, _, lz, xy, xz, yz = box_values(self._triangle)
        lengths = f"x final 0.0 {lx!r} y final 0.0 {ly!r} z final 0.0 {lz!r}"
        self._lammps.command(f"change_box all {lengths} xy final {xy!r} xz final {xz!r} yz final {yz!r} units box")
        shift, wrapped = self._wrap(positions @ self._rotation.T)
        self._lammps.scatter_atoms("x", 1, 3, np.ascontiguousarray(wrapped).ctypes.data_as(ctypes.c_void_p))
        self._offset = shift - self._images()[self._order()]

    def _wrap(self, positions: FloatArray) -> tuple[IntArray, FloatArray]:
        """Positions inside the box, which LAMMPS needs, and the shift that `_place` puts back."""
        shift = np.floor(positions @ np.linalg.inv(self._triangle)).astype(np.int64)
        return shift, positions - shift @ self._triangle

    def _add_atoms(self, types: IntArray, positions: FloatArray, velocities: FloatArray) -> None:
        from ase import units

        n = len(types)
        shift, wrapped = self._wrap(positions)
        created = self._lammps.create_atoms(
            n,
            list(range(1, n + 1)),
            types.tolist(),
            wrapped.ravel().tolist(),
            v=(velocities * units.fs * FS_PER_PS).ravel().tolist(),
        )
        if created != n:
            raise Divergence(f"LAMMPS took {created} of {n} atoms")
        self._offset = shift - self._images()[self._order()]

    def prepare(self, point: MdPoint, first: int = 0, last: int | None = None) -> None:
        """Set the time step and the integrator of `point` for a leg from one step to another, by default all."""
        last = point.steps if last is None else last
        self.commands(leg_commands(point, self._start, first, last))
        self._span = f" start {first} stop {last}"

    def advance(self, steps: int) -> None:
        """Run so many steps; 0 evaluates the start. An error in the callback comes out here.

        LAMMPS drops exceptions of a callback, so they are kept and raised after the run. Steps are best run one
        by one: then no step follows a failure.

        Raises:
            Divergence: a guard stopped the run, or LAMMPS lost it.
            PotentialError: the potential failed.
        """
        try:
            self._lammps.command(f"run {steps}{self._span}" + ("" if steps == 0 else " pre no post no"))
        except Exception as error:
            if self._failure is None:
                raise Divergence(f"LAMMPS stopped: {error}") from error
        if self._failure is not None:
            raise self._failure
        if self._native:
            self._take()

    def state(self, step: int) -> RunState:
        """Everything that the rest of the run depends on; the instance is good for nothing but closing afterwards.

        Raises:
            DataError: LAMMPS cannot write it.
        """
        with tempfile.TemporaryDirectory(prefix="defectgen-") as folder:
            path = Path(folder, "state.restart")
            try:
                self._lammps.command(f"write_restart {path}")
                content = path.read_bytes()
            except Exception as error:
                said = " ".join(str(error).split())
                raise DataError(f"{path}: LAMMPS cannot write its state ({said}); is the disk full?") from error
        if not content.rstrip(b"\0").endswith(_END_OF_RESTART):  # LAMMPS does not notice each write that fails
            raise DataError(f"{path}: LAMMPS could not write all of its state; is the disk full?")
        return RunState(step, {"restart": np.frombuffer(content, dtype=np.uint8), "offset": self._offset})

    def velocities(self) -> FloatArray:
        """(n, 3) velocities at the full step in the frame of the defect cell, ASE units."""
        from ase import units

        return np.asarray(self._view("v")[self._order()] @ self._rotation / (units.fs * FS_PER_PS), dtype=float)

    def scale_velocities(self, factor: float) -> None:
        """Multiply all velocities."""
        velocities = self._view("v")
        velocities *= factor

    def forces(self) -> FloatArray:
        """(n, 3) forces as LAMMPS holds them, in the frame of the defect cell, eV/Å."""
        return np.asarray(self._view("f")[self._order()] @ self._rotation, dtype=float)

    def stress(self) -> FloatArray:
        """(6,) Voigt stress that LAMMPS computes, kinetic part included, in the frame of the defect cell, eV/Å³."""
        return stress_of(np.array([self.thermo(f"p{i}") for i in ("xx", "yy", "zz", "xy", "xz", "yz")]), self._rotation)

    def thermo(self, keyword: str) -> float:
        """A thermodynamic value as LAMMPS computes it (`pe`, `press`, `pxx`, ...), metal units."""
        return float(self._lammps.get_thermo(keyword))

    def commands(self, commands: list[str]) -> None:
        """Give LAMMPS commands."""
        for command in commands:
            self._lammps.command(command)

    def _view(self, name: str, kind: np.dtype[Any] = _DOUBLE, columns: int = 3) -> Any:
        """What LAMMPS holds of its atoms now, (n, columns), in its own order and in its own memory.

        Its Python module looks up the type of each property anew, which takes longer than all that is done with it.
        """
        address = self._address_of(self._lammps.lmp, name.encode())
        if columns > 1:  # the address of the first row
            address = ctypes.c_void_p.from_address(address).value
        return self._memory(address, kind, columns)

    def _memory(self, address: int, kind: np.dtype[Any], columns: int) -> Any:
        block: Any = ctypes.c_char * (kind.itemsize * columns * len(self.positions))
        return np.frombuffer(block.from_address(address), dtype=kind).reshape(-1, columns)

    def _order(self) -> IntArray:
        """(n,) where LAMMPS has the atoms of the defect cell."""
        return np.argsort(self._view("id", self._tag_kind, 1)[:, 0])

    def _images(self) -> IntArray:
        """(n, 3) image flags of the atoms, in LAMMPS's own order."""
        packed = np.asarray(self._view("image", self._image_kind, 1), dtype=np.int64)
        bits = 10 if self._image_kind.itemsize == _SHORT else 21
        mask, middle = (1 << bits) - 1, 1 << (bits - 1)
        return (packed >> (bits * np.arange(3)) & mask) - middle

    def _place(self, order: IntArray) -> None:
        """Positions and cell in the frame of the defect cell, atoms in its order and unwrapped."""
        low, high, xy, yz, xz, _, _ = self._lammps.extract_box()
        lengths = np.array(high) - np.array(low)
        triangle = np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]])
        self.cell = triangle @ self._rotation
        images = self._images()[order] + self._offset
        self.positions = (self._view("x")[order] - np.array(low)) @ self._rotation + images @ self.cell

    def _take(self) -> None:
        """Geometry and labels of a pair style after a step."""
        self._place(self._order())
        pressure = np.array(self._lammps.numpy.extract_compute(_VIRIAL, 0, 1), dtype=float)
        self.evaluation = Evaluation(self.thermo("pe"), self.forces(), stress_of(pressure, self._rotation))
        check_labels(self.evaluation)

    def _callback(
        self,
        evaluate: Evaluator,
        _caller: object,
        _step: int,
        _count: int,
        _tags: Any,
        _x: Any,
        rows: Any,
    ) -> None:
        forces = self._memory(ctypes.addressof(rows.contents.contents), _DOUBLE, 3)
        try:
            order = self._order()
            self._place(order)
            self.evaluation = evaluate(self.positions, self.cell)
            forces[order] = self.evaluation.forces @ self._rotation.T
            self._report(self.evaluation)
        except BaseException as error:  # noqa: BLE001  LAMMPS would drop it; `advance` raises it again
            self._failure = error
            forces[:] = 0.0

    def _report(self, evaluation: Evaluation) -> None:
        library, instance, fix = self._lammps.lib, self._lammps.lmp, _FIX.encode()
        virial = virial_of(evaluation.stress, volume_of(self.cell), self._rotation)
        library.lammps_fix_external_set_energy_global(instance, fix, evaluation.energy)
        library.lammps_fix_external_set_virial_global(instance, fix, (ctypes.c_double * 6)(*virial))
