"""What a run will take: structures, evaluations, CPU time and disk of each stage, from the cost of one evaluation.

Counts of evaluations are those of the code where it fixes them, and else what runs on oxides took.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from augment.elements import elements_of
from defectgen.pipeline.prepared import PreparedRun
from md.conditions.environment import Environment

Nominal = dict[str, float]

NOMINAL: Nominal = {"chgnet": 5e-3, "student": 8e-5}
"""s an atom of one evaluation on one core, by kind of potential: 0.3 s at 64 atoms, and 5 ms."""

RELAXATION_EVALUATIONS = 14
"""Of a point defect to 0.03 eV/Å; 9 on average over 18 of them in MgO, and 13 in boron nitride."""

DEFECT_EVALUATIONS = 11
"""Of the forces that are input features of a defect: three points of its descent and eight of its curvatures."""

BROKEN_SYMMETRY_EVALUATIONS = 4
"""More for a request that keeps less than the whole stabilizer: directions that are tried."""

NETWORK_SECONDS = 0.025
"""s an atom and proposal, of the sampler."""

STEP_SECONDS = 1e-3
"""s of a step of dynamics besides its evaluation."""

START_SECONDS = 12.0
"""s until everything is loaded, and for export and report."""

TYPICAL_MODULUS = 0.62
"""eV/Å³, 100 GPa; of the solid whose fluctuations say how many steps a precision takes."""

ENERGY_MEMORY = 60.0
"""fs, correlation time of a potential energy, twice counted."""

BYTES_PER_FRAME = 72
"""Of an atom in a labelled frame: positions, forces and momenta."""

EXPORT_BYTES = 220
"""Of an atom in a frame of extended XYZ, and in the columns of an archive."""

REPORT_BYTES = 6_000_000

SCANS = 1.5
"""Runs at constant volume until a warm volume is found, on average."""


@dataclass(frozen=True)
class Costs:
    """Seconds an atom of one evaluation on one core.

    Attributes:
        own: of the potential of the run.
        forces: of that whose forces are input features; 0 without one.
    """

    own: float
    forces: float


@dataclass(frozen=True)
class StageEstimate:
    """What one stage makes and takes.

    Attributes:
        stage: its name.
        structures: geometries that it makes.
        evaluations: of a potential.
        seconds: of CPU.
        longest: seconds of its longest piece, which one worker does alone.
        size: bytes on disk.
    """

    stage: str
    structures: int
    evaluations: int
    seconds: float
    longest: float
    size: int


@dataclass(frozen=True)
class RunEstimate:
    """What the stages of a run take together.

    Attributes:
        parts: of the stages.
        workers: processes on as many cores.
    """

    parts: tuple[StageEstimate, ...]
    workers: int

    @property
    def seconds(self) -> float:
        """Wall time on an idle machine, s; generation and export are one process."""
        shared = (max(part.longest, part.seconds / self.workers) for part in self.parts)
        return START_SECONDS + sum(shared)

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all processes, s."""
        return START_SECONDS + sum(part.seconds for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return REPORT_BYTES + sum(part.size for part in self.parts)

    @property
    def lines(self) -> list[str]:
        """A table for a terminal."""
        rows = [f"{'stage':10}{'structures':>12}{'evaluations':>13}{'CPU min':>9}{'MB':>8}"]
        whole = StageEstimate("together", 0, 0, START_SECONDS, 0.0, REPORT_BYTES)
        for part in self.parts:
            rows.append(_row(part))
            sums = (whole.structures + part.structures, whole.evaluations + part.evaluations)
            whole = StageEstimate(whole.stage, *sums, whole.seconds + part.seconds, 0.0, whole.size + part.size)
        return [*rows, _row(whole), f"about {self.seconds / 60:.1f} minutes on {self.workers} idle cores"]


def _row(part: StageEstimate) -> str:
    counts = f"{part.structures:12,}{part.evaluations:13,}"
    return f"{part.stage:10}{counts}{part.seconds / 60:9.1f}{part.size / 1e6:8.1f}"


def nominal_costs(prepared: PreparedRun) -> Costs | None:
    """Costs by kinds of potentials, the same on every machine; None where one has none."""
    from defectgen.energy_surface.source import find_forces
    from defectgen.model.weights import load_model

    source = find_forces(prepared.forces, load_model(prepared.settings.generate.model).card)
    potential = NOMINAL.get(prepared.potential.kind)
    forces = 0.0 if source is None else NOMINAL.get(source.potential.kind)
    return None if potential is None or forces is None else Costs(potential, forces)


def measured_costs(prepared: PreparedRun) -> Costs:
    """Costs on this machine, from one evaluation of each potential in the pristine supercell after a first one.

    Raises:
        PotentialError: a potential fails.
    """
    from defectgen.energy_surface.source import find_forces
    from defectgen.model.weights import load_model
    from md.labels.evaluator import Evaluator
    from md.labels.third_party import one_torch_thread
    from md.potentials import Potential

    cell = prepared.supercell.bulk_cell()

    def each(potential: Potential) -> float:
        evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
        with one_torch_thread(wanted=potential.uses_torch):
            for scale in (1.0, 1.001):
                began = time.process_time()
                evaluate(scale * cell.positions, scale * cell.cell)
        return max(time.process_time() - began, 1e-5) / len(cell)

    own = each(prepared.potential)
    source = find_forces(prepared.forces, load_model(prepared.settings.generate.model).card)
    if source is None or not source.potential.covers(elements_of(cell.numbers)):
        return Costs(own, 0.0)
    same = source.potential.sha256 == prepared.potential.sha256 and source.potential.name == prepared.potential.name
    return Costs(own, own if same else each(source.potential))


def estimate(prepared: PreparedRun, costs: Costs) -> RunEstimate:
    """What a run takes, by what one evaluation costs."""
    import os

    workers = min(prepared.settings.workers, os.cpu_count() or 1)
    return RunEstimate(
        (_generation(prepared, costs), _relaxation(prepared, costs), _dynamics(prepared, costs)), workers
    )


def _generation(prepared: PreparedRun, costs: Costs) -> StageEstimate:
    atoms, defects = prepared.supercell.n_atoms, len(prepared.chosen)
    settings = prepared.settings.generate
    broken = sum(subgroup != "full" for subgroup in settings.subgroups)
    proposals = len(settings.subgroups) * settings.samples
    directions = broken * (BROKEN_SYMMETRY_EVALUATIONS + settings.samples - 1)
    each = DEFECT_EVALUATIONS + directions + proposals * settings.corrections
    features = each * costs.forces
    seconds = atoms * defects * (features + proposals * (NETWORK_SECONDS + (costs.own if settings.label else 0.0)))
    count = defects * proposals
    evaluations = (defects * each if costs.forces else 0) + (count if settings.label else 0)
    return StageEstimate("generate", count, evaluations, seconds, seconds, count * atoms * EXPORT_BYTES)


def _relaxed(prepared: PreparedRun) -> int:
    """Defects that are relaxed."""
    most = prepared.settings.relax.max_defects
    return len(prepared.chosen) if most is None else min(most, len(prepared.chosen))


def _relaxation(prepared: PreparedRun, costs: Costs) -> StageEstimate:
    asked, atoms = prepared.settings, prepared.supercell.n_atoms
    starts = len(asked.generate.subgroups) * asked.generate.samples + asked.relax.from_ideal
    count = _relaxed(prepared) * starts
    evaluations = count * min(RELAXATION_EVALUATIONS, asked.relax.max_steps)
    each = min(RELAXATION_EVALUATIONS, asked.relax.max_steps) * atoms * costs.own
    size = count * atoms * BYTES_PER_FRAME * (asked.relax.path_frames + 1) + count * atoms * EXPORT_BYTES
    return StageEstimate("relax", count, evaluations, count * each, each if count else 0.0, size)


def _dynamics(prepared: PreparedRun, costs: Costs) -> StageEstimate:
    from defectgen.pipeline.md_grid import how_long, md_environments
    from md.conditions.timestep import default_timestep
    from md.dynamics.start_volume import SCAN_TIME

    asked, atoms, cell = prepared.settings, prepared.supercell.n_atoms, prepared.supercell.bulk_cell()
    most = asked.md.max_cells
    cells = 1 + _relaxed(prepared) if most is None else min(most, 1 + _relaxed(prepared))
    step = asked.md.timestep or default_timestep(cell)
    environments = md_environments(asked, step, vacuum=prepared.host.has_vacuum)
    lengths, scans = [], 0
    for environment in environments:
        how = how_long(asked, environment, step)
        lengths.append(_expected_steps(prepared, environment, how["steps"], step) if how["precision"] else how["steps"])
        scans += math.ceil(SCANS * SCAN_TIME / step) if how["start"] == "warm" and cells else 0
    engines = len(dict.fromkeys(asked.md.engines))
    check = lengths[0] if asked.md.check not in {None, *asked.md.engines} and cells else 0
    steps = engines * (cells * sum(lengths) + scans) + check
    each = atoms * costs.own + STEP_SECONDS
    frames = steps // asked.md.sample
    longest = max(lengths) * each if cells else 0.0
    return StageEstimate("md", frames, steps, steps * each, longest, frames * atoms * (BYTES_PER_FRAME + EXPORT_BYTES))


def _expected_steps(prepared: PreparedRun, environment: Environment, most: int, timestep: float) -> int:
    """Steps until a point of the pristine cell is precise, by the fluctuations of a solid of 100 GPa."""
    from ase import units
    from ase.data import atomic_masses

    from md.conditions.precision import STRETCH
    from md.dynamics.settling import EQUILIBRATION
    from md.estimators.equilibration import MIN_SAMPLES

    cell, asked = prepared.supercell.bulk_cell(), prepared.settings.md
    kt = units.kB * float(environment.temperatures.array.max())
    inertia = atomic_masses[cell.numbers].sum() * cell.volume ** (2 / 3)
    # A swing counts as one sample for the period over pi, where its correlation first falls to zero.
    memory = 2 * math.sqrt(inertia / (36 * TYPICAL_MODULUS * cell.volume)) / units.fs
    samples = max(MIN_SAMPLES, kt / (TYPICAL_MODULUS * cell.volume) / asked.precision**2)
    breathing = samples * memory if environment.has_barostat else 0.0
    energies = 1.5 * kt**2 / len(cell) / asked.energy_precision**2 * ENERGY_MEMORY
    needed = max(breathing, energies) / timestep / (1 - EQUILIBRATION)
    return int(min(most, max(STRETCH, needed)))
