"""Relaxation of a defect cell to the nearest minimum of energy or, under pressure, of enthalpy.

L-BFGS without line search (Liu and Nocedal, Math. Program. 45, 503 (1989)) takes one evaluation a step. Cell and
atoms move together in the logarithm of the deformation gradient (ASE's FrechetCellFilter). On vacancies in Cu and
MgO and a rattled Al in MgO it needed 3 to 40 evaluations where FIRE2 needed 6 to 85 and BFGS 3 to 54.

A relaxation ends where no force is above `fmax` and, by the stiffness met on the way (`md.relaxation.remainder`), no
strain and no energy worth the name is left: the lattice does not depend on the one that it came from.

The cell of a layer with vacuum relaxes in the plane of the layer: nothing holds the vacuum open, so its axis keeps its
length, and the stress across it is no part of what is left.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.crystal.vacuum import LayerPlane
from augment.elements import elements_of
from augment.errors import ConditionError, DataError
from augment.groups.cell_symmetry import CellSymmetry
from md.conditions.environment import check_pressure
from md.labels.evaluator import MAX_FORCE, Divergence, Evaluation, Evaluator, StepGuard, guarded_calculator
from md.labels.frames import FrameArrays, Frames, Snapshot, frames_from_arrays, stack_frames
from md.labels.record import Record
from md.labels.third_party import one_torch_thread
from md.potentials import Potential
from md.relaxation.in_plane import Layer, in_plane_filter, plane_to_relax
from md.relaxation.path import RelaxationPath, RelaxStatus, kept_steps, spread_steps
from md.relaxation.remainder import Remainder, cell_scale, remainder

INITIAL_CURVATURE = 10.0
"""eV/Å²; of the first L-BFGS step in a fixed cell: 28 % fewer evaluations than 30 (benchmarks/first_step.py)."""

CELL_CURVATURE = 30.0
"""eV/Å²; the same where the cell relaxes too: the strain that is left is estimated from the steps of the path."""

MAX_STEP_LENGTH = 0.2
"""Å; the longest move of one atom in one step."""

STRAIN_TOLERANCE = 1e-5
"""Largest strain left after a relaxation of the cell: 0.003 % of a volume, a tenth of what experiments resolve."""

ENERGY_TOLERANCE = 1e-3
"""eV left in the whole cell; differences of defect energies are meant to hold to 0.01 eV."""

PATIENCE = 5
"""Steps in a row with a force beyond the guard's limit after which a relaxation counts as diverged."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The outcome of a relaxation.

    Attributes:
        potential: what made the labels.
        status: `converged`, `not_converged` (the steps ran out) or `diverged` (a guard stopped it).
        reason: why it is not converged; empty if it is.
        energies: (steps + 1,) potential energy at every step, eV.
        forces_max: (steps + 1,) length of the longest force at every step, eV/Å.
        frames: the geometries that were kept: the path from start to end, some of it, or the final geometry alone,
            which is always the last; the last good geometry where it diverged; empty where not even the start passes
            the guards.
        frame_steps: (k,) step of each frame.
        settings: the settings, as JSON values.
        seconds: wall time, s (NaN if unknown); not stored with the rest, because it differs from run to run.
    """

    potential: Potential
    status: RelaxStatus
    reason: str
    energies: FloatArray
    forces_max: FloatArray
    frames: Frames
    frame_steps: IntArray
    settings: Mapping[str, Any]
    seconds: float

    def __repr__(self) -> str:
        end = f"{self.energies[-1]:.4f} eV" if len(self.energies) else self.reason
        return f"Relaxation({self.start.name}, {self.status}, {self.steps} steps, {end}, {self.potential.name})"

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return max(len(self.energies) - 1, 0)

    @property
    def start(self) -> DefectCell:
        """The cell as it was before."""
        return self.frames.start

    @property
    def cell(self) -> DefectCell:
        """The final (last good) geometry; the start where there is none."""
        return self.record.cell if self.record else self.start

    @property
    def record(self) -> Record | None:
        """The final (last good) geometry with its labels; None where not even the start passes the guards."""
        return self._path.end

    @property
    def path(self) -> list[Record]:
        """Every geometry that was kept, in order, as records."""
        return self._path.every()

    def spread_path(self, count: int) -> list[Record]:
        """Up to `count` of the geometries that were kept, spread evenly in energy; the start among them, not the end.

        Each says its step. There are none where nothing but the end was kept; see `RelaxSettings.path_frames`.
        """
        return self._path.spread(count)

    @property
    def without_path(self) -> Relaxation:
        """The same with no geometry but the final one."""
        return replace(self, frames=self.frames.only(slice(-1, None)), frame_steps=self.frame_steps[-1:])

    @property
    def outside(self) -> tuple[str, ...]:
        """Why the final geometry is outside what the potential learnt; empty where it is inside."""
        return self.potential.outside(self.cell)

    @property
    def _path(self) -> RelaxationPath:
        provenance = {**self.potential.provenance, "relaxation": dict(self.settings)}
        return RelaxationPath(self.frames, self.frame_steps, self.status, provenance)

    def summary(self) -> dict[str, Any]:
        """One JSON object: what was relaxed, how it ended, energy (eV, by step), fmax (eV/Å), volume (Å³)."""
        return {
            "name": self.start.name,
            "key": self.start.key,
            "start": dict(self.start.provenance),
            "status": self.status,
            "reason": self.reason,
            "energies": self.energies.tolist(),
            "steps": self.steps,
            "fmax": float(self.forces_max[-1]) if len(self.forces_max) else None,
            "volume": self.cell.volume,
            "potential": self.potential.name,
            "potential_sha256": self.potential.sha256,
            "outside_domain": list(self.outside),
            "settings": dict(self.settings),
            "seconds": self.seconds if math.isfinite(self.seconds) else None,
        }

    def to_arrays(self) -> FrameArrays:
        """Columns for an archive, the same bytes for the same relaxation; `seconds` is left out."""
        values = [self.status, self.reason, dict(self.settings), self.potential.provenance]
        outcome = np.array(json.dumps(values, sort_keys=True))
        series = {"step_energies": self.energies, "forces_max": self.forces_max}
        return {**self.frames.to_arrays(), **series, "outcome": outcome, "frame_steps": self.frame_steps}


def relaxation_from_arrays(
    arrays: Mapping[str, np.ndarray[Any, Any]], potential: Potential, seconds: float, where: str
) -> Relaxation:
    """Inverse of `Relaxation.to_arrays`; `where` names the source in errors.

    Raises:
        DataError: a column is missing or damaged.
    """
    try:
        status, reason, settings, *_ = json.loads(str(arrays["outcome"]))
        energies, forces_max = arrays["step_energies"], arrays["forces_max"]
    except (KeyError, ValueError) as error:
        raise DataError(f"{where}: not an archive of a relaxation ({error})") from None
    frames = frames_from_arrays(arrays, where)
    steps = kept_steps(arrays, len(energies), len(frames))
    return Relaxation(potential, status, reason, energies, forces_max, frames, steps, settings, seconds)


@dataclass(frozen=True)
class RelaxSettings:
    """How to relax.

    Attributes:
        fmax: largest force left, eV/Å.
        max_steps: most steps.
        relax_cell: relax the cell too, until no strain is more than 1e-5 from that at the pressure, by the stiffness
            that the relaxation meets.
        pressure: GPa, positive under compression; only with `relax_cell`, and not of a layer.
        layer: how a cell with a vacuum is relaxed: `auto`, in the plane of the layer; `bulk`, in all strains, so that
            the vacuum closes; or three integers, the normal of the plane in the cell.
        keep_path: keep the geometry of every step, not only the last.
        path_frames: without `keep_path`, keep so many geometries of the path besides the last, spread evenly in energy.

    Raises:
        ConditionError: a value is not possible.
    """

    fmax: float = 0.02
    max_steps: int = 300
    relax_cell: bool = False
    pressure: float = 0.0
    keep_path: bool = False
    path_frames: int = 0
    layer: Layer = "auto"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fmax) and self.fmax > 0):
            raise ConditionError(f"fmax is {self.fmax} eV/Å; it must be above 0 (0.02 is usual)")
        if self.max_steps < 0:
            raise ConditionError(f"max_steps is {self.max_steps}; it cannot be negative")
        if self.path_frames < 0:
            raise ConditionError(f"path_frames is {self.path_frames}; it cannot be negative")
        check_pressure(self.pressure)
        if self.pressure and not self.relax_cell:
            raise ConditionError(f"a pressure of {self.pressure} GPa acts on the cell only: set relax_cell too")

    @property
    def json(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON values."""
        values: dict[str, Any] = {
            "fmax": float(self.fmax),
            "max_steps": int(self.max_steps),
            "relax_cell": bool(self.relax_cell),
            "pressure": float(self.pressure),
        }
        if self.relax_cell and self.layer != "auto":
            values["layer"] = self.layer if isinstance(self.layer, str) else [int(h) for h in self.layer]
        return values

    def steps_kept(self, energies: FloatArray) -> IntArray:
        """Steps whose geometries are stored of a path with these energies (s,), eV; the last is among them."""
        steps = np.arange(len(energies), dtype=np.int64)
        chosen = steps if self.keep_path else spread_steps(energies, self.path_frames)
        return np.union1d(chosen, steps[-1:]).astype(np.int64)


