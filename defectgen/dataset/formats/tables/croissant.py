"""Croissant 1.0 metadata (https://docs.mlcommons.org/croissant) of Parquet files: what each column is, for programs.

A record set for each split, a field for each column, with the SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from defectgen.dataset.fields import FIELDS, MEASURES
from defectgen.dataset.formats.writer import Contents

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that mlcroissant writes."""

_GEOMETRY = {
    "numbers": "atomic numbers",
    "positions": "Cartesian positions, Å",
    "cell": "lattice vectors as rows, Å",
    "pbc": "along which lattice vectors the cell repeats",
    "energy": "total energy, eV",
    "forces": "forces, eV/Å",
    "stress": "stress, positive under tension, eV/Å³",
    "ideal_positions": "positions of the same atoms in the ideal geometry of the defect, Å",
    "ideal_cell": "lattice vectors of the ideal geometry, Å",
}
MEANINGS = _GEOMETRY | {field.name: field.meaning for field in (*FIELDS, *MEASURES)}
"""What each column is."""


def croissant_metadata(files: Mapping[str, Path], schema: pa.Schema, contents: Contents) -> dict[str, Any]:
    """The metadata as JSON-LD.

    Args:
        files: Parquet file of each split, two folders below the metadata at most.
        schema: of all of them.
        contents: of the dataset.
    """
    elements = ", ".join(contents.elements)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"Defective crystals of {elements}",
        "description": f"Frames of defect cells of {elements} with energies, forces and stresses by "
        f"{', '.join(contents.potentials) or 'an unnamed potential'}; labels of an interatomic potential, not DFT.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": contents.license or "not chosen",
        "url": "https://huggingface.co/datasets",
        "version": "1.0.0",
        "datePublished": "1970-01-01",
        "citeAs": f"Defective crystals of {elements}, made by defectgen",
        "distribution": [_file(split, path) for split, path in files.items()],
        "recordSet": [_records(split, schema) for split in files],
    }


def _file(split: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": f"{split}.parquet",
        "name": f"{split}.parquet",
        "description": f"frames of {split}",
        "contentUrl": f"{path.parent.name}/{path.name}",
        "encodingFormat": "application/x-parquet",
        "sha256": digest,
    }


def _records(split: str, schema: pa.Schema) -> dict[str, Any]:
    fields = [_field(split, column) for column in schema]
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "description": f"frames of {split}", "field": fields}


def _field(split: str, column: pa.Field) -> dict[str, Any]:
    kind, depth = column.type, 0
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    array = {"isArray": True, "arrayShape": "-1" if depth == 1 else "-1,3"} if depth else {}
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{column.name}",
        "name": column.name,
        "description": MEANINGS[column.name],
        "dataType": _data_type(kind),
        **array,
        "source": {"fileObject": {"@id": f"{split}.parquet"}, "extract": {"column": column.name}},
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


def write_croissant(path: Path, files: Mapping[str, Path], schema: pa.Schema, contents: Contents) -> None:
    """Write croissant.json beside the folder of the files; see `croissant_metadata`."""
    metadata = croissant_metadata(files, schema, contents)
    path.write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
