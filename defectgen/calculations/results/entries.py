"""Defect entries of pymatgen-analysis-defects and doped, as JSON: read as calculations, and written of records.

doped extends the entries of pymatgen-analysis-defects and keeps their names, so that both are read alike, without
either package.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from augment.errors import DataError
from defectgen.calculations.results.calculation import Calculation, whole_charge
from md.labels.calculated import TheoryLevel


def entries_results(path: Path) -> Iterator[Calculation]:
    """The defects of a file of entries, and the pristine cells that they carry, each once.

    Raises:
        DataError: it is no such file.
    """
    try:
        content = path.read_bytes()
        values = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        entries = list(_entries(values))
        results = [_result(path, entry["sc_entry"], entry["charge_state"]) for entry in entries]
        bulks = {json.dumps(e["bulk_entry"], sort_keys=True): e["bulk_entry"] for e in entries if _has_bulk(e)}
        results += [_result(path, bulk, 0) for bulk in bulks.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no JSON of defect entries of pymatgen or doped ({error!r})") from None
    if not results:
        raise DataError(f"{path}: no defect entry in it; entries have sc_entry and charge_state")
    yield from results


def _entries(values: Any) -> Iterator[dict[str, Any]]:
    """The entries anywhere in lists and dictionaries."""
    if isinstance(values, dict) and {"sc_entry", "charge_state"} <= values.keys():
        yield values
    elif isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _entries(value)


def _has_bulk(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("bulk_entry"), dict) and "structure" in entry["bulk_entry"]


def _result(path: Path, entry: dict[str, Any], charge: float) -> Calculation:
    """A computed entry with a structure, as a calculation."""
    from pymatgen.core import Structure

    structure = Structure.from_dict(entry["structure"])
    parameters = entry.get("parameters") or {}
    functional = str(parameters.get("functional") or parameters.get("run_type") or "unknown")
    cutoff = parameters.get("cutoff")
    level = TheoryLevel(str(parameters.get("code") or "unknown"), functional, None if cutoff is None else float(cutoff))
    return Calculation(
        (path,),
        np.array(structure.lattice.matrix),
        np.array([site.specie.Z for site in structure], dtype=np.int64),
        np.array(structure.cart_coords),
        float(entry["energy"]),
        level,
        charge=whole_charge(float(charge), path),
        version=str(parameters.get("version") or ""),
    )
