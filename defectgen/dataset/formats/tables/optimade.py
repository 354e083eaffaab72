"""OPTIMADE JSON lines: what `optimade-python-tools` and optimade.materialscloud.org serve as an API.

A header, a description of each property that is not of the standard, and one line a frame. `optimade.yaml` beside it is
what optimade-maker starts from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import gcd
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
import yaml

from augment.elements import element_symbol, full_formula
from defectgen.dataset.fields import FIELDS, Field
from defectgen.dataset.formats.writer import Contents
from defectgen.dataset.frame import NINE_OF_SIX, Frame

API_VERSION = "1.1.0"
"""Of OPTIMADE, as optimade-maker writes it."""

PREFIX = "_defectgen_"
"""Of the properties that are not of the standard."""

WRITTEN = "1970-01-01T00:00:00Z"
"""`last_modified`, which the standard requires; nothing here depends on the clock."""

_TYPES = {"text": "string", "integer": "integer", "number": "float", "flag": "boolean"}
_LABEL_FIELDS = (
    Field("energy", "number", "total energy, eV"),
    Field("charge", "integer", "total charge of the cell, e"),
)
_TENSORS = {"forces": "forces on the sites, eV/Å", "stress": "stress, positive under tension, eV/Å³"}


class OptimadeWriter:
    """One file of all splits; `_defectgen_split` says which.

    Args:
        stream: of the file, at its end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frames = 0

    def write(self, split: str, frame: Frame) -> None:
        """Append a frame as an entry."""
        self._stream.write(_line(optimade_entry(frame, f"{split}-{self._frames}")))
        self._frames += 1

    def finish(self) -> None:
        """Nothing is left to do."""


@contextmanager
def open_optimade(folder: Path, contents: Contents) -> Iterator[OptimadeWriter]:
    """A writer of `optimade.jsonl`, with `optimade.yaml` beside it."""
    elements = ", ".join(contents.elements)
    config = {
        "config_version": "0.1.0",
        "database_description": f"Defective crystals of {elements}, labelled by {', '.join(contents.potentials)}",
        "entries": {"jsonl_path": "optimade.jsonl"},
    }
    (folder / "optimade.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    with (folder / "optimade.jsonl").open("wb") as stream:
        stream.write(_line({"x-optimade": {"meta": {"api_version": API_VERSION}}}))
        stream.write(_line(_description()))
        yield OptimadeWriter(stream)


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def _description() -> dict[str, Any]:
    """What the properties are that the standard does not know."""
    plain = {f.name: {"description": f.meaning, "type": _TYPES[f.kind]} for f in (*_LABEL_FIELDS, *FIELDS)}
    tensors = {name: {"description": meaning, "type": "list"} for name, meaning in _TENSORS.items()}
    properties = {PREFIX + name: {"title": name, "unit": None, **row} for name, row in {**plain, **tensors}.items()}
    return {
        "type": "info",
        "id": "structures",
        "formats": ["json"],
        "description": "structures",
        "properties": properties,
        "output_fields_by_format": {"json": list(properties)},
    }


def optimade_entry(frame: Frame, name: str) -> dict[str, Any]:
    """A frame as an entry of the type `structures` with an id of its own."""
    own = {"energy": frame.energy, "charge": frame.charge, "forces": frame.forces, **frame.facts}
    own["stress"] = None if frame.stress is None else frame.stress[NINE_OF_SIX].reshape(3, 3)
    symbols = [element_symbol(int(z)) for z in frame.numbers]
    attributes = {
        "immutable_id": name,
        "last_modified": WRITTEN,
        **_formula(symbols),
        "dimension_types": np.asarray(frame.pbc, dtype=np.int64),
        "nperiodic_dimensions": int(frame.pbc.sum()),
        "lattice_vectors": frame.cell,
        "cartesian_site_positions": frame.positions,
        "nsites": len(frame),
        "species_at_sites": symbols,
        "species": [{"name": s, "chemical_symbols": [s], "concentration": [1.0]} for s in sorted(set(symbols))],
        "structure_features": [],
        **{PREFIX + key: value for key, value in own.items() if value is not None},
    }
    return {"id": name, "type": "structures", "attributes": attributes, "links": {}, "relationships": {}}


def _formula(symbols: list[str]) -> dict[str, Any]:
    """Elements and formulas as the standard wants them: by the alphabet, reduced, and with A for the most frequent."""
    counts = Counter(symbols)
    elements = sorted(counts)
    divisor = gcd(*counts.values())
    reduced = {element: counts[element] // divisor for element in elements}
    letters = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", sorted(reduced.values(), reverse=True), strict=False))
    return {
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [counts[element] / len(symbols) for element in elements],
        "chemical_formula_descriptive": full_formula(dict(counts)),
        "chemical_formula_reduced": _text(reduced),
        "chemical_formula_anonymous": _text(letters),
    }


def _text(counts: dict[str, int]) -> str:
    return "".join(f"{name}{count if count > 1 else ''}" for name, count in counts.items())
