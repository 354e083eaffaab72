"""Labels of one host: relaxed defects at two pressures, from symmetric and broken starts, and short dynamics.

Every displacement is relative to the ideal cell of the host relaxed under the same potential; the strain of the host
under pressure and temperature is kept apart from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment import Defect, DefectCell, Host, Supercell, find_supercell, host_from_structure
from augment.cell import FloatArray
from augment.distort import rattle
from augment.errors import ConditionError, DataError, SupercellError
from augment.invariant import CellSymmetry
from defectgen.corpus.case import Case, Label
from defectgen.corpus.choose import choose_defects
from defectgen.diffusion import State, apply_state, project
from defectgen.representation import Template
from md.potentials import Potential
from md.relax import relax

GPA = 1.0 / 160.21766208
"""eV/Å³ in a GPa."""
BOLTZMANN = 8.617333262e-5
"""eV/K."""
MAX_HOST_STRAIN = 0.2
"""A host whose lattice the potential changes more than this is not the crystal of its CIF any more."""
MAX_DISPLACEMENT = 2.5
"""Å; an atom that moves further has left its site, which a displacement field on a fixed graph cannot say."""


@dataclass(frozen=True)
class LabelSettings:
    """How labels are made.

    Attributes:
        image_distances: range of the smallest distance between images of a defect, drawn for a host, Å.
        min_atoms: smallest supercell; in tiny ones symmetry lets nothing move.
        max_atoms: largest supercell; the lower end of the range is tried where the draw needs more.
        max_defects: defects of a host.
        fmax: relaxation ends when no force exceeds this, eV/Å.
        accept: a relaxation that ran out of steps is kept below this force, eV/Å.
        max_steps: of a relaxation.
        rattle: size of the broken start, Å.
        broken_gain: a broken geometry must be this much lower to be kept, eV.
        pressures: range of the pressure drawn for a host, GPa.
        dynamics_share: share of the hosts with a run at finite temperature.
        temperatures: from which one is drawn, K.
        timestep: fs.
        equilibration: steps before sampling begins.
        production: steps sampled.
        stride: steps between snapshots.
    """

    image_distances: tuple[float, float] = (5.0, 6.8)
    min_atoms: int = 14
    max_atoms: int = 32
    max_defects: int = 4
    fmax: float = 0.05
    accept: float = 0.15
    max_steps: int = 40
    rattle: float = 0.08
    broken_gain: float = 0.01
    pressures: tuple[float, float] = (2.0, 20.0)
    dynamics_share: float = 0.5
    temperatures: tuple[float, ...] = (300.0, 600.0, 900.0, 1200.0)
    timestep: float = 2.0
    equilibration: int = 50
    production: int = 80
    stride: int = 20


@dataclass(frozen=True, eq=False)
class RelaxedHost:
    """A host relaxed under the potential at 0 GPa, and its strain at one pressure.

    Attributes:
        host: the relaxed crystal.
        pressure: GPa.
        strain: (3, 3) symmetric strain at that pressure.
    """

    host: Host
    pressure: float
    strain: FloatArray

    @property
    def bulk_modulus(self) -> float:
        """Secant bulk modulus, GPa."""
        return -self.pressure / float(np.trace(self.strain))


def label_host(
    material_id: str, split: str, host: Host, potential: Potential, settings: LabelSettings, seed: int
) -> list[Case]:
    """Relax a host, choose defects of it, and label them.

    Raises:
        DataError: the potential makes another crystal of the host.
        SupercellError: no supercell is small enough.
    """
    rng = np.random.default_rng(seed)
    relaxed = relax_host(host, potential, float(rng.uniform(*settings.pressures)))
    supercell = small_supercell(relaxed.host, settings, float(rng.uniform(*settings.image_distances)))
    defects = choose_defects(supercell, rng, potential.elements)[: settings.max_defects]
    hot = int(rng.integers(len(defects))) if rng.random() < settings.dynamics_share else -1
    cases = []
    for index, defect in enumerate(defects):
        labels = relaxed_labels(defect, potential, settings, int(rng.integers(2**31)))
        if not labels:
            continue
        lowest = labels[-1]
        labels += pressed_label(defect, lowest, relaxed, potential, settings)
        if index == hot:
            labels += dynamics_labels(defect, lowest, relaxed, potential, settings, rng)
        template = Template.of(defect.cell(), supercell.sites)
        who = (material_id, relaxed.host.formula, split, defect.name)
        cases.append(Case(*who, template, defect.symmetry(), tuple(labels)))
    return cases


def small_supercell(host: Host, settings: LabelSettings, image_distance: float) -> Supercell:
    """Smallest supercell of an image distance (Å), or of less, or of a lower point group, that is not too large.

    Raises:
        SupercellError: even that has more atoms than the settings allow.
    """
    lowest = settings.image_distances[0]
    low, high = settings.min_atoms, settings.max_atoms
    for distance in (image_distance, lowest):
        try:
            return find_supercell(host, min_image_distance=distance, min_atoms=low, max_atoms=high)
        except SupercellError:
            continue
    return find_supercell(host, min_image_distance=lowest, min_atoms=low, max_atoms=high, keep_point_group=False)


def relax_host(host: Host, potential: Potential, pressure: float) -> RelaxedHost:
    """Lattice and atoms of a host under the potential, and its strain under a pressure (GPa).

    Raises:
        DataError: the lattice changes by more than MAX_HOST_STRAIN, or expands under pressure.
    """
    start = _primitive(host)
    free = _relaxed_lattice(start, potential, 0.0)
    if not abs(stretch(start.cell().cell, free.cell)).max() < MAX_HOST_STRAIN:
        raise DataError(f"{host.formula}: {potential.name} changes the lattice by more than {MAX_HOST_STRAIN}")
    found = host_from_structure(free.to_pymatgen(), where=f"{host.formula} relaxed by {potential.name}")
    crystal = _primitive(found)
    pressed = _relaxed_lattice(crystal, potential, pressure)
    strain = crystal.symmetry().project_strain(stretch(crystal.cell().cell, pressed.cell))
    if not (np.trace(strain) < 0 and abs(strain).max() < MAX_HOST_STRAIN):
        raise DataError(f"{host.formula}: strain {np.trace(strain):.3f} at {pressure:.1f} GPa is not credible")
    return RelaxedHost(found, pressure, strain)


def _relaxed_lattice(crystal: Defect, potential: Potential, pressure: float) -> DefectCell:
    settings = {"fmax": 0.02, "max_steps": 100, "relax_cell": True, "pressure": pressure}
    return relax(crystal.cell(), potential, symmetry=crystal.symmetry(), **settings).cell  # type: ignore[arg-type]


def _primitive(host: Host) -> Defect:
    """The pristine primitive cell."""
    return Defect(Supercell(host, np.eye(3, dtype=np.int64)), ())


def stretch(before: FloatArray, after: FloatArray) -> FloatArray:
    """Symmetric strain (3, 3) that takes one cell (rows, Å) to another up to a rotation, in the first one's axes."""
    gradient = np.linalg.solve(before, after)
    values, axes = np.linalg.eigh(gradient @ gradient.T)
    root: FloatArray = (axes * np.sqrt(values)) @ axes.T
    return root - np.eye(3)


