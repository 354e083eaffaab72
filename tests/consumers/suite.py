"""Each consumer reads a default export, and its own format, in an environment of its own; `make test-consumers`.

What it then holds is compared with what was written: energies, forces, and every component of the stress with its sign.
Not collected by default, as it installs gigabytes. `DEFECTGEN_CONSUMERS` names another folder for the environments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectgen.dataset import export_dataset
from defectgen.dataset.extxyz import read_frames
from defectgen.dataset.frame import NINE_OF_SIX, Frame
from defectgen.dataset.settings import FORMAT_NAMES, DatasetSettings
from tests.consumers.environments import CONSUMERS, Consumer, install
from tests.support.export_runs import make_run

DEFAULT = "train.extxyz"
"""The default export, which trainers read with their defaults."""

READS: dict[str, set[str]] = {
    "mace": {DEFAULT, "mace-hdf5", "aselmdb"},
    "sevennet": {DEFAULT},
    "nequip": {DEFAULT},
    "fairchem": {DEFAULT, "aselmdb"},
    "matgl": {DEFAULT, "matpes"},
    "dpdata": {DEFAULT, "deepmd", "deepmd-mixed"},
    "calorine": {DEFAULT, "nep"},
    "metatrain": {DEFAULT, "metatrain"},
    "grace": {DEFAULT, "grace"},
    "orb": {"ase-db"},
    "datasets": {"parquet"},
    "mlcroissant": {"parquet"},
    "optimade": {"optimade"},
}
"""What each reader must have read."""

TOLERANCE = 3e-6
"""eV, eV/Å, eV/Å³: some hold single precision. A wrong sign, unit or order is off by more than 0.01 here."""

_LIMIT = 1800
"""Seconds for a consumer."""


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in every format, with the header that Hugging Face reads."""
    runs, folder = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("set") / "set"
    hosts = (("a", "MgO", (12, 8)), ("b", "CaO", (20, 8)), ("c", "MgS", (12, 16)), ("d", "CaS", (20, 16)))
    paths = [make_run(runs / formula, name * 12, formula, numbers, 8) for name, formula, numbers in hosts]
    settings = DatasetSettings(formats=FORMAT_NAMES, split="defect", held_out=0.2, near=0, seed=6)
    manifest = export_dataset(paths, folder, settings)
    assert set(manifest.frames) == {"train", "valid", "test"}
    return folder


@pytest.fixture(scope="session")
def frames(dataset: Path) -> list[Frame]:
    """What was written to train."""
    return sorted(read_frames(dataset / "train.extxyz"), key=lambda frame: frame.energy or 0.0)


@pytest.mark.parametrize("consumer", [c for c in CONSUMERS if c.reads], ids=lambda consumer: consumer.name)
def test_it_reads_what_was_written(
    consumer: Consumer, dataset: Path, frames: list[Frame], tmp_path: Path, record_property: Any
) -> None:
    install(consumer)
    script = Path(__file__).parent / "readers" / f"read_{consumer.name}.py"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    command = [str(consumer.python), str(script), str(dataset), str(tmp_path)]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert set(report["read"]) == READS[consumer.name]
    for rows in report["read"].values():
        compare(rows, frames)
    record_property("version", report["version"])
    sys.stdout.write(f"{consumer.name} {report['version']}: {', '.join([*report['read'], *report['done']])}\n")


def compare(rows: list[dict[str, Any]], frames: list[Frame]) -> None:
    """Fail where what was read is not what was written; the order of frames and atoms is left to the consumer."""
    assert len(rows) == len(frames)
    for row, frame in zip(sorted(rows, key=lambda row: row["energy"]), frames, strict=True):
        assert frame.forces is not None
        assert frame.stress is not None
        assert row["energy"] == pytest.approx(frame.energy, abs=TOLERANCE)
        read, written = np.array(row["forces"]), frame.forces
        np.testing.assert_allclose(np.sort(read, axis=0), np.sort(written, axis=0), atol=TOLERANCE)
        np.testing.assert_allclose(row["stress"], frame.stress[NINE_OF_SIX], atol=TOLERANCE)


def test_a_wrong_sign_would_be_seen(frames: list[Frame]) -> None:
    rows = [
        {"energy": f.energy, "forces": f.forces, "stress": f.stress[NINE_OF_SIX]}
        for f in frames
        if f.stress is not None
    ]
    compare(rows, frames)
    for spoilt in ("stress", "forces"):
        with pytest.raises(AssertionError):
            compare([{**row, spoilt: -np.array(row[spoilt])} for row in rows], frames)
