"""Proposed geometries as files for other programs: one extended XYZ, and a CIF in P1 for each."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from augment.cell import DefectCell
from augment.exchange import cif_text
from augment.exchange.folder import UniqueNames
from augment.storage.archive import write_atomically

_SHOWN = (
    "defect_key",
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
    from ase.io import write

    stream, names = StringIO(), UniqueNames()
    for cell in cells:
        atoms = cell.to_ase()
        atoms.info |= {name: cell.provenance[name] for name in _SHOWN if name in cell.provenance}
        atoms.info["forces_by"] = cell.provenance.get("forces_by", "none")
        if cell.seconds is not None:
            atoms.info["elapsed"] = round(cell.seconds, 4)
        atoms.info["extrapolates"] = " ".join(cell.provenance.get("extrapolates", ()))
        write(stream, atoms, format="extxyz")
        name = names.next(f"{cell.name}_{cell.provenance['subgroup'].replace('/', '')}_{cell.provenance['sample']}")
        write_atomically(folder / f"{name}.cif", cif_text(cell).encode())
    write_atomically(folder / "proposals.extxyz", stream.getvalue().encode())
