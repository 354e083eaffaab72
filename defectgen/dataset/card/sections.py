"""The sections of a dataset card, each as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.card.statistics import QUANTILES
from defectgen.dataset.fields import FIELDS, MEASURES

MAX_TABLE_ROWS = 60
"""Rows of a table in the card; manifest.json has all."""

MAX_NAMED_VALUES = 12
"""Temperatures or pressures that are named one by one."""

LABELS = (
    ("energy, free_energy, REF_energy", "number", "total energy of the cell, eV"),
    ("forces, REF_forces", "(n, 3) numbers", "eV/Å"),
    ("stress", "9 numbers", "eV/Å³, positive under tension (ASE): xx, xy, xz, yx, ..."),
    ("REF_stress", "6 numbers", "the same in the order xx, yy, zz, yz, xz, xy"),
    ("charge, total_charge", "integer", "total charge of the cell, e; most potentials know none"),
    ("momenta", "(n, 3) numbers", "of frames of dynamics that have them, Å (amu/eV)^-1/2 amu"),
)
"""Labels in extended XYZ: once as ASE's readers know them, once as MACE does."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; of a long one the first `MAX_TABLE_ROWS` rows."""
    found = list(rows)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in found[:MAX_TABLE_ROWS]]
    if len(found) > MAX_TABLE_ROWS:
        lines.append(f"\n{len(found) - MAX_TABLE_ROWS} more rows are in manifest.json.")
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def contents(manifest: DatasetManifest) -> str:
    """Hosts, frames of each kind, elements and charges."""
    numbers = manifest.statistics
    splits = list(manifest.frames)
    kinds = sorted({kind for counts in numbers["records"].values() for kind in counts})
    rows = [(kind, *(numbers["records"][split].get(kind, 0) for split in splits)) for kind in kinds]
    elements = [(e, c["records"], c["atoms"]) for e, c in numbers["elements"].items()]
    charges = ", ".join(f"{charge:+d}" if charge else "0" for charge in numbers["charges"])
    hosts = [(h["formula"], h["prototype"], h["hash"], h["records"], ", ".join(h["splits"])) for h in numbers["hosts"]]
    return "\n\n".join(
        [
            "## Contents",
            table(("host", "prototype", "hash", "frames", "in"), hosts),
            table(("kind of frame (`config_type`)", *splits), [*rows, ("all", *manifest.frames.values())]),
            table(("element", "frames with it", "atoms"), elements),
            f"Total charges: {charges} (e).",
        ]
    )


def defects(manifest: DatasetManifest) -> str:
    """Each defect with its sites, its symmetry, its copies and its frames."""
    splits = list(manifest.frames)
    kinds = manifest.statistics["kinds"]
    rows = [
        (
            *(kind[name] for name in ("formula", "name", "defect_type", "wyckoff", "site_symmetry", "stabilizer")),
            kind["degeneracy"] or "",
            *(kind["records"].get(split, 0) for split in splits),
        )
        for kind in kinds
    ]
    head = ("host", "defect", "type", "Wyckoff", "site symmetry", "stabilizer", "copies", *splits)
    kept = [k for k in range(len(head)) if head[k] in splits or any(row[k] != "" for row in rows)]
    shown = [tuple(row[k] for k in kept) for row in rows]
    types = ", ".join(f"{name} {count}" for name, count in manifest.statistics["defect_types"].items())
    return "## Defects\n\n" + table([head[k] for k in kept], shown) + (f"\n\nFrames by type: {types}." if types else "")


def distributions(manifest: DatasetManifest, picture: str | None) -> str:
    """Ranges and quantiles of what was measured of the frames, with the picture of their distributions."""
    units = {field.name: field.meaning for field in (*FIELDS, *MEASURES)}
    rows = []
    for name, row in manifest.statistics["ranges"].items():
        values = (row["smallest"], *(row["quantiles"][str(q)] for q in QUANTILES), row["largest"])
        rows.append((name, *(f"{value:.4g}" for value in values), units.get(name, "")))
    head = ("quantity", "least", *(f"{100 * q:g} %" for q in QUANTILES), "most", "what it is")
    shown = f"\n\n![Distributions of the frames of each split; lines: quantiles]({picture})" if picture else ""
    return "## Distributions\n\n" + table(head, rows) + shown


def labels(manifest: DatasetManifest) -> str:
    """Who made the labels: theory and measured errors; energies of lone atoms."""
    rows = [(who["name"], who["frames"], who["theory"]) for who in manifest.labellers]
    parts = ["## Who made the labels"]
    if not rows:
        parts.append("The frames do not say it.")
    else:
        parts.append(table(("potential", "frames", "level of theory"), rows))
        hashes = "\n".join(f"- {who['name']}: `{who['sha256'] or 'not known'}`" for who in manifest.labellers)
        parts.append(f"SHA-256 of the weights:\n\n{hashes}")
    errors = [(who["name"], *error) for who in manifest.labellers for error in who["errors"]]
    if errors:
        parts.append(
            "Measured errors of the labels:\n\n" + table(("potential", "what", "error", "measured on"), errors)
        )
    elif rows:
        parts.append("No measured errors of these potentials are known here.")
    return "\n\n".join([*parts, _lone_atoms(manifest)])


def _lone_atoms(manifest: DatasetManifest) -> str:
    if not manifest.atomic_energies:
        return (
            "Energies of lone atoms (E0) are not known: the labeller has none, or the run is of an older version. "
            "Trainers fit baselines to the compositions of the frames."
        )
    rows = [
        (potential, element, f"{energy:.6f}")
        for potential, energies in manifest.atomic_energies.items()
        for element, energy in energies.items()
    ]
    return (
        "Energies of lone atoms (E0) as the labeller gives them, in line with its labels; also frames of "
        "`isolated_atoms.extxyz`:\n\n" + table(("potential", "element", "eV"), rows)
    )


