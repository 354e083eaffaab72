"""The dataset card: what the dataset holds, who made its labels, and how to train on it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

INNER_VALID_FRACTION = 0.1
"""Share of train.extxyz that MACE itself holds out where the dataset has no valid.extxyz."""


def train_command(splits: Sequence[str]) -> str:
    """Command line that trains a MACE model on the files of these splits, run in the dataset's folder."""
    held_out = ["--valid_file=valid.extxyz"] if "valid" in splits else [f"--valid_fraction={INNER_VALID_FRACTION}"]
    if "test" in splits:
        held_out.append("--test_file=test.extxyz")
    return " ".join(
        [
            "mace_run_train --name=defects --train_file=train.extxyz",
            *held_out,
            "--energy_key=REF_energy --forces_key=REF_forces --stress_key=REF_stress",
            "--E0s=average --model=MACE --num_channels=64 --max_L=1 --r_max=5.0 --compute_stress=True",
            "--loss=universal --energy_weight=1 --forces_weight=10 --stress_weight=100",
            "--error_table=PerAtomRMSEstressvirials --batch_size=4 --valid_batch_size=4 --max_num_epochs=100",
            "--default_dtype=float64 --device=cpu --seed=1",
        ]
    )


def card_text(manifest: DatasetManifest) -> str:
    """The card as Markdown."""
    sections = (_heading(manifest), _contents(manifest), _labels(manifest), _split(manifest), _use(manifest))
    return "\n\n".join(sections) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _heading(manifest: DatasetManifest) -> str:
    formulas = ", ".join(dict.fromkeys(host["formula"] for host in manifest.statistics["hosts"]))
    return (
        f"# Defective crystals of {formulas}\n\n"
        f"{manifest.n_records} records of relaxed and thermal defect cells, made by defectgen "
        f"{manifest.versions['defectgen']}.\n\n"
        "**Labels of an interatomic potential, not DFT.** A model trained on them learns that potential, with its "
        "errors.\n\n"
        f"Licence: {manifest.license}"
    )


def _contents(manifest: DatasetManifest) -> str:
    numbers = manifest.statistics
    kinds = [(s, k, n) for s, counts in numbers["records"].items() for k, n in counts.items()]
    ranges = [
        ("atoms in a cell", *numbers["atoms"], ""),
        ("energy per atom", *(f"{x:.4f}" for x in numbers["energy_per_atom"]), "eV"),
        ("largest force component", *(f"{x:.4f}" for x in numbers["largest_force_component"]), "eV/Å"),
        ("pressure (from the stress)", *(f"{x:.3f}" for x in numbers["pressure"]), "GPa"),
    ]
    elements = [(e, c["records"], c["atoms"]) for e, c in numbers["elements"].items()]
    charges = ", ".join(f"{c:+d}" if c else "0" for c in numbers["charges"])
    return "\n\n".join(
        [
            "## Contents",
            _table(("host", "hash", "records"), [(h["formula"], h["hash"], h["records"]) for h in numbers["hosts"]]),
            _table(("split", "config_type", "records"), kinds),
            _table(("element", "records with it", "atoms"), elements),
            _table(("quantity", "smallest", "largest", "unit"), ranges),
            f"Total charges: {charges} (e).{_conditions(manifest)}",
        ]
    )


def _conditions(manifest: DatasetManifest) -> str:
    numbers = manifest.statistics
    if not numbers["engines"]:
        return " No molecular dynamics."
    engines = ", ".join(f"{engine} ({count} frames)" for engine, count in numbers["engines"].items())
    temperatures = ", ".join(f"{t:g}" for t in numbers["temperatures"])
    pressures = ", ".join(f"{p:g}" for p in numbers["md_pressures"])
    return f" Molecular dynamics by {engines} at {temperatures} K and {pressures} GPa."


def _labels(manifest: DatasetManifest) -> str:
    rows = [(p["name"], f"`{p['sha256']}`", p["records"]) for p in manifest.statistics["potentials"]]
    mixed = (
        "\n\nMore than one potential labelled these records: their energies have different zeros. "
        "Select one with the `potential` key before you train."
        if len(rows) > 1
        else ""
    )
    return (
        "## Who made the labels\n\n"
        + _table(("potential", "sha256 of its weights", "records"), rows)
        + "\n\nEach frame carries `potential`, `potential_sha256`, `host`, `name`, `defect_key`, and for MD frames "
        "`engine`, `temperature` (K) and `pressure` (GPa). Of a run that diverged there are only the frames before; "
        "the start of each MD run, which is the relaxed cell, is left out." + mixed
    )


def _split(manifest: DatasetManifest) -> str:
    rows = [(name, frames, f"`{manifest.files[name]}`") for name, frames in manifest.frames.items()]
    if len(rows) == 1:
        rule = (
            "All records are of one host crystal, so there is no valid or test file: any held-out frame would be "
            "of a crystal that the model has seen. The command below lets MACE hold out a part of the frames; "
            "its validation error says how well this one host is learnt, not how the model does on another."
        )
    else:
        rule = (
            f"Split by host (seed {manifest.seed}): no crystal is in two files, so valid and test errors are of "
            "hosts never trained on."
        )
    return "## Split\n\n" + _table(("file", "frames", "sha256"), rows) + f"\n\n{rule}"


def _atomic_energies(manifest: DatasetManifest) -> str:
    if manifest.statistics["separable"]:
        return ""
    return (
        "`--E0s=average` fits the energy of an atom of each element to these records, and their compositions are too "
        "few to tell the elements apart: the model would get every change of composition (a vacancy, a dopant) wrong. "
        "Add records of other compositions, or give `--E0s` the atomic energies of the potential.\n\n"
    )


def _use(manifest: DatasetManifest) -> str:
    command = manifest.train_command.replace(" --", " \\\n  --")
    return (
        "## Train MACE on it\n\n```sh\n"
        + command
        + "\n```\n\n"
        + _atomic_energies(manifest)
        + "Units: Å, eV, eV/Å; `REF_stress` is xx, yy, zz, yz, xz, xy in eV/Å³, positive under tension (ASE). "
        "`total_charge` is that of the cell; a potential that knows no charge gave the labels of the neutral cell.\n\n"
        "Versions: " + ", ".join(f"{name} {number}" for name, number in manifest.versions.items()) + "."
    )


@dataclass(frozen=True)
class DatasetManifest:
    """What an exported dataset holds; written as manifest.json.

    Attributes:
        format: version of this layout.
        seed: seed of the split.
        license: licence of the dataset.
        files: SHA-256 of each file by its name.
        frames: frames of each file by its name.
        hosts: host hashes of each split.
        statistics: counts and ranges (`Statistics.to_dict`).
        versions: version of each library that shaped the data.
        train_command: command line that trains a MACE model on it.
    """

    format: int
    seed: int
    license: str
    files: dict[str, str]
    frames: dict[str, int]
    hosts: dict[str, list[str]]
    statistics: dict[str, Any]
    versions: dict[str, str]
    train_command: str

    @property
    def n_records(self) -> int:
        """Number of frames in all files."""
        return sum(self.frames.values())

    def to_json(self) -> str:
        """The manifest as indented JSON with sorted keys."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
