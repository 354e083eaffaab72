"""Orb: its SQLite data set with the targets of fine-tuning."""

from __future__ import annotations

from orb_models.dataset.ase_sqlite_dataset import AseSqliteDataset
from orb_models.forcefield import property_definitions
from orb_models.forcefield.atomic_system import SystemConfig
from report import FOLDER, publish, read

names = {"energy": "energy", "stress": "stress"}
targets = property_definitions.instantiate_property_config({"graph": list(names), "node": ["forces"]})
config = SystemConfig(radius=3.0, max_num_neighbors=20)
data = AseSqliteDataset("ours", FOLDER / "ase-db/train.db", config, target_config=targets)
samples = [data[k] for k in range(len(data))]
read(
    "ase-db",
    ((s.system_targets["energy"], s.node_targets["forces"], s.system_targets["stress"]) for s in samples),
)
publish("orb-models")
