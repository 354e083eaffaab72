"""The YAML header of a dataset card, by which Hugging Face shows, finds and loads a dataset.

https://huggingface.co/docs/hub/datasets-cards. Licences there have lower-case names of a list of their own; any other
one is `other` with its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.settings import UNLICENSED
from defectgen.dataset.sources.files import split_of

_LICENSES = """
apache-2.0 mit bsd bsd-2-clause bsd-3-clause cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-
by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 odc-by odbl pddl
gpl-2.0 gpl-3.0 agpl-3.0 lgpl-2.1 lgpl-3.0 mpl-2.0 ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2 unlicense wtfpl
zlib isc artistic-2.0 bsl-1.0 afl-3.0 osl-3.0 ms-pl postgresql ncsa ofl-1.1
"""
HUB_LICENSES = frozenset(_LICENSES.split())
"""Identifiers of licences on the hub, https://huggingface.co/docs/hub/repositories-licenses."""

_HUB_NAMES = {"odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl"}

_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
"""What Hugging Face calls the splits."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def header_text(manifest: DatasetManifest) -> str:
    """The header between its lines of dashes."""
    import yaml

    text = yaml.safe_dump(header(manifest), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n"


def header(manifest: DatasetManifest) -> dict[str, Any]:
    """The header as plain values."""
    elements = "-".join(manifest.statistics["elements"])
    values = {
        "pretty_name": f"Defective crystals of {', '.join(formulas(manifest))}",
        **_license(manifest.license),
        "task_categories": ["graph-ml"],
        "tags": ["chemistry", "materials-science", "interatomic-potentials", "point-defects", elements],
        "size_categories": [size_category(manifest.n_records)],
    }
    configs = _configs(manifest)
    # Without tables the hub would take manifest.json for the data.
    return {**values, "configs": configs} if configs else {**values, "viewer": False}


def formulas(manifest: DatasetManifest) -> list[str]:
    """Formulas of the hosts, each once."""
    return list(dict.fromkeys(host["formula"] for host in manifest.statistics["hosts"]))


def size_category(frames: int) -> str:
    """The hub's category of a number of rows."""
    return next((name for limit, name in _SIZES if frames < limit), "1M<n<10M" if frames < 10**7 else "n>10M")


def spdx(text: str) -> str | None:
    """A licence as SPDX writes it, `CC-BY-4.0`; None where it is no SPDX expression."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return None


def _license(text: str) -> dict[str, str]:
    if text == UNLICENSED:
        return {"license": "unknown"}
    name = (spdx(text) or text).lower()
    name = _HUB_NAMES.get(name, name)
    known = name in HUB_LICENSES
    return {"license": name} if known else {"license": "other", "license_name": spdx(text) or text}


def _configs(manifest: DatasetManifest) -> list[dict[str, Any]]:
    """A configuration for each kind of table, with the files of each split; that of the frames first.

    `load_dataset(folder)` gives the frames, `load_dataset(folder, "structures")` the relaxed structures.
    """
    configs: list[dict[str, Any]] = []
    for place, name in (("parquet/", "frames"), ("generative/", "structures")):
        files: dict[str, list[str]] = {}
        for path in sorted(manifest.files):
            split = split_of(Path(path))
            if path.startswith(place) and path.endswith(".parquet") and split in manifest.frames:
                files.setdefault(_SPLITS[split], []).append(path)
        if files:
            ordered = sorted(files.items(), key=lambda item: list(_SPLITS.values()).index(item[0]))
            data = [{"split": s, "path": paths[0] if len(paths) == 1 else paths} for s, paths in ordered]
            first = {} if configs else {"default": True}
            configs.append({"config_name": name, **first, "data_files": data})
    return configs
