"""Molecular dynamics through LAMMPS, its forces from the same ASE calculator through `fix external`.

LAMMPS wants the cell lower triangular, so it works in a rotated frame: cell = L Q with L lower triangular and Q
orthogonal. Positions are rotated back and unwrapped before the potential sees them, and forces and virial are rotated
in: both engines put the same numbers to the potential.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from md.dynamics.ase import BAROSTAT_TIME, THERMOSTAT_TIME
from md.dynamics.lammps_library import open_lammps
from md.dynamics.point import MdPoint
from md.dynamics.recorder import Recorder
from md.guards import Divergence, Evaluation, Evaluator

FS_PER_PS = 1000.0
BAR_PER_GPA = 10_000.0
LAMMPS_BAR = 1.6021765e6
"""bar per eV/Å³ in the metal units of LAMMPS; today's value, 1.602176634e6, differs in the eighth digit."""

_FIX = "potential"
_DUMMY_CUTOFF = 1.0
"""Å; of the pair style that keeps neighbour lists and computes nothing."""


def triangular_frame(cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split a cell as L Q: L (3, 3) lower triangular with a positive diagonal, Q (3, 3) orthogonal."""
    q, r = np.linalg.qr(cell.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return r.T * signs, signs[:, None] * q.T


def virial_of(stress: FloatArray, volume: float, rotation: FloatArray) -> list[float]:
    """LAMMPS virial (xx, yy, zz, xy, xz, yz), eV, of an ASE Voigt stress (6,) in eV/Å³ seen in the rotated frame.

    LAMMPS counts a virial positive where the cell pushes outwards, ASE a stress positive under tension.
    """
    xx, yy, zz, yz, xz, xy = stress
    full = rotation @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ rotation.T
    picked = (full[0, 0], full[1, 1], full[2, 2], full[0, 1], full[0, 2], full[1, 2])
    return [-volume * float(component) for component in picked]


def run_lammps(
    point: MdPoint, cell: DefectCell, velocities: FloatArray, evaluate: Evaluator, recorder: Recorder
) -> None:
    """Integrate a point with LAMMPS, reporting every step to `recorder`; velocities (n, 3) in ASE units.

    Raises:
        Divergence: a guard stopped the run, or LAMMPS lost it.
        PotentialError: the potential failed, or LAMMPS is missing.
    """
    session = LammpsSession(cell, velocities, evaluate)
    try:
        session.prepare(point)
        for step in range(point.steps + 1):
            session.advance(0 if step == 0 else 1)
            recorder.observe(session.positions, session.cell, session.velocities(), session.evaluation)
    finally:
        session.close()


class LammpsSession:
    """One LAMMPS instance that holds a defect cell and asks a guarded potential for its forces.

    Attributes:
        positions: (n, 3) unwrapped positions of the newest evaluation in the frame of the defect cell, Å.
        cell: (3, 3) cell of the newest evaluation, Å.
        evaluation: the newest labels.
    """

    def __init__(self, cell: DefectCell, velocities: FloatArray, evaluate: Evaluator) -> None:
        self._evaluate = evaluate
        self._triangle, self._rotation = triangular_frame(cell.cell)
        self._failure: BaseException | None = None
        self.positions, self.cell = cell.positions, cell.cell
        self.evaluation: Evaluation
        self._lammps = open_lammps()
        try:
            self._create(cell, velocities)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the instance."""
        self._lammps.close()

    def _create(self, cell: DefectCell, velocities: FloatArray) -> None:
        from ase.data import atomic_masses

        (lx, _, _), (xy, ly, _), (xz, yz, lz) = (map(float, row) for row in self._triangle)
        kinds, types = np.unique(cell.numbers, return_inverse=True)
        box = " ".join(f"{value!r}" for value in (0.0, lx, 0.0, ly, 0.0, lz, xy, xz, yz))
        commands = [
            "units metal",
            "atom_style atomic",
            "atom_modify map array sort 0 0.0",
            "boundary p p p",
            "box tilt large",
            f"region box prism {box} units box",
            f"create_box {len(kinds)} box",
            *(f"mass {i} {float(atomic_masses[z])!r}" for i, z in enumerate(kinds, start=1)),
            f"pair_style zero {_DUMMY_CUTOFF} nocoeff",
            "pair_coeff * *",
            "neigh_modify delay 0 every 1 check yes",
            "thermo_modify lost error norm no",
        ]
        self._commands(commands)
        self._add_atoms(types + 1, cell.positions @ self._rotation.T, velocities @ self._rotation.T)
        self._lammps.command(f"fix {_FIX} all external pf/callback 1 1")
        self._lammps.command(f"fix_modify {_FIX} energy yes virial yes")
        self._lammps.set_fix_external_callback(_FIX, self._callback)

    def _add_atoms(self, types: IntArray, positions: FloatArray, velocities: FloatArray) -> None:
        from ase import units

        n = len(types)
        # Wrapped here, so that no atom is outside the box when it is created; the shift is put back in `_place`.
        self._shift = np.floor(positions @ np.linalg.inv(self._triangle))
        wrapped = positions - self._shift @ self._triangle
        created = self._lammps.create_atoms(
            n,
            list(range(1, n + 1)),
            types.tolist(),
            wrapped.ravel().tolist(),
            v=(velocities * units.fs * FS_PER_PS).ravel().tolist(),
        )
        if created != n:
            raise Divergence(f"LAMMPS took {created} of {n} atoms")
        self._start_images = self._images()[np.argsort(self._tags())]

    def prepare(self, point: MdPoint) -> None:
        """Set the time step and the integrator of `point`."""
        environment, kelvin = point.environment, float(point.environment.temperature)
        thermostat = f"temp {kelvin!r} {kelvin!r} {THERMOSTAT_TIME / FS_PER_PS}"
        bar = float(environment.pressure) * BAR_PER_GPA
        barostat = f"iso {bar!r} {bar!r} {BAROSTAT_TIME / FS_PER_PS} flip no"
        integrator = {"nve": "nve", "nvt": f"nvt {thermostat}", "npt": f"npt {thermostat} {barostat}"}
        self._commands(
            [
                f"timestep {point.timestep / FS_PER_PS!r}",
                f"fix integrator all {integrator[environment.ensemble]}",
            ]
        )

    def advance(self, steps: int) -> None:
        """Run so many steps; 0 evaluates the start. An error in the callback comes out here.

        LAMMPS drops exceptions of a callback, so they are kept and raised after the run. Steps are best run one
        by one: then no step follows a failure.

        Raises:
            Divergence: a guard stopped the run, or LAMMPS lost it.
            PotentialError: the potential failed.
        """
        try:
            self._lammps.command(f"run {steps}" + ("" if steps == 0 else " pre no post no"))
        except Exception as error:
            if self._failure is None:
                raise Divergence(f"LAMMPS stopped: {error}") from error
        if self._failure is not None:
            raise self._failure

    def velocities(self) -> FloatArray:
        """(n, 3) velocities at the full step in the frame of the defect cell, ASE units."""
        from ase import units

        columns = np.array(self._lammps.gather_atoms("v", 1, 3), dtype=float).reshape(-1, 3)
        return np.asarray(columns @ self._rotation / (units.fs * FS_PER_PS), dtype=float)

    def forces(self) -> FloatArray:
        """(n, 3) forces as LAMMPS holds them, in the frame of the defect cell, eV/Å."""
        columns = np.array(self._lammps.gather_atoms("f", 1, 3), dtype=float).reshape(-1, 3)
        return np.asarray(columns @ self._rotation, dtype=float)

    def stress(self) -> FloatArray:
        """(6,) Voigt stress that LAMMPS computes, kinetic part included, in the frame of the defect cell, eV/Å³."""
        pressure = np.array([[self.thermo("p" + min(a + b, b + a)) for a in "xyz"] for b in "xyz"])
        full = -(self._rotation.T @ pressure @ self._rotation) / LAMMPS_BAR
        return np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])

    def thermo(self, keyword: str) -> float:
        """A thermodynamic value as LAMMPS computes it (`pe`, `press`, `pxx`, ...), metal units."""
        return float(self._lammps.get_thermo(keyword))

    def _commands(self, commands: list[str]) -> None:
        for command in commands:
            self._lammps.command(command)

    def _tags(self) -> IntArray:
        return np.array(self._lammps.numpy.extract_atom("id"), dtype=np.int64).ravel()

    def _images(self) -> IntArray:
        """(n, 3) image flags of the atoms, in LAMMPS's own order."""
        packed = np.array(self._lammps.numpy.extract_atom("image"), dtype=np.int64).ravel()
        bits = 10 if self._lammps.extract_setting("imageint") == 4 else 21  # noqa: PLR2004  bytes of the packed flags
        mask, middle = (1 << bits) - 1, 1 << (bits - 1)
        return np.stack([(packed >> (bits * axis) & mask) - middle for axis in range(3)], axis=1)

    def _place(self, tags: IntArray, x: FloatArray) -> None:
        """Positions and cell in the frame of the defect cell, atoms in its order and unwrapped."""
        low, high, xy, yz, xz, _, _ = self._lammps.extract_box()
        lengths = np.array(high) - np.array(low)
        triangle = np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]])
        order = np.argsort(tags)
        images = self._images()[order] - self._start_images + self._shift
        self.cell = triangle @ self._rotation
        self.positions = (x[order] - np.array(low)) @ self._rotation + images @ self.cell

    def _callback(self, _caller: object, _step: int, _count: int, tags: Any, x: FloatArray, forces: FloatArray) -> None:
        try:
            tags = np.array(tags, dtype=np.int64).ravel()
            self._place(tags, np.array(x, dtype=float))
            self.evaluation = self._evaluate(self.positions, self.cell)
            forces[:] = (self.evaluation.forces @ self._rotation.T)[tags - 1]
            self._report(self.evaluation)
        except BaseException as error:  # noqa: BLE001  LAMMPS would drop it; `advance` raises it again
            self._failure = error
            forces[:] = 0.0

    def _report(self, evaluation: Evaluation) -> None:
        volume = float(abs(np.linalg.det(self.cell)))
        self._lammps.fix_external_set_energy_global(_FIX, evaluation.energy)
        self._lammps.fix_external_set_virial_global(_FIX, virial_of(evaluation.stress, volume, self._rotation))
