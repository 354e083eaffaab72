"""HDF5 for MACE, in the layout of `mace_prepare_data`: for sets that do not fit into memory.

`mace/data/hdf5_dataset.py` reads one group a frame and takes a label with its weight; the folders go to
`--train_file`, `--valid_file` and `--test_dir`, beside `--atomic_numbers` and `--E0s`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from defectgen.dataset.formats.writer import Contents, SplitWriter, split_writer
from defectgen.dataset.frame import Frame

PATHS = {"train": "train/train_0.h5", "valid": "val/val_0.h5", "test": "test/all_test.h5"}
"""`mace_run_train` looks in a folder of tests for names that end in `_test.h5`."""


class Hdf5Part:
    """The file of one split.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir()
        self._file = h5py.File(path, "w")
        self._file.attrs["drop_last"] = False
        self._batch = self._file.create_group("config_batch_0")
        self._frames = 0

    def write(self, frame: Frame) -> None:
        """Append a frame as a group."""
        group = self._batch.create_group(f"config_{self._frames}")
        self._frames += 1
        group["atomic_numbers"] = frame.numbers
        group["positions"] = frame.positions
        group["cell"] = frame.cell
        group["pbc"] = np.asarray(frame.pbc, dtype=bool)
        group["weight"] = float(frame.facts.get("config_weight", 1.0))
        group["config_type"] = frame.text("config_type") or "Default"
        properties, weights = group.create_group("properties"), group.create_group("property_weights")
        for name, value in _labels(frame).items():
            properties[name] = value
            weights[name] = 1.0

    def finish(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _labels(frame: Frame) -> dict[str, Any]:
    """What is known of a frame, by the names of MACE; what is absent has no weight there."""
    labels = {"energy": frame.energy, "forces": frame.forces, "stress": frame.stress, "total_charge": frame.charge}
    return {name: value for name, value in labels.items() if value is not None}


def open_mace_hdf5(folder: Path, contents: Contents) -> AbstractContextManager[SplitWriter]:
    """A writer of `train/train_0.h5`, `val/val_0.h5` and `test/all_test.h5`."""
    return split_writer(contents, lambda split: Hdf5Part(folder / PATHS[split]))