def relax_structure(
    cell: DefectCell,
    potential: Potential,
    *,
    fmax: float = 0.02,
    max_steps: int = 300,
    relax_cell: bool = False,
    pressure: float = 0.0,
    symmetry: CellSymmetry | None = None,
    keep_path: bool = False,
    layer: Layer = "auto",
) -> Relaxation:
    """Relax a defect cell; the order of its atoms and sites stays.

    Args:
        cell: where to start.
        potential: what to relax with.
        fmax: largest force left, eV/Å.
        max_steps: most steps.
        relax_cell: relax the cell too; that of a layer with vacuum in its plane only.
        pressure: GPa, positive under compression; needs `relax_cell`.
        symmetry: a group H that the relaxation keeps: forces and stress are projected onto their H-invariant
            part, which removes what rounding and a network that is not exactly equivariant would add.
        keep_path: keep the geometry of every step.
        layer: as in `RelaxSettings`.

    Raises:
        ConditionError: a setting is not possible, or not in this cell.
        PotentialError: an element is not covered, or the potential fails.
    """
    settings = RelaxSettings(fmax, max_steps, relax_cell, pressure, keep_path, layer=layer)
    return relax_with(cell, potential, settings, symmetry)


def relax_with(
    cell: DefectCell, potential: Potential, settings: RelaxSettings, symmetry: CellSymmetry | None = None
) -> Relaxation:
    """As `relax_structure`, with the settings in one value."""
    potential.require(elements_of(cell.numbers))
    plane = plane_to_relax(cell, settings.layer, settings.pressure) if settings.relax_cell else None
    began = time.perf_counter()
    with one_torch_thread(wanted=potential.uses_torch), warnings.catch_warnings():
        # SciPy remarks on rounding errors of 1e-13 in the logarithm of the deformation gradient.
        warnings.filterwarnings("ignore", message="logm result may be inaccurate", category=RuntimeWarning)
        descent = _Descent(cell, potential, settings, symmetry, plane)
        status, reason = descent.run()
    energies = np.array([s[2].energy for s in descent.snapshots])
    kept = settings.steps_kept(energies)
    described = {**settings.json, "symmetry": symmetry.symbol if symmetry else None}
    if plane is not None:
        described["in_plane"] = plane.normal.tolist()
    return Relaxation(
        potential,
        status,
        reason,
        energies,
        np.array([s[2].largest_force for s in descent.snapshots]),
        stack_frames(cell, [descent.snapshots[step] for step in kept]),
        kept,
        described,
        time.perf_counter() - began,
    )


