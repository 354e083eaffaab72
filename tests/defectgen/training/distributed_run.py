"""Train a small task in the processes that torchrun started; the first of them writes the weights."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from defectgen.corpus import read_cases
from defectgen.model.network import NetworkConfig
from defectgen.training.loop import Training, TrainSettings
from defectgen.training.objectives.displacements import DisplacementObjective
from md.training.processes import Processes

SMALL = NetworkConfig(width=16, layers=1, cutoff=4.0, radial=6, embedding=4)


def main(cases: Path, folder: Path, stop: int) -> None:
    torch.set_num_threads(1)
    processes = Processes.of_environment("cpu")
    settings = TrainSettings(steps=6, batch=4, warmup=2, checkpoint=3, seed=3)
    network = Training(DisplacementObjective(read_cases(cases), SMALL), settings, folder, processes).run(until=stop)
    if processes.rank == 0:
        save_file(network.state_dict(), folder / "weights.safetensors")
    if processes.count > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
