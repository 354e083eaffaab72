"""Train the generative model on `training/corpus.npz` and write it to `defectgen/weights/default.safetensors`.

    OMP_NUM_THREADS=1 python training/train_model.py FOLDER [STEPS]

FOLDER keeps the checkpoint: run the command again to go on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import chemical_symbols

from defectgen.corpus.case import Case, file_hash, read_cases
from defectgen.evaluate import diffusion, labels_of_kind, mean_scores
from defectgen.pretrained import FOLDER, Model, save_model
from defectgen.train import Training, TrainSettings

HERE = Path(__file__).parent
CURVE_STEP = 100
KINDS = ("relaxed", "broken", "pressed", "mean")


def learnt_elements(cases: list[Case]) -> list[str]:
    """Symbols of the elements in the training split."""
    numbers = {int(z) for case in cases if case.split == "train" for z in case.template.numbers if z}
    return sorted(chemical_symbols[z] for z in numbers)


def validation(cases: list[Case], model: Model) -> dict[str, Any]:
    """Errors on the validation hosts, by kind of label."""
    table: dict[str, Any] = {}
    for kind in KINDS:
        pairs = list(labels_of_kind(cases, "valid", kind))
        if pairs:
            table[kind] = {"labels": len(pairs), **mean_scores(pairs, diffusion(model, spread=0.0))}
    return table


def card(cases: list[Case], training: Training, seconds: float) -> dict[str, Any]:
    """Origin of the weights: data, splits, settings, curve and limits."""
    corpus = HERE / "corpus.npz"
    manifest = json.loads(corpus.with_suffix(".json").read_text())
    losses = np.array(training.losses)
    curve = [float(np.mean(losses[i : i + CURVE_STEP])) for i in range(0, len(losses), CURVE_STEP)]
    return {
        "elements": learnt_elements(cases),
        "corpus_sha256": file_hash(corpus),
        "teacher": manifest["teacher"],
        "hosts": {s: sorted({c.formula for c in cases if c.split == s}) for s in ("train", "valid", "test")},
        "labels": manifest["labels"],
        "training": asdict(training.settings),
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "curve": {"every": CURVE_STEP, "loss": [round(x, 5) for x in curve]},
        "seconds": round(seconds),
        "versions": {name: version(name) for name in ("torch", "numpy", "safetensors")},
        "licence": "MIT; learnt from labels by CHGNet (modified BSD) on hosts of the Materials Project (CC-BY 4.0)",
        "limits": "Neutral labels of a universal potential in cells of 15 to 33 atoms; short dynamics; no DFT.",
    }


def main() -> None:
    """Train, validate, save."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    settings = TrainSettings(steps=int(sys.argv[2])) if len(sys.argv) > 2 else TrainSettings()
    cases = read_cases(HERE / "corpus.npz")
    training = Training(cases, settings=settings, folder=folder)
    start, first = time.monotonic(), training.step

    def progress(step: int, _loss: float) -> None:
        if step % CURVE_STEP == 0:
            rate = (time.monotonic() - start) / (step - first)
            print(
                f"{step}/{settings.steps} loss {np.mean(training.losses[-CURVE_STEP:]):.4f} {rate:.3f} s a step",
                flush=True,
            )

    network = training.run(progress=progress)
    seconds = time.monotonic() - start
    about = card(cases, training, seconds)
    trained = Model("default", network, training.bridge, about, "")
    about["validation"] = validation(cases, trained)
    save_model(FOLDER / "default.safetensors", network, training.bridge, about)
    print(json.dumps(about["validation"], indent=1))


if __name__ == "__main__":
    main()
