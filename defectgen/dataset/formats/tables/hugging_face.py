"""What Hugging Face reads of a dataset: the YAML header of README.md, by which `load_dataset` finds the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from defectgen.dataset.settings import UNLICENSED, Format

SPLIT_NAMES = {"train": "train", "valid": "validation", "test": "test"}
"""Hugging Face's name of each split."""

_STEMS = {"train": "train", "valid": "val", "test": "test"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "1M<n<10M"


def front_matter(
    frames: Mapping[str, int],
    formats: Sequence[Format],
    *,
    title: str,
    license_name: str = UNLICENSED,
    structures: Sequence[str] | None = None,
) -> str:
    """YAML between two lines of `---`, to stand at the top of README.md.

    `load_dataset(folder)` gives the frames of the Parquet files, and `load_dataset(folder, "structures")` the relaxed
    structures for generative models, where the dataset has these formats.

    Args:
        frames: number of frames of each split that has any.
        formats: as what the dataset is written.
        title: of the dataset.
        license_name: as SPDX names it; `other` where none was chosen.
        structures: splits that have relaxed structures; all of `frames` by default.
    """
    header: dict[str, Any] = {
        "license": "other" if license_name == UNLICENSED else license_name.lower(),
        "pretty_name": title,
        "size_categories": [size_category(sum(frames.values()))],
        "tags": ["chemistry", "materials-science", "interatomic-potentials", "crystal-defects"],
    }
    configs = []
    if "parquet" in formats:
        configs.append(_config("frames", {split: f"parquet/data/{split}.parquet" for split in frames}, default=True))
    if "generative" in formats:
        paths = {split: f"generative/{_STEMS[split]}.parquet" for split in structures or frames}
        configs.append(_config("structures", paths, default=not configs))
    if configs:
        header["configs"] = configs
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n"


def _config(name: str, paths: Mapping[str, str], *, default: bool) -> dict[str, Any]:
    files = [{"split": SPLIT_NAMES[split], "path": path} for split, path in paths.items()]
    return {"config_name": name, **({"default": True} if default else {}), "data_files": files}


def size_category(frames: int) -> str:
    """The size of a dataset as Hugging Face files it."""
    return next((name for limit, name in _SIZES if frames < limit), _LARGEST)
