"""matgl: an epoch of `mgl train` on extended XYZ and on MatPES JSON, and the labels that it takes from both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from matgl.utils.training import MGLDatasetLoader
from report import FOLDER, WORK, done, publish, read

GPA = 160.21766208
files = {"train.extxyz": MGLDatasetLoader.from_extxyz, "matpes/train.json.gz": MGLDatasetLoader.from_json}
for name, load in files.items():
    labels = load(str(FOLDER / name), cutoff=3.0, save_cache=False, root=str(WORK / name.replace("/", "_"))).labels
    tension = [np.array(stress) / GPA for stress in labels["stresses"]]
    read(name.split("/")[0], zip(labels["energies"], labels["forces"], tension, strict=True))
command = Path(sys.executable).with_name("mgl")
for name in files:
    target = WORK / f"model_{name.split('.')[-1]}"
    options = ["--epochs", "1", "--model", "TensorNet", "--cutoff", "3.0", "--accelerator", "cpu", "--batch-size", "8"]
    subprocess.run([str(command), "train", "-i", str(FOLDER / name), "-o", str(target), *options], check=True, cwd=WORK)
    done(f"one epoch on {name}")
publish("matgl")
