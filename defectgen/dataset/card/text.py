"""The dataset card as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from augment.storage.archive import write_atomically
from defectgen.dataset.card.commands import train_commands
from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.fields import MEASURES
from defectgen.dataset.splits import Split
from defectgen.dataset.survey import Survey


def write_card(folder: Path, manifest: DatasetManifest, survey: Survey, split: Split) -> None:  # noqa: ARG001
    """Write README.md of a dataset."""
    write_atomically(folder / "README.md", card_text(manifest).encode())


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
    units = {field.name: field.meaning for field in MEASURES}
    ranges = [
        (name, *(f"{row[end]:.4g}" for end in ("smallest", "largest")), units.get(name, ""))
        for name, row in numbers["ranges"].items()
    ]
    elements = [(e, c["records"], c["atoms"]) for e, c in numbers["elements"].items()]
    charges = ", ".join(f"{c:+d}" if c else "0" for c in numbers["charges"])
    return "\n\n".join(
        [
            "## Contents",
            _table(("host", "hash", "records"), [(h["formula"], h["hash"], h["records"]) for h in numbers["hosts"]]),
            _table(("split", "config_type", "records"), kinds),
            _table(("element", "records with it", "atoms"), elements),
            _table(("quantity", "smallest", "largest", "what it is"), ranges),
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
    rows = list(manifest.frames.items())
    by = manifest.split["by"]
    if len(rows) == 1:
        rule = (
            "Nothing is held out: there are too few groups to split. Any frame that a trainer holds out itself is of a "
            "crystal, and often of a run, that the model has seen."
        )
    elif by == "given":
        rule = "Frames are in the split that they came with."
    else:
        rule = (
            f"Split by {by} (seed {manifest.split['seed']}): no {by} is in two files. {_meaning(by)} A group stays "
            "where it is when the dataset grows."
        )
    dropped = _table(("left out", "frames"), list(manifest.dropped.items())) if manifest.dropped else "Nothing."
    notes = "".join(f"\n\n{note}." for note in manifest.notes)
    return "## Split\n\n" + _table(("split", "frames"), rows) + f"\n\n{rule}{notes}\n\n## Left out\n\n{dropped}"


def _meaning(by: str) -> str:
    if by in ("defect", "trajectory"):
        return f"Errors on valid and test are of a {by} never trained on, in hosts that were."
    return "Errors on valid and test are of crystals never trained on."


def _atomic_energies(manifest: DatasetManifest) -> str:
    if manifest.statistics["separable"]:
        return ""
    return (
        "`--E0s=average` fits the energy of an atom of each element to these records, and their compositions are too "
        "few to tell the elements apart: the model would get every change of composition (a vacancy, a dopant) wrong. "
        "Add records of other compositions, or give `--E0s` the atomic energies of the potential.\n\n"
    )


def _use(manifest: DatasetManifest) -> str:
    command = train_commands(manifest)["MACE"].replace(" --", " \\\n  --")
    return (
        "## Train MACE on it\n\n```sh\n"
        + command
        + "\n```\n\n"
        + _atomic_energies(manifest)
        + "Units: Å, eV, eV/Å; `REF_stress` is xx, yy, zz, yz, xz, xy in eV/Å³, positive under tension (ASE). "
        "`total_charge` is that of the cell; a potential that knows no charge gave the labels of the neutral cell.\n\n"
        "Versions: " + ", ".join(f"{name} {number}" for name, number in manifest.versions.items()) + "."
    )
