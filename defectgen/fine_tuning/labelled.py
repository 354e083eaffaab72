"""Cases to learn from: the geometries of each defect as labels, with the forces that a potential exerts around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from augment.defect import Defect
from augment.groups.distortion import distortion_of, stretch
from augment.groups.subgroups import SubgroupClasses
from augment.storage.archive import read_arrays
from defectgen.corpus.cases import Case, Label, cases_from_arrays, cases_to_arrays
from defectgen.corpus.label import case_of
from defectgen.corpus.relaxations import MAX_DISPLACEMENT
from defectgen.corpus.settings import LabelSettings
from defectgen.energy_surface.source import DefectForces
from defectgen.fine_tuning.geometries import DefectGeometries, Geometry
from defectgen.ground_states.same_geometry import wrapped
from md.campaigns.labelling import cell_hash
from md.jobs.checkpoint import Arrays
from md.jobs.sweep import Job, Progress, sweep

__all__ = ["labelled_cases", "labels_of"]

_VERSION = 1
"""Of the way cases are made: raised when the same geometries come to give others."""

_SAME_DISTANCE = 0.1
"""Å; two geometries of one energy and symmetry whose atoms are nearer are one."""


@dataclass(frozen=True, eq=False)
class _Work:
    labelled: DefectGeometries
    who: tuple[str, str, str]
    prototype: str
    settings: LabelSettings


def labelled_cases(
    defects: Sequence[DefectGeometries],
    folder: Path,
    *,
    settings: LabelSettings | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Case]:
    """The cases of some defects, in order and all of the split `train`; those without a usable geometry have no labels.

    Args:
        defects: with their geometries.
        folder: one item a defect; what is there is not made again.
        settings: of the labels; those of the corpus by default.
        workers: processes.
        progress: called after each defect.

    Raises:
        PotentialError: a potential fails.
        ResumeError: another process works in the folder.
    """
    how = settings or LabelSettings()
    jobs = [_job(labelled, how) for labelled in defects]
    items = sweep(jobs, _case_item, folder, workers=workers, progress=progress)
    return [case for item in items for case in cases_from_arrays(read_arrays(item.path), str(item.path))]


def _job(labelled: DefectGeometries, settings: LabelSettings) -> Job:
    host = labelled.defect.supercell.host
    made_by = labelled.potential.provenance
    ideal = labelled.defect.cell()
    geometries = [(cell_hash(g.cell), g.energy, g.temperature, g.pressure, g.charge) for g in labelled.geometries]
    text = json.dumps([_VERSION, asdict(settings), ideal.key, cell_hash(ideal), labelled.labeller, made_by, geometries])
    work = _Work(labelled, (f"{host.hash} {labelled.labeller}", host.formula, "train"), host.prototype, settings)
    return Job(hashlib.sha256(text.encode()).hexdigest()[:32], labelled.defect.name, work)


def _case_item(work: _Work) -> Arrays:
    defect = work.labelled.defect
    labels = labels_of(defect, work.labelled.geometries, work.settings)
    surface = DefectForces(work.labelled.potential)(defect) if labels else None
    return cases_to_arrays([case_of(defect, labels, surface, work.who, work.prototype, work.settings)])


def labels_of(defect: Defect, geometries: Sequence[Geometry], settings: LabelSettings | None = None) -> list[Label]:
    """Labels of the distinct geometries of a defect, each with the largest subgroup that it keeps, the lowest first.

    Geometries in which an atom has left its site by more than `MAX_DISPLACEMENT` are left out.
    """
    classes, same = SubgroupClasses(defect.symmetry()), (settings or LabelSettings()).same_energy
    labels: list[Label] = []
    for geometry in sorted(geometries, key=lambda g: (g.temperature, g.energy)):
        label = _label(defect, geometry, classes)
        if label is not None and not any(_same(label, other, same) for other in labels):
            labels.append(label)
    return labels


def _label(defect: Defect, geometry: Geometry, classes: SubgroupClasses) -> Label | None:
    ideal = defect.cell()
    strain = stretch(ideal.cell, geometry.cell.cell)
    sites = ideal.positions @ (np.eye(3) + strain)
    moved = wrapped(geometry.cell.positions - sites, ideal.cell @ (np.eye(3) + strain))
    state = distortion_of(sites + moved, ideal, strain)
    if np.linalg.norm(state.displacements, axis=1).max() > MAX_DISPLACEMENT:
        return None
    common = {"temperature": geometry.temperature, "pressure": geometry.pressure, "charge": geometry.charge}
    if geometry.temperature > 0:
        return Label(state, snapshot=False, broken=True, energy=np.nan, **common)  # type: ignore[arg-type]
    index, _, kept = classes.surviving(state)
    members = tuple(classes.members[index].tolist())
    broken = len(members) < classes.symmetry.order
    return Label(kept, snapshot=False, broken=broken, energy=geometry.energy, kept=members, **common)  # type: ignore[arg-type]


def _same(label: Label, other: Label, energy: float) -> bool:
    """Whether two labels are one geometry."""
    conditions = label.temperature == other.temperature and label.pressure == other.pressure
    if not conditions or label.kept != other.kept or label.charge != other.charge:
        return False
    if label.temperature > 0:
        return False
    apart = np.linalg.norm(label.state.displacements - other.state.displacements, axis=1).max()
    return abs(label.energy - other.energy) < energy and bool(apart < _SAME_DISTANCE or label.broken)


def with_splits(cases: Sequence[Case], split_of: dict[str, str]) -> list[Case]:
    """Cases in the split of their key, those without labels left out."""
    return [replace(case, split=split_of[case.template.key]) for case in cases if case.labels]