def relaxed_labels(defect: Defect, potential: Potential, settings: LabelSettings, seed: int) -> list[Label]:
    """Relaxed geometries at 0 GPa: with the full stabilizer, and broken if that is lower. The last is the lowest."""
    ideal, full, none = defect.cell(), defect.symmetry(), trivial_symmetry(defect)
    labels = _relaxed(ideal, ideal, None, full, potential, settings)
    if full.order == 1:
        return labels
    start = apply_state(ideal, labels[0].state) if labels else ideal
    try:
        rattled = rattle(start, settings.rattle, seed)
    except ConditionError:
        return labels
    broken = _relaxed(rattled, ideal, None, none, potential, settings)
    if broken and (not labels or broken[0].energy < labels[0].energy - settings.broken_gain):
        labels += broken
    return labels


def pressed_label(
    defect: Defect, lowest: Label, relaxed: RelaxedHost, potential: Potential, settings: LabelSettings
) -> list[Label]:
    """The lowest geometry relaxed again in the cell that the host has under pressure."""
    ideal = defect.cell()
    start = apply_state(ideal, State(lowest.state.displacements, relaxed.strain))
    group = trivial_symmetry(defect) if lowest.broken else defect.symmetry()
    return _relaxed(start, ideal, relaxed, group, potential, settings)


