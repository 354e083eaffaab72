"""How good a student is where it never learnt: hot and relaxed defects, their energies, volumes under load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import BULK, DefectCell
from augment.distort import strained
from augment.errors import DataError
from md.campaigns.relax_and_md import relax_all
from md.distill.crystal import Crystal
from md.distill.curriculum import with_config_type
from md.distill.explore import hot_frames, pressure_run, relaxed_path
from md.jobs.sweep import Progress
from md.labels.evaluator import Evaluator
from md.labels.record import Record
from md.potentials import Potential
from md.relaxation.relax import RelaxSettings

__all__ = [
    "DefectEnergy",
    "Errors",
    "VolumePoint",
    "errors",
    "held_out_cells",
    "relaxed_defect_energies",
    "volume_runs",
    "volumes",
]

GPA = 160.21766208
"""GPa in one eV/Å³."""

VALIDATION_RELAXATION = RelaxSettings(fmax=0.03, max_steps=60)


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors on labelled cells.

    Attributes:
        cells: number of cells.
        energy: eV per atom.
        energy_cell: eV per cell.
        forces: eV/Å per Cartesian component.
        forces_rmse: the same as a root mean square.
        stress: GPa per component.
    """

    cells: int
    energy: float
    energy_cell: float
    forces: float
    forces_rmse: float
    stress: float


def errors(calculator: Any, records: Sequence[Record]) -> Errors:
    """Errors of a calculator on labelled cells.

    Raises:
        DataError: there is none.
    """
    if not records:
        raise DataError("no labelled cells to compare with")
    energy, forces, stress, atoms = [], [], [], []
    for record in records:
        cell = record.cell
        found = Evaluator(cell.numbers, calculator, cell.volume, np.inf)(cell.positions, cell.cell)
        energy.append(found.energy - record.energy)
        forces.append((found.forces - record.forces).ravel())
        stress.append(found.stress - record.stress)
        atoms.append(len(cell))
    all_forces, cells = np.concatenate(forces), np.abs(energy)
    return Errors(
        len(records),
        float((cells / atoms).mean()),
        float(cells.mean()),
        float(np.abs(all_forces).mean()),
        float(np.sqrt((all_forces**2).mean())),
        float(np.abs(stress).mean() * GPA),
    )


def held_out_cells(
    cells: Sequence[DefectCell], calculator: Any, crystal: Crystal, temperature: float, seed: int
) -> list[DefectCell]:
    """For each cell the end of a relaxation and two moments of a hot run at another volume, by a potential.

    With the teacher's calculator these are the teacher's own dynamics; with the student's they cost little.
    """
    rng, found = np.random.default_rng([seed, 99]), []
    for cell in cells:
        what = "bulk" if cell.name == BULK else "defect"
        found += [with_config_type(c, f"{what}_relaxed") for c in relaxed_path(cell, calculator)[-1:]]
        ratio = rng.uniform(crystal.volumes[0] + 0.04, crystal.volumes[1] - 0.04)
        start = strained(cell, (ratio ** (1 / 3) - 1) * np.eye(3))
        frames = list(hot_frames(start, calculator, temperature * rng.uniform(0.2, 1.0), 4, rng))
        found += [with_config_type(c, f"{what}_dynamics") for c in frames[1::2]]
    return found


@dataclass(frozen=True)
class DefectEnergy:
    """Energy of a relaxed defect cell less that of the pristine cell, eV: a formation energy up to potentials of atoms.

    Attributes:
        student: by the student, in its own minimum.
        teacher: by the teacher, in its own.
        converged: whether the teacher's relaxation ended.
    """

    student: float
    teacher: float
    converged: bool

    @property
    def error(self) -> float:
        """Student less teacher, eV."""
        return self.student - self.teacher


