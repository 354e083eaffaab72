"""The manifest of a dataset: what the card says, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class DatasetManifest:
    """What an exported dataset holds; written as manifest.json.

    Attributes:
        format: version of this layout.
        license: licence of the dataset.
        settings: that it was made with.
        files: SHA-256 of each file by its path in the folder.
        frames: frames of each split.
        split: by what it is split, the seed, and the split of each group.
        dropped: frames left out, by reason.
        notes: what was done that the settings do not say.
        atomic_energies: energies of isolated atoms, eV, by potential and element.
        labellers: what is known of each potential that made labels (`Labeller`).
        leakage: distances of what is held out to train (`LeakageReport`); null where they were not measured.
        statistics: counts and ranges (`statistics_of`).
        versions: version of each library that shaped the data.
    """

    format: int
    license: str
    settings: dict[str, Any]
    files: dict[str, str]
    frames: dict[str, int]
    split: dict[str, Any]
    dropped: dict[str, int]
    notes: list[str]
    atomic_energies: dict[str, dict[str, float]]
    labellers: list[dict[str, Any]]
    leakage: dict[str, Any] | None
    statistics: dict[str, Any]
    versions: dict[str, str]

    @property
    def n_records(self) -> int:
        """Number of frames in all splits."""
        return sum(self.frames.values())

    @property
    def hosts(self) -> dict[str, list[str]]:
        """The host crystals of each split."""
        found: dict[str, list[str]] = {}
        for host in self.statistics["hosts"]:
            for split in host["splits"]:
                found.setdefault(split, []).append(host["hash"])
        return {split: sorted(hosts) for split, hosts in found.items()}

    def to_json(self) -> str:
        """The manifest as indented JSON with sorted keys."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