def sampling(manifest: DatasetManifest) -> str:
    """How frames of dynamics are spaced against their correlation times, and how relaxations ended."""
    numbers = manifest.statistics
    parts = ["## Sampling"]
    rows = [
        (
            *(row[key] for key in ("kind", "runs", "frames")),
            *(_femtoseconds(row[key]) for key in ("interval", "correlation_time")),
            row["close"],
            "unknown" if row["independent"] is None else f"{row['independent']:.0f}",
        )
        for row in numbers["sampling"]
    ]
    if rows:
        head = ("dynamics", "runs", "frames", "interval, fs", "correlation time, fs", "closer than it", "worth")
        parts.append(table(head, rows))
        engines = ", ".join(f"{engine} ({count} frames)" for engine, count in numbers["engines"].items())
        parts.append(
            "Interval and correlation time (of the potential energy) are medians over the runs; `worth` is how many "
            f"independent frames these are, two correlation times apart. Engines: {engines}; {_conditions(numbers)}. "
            "Of a diverged run there are only the frames before; the start of a run, the relaxed cell, is left out."
        )
    else:
        parts.append("No molecular dynamics.")
    if numbers["ends"]:
        ends = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in numbers["ends"].items())
        parts.append(f"Frames by the end of their relaxation: {ends}.")
    return "\n\n".join(parts)


def _conditions(numbers: dict[str, Any]) -> str:
    """Temperatures and pressures of the dynamics, or how many there are."""
    shown = []
    for name, unit in (("temperatures", "K"), ("md_pressures", "GPa")):
        values = numbers[name]
        many = len(values) > MAX_NAMED_VALUES
        text = f"{values[0]:g} to {values[-1]:g}" if many else ", ".join(f"{value:g}" for value in values)
        if values:
            shown.append(f"{text} {unit}")
    return " and ".join(shown)


def _femtoseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def splits(manifest: DatasetManifest) -> str:
    """By what the set is split, with the shares, the groups held out, and the distances to train."""
    by, total = manifest.split["by"], manifest.n_records
    groups = manifest.split["groups"]
    counts = {split: sum(1 for place in groups.values() if place == split) for split in manifest.frames}
    rows = [(split, n, f"{100 * n / total:.1f} %", counts[split]) for split, n in manifest.frames.items()]
    parts = ["## Splits", table(("split", "frames", "share", "groups"), rows), _rule(manifest)]
    held_out = [(place, group) for group, place in sorted(groups.items()) if place not in ("train", "")]
    if held_out:
        parts.append(table(("held out in", by), sorted(held_out, key=lambda row: (row[0] != "valid", row[1]))))
    parts += [f"{note[:1].upper()}{note[1:]}." for note in manifest.notes]
    return "\n\n".join([*parts, _leakage(manifest)])


def _rule(manifest: DatasetManifest) -> str:
    by = manifest.split["by"]
    if by == "given":
        return "Frames are in the split that they came with."
    if len(manifest.frames) == 1:
        return "Nothing is held out: there are too few groups to split."
    meaning = (
        f"Errors on what is held out are of a {by} never trained on, in hosts that were."
        if by in ("defect", "trajectory")
        else "Errors on what is held out are of crystals never trained on."
    )
    return (
        f"Split by {by} (seed {manifest.split['seed']}): no {by} is in two files. {meaning} A group stays where it is "
        "when the dataset grows."
    )


def _leakage(manifest: DatasetManifest) -> str:
    report: dict[str, Any] | None = manifest.leakage
    if report is None:
        return "Distances of what is held out to train were not measured."
    rows = [
        (name, row["probed"], row["copies"], f"{row['nearest']:.2f}", f"{row['median']:.2f}")
        for name, row in report["splits"].items()
    ]
    if report["spacing"] is not None:
        rows.append(("train", report["train_probed"], report["train_copies"], "", f"{report['spacing']:.2f}"))
    named = "".join(f"\n- {text}" for row in report["splits"].values() for text in row["named"])
    return (
        f"**Leakage.** {report['verdict']} Distances to train, in SOAP descriptors of the surroundings of the atoms, "
        f"in units of that between a frame and itself with every coordinate moved by {report['rattle']:g} Å:\n\n"
        + table(("split", "frames compared", "copies", "nearest", "median"), rows)
        + (f"\n{named}" if named else "")
    )


def filters(manifest: DatasetManifest) -> str:
    """What was left out and why, duplicates included, and the settings that decided it."""
    rows = list(manifest.dropped.items())
    settings = ("where", "potential", "max_force", "min_contact", "near", "thin", "converged", "path_frames")
    used = [
        (f"`{name}`", manifest.settings[name]) for name in settings if manifest.settings.get(name) not in (None, "")
    ]
    dropped = table(("left out", "frames"), rows) if rows else "Nothing was left out."
    return "## Filters and duplicates\n\n" + dropped + "\n\n" + table(("setting", "value"), used)


def fields(manifest: DatasetManifest) -> str:
    """Labels and facts of a frame, with units."""
    present = set(manifest.statistics["fields"])
    rows = [(f.name, f.kind, f.meaning) for f in FIELDS if f.name in present]
    return (
        "## Fields\n\nLabels, by their keys in extended XYZ (in Parquet: `energy`, `forces`, `stress`, `charge`):\n\n"
        + table(("key", "type", "meaning"), LABELS)
        + "\n\nFacts, keys of extended XYZ and columns of tables; frames that do not know one lack it:\n\n"
        + table(("field", "type", "meaning"), rows)
        + "\n\nPositions and lattice vectors are in Å."
    )
