"""Several processes under torchrun learn what one does, and go on after a stop to the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from augment.errors import SettingsError
from defectgen.training.loop import Training, TrainSettings
from md.training.processes import Processes
from tests.defectgen.training.test_loop import cases  # noqa: F401  a fixture

RUN = Path(__file__).with_name("distributed_run.py")


def train(archive: Path, folder: Path, processes: int, stop: int = 6):
    folder.mkdir(exist_ok=True)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*(launch if processes > 1 else [sys.executable]), str(RUN), str(archive), str(folder), str(stop)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "."}
    subprocess.run(command, check=True, env=env, capture_output=True, timeout=600)
    return load_file(folder / "weights.safetensors")


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_resume(cases, tmp_path):  # noqa: F811
    from defectgen.corpus import write_cases

    archive = tmp_path / "cases.npz"
    write_cases(archive, cases)
    alone, both = (train(archive, tmp_path / f"by{n}", n) for n in (1, 2))
    start = train(archive, tmp_path / "start", 1, stop=1)
    assert max(abs(alone[name] - start[name]).max() for name in alone) > 1e-4
    # Gradients are sums in another order; AdamW can turn a rounding error of a vanishing one into a step.
    assert all(np.allclose(alone[name], both[name], atol=2e-4) for name in alone)
    train(archive, tmp_path / "stopped", 2, stop=3)
    again = train(archive, tmp_path / "stopped", 2)
    assert all((again[name] == both[name]).all() for name in both)


def test_a_batch_that_the_processes_cannot_share_is_refused():
    with pytest.raises(SettingsError, match="not divided"):
        Training(None, TrainSettings(batch=3), processes=Processes(0, 2))