class _Descent:
    """One relaxation under way: the optimizer, and every geometry that passed the guards."""

    def __init__(
        self,
        cell: DefectCell,
        potential: Potential,
        settings: RelaxSettings,
        symmetry: CellSymmetry | None,
        plane: LayerPlane | None,
    ) -> None:
        self._settings, self._symmetry, self._plane = settings, symmetry, plane
        evaluator = Evaluator(cell.numbers, potential.calculator(), cell.volume, largest_force=np.inf)
        self._evaluate = evaluator
        self._course = StepGuard(len(cell))
        self._atoms = cell.to_ase()
        self._atoms.calc = guarded_calculator(self._projected)
        self.snapshots: list[Snapshot] = []

    def _projected(self, positions: FloatArray, cell: FloatArray) -> Evaluation:
        evaluation = self._evaluate(positions, cell)
        return evaluation if self._symmetry is None else project_labels(evaluation, self._symmetry)

    def run(self) -> tuple[RelaxStatus, str]:
        try:
            for _ in self._steps():
                snapshot = self._snapshot()
                self._course.check(snapshot[1], snapshot[2].energy)
                self.snapshots.append(snapshot)
                self._check_forces()
                if self._converged(self.snapshots[-1][2]):
                    return "converged", ""
        except Divergence as signal:
            return "diverged", str(signal)
        return "not_converged", self._shortfall()

    def _steps(self) -> Iterator[object]:
        from ase import units
        from ase.filters import FrechetCellFilter
        from ase.optimize import LBFGS

        moved: Any = self._atoms
        if self._settings.relax_cell:
            made = FrechetCellFilter if self._plane is None else in_plane_filter(self._plane)
            moved = made(
                self._atoms,
                exp_cell_factor=cell_scale(len(self._atoms)),
                scalar_pressure=self._settings.pressure * units.GPa,
            )
        curvature = CELL_CURVATURE if self._settings.relax_cell else INITIAL_CURVATURE
        optimizer = LBFGS(moved, logfile=None, maxstep=MAX_STEP_LENGTH, alpha=curvature)
        # A tolerance of 0: convergence is judged here, on forces and stress in their own units.
        steps: Iterator[object] = optimizer.irun(fmax=0.0, steps=self._settings.max_steps)
        return steps

    def _snapshot(self) -> Snapshot:
        atoms = self._atoms
        atoms.get_forces()
        return atoms.get_positions(), atoms.cell.array.copy(), atoms.calc.last

    def _check_forces(self) -> None:
        """Stop where the forces stay beyond the guard's limit, and forget those steps."""
        recent = [s[2].largest_force for s in self.snapshots[-PATIENCE:]]
        if len(recent) == PATIENCE and min(recent) > MAX_FORCE:
            del self.snapshots[1 - PATIENCE :]
            raise Divergence(f"a force of {recent[-1]:.0f} eV/Å after {PATIENCE} steps beyond {MAX_FORCE:g}")

    def _converged(self, evaluation: Evaluation) -> bool:
        if evaluation.largest_force > self._settings.fmax:
            return False
        left = self._remainder()
        return left.strain <= STRAIN_TOLERANCE and left.energy <= ENERGY_TOLERANCE

    def _remainder(self) -> Remainder:
        from ase import units

        pressure = self._settings.pressure * units.GPa
        return remainder(self.snapshots, pressure=pressure if self._settings.relax_cell else None, plane=self._plane)

    def _shortfall(self) -> str:
        largest, left = self.snapshots[-1][2].largest_force, self._remainder()
        text = f"the largest force is {largest:.3f} eV/Å after {self._settings.max_steps} steps"
        if self._settings.relax_cell:
            text += f", a strain of {left.strain:.1g} is left"
        return f"{text}, and {left.energy:.1g} eV" if left.energy > ENERGY_TOLERANCE else text


def project_labels(evaluation: Evaluation, symmetry: CellSymmetry) -> Evaluation:
    """Forces and stress projected onto their part that is invariant under `symmetry`; the energy stays."""
    xx, yy, zz, yz, xz, xy = evaluation.stress
    full = symmetry.project_strain(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    stress = np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])
    forces = symmetry.project_displacements(evaluation.forces)
    return replace(evaluation, forces=forces, stress=stress)
