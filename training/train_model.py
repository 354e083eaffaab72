"""Train one part of the generative model, or a sibling of it, on the corpus `training/corpus/`.

    OMP_NUM_THREADS=1 python training/train_model.py displacements FOLDER [--steps 40000] [--width 96]
    OMP_NUM_THREADS=1 python training/train_model.py subgroups FOLDER
    OMP_NUM_THREADS=1 python training/train_model.py occupation FOLDER
    OMP_NUM_THREADS=1 python training/train_model.py vae FOLDER          # or gan, keys
    OMP_NUM_THREADS=1 python training/train_model.py displacements FOLDER --schedule regression --name regressor
    torchrun --nproc-per-node 8 training/train_model.py displacements FOLDER --batch 64 --width 300 --layers 5

FOLDER keeps the checkpoint: run the command again to go on where it stopped. The weights go to `defectgen/weights/`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from defectgen.benchmark.held_out import diffusion, labels_of_kind, mean_scores, occupation_scores, subgroup_scores
from defectgen.corpus import read_arrangements, read_cases
from defectgen.corpus.build import corpus_hash
from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig
from defectgen.model.network.keys import KeyConfig
from defectgen.model.weights import FOLDER, PARTS, Model, save_model
from defectgen.training.description import CURVE_STEP, learnt_elements, training_summary
from defectgen.training.loop import Training, TrainSettings
from defectgen.training.objectives.displacements import DisplacementObjective
from defectgen.training.objectives.keys import KeyObjective
from defectgen.training.objectives.latent import LatentObjective
from defectgen.training.objectives.occupation import OCCUPATION_CONFIG, OccupationObjective
from defectgen.training.objectives.subgroups import SUBGROUP_CONFIG, SubgroupObjective
from md.training.processes import Processes

HERE = Path(__file__).parent
KINDS = ("relaxed", "broken", "pressed", "mean")
SIZES: Mapping[str, NetworkConfig | KeyConfig] = {
    "displacements": NetworkConfig(width=96, layers=4, cutoff=5.0, forces=True),
    "subgroups": SUBGROUP_CONFIG,
    "occupation": OCCUPATION_CONFIG,
    "vae": NetworkConfig(width=64, layers=3, cutoff=5.0, forces=True),
    "gan": NetworkConfig(width=64, layers=3, cutoff=5.0, forces=True),
    "keys": KeyConfig(),
}
STEPS = {"displacements": 18_000, "subgroups": 1_600, "occupation": 2_400, "vae": 20_000, "gan": 20_000, "keys": 8_000}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(SIZES), help="what is learnt")
    parser.add_argument("folder", type=Path, help="the checkpoint is kept here")
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus", help="folder of shards, or one archive")
    parser.add_argument("--name", default=None, help="of the model; `default`, or of a sibling what it is")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the weights")
    parser.add_argument("--schedule", default="flow", choices=("flow", "ddpm", "regression"))
    parser.add_argument("--device", default=None, help="cpu or cuda; a GPU if there is one")
    parser.add_argument("--compile", action="store_true", help="let torch compile the network")
    for name, kind in (("steps", int), ("batch", int), ("rate", float), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, default=None)
    for name, kind in (("width", int), ("layers", int), ("cutoff", float), ("voids", float)):
        parser.add_argument(f"--{name}", type=kind, default=None, help="of the network, where it has such a size")
    return parser.parse_args()


def given(asked: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given."""
    return {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}


def task_of(asked: argparse.Namespace) -> Any:
    """What is learnt."""
    sizes = given(asked, "width", "layers", "cutoff", "voids")
    config: Any = replace(SIZES[asked.part], **sizes)
    match asked.part:
        case "occupation":
            return OccupationObjective(read_arrangements(asked.corpus), config)
        case "keys":
            return KeyObjective(read_arrangements(asked.corpus), config)
        case "subgroups":
            return SubgroupObjective(read_cases(asked.corpus), config)
        case "vae" | "gan":
            return LatentObjective(read_cases(asked.corpus), asked.part, config)
    return DisplacementObjective(read_cases(asked.corpus), config, bridge=Bridge(schedule=asked.schedule))


def weights_file(asked: argparse.Namespace) -> Path:
    """Where the weights go: under the name of the model, of one of its parts, or of a sibling."""
    if asked.part in PARTS:
        name = asked.name or "default"
        return Path(asked.output / f"{name if asked.part == PARTS[0] else f'{name}-{asked.part}'}.safetensors")
    return Path(asked.output / f"{asked.name or asked.part}.safetensors")


def validation(task: Any, network: Any) -> Mapping[str, Any]:
    """Scores on the validation hosts; baselines are judged by the benchmark, `defectgen bench -g NAME`."""
    if not isinstance(task, (SubgroupObjective, OccupationObjective, DisplacementObjective)):
        return {}
    if isinstance(task, SubgroupObjective):
        return subgroup_scores(network, task.cases, "valid")
    if isinstance(task, OccupationObjective):
        return occupation_scores(network, task.items, "valid")
    model = Model("trained", network, task.bridge, {"elements": []}, "")
    table: dict[str, Any] = {}
    for kind in KINDS:
        pairs = list(labels_of_kind(task.cases, "valid", kind))
        if pairs:
            table[kind] = {"labels": len(pairs), **mean_scores(pairs, diffusion(model, spread=0.0))}
    return table


def card(asked: argparse.Namespace, training: Training[Any, Any], seconds: float) -> dict[str, Any]:
    """Origin of the weights: data, splits, settings, curve and limits."""
    manifest = asked.corpus / "manifest.json" if asked.corpus.is_dir() else asked.corpus.with_suffix(".json")
    items = getattr(training.task, "cases", None) or training.task.items  # type: ignore[attr-defined]
    return {
        "elements": learnt_elements(items),
        "corpus_sha256": corpus_hash(asked.corpus),
        "teacher": json.loads(manifest.read_text())["teacher"],
        "hosts": {s: sorted({i.formula for i in items if i.split == s}) for s in ("train", "valid", "test")},
        **training_summary(training, seconds),
        "licence": "MIT; learnt from labels by CHGNet (modified BSD) on hosts of the Materials Project (CC-BY 4.0)",
        "limits": "Neutral labels of a universal potential in cells of 16 to 56 atoms; short dynamics; no DFT.",
    }


def main() -> None:
    """Train, validate, save."""
    asked = arguments()
    torch.set_num_threads(1)
    settings = TrainSettings(**{"steps": STEPS[asked.part], **given(asked, "steps", "batch", "rate", "seed")})
    processes = Processes.of_environment(asked.device)
    training = Training(task_of(asked), settings, asked.folder, processes, compiled=asked.compile)
    start, first = time.monotonic(), training.step

    def progress(step: int, _loss: float) -> None:
        if step % CURVE_STEP == 0:
            rate = (time.monotonic() - start) / (step - first)
            loss = np.mean(training.losses[-CURVE_STEP:])
            print(f"{step}/{settings.steps} loss {loss:.4f} {rate:.3f} s a step", flush=True)

    network = training.run(progress=progress)
    if processes.rank > 0:
        return
    about = card(asked, training, time.monotonic() - start)
    about["validation"] = validation(training.task, network)
    save_model(weights_file(asked), network, getattr(training.task, "bridge", None), about)
    print(json.dumps(about["validation"], indent=1))


if __name__ == "__main__":
    main()
