"""Commands that train on a dataset, for each code that reads it, run in the folder of the dataset.

Every code reads `train.extxyz` and the files beside it with its defaults; what is set here is what it cannot know: the
files, the elements, and the energies of lone atoms where they are known.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.card.trainer_files import FAIRCHEM, NEQUIP, ORB

INNER_VALID_FRACTION = 0.1
"""Share of train.extxyz that a trainer holds out where the dataset has no valid.extxyz."""

MIN_INNER_VALID = 2
"""Frames that it holds out at the least; some trainers save no model where there are none."""

_SEVENNET_EPOCHS = 100
_DEEPMD_STEPS = 100_000
_NEP_GENERATIONS = 100_000


@dataclass(frozen=True)
class TrainerCommand:
    """A code that trains on a dataset, and how.

    Attributes:
        name: in the card.
        command: the shell command for a dataset.
        package: distribution and version with which a test has run the command.
        note: what else a user has to know; empty for nothing.
        missing: what a test would need to train; empty where one has trained.
    """

    name: str
    command: Callable[[DatasetManifest], str]
    package: str
    note: str = ""
    missing: str = ""

    @property
    def experience(self) -> str:
        """What a test has seen of the command, and the note, in a line."""
        if self.missing:
            seen = f"Not run by a test here: needs {self.missing}. Its input was written and read with {self.package}."
        else:
            seen = f"A test has run this for an epoch or a step with {self.package}."
        return f"{seen} {self.note}".strip()


def train_commands(manifest: DatasetManifest) -> dict[str, str]:
    """Shell commands of each trainer by its name; none where the dataset has no extended XYZ."""
    if "extxyz" not in manifest.settings["formats"]:
        return {}
    return {trainer.name: trainer.command(manifest) for trainer in TRAINERS}


def elements_of_set(manifest: DatasetManifest) -> list[str]:
    """Symbols of the elements of a dataset, by atomic number."""
    return list(manifest.statistics["elements"])


def baselines(manifest: DatasetManifest) -> dict[str, float] | None:
    """Energy of a lone atom of each element, eV, where one potential made all labels and every one is known."""
    known = list(manifest.atomic_energies.values())
    if len(known) != 1 or len(manifest.statistics["potentials"]) > 1:
        return None
    elements = elements_of_set(manifest)
    return {e: round(known[0][e], 8) for e in elements} if known[0].keys() >= set(elements) else None


def _has(manifest: DatasetManifest, split: str) -> bool:
    return split in manifest.frames


def _inner_share(manifest: DatasetManifest) -> float:
    """Share of train.extxyz that a trainer is to hold out, half at the most."""
    least = ceil(100 * MIN_INNER_VALID / manifest.frames["train"]) / 100
    return min(0.5, max(INNER_VALID_FRACTION, least))


def _written(name: str, text: str) -> str:
    """A shell command that writes a file."""
    return f"cat > {name} <<'END'\n{text}END\n"


def mace(manifest: DatasetManifest) -> str:
    """`mace_run_train` of mace-torch; it reads the REF_ keys."""
    from augment.elements import element_number

    known = baselines(manifest)
    isolated = "average"
    if known:
        by_number = {element_number(symbol): energy for symbol, energy in known.items()}
        isolated = '"' + str(by_number).replace(" ", "") + '"'
    options = [
        "--name=defects --train_file=train.extxyz",
        "--valid_file=valid.extxyz" if _has(manifest, "valid") else f"--valid_fraction={_inner_share(manifest)}",
        *(["--test_file=test.extxyz"] if _has(manifest, "test") else []),
        f"--E0s={isolated} --model=MACE --num_channels=64 --max_L=1 --r_max=5.0 --compute_stress=True",
        "--loss=universal --energy_weight=1 --forces_weight=10 --stress_weight=100",
        "--error_table=PerAtomRMSEstressvirials --batch_size=4 --valid_batch_size=4 --max_num_epochs=100",
        "--default_dtype=float64 --device=cpu --seed=1",
    ]
    return "mace_run_train " + " ".join(options)


def sevennet(manifest: DatasetManifest) -> str:
    """`sevenn train` with the preset `base` and the files of this dataset."""
    files = {"valid": "['./valid.extxyz']", "test": "['./test.extxyz']"}
    edits = [
        f'-e "s|epoch: 200|epoch: {_SEVENNET_EPOCHS}|"',
        "-e \"s|load_trainset_path:.*|load_trainset_path: ['./train.extxyz']|\"",
    ]
    for split in ("valid", "test"):
        key = f"load_{split}set_path"
        new = f"{key}: {files[split]}" if _has(manifest, split) else ""
        edits.append(f'-e "s|{key}:.*|{new}|"')
    edited = " ".join(edits)
    return f"sevenn preset base | sed {edited} > sevennet.yaml\nsevenn train sevennet.yaml -s"


def nequip(manifest: DatasetManifest) -> str:
    """`nequip-train`; shifts are the energies of lone atoms, else the mean energy per atom."""
    known = baselines(manifest)
    shifts = json.dumps(known) if known else "${training_data_stats:per_atom_energy_mean}"
    if _has(manifest, "valid"):
        files = "  train_file_path: train.extxyz\n  val_file_path: valid.extxyz\n"
    else:
        share = _inner_share(manifest)
        files = f"  split_dataset: {{file_path: train.extxyz, train: {1 - share:g}, val: {share:g}}}\n"
    if _has(manifest, "test"):
        files += "  test_file_path: test.extxyz\n"
    text = NEQUIP.replace("ELEMENTS", json.dumps(elements_of_set(manifest))).replace("FILES\n", files)
    text = text.replace("SHIFTS", shifts).replace("RUN", "[train, test]" if _has(manifest, "test") else "[train]")
    return _written("nequip.yaml", text) + 'nequip-train -cp "$PWD" -cn nequip'


def fairchem(manifest: DatasetManifest) -> str:
    """The databases that fairchem makes of extended XYZ, and the training of a small eSCN-MD.

    It needs a validation set. References are the energies of lone atoms, else the median energy per atom.
    """
    from augment.elements import MAX_ATOMIC_NUMBER, element_number

    middle = round(manifest.statistics["ranges"]["energy_per_atom"]["quantiles"]["0.5"], 6)
    energies = baselines(manifest) or dict.fromkeys(elements_of_set(manifest), middle)
    references = [0.0] * MAX_ATOMIC_NUMBER
    for symbol, energy in energies.items():
        references[element_number(symbol) or 0] = energy
    valid = "valid" if _has(manifest, "valid") else "train"
    return (
        f"mkdir -p fairchem/train fairchem/val && cp train.extxyz fairchem/train/ && cp {valid}.extxyz fairchem/val/\n"
        "python -m fairchem.core.scripts.create_finetune_dataset --train-dir fairchem/train --val-dir fairchem/val "
        "--output-dir fairchem/data --num-workers 1\n"
        + _written("fairchem.yaml", FAIRCHEM.replace("REFERENCES", json.dumps(references)))
        + "fairchem -c fairchem.yaml"
    )


def matgl(manifest: DatasetManifest) -> str:
    """`mgl train`, which holds out a part of train itself, and `mgl evaluate` on what is held out here."""
    lines = ["mgl train -i train.extxyz -m M3GNet -o matgl_model --batch-size 4 --epochs 100"]
    lines += [f"mgl evaluate -i {split}.extxyz -m matgl_model" for split in ("valid", "test") if _has(manifest, split)]
    return "\n".join(lines)


def deepmd(manifest: DatasetManifest) -> str:
    """Dpdata turns extended XYZ into systems of one composition each; `dp` trains on them."""
    splits = [split for split in ("train", "valid") if _has(manifest, split)]
    convert = (
        "import dpdata\n"
        f"for split in {json.dumps(splits)}:\n"
        '    systems = dpdata.MultiSystems.from_file(f"{split}.extxyz", fmt="extxyz")\n'
        '    systems.to("deepmd/npy", f"deepmd/{split}")\n'
    )
    training = {
        "training_data": {"systems": "deepmd/train", "batch_size": "auto"},
        **({"validation_data": {"systems": "deepmd/valid", "batch_size": 1}} if "valid" in splits else {}),
        "numb_steps": _DEEPMD_STEPS,
        "seed": 1,
    }
    settings = {
        "model": {
            "type_map": elements_of_set(manifest),
            "descriptor": {"type": "se_e2_a", "sel": "auto", "rcut": 6.0, "rcut_smth": 0.5, "seed": 1},
            "fitting_net": {"neuron": [240, 240, 240], "seed": 1},
        },
        "learning_rate": {"type": "exp", "start_lr": 1e-3, "stop_lr": 1e-8, "decay_steps": 5000},
        "loss": {
            "type": "ener",
            "start_pref_e": 0.02,
            "limit_pref_e": 1,
            "start_pref_f": 1000,
            "limit_pref_f": 1,
            "start_pref_v": 0.02,
            "limit_pref_v": 1,
        },
        "training": training,
    }
    text = json.dumps(settings, indent=1) + "\n"
    return (
        _written("to_deepmd.py", convert)
        + _written("deepmd.json", text)
        + ("python to_deepmd.py\ndp train deepmd.json\ndp freeze -o deepmd.pb")
    )


def nep(manifest: DatasetManifest) -> str:
    """Calorine writes the input of `nep`, the trainer of GPUMD."""
    elements = elements_of_set(manifest)
    held_out = "valid" if _has(manifest, "valid") else "test" if _has(manifest, "test") else "train"
    script = (
        "from ase.io import read\n"
        "from calorine.nep import setup_training\n"
        f'settings = {{"version": 4, "type": [{len(elements)}, *{json.dumps(elements)}], "cutoff": [6, 5], '
        f'"generation": {_NEP_GENERATIONS}}}\n'
        f'train, test = (read(f"{{split}}.extxyz", ":") for split in ("train", "{held_out}"))\n'
        'setup_training(settings, train_structures=train, test_structures=test, rootdir="nep_run", mode="fixed", '
        "overwrite=True)\n"
    )
    return _written("to_nep.py", script) + "python to_nep.py\n(cd nep_run/nepmodel && nep)"


def metatrain(manifest: DatasetManifest) -> str:
    """`mtt train` of PET; forces and stress are found beside the energy."""
    systems = "{read_from: %s.extxyz, length_unit: angstrom}"
    target = "{energy: {key: energy, unit: eV}}"

    def data(split: str) -> str:
        return f"\n  systems: {systems % split}\n  targets: {target}\n"

    valid = data("valid") if _has(manifest, "valid") else f" {_inner_share(manifest)}\n"
    test = data("test") if _has(manifest, "test") else " 0.0\n"
    text = (
        "seed: 1\narchitecture:\n  name: pet\n  training: {num_epochs: 100, batch_size: 4}\n"
        f"training_set:{data('train')}validation_set:{valid}test_set:{test}"
    )
    return _written("metatrain.yaml", text) + "mtt train metatrain.yaml"


def grace(manifest: DatasetManifest) -> str:
    """`gracemaker`, and the export of its best model; the zero of energy is that of lone atoms, else fitted."""
    known = baselines(manifest)
    held_out = "valid" if _has(manifest, "valid") else "test" if _has(manifest, "test") else None
    test = f"  test_filename: {held_out}.extxyz\n" if held_out else f"  test_size: {_inner_share(manifest)}\n"
    text = (
        f"seed: 1\ncutoff: 6\ndata:\n  filename: train.extxyz\n{test}"
        f"  reference_energy: {json.dumps(known) if known else 'auto'}\n  stress_units: eV/A3\n"
        "potential: {preset: GRACE_1LAYER_latest}\n"
        "fit:\n  loss: {energy: {type: huber, weight: 1, delta: 0.1}, forces: {type: huber, weight: 5, delta: 0.1}, "
        "stress: {type: huber, weight: 0.1, delta: 0.1}}\n"
        "  maxiter: 150\n  optimizer: Adam\n  opt_params: {learning_rate: 0.01}\n"
        "  scheduler: cosine_decay\n  scheduler_params: {minimum_learning_rate: 0.0006}\n  batch_size: 8\n"
    )
    return _written("grace.yaml", text) + "gracemaker grace.yaml\ngracemaker -r -s grace.yaml"


def orb(_: DatasetManifest) -> str:
    """The fine-tuning of a trained Orb model on an ASE database."""
    return _written("orb.py", ORB) + "python orb.py"


TRAINERS = (
    TrainerCommand("MACE", mace, "mace-torch 0.3.16"),
    TrainerCommand("SevenNet", sevennet, "sevenn 0.13.0"),
    TrainerCommand("NequIP", nequip, "nequip 0.19.1"),
    TrainerCommand(
        "fairchem",
        fairchem,
        "fairchem-core 2.24.0",
        "A small network from scratch; its model is `fairchem/runs/*/checkpoints/final/inference_ckpt.pt`. On a CPU "
        '`load_predict_unit(path, "batch", device="cpu")` leaves out minutes of compilation. UMA is fine-tuned on the '
        "same databases; no test does it, as its weights need an account.",
    ),
    TrainerCommand("matgl", matgl, "matgl 4.1.2"),
    TrainerCommand(
        "DeePMD",
        deepmd,
        "deepmd-kit[cpu] 3.2.0",
        "With TensorFlow. With PyTorch, of `deepmd-kit[torch]`, the last two lines are `dp --pt train deepmd.json` and "
        "`dp --pt freeze -o deepmd.pth`; a test has run them too.",
    ),
    TrainerCommand(
        "NEP",
        nep,
        "calorine 4.1",
        missing="`nep`, a program of GPUMD, and a GPU with CUDA",
    ),
    TrainerCommand("metatrain", metatrain, "metatrain 2026.4.1"),
    TrainerCommand(
        "GRACE",
        grace,
        "tensorpotential 0.6.2.1",
        "It was run with `jit_compile: False` under `fit`, as compiling takes more than half an hour on a busy CPU.",
    ),
    TrainerCommand(
        "Orb",
        orb,
        "orb-models 0.5.5",
        "It started from random weights there; the trained ones are downloaded. Releases for Python 3.12 and later "
        "have other names.",
    ),
)
"""In the order of the card."""
