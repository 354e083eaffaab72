"""GRACE: what its loader takes from extended XYZ and from our pickles."""

from __future__ import annotations

from report import FOLDER, publish, read
from tensorpotential.cli.data import load_dataset

for name, path in (("train.extxyz", "train.extxyz"), ("grace", "grace/train_000.pkl.gz")):
    table = load_dataset(str(FOLDER / path))
    read(name, ((row["energy"], row["forces"], row["stress"]) for _, row in table.iterrows()))
publish("tensorpotential")
