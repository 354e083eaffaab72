"""The calculations of a run as defect entries of pymatgen-analysis-defects, for its formation-energy diagrams."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from augment.cell import BULK
from augment.defect import Defect
from augment.errors import DataError
from augment.exchange.pymatgen_defects import to_defect_entry
from augment.host import Host
from augment.storage.archive import write_atomically
from md.labels.calculated import CalculatedRecord


def write_entries(path: Path, records: Sequence[CalculatedRecord], host: Host) -> int:
    """Write a JSON file of `{level of theory: [DefectEntry, ...]}`, which `monty.serialization.loadfn` reads.

    Each entry carries the pristine cell of its level and superlattice as `bulk_entry`, where there is one.

    Returns:
        How many entries there are.

    Raises:
        DataError: no defect was calculated.
        DefectError: pymatgen-analysis-defects is not installed.
    """
    from monty.json import MontyEncoder

    bulks = {_place(record): record for record in records if record.cell.name == BULK}
    levels: dict[str, list[Any]] = {}
    for record in (r for r in records if r.cell.name != BULK):
        entry = to_defect_entry(Defect.from_key(host, record.cell.key), record.cell, record.energy)
        entry.sc_entry.parameters = _parameters(record)
        bulk = bulks.get(_place(record))
        entry.bulk_entry = None if bulk is None else _computed(bulk)
        levels.setdefault(str(record.cell.provenance["potential"]), []).append(entry)
    if not levels:
        raise DataError(f"{path}: no defect was calculated in this run; `defectgen label` reads calculations")
    write_atomically(path, json.dumps(levels, cls=MontyEncoder).encode())
    return sum(map(len, levels.values()))


def _place(record: CalculatedRecord) -> tuple[str, str]:
    """Level of theory and superlattice, which energies that are compared share."""
    return str(record.cell.provenance["potential"]), record.cell.key.split("/")[1]


def _parameters(record: CalculatedRecord) -> dict[str, Any]:
    return {name: record.cell.provenance["dft"][name] for name in ("code", "functional", "cutoff", "version")}


def _computed(record: CalculatedRecord) -> Any:
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    structure = record.cell.to_pymatgen()
    structure.unset_charge()
    return ComputedStructureEntry(structure, record.energy, parameters=_parameters(record), entry_id=record.cell.key)
