"""What the viewer shows: each defect's ideal, generated and relaxed geometry, the defect in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray
from augment.elements import element_symbol
from defectgen.report.blocks import symbol_text
from defectgen.report.gather import RunData

SceneJson = dict[str, Any]
"""A scene as JSON values."""

MINIMUM = "minimum"
"""Kind of the geometries that a search found."""

MAX_SCENES = 250
MAX_COORDINATES = 600_000
"""Numbers in all scenes together; about 5 MB of page."""

MAX_MINIMA_SHOWN = 3
"""Lowest minima of a search that a scene has."""

_DECIMALS = 4


def scenes(data: RunData) -> tuple[list[SceneJson], int]:
    """Scenes as JSON values, and how many defects were left out to keep the page small."""
    chosen: list[SceneJson] = []
    coordinates = 0
    for cell in data.cells:
        scene = _scene(data, cell)
        size = sum(len(g["positions"]) for g in scene["geometries"])
        if len(chosen) >= MAX_SCENES or coordinates + size > MAX_COORDINATES:
            break
        chosen.append(scene)
        coordinates += size
    return chosen, len(data.cells) - len(chosen)


def element_styles(numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Symbol, Jmol colour, covalent radius (Å) and whether it is a metal, of each atomic number."""
    from ase.data import covalent_radii
    from ase.data.colors import jmol_colors
    from pymatgen.core import Element

    return {
        z: {
            "symbol": element_symbol(z),
            "colour": "#" + "".join(f"{round(255 * float(c)):02x}" for c in jmol_colors[z]),
            "radius": round(float(covalent_radii[z]), 3),
            "metal": bool(Element.from_Z(z).is_metal),
        }
        for z in sorted(set(numbers))
    }


def _scene(data: RunData, cell: DefectCell) -> SceneJson:
    ideal = data.reference[cell.key]
    pristine = data.reference[data.cells[0].key]
    kind = str(cell.provenance.get("type", "")) or BULK
    vacant = np.setdiff1d(pristine.sites, ideal.sites)
    ghosts = np.isin(pristine.sites, vacant)
    marked = np.flatnonzero(edited_atoms(ideal, pristine))
    spots = np.concatenate([pristine.positions[ghosts], ideal.positions[marked]])
    shift, images = _centring(ideal, spots)
    geometries = [_geometry(g, label, kind, note, shift, images) for g, label, kind, note in _geometries(data, cell)]
    ghost_spots = _wrapped(pristine.positions[ghosts] + shift, ideal.cell)
    return {
        "title": cell.name,
        "key": cell.key,
        "group": "pristine" if cell.name == BULK else kind,
        "numbers": ideal.numbers.tolist(),
        "sites": ideal.sites.tolist(),
        "geometries": geometries,
        "centre": (ideal.cell.sum(axis=0) / 2).round(_DECIMALS).tolist() if len(spots) else None,
        "ghosts": [
            {"number": int(z), "at": at.round(_DECIMALS).tolist()}
            for z, at in zip(pristine.numbers[ghosts], ghost_spots, strict=True)
        ],
        "marked": marked.tolist(),
    }


def edited_atoms(cell: DefectCell, pristine: DefectCell) -> Any:
    """Mask (n,) of the atoms that the pristine crystal does not have: substituted or inserted."""
    host = dict(zip(pristine.sites.tolist(), pristine.numbers.tolist(), strict=True))
    return np.array(
        [host.get(s) != z for s, z in zip(cell.sites.tolist(), cell.numbers.tolist(), strict=True)], dtype=bool
    )


def _centring(ideal: DefectCell, spots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shift (3,) that puts the defect in the middle of the cell, and the lattice vectors (n, 3) that wrap each atom.

    Both come from the ideal geometry alone, so that an atom does not jump from one geometry to the next.
    """
    middle = ideal.cell.sum(axis=0) / 2
    if len(spots):
        apart = (spots - spots[0]) @ np.linalg.inv(ideal.cell)
        centre = spots[0] + ((apart - np.rint(apart)) @ ideal.cell).mean(axis=0)
        shift = middle - centre
    else:
        shift = np.zeros(3)
    fractional = (ideal.positions + shift) @ np.linalg.inv(ideal.cell)
    return shift, -np.floor(fractional + 1e-6)


def _wrapped(points: FloatArray, cell: FloatArray) -> FloatArray:
    fractional = points @ np.linalg.inv(cell)
    return np.asarray((fractional - np.floor(fractional + 1e-6)) @ cell)


def _geometries(data: RunData, cell: DefectCell) -> list[tuple[DefectCell, str, str, str]]:
    """Cell, label, kind and note of every geometry known of a defect."""
    geometries = [(data.reference[cell.key], "ideal", "ideal", "Ideal sites of the host.")]
    if cell.name == BULK and data.bulk is not None:
        geometries.append((data.bulk.cell, "relaxed", "relaxed", "Positions and lattice relaxed under the potential."))
    for proposal in data.proposals:
        if proposal.key == cell.key:
            label = symbol_text(str(proposal.provenance.get("start", "generated")))
            geometries.append((proposal, label, "generated", "Proposed by the diffusion model, before any relaxation."))
    for record in data.relaxed:
        if record.cell.key == cell.key and record.cell.name != BULK:
            start = symbol_text(str(record.cell.provenance.get("start", "an unknown start")))
            made_by = record.cell.provenance.get("potential", "the potential")
            note = f"The lowest relaxed geometry, under {made_by}; from {start}."
            geometries.append((record.cell, "relaxed", "relaxed", note))
    found = [record for record in data.minima if record.cell.key == cell.key][:MAX_MINIMA_SHOWN]
    for rank, record in enumerate(found):
        words, above = record.cell.provenance.get("words", ""), record.cell.provenance.get("above", 0.0)
        note = f"Minimum of the search, {above:.3f} eV above the lowest: {words}."
        geometries.append((record.cell, f"minimum {rank + 1}", MINIMUM, note))
    return geometries


def _geometry(
    cell: DefectCell, label: str, kind: str, note: str, shift: FloatArray, images: FloatArray
) -> dict[str, Any]:
    """One geometry with the wrapping of the ideal one; positions flat, Å."""
    positions = cell.positions + shift + images @ cell.cell
    return {
        "label": label,
        "kind": kind,
        "note": note,
        "cell": cell.cell.round(_DECIMALS).tolist(),
        "positions": positions.round(_DECIMALS).ravel().tolist(),
    }