def relaxed_defect_energies(
    cells: Sequence[DefectCell],
    pristine: DefectCell,
    calculator: Any,
    teacher: Potential,
    folder: Path,
    *,
    workers: int,
    progress: Progress | None = None,
) -> dict[str, DefectEnergy]:
    """Energies of relaxed defects by name; the teacher starts from the student's minima, to save time."""
    minima = [pristine, *(_minimum(cell, calculator) for cell in cells)]
    ours = [_energy(cell, calculator) for cell in minima]
    theirs = relax_all(minima, teacher, folder, VALIDATION_RELAXATION, workers=workers, progress=progress)
    found = {}
    for cell, energy, relaxation in zip(minima[1:], ours[1:], theirs[1:], strict=True):
        difference = float(relaxation.energies[-1] - theirs[0].energies[0])
        found[cell.name] = DefectEnergy(energy - ours[0], difference, relaxation.status == "converged")
    return found


@dataclass(frozen=True)
class VolumePoint:
    """Volume at a temperature and pressure.

    Attributes:
        temperature: K; pressure: GPa.
        volume: mean of the student's run, Å³ per atom.
        shift: how much larger the teacher's volume is, relative: the mean difference of their pressures on the
            student's frames over the bulk modulus, first order in the difference of the potentials.
        uncertainty: standard error of the shift, from the spread over the frames.
        survived: whether the student's run stayed a crystal.
    """

    temperature: float
    pressure: float
    volume: float
    shift: float
    uncertainty: float
    survived: bool


def volume_runs(
    pristine: DefectCell, calculator: Any, climates: Sequence[tuple[float, float]], *, steps: int, seed: int
) -> list[tuple[list[DefectCell], bool]]:
    """Frames of a constant-pressure run (isotropic Martyna-Tobias-Klein) at each (K, GPa), and whether it survived."""
    return [pressure_run(pristine, calculator, *climate, steps, seed) for climate in climates]


def volumes(
    climates: Sequence[tuple[float, float]],
    runs: Sequence[tuple[list[DefectCell], bool]],
    labelled: Sequence[Sequence[Record]],
    calculator: Any,
    pristine: DefectCell,
) -> list[VolumePoint]:
    """The student's volumes and how far the teacher's are from them."""
    found = []
    for (temperature, pressure), (frames, survived), records in zip(climates, runs, labelled, strict=True):
        if not records:
            found.append(VolumePoint(temperature, pressure, np.nan, np.nan, np.nan, survived))
            continue
        difference = [_pressure(r.stress) - _pressure(_labels(r.cell, calculator).stress) for r in records]
        volume = float(np.mean([frame.volume for frame in frames]))
        modulus = _bulk_modulus(pristine, calculator, volume)
        shift, error = np.mean(difference) / modulus, np.std(difference) / modulus / np.sqrt(len(difference))
        per_atom = volume / len(pristine)
        found.append(VolumePoint(temperature, pressure, per_atom, float(shift), float(error), survived))
    return found


def validation_summary(energies: Mapping[str, DefectEnergy], points: Sequence[VolumePoint]) -> dict[str, Any]:
    """JSON values of both."""
    return {
        "defect_energies": {name: {**asdict(e), "error": e.error} for name, e in energies.items()},
        "volumes": [asdict(point) for point in points],
    }


def _minimum(cell: DefectCell, calculator: Any) -> DefectCell:
    path = relaxed_path(cell, calculator, steps=150)
    return path[-1] if path else cell


def _labels(cell: DefectCell, calculator: Any) -> Any:
    return Evaluator(cell.numbers, calculator, cell.volume, np.inf)(cell.positions, cell.cell)


def _energy(cell: DefectCell, calculator: Any) -> float:
    return float(_labels(cell, calculator).energy)


def _pressure(stress: Any) -> float:
    """eV/Å³."""
    return -float(np.mean(stress[:3]))


def _bulk_modulus(pristine: DefectCell, calculator: Any, volume: float) -> float:
    """Static, at a volume of the cell (Å³); eV/Å³."""
    pressures = []
    for ratio in (0.99, 1.01):
        scale = (ratio * volume / pristine.volume) ** (1 / 3) - 1
        pressures.append(_pressure(_labels(strained(pristine, scale * np.eye(3)), calculator).stress))
    return (pressures[0] - pressures[1]) / 0.02
