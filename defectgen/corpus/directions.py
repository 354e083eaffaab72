"""Points off the symmetric geometry of a defect, towards its labels: input features for a lower symmetry.

Whoever generates a geometry draws its direction (see `EnergySurface.direction`) before the geometry is known. Which of
the equivalent geometries of a label a direction leads to is a matter of the normaliser of H, whose operations keep H; a
direction is paired with the label that it overlaps most.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from augment import CellSymmetry
from augment.cell import FloatArray, IntArray
from augment.groups.distortion import Distortion, project
from augment.groups.subgroups import transformed
from defectgen.corpus.cases import Case, Label
from defectgen.corpus.settings import LabelSettings
from defectgen.energy_surface.surface import EnergySurface

_STRAIN = np.zeros((3, 3))


def with_directions(case: Case, surface: EnergySurface, settings: LabelSettings) -> Case:
    """The case with points towards its relaxed labels.

    Of a label with the whole stabilizer they lead away from it, without any symmetry: atoms that come back.
    """
    labels = [replace(x, towards=_points(case, x, surface, settings)) if _wanted(case, x) else x for x in case.labels]
    return replace(case, labels=tuple(labels))


def _wanted(case: Case, label: Label) -> bool:
    at_rest = label.temperature == 0 and label.pressure == 0 and case.symmetry.order > 1
    return at_rest and (label.broken or not case.excess_energy(label))


def _points(case: Case, label: Label, surface: EnergySurface, settings: LabelSettings) -> FloatArray | None:
    subgroup = case.symmetry_of(label) if label.broken else case.symmetry.generated_by([])
    name = f"{case.template.key} {case.kept(label)} {label.energy:.6f}"
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
    drawn = [surface.direction(subgroup, rng) for _ in range(settings.directions_drawn)]
    directions = [direction for direction in drawn if direction is not None]
    if label.broken:
        u = label.state.displacements
        lies = u - project(Distortion(u, _STRAIN), case.symmetry).displacements
        operations = case.classes.normaliser(np.array(case.kept(label)))
        paired = [_nearest_image(direction, lies, case.symmetry, operations) for direction in directions]
        directions = sorted(paired, key=lambda direction: -float((direction * lies).sum()))
    chosen = [surface.towards(subgroup, direction) for direction in directions[: settings.directions]]
    points = [descent[:, -1] for descent in chosen if descent is not None]
    return np.stack(points) if points else None


def _nearest_image(direction: FloatArray, lies: FloatArray, symmetry: CellSymmetry, operations: IntArray) -> FloatArray:
    """The image of a direction, or of its opposite, that overlaps most with where a geometry lies."""
    images = [transformed(Distortion(direction, _STRAIN), symmetry, int(k)).displacements for k in operations]
    overlaps = np.array([float((image * lies).sum()) for image in images])
    best = int(abs(overlaps).argmax())
    return images[best] if overlaps[best] >= 0 else -images[best]
