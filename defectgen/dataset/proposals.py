"""Proposed geometries as files for other programs: one extended XYZ, and a CIF in P1 for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from augment.cell import DefectCell
from augment.exchange import cif_text
from augment.exchange.folder import UniqueNames
from augment.storage.archive import write_atomically
from defectgen.dataset.extxyz import ExtxyzFile
from defectgen.dataset.frame import Frame, FrameFact

_SHOWN = (
    "subgroup",
    "temperature",
    "pressure",
    "seed",
    "sample",
    "shrunk",
    "fluctuations",
    "rest_subgroup",
)
"""What `info` of the extended XYZ takes over of a proposal, where it has it; `extrapolates` comes as one text."""


def write_proposals(folder: Path, cells: Sequence[DefectCell]) -> None:
    """Write `proposals.extxyz` and `NAME_SUBGROUP_SAMPLE.cif` of each cell; the second of one name gets `-2`."""
    names = UniqueNames()
    for cell in cells:
        name = names.next(f"{cell.name}_{cell.provenance['subgroup'].replace('/', '')}_{cell.provenance['sample']}")
        write_atomically(folder / f"{name}.cif", cif_text(cell).encode())
    with ExtxyzFile(folder / "proposals.extxyz") as file:
        for cell in cells:
            file.write(proposal_frame(cell))
        file.publish()


def proposal_frame(cell: DefectCell) -> Frame:
    """A proposal as a frame without labels; its request, and how it was made, are its facts."""
    facts: dict[str, FrameFact] = {"config_type": "proposal", "name": cell.name, "defect_key": cell.key}
    facts |= {name: cell.provenance[name] for name in _SHOWN if name in cell.provenance}
    facts["forces_by"] = cell.provenance.get("forces_by", "none")
    if cell.seconds is not None:
        facts["elapsed"] = round(cell.seconds, 4)
    facts["extrapolates"] = " ".join(cell.provenance.get("extrapolates", ()))
    return Frame(cell.numbers, cell.positions, cell.cell, charge=int(cell.charge), facts=facts)
