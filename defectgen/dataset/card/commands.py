"""Commands that train on a dataset, for each code that reads it, run in its folder."""

from __future__ import annotations

from defectgen.dataset.card.manifest import DatasetManifest

INNER_VALID_FRACTION = 0.1
"""Share of train.extxyz that a trainer holds out where the dataset has no valid.extxyz."""


def train_commands(manifest: DatasetManifest) -> dict[str, str]:
    """Command line of each trainer by its name."""
    return {"MACE": _mace(manifest)}


def _mace(manifest: DatasetManifest) -> str:
    has_valid = "valid" in manifest.frames
    held_out = ["--valid_file=valid.extxyz"] if has_valid else [f"--valid_fraction={INNER_VALID_FRACTION}"]
    if "test" in manifest.frames:
        held_out.append("--test_file=test.extxyz")
    return " ".join(
        [
            "mace_run_train --name=defects --train_file=train.extxyz",
            *held_out,
            f"--E0s={_isolated(manifest)} --model=MACE --num_channels=64 --max_L=1 --r_max=5.0 --compute_stress=True",
            "--loss=universal --energy_weight=1 --forces_weight=10 --stress_weight=100",
            "--error_table=PerAtomRMSEstressvirials --batch_size=4 --valid_batch_size=4 --max_num_epochs=100",
            "--default_dtype=float64 --device=cpu --seed=1",
        ]
    )


def _isolated(manifest: DatasetManifest) -> str:
    """Energies of isolated atoms where one potential labelled all and knows them; else what MACE fits."""
    from augment.elements import element_number

    known = list(manifest.atomic_energies.values())
    if len(known) != 1 or len(manifest.statistics["potentials"]) != 1:
        return "average"
    energies = {element_number(symbol): round(value, 8) for symbol, value in known[0].items()}
    return '"' + str(energies).replace(" ", "") + '"'
