"""NequIP: its ASE data module with no key mapping."""

from __future__ import annotations

from nequip.data.datamodule import ASEDataModule
from nequip.data.dataset import ASEDataset
from report import FOLDER, done, publish, read

data = ASEDataset(str(FOLDER / "train.extxyz"))
rows = [data[k] for k in range(len(data))]
read("train.extxyz", ((row["total_energy"], row["forces"], row["stress"]) for row in rows))
files = {f"{name}_file_path": str(FOLDER / f"{file}.extxyz") for name, file in (("train", "train"), ("val", "valid"))}
loader = {"_target_": "torch.utils.data.DataLoader", "batch_size": 4}
module = ASEDataModule(seed=1, **files, train_dataloader=loader, val_dataloader=loader)
module.setup("fit")
batches = list(module.train_dataloader())
assert sum(len(batch["total_energy"]) for batch in batches) == len(rows)
done(f"{len(batches)} batches of the data module")
publish("nequip")
