"""calorine: the set-up of a NEP from extended XYZ, and our train.xyz."""

from __future__ import annotations

from ase.io import read as read_atoms
from calorine.nep import setup_training
from report import FOLDER, WORK, done, publish, read

structures = read_atoms(FOLDER / "train.extxyz", ":")
parameters = {"version": 4, "type": [2, "Mg", "O"], "cutoff": [4, 3]}
options = {"mode": "bagging", "n_splits": 1, "train_fraction": 1.0, "overwrite": True}
setup_training(parameters, structures, rootdir=str(WORK), **options)
done("setup_training")


def rows(atoms_list):
    return [(a.get_potential_energy(), a.get_forces(), a.get_stress()) for a in atoms_list]


for name, path in (("train.extxyz", next(WORK.rglob("train.xyz"))), ("nep", FOLDER / "nep/train.xyz")):
    read(name, rows(read_atoms(path, ":", format="extxyz")))
publish("calorine")
