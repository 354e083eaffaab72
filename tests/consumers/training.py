"""Every training command of a dataset's card saves a model, in the environment of its code; `make test-consumers`.

The command is taken from the card and run in a copy of the dataset. What is shortened in its text, numbers of epochs
and steps and the compilation of GRACE, is stated here, as is where a code cannot run as it stands: Orb starts from
random weights in the place of those that it downloads, and of NEP, whose trainer needs CUDA, the input is read back.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from defectgen.dataset import export_dataset
from defectgen.dataset.card.commands import TRAINERS, TrainerCommand
from defectgen.dataset.settings import DatasetSettings
from tests.consumers.environments import CONSUMERS, install
from tests.support.export_runs import make_run

_LIMIT = 3600
"""Seconds for a training; a few minutes of CPU time, which a loaded machine stretches."""


@dataclass(frozen=True)
class Training:
    """How the command of a trainer is run.

    Attributes:
        consumer: name of its environment.
        shorter: what is replaced in the text of the command; each must be in it.
        model: pattern of a file that the command saves.
        load: Python that loads it, with its path as `path`.
        before: Python that is run before the command.
    """

    consumer: str
    shorter: tuple[tuple[str, str], ...]
    model: str
    load: str
    before: str = ""


_TORCH = "import torch; assert torch.load(path, map_location='cpu', weights_only=False)"

_CALCULATES = """
import numpy as np
from ase.io import read
atoms = read("train.extxyz")
atoms.calc = calculator
forces = atoms.get_forces()
assert np.isfinite([atoms.get_potential_energy(), *forces.ravel(), *atoms.get_stress()]).all()
assert np.abs(forces).max() > 0
"""
"""An ASE calculator of the model gives energy, forces and stress of the first frame of train."""

_MACE = (
    "from mace.calculators import MACECalculator; calculator = MACECalculator(model_paths=path, device='cpu')"
    + _CALCULATES
)

_DEEPMD = "from deepmd.calculator import DP; calculator = DP(path)" + _CALCULATES

_DEEPMD_STEPS = ('"numb_steps": 100000', '"numb_steps": 2')

TRAININGS = {
    "MACE": Training("mace", (("max_num_epochs=100", "max_num_epochs=1"),), "defects.model", _MACE),
    "SevenNet": Training(
        "sevennet",
        (('epoch: 200|epoch: 100|"', 'epoch: 200|epoch: 1|" -e "s|per_epoch: 10 |per_epoch: 1 |"'),),
        "checkpoint_1.pth",  # that of epoch 0 is not trained
        "from sevenn.calculator import SevenNetCalculator; calculator = SevenNetCalculator(path, device='cpu')"
        + _CALCULATES,
    ),
    "NequIP": Training("nequip", (("max_epochs: 100", "max_epochs: 1"),), "outputs/**/best.ckpt", _TORCH),
    "fairchem": Training(
        "fairchem",
        (("max_epochs: 100", "max_epochs: 1"),),
        "fairchem/runs/*/checkpoints/final/inference_ckpt.pt",  # not that of step 0
        "from fairchem.core import FAIRChemCalculator\n"
        "from fairchem.core.units.mlip_unit import load_predict_unit\n"
        "calculator = FAIRChemCalculator(load_predict_unit(path, 'batch', device='cpu'), 'defects')" + _CALCULATES,
    ),
    "matgl": Training(
        "matgl",
        (("--epochs 100", "--epochs 1"),),
        "matgl_model/model.json",
        "import matgl, pathlib; matgl.load_model(pathlib.Path(path).parent)",
    ),
    "DeePMD": Training(
        "dpdata",
        (_DEEPMD_STEPS,),
        "deepmd.pb",
        _DEEPMD,
    ),
    "NEP": Training(
        "calorine",
        (),
        "nep_run/nepmodel/nep.in",
        "from calorine.nep import read_nepfile; assert read_nepfile(path)['version'] == 4",
    ),
    "metatrain": Training(
        "metatrain",
        (("num_epochs: 100", "num_epochs: 1"),),
        "outputs/**/*.pt",
        "from metatomic.torch import load_atomistic_model; load_atomistic_model(path)",
    ),
    "GRACE": Training(
        "grace",
        (("maxiter: 150", "maxiter: 1"), ("batch_size: 8", "batch_size: 8\n  jit_compile: False")),
        "seed/1/saved_model/saved_model.pb",
        "from tensorpotential.calculator import TPCalculator; calculator = TPCalculator(path.rpartition('/')[0])"
        + _CALCULATES,
    ),
    "Orb": Training(
        "orb",
        (
            ("EPOCHS = 50", "EPOCHS = 1"),
            ('orb_v3_conservative_inf_omat(device="cpu"', 'orb_v3_conservative_inf_omat("random.ckpt", device="cpu"'),
        ),
        "orb.ckpt",
        _TORCH,
        before="""
