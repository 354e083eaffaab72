"""SevenNet: an epoch of its preset `base` on extended XYZ, and the graphs that it makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sevenn
import yaml
from report import FOLDER, WORK, done, publish, read
from sevenn.train.graph_dataset import SevenNetGraphDataset

INTERNAL = [0, 3, 5, 3, 1, 4, 5, 4, 2]
"""Where the nine components stand in xx, yy, zz, xy, yz, zx, SevenNet's own order; its sign is that of the virial."""

data = SevenNetGraphDataset(cutoff=3.0, root=str(WORK), files=str(FOLDER / "train.extxyz"))
graphs = [data[k] for k in range(len(data))]
stresses = [-g["stress"].numpy().ravel()[INTERNAL] for g in graphs]
read("train.extxyz", ((g["total_energy"], g["force_of_atoms"], s) for g, s in zip(graphs, stresses, strict=True)))

preset = yaml.safe_load((Path(sevenn.__file__).parent / "presets/base.yaml").read_text())
preset["model"] |= {"channel": 4, "lmax": 1, "num_convolution_layer": 2, "cutoff": 3.0}  # small, to be quick
preset["train"] |= {"epoch": 1, "per_epoch": 1}
for name in ("train", "valid", "test"):
    preset["data"][f"load_{name}set_path"] = [str(FOLDER / f"{name}.extxyz")]
(WORK / "input.yaml").write_text(yaml.safe_dump(preset))
command = Path(sys.executable).with_name("sevenn")
subprocess.run([str(command), "train", "input.yaml", "-s"], check=True, cwd=WORK)
assert list(WORK.glob("checkpoint*.pth")), "no checkpoint was saved"
done("one epoch of the preset base")
publish("sevenn")
