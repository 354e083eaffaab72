"""metatrain: its default reader on extended XYZ, and its memory-mapped data set on ours."""

from __future__ import annotations

from typing import Any

import torch
from metatrain.utils.data import get_dataset
from metatrain.utils.omegaconf import expand_dataset_config
from omegaconf import OmegaConf
from report import FOLDER, publish, read

torch.set_default_dtype(torch.float64)


def rows(path: str) -> list[tuple[Any, Any, Any]]:
    config = OmegaConf.create({"systems": path, "targets": {"energy": {"key": "energy"}}})
    options = expand_dataset_config(config)[0]
    if path.endswith("train"):
        options["targets"]["energy"] |= {"forces": {"key": "forces"}, "stress": {"key": "stress"}, "virial": False}
    dataset, _, _ = get_dataset(options)
    samples = [dataset[k] for k in range(len(dataset))]
    return [labels(sample) for sample in samples]


def labels(sample: Any) -> tuple[Any, Any, Any]:
    block = sample.energy.block()
    strain = block.gradient("strain").values.squeeze().numpy()  # V σ
    volume = float(torch.det(sample.system.cell).abs())
    return block.values, -block.gradient("positions").values.squeeze(-1), strain / volume


read("train.extxyz", rows(str(FOLDER / "train.extxyz")))
read("metatrain", rows(str(FOLDER / "metatrain/train")))
publish("metatrain")
