"""fairchem: its AseLMDB data set on ours, and its own conversion of the extended XYZ."""

from __future__ import annotations

import shutil

from fairchem.core.datasets import AseDBDataset
from report import FOLDER, WORK, publish, read

DATA = {"r_data_keys": ["charge", "spin"], "r_energy": True, "r_forces": True, "r_stress": True}


def rows(folder: str) -> list[tuple[object, object, object]]:
    data = AseDBDataset({"src": folder, "a2g_args": DATA})
    samples = [data[k] for k in range(len(data))]
    assert all(hasattr(sample, "charge") and hasattr(sample, "spin") for sample in samples)
    return [(sample.energy, sample.forces, sample.stress) for sample in samples]


def converted() -> str:
    """The folder that fairchem's script for fine-tuning makes of a folder with train.extxyz."""
    from fairchem.core.scripts.create_finetune_dataset import launch_processing

    source, target = WORK / "source", WORK / "converted"
    source.mkdir()
    shutil.copy(FOLDER / "train.extxyz", source)
    launch_processing(source, target, num_workers=1)
    return str(target)


read("aselmdb", rows(str(FOLDER / "aselmdb/train")))
read("train.extxyz", rows(converted()))
publish("fairchem-core")
