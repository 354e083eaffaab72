"""MACE: an epoch on extended XYZ and one on HDF5, and what its loaders make of both and of AseLMDB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from mace.data import HDF5Dataset, KeySpecification, load_from_xyz
from mace.data.lmdb_dataset import LMDBDataset
from mace.tools import AtomicNumberTable
from report import FOLDER, WORK, done, publish, read

MODEL = [
    *("--name=m", "--model=MACE", "--num_channels=4", "--max_L=0", "--r_max=3.0", "--E0s=average"),
    *("--max_num_epochs=1", "--batch_size=8", "--compute_stress=True", "--loss=universal"),
    *("--default_dtype=float64", "--device=cpu", "--error_table=PerAtomRMSEstressvirials"),
]

torch.set_default_dtype(torch.float64)
keys = KeySpecification.from_defaults()
_, configurations = load_from_xyz(str(FOLDER / "train.extxyz"), keys)
read("train.extxyz", ((c.properties["energy"], c.properties["forces"], c.properties["stress"]) for c in configurations))

numbers = AtomicNumberTable(sorted({int(z) for c in configurations for z in c.atomic_numbers}))
hdf5 = HDF5Dataset(str(FOLDER / "mace-hdf5/train/train_0.h5"), r_max=3.0, z_table=numbers)
read("mace-hdf5", ((d.energy, d.forces, d.stress) for d in (hdf5[k] for k in range(len(hdf5)))))
lmdb = LMDBDataset(str(FOLDER / "aselmdb/train"), r_max=3.0, z_table=numbers)
read("aselmdb", ((d.energy, d.forces, d.stress) for d in (lmdb[k] for k in range(len(lmdb)))))

command = Path(sys.executable).with_name("mace_run_train")
files = {
    "xyz": ["--train_file=train.extxyz", "--valid_file=valid.extxyz", "--test_file=test.extxyz"],
    "hdf5": ["--train_file=mace-hdf5/train", "--valid_file=mace-hdf5/val", "--test_dir=mace-hdf5/test"],
}
for name, arguments in files.items():
    paths = [f"{option}={FOLDER / path}" for option, path in (a.split("=") for a in arguments)]
    energies = str(dict.fromkeys(numbers.zs, -1.0))
    given = [f"--atomic_numbers={numbers.zs}", f"--E0s={energies}"] if name == "hdf5" else []
    place = f"--work_dir={WORK / name}"
    subprocess.run([str(command), *MODEL, *paths, *given, place], check=True)
    assert list((WORK / name).rglob("*.model")), "no model was saved"
    done(f"one epoch on {name}")
publish("mace-torch")
