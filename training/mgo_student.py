"""Distil the MgO student: cells, labels by the teacher, MACE's own trainer, held-out errors, the shipped files.

    python training/mgo_student.py                 # retrains on training/mgo_labels.extxyz.gz
    python training/mgo_student.py --relabel       # makes the cells and the labels again first

The work is kept in `out/student` and goes on where it was stopped: labels by item, training by checkpoint.
The same command with `--quick` rehearses everything on a few cells, and ships nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mgo_card import model_card
from mgo_labels import LABELS, make_labels, read_labels, write_splits
from mgo_readme import readme

from augment.store import write_atomically
from md.potentials import resolve_potential
from md.students import save_student
from md.students.network import doubled, quiet_mace

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "md" / "students" / "mgo"
SEED = 7
SHORT = 20
"""Epochs; a shorter training is validated after each, a longer one after every fourth."""

NETWORK = {
    "model": "ScaleShiftMACE",
    "num_channels": 32,
    "max_L": 0,
    "max_ell": 2,
    "correlation": 3,
    "num_interactions": 2,
    "r_max": 4.5,
    "num_radial_basis": 10,
    "num_cutoff_basis": 5,
    "radial_MLP": "[64, 64]",
    "MLP_irreps": "16x0e",
    "scaling": "rms_forces_scaling",
    "E0s": "average",
}
"""64 atoms in 50 ms on one core is what bounds the size; no vectors pass between layers (max_L 0)."""

TRAINING = {
    "loss": "stress",
    "energy_weight": 400.0,
    "forces_weight": 100.0,
    "stress_weight": 2000.0,
    "batch_size": 2,
    "valid_batch_size": 8,
    "lr": 0.01,
    "scheduler": "ExponentialLR",
    "weight_decay": 5e-7,
    "ema_decay": 0.995,
    "clip_grad": 10.0,
    "swa_lr": 0.0005,
    "swa_energy_weight": 3000.0,
    "swa_forces_weight": 100.0,
    "swa_stress_weight": 2000.0,
    "error_table": "PerAtomMAEstressvirials",
}

SWITCHES = ["--swa", "--ema", "--amsgrad", "--pair_repulsion", "--restart_latest", "--save_cpu"]
KEYS = {"energy_key": "REF_energy", "forces_key": "REF_forces", "stress_key": "REF_stress"}


def main() -> None:
    """Run what is left to do."""
    options = _options()
    folder: Path = options.out / ("quick" if options.quick else "full")
    if options.relabel or options.quick:
        labels = folder / LABELS.name
        make_labels(labels, folder / "labels", workers=options.workers, quick=options.quick)
        if not options.quick:
            write_atomically(LABELS, labels.read_bytes())
    else:
        labels = LABELS
    splits = read_labels(labels)
    write_splits(splits, folder)
    epochs = 2 if options.quick else options.epochs
    started = time.perf_counter()
    network = train(folder, epochs)
    seconds = time.perf_counter() - started
    settings = {**NETWORK, **TRAINING, "epochs": epochs, "seed": SEED}
    card = model_card(_calculator(network), resolve_potential("chgnet"), splits, settings)
    destination = folder / "student" if options.quick else SHIPPED
    save_student(network, destination, card)
    write_atomically(destination / "README.md", readme(card).encode())
    print(readme(card))
    print(f"trained in {seconds / 60:.1f} min; written to {destination}")


def train(folder: Path, epochs: int) -> Any:
    """Run MACE's trainer on `folder`/train.extxyz, from its last checkpoint if any; returns the network in float64.

    Training is in float32, at twice the speed: the rounding of forces (1e-5 eV/Å) is far below the errors. The file
    that it ends with is a pickle made here a moment ago; what ships is written from it as safetensors.
    """
    settings: dict[str, Any] = {**NETWORK, **TRAINING, **KEYS, "seed": SEED, "max_num_epochs": epochs}
    settings |= {
        "name": "mgo",
        "work_dir": ".",
        "train_file": "../train.extxyz",
        "valid_file": "../valid.extxyz",
        "start_swa": max(1, epochs * 2 // 3),
        "lr_scheduler_gamma": 0.1 ** (1.5 / epochs),
        "eval_interval": 1 if epochs < SHORT else 4,
        "device": "cpu",
        "default_dtype": "float32",
        "plot": False,
    }
    # Other settings or labels are another training: its checkpoints must not be taken for this one's.
    content = json.dumps(settings, sort_keys=True).encode() + (folder / "train.extxyz").read_bytes()
    work = folder / f"training_{hashlib.sha256(content).hexdigest()[:8]}"
    work.mkdir(exist_ok=True)
    arguments = [f"--{key}={value}" for key, value in settings.items()] + SWITCHES
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run(  # noqa: S603  our own interpreter and arguments
        [sys.executable, "-m", "mace.cli.run_train", *arguments], check=True, env=environment, cwd=work
    )
    import torch

    with quiet_mace():
        trained = torch.load(work / "mgo_stagetwo.model", map_location="cpu", weights_only=False)
    return doubled(trained)


def _calculator(network: Any) -> Any:
    with quiet_mace():
        from md.potentials.mace_calculator import QuietMace

        return QuietMace(network)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "student", help="working folder")
    parser.add_argument("--relabel", action="store_true", help="make cells and labels again")
    parser.add_argument("--workers", type=int, default=2, help="processes that label")
    parser.add_argument("--epochs", type=int, default=72, help="of training")
    parser.add_argument("--quick", action="store_true", help="rehearse on a few cells")
    return parser.parse_args()


if __name__ == "__main__":
    main()
