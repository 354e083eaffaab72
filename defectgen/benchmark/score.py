"""The metrics of one task: structures as a generator returned them against the references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment import CellSymmetry, Defect
from augment.cell import DefectCell, FloatArray
from augment.errors import DataError, DefectgenError
from augment.exchange.recognise import defect_from_structure
from augment.groups.distortion import Distortion, apply_distortion, residual
from augment.groups.symmetry import BoolArray
from defectgen.benchmark.metrics import constraints, geometry, symmetry, thermal
from defectgen.benchmark.metrics.diversity import mean_pair_distance, pointwise_distances
from defectgen.benchmark.metrics.placement import place
from defectgen.benchmark.tasks.task import Task


@dataclass(frozen=True, eq=False)
class Scene:
    """What all structures of a task share: the ideal cell, its stabilizer, and distances from the defect.

    Attributes:
        defect: the defect.
    """

    defect: Defect

    @cached_property
    def ideal(self) -> DefectCell:
        """The ideal cell."""
        return self.defect.cell()

    @cached_property
    def stabilizer(self) -> CellSymmetry:
        """The whole stabilizer acting on its atoms."""
        return self.defect.symmetry()

    @cached_property
    def distance(self) -> FloatArray:
        """(n,) distance of each atom from the nearest edited site, Å."""
        supercell, atoms = self.defect.supercell, self.ideal.sites
        edited = np.array([e.site for e in self.defect.edits])
        every = np.concatenate([atoms, edited])
        nearest: FloatArray = supercell.distances(every)[: len(atoms), len(atoms) :].min(axis=1)
        return nearest

    def near(self, reach: float) -> BoolArray:
        """(n,) atoms nearer to the defect than a reach, Å."""
        return np.asarray(self.distance < reach)

    @cached_property
    def contact(self) -> float:
        """Closest contact in the ideal cell, in sums of covalent radii."""
        return constraints.closest_contact(self.ideal.cell, self.ideal.numbers, self.ideal.positions)

    @cached_property
    def still(self) -> Distortion:
        """Nothing moved."""
        return Distortion(np.zeros((len(self.ideal), 3)), np.zeros((3, 3)))

    def place(self, cell: DefectCell) -> Distortion | None:
        """Displacements and strain of a structure, or None where it is no geometry of this defect."""
        try:
            return place(cell.cell, cell.numbers, cell.positions, self.ideal)
        except DataError:
            return None


def score_task(task: Task, cells: Sequence[DefectCell], n: int) -> dict[str, float]:
    """Metrics of `METRICS` of one task; NaN where one has no meaning.

    A structure that is missing or cannot be placed counts as failed in shares and as unrelaxed in errors, so that
    nothing is won by leaving out what is hard.

    Args:
        task: the task.
        cells: what the generator returned, the best guess first.
        n: structures wanted of each task (see `Task.count`).
    """
    scene, n = Scene(task.defect), task.count(n)
    states = [scene.place(cell) for cell in cells]
    known = [scene.still if s is None else s for s in states] + [scene.still] * (n - len(states))
    values = constraint_scores(scene, cells, states, n)
    if task.kind == "snapshot":
        return values | thermal_scores(task, scene, known)
    values |= geometry_scores(task, scene, known)
    if task.kind != "mean":
        values["key_kept"] = sum(_same_defect(scene, s) for s in states if s is not None) / n
    if task.kind in {"pressed", "mean"}:
        true = task.references[0].state.strain[None]
        values["volume_error"] = thermal.volume_error(known[0].strain[None], true)
    if task.kind == "symmetric":
        values |= symmetry_scores(scene, states, n)
    if task.kind == "free":
        values |= breaking_scores(task, scene, known)
        values["diversity"] = mean_pair_distance([_distances(scene, s) for s in known])
    return values


def constraint_scores(
    scene: Scene, cells: Sequence[DefectCell], states: Sequence[Distortion | None], n: int
) -> dict[str, float]:
    """Shares of the n structures that meet each constraint, and all of them."""
    met = np.zeros((4, n), dtype=bool)
    for k, (cell, state) in enumerate(zip(cells, states, strict=True)):
        contact = constraints.closest_contact(cell.cell, cell.numbers, cell.positions)
        met[:, k] = (
            constraints.same_composition(cell.numbers, scene.ideal.numbers),
            cell.charge == scene.defect.charge,
            state is not None,
            constraints.no_overlap(contact, scene.contact),
        )
    names = ("composition", "charge", "placed", "no_overlap")
    shares = {name: float(row.mean()) for name, row in zip(names, met, strict=True)}
    return {**shares, "valid": float(met.all(axis=0).mean())}


def geometry_scores(task: Task, scene: Scene, states: Sequence[Distortion]) -> dict[str, float]:
    """Errors against the lowest reference, and matches of all of them."""
    true, stabilizer = task.references[0].state, scene.stabilizer
    short, near = (scene.near(reach) for reach in geometry.NEAR_DISTANCES)
    errors = [geometry.displacement_error(s.displacements, true.displacements, near, stabilizer) for s in states]
    first = states[0].displacements
    per_atom = scene.ideal.volume / len(scene.ideal)
    rmsds = np.array(
        [
            [
                geometry.normalised_rmsd(s.displacements, r.state.displacements, near, stabilizer, per_atom)
                for s in states
            ]
            for r in task.references
        ]
    )
    metre, crmse = geometry.match_everyone(np.where(np.isnan(rmsds), np.inf, rmsds))
    return {
        "mae_3": geometry.displacement_error(first, true.displacements, short, stabilizer),
        "mae_5": errors[0],
        "mae_5_mean": float(np.mean(errors)),
        "mae_5_best": float(np.min(errors)),
        "cosine": geometry.displacement_cosine(first, true.displacements, near, stabilizer),
        "metre": metre,
        "crmse": crmse,
        "coordination": _coordination(scene, states[0], true, near),
    }


def symmetry_scores(scene: Scene, states: Sequence[Distortion | None], n: int) -> dict[str, float]:
    """Shares of structures that contain the stabilizer by two libraries, and how far they are off it at most, Å."""
    wanted = symmetry.integer_rotations(scene.stabilizer, scene.ideal.cell)
    held = {"h_spglib": 0, "h_moyopy": 0}
    off = []
    for state in states:
        if state is None:
            continue
        cell = apply_distortion(scene.ideal, state)
        arguments = cell.cell, cell.positions @ np.linalg.inv(cell.cell), cell.numbers
        held["h_spglib"] += symmetry.contains(symmetry.spglib_rotations(*arguments), wanted)
        held["h_moyopy"] += symmetry.contains(symmetry.moyopy_rotations(*arguments), wanted)
        off.append(residual(state, scene.stabilizer))
    shares = {name: count / n for name, count in held.items()}
    return {**shares, "h_residual": max(off, default=float("nan"))}


def breaking_scores(task: Task, scene: Scene, states: Sequence[Distortion]) -> dict[str, float]:
    """Whether a proposal breaks the symmetry where the lowest reference does; NaN for the one that does not apply."""
    values = {"breaking_recall": float("nan"), "breaking_false": float("nan")}
    if scene.stabilizer.order == 1:
        return values
    if symmetry.breaks(task.references[0].state, scene.stabilizer):
        values["breaking_recall"] = float(any(symmetry.breaks(s, scene.stabilizer) for s in states))
    else:
        values["breaking_false"] = float(symmetry.breaks(states[0], scene.stabilizer))
    return values


def thermal_scores(task: Task, scene: Scene, states: Sequence[Distortion]) -> dict[str, float]:
    """Distributions of proposed frames against those of the references."""
    reference = [r.state for r in task.references]
    u, v = (np.array([s.displacements for s in group]) for group in (states, reference))
    e, f = (np.array([s.strain for s in group]) for group in (states, reference))
    histograms = [np.mean([_pairs(scene, s) for s in group], axis=0) for group in (states, reference)]
    return {
        "msd_error": thermal.msd_error(u, v),
        "displacement_w1": thermal.displacement_distance(u, v),
        "rdf_distance": thermal.rdf_distance(*histograms),
        "volume_error": thermal.volume_error(e, f),
    }


def site_symmetries(tasks: Sequence[Task], states: Sequence[Distortion]) -> Mapping[str, tuple[list[str], list[str]]]:
    """By host, site symmetries of first structures and of lowest references of the `free` tasks."""
    by_formula: dict[str, tuple[list[str], list[str]]] = {}
    for task, state in zip(tasks, states, strict=True):
        scene = Scene(task.defect)
        mine, true = by_formula.setdefault(task.formula, ([], []))
        for symbols, geometry_state in ((mine, state), (true, task.references[0].state)):
            symbols.append(symmetry.site_symmetry(geometry_state, scene.stabilizer, scene.ideal.cell))
    return by_formula


def _coordination(scene: Scene, proposed: Distortion, true: Distortion, near: BoolArray) -> float:
    numbers = [
        constraints.coordination_numbers(cell.cell, cell.numbers, cell.positions)
        for cell in (apply_distortion(scene.ideal, state) for state in (proposed, true))
    ]
    return constraints.coordination_kept(numbers[0], numbers[1], near)


def _same_defect(scene: Scene, state: Distortion) -> bool:
    # Without the strain, which may be larger than what recognition takes for that of a relaxed supercell.
    structure = apply_distortion(scene.ideal, Distortion(state.displacements, np.zeros((3, 3)))).to_pymatgen()
    try:
        return defect_from_structure(structure, scene.defect.host, charge=scene.defect.charge) == scene.defect
    except DefectgenError:
        return False


def _distances(scene: Scene, state: Distortion) -> FloatArray:
    cell = apply_distortion(scene.ideal, state)
    return pointwise_distances(cell.cell, cell.positions)


def _pairs(scene: Scene, state: Distortion) -> FloatArray:
    cell = apply_distortion(scene.ideal, state)
    return thermal.pair_histogram(cell.cell, cell.positions)