def trivial_symmetry(defect: Defect) -> CellSymmetry:
    """H = 1 acting on the atoms of a defect cell."""
    return CellSymmetry("1", np.eye(3)[None], np.arange(len(defect.cell()))[None])


def state_of(positions: FloatArray, ideal: DefectCell, strain: FloatArray) -> State:
    """Inverse of `apply_state` for positions (n, 3), without rigid translation."""
    u = positions - ideal.positions @ (np.eye(3) + strain)
    return State(u - u.mean(axis=0), strain)


def _relaxed(
    start: DefectCell,
    ideal: DefectCell,
    pressed: RelaxedHost | None,
    group: CellSymmetry,
    potential: Potential,
    settings: LabelSettings,
) -> list[Label]:
    """One label, or none where the relaxation failed or an atom left its site."""
    strain, pressure = (np.zeros((3, 3)), 0.0) if pressed is None else (pressed.strain, pressed.pressure)
    result = relax(start, potential, fmax=settings.fmax, max_steps=settings.max_steps, symmetry=group)
    if result.record is None or result.status == "diverged" or result.forces_max[-1] > settings.accept:
        return []
    state = project(state_of(result.cell.positions, ideal, strain), group)
    if np.linalg.norm(state.displacements, axis=1).max() > MAX_DISPLACEMENT:
        return []
    broken = group.order == 1
    return [Label(state, 0.0, pressure, snapshot=False, broken=broken, energy=float(result.record.energy))]


def dynamics_labels(
    defect: Defect,
    lowest: Label,
    relaxed: RelaxedHost,
    potential: Potential,
    settings: LabelSettings,
    rng: np.random.Generator,
) -> list[Label]:
    """Snapshots and their mean from a short NVT run in the cell of 0 GPa.

    A run this short cannot equilibrate a volume. The thermal strain is taken from the thermal pressure instead, in
    linear response: e = (p(T) - p(0)) / (3 B) with the host's bulk modulus B. It is isotropic, and noisy.
    """
    temperature = float(rng.choice(settings.temperatures))
    ideal = defect.cell()
    frames, pressure = run_nvt(apply_state(ideal, lowest.state), potential, temperature, settings, rng)
    if len(frames) == 0:
        return []
    strain = np.eye(3) * pressure / (3.0 * relaxed.bulk_modulus)
    states = [state_of(frame, ideal, np.zeros((3, 3))) for frame in frames]
    mean = State(np.mean([s.displacements for s in states], axis=0), strain)
    picked = states[:: settings.stride]
    labels = [Label(mean, temperature, 0.0, snapshot=False, broken=True, energy=np.nan)]
    labels += [
        Label(State(s.displacements, strain), temperature, 0.0, snapshot=True, broken=True, energy=np.nan)
        for s in picked
    ]
    return labels


def run_nvt(
    cell: DefectCell, potential: Potential, temperature: float, settings: LabelSettings, rng: np.random.Generator
) -> tuple[list[FloatArray], float]:
    """Positions of every sampled step (n, 3) and the mean thermal pressure in GPa; nothing if an atom leaves its site.

    The start is a minimum, so velocities are drawn at twice the temperature: half of it goes into the potential energy.
    """
    from ase import units
    from ase.md.langevin import Langevin

    atoms = cell.to_ase()
    atoms.calc = potential.calculator()
    static = -float(atoms.get_stress()[:3].mean()) / GPA
    spread = np.sqrt(2.0 * BOLTZMANN * temperature * atoms.get_masses())
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * spread[:, None])
    thermostat = Langevin(
        atoms, settings.timestep * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng, fixcm=False
    )
    thermostat.run(settings.equilibration)
    frames, pressures = [], []
    for _ in range(settings.production):
        thermostat.run(1)
        frames.append(atoms.get_positions())
        pressures.append(-float(atoms.get_stress()[:3].mean()) / GPA)
    drift = np.linalg.norm(frames[-1] - cell.positions - (frames[-1] - cell.positions).mean(axis=0), axis=1)
    if not drift.max() < MAX_DISPLACEMENT:
        return [], 0.0
    kinetic = len(atoms) * BOLTZMANN * temperature / cell.volume / GPA
    return frames, float(np.mean(pressures)) - static + kinetic
