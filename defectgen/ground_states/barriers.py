"""The barrier from the relaxed ideal geometry of a defect to each minimum, along the path on which atoms move least.

A minimum has as many copies as the supercell has operations, and like atoms may be exchanged: the copy, and the pairing
of atoms, with the least sum of squared displacements from the relaxed ideal geometry ends the path, which a nudged
elastic band then finds (`md.energetics.band`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.storage.archive import write_atomically
from augment.supercell import Supercell
from defectgen.ground_states.minima import Minimum, PathFromIdeal, SearchResult
from defectgen.ground_states.same_geometry import MAX_SAME_MINIMUM, aligned, wrapped
from md.energetics.band import BARRIERLESS, Band, relaxed_band
from md.jobs.sweep import OpenStage
from md.potentials import Potential
from md.relaxation.relax import relax_structure
from md.relaxation.relaxed_host import pristine

__all__ = ["BAND_FMAX", "nearest_copy", "with_barriers"]

BAND_FMAX = 0.05
"""eV/Å left on the images; the climbing one is then some meV from the saddle point."""

MAX_IDEAL_STEPS = 500
"""Steps of the relaxation from the ideal sites."""


@dataclass(frozen=True)
class _Ideal:
    """The ideal geometry at rest in its own symmetry; what keeps it from there, and evaluations.

    Attributes:
        cell: where it came to.
        energy: eV.
        failure: why it did not come to rest; empty where it did.
        evaluations: of the potential.
    """

    cell: DefectCell
    energy: float
    failure: str
    evaluations: int


def with_barriers(
    result: SearchResult, potential: Potential, count: int, fmax: float, folder: Path, stage: OpenStage
) -> SearchResult:
    """The result with the barriers to so many of its lowest minima; those in the folder are not sought again.

    Args:
        result: of a search.
        potential: of that search.
        count: of the lowest minima.
        fmax: largest force on the ideal geometry at rest, eV/Å.
        folder: keeps each path as it is found.
        stage: opens the progress.

    Raises:
        PotentialError: the potential fails.
    """
    ideal = _relaxed_ideal(result.defect, potential, fmax)
    minima = list(result.minima)
    with stage(f"{result.defect.name}: barriers", "minima") as report:
        for k, minimum in enumerate(minima[:count]):
            report(k, min(count, len(minima)), "")
            kept = folder / f"path_{k}.json"
            if not kept.exists():
                found = _path(result.defect.supercell, ideal, minimum, potential)
                write_atomically(kept, json.dumps(asdict(found)).encode())
            minima[k] = replace(minimum, path=PathFromIdeal(**json.loads(kept.read_bytes())))
    spent = ideal.evaluations + sum(one.path.evaluations for one in minima if one.path is not None)
    return replace(result, minima=tuple(minima), path_evaluations=spent)


def nearest_copy(supercell: Supercell, start: DefectCell, positions: FloatArray) -> FloatArray:
    """Positions (n, 3), Å, of the copy of a geometry that is nearest to a start, atom by atom in the start's order.

    Every operation of the supercell's space group is tried, with the best pairing of like atoms under each. What is
    least is the sum of squared displacements.

    Args:
        supercell: of the crystal in which both lie.
        start: gives elements, cell and the order of the atoms.
        positions: (n, 3), Å, of the same atoms.
    """
    bulk, group = supercell.bulk_cell(), pristine(supercell).symmetry()
    shifts = bulk.positions[group.permutations[:, 0]] - group.rotations @ bulk.positions[0]
    images = positions @ group.rotations.transpose(0, 2, 1) + shifts[:, None]
    bounds = np.array([_least_possible(image, start) for image in images])
    best, displacements = np.inf, np.zeros_like(positions)
    for operation in np.argsort(bounds, kind="stable"):
        if bounds[operation] >= best:
            break
        index = aligned(images[operation], start.numbers, start.positions, start.numbers, start.cell)
        moved = wrapped(images[operation][index] - start.positions, start.cell)
        total = float((moved**2).sum())
        if total < best:
            best, displacements = total, moved - moved.mean(axis=0)
    return np.asarray(start.positions + displacements, dtype=float)


def _least_possible(image: FloatArray, start: DefectCell) -> float:
    """What the sum of squared displacements can at least be, each atom paired with the nearest like one, Å²."""
    total = 0.0
    for element in np.unique(start.numbers):
        alike = start.numbers == element
        between = wrapped(image[alike][None] - start.positions[alike][:, None], start.cell)
        total += float((between**2).sum(axis=-1).min(axis=1).sum())
    return total


def _relaxed_ideal(defect: Defect, potential: Potential, fmax: float) -> _Ideal:
    end = relax_structure(
        defect.cell(), potential, fmax=fmax, max_steps=MAX_IDEAL_STEPS, symmetry=defect.symmetry()
    )  # fmt: skip
    failure = "" if end.status == "converged" else f"the ideal sites do not come to rest ({end.status}, {end.reason})"
    return _Ideal(end.cell, float(end.energies[-1]), failure, len(end.energies))


def _path(supercell: Supercell, ideal: _Ideal, minimum: Minimum, potential: Potential) -> PathFromIdeal:
    if ideal.failure:
        return PathFromIdeal(None, None, 0, f"not found: {ideal.failure}")
    end = nearest_copy(supercell, ideal.cell, minimum.record.cell.positions)
    farthest = float(np.linalg.norm(end - ideal.cell.positions, axis=1).max())
    if farthest < MAX_SAME_MINIMUM:
        return PathFromIdeal(0.0, max(ideal.energy - minimum.record.energy, 0.0), 0, "this is the ideal geometry")
    band = relaxed_band(ideal.cell, ideal.cell.with_geometry(end), potential, fmax=BAND_FMAX)
    if band.failure:
        return PathFromIdeal(None, None, band.evaluations, f"not found: {band.failure}")
    return PathFromIdeal(band.forward, band.reverse, band.evaluations, _in_words(band))


def _in_words(band: Band) -> str:
    if band.forward <= BARRIERLESS:
        return "none: the ideal geometry falls there"
    if band.reverse <= BARRIERLESS:
        return f"{band.forward:.2f} eV, none back: it falls to the ideal geometry"
    return f"{band.forward:.2f} eV" + (", through another minimum" if band.has_intermediate else "")