import torch
from orb_models.forcefield import pretrained
from orb_models.forcefield.atomic_system import SystemConfig
config = SystemConfig(radius=6.0, max_num_neighbors=120)
model = pretrained.orb_v3_conservative_architecture(device="cpu", system_config=config)
torch.save(model.state_dict(), "random.ckpt")
""",
    ),
}
"""By the names of the trainers in the card."""

OTHER_BACKENDS = {
    "DeePMD": Training(
        "deepmd-torch",
        (
            _DEEPMD_STEPS,
            ("dp train deepmd.json", "dp --pt train deepmd.json"),
            ("dp freeze -o deepmd.pb", "dp --pt freeze -o deepmd.pth"),
        ),
        "deepmd.pth",
        _DEEPMD,
    ),
}
"""What the note of a trainer says of its other backend, run as well."""

RUNS = [
    *((trainer, TRAININGS[trainer.name]) for trainer in TRAINERS),
    *((trainer, OTHER_BACKENDS[trainer.name]) for trainer in TRAINERS if trainer.name in OTHER_BACKENDS),
]


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One dataset with all splits and without energies of lone atoms, and one with train alone and with them."""
    runs, folder = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("sets")
    hosts = (("a", "MgO", (12, 8)), ("b", "CaO", (20, 8)), ("c", "MgS", (12, 16)), ("d", "CaS", (20, 16)))
    paths = [make_run(runs / formula, name * 12, formula, numbers, 3) for name, formula, numbers in hosts]
    split = DatasetSettings(split="defect", held_out=0.2, near=0, seed=6)
    assert set(export_dataset(paths, folder / "whole", split).frames) == {"train", "valid", "test"}
    (paths[0] / "generate").mkdir()
    known = {"potential": "morse", "atomic_energies": {"O": -1.5, "Mg": -2.5}}
    (paths[0] / "generate/lone_atoms.json").write_text(json.dumps(known), encoding="utf-8")
    alone = export_dataset(paths[:1], folder / "alone", DatasetSettings(held_out=0, near=0))
    assert set(alone.frames) == {"train"}
    assert alone.atomic_energies["morse"].keys() == {"O", "Mg"}
    return {"whole": folder / "whole", "alone": folder / "alone"}


def command_in_card(folder: Path, name: str) -> str:
    """The shell command of a trainer, as the card has it."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    block = re.search(rf"^### {name}\n.*?^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block is not None, f"the card has no command for {name}"
    return block.group(1)


def shortened(command: str, training: Training) -> str:
    """The command with what is stated replaced, and nothing else."""
    for old, new in training.shorter:
        assert old in command, old
        command = command.replace(old, new)
    return command


def run(training: Training, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of an environment in a folder; what it has started ends with it where the time is up."""
    (consumer,) = (c for c in CONSUMERS if c.name == training.consumer)
    path = f"{consumer.python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, cwd=folder, env=environment, start_new_session=True, **pipes) as process:
        try:
            output, errors = process.communicate(timeout=_LIMIT)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def check(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def saved(folder: Path, training: Training) -> list[Path]:
    return sorted(folder.glob(training.model))


@pytest.mark.parametrize("kind", ["whole", "alone"])
@pytest.mark.parametrize(("trainer", "training"), RUNS, ids=[training.consumer for _, training in RUNS])
def test_its_command_saves_a_model(
    trainer: TrainerCommand,
    training: Training,
    kind: str,
    datasets: dict[str, Path],
    tmp_path: Path,
    record_property: Any,
) -> None:
    (consumer,) = (c for c in CONSUMERS if c.name == training.consumer)
    install(consumer)
    folder = tmp_path / kind
    shutil.copytree(datasets[kind], folder)
    command = shortened(command_in_card(folder, trainer.name), training)
    assert not saved(folder, training)
    if training.before:
        check(run(training, ["python", "-c", training.before], folder))
    start = time.monotonic()
    done = run(training, ["bash", "-e", "-o", "pipefail", "-c", command], folder)
    seconds = time.monotonic() - start
    if not trainer.missing:
        check(done)
    models = saved(folder, training)
    assert models, (done.stdout + done.stderr)[-4000:]
    check(run(training, ["python", "-c", f"path = {str(models[-1])!r}\n{training.load}"], folder))
    record_property("seconds", round(seconds))
    model = models[-1].relative_to(folder)
    sys.stdout.write(f"{trainer.name} {consumer.packages[0]}, {kind}: {seconds:.0f} s, {model}\n")
    if trainer.missing:
        pytest.skip(f"needs {trainer.missing}; its input was written and read")


def test_every_command_of_the_card_is_run_with_the_version_that_it_names(datasets: dict[str, Path]) -> None:
    text = (datasets["whole"] / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [trainer.name for trainer in TRAINERS] == list(TRAININGS)
    packages = {consumer.name: consumer.packages for consumer in CONSUMERS}
    for name, training in OTHER_BACKENDS.items():
        (trainer,) = (trainer for trainer in TRAINERS if trainer.name == name)
        for _, replaced in training.shorter[1:]:
            assert f"`{replaced}`" in trainer.note
        assert any(package.split("==")[0] in trainer.note for package in packages[training.consumer])
    for trainer in TRAINERS:
        assert trainer.package.replace(" ", "==") in packages[TRAININGS[trainer.name].consumer]


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        check(run(TRAININGS["MACE"], ["bash", "-e", "-o", "pipefail", "-c", "false | cat\ntrue"], tmp_path))
    with pytest.raises(AssertionError, match="epochs"):
        shortened("mace_run_train", TRAININGS["MACE"])
