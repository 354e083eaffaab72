"""dpdata: extended XYZ to DeePMD, and our own systems, plain and mixed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpdata
import numpy as np
from report import FOLDER, WORK, done, publish, read


def frames(systems: dpdata.MultiSystems) -> Iterator[tuple[Any, Any, Any]]:
    """Energy, forces and stress of every frame: the virial is -V σ."""
    for system in systems:
        data = system.data
        for k in range(len(data["energies"])):
            volume = abs(np.linalg.det(data["cells"][k]))
            yield data["energies"][k], data["forces"][k], -data["virials"][k] / volume


def ours(folder: Path) -> dpdata.MultiSystems:
    found = [dpdata.LabeledSystem(str(raw.parent), fmt="deepmd/npy") for raw in sorted(folder.rglob("type.raw"))]
    return dpdata.MultiSystems(*found)


read("train.extxyz", frames(dpdata.MultiSystems.from_file(str(FOLDER / "train.extxyz"), fmt="extxyz")))
read("deepmd", frames(ours(FOLDER / "deepmd/train")))
mixed = dpdata.MultiSystems()
mixed.load_systems_from_file(str(FOLDER / "deepmd-mixed/train"), fmt="deepmd/npy/mixed")
read("deepmd-mixed", frames(mixed))
dpdata.MultiSystems.from_file(str(FOLDER / "train.extxyz"), fmt="extxyz").to_deepmd_npy(str(WORK / "npy"))
assert list((WORK / "npy").rglob("virial.npy"))
done("extended XYZ to deepmd/npy")
publish("dpdata")
