"""Labels: frames that cannot be used or have none, names that no trainer reads, two sets that disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from augment.cell import FloatArray
from defectgen.dataset.duplicates import Mask
from defectgen.dataset.validation.entries import READ_NAMES
from defectgen.dataset.validation.finding import MAX_EXAMPLES, Finding, Place
from defectgen.dataset.validation.observations import Observations, unread_names

TOLERANCES = {"energy": 1e-4, "forces": 1e-4, "stress": 1e-5}
"""eV, eV/Å, eV/Å³: two sets of labels that are closer than this are one, written with different digits."""

_SOME_READ = {"force": "NEP", "virial": "NEP", "virials": "dpdata", "REF_virials": "MACE", "free_energy": "SevenNet"}


def unusable_frames(seen: Observations) -> Iterator[Finding]:
    """Frames that cannot be read, are no structure, or whose numbers are not finite."""
    kinds: dict[str, list[tuple[Place, str]]] = {}
    for place, problem in seen.unusable:
        kinds.setdefault(re.sub(r"[\d.]+|'[^']*'|e[+-]\d+", "#", problem), []).append((place, problem))
    for found in kinds.values():
        yield Finding(
            "unusable frames",
            "error",
            f"{len(found)} frames cannot be used: {found[0][1]}",
            "write them again from their source; `defectgen clean` leaves them out",
            len(found),
            [place for place, _ in found[:MAX_EXAMPLES]],
        )


def missing_labels(seen: Observations) -> Iterator[Finding]:
    """Frames without an energy, forces or stress that trainers read."""
    for kind, names in READ_NAMES.items():
        lacking = ~seen.has(*names)
        if not lacking.any():
            continue
        unread = {name for layout in seen.layouts for name in unread_names(layout, kind)}
        hidden = lacking & seen.has(*unread)
        if hidden.any():
            yield _unread(seen, kind, sorted(unread), hidden)
        if (bare := lacking & ~hidden).any():
            yield _missing(seen, kind, bare)


def _unread(seen: Observations, kind: str, unread: list[str], hidden: Mask) -> Finding:
    readers = {reader for name in unread if (reader := _SOME_READ.get(name))}
    who = f"only {', '.join(sorted(readers))} reads" if readers else "no trainer reads with its defaults"
    return seen.fault(
        "names of labels",
        "error" if kind != "stress" else "warning",
        f"{{}} have their {kind} as {', '.join(unread)}, which {who}",
        f"rename it to {READ_NAMES[kind][0]} (and {READ_NAMES[kind][1]} for MACE), or name it to the trainer",
        hidden,
    )


def _missing(seen: Observations, kind: str, bare: Mask) -> Finding:
    everywhere = bool(bare.all())
    severity = "warning" if everywhere or kind == "stress" else "error"
    if kind == "energy":
        severity = "error"
    if kind == "stress" and (everywhere or not seen.columns["cell"][bare].any()):
        severity = "note"
    return seen.fault(
        "missing labels",
        severity,  # type: ignore[arg-type]
        f"{{}} have no {kind}",
        "label them, or leave them out; where only some have a label most trainers stop or learn from zeros"
        if not everywhere
        else f"nothing can be learnt of {kind}: switch its loss off",
        bare,
    )


def sets_of_labels(seen: Observations) -> Iterator[Finding]:
    """Frames whose two sets of labels disagree, and datasets that have one set only."""
    for kind, (first, second) in READ_NAMES.items():
        gap = seen.columns[f"{kind}_gap"]
        differ = np.nan_to_num(gap, nan=0.0) > TOLERANCES[kind]
        if differ.any():
            yield seen.fault(
                "two sets of labels",
                "error",
                f"{{}} have two different labels, {first} and {second}, {_largest(gap, differ)} apart at most: MACE "
                f"learns {second}, most others {first}",
                "remove the wrong one; every trainer takes the one that it knows",
                differ,
                droppable=True,
            )
    for name, readers in (("energy", "MACE reads REF_energy"), ("REF_energy", "all but MACE read energy")):
        if seen.has(name).all() and not seen.has(*(n for n in READ_NAMES["energy"] if n != name)).any():
            if name == "energy" and not any(".xyz" in f or ".extxyz" in f for f in seen.files):
                continue
            yield Finding(
                "one set of labels",
                "note" if name == "energy" else "warning",
                f"labels stand under {name} only; {readers}",
                "name the keys to the trainer, or `defectgen export` it, which writes both",
            )


def other_energies(seen: Observations) -> Iterator[Finding]:
    """Energies under further names, beside the one that is read."""
    names = {n for layout in seen.layouts for n in unread_names(layout, "energy") if n != "free_energy"}
    beside = seen.has(*names) & seen.has(*READ_NAMES["energy"])
    if beside.any():
        yield seen.fault(
            "other energies",
            "note",
            f"{{}} have further energies, {', '.join(sorted(names))}, that trainers do not read",
            "check that `energy` is the one to learn",
            beside,
        )


def hidden_labels(seen: Observations) -> Iterator[Finding]:
    """Rows of databases whose data holds labels that hide those of the calculator in fairchem."""
    hidden = seen.has("data.energy", "data.forces", "data.stress")
    if hidden.any():
        yield seen.fault(
            "labels in the data of rows",
            "warning",
            "{} have labels in their data, which fairchem puts before those of the calculator",
            "remove energy, forces and stress from the data of the rows",
            hidden,
        )


def _largest(gap: FloatArray, mask: Mask) -> str:
    return f"{gap[mask].max():.3g}"
